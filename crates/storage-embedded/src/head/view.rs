//! A head as a reader sees it: the batches that were there when it looked, however long it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use tracewell_model::TraceId;
use tracewell_storage::TraceQuery;

use super::matching::matching_traces;
use super::{Chunk, Head, HeadBatch, Part, chunk};
use crate::segment::steps::Steps;

/// See the module.
#[derive(Debug)]
pub(crate) struct HeadView {
    /// Oldest first.
    heads: Vec<OneHead>,
}

/// What was there of a head.
#[derive(Debug)]
struct OneHead {
    head: Arc<Head>,
    /// The place of its first batch among those of all heads.
    first: usize,
    /// All are whole but the last one.
    chunks: Vec<Arc<Chunk>>,
    batches: usize,
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
        let mut view = HeadView { heads: Vec::new() };
        for head in heads {
            let state = head.read();
            let mut chunks = state.chunks.clone();
            let rest = state.rest();
            if !rest.is_empty() {
                chunks.push(Arc::new(Chunk::of(rest)));
            }
            view.heads.push(OneHead {
                first: view.len(),
                chunks,
                batches: state.batches.len(),
                head: Arc::clone(head),
            });
        }
        view
    }

    /// Batches of all heads.
    pub(crate) fn len(&self) -> usize {
        self.heads
            .last()
            .map_or(0, |last| last.first + last.batches)
    }

    /// The batch at this place.
    pub(crate) fn batch(&self, at: usize) -> &Arc<HeadBatch> {
        let after = self.heads.partition_point(|one| one.first <= at);
        let one = &self.heads[after - 1];
        let at = at - one.first;
        &one.chunks[at / chunk::BATCHES].batches[at % chunk::BATCHES]
    }

    /// Of all heads, in order of arrival, each with the place of its first batch.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = (usize, &Arc<Chunk>)> {
        self.heads.iter().flat_map(|one| {
            let firsts = (one.first..).step_by(chunk::BATCHES);
            firsts.zip(&one.chunks)
        })
    }

    /// Of all heads, in order of arrival.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &Arc<HeadBatch>> {
        self.chunks().flat_map(|(_, chunk)| &chunk.batches)
    }

    /// Spans in it.
    pub(crate) fn spans(&self) -> u64 {
        self.chunks().map(|(_, chunk)| chunk.spans).sum()
    }

    /// The log time of its last record.
    pub(crate) fn last_arrived_unix_ns(&self) -> Option<u64> {
        let arrived = self.chunks().map(|(_, chunk)| chunk.arrived_max_unix_ns);
        arrived.max()
    }

    /// Where the trace's spans lie. Batches that came after this view was taken are left out:
    /// a page whose keys moved while it was made would lose traces to the next page.
    pub(crate) fn parts(&self, id: TraceId) -> Vec<Part> {
        let mut found = Vec::new();
        for one in &self.heads {
            let state = one.head.read();
            let from = found.len();
            let there = state
                .parts
                .of(id)
                .filter(|part| (part.batch as usize) < one.batches);
            found.extend(there.map(|part| Part {
                batch: part.batch + one.first as u32,
                trace: part.trace,
            }));
            found[from..].reverse();
        }
        found
    }

    /// The batch and rows of a part.
    pub(crate) fn part(&self, part: Part) -> (&Arc<HeadBatch>, &[u32]) {
        let batch = self.batch(part.batch as usize);
        (batch, batch.rows(part.trace))
    }

    /// When these parts arrived, and how far they reached by then.
    pub(crate) fn steps(&self, parts: &[Part]) -> Steps {
        let mut steps = Steps::default();
        for part in parts {
            let batch = self.batch(part.batch as usize);
            steps.add(batch.arrived_unix_ns, batch.extents[part.trace as usize]);
        }
        steps
    }

    /// Gives each head's operations by service to `take`.
    pub(crate) fn each_names(&self, mut take: impl FnMut(&BTreeMap<String, BTreeSet<String>>)) {
        for one in &self.heads {
            // What panicked while it held this left names behind that are all there.
            let names = one.head.names.lock();
            let mut names = names.unwrap_or_else(PoisonError::into_inner);
            let batches = one.chunks.iter().flat_map(|chunk| &chunk.batches);
            take(names.of(batches, one.batches));
        }
    }

    /// The traces of this batch with a span that satisfies all span predicates.
    pub(crate) fn candidates(&self, batch: usize, query: &TraceQuery) -> Vec<HeadCandidate> {
        let batch = self.batch(batch);
        let matching = matching_traces(&batch.batch, &batch.failed, query);
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
