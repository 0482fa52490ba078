//! The head: spans that are applied but not yet in a segment. Append-only, so that a reader who
//! took its batches once works on them without any lock while the writer goes on.
//!
//! Batches stay as they came, by `Arc`; what is added is, per batch, the rows of each of its
//! traces, and over all a list of parts, (batch, its trace), each linked to the one before it of
//! the same trace, with a table trace → last part. Both are touched once per (batch, trace), never
//! per span, and allocate nothing for a trace.

mod chunk;
mod keys;
mod matching;
mod names;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use hashbrown::HashMap;
use tracewell_model::{SpanBatch, TraceId};
use tracewell_storage::{Position, Record};

pub(crate) use chunk::Chunk;
use matching::FailedRow;
pub(crate) use view::{HeadCandidate, HeadView};

/// What a batch costs beside its columns: the vectors' headers, the allocator, the tables here.
/// Without it a flood of one-span batches would fill the memory unseen.
const BATCH_OVERHEAD_BYTES: usize = 2_048;
/// A part and its trace's place in the table, both half used after they grew.
const PART_BYTES: usize = 72;

/// The earliest start and the latest end of some spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Extent {
    /// Of no span: joins with any other.
    pub(crate) const NONE: Extent = Extent {
        start: u64::MAX,
        end: 0,
    };

    pub(crate) fn join(&mut self, other: Extent) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
    }
}

/// A batch in the head.
#[derive(Debug)]
pub(crate) struct HeadBatch {
    pub(crate) batch: Arc<SpanBatch>,
    pub(crate) arrived_unix_ns: u64,
    /// By the batch's trace position.
    pub(crate) extents: Vec<Extent>,
    /// The latest start of a trace's part.
    pub(crate) start_max_unix_ns: u64,
    /// Rows, trace by trace; `ends` says where each trace's end.
    rows: Vec<u32>,
    ends: Vec<u32>,
    failed: Vec<FailedRow>,
}

impl HeadBatch {
    fn new(record: &Record) -> HeadBatch {
        let columns = record.batch.columns();
        let traces = columns.traces.len();
        let mut extents = vec![Extent::NONE; traces];
        let mut ends = vec![0u32; traces];
        for (span, &trace) in record.batch.spans().zip(&columns.trace) {
            let extent = Extent {
                start: span.start_unix_ns(),
                end: span.end_unix_ns(),
            };
            extents[trace as usize].join(extent);
            ends[trace as usize] += 1;
        }
        // Counting sort: `ends` becomes each trace's start, and its end once all rows are placed.
        let mut before = 0;
        for end in &mut ends {
            before += std::mem::replace(end, before);
        }
        let mut rows = vec![0u32; columns.trace.len()];
        for (row, &trace) in columns.trace.iter().enumerate() {
            let place = &mut ends[trace as usize];
            rows[*place as usize] = row as u32;
            *place += 1;
        }
        let batch = Arc::clone(&record.batch);
        let starts = extents
            .iter()
            .filter(|e| **e != Extent::NONE)
            .map(|e| e.start);
        HeadBatch {
            start_max_unix_ns: starts.max().unwrap_or(0),
            failed: FailedRow::of(&batch),
            batch,
            arrived_unix_ns: record.arrived_unix_ns,
            extents,
            rows,
            ends,
        }
    }

    /// The rows of the trace at this position of the batch's trace table.
    pub(crate) fn rows(&self, trace: u32) -> &[u32] {
        let at = trace as usize;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.rows[from as usize..self.ends[at] as usize]
    }

    fn memory_bytes(&self) -> usize {
        let tables = self.rows.len() * 4 + self.ends.len() * (4 + 16 + PART_BYTES);
        let failed = size_of_val(self.failed.as_slice());
        self.batch.memory_bytes() + tables + failed + BATCH_OVERHEAD_BYTES
    }
}

/// Where some spans of a trace lie: a batch, and a position in its trace table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) batch: u32,
    pub(crate) trace: u32,
}

