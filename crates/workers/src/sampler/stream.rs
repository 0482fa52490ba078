//! The sampler of a cluster: any number of processes are members of its group, and each decides about
//! the traces of the partitions that it owns, out of their records. What was decided is in the ledger
//! before anything is erased for it; whoever comes after reads it there and never decides again.
//!
//! A member commits no further than where the first undecided trace begins: whoever takes over a
//! partition reads the live window once more out of the log, and the rounds of it out of the ledger. Two
//! who both think that a partition is theirs cannot both write its next round.

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracewell_model::{Clock, TraceId};
use tracewell_storage::sampling::ledger::{Decided, Erased, Progress, Reached, Round};
use tracewell_storage::sampling::{Candidate, Verdict};
use tracewell_storage::{
    Eraser, Error, KnownErrors, Ledger, Position, Reach, Record, Sink, StatsReader,
};

use super::policy::{Judge, Policy};
use super::tracker::{Limits, PAST_BYTES, PAST_PART, Seen, Tracker};
use super::usual::{Lately, Usual};
use super::{PORTIONS_MAX, ROUND_NS, enter, judge_all};

/// Traces of one round of a partition.
const PORTION: usize = 4_096;

/// What a sampler works with.
#[derive(Clone)]
pub struct Parts {
    /// Which traces are kept.
    pub policy: Policy,
    /// Where it is written down.
    pub ledger: Arc<dyn Ledger>,
    /// Whatever is dropped is taken out of these, one after the other: what finds it first, so that no
    /// hit leads to nothing.
    pub erasers: Vec<Arc<dyn Eraser>>,
    /// How far log and stores are.
    pub reach: Arc<dyn Reach>,
    /// Others who know of errors.
    pub known_errors: Arc<dyn KnownErrors>,
    /// What operations take.
    pub stats: Arc<dyn StatsReader>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Memory for traces that are undecided. Beyond it the oldest are kept without waiting for the rest.
    pub bytes_max: usize,
}

impl Parts {
    fn live_window_from_now(&self) -> u64 {
        let now_unix_ns = self.clock.unix_ns();
        now_unix_ns.saturating_add(self.policy.live_window_ns)
    }

    /// By what all members know. While the log gets more partitions, traces lie in two of them.
    fn unseen_until_ns(&self) -> Result<u64, Error> {
        let all = self.ledger.read_all()?;
        let all = all.iter().map(|(_, progress)| progress);
        let known = all.clone().map(|progress| progress.unseen_until_ns).max();
        let partitions = all.map(|progress| progress.partitions).max();
        Ok(match partitions {
            Some(partitions) if partitions != self.reach.partitions() => {
                self.live_window_from_now()
            }
            _ => known.unwrap_or(0),
        })
    }
}

/// How a member is, for those who ask from other threads.
#[derive(Debug, Default)]
pub struct Member(Mutex<State>);

#[derive(Clone, Debug, Default)]
struct State {
    crowded_out: u64,
    waiting: Option<String>,
    /// Why others who know of errors were not heard.
    unheard: Option<String>,
}

impl Member {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Traces that were kept because there was no room to wait for the rest of them.
    pub fn crowded_out(&self) -> u64 {
        self.state().crowded_out
    }

    /// What an operator should look at, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let state = self.state().clone();
        let crowded = (state.crowded_out > 0).then(|| {
            format!(
                "the sampler kept {} traces because it had no room to wait for the rest of them: it needs more members, or a larger memory_bytes_max",
                state.crowded_out
            )
        });
        let unheard = state.unheard.map(|error| {
            format!("the sampler goes by the log alone, without flags of failed traces: {error}")
        });
        [state.waiting, crowded, unheard]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// The group's sink. See the module.
pub struct StreamSampler {
    parts: Parts,
    usual: Lately,
    partitions: BTreeMap<u32, Partition>,
    /// The look before: when it was over, and what the stores had then, by partition.
    looked: Option<(u64, BTreeMap<u32, u64>)>,
    /// Partitions that the log has, and records that it lost.
    seen: Option<(u64, u64)>,
    /// See [`Progress::unseen_until_ns`].
    unseen_until_ns: u64,
    /// Records that the log counts as delivered wait to be taken in.
    is_owing: bool,
    /// The last round, on the monotonic clock.
    round_ns: Option<u64>,
    member: Arc<Member>,
}

/// A partition, from when it came on.
struct Partition {
    tracker: Tracker,
    judge: Judge,
    progress: Progress,
    /// Written down, and not carried out.
    undone: VecDeque<Round>,
    /// The last record that was taken in; none yet.
    read: Option<Seen>,
    /// The last position that another member decided by.
    settled: u64,
}

/// What all partitions of one round have in common.
struct Common<'a> {
    began_unix_ns: u64,
    /// When the look before was over.
    looked_unix_ns: u64,
    pinned: &'a HashSet<TraceId>,
    usual: &'a Usual,
    bytes_max: usize,
    unseen_until_ns: u64,
    is_owing: bool,
    unheard: RefCell<Option<String>>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StreamSampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamSampler").finish_non_exhaustive()
    }
}

