//! Writes blocks.

use std::ops::Range;

use hashbrown::HashMap;
use tracewell_model::{BatchBuilder, CopyScratch, SpanRef};
use tracewell_storage::Error;

use super::ids;
use super::parts::{BlockParts, SectionBytes};
use crate::codec;
use crate::format;
use crate::segment::run::Run;
use crate::segment::values::{Met, RunValues};

/// What the index is told of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRow {
    pub(crate) start_unix_ns: u64,
    pub(crate) duration_ns: u64,
    /// Its (service, operation), a number of `RunValues::groups`.
    pub(crate) group: u32,
    pub(crate) error: bool,
    pub(crate) parent: ParentRow,
}

/// Where a row's parent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParentRow {
    /// It is a root.
    None,
    /// Among the rows of its trace in this block.
    Here,
    /// Elsewhere, or nowhere.
    Elsewhere,
}

/// See the module. One for all blocks of a file.
pub(crate) struct BlockWriter {
    compressor: zstd::bulk::Compressor<'static>,
    bytes: Vec<u8>,
    rows: Vec<BlockRow>,
    posted: Vec<u32>,
    hashes: Vec<u64>,
}

impl BlockWriter {
    pub(crate) fn new() -> Result<Self, Error> {
        let compressor = zstd::bulk::Compressor::new(1)
            .map_err(|error| Error::retryable(format!("make a compressor: {error}")))?;
        Ok(BlockWriter {
            compressor,
            bytes: Vec::new(),
            rows: Vec::new(),
            posted: Vec::new(),
            hashes: Vec::new(),
        })
    }

    /// Encodes these rows of the run: whole traces, or a piece of a giant one. The block itself is
    /// then in `bytes`.
    pub(crate) fn write<'a>(
        &mut self,
        run: &Run<'a>,
        rows: Range<usize>,
        values: &mut RunValues<'a>,
    ) -> Result<BlockParts, Error> {
        let refs = &run.rows[rows];
        let spans: Vec<SpanRef<'a>> = refs
            .iter()
            .map(|at| run.batches[at.batch as usize].span(at.row))
            .collect();
        self.index(&spans, values);
        let (mut builder, mut scratch) = (BatchBuilder::new(1), CopyScratch::default());
        spans
            .iter()
            .for_each(|span| builder.copy(*span, &mut scratch));
        let batch = builder.finish_one();
        let mut coded = Vec::new();
        codec::encode(&batch, &mut coded);
        let packed = self
            .compressor
            .compress(&coded)
            .map_err(|error| Error::retryable(format!("compress a block: {error}")))?;
        let stored = if packed.len() < coded.len() {
            &packed
        } else {
            &coded
        };
        self.bytes.clear();
        self.bytes
            .extend_from_slice(&format::checksum(stored).to_le_bytes());
        self.bytes.extend_from_slice(stored);
        ids::put(&mut self.bytes, &batch.columns().span_id);
        Ok(BlockParts {
            rows: spans.len() as u32,
            sections: [SectionBytes {
                stored: stored.len() as u32 + 4,
                raw: coded.len() as u32,
            }],
        })
    }

    fn index<'a>(&mut self, spans: &[SpanRef<'a>], values: &mut RunValues<'a>) {
        let mut here = HashMap::new();
        for span in spans {
            here.insert((span.trace_id(), span.span_id()), ());
        }
        self.rows.clear();
        self.posted.clear();
        self.hashes.clear();
        for span in spans {
            let parent = match span.parent() {
                None => ParentRow::None,
                Some(id) if here.contains_key(&(span.trace_id(), id)) => ParentRow::Here,
                Some(_) => ParentRow::Elsewhere,
            };
            self.rows.push(BlockRow {
                start_unix_ns: span.start_unix_ns(),
                duration_ns: span.duration_ns(),
                group: values.group(span.service(), span.operation()),
                error: span.is_error(),
                parent,
            });
            let all = span
                .attributes()
                .chain(span.event_attributes())
                .chain(span.resource().attributes())
                .chain(span.scope().attributes());
            for attribute in all {
                match values.meet(attribute) {
                    Met::Pair(pair) => self.posted.push(pair),
                    Met::High(hash) => self.hashes.push(hash),
                }
            }
        }
        self.posted.sort_unstable();
        self.posted.dedup();
        self.hashes.sort_unstable();
        self.hashes.dedup();
    }

    /// The bytes of the block just written, as they go into the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its rows, in order.
    pub(crate) fn rows(&self) -> &[BlockRow] {
        &self.rows
    }

    /// The pairs met in it, each once: of spans, events, resources and scopes alike.
    pub(crate) fn posted(&self) -> &[u32] {
        &self.posted
    }

    /// Filter hashes of its distinct high values, each once.
    pub(crate) fn hashes(&self) -> &[u64] {
        &self.hashes
    }
}

impl std::fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockWriter").finish_non_exhaustive()
    }
}
