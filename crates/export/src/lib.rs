//! Spans out of a store, in a format that other tools read, into a writer: what `tracewell export`
//! and `GET /api/export` do. One pass, in the order of the store, with bounded memory: the writer's
//! pace is the scan's.
#![warn(missing_docs)]

mod otlp_json;
#[cfg(feature = "parquet")]
mod parquet;
mod summary;

use std::io::{self, Write};
use std::ops::ControlFlow;

use tracewell_model::SpanBatch;
use tracewell_storage::{ReadContext, ScanQuery, Searched, SpanScanner};

pub use summary::Summary;

/// What an export is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OTLP JSON lines, an `ExportTraceServiceRequest` each: nothing is lost, `load` reads it.
    OtlpJson,
    /// Parquet with a flat schema, for questions.
    Parquet,
}

impl Format {
    /// All of them.
    pub const ALL: [Format; 2] = [Format::OtlpJson, Format::Parquet];

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self {
            Format::OtlpJson => "otlp-json",
            Format::Parquet => "parquet",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::OtlpJson => "application/x-ndjson",
            Format::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// How files of it end.
    pub fn extension(self) -> &'static str {
        match self {
            Format::OtlpJson => "jsonl",
            Format::Parquet => "parquet",
        }
    }

    /// Whether this build can write it.
    pub fn is_built(self) -> bool {
        match self {
            Format::OtlpJson => true,
            Format::Parquet => cfg!(feature = "parquet"),
        }
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store could not go on.
    #[error(transparent)]
    Store(#[from] tracewell_storage::Error),
    /// The writer did not take more: a full disk, a reader that went away.
    #[error(transparent)]
    Write(#[from] io::Error),
    /// This build cannot write the format.
    #[error("this tracewell is built without Parquet; build it with --features parquet")]
    NotBuilt,
}

/// Writes one format.
trait Encode {
    /// Takes rows of a batch.
    fn write(&mut self, batch: &SpanBatch, rows: &[u32]) -> io::Result<()>;

    /// Ends the file, which says of itself what it is.
    fn finish(self, summary: &Summary) -> io::Result<()>;
}

/// Writes every span that matches to `out`. `progress` is told the spans so far, often. Without an
/// error the file is whole, and the summary, which the file has too, says what it lacks.
pub fn export(
    scanner: &dyn SpanScanner,
    query: &ScanQuery,
    context: &ReadContext,
    format: Format,
    out: &mut (dyn Write + Send),
    progress: &mut dyn FnMut(u64),
) -> Result<(Summary, Searched), Error> {
    let scan = Scan {
        scanner,
        query,
        context,
    };
    match format {
        Format::OtlpJson => scan.encode(otlp_json::Lines::new(out), progress),
        #[cfg(feature = "parquet")]
        Format::Parquet => scan.encode(parquet::File::new(out)?, progress),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => Err(Error::NotBuilt),
    }
}

struct Scan<'a> {
    scanner: &'a dyn SpanScanner,
    query: &'a ScanQuery,
    context: &'a ReadContext,
}

impl Scan<'_> {
    fn encode(
        &self,
        mut encoder: impl Encode,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(Summary, Searched), Error> {
        let mut spans = 0;
        let mut written = Ok(());
        let scanned = self
            .scanner
            .scan_spans(self.query, self.context, &mut |batch, rows| {
                written = encoder.write(batch, rows);
                spans += rows.len() as u64;
                progress(spans);
                match written {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
        written?;
        let searched = scanned.searched.clone();
        let summary = Summary::of(scanned);
        encoder.finish(&summary)?;
        Ok((summary, searched))
    }
}