impl Partition {
    fn new(policy: &Policy) -> Partition {
        Partition {
            tracker: Tracker::default(),
            judge: Judge::new(policy.clone(), Default::default()),
            progress: Progress::default(),
            undone: VecDeque::new(),
            read: None,
            settled: 0,
        }
    }

    /// Takes in what was decided about it, by whomever.
    fn catch_up(&mut self, number: u32, parts: &Parts) -> Result<(), Error> {
        let known = parts.ledger.read(number, self.progress.round)?;
        let (progress, rounds) = known.unwrap_or_default();
        for round in rounds {
            self.tracker.settle(&round);
            self.settled = self.settled.max(round.read);
            if round.number > progress.carried_out {
                self.undone.push_back(round);
            }
        }
        self.judge = Judge::new(parts.policy.clone(), progress.books.share);
        let carried_out = progress.carried_out.max(self.progress.carried_out);
        self.progress = Progress {
            carried_out,
            ..progress
        };
        Ok(())
    }

    fn take(&mut self, record: &Record, live_ns: u64) {
        let at = Seen {
            position: record.position.offset,
            unix_ns: record.arrived_unix_ns,
        };
        match self.read {
            Some(read) if at.position <= read.position => return,
            Some(_) => {}
            // Between what is decided and this there is a gap, in which spans may be.
            None if at.position > self.progress.durable + 1 => {
                self.tracker.unseen_until_ns = at.unix_ns.saturating_add(live_ns);
            }
            None => {}
        }
        self.read = Some(at);
        record
            .batch
            .spans()
            .for_each(|span| self.tracker.add(span, at));
    }

    /// Where the log ends before what was read of it, it was made anew, and its positions begin again: by
    /// those of the old one what comes would be done with before it is read. True where that is so.
    fn begin_anew_beyond(&mut self, end: u64) -> bool {
        let read = self.read.map_or(0, |read| read.position);
        let is_anew = self.progress.durable.max(self.settled).max(read) > end;
        if is_anew {
            self.tracker.begin_anew_beyond(end);
            self.read = self.read.filter(|read| read.position <= end);
            (self.progress.durable, self.settled) = (0, 0);
        }
        is_anew
    }

    /// Decides about what is due, and writes it down, or at least how far it is.
    fn round(
        &mut self,
        reached: &Reached,
        stored: Option<u64>,
        parts: &Parts,
        common: &Common<'_>,
    ) -> Result<(), Error> {
        let unseen_until_ns = &mut self.tracker.unseen_until_ns;
        *unseen_until_ns = common.unseen_until_ns.max(*unseen_until_ns);
        let read_unix_ns = match reached.is_at_end && !common.is_owing {
            true => common.began_unix_ns,
            false => self.read.map_or(0, |read| read.unix_ns),
        };
        let limits = Limits {
            read_unix_ns,
            // What the stores have got since that look is in them at a time that nobody knows.
            stored: stored.filter(|_| read_unix_ns > common.looked_unix_ns),
            live_ns: parts.policy.live_window_ns,
            bytes_max: common.bytes_max,
        };
        self.tracker.learn(common.usual);
        for _ in 0..PORTIONS_MAX {
            let mut due = self.tracker.due(&limits, PORTION);
            let is_last = due.len() < PORTION;
            self.complete(&mut due, parts, common);
            let is_written = self.decide(&due, reached, &limits, parts, common)?;
            if is_last || !is_written {
                break;
            }
        }
        Ok(())
    }

    /// What only others know of these traces. A flag that is lost, or cannot be read, is no flag.
    fn complete(&self, due: &mut [Candidate], parts: &Parts, common: &Common<'_>) {
        let ids: Vec<TraceId> = due.iter().map(|candidate| candidate.trace_id).collect();
        let failed = match parts.known_errors.have_failed(&ids) {
            Ok(failed) => failed,
            Err(error) => {
                *common.unheard.borrow_mut() = Some(error.message);
                Vec::new()
            }
        };
        for (candidate, has_failed) in due.iter_mut().zip(failed) {
            candidate.has_error |= has_failed;
        }
        for candidate in due {
            candidate.pace = self.tracker.pace(candidate.trace_id, common.usual);
            candidate.is_pinned = common.pinned.contains(&candidate.trace_id);
        }
    }

