//! A head as a reader sees it: the batches that were there when it looked, however long it reads.

use std::sync::Arc;

use hashbrown::HashMap;
use tracewell_model::{SpanRef, TraceId};
use tracewell_storage::{Error, ReadContext, TraceQuery};

use super::{Extent, Head, HeadBatch, Part};
use crate::segment::steps::Steps;

/// Batches between two looks at the deadline.
const BATCHES_PER_CHECK: usize = 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct HeadView {
    /// Oldest first, each with the place of its first batch.
    heads: Vec<(Arc<Head>, usize)>,
    /// Of all heads, in order of arrival.
    pub(crate) batches: Vec<Arc<HeadBatch>>,
}

/// A trace that has a matching span in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadCandidate {
    pub(crate) start: u64,
    pub(crate) trace_id: TraceId,
}

impl HeadView {
    /// The present content of these heads, fixed; the one being sealed, then the one that grows.
    pub(crate) fn new<'a>(heads: impl IntoIterator<Item = &'a Arc<Head>>) -> Self {
        let mut view = HeadView {
            heads: Vec::new(),
            batches: Vec::new(),
        };
        for head in heads {
            view.heads.push((Arc::clone(head), view.batches.len()));
            view.batches.extend_from_slice(&head.read().batches);
        }
        view
    }

    /// Spans in it.
    pub(crate) fn spans(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| batch.batch.len() as u64)
            .sum()
    }

    /// The log time of its last record.
    pub(crate) fn last_arrived_unix_ns(&self) -> Option<u64> {
        self.batches.iter().map(|batch| batch.arrived_unix_ns).max()
    }

    /// Where the trace's spans lie. Batches that came after this view was taken are left out:
    /// a page whose keys moved while it was made would lose traces to the next page.
    pub(crate) fn parts(&self, id: TraceId) -> Vec<Part> {
        let mut found = Vec::new();
        for (head, first) in &self.heads {
            let state = head.read();
            let from = found.len();
            let placed = state.parts.of(id).map(|part| Part {
                batch: part.batch + *first as u32,
                trace: part.trace,
            });
            // Only the last head grows, so a place beyond the view is never another head's.
            found.extend(placed.filter(|part| (part.batch as usize) < self.batches.len()));
            found[from..].reverse();
        }
        found
    }

    /// The batch and rows of a part.
    pub(crate) fn part(&self, part: Part) -> (&Arc<HeadBatch>, &[u32]) {
        let batch = &self.batches[part.batch as usize];
        (batch, batch.rows(part.trace))
    }

    /// When these parts arrived, and how far they reached by then.
    pub(crate) fn steps(&self, parts: &[Part]) -> Steps {
        let mut steps = Steps::default();
        for part in parts {
            let batch = &self.batches[part.batch as usize];
            steps.add(batch.arrived_unix_ns, batch.extents[part.trace as usize]);
        }
        steps
    }

    /// All its spans.
    pub(crate) fn all(&self) -> impl Iterator<Item = SpanRef<'_>> {
        self.batches.iter().flat_map(|batch| batch.batch.spans())
    }

    /// Traces with a span that satisfies all span predicates, by start, latest first; what was
    /// found until the deadline, and whether it was reached.
    pub(crate) fn candidates(
        &self,
        query: &TraceQuery,
        context: &ReadContext,
    ) -> (Vec<HeadCandidate>, Result<(), Error>) {
        let mut matching: HashMap<TraceId, Extent> = HashMap::new();
        let mut outcome = Ok(());
        for (number, batch) in self.batches.iter().enumerate() {
            if number % BATCHES_PER_CHECK == 0 {
                outcome = context.check();
            }
            if outcome.is_err() {
                break;
            }
            for trace in matching_traces(batch, query) {
                matching
                    .entry(batch.batch.trace_id(trace))
                    .or_insert(Extent::NONE);
            }
        }
        // A trace's start is that of all its spans here, not only of those that match.
        for batch in &self.batches {
            for (id, extent) in batch.batch.columns().traces.iter().zip(&batch.extents) {
                if let Some(whole) = matching.get_mut(id) {
                    whole.join(*extent);
                }
            }
        }
        let candidate = |(trace_id, extent): (TraceId, Extent)| HeadCandidate {
            start: extent.start,
            trace_id,
        };
        let mut candidates: Vec<_> = matching.into_iter().map(candidate).collect();
        candidates.sort_by_key(|c| (std::cmp::Reverse(c.start), c.trace_id));
        (candidates, outcome)
    }
}

/// Positions, in the batch's trace table, of the traces with a matching span.
fn matching_traces(batch: &HeadBatch, query: &TraceQuery) -> Vec<u32> {
    let positions = 0..batch.extents.len() as u32;
    let holds = |&trace: &u32| {
        let mut rows = batch.rows(trace).iter();
        if !query.has_span_predicates() {
            return rows.next().is_some();
        }
        rows.any(|&row| query.matches_span(batch.batch.span(row)))
    };
    positions.filter(holds).collect()
}
