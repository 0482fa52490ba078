//! The sampler's group: tail sampling after the store (R56–R59, D20, D21). Every ten seconds it asks
//! the store for the traces whose live window is over, decides about each once, and has that written
//! down; the store then lets go of what is dropped. Of the log it takes nothing but how far it has
//! come: a decision is made of what is stored, and only of what surely is.
//!
//! [`policy`] says which trace is kept, [`usual`] what is usual.

pub mod policy;
mod shared;
mod stream;
mod tracker;
pub mod usual;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracewell_model::{Clock, TraceId};
use tracewell_storage::sampling::{
    Books, Candidate, Due, Horizon, Kept, Portion, SamplingReport, Verdict, WhatIf,
};
use tracewell_storage::{
    Error, Position, ReadContext, Record, SampledStore, SamplingReader, Sink, SpanLog, StatsReader,
};

use crate::consume::{Options, Worker};
use policy::{Judge, Policy};
pub use shared::SharedSampling;
pub use stream::{Member, Parts, StreamSampler};
use usual::{Lately, Usual};

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "sampler";

/// How often it decides.
pub(crate) const ROUND_NS: u64 = 10_000_000_000;
/// Portions of one round: what is left waits for the next.
const PORTIONS_MAX: usize = 64;

/// The groups that the sampler must not overtake.
pub struct Behind {
    /// The log that they read.
    pub log: Arc<dyn SpanLog>,
    /// Their names there.
    pub groups: Vec<String>,
}

/// What decides, shared between the group's sink and those who ask.
pub struct Sampling {
    store: Arc<dyn SampledStore>,
    usual: Lately,
    behind: Behind,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    pins_failed: AtomicU64,
}

struct State {
    judge: Judge,
    books: Books,
    waiting: Option<String>,
}

impl std::fmt::Debug for Behind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Behind").field(&self.groups).finish()
    }
}

impl std::fmt::Debug for Sampling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sampling").finish_non_exhaustive()
    }
}

impl Sampling {
    /// Goes on where the store's books end.
    pub fn new(
        policy: Policy,
        store: Arc<dyn SampledStore>,
        stats: Arc<dyn StatsReader>,
        behind: Behind,
        clock: Arc<dyn Clock>,
    ) -> Arc<Sampling> {
        let books = store.books();
        let state = State {
            judge: Judge::new(policy, books.share),
            books,
            waiting: None,
        };
        Arc::new(Sampling {
            store,
            usual: Lately::new(stats, clock.clone()),
            behind,
            clock,
            state: Mutex::new(state),
            pins_failed: AtomicU64::new(0),
        })
    }

    /// Joins the log.
    pub fn start(self: &Arc<Self>, options: Options) -> Result<Worker, Error> {
        let sink = Box::new(Sampler::new(self.clone()));
        Worker::join(GROUP, &*self.behind.log, sink, self.clock.clone(), options)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides about everything that is due, given how far the log was read.
    fn round(&self, read: &BTreeMap<u32, (u64, u64)>) -> Result<(), Error> {
        let horizon = self.horizon(read);
        let waiting = self.lagging();
        let is_held = waiting.is_some();
        self.state().waiting = waiting;
        self.state().books.positions = positions(read);
        let usual = self.usual.get()?;
        for _ in 0..PORTIONS_MAX {
            if is_held {
                break;
            }
            match self.store.next_due(&horizon, usual.as_ref())? {
                Due::Nothing => break,
                Due::Waiting(said) => {
                    self.state().waiting = Some(said);
                    break;
                }
                Due::Portion(portion) => self.decide(&portion, &usual)?,
            }
        }
        let books = self.state().books.clone();
        match books == self.store.books() {
            true => Ok(()),
            false => self.store.save(&books),
        }
    }

    /// What arrived by then may be decided about: its live window is over, and the log was read past it.
    fn horizon(&self, read: &BTreeMap<u32, (u64, u64)>) -> Horizon {
        let live_ns = self.state().judge.policy().live_window_ns;
        let over_unix_ns = self.clock.unix_ns().saturating_sub(live_ns);
        let read_unix_ns = read.values().map(|&(_, arrived)| arrived).min();
        Horizon {
            unix_ns: over_unix_ns.min(read_unix_ns.unwrap_or(0)),
            positions: positions(read).into_iter().map(|(at, _)| at).collect(),
        }
    }

    /// Why nothing may be deleted now: a group that is so far behind has not seen what would be (Q3).
    fn lagging(&self) -> Option<String> {
        let live_ns = self.state().judge.policy().live_window_ns;
        let Behind { log, groups } = &self.behind;
        let status = log.status();
        let mut awaited = groups.iter().filter_map(|name| status.group(name));
        let late = awaited.find(|group| group.lag_ns > live_ns)?;
        Some(format!(
            "nothing is sampled: the {} group is {} s behind, longer than the live window",
            late.group,
            late.lag_ns / 1_000_000_000
        ))
    }

    fn decide(&self, portion: &Portion, usual: &Usual) -> Result<(), Error> {
        let (mut judge, mut books) = {
            let state = self.state();
            (state.judge.clone(), state.books.clone())
        };
        let Portion {
            candidates,
            operations,
            ..
        } = portion;
        let verdicts = judge_all(&mut judge, candidates, operations, usual);
        enter(&mut books, candidates, &verdicts, &judge);
        self.store.decide(portion, &verdicts, &books)?;
        let mut state = self.state();
        (state.judge, state.books) = (judge, books);
        Ok(())
    }
}

/// One verdict for each candidate, given in order of arrival: so it does not matter how traces are
/// cut into portions.
fn judge_all(
    judge: &mut Judge,
    candidates: &[Candidate],
    operations: &[(String, String)],
    usual: &Usual,
) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_unstable_by_key(|&at| (candidates[at].arrived_unix_ns, candidates[at].trace_id));
    let mut verdicts = vec![Verdict::Keep(Kept::TooFewSamples); candidates.len()];
    for at in order {
        let candidate = &candidates[at];
        let root = candidate.root.and_then(|at| operations.get(at as usize));
        let root = root.map(|(service, operation)| (service.as_str(), operation.as_str()));
        let standing = usual.standing(root, candidate.duration_ns);
        verdicts[at] = judge.judge(candidate, root, standing);
    }
    verdicts
}

