//! Search: fragments with a matching span, from head and segments, united by trace and put in
//! order. It stops early: candidates come by what their traces can come to at most (rank.rs), the
//! highest first, so what is held back with a higher key than all that is to come can be answered.
//!
//! A page after the first orders by keys as of its horizon (D18). For what arrived entirely before
//! it, those are the present ones; the batches of the head and the few segments that reach beyond it
//! are looked through at once, since their order says nothing about keys as of then.
#![warn(clippy::indexing_slicing)]

use std::collections::BinaryHeap;
use std::sync::Arc;

use hashbrown::HashSet;
use tracewell_model::TraceId;
use tracewell_storage::{Cursor, Found, Order, ReadContext, TraceQuery};

use super::locate::{self, Seen};
use super::probe::Probe;
use super::rank::Ranking;
use super::scan::SegmentScan;
use crate::engine::Engine;
use crate::head::{Chunk, HeadCandidate};

pub(super) fn find_traces(engine: &Engine, query: &TraceQuery, context: &ReadContext) -> Found {
    let probe = Probe::new(engine, context);
    let latest = probe
        .view
        .segments
        .iter()
        .map(|segment| segment.meta.arrived_max_unix_ns);
    let latest = latest
        .chain(probe.head.last_arrived_unix_ns())
        .max()
        .unwrap_or(0);
    let horizon_unix_ns = query.cursor.map_or(latest, |cursor| cursor.horizon_unix_ns);
    let mut search = Search {
        query,
        horizon_unix_ns,
        visited: HashSet::new(),
        held: BinaryHeap::new(),
        found: Found::default(),
        last_key: 0,
        probe,
        ranking: Ranking::Newest,
    };
    let finished = search.run();
    search.answer(finished)
}

/// A trace whose turn has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pending {
    key: u64,
    trace_id: TraceId,
    seen: Option<Seen>,
}

impl Ord for Pending {
    /// The greatest comes first: by key, and among equals the lowest trace id.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.key, other.trace_id).cmp(&(other.key, self.trace_id))
    }
}

impl PartialOrd for Pending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Where candidates come from, the highest rank first.
enum Source {
    /// Batches of the head side by side, none of which was looked at.
    Chunk(usize, Arc<Chunk>),
    /// One that was not looked at.
    Batch(usize),
    /// What is left of one by rank, the highest last.
    Head(Vec<(u64, TraceId)>),
    Unopened(usize),
    Segment(Box<SegmentScan>),
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finished {
    /// Nothing is left out.
    Whole,
    /// More hits than the limit.
    Full,
    /// The deadline came, or the caller went.
    Stopped,
}

struct Search<'a> {
    query: &'a TraceQuery,
    probe: Probe<'a>,
    ranking: Ranking,
    horizon_unix_ns: u64,
    visited: HashSet<TraceId>,
    held: BinaryHeap<Pending>,
    found: Found,
    last_key: u64,
}