/// The parts of a head's traces, in order of arrival: batch by batch, each batch's by its table.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    list: Vec<Link>,
    /// Each trace's last part.
    last: HashMap<TraceId, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    part: Part,
    /// The part before it of the same trace, or `NONE`.
    before: u32,
}

const NONE: u32 = u32::MAX;

impl Parts {
    fn push(&mut self, id: TraceId, part: Part) {
        let number = self.list.len() as u32;
        let before = self.last.insert(id, number).unwrap_or(NONE);
        self.list.push(Link { part, before });
    }

    /// All of them, each with the number of the part before it of the same trace.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Part, Option<u32>)> {
        let before = |link: &Link| (link.before != NONE).then_some(link.before);
        self.list.iter().map(move |link| (link.part, before(link)))
    }

    /// How many traces there are.
    pub(crate) fn traces(&self) -> usize {
        self.last.len()
    }

    /// Those of one trace, the last one first.
    fn of(&self, id: TraceId) -> impl Iterator<Item = Part> {
        let mut next = self.last.get(&id).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let link = self.list.get(next as usize)?;
            next = link.before;
            Some(link.part)
        })
    }
}

/// Offsets of one partition that are in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetRange {
    pub(crate) partition: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Head {
    state: RwLock<State>,
    names: Mutex<names::HeadNames>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) batches: Vec<Arc<HeadBatch>>,
    /// The same but for the last few, for readers.
    chunks: Vec<Arc<Chunk>>,
    pub(crate) parts: Parts,
    spans: u64,
    /// With what sealing them will take beside them.
    bytes: u64,
    keys: keys::KeyCount,
    ranges: BTreeMap<u32, (u64, u64)>,
}

/// Figures of a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeadStatus {
    pub(crate) spans: u64,
    pub(crate) bytes: u64,
    /// The earliest start of a span.
    pub(crate) oldest_unix_ns: Option<u64>,
}

impl State {
    /// The batches that are in no chunk.
    fn rest(&self) -> &[Arc<HeadBatch>] {
        let chunked = self.chunks.len() * chunk::BATCHES;
        &self.batches[chunked..]
    }
}

impl Head {
    /// Takes a record in: readers see it when this returns.
    pub(crate) fn append(&self, record: &Record) {
        // The grouping is done before the lock is taken; under it are only table entries.
        let batch = HeadBatch::new(record);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let Position { partition, offset } = record.position;
        let range = state.ranges.entry(partition).or_insert((offset, offset));
        range.1 = offset;
        if batch.batch.is_empty() {
            return;
        }
        let number = state.batches.len() as u32;
        for (trace, &id) in batch.batch.columns().traces.iter().enumerate() {
            if batch.extents[trace] != Extent::NONE {
                let part = Part {
                    batch: number,
                    trace: trace as u32,
                };
                state.parts.push(id, part);
            }
        }
        state.spans += batch.batch.len() as u64;
        let seal_bytes = state.keys.seal_bytes(&batch.batch);
        state.bytes += (batch.memory_bytes() + seal_bytes) as u64;
        state.batches.push(Arc::new(batch));
        let rest = state.rest();
        if rest.len() == chunk::BATCHES {
            let chunk = Arc::new(Chunk::of(rest));
            state.chunks.push(chunk);
        }
    }

    pub(crate) fn status(&self) -> HeadStatus {
        let state = self.read();
        let extents = state.batches.iter().flat_map(|batch| &batch.extents);
        let oldest_unix_ns = extents
            .filter(|e| **e != Extent::NONE)
            .map(|e| e.start)
            .min();
        HeadStatus {
            spans: state.spans,
            bytes: state.bytes,
            oldest_unix_ns,
        }
    }

    /// Spans and bytes: what the caps are held against.
    pub(crate) fn size(&self) -> (u64, u64) {
        let state = self.read();
        (state.spans, state.bytes)
    }

    pub(crate) fn ranges(&self) -> Vec<OffsetRange> {
        let range = |(&partition, &(first, last))| OffsetRange {
            partition,
            first,
            last,
        };
        self.read().ranges.iter().map(range).collect()
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        // A writer that panicked left whole entries behind: each push is complete or absent.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}
