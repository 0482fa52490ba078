//! Reads blocks. Trusts nothing.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_model::{BatchBuilder, CopyScratch, SpanBatch, TraceId};
use tracewell_storage::{Error, TagFilter};

use super::ids;
use super::parts::BlockParts;
use crate::codec;
use crate::segment::frame;

/// A trace's rows in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockTrace {
    pub(crate) id: TraceId,
    pub(crate) first: u32,
    pub(crate) spans: u32,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Block {
    parts: BlockParts,
    batch: SpanBatch,
    traces: Vec<BlockTrace>,
}

impl Block {
    /// A block, given its bytes of the file.
    pub(crate) fn open(parts: BlockParts, bytes: Vec<u8>) -> Result<Block, Error> {
        let [frame] = parts.frames(0);
        let (coded, chunks) = bytes
            .split_at_checked(frame.bytes as usize)
            .ok_or_else(|| Error::corrupt("the block is cut"))?;
        let batch = codec::decode(&frame::open_frame(&frame, coded)?)?;
        let ids = ids::ids_of_chunks(chunks)?;
        if batch.len() != parts.rows as usize || ids != batch.columns().span_id {
            return Err(Error::corrupt("number of rows"));
        }
        let mut traces: Vec<BlockTrace> = Vec::new();
        for (row, span) in (0..).zip(batch.spans()) {
            match traces.last_mut() {
                Some(last) if last.id == span.trace_id() => last.spans += 1,
                _ => traces.push(BlockTrace {
                    id: span.trace_id(),
                    first: row,
                    spans: 1,
                }),
            }
        }
        Ok(Block {
            parts,
            batch,
            traces,
        })
    }

    pub(crate) fn len(&self) -> u32 {
        self.parts.rows
    }

    /// Its traces, in order of their rows.
    pub(crate) fn traces(&self) -> &[BlockTrace] {
        &self.traces
    }

    /// The rows of this trace; no trace lies in two places of a block.
    pub(crate) fn rows_of(&self, id: TraceId) -> Option<Range<u32>> {
        let trace = self.traces.iter().find(|trace| trace.id == id)?;
        Some(trace.first..trace.first + trace.spans)
    }

    /// All its spans.
    pub(crate) fn batch(&self) -> Result<SpanBatch, Error> {
        Ok(self.batch.clone())
    }

    /// These rows.
    pub(crate) fn batch_of(&self, rows: Range<u32>) -> Result<SpanBatch, Error> {
        let (mut builder, mut scratch) = (BatchBuilder::new(1), CopyScratch::default());
        for row in rows {
            builder.copy(self.batch.span(row), &mut scratch);
        }
        Ok(builder.finish_one())
    }

    /// Each row's duration: for a search whose index cannot decide.
    pub(crate) fn durations(&self) -> Result<Vec<u64>, Error> {
        Ok(self.batch.columns().duration_ns.clone())
    }

    /// For each row whether it satisfies the condition: the filter is asked once per distinct value.
    pub(crate) fn holding(&self, filter: &TagFilter) -> Result<Vec<bool>, Error> {
        Ok(self.batch.spans().map(|span| filter.holds(span)).collect())
    }

    /// Bytes in memory, for caches.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.batch.memory_bytes()
    }
}
