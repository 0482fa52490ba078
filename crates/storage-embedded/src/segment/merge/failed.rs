//! The copies of failed spans. Whole blocks of them stay as they are; what is left of one some of
//! whose spans were left behind, and what is small, is gathered into new ones.

use tracewell_model::SpanBatch;
use tracewell_storage::Error;

use super::source::Source;
use super::{Failure, MergeOptions, Watch};
use crate::segment::block::{Block, BlockParts, BlockWriter, checked_trace_ids};
use crate::segment::index::IndexWriter;
use crate::segment::run::{RowRef, Run, RunTrace};
use crate::segment::steps::Steps;
use crate::segment::values::RunValues;

/// A block with fewer of the spans it has room for is gathered with others.
const WHOLE_SHARE: usize = 2;
/// Spans are gathered up to so many bytes.
const BYTES_MAX: usize = 4 << 20;

pub(super) fn merge(
    sources: &[Source<'_>],
    options: &MergeOptions,
    writer: &mut BlockWriter,
    index: &mut IndexWriter<'_>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    let mut rest = Rest::default();
    for source in sources {
        for entry in &source.index.directory.failed {
            watch.check()?;
            let blame = |error| source.blame(error);
            let rows = source.index.read_failed_rows(entry).map_err(blame)?;
            let bytes = source.index.read_failed_bytes(entry).map_err(blame)?;
            let mut moving = source.stretches.rows.from(entry.first_row);
            let moved: Vec<_> = rows.iter().map(|&row| moving.moved(row)).collect();
            let here: Vec<u32> = moved.iter().flatten().copied().collect();
            if here.len() == rows.len() && here.len() * WHOLE_SHARE >= options.block_spans {
                rest.flush(options, writer, index)?;
                checked_trace_ids(&entry.parts, &bytes).map_err(blame)?;
                index
                    .failed
                    .add(&mut index.out, &here, entry.parts, &bytes)?;
            } else if !here.is_empty() {
                rest.add(entry.parts, bytes, &moved).map_err(blame)?;
                if rest.rows.len() >= options.block_spans || rest.bytes >= BYTES_MAX {
                    rest.flush(options, writer, index)?;
                }
            }
        }
    }
    rest.flush(options, writer, index)
}

/// Spans that are gathered.
#[derive(Default)]
struct Rest {
    batches: Vec<SpanBatch>,
    traces: Vec<RunTrace>,
    spans: Vec<RowRef>,
    /// Where they stand in the merged segment.
    rows: Vec<u32>,
    bytes: usize,
}

impl Rest {
    /// Takes those spans of a block that stand somewhere.
    fn add(
        &mut self,
        parts: BlockParts,
        bytes: Vec<u8>,
        moved: &[Option<u32>],
    ) -> Result<(), Error> {
        let block = Block::open(parts, bytes)?;
        let batch = self.batches.len() as u32;
        for trace in block.traces() {
            let first = self.spans.len() as u32;
            for row in trace.first..trace.first + trace.spans {
                if let Some(Some(to)) = moved.get(row as usize) {
                    self.spans.push(RowRef { batch, row });
                    self.rows.push(*to);
                }
            }
            let spans = self.spans.len() as u32 - first;
            if spans > 0 {
                self.traces.push(RunTrace {
                    id: trace.id,
                    steps: Steps::default(),
                    first,
                    spans,
                });
            }
        }
        let decoded = block.batch()?;
        self.bytes += decoded.memory_bytes();
        self.batches.push(decoded);
        Ok(())
    }

    /// Writes what was taken.
    fn flush(
        &mut self,
        options: &MergeOptions,
        writer: &mut BlockWriter,
        index: &mut IndexWriter<'_>,
    ) -> Result<(), Failure> {
        let rest = std::mem::take(self);
        let batches: Vec<&SpanBatch> = rest.batches.iter().collect();
        let mut values = RunValues::new(&batches);
        let run = Run {
            batches,
            traces: rest.traces,
            rows: rest.spans,
            duplicates: 0,
        };
        let (out, writer) = (&mut index.out, (writer, options.block_spans));
        let these = (&run, rest.rows.as_slice());
        Ok(index.failed.add_run(out, these, &mut values, writer)?)
    }
}
