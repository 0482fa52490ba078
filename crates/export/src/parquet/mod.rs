//! Parquet: a row a span, flat enough for `SELECT`, with everything else in maps (docs/export.md).
//!
//! Spans gather in one batch, whose dictionaries hold each distinct value once, until it is a row
//! group; then it is written column by column. `table` says what the columns are, `leaf` how one is
//! written. Parquet's own column writers do it, without Arrow: half the crates, and nothing is
//! copied into arrays first.

mod leaf;
mod table;

use std::io::{self, Write};
use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;
use tracewell_model::{BatchBuilder, CopyScratch, SpanBatch};

use super::{Encode, Summary};
use crate::summary::NAME;

/// Spans of a row group: what DuckDB gives one thread, and its own size.
const GROUP_SPANS: usize = 131_072;
/// Bytes of a batch at which a row group ends sooner; what an export holds in memory.
const GROUP_BYTES: usize = 64 << 20;

type Out<'a> = &'a mut (dyn Write + Send);

pub(crate) struct File<'a> {
    file: SerializedFileWriter<Out<'a>>,
    gathered: BatchBuilder,
    /// About how many bytes were gathered.
    bytes: usize,
    group_spans: usize,
}

impl<'a> File<'a> {
    pub(crate) fn new(out: Out<'a>) -> io::Result<Self> {
        let schema = parse_message_type(&table::schema()).map_err(failed)?;
        let file = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties()));
        Ok(File {
            file: file.map_err(failed)?,
            gathered: BatchBuilder::new(1),
            bytes: 0,
            group_spans: GROUP_SPANS,
        })
    }

    fn write_group(&mut self) -> io::Result<()> {
        self.bytes = 0;
        if self.gathered.is_empty() {
            return Ok(());
        }
        let batch = self.gathered.finish_one();
        let mut group = self.file.next_row_group().map_err(failed)?;
        for column in table::COLUMNS {
            leaf::write(column, &batch, &mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        Ok(())
    }
}

impl Encode for File<'_> {
    fn write(&mut self, batch: &SpanBatch, rows: &[u32]) -> io::Result<()> {
        let row_bytes = batch.memory_bytes() / batch.len().max(1) + 1;
        let mut scratch = CopyScratch::default();
        for &row in rows {
            self.gathered.copy(batch.span(row), &mut scratch);
            self.bytes += row_bytes;
            if self.gathered.len() >= self.group_spans || self.bytes >= GROUP_BYTES {
                scratch = CopyScratch::default();
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(mut self, summary: &Summary) -> io::Result<()> {
        self.write_group()?;
        let said = KeyValue::new(NAME.to_owned(), summary.json());
        self.file.append_key_value_metadata(said);
        self.file.finish().map_err(failed)?;
        self.file.inner_mut().flush()
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(3).unwrap_or_default();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("tracewell ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(64));
    for column in table::COLUMNS {
        let storage = column.storage();
        let path = ColumnPath::from(column.name);
        if !storage.dictionary {
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
        }
        if storage.deltas {
            properties =
                properties.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if !storage.bounds {
            properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
        }
    }
    properties.build()
}

/// Parquet's errors on writing are the writer's, or ours of the impossible kind.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(cause) => io::Error::other(cause),
        },
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use tracewell_storage::conformance::SpanSpec;
    use tracewell_storage::conformance::spans::batch;

    use super::*;

    /// Rows of the row groups, for batches of these sizes.
    fn groups(group_spans: usize, batches: &[u64], long: usize) -> Vec<i64> {
        let mut bytes = Vec::new();
        let mut file = File::new(&mut bytes).expect("a file");
        file.group_spans = group_spans;
        for &spans in batches {
            let long = |number| format!("{number}{}", "x".repeat(long));
            let spec = |number| SpanSpec::new(1, number, number).with("x", long(number).as_str());
            let batch = batch(&(1..=spans).map(spec).collect::<Vec<_>>());
            let rows: Vec<u32> = (0..batch.len() as u32).collect();
            file.write(&batch, &rows).expect("rows go in");
        }
        file.finish(&Summary::default()).expect("the file ends");
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a Parquet file");
        let groups = reader.metadata().row_groups();
        groups.iter().map(|group| group.num_rows()).collect()
    }

    #[test]
    fn spans_of_many_batches_gather_in_row_groups() {
        assert_eq!(groups(100, &[30, 30, 30, 30, 130], 1), [100, 100, 50]);
        assert_eq!(groups(100, &[100], 1), [100]);
        assert_eq!(groups(100, &[], 1), [0; 0]);
    }

    #[test]
    fn long_values_end_a_row_group_sooner() {
        let groups = groups(GROUP_SPANS, &[40; 4], 1 << 20);
        assert!(
            groups.len() > 1 && groups.iter().sum::<i64>() == 160,
            "{groups:?}"
        );
    }
}
