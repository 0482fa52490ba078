//! Random histories against the sampler (P12, F-28): spans late and out of order, a store that lags,
//! a sampler that lags, restarts, redelivery, decisions lost, someone opening traces. Never is a span
//! gone of a trace that anyone could know to be an error or an outlier, and nothing is decided twice.
//!
//! `TRACEWELL_SAMPLER_HISTORIES` says how many; a release runs a million.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's way to fail

mod last_hour;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use fastrand::Rng;
use last_hour::{LastHour, OPERATIONS, SERVICE};
use tracewell_model::clock::ManualClock;
use tracewell_model::{BatchBuilder, Clock, SpanBatch, TraceId};
use tracewell_storage::sampling::{
    Books, Bounds, Candidate, Dropped, Due, Horizon, Kept, Pace, Portion, Verdict,
};
use tracewell_storage::{
    Ack, Completion, Consumer, Error, GroupStatus, LogStatus, Position, Record, SampledStore, Sink,
    SpanLog,
};
use tracewell_workers::Sampling;
use tracewell_workers::sampler::policy::Policy;
use tracewell_workers::sampler::{Behind, Sampler};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const LIVE: u64 = 60 * SECOND;
const TRACES: u64 = 8;

/// A span as far as it matters.
#[derive(Clone, Copy, Debug)]
struct Span {
    trace: TraceId,
    arrived_unix_ns: u64,
    is_root: bool,
    operation: usize,
    duration_ns: u64,
    is_error: bool,
}

impl Span {
    /// Whether it alone makes its trace worth keeping.
    fn matters(&self) -> bool {
        let is_slow = self.operation == 0 && self.duration_ns > 250 * MS;
        let is_outlier = self.is_root && self.duration_ns > 15 * MS;
        self.is_error || is_slow || is_outlier
    }
}

#[derive(Default)]
struct Inner {
    /// Everything that was ever acknowledged.
    log: Vec<Span>,
    /// Of it, so much is in the store.
    applied: usize,
    head: Vec<Span>,
    segments: Vec<Vec<Span>>,
    verdicts: BTreeMap<TraceId, Verdict>,
    /// Everything that was ever decided, which the store may forget.
    history: BTreeMap<TraceId, Verdict>,
    pinned: BTreeSet<TraceId>,
    decided_through: u64,
    books: Books,
    deleted: u64,
    forgets: bool,
}

#[derive(Default)]
struct ModelStore(Mutex<Inner>);

fn arrived_max(segment: &[Span]) -> u64 {
    segment
        .iter()
        .map(|span| span.arrived_unix_ns)
        .max()
        .unwrap_or(0)
}

impl Inner {
    fn candidate(&self, id: TraceId, here: &[Span], bounds: &dyn Bounds) -> Candidate {
        let before = self.verdicts.get(&id).copied();
        let everywhere = || self.segments.iter().flatten().chain(&self.head);
        let of_trace = |span: &&Span| span.trace == id;
        let spans: Vec<Span> = match before {
            None => everywhere().filter(of_trace).copied().collect(),
            Some(_) => here.iter().filter(of_trace).copied().collect(),
        };
        let pace = |span: &Span| {
            use tracewell_storage::sampling::Bound;
            match bounds.bound(SERVICE, OPERATIONS[span.operation]) {
                Bound::Unknown => Pace::Unknown,
                Bound::Beyond(ns) if span.duration_ns > ns => Pace::Slow,
                Bound::Beyond(_) => Pace::Usual,
            }
        };
        let root = spans.iter().find(|span| span.is_root);
        Candidate {
            trace_id: id,
            arrived_unix_ns: spans
                .iter()
                .map(|span| span.arrived_unix_ns)
                .min()
                .unwrap_or(0),
            start_unix_ns: 1,
            duration_ns: spans.iter().map(|span| span.duration_ns).max().unwrap_or(0),
            spans: spans.len() as u64,
            root: root.map(|span| span.operation as u32),
            has_error: spans.iter().any(|span| span.is_error),
            is_partial: root.is_none(),
            pace: spans.iter().map(pace).max().unwrap_or_default(),
            is_pinned: self.pinned.contains(&id),
            before,
        }
    }

