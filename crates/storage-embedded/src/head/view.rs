//! A head as a reader sees it: the batches that were there when it looked, however long it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use tracewell_model::TraceId;
use tracewell_storage::TraceQuery;

use super::matching::matching_traces;
use super::{Head, HeadBatch, Part};
use crate::segment::steps::Steps;

/// See the module.
#[derive(Debug)]
pub(crate) struct HeadView {
    /// Oldest first, each with the place of its first batch.
    heads: Vec<(Arc<Head>, usize)>,
    /// Of all heads, in order of arrival.
    pub(crate) batches: Vec<Arc<HeadBatch>>,
}

/// A trace that has a matching span in a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeadCandidate {
    /// That of its spans in the batch: the whole trace starts no later.
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

    /// Gives each head's operations by service to `take`.
    pub(crate) fn each_names(&self, mut take: impl FnMut(&BTreeMap<String, BTreeSet<String>>)) {
        let ends = self.heads.iter().skip(1).map(|(_, first)| *first);
        let ends = ends.chain([self.batches.len()]);
        for ((head, first), end) in self.heads.iter().zip(ends) {
            // What panicked while it held this left names behind that are all there.
            let mut names = head.names.lock().unwrap_or_else(PoisonError::into_inner);
            take(names.of(&self.batches[*first..end]));
        }
    }

    /// The traces of this batch with a span that satisfies all span predicates.
    pub(crate) fn candidates(&self, batch: usize, query: &TraceQuery) -> Vec<HeadCandidate> {
        let batch = &self.batches[batch];
        let matching = matching_traces(&batch.batch, query);
        let parts = batch.batch.columns().traces.iter().zip(&batch.extents);
        let parts = parts.zip(matching).filter(|(_, matches)| *matches);
        parts
            .map(|((&trace_id, extent), _)| HeadCandidate {
                start: extent.start,
                trace_id,
            })
            .collect()
    }
}