    /// False where another member decided instead: what it decided is taken in.
    fn decide(
        &mut self,
        due: &[Candidate],
        reached: &Reached,
        limits: &Limits,
        parts: &Parts,
        common: &Common<'_>,
    ) -> Result<bool, Error> {
        let operations = self.tracker.operations();
        let verdicts = judge_all(&mut self.judge, due, operations, common.usual);
        let mut progress = self.progress.clone();
        enter(&mut progress.books, due, &verdicts, &self.judge);
        progress.round += 1;
        progress.partitions = parts.reach.partitions();
        progress.unseen_until_ns = self.tracker.unseen_until_ns;
        let round = Round {
            number: progress.round,
            at_unix_ns: common.began_unix_ns,
            read: self.read.map_or(0, |read| read.position),
            // Far from both: clocks differ a little.
            as_of_unix_ns: common.looked_unix_ns.midpoint(limits.read_unix_ns),
            decided: decided(&self.tracker, due, &verdicts),
        };
        let rest = self.tracker.without(&round);
        let read = self.read.map_or(0, |read| read.position);
        let durable = rest
            .first_position()
            .map_or(read, |first| first.saturating_sub(1));
        progress.durable = progress.durable.max(durable);
        let through_unix_ns = rest.decided_through(limits.over_unix_ns());
        progress.through_unix_ns = progress.through_unix_ns.max(through_unix_ns);
        let written = Some(&round).filter(|round| !round.decided.is_empty());
        match parts.ledger.write(reached.partition, &progress, written) {
            Ok(true) => {}
            Ok(false) => return self.catch_up(reached.partition, parts).map(|()| false),
            // If it was written all the same, the next one will not be, and this one is read.
            Err(error) => {
                let share = self.progress.books.share;
                self.judge = Judge::new(parts.policy.clone(), share);
                return Err(error);
            }
        }
        self.progress = progress;
        self.tracker.settle(&round);
        if !round.decided.is_empty() {
            self.undone.push_back(round);
        }
        Ok(true)
    }
}

impl StreamSampler {
    /// A member that joins.
    pub fn new(parts: Parts) -> StreamSampler {
        StreamSampler {
            usual: Lately::new(parts.stats.clone(), parts.clock.clone()),
            parts,
            partitions: BTreeMap::new(),
            looked: None,
            seen: None,
            unseen_until_ns: 0,
            is_owing: false,
            round_ns: None,
            member: Arc::default(),
        }
    }

    /// How it is.
    pub fn member(&self) -> Arc<Member> {
        self.member.clone()
    }