    /// Deletes what may be, as compaction does.
    fn compact(&mut self) {
        let through = self.decided_through;
        let decided = self
            .segments
            .iter_mut()
            .filter(|segment| arrived_max(segment) <= through);
        for segment in decided {
            let failed: BTreeSet<TraceId> = segment
                .iter()
                .filter(|span| span.is_error)
                .map(|span| span.trace)
                .collect();
            segment.retain(|span| {
                let verdict = self.verdicts.get(&span.trace);
                let is_dropped = matches!(verdict, Some(Verdict::Drop(_)));
                if !is_dropped || failed.contains(&span.trace) {
                    return true;
                }
                assert!(!span.matters(), "deleted {span:?}");
                let kept = self.history.get(&span.trace);
                assert!(
                    matches!(kept, Some(Verdict::Drop(_))),
                    "deleted though {kept:?}"
                );
                self.deleted += 1;
                false
            });
        }
        self.segments.retain(|segment| !segment.is_empty());
    }
}

impl ModelStore {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }
}

impl SampledStore for ModelStore {
    fn next_due(&self, horizon: &Horizon, bounds: &dyn Bounds) -> Result<Due, Error> {
        let inner = self.inner();
        let read = horizon.positions.iter().map(|at| at.offset).max();
        if (inner.applied as u64) < read.unwrap_or(0) {
            return Ok(Due::Waiting("behind".to_owned()));
        }
        let oldest = inner.head.iter().map(|span| span.arrived_unix_ns).min();
        let through = horizon
            .unix_ns
            .min(oldest.map_or(u64::MAX, |oldest| oldest - 1));
        let due = |arrived: u64| arrived > inner.decided_through && arrived <= through;
        let segments = inner
            .segments
            .iter()
            .filter(|segment| due(arrived_max(segment)));
        let Some(segment) = segments.min_by_key(|segment| arrived_max(segment)) else {
            return Ok(Due::Nothing);
        };
        let ids: BTreeSet<TraceId> = segment.iter().map(|span| span.trace).collect();
        let candidates = ids
            .into_iter()
            .map(|id| inner.candidate(id, segment, bounds));
        Ok(Due::Portion(Portion {
            id: 0,
            through_unix_ns: arrived_max(segment),
            candidates: candidates.collect(),
            operations: OPERATIONS
                .map(|name| (SERVICE.to_owned(), name.to_owned()))
                .to_vec(),
        }))
    }

    fn read_undecided(&self, _bounds: &dyn Bounds) -> Result<Portion, Error> {
        Ok(Portion::default())
    }

    fn decide(&self, portion: &Portion, verdicts: &[Verdict], books: &Books) -> Result<(), Error> {
        let mut inner = self.inner();
        for (candidate, &verdict) in portion.candidates.iter().zip(verdicts) {
            let id = candidate.trace_id;
            let known = inner
                .log
                .iter()
                .filter(|span| span.trace == id && span.arrived_unix_ns <= portion.through_unix_ns);
            let matters = known.clone().any(Span::matters);
            if candidate.before.is_none() && !inner.forgets {
                let is_dropped = matches!(verdict, Verdict::Drop(_));
                assert!(!(matters && is_dropped), "{verdict:?} of {candidate:?}");
            }
            if let Some(&before) = inner.history.get(&id).filter(|_| !inner.forgets) {
                let is_late = matches!(
                    (before, verdict),
                    (
                        Verdict::Drop(_),
                        Verdict::Keep(Kept::LateError | Kept::LateOutlier | Kept::Pinned)
                    )
                );
                assert!(before == verdict || is_late, "{before:?}, then {verdict:?}");
            }
            inner.verdicts.insert(id, verdict);
            inner.history.insert(id, verdict);
        }
        inner.decided_through = portion.through_unix_ns;
        inner.books = books.clone();
        Ok(())
    }

    fn save(&self, books: &Books) -> Result<(), Error> {
        self.inner().books = books.clone();
        Ok(())
    }

    fn books(&self) -> Books {
        self.inner().books.clone()
    }

    fn decided_through_unix_ns(&self) -> u64 {
        self.inner().decided_through
    }