/// Counts what was judged, but for what had been decided before.
fn enter(books: &mut Books, candidates: &[Candidate], verdicts: &[Verdict], judge: &Judge) {
    for (candidate, &verdict) in candidates.iter().zip(verdicts) {
        if candidate.before != Some(verdict) {
            books.count(verdict, candidate.spans);
        }
    }
    books.share = judge.share();
}

fn positions(read: &BTreeMap<u32, (u64, u64)>) -> Vec<(Position, u64)> {
    let position = |(&partition, &(offset, arrived))| (Position { partition, offset }, arrived);
    read.iter().map(position).collect()
}

impl SamplingReader for Sampling {
    fn is_on(&self) -> bool {
        self.store.is_on()
    }

    fn why_kept(&self, traces: &[(TraceId, u64)]) -> Result<Vec<Option<Kept>>, Error> {
        let why = |&(id, start_unix_ns): &_| match self.store.recall(id, start_unix_ns)? {
            Verdict::Keep(reason) => Some(reason),
            Verdict::Drop(_) => None,
        };
        Ok(traces.iter().map(why).collect())
    }

    fn pin(&self, id: TraceId, start_unix_ns: u64) {
        if let Err(error) = self.store.pin(id, start_unix_ns) {
            self.pins_failed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%error, "pinning a trace");
        }
    }

    fn report(&self) -> SamplingReport {
        let state = self.state();
        let mut problems = self.store.problems();
        match self.pins_failed.load(Ordering::Relaxed) {
            0 => {}
            n => problems.push(format!(
                "{n} times a trace that was opened could not be pinned"
            )),
        }
        SamplingReport {
            books: state.books.clone(),
            live_window_ns: state.judge.policy().live_window_ns,
            decided_through_unix_ns: self.store.decided_through_unix_ns(),
            waiting: state.waiting.clone(),
            problems,
        }
    }

    fn what_if(&self, context: &ReadContext) -> Result<WhatIf, Error> {
        // As of now: who asks may just have loaded what is asked about.
        let usual = self.usual.read_now()?;
        let portion = self.store.read_undecided(&usual)?;
        context.check()?;
        let judge = self.state().judge.clone();
        Ok(foretell(
            judge,
            &portion.candidates,
            &portion.operations,
            &usual,
        ))
    }
}

/// What a judge would make of these, and what a head sampler that keeps as many spans would have lost.
fn foretell(
    mut judge: Judge,
    candidates: &[Candidate],
    operations: &[(String, String)],
    usual: &Usual,
) -> WhatIf {
    let verdicts = judge_all(&mut judge, candidates, operations, usual);
    let mut what_if = WhatIf::default();
    let all = || candidates.iter().zip(&verdicts);
    for (candidate, &verdict) in all().filter(|(candidate, _)| candidate.before.is_none()) {
        what_if.books.count(verdict, candidate.spans);
    }
    let Books {
        kept_spans,
        dropped_spans,
        ..
    } = what_if.books;
    let share = policy::WHOLE * kept_spans / (kept_spans + dropped_spans).max(1);
    for (candidate, _) in all().filter(|(candidate, _)| candidate.has_error) {
        what_if.error_traces += 1;
        let is_lost = !policy::is_drawn(candidate.trace_id, share);
        what_if.error_traces_lost_by_head += u64::from(is_lost);
    }
    what_if
}

/// The group's sink.
#[derive(Debug)]
pub struct Sampler {
    sampling: Arc<Sampling>,
    /// By partition: the last record read, and when it arrived.
    read: BTreeMap<u32, (u64, u64)>,
    /// The last round, on the monotonic clock.
    round_ns: Option<u64>,
}

impl Sampler {
    /// Reads on where the books end.
    pub fn new(sampling: Arc<Sampling>) -> Sampler {
        let books = sampling.store.books();
        let read = books.positions.iter();
        let read = read.map(|(at, arrived)| (at.partition, (at.offset, *arrived)));
        Sampler {
            read: read.collect(),
            sampling,
            round_ns: None,
        }
    }
}

impl Sink for Sampler {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        for record in records {
            let Position { partition, offset } = record.position;
            let read = self.read.entry(partition).or_default();
            *read = (*read).max((offset, record.arrived_unix_ns));
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let books = self.sampling.store.books();
        books.positions.iter().map(|(at, _)| *at).collect()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        let now_ns = self.sampling.clock.monotonic_ns();
        let is_due = |last: u64| now_ns.saturating_sub(last) >= ROUND_NS;
        if self.round_ns.is_none_or(is_due) {
            self.round_ns = Some(now_ns);
            self.sampling.round(&self.read)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut books = self.sampling.state().books.clone();
        books.positions = positions(&self.read);
        self.sampling.store.save(&books)?;
        self.sampling.state().books = books;
        Ok(())
    }
}