    /// A partition, with what is known of it if it is new here.
    fn partition(&mut self, number: u32) -> Result<&mut Partition, Error> {
        match self.partitions.entry(number) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(place) => {
                let mut partition = Partition::new(&self.parts.policy);
                partition.catch_up(number, &self.parts)?;
                let (now, policy) = (self.parts.clock.unix_ns(), &self.parts.policy);
                // What is older the ledger has forgotten.
                let tracker = &mut partition.tracker;
                tracker.forget(now, policy.remember_ns(), usize::MAX);
                self.unseen_until_ns = self.parts.unseen_until_ns()?.max(self.unseen_until_ns);
                Ok(place.insert(partition))
            }
        }
    }

    fn round(&mut self) -> Result<(), Error> {
        // What was left the last time comes first: nothing is decided while nothing can be erased.
        self.carry_out()?;
        let began_unix_ns = self.parts.clock.unix_ns();
        let (reached, lost_records) = self.parts.reach.look()?;
        let stored = reached.iter().map(|one| (one.partition, one.stored));
        let looked = (self.parts.clock.unix_ns(), stored.collect());
        let before = self.looked.replace(looked);
        let live_window_from_now = self.parts.live_window_from_now();
        for one in &reached {
            let partition = self.partition(one.partition)?;
            if partition.begin_anew_beyond(one.end) {
                partition.tracker.unseen_until_ns = live_window_from_now;
            }
        }
        let seen = (self.parts.reach.partitions(), lost_records);
        if self.seen.replace(seen).unwrap_or((seen.0, 0)) != seen {
            self.unseen_until_ns = self.parts.live_window_from_now();
        }
        let Some((looked_unix_ns, stored)) = before else {
            return Ok(());
        };
        // All that are known: while stores are behind, what is undecided may be old.
        let remember_ns = self.parts.policy.remember_ns();
        let since_unix_ns = began_unix_ns.saturating_sub(remember_ns);
        let pinned = self.parts.ledger.pinned(since_unix_ns)?;
        let usual = self.usual.get()?;
        let common = Common {
            began_unix_ns,
            looked_unix_ns,
            pinned: &pinned,
            usual: &usual,
            bytes_max: self.parts.bytes_max / self.partitions.len().max(1),
            unseen_until_ns: self.unseen_until_ns,
            is_owing: self.is_owing,
            unheard: RefCell::default(),
        };
        for one in &reached {
            if let Some(partition) = self.partitions.get_mut(&one.partition) {
                let stored = stored.get(&one.partition).copied();
                partition.round(one, stored, &self.parts, &common)?;
            }
        }
        self.member.state().unheard = common.unheard.into_inner();
        self.carry_out()?;
        self.forget(began_unix_ns, &reached)
    }

    /// Notes why traces are kept, and has erased what is dropped.
    fn carry_out(&mut self) -> Result<(), Error> {
        let undone = || {
            self.partitions
                .values()
                .flat_map(|partition| &partition.undone)
        };
        let (mut kept, mut erased) = (Vec::new(), Vec::new());
        for round in undone() {
            for decided in &round.decided {
                match decided.verdict {
                    Verdict::Keep(reason) => kept.push((decided.trace_id, reason)),
                    Verdict::Drop(_) => erased.push(Erased {
                        trace_id: decided.trace_id,
                        arrived_unix_ns: decided.arrived_unix_ns,
                        as_of_unix_ns: round.as_of_unix_ns,
                    }),
                }
            }
        }
        if !kept.is_empty() {
            self.parts.ledger.note_kept(&kept)?;
        }
        if !erased.is_empty() {
            for eraser in &self.parts.erasers {
                eraser.erase(&erased)?;
            }
        }
        for partition in self.partitions.values_mut() {
            if let Some(last) = partition.undone.back() {
                partition.progress.carried_out = last.number;
                partition.undone.clear();
            }
        }
        Ok(())
    }

    /// Forgets what is old; and partitions that others have, once those need nothing of what is here:
    /// if one comes back it may go on where it was.
    fn forget(&mut self, now_unix_ns: u64, reached: &[Reached]) -> Result<(), Error> {
        let is_owned = |number: &u32| reached.iter().any(|one| one.partition == *number);
        if !self.partitions.keys().all(is_owned) {
            let durable: BTreeMap<u32, u64> = self
                .parts
                .ledger
                .read_all()?
                .into_iter()
                .map(|(number, progress)| (number, progress.durable))
                .collect();
            self.partitions.retain(|number, partition| {
                let read = partition.read.map_or(0, |read| read.position);
                is_owned(number) || durable.get(number).is_none_or(|&durable| durable < read)
            });
        }
        let remember_ns = self.parts.policy.remember_ns();
        let past_max = self.parts.bytes_max / PAST_PART / PAST_BYTES;
        let past_max = past_max / self.partitions.len().max(1);
        let mut crowded_out = 0;
        for Partition { tracker, .. } in self.partitions.values_mut() {
            tracker.forget(now_unix_ns, remember_ns, past_max);
            crowded_out += std::mem::take(&mut tracker.crowded_out);
        }
        self.member.state().crowded_out += crowded_out;
        Ok(())
    }
}

impl Sink for StreamSampler {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        let live_ns = self.parts.policy.live_window_ns;
        self.is_owing = true;
        for record in records {
            // All fails here that can: what is in the log is taken in whole, or again later.
            let partition = self.partition(record.position.partition);
            let partition = partition.map_err(|error| Error::retryable(error.message))?;
            partition.take(record, live_ns);
        }
        self.is_owing = false;
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let position = |(&partition, one): (&u32, &Partition)| Position {
            partition,
            offset: one.progress.durable,
        };
        self.partitions.iter().map(position).collect()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        let now_ns = self.parts.clock.monotonic_ns();
        let is_due = |last: u64| now_ns.saturating_sub(last) >= ROUND_NS;
        if !self.round_ns.is_none_or(is_due) {
            return Ok(());
        }
        self.round_ns = Some(now_ns);
        let outcome = self.round();
        let error = outcome.as_ref().err();
        self.member.state().waiting = error.map(|error| format!("nothing is sampled now: {error}"));
        outcome
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

fn decided(tracker: &Tracker, due: &[Candidate], verdicts: &[Verdict]) -> Vec<Decided> {
    let decided = |(candidate, &verdict): (&Candidate, &Verdict)| Decided {
        trace_id: candidate.trace_id,
        verdict,
        arrived_unix_ns: tracker.arrived(candidate.trace_id),
    };
    due.iter().zip(verdicts).map(decided).collect()
}