    fn recall(&self, id: TraceId, _start_unix_ns: u64) -> Option<Verdict> {
        self.inner().verdicts.get(&id).copied()
    }

    fn pin(&self, id: TraceId, _start_unix_ns: u64) -> Result<(), Error> {
        let mut inner = self.inner();
        if matches!(inner.verdicts.get(&id), Some(Verdict::Drop(_))) {
            inner.verdicts.insert(id, Verdict::Keep(Kept::Pinned));
            inner.history.insert(id, Verdict::Keep(Kept::Pinned));
        }
        inner.pinned.insert(id);
        Ok(())
    }

    fn problems(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A log that only says how far another group is behind.
#[derive(Default)]
struct Lag(Mutex<u64>);

impl SpanLog for Lag {
    fn append(&self, _batches: Vec<SpanBatch>, _ack: Ack, _done: Completion) {}

    fn subscribe(&self, _: &str, _: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        Err(Error::invalid("nothing to read"))
    }

    fn status(&self) -> LogStatus {
        let group = GroupStatus {
            group: "stats".to_owned(),
            lag_ns: *self.0.lock().unwrap(),
            ..GroupStatus::default()
        };
        LogStatus {
            groups: vec![group],
            ..LogStatus::default()
        }
    }
}

/// One history.
struct World {
    rng: Rng,
    clock: Arc<ManualClock>,
    store: Arc<ModelStore>,
    lag: Arc<Lag>,
    sampler: Sampler,
    read: usize,
    batch: Arc<SpanBatch>,
    policy: Policy,
}

fn node(
    policy: &Policy,
    store: &Arc<ModelStore>,
    lag: &Arc<Lag>,
    clock: &Arc<ManualClock>,
) -> Arc<Sampling> {
    let behind = Behind {
        log: lag.clone(),
        groups: vec!["stats".to_owned()],
    };
    let stats = Arc::new(LastHour);
    Sampling::new(policy.clone(), store.clone(), stats, behind, clock.clone())
}

fn empty_batch() -> Arc<SpanBatch> {
    static EMPTY: OnceLock<Arc<SpanBatch>> = OnceLock::new();
    EMPTY
        .get_or_init(|| Arc::new(BatchBuilder::new(1).finish_one()))
        .clone()
}

impl World {
    fn new(seed: u64, store: Arc<ModelStore>) -> World {
        let clock = Arc::new(ManualClock::at(1_000 * LIVE));
        let lag = Arc::new(Lag::default());
        let policy = Policy {
            live_window_ns: LIVE,
            diversity: 0,
            ..Policy::default()
        };
        World {
            rng: Rng::with_seed(seed),
            sampler: Sampler::new(node(&policy, &store, &lag, &clock)),
            read: 0,
            batch: empty_batch(),
            clock,
            store,
            lag,
            policy,
        }
    }

    fn step(&mut self) {
        match self.rng.u8(0..100) {
            0..40 => self.arrive(),
            40..55 => self.apply(),
            55..63 => self.seal(),
            63..73 => self.read(),
            73..88 => self.tick(),
            88..94 => self.store.inner().compact(),
            94..96 => self.restart(),
            96..98 => {
                let lag_ns = self.rng.u64(0..2 * LIVE);
                *self.lag.0.lock().unwrap() = lag_ns;
            }
            98 => {
                let id = self.trace();
                self.store.pin(id, 1).unwrap();
            }
            _ => self.forget(),
        }
    }

    fn trace(&mut self) -> TraceId {
        let mut id = [0; 16];
        id[8..].copy_from_slice(&self.rng.u64(0..TRACES).to_be_bytes());
        TraceId(id)
    }

    fn arrive(&mut self) {
        self.clock.advance(self.rng.u64(1..LIVE / 8));
        let trace = self.trace();
        // A trace's root is always of one operation.
        let is_root = self.rng.u8(0..3) == 0;
        let operation = usize::from(match is_root {
            true => trace.0[15] % 4 == 3,
            false => self.rng.u8(0..20) == 0,
        });
        let usual_ns = self.rng.u64(1..9) * MS;
        let duration_ns = match self.rng.u8(0..30) {
            0 => usual_ns + 300 * MS,
            1 => usual_ns + 20 * MS,
            _ => usual_ns,
        };
        let span = Span {
            trace,
            arrived_unix_ns: self.clock.unix_ns(),
            is_root,
            operation,
            duration_ns,
            is_error: self.rng.u8(0..30) == 0,
        };
        self.store.inner().log.push(span);
    }

    fn apply(&mut self) {
        let mut inner = self.store.inner();
        let to = inner.log.len();
        let to = inner.applied + self.rng.usize(0..=to - inner.applied);
        for at in inner.applied..to {
            let span = inner.log[at];
            inner.head.push(span);
        }
        inner.applied = to;
    }

    fn seal(&mut self) {
        let mut inner = self.store.inner();
        let head = std::mem::take(&mut inner.head);
        if !head.is_empty() {
            inner.segments.push(head);
        }
    }

    fn read(&mut self) {
        let span = {
            let inner = self.store.inner();
            self.read += self.rng.usize(0..=inner.log.len() - self.read);
            let Some(at) = self.read.checked_sub(1) else {
                return;
            };
            inner.log[at]
        };
        let record = Record {
            position: Position {
                partition: 0,
                offset: self.read as u64,
            },
            arrived_unix_ns: span.arrived_unix_ns,
            batch: self.batch.clone(),
        };
        self.sampler.apply(&[record]).unwrap();
    }

    fn tick(&mut self) {
        self.clock.advance(10 * SECOND);
        self.sampler.tick(self.clock.unix_ns()).unwrap();
    }

    /// Another process takes over, and is given once more what was not saved.
    fn restart(&mut self) {
        self.sampler = Sampler::new(node(&self.policy, &self.store, &self.lag, &self.clock));
        self.read = self
            .sampler
            .durable()
            .first()
            .map_or(0, |at| at.offset as usize);
    }

    /// The store loses what it knew of a trace: flags, decisions.
    fn forget(&mut self) {
        let id = self.trace();
        let mut inner = self.store.inner();
        inner.forgets = true;
        inner.verdicts.remove(&id);
    }

    /// All that came is taken in, read and decided.
    fn settle(&mut self) {
        *self.lag.0.lock().unwrap() = 0;
        for _ in 0..2 {
            let all = self.store.inner().log.len();
            while self.store.inner().applied < all {
                self.apply();
            }
            self.seal();
            while self.read < all {
                self.read();
            }
            self.clock.advance(2 * LIVE);
            self.tick();
            self.store.inner().compact();
        }
    }
}

fn histories() -> u64 {
    let usually = if cfg!(debug_assertions) {
        5_000
    } else {
        100_000
    };
    let asked = std::env::var("TRACEWELL_SAMPLER_HISTORIES");
    asked.map_or(usually, |number| number.parse().expect("a number"))
}

#[test]
fn the_sampler_loses_no_error_and_no_outlier_in_any_history() {
    let (mut deleted, mut late, mut dropped) = (0, 0, 0);
    for seed in 0..histories() {
        let mut world = World::new(seed, Arc::new(ModelStore::default()));
        for _ in 0..60 {
            world.step();
        }
        world.settle();
        let inner = world.store.inner();
        assert_eq!(
            inner.decided_through,
            inner.log.last().map_or(0, |span| span.arrived_unix_ns),
            "seed {seed}: all is decided in the end"
        );
        let gone = inner.log.len() - inner.segments.iter().flatten().count();
        assert_eq!(gone as u64, inner.deleted, "seed {seed}");
        for span in inner.log.iter().filter(|span| span.matters()) {
            let left = inner.segments.iter().flatten();
            let mut same = left.filter(|other| other.arrived_unix_ns == span.arrived_unix_ns);
            assert!(same.next().is_some(), "seed {seed}: {span:?} is gone");
        }
        deleted += inner.deleted;
        late += inner.books.kept[Kept::LateError as usize];
        dropped += inner.books.dropped[Dropped::NotInShare as usize];
    }
    assert!(
        deleted > 0 && late > 0 && dropped > 0,
        "{deleted} {late} {dropped}"
    );
}