impl Search<'_> {
    fn run(&mut self) -> Finished {
        match Ranking::new(self.query, &mut self.probe) {
            Ok(ranking) => self.ranking = ranking,
            Err(_stopped) => return self.stopped(),
        }
        let mut lazy = Vec::new();
        let mut sources = self.sources();
        while let Some(source) = sources.pop() {
            match source {
                Source::Chunk(first, chunk) if self.is_beyond_horizon(&source) => {
                    sources.extend(batches_of(first, &chunk));
                }
                source if self.is_beyond_horizon(&source) => {
                    if !self.exhaust(source) {
                        return self.stopped();
                    }
                }
                source => lazy.push(source),
            }
        }
        self.merge(lazy)
    }

    fn sources(&self) -> Vec<Source> {
        let chunks = self.probe.head.chunks();
        let batches = chunks.map(|(first, chunk)| Source::Chunk(first, Arc::clone(chunk)));
        let segments = self.probe.searchable().into_iter();
        batches.chain(segments.map(Source::Unopened)).collect()
    }

    /// True when the order of its starts is not that of keys as of the horizon.
    fn is_beyond_horizon(&self, source: &Source) -> bool {
        let arrived_unix_ns = match source {
            Source::Chunk(_, chunk) => chunk.arrived_max_unix_ns,
            Source::Batch(at) => self.probe.head.batch(*at).arrived_unix_ns,
            Source::Unopened(at) => self.probe.segment(*at).meta.arrived_max_unix_ns,
            Source::Head(_) | Source::Segment(_) => return false,
        };
        self.query.cursor.is_some() && arrived_unix_ns > self.horizon_unix_ns
    }

    /// Takes all candidates of a source; false when the time was up.
    fn exhaust(&mut self, mut source: Source) -> bool {
        while self.bound(&source).is_some() {
            if self.probe.context.check().is_err() {
                return false;
            }
            self.step(&mut source);
        }
        true
    }

    /// Takes candidates by rank, the highest first, until the page is full.
    fn merge(&mut self, mut sources: Vec<Source>) -> Finished {
        let mut order: BinaryHeap<(u64, usize)> = BinaryHeap::new();
        for (at, source) in sources.iter().enumerate() {
            order.extend(self.bound(source).map(|bound| (bound, at)));
        }
        loop {
            let to_come = order.peek().map(|&(bound, _)| bound);
            let to_come = to_come.filter(|&rank| !self.ranking.is_too_low(self.query, rank));
            if let Some(finished) = self.emit(to_come) {
                return finished;
            }
            let Some((_, at)) = order.pop().filter(|_| to_come.is_some()) else {
                let unopened = sources
                    .iter()
                    .filter(|source| matches!(source, Source::Unopened(_)));
                self.probe.searched.segments_skipped += unopened.count() as u64;
                return Finished::Whole;
            };
            if self.probe.context.check().is_err() {
                return self.stopped();
            }
            if let Some(Source::Chunk(first, chunk)) = sources.get(at) {
                let batches = batches_of(*first, chunk);
                for batch in batches {
                    order.extend(self.bound(&batch).map(|bound| (bound, sources.len())));
                    sources.push(batch);
                }
            } else if let Some(source) = sources.get_mut(at) {
                self.step(source);
                order.extend(self.bound(source).map(|bound| (bound, at)));
            }
        }
    }

    /// One unit of work: opens a segment, looks at a batch or a page, or takes a candidate.
    fn step(&mut self, source: &mut Source) {
        match source {
            // Whose batches are sources each.
            Source::Chunk(..) => *source = Source::Head(Vec::new()),
            Source::Batch(at) => *source = Source::Head(self.of_batch(*at)),
            Source::Head(left) => {
                if let Some((_, trace_id)) = left.pop() {
                    self.consider(trace_id, None);
                }
            }
            Source::Unopened(at) => {
                let ranking = self.ranking.clone();
                match SegmentScan::open(&mut self.probe, self.query, ranking, *at) {
                    Some(scan) => {
                        self.probe.searched.segments += 1;
                        *source = Source::Segment(Box::new(scan));
                    }
                    None => {
                        self.probe.searched.segments_skipped += 1;
                        *source = Source::Head(Vec::new());
                    }
                }
            }
            Source::Segment(scan) => match scan.pop() {
                Some(seen) => {
                    let segment = self.probe.segment(seen.segment);
                    if let Some(trace_id) = self.probe.trace_id(&segment, seen.fragment) {
                        self.consider(trace_id, Some(seen));
                    }
                }
                None => scan.advance(&mut self.probe, self.query),
            },
        }
    }

    /// The traces of a batch with a matching span, by rank.
    fn of_batch(&self, at: usize) -> Vec<(u64, TraceId)> {
        let candidates = self.probe.head.candidates(at, self.query).into_iter();
        let rank = |found: HeadCandidate| {
            let rank = self.ranking.of_head(found.trace_id, found.start);
            (rank, found.trace_id)
        };
        let mut ranked: Vec<_> = candidates.map(rank).collect();
        ranked.sort_unstable();
        ranked
    }

    /// No candidate to come from there ranks higher than this; none at the end.
    fn bound(&self, source: &Source) -> Option<u64> {
        match source {
            Source::Chunk(_, chunk) => Some(match self.ranking {
                Ranking::Newest => chunk.start_max_unix_ns,
                Ranking::Slowest(_) => u64::MAX,
            }),
            Source::Batch(at) => Some(match self.ranking {
                Ranking::Newest => self.probe.head.batch(*at).start_max_unix_ns,
                Ranking::Slowest(_) => u64::MAX,
            }),
            Source::Head(left) => left.last().map(|(rank, _)| *rank),
            Source::Unopened(at) => Some(self.ranking.of_segment(&self.probe.segment(*at))),
            Source::Segment(scan) => scan.bound(),
        }
    }

    /// Unites the trace's pieces and holds it back under its key.
    fn consider(&mut self, trace_id: TraceId, seen: Option<Seen>) {
        if !self.visited.insert(trace_id) {
            return;
        }
        let located = locate::locate(&mut self.probe, trace_id, seen);
        let Some(now) = located.now() else {
            return;
        };
        let then = match self.query.cursor {
            // Without a cursor the present is the horizon; a clock that stood still, or went back,
            // must not hide anything from the first page.
            None => Some(now),
            Some(cursor) => located.at(&mut self.probe, cursor.horizon_unix_ns),
        };
        let Some(then) = then else {
            return;
        };
        let ends_before = self.query.end_unix_ns.is_some_and(|to| now.start >= to);
        let too_short = self
            .query
            .min_duration_ns
            .is_some_and(|least| now.end.saturating_sub(now.start) < least);
        if ends_before || too_short || locate::is_hopeless(self.query, now) {
            return;
        }
        let key = locate::key(then, self.query.order);
        if self
            .query
            .cursor
            .is_none_or(|cursor| cursor.is_before(key, trace_id))
        {
            self.held.push(Pending {
                key,
                trace_id,
                seen,
            });
        }
    }

    /// Answers what nothing to come can precede; says so when that ends the search.
    fn emit(&mut self, to_come: Option<u64>) -> Option<Finished> {
        while let Some(&next) = self.held.peek() {
            // Of equal keys the lower trace id goes first, and it may still come.
            if to_come.is_some_and(|bound| next.key <= bound) {
                return None;
            }
            if self.probe.context.check().is_err() {
                return Some(self.stopped());
            }
            if self.emit_one() {
                return Some(Finished::Full);
            }
        }
        None
    }

    /// Answers the first of what is held back, if all of it matches; true when it was one too many.
    fn emit_one(&mut self) -> bool {
        let Some(next) = self.held.pop() else {
            return false;
        };
        let hit = locate::finish(&mut self.probe, self.query, next.trace_id, next.seen);
        let Some(hit) = hit else { return false };
        if self.found.hits.len() >= self.query.limit {
            return true;
        }
        self.found.hits.push(hit);
        self.last_key = next.key;
        false
    }

    /// The time was up. The newest that are proven to be so are answered already; of the slowest,
    /// those seen so far are better than nothing, and no more than a page of them costs anything.
    fn stopped(&mut self) -> Finished {
        if let Err(stopped) = self.probe.context.check() {
            self.probe
                .note(format!("{}: hits may be missing", stopped.message));
        }
        if self.query.order == Order::Slowest {
            for _ in self.found.hits.len()..self.query.limit {
                if self.emit_one() {
                    break;
                }
            }
        }
        Finished::Stopped
    }

    fn answer(mut self, finished: Finished) -> Found {
        // A search that was stopped goes on from its last hit only where nothing could precede it.
        let more = match finished {
            Finished::Whole => false,
            Finished::Full => true,
            Finished::Stopped => self.query.order == Order::Newest,
        };
        let last = self.found.hits.last().filter(|_| more);
        self.found.next = last.map(|hit| Cursor {
            key: self.last_key,
            trace_id: hit.summary.trace_id,
            horizon_unix_ns: self.horizon_unix_ns,
        });
        self.probe.searched.head_spans = self.probe.head.spans();
        let from = self.probe.searchable_from_unix_ns();
        self.probe.searched.from_unix_ns = self.query.start_unix_ns.max(from);
        self.probe.searched.to_unix_ns = self.query.end_unix_ns;
        self.found.searched = self.probe.searched;
        self.found.incomplete = self.probe.incomplete;
        self.found
    }
}

/// Each of these batches, the first of which stands at this place of the head.
fn batches_of(first: usize, chunk: &Chunk) -> impl Iterator<Item = Source> + use<> {
    (first..first + chunk.batches.len()).map(Source::Batch)
}
