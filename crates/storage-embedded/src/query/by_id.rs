//! A trace by its id: the head's parts, then every segment whose table has it. Needs data files
//! only: it works for as long as spans are kept, with or without an index.
#![warn(clippy::indexing_slicing)]

use std::sync::Arc;

use tracewell_model::{SpanBatch, TraceId};
use tracewell_storage::{FoundTrace, ReadContext};

use super::probe::Probe;
use crate::engine::Engine;
use crate::segment::Segment;
use crate::segment::data;

pub(super) fn get_trace(engine: &Engine, id: TraceId, context: &ReadContext) -> FoundTrace {
    let mut probe = Probe::new(engine, context);
    let parts = read_trace(&mut probe, id);
    probe.searched.head_spans = probe.head.spans();
    FoundTrace {
        parts,
        searched: probe.searched,
        incomplete: probe.incomplete,
    }
}

type Parts = Vec<(Arc<SpanBatch>, Vec<u32>)>;

/// All spans of a trace, oldest arrivals first; cut, and said so, at the caps of the context. A
/// deadline gives what was read by then.
pub(super) fn read_trace(probe: &mut Probe<'_>, id: TraceId) -> Parts {
    let mut gathered = Gathered::default();
    for at in 0..probe.view.segments.len() {
        if let Err(stopped) = probe.context.check() {
            probe.note(stopped.message);
            return gathered.parts;
        }
        let segment = probe.segment(at);
        if !segment_part(probe, &segment, id, &mut gathered) {
            return gathered.parts;
        }
    }
    if let Err(stopped) = probe.context.check() {
        probe.note(stopped.message);
        return gathered.parts;
    }
    for part in probe.head.parts(id) {
        let (batch, rows) = probe.head.part(part);
        let (batch, rows) = (Arc::clone(&batch.batch), rows.to_vec());
        if !gathered.add(probe, batch, rows) {
            break;
        }
    }
    gathered.parts
}

#[derive(Default)]
struct Gathered {
    parts: Parts,
    spans: usize,
    bytes: usize,
}

impl Gathered {
    /// Takes rows in; false when a cap was reached.
    fn add(&mut self, probe: &mut Probe<'_>, batch: Arc<SpanBatch>, mut rows: Vec<u32>) -> bool {
        // A batch's share of its bytes: near enough for a cap.
        let row_bytes = batch.memory_bytes() / batch.len().max(1) + 1;
        let context = probe.context;
        let room = context.spans_max.saturating_sub(self.spans);
        let room = room.min(context.bytes_max.saturating_sub(self.bytes) / row_bytes);
        let fits = rows.len() <= room;
        rows.truncate(room);
        self.spans += rows.len();
        self.bytes += rows.len() * row_bytes;
        if !fits {
            probe.note(format!("the trace is cut after {} spans", self.spans));
        }
        if !rows.is_empty() {
            self.parts.push((batch, rows));
        }
        fits
    }
}

/// The segment's spans of the trace; false when a cap was reached.
fn segment_part(
    probe: &mut Probe<'_>,
    segment: &Segment,
    id: TraceId,
    gathered: &mut Gathered,
) -> bool {
    let cost = format!("up to {} spans may be missing", segment.meta.spans);
    let Some(data) = probe.data(segment, &cost) else {
        return true;
    };
    probe.searched.segments += 1;
    for ordinal in fragments_of(probe, segment, id) {
        for number in data.blocks_of_fragment(ordinal) {
            let cost = |rows| format!("up to {rows} spans of this trace may be missing");
            let Some(block) = probe.block(segment, number, cost) else {
                continue;
            };
            // None: another trace with the same hash.
            let Some(rows) = block.rows_of(id) else {
                continue;
            };
            let cost = cost(rows.end - rows.start);
            let batch = block.batch_of(rows);
            let Some(batch) = probe.decoded(segment, number, batch, &cost) else {
                continue;
            };
            let rows = (0..batch.len() as u32).collect();
            if !gathered.add(probe, Arc::new(batch), rows) {
                return false;
            }
        }
    }
    true
}

/// The fragments of a segment that have this trace's hash: the trace's one, or none, and rarely a
/// stranger's.
pub(super) fn fragments_of(probe: &mut Probe<'_>, segment: &Segment, id: TraceId) -> Vec<u32> {
    let hash = data::trace_hash(id);
    let Ok(data) = &segment.data else {
        return Vec::new();
    };
    if !probe.may_hold(segment, data, hash) {
        return Vec::new();
    }
    let mut fragments = Vec::new();
    for page in data.pages_of(hash) {
        if let Some(entries) = probe.trace_page(segment, data, page) {
            fragments.extend(data::fragments_with(&entries, hash));
        }
    }
    fragments
}
