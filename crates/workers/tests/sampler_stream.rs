//! Random histories against the sampler of a cluster (P12, D21): two members, of which one may not have
//! heard that a partition is no longer its own; restarts, redelivery, stores that lag and fail, a ledger
//! whose answers get lost, flags that are lost. Never is a span erased of a trace that is an error or an
//! outlier, nothing is decided twice, and in the end index and rows hold the same, and all that is kept.
//!
//! `TRACEWELL_SAMPLER_HISTORIES` says how many; a release runs a million.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's way to fail

mod last_hour;
mod stream_world;

use std::sync::Arc;

use fastrand::Rng;
use last_hour::LastHour;
use stream_world::{Erasing, MEMBERS, PARTITIONS, STORES, Span, View, World};
use tracewell_model::clock::ManualClock;
use tracewell_model::{Clock, TraceId};
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::sampling::{Dropped, Kept, Verdict};
use tracewell_storage::{Ledger, ReadContext, Record, SamplingReader, Sink};
use tracewell_workers::sampler::policy::Policy;
use tracewell_workers::sampler::{Parts, SharedSampling, StreamSampler};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const LIVE: u64 = 60 * SECOND;
const TRACES: u64 = 8;

fn member(world: &Arc<World>, number: usize, bytes_max: usize) -> StreamSampler {
    StreamSampler::new(Parts {
        policy: Policy {
            live_window_ns: LIVE,
            diversity: 0,
            judges: u64::from(PARTITIONS),
            ..Policy::default()
        },
        ledger: world.clone(),
        erasers: (0..STORES)
            .map(|store| Arc::new(Erasing(world.clone(), store)) as _)
            .collect(),
        reach: Arc::new(View(world.clone(), number)),
        known_errors: world.clone(),
        stats: Arc::new(LastHour),
        clock: world.clock.clone(),
        bytes_max,
    })
}

fn id(number: u64) -> TraceId {
    let mut id = [7; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    TraceId(id)
}

/// One history.
struct History {
    rng: Rng,
    world: Arc<World>,
    members: Vec<StreamSampler>,
    spans: u64,
}

impl History {
    fn new(seed: u64) -> History {
        let world = World::new(Arc::new(ManualClock::at(1_000 * LIVE)));
        for partition in 0..PARTITIONS {
            world.give(partition, partition as usize % MEMBERS, true);
        }
        let members = (0..MEMBERS).map(|number| member(&world, number, usize::MAX / 2));
        History {
            rng: Rng::with_seed(seed),
            members: members.collect(),
            world,
            spans: 0,
        }
    }

    fn step(&mut self) {
        let (partition, number) = (self.rng.u32(0..PARTITIONS), self.rng.usize(0..MEMBERS));
        let store = self.rng.usize(0..STORES);
        match self.rng.u8(0..100) {
            0..30 => self.arrive(),
            30..45 => self.deliver(number, partition),
            45..55 => self.world.store(store, partition, 4),
            55..62 => self.world.store_commits(store),
            62..85 => self.tick(number),
            85..89 => {
                let is_told = self.rng.bool();
                self.world.give(partition, number, is_told);
            }
            89..92 => {
                self.world.forget_member(number);
                self.members[number] = member(&self.world, number, usize::MAX / 2);
            }
            92..97 => {
                let failing = &mut self.world.inner().failing;
                match self.rng.u8(0..4) {
                    0 => failing.before_write = true,
                    1 => failing.after_write = true,
                    2 => failing.store[store] = true,
                    _ => failing.flags = true,
                }
            }
            97 => {
                let opened = self.trace();
                let now = self.world.clock.unix_ns();
                self.world.pin(opened, now).unwrap();
            }
            _ => {
                let lost = self.trace();
                self.world.inner().flags.remove(&lost);
            }
        }
    }

    fn trace(&mut self) -> TraceId {
        id(1 + self.rng.u64(0..TRACES))
    }

    fn arrive(&mut self) {
        self.world.clock.advance(self.rng.u64(1..LIVE / 8));
        let trace = self.trace();
        // A trace's root is always of one operation.
        let is_root = self.rng.u8(0..5) < 3;
        let operation = usize::from(match is_root {
            true => trace.0[15] % 8 == 7,
            false => self.rng.u8(0..30) == 0,
        });
        let usual_ns = self.rng.u64(1..9) * MS;
        self.spans += 1;
        let span = Span {
            trace,
            number: self.spans,
            arrived_unix_ns: self.world.clock.unix_ns(),
            is_root,
            operation,
            duration_ns: match self.rng.u8(0..40) {
                0 => usual_ns + 300 * MS,
                1 => usual_ns + 20 * MS,
                _ => usual_ns,
            },
            is_error: self.rng.u8(0..40) == 0,
        };
        if span.is_error && self.rng.bool() {
            self.world.inner().flags.insert(trace);
        }
        self.world.append(span);
    }

    fn deliver(&mut self, number: usize, partition: u32) {
        let max = self.rng.u64(1..8);
        let records = self.world.poll(number, partition, max);
        self.members[number].apply(&records).unwrap();
    }

    /// All that is new in these partitions, at once; given back where it cannot be taken in.
    fn deliver_all(&mut self, number: usize, partitions: &[u32]) -> Result<(), Vec<Record>> {
        let new = |&partition: &u32| self.world.poll(number, partition, u64::MAX / 2);
        let records: Vec<Record> = partitions.iter().flat_map(new).collect();
        let taken = self.members[number].apply(&records);
        taken.map_err(|_| records)
    }

    /// What fails is tried again at a later one.
    fn tick(&mut self, number: usize) {
        self.world.clock.advance(10 * SECOND);
        let _failed = self.members[number].tick(self.world.clock.unix_ns());
        let durable = self.members[number].durable();
        self.world.commit(number, &durable);
    }

    /// All that came is stored, read and decided.
    fn settle(&mut self) {
        self.world.inner().failing = Default::default();
        for _ in 0..12 {
            for partition in 0..PARTITIONS {
                for store in 0..STORES {
                    self.world.store(store, partition, u64::MAX / 2);
                    self.world.store_commits(store);
                }
                for number in 0..MEMBERS {
                    let records = self.world.poll(number, partition, u64::MAX / 2);
                    self.members[number].apply(&records).unwrap();
                }
            }
            self.world.clock.advance(LIVE / 4);
            (0..MEMBERS).for_each(|number| self.tick(number));
        }
    }

    fn check(&self, seed: u64) {
        let inner = self.world.inner();
        let log: Vec<Span> = inner.log.values().flatten().copied().collect();
        let verdicts = inner.verdicts.clone();
        drop(inner);
        for span in &log {
            let verdict = verdicts.get(&span.trace);
            let verdict = verdict.unwrap_or_else(|| panic!("seed {seed}: {span:?} is undecided"));
            let has = [0, 1].map(|store| self.world.has(store, span));
            assert_eq!(has[0], has[1], "seed {seed}: index and rows of {span:?}");
            let is_late = matches!(verdict, Verdict::Keep(Kept::Pinned)) || is_late(verdict);
            if span.matters() || (matches!(verdict, Verdict::Keep(_)) && !is_late) {
                assert!(has[0], "seed {seed}: {span:?} is gone, {verdict:?}");
            }
            if let Verdict::Drop(_) = verdict {
                assert!(!has[0], "seed {seed}: {span:?} is left, {verdict:?}");
            }
        }
        let kept = self
            .world
            .why_kept(&verdicts.keys().copied().collect::<Vec<_>>());
        for (verdict, why) in verdicts.values().zip(kept.unwrap()) {
            match verdict {
                Verdict::Keep(reason) => assert_eq!(why, Some(*reason), "seed {seed}"),
                Verdict::Drop(_) => assert_eq!(why, None, "seed {seed}"),
            }
        }
    }
}

fn is_late(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Keep(reason) if reason.is_late())
}

fn histories() -> u64 {
    let usually = if cfg!(debug_assertions) {
        10_000
    } else {
        100_000
    };
    let asked = std::env::var("TRACEWELL_SAMPLER_HISTORIES");
    asked.map_or(usually, |number| number.parse().expect("a number"))
}

#[test]
fn members_that_come_and_go_lose_no_error_and_no_outlier_in_any_history() {
    let (mut erased, mut late, mut dropped) = (0, 0, 0);
    for seed in 0..histories() {
        let mut history = History::new(seed);
        for _ in 0..140 {
            history.step();
        }
        history.settle();
        history.check(seed);
        let all = history.world.read_all().unwrap();
        let books = all.iter().map(|(_, progress)| &progress.books);
        for books in books {
            late += books.kept[Kept::LateError as usize];
            dropped += books.dropped[Dropped::NotInShare as usize];
        }
        erased += history.world.inner().erased;
    }
    assert!(
        erased > 0 && late > 0 && dropped > 0,
        "{erased} {late} {dropped}"
    );
}

/// Complete and healthy traces, all at once.
fn crowd(history: &mut History, traces: u64) {
    crowd_of(history, 0..traces);
}

fn crowd_of(history: &mut History, traces: std::ops::Range<u64>) {
    for number in traces {
        for is_root in [true, false] {
            history.spans += 1;
            history.world.append(Span {
                trace: id((number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
                number: history.spans,
                arrived_unix_ns: history.world.clock.unix_ns() + history.spans,
                is_root,
                operation: 0,
                duration_ns: 5 * MS,
                is_error: false,
            });
        }
    }
}

#[test]
fn of_healthy_traces_one_in_twenty_stays_over_all_members() {
    let mut history = History::new(1);
    crowd(&mut history, 4_000);
    history.settle();
    let all = history.world.read_all().unwrap();
    let healthy = all.iter().map(|(_, progress)| progress.books.healthy());
    let (kept, healthy) = healthy.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert_eq!((all.len(), healthy), (PARTITIONS as usize, 4_000));
    assert!((100..=200).contains(&kept), "{kept} of {healthy}");
    assert_eq!(history.world.inner().erased, 4 * (healthy - kept));
}

#[test]
fn what_there_is_no_room_for_is_kept_and_said() {
    let mut history = History::new(1);
    history.members = vec![
        member(&history.world, 0, 200_000),
        member(&history.world, 1, usize::MAX / 2),
    ];
    crowd(&mut history, 4_000);
    history.settle();
    let inner = history.world.inner();
    let partial = |partition: u32| {
        let of_partition = |(id, verdict): &(&TraceId, &Verdict)| {
            u32::from(id.0[15]) % PARTITIONS == partition
                && **verdict == Verdict::Keep(Kept::Partial)
        };
        inner.verdicts.iter().filter(of_partition).count()
    };
    assert!(partial(0) > 500 && partial(1) == 0);
    assert_eq!(inner.verdicts.len(), 4_000);
    let problems = |number: usize| history.members[number].member().problems();
    assert!(problems(0)[0].contains("no room"), "{:?}", problems(0));
    assert!(problems(1).is_empty(), "{:?}", problems(1));
    drop(inner);
    history.world.inner().failing.flags = true;
    history.tick(1);
    assert!(history.members[1].member().problems()[0].contains("without flags"));
    history.tick(1);
    assert!(history.members[1].member().problems().is_empty());
}

#[test]
fn what_a_new_member_is_told_crowds_nothing_out() {
    let mut history = History::new(1);
    crowd(&mut history, 4_000);
    history.settle();
    history.world.forget_member(0);
    history.members[0] = member(&history.world, 0, 70_000);
    crowd_of(&mut history, 5_000..5_100);
    history.settle();
    assert_eq!(history.members[0].member().crowded_out(), 0);
}

#[test]
fn what_was_opened_is_kept_however_late_the_stores_let_it_be_decided() {
    let mut history = History::new(1);
    crowd(&mut history, 100);
    let opened = history.world.inner().log[&0][0].trace;
    let now = history.world.clock.unix_ns();
    history.world.pin(opened, now).unwrap();
    history.world.clock.advance(10 * LIVE);
    history.settle();
    let verdicts = history.world.inner().verdicts.clone();
    assert_eq!(verdicts[&opened], Verdict::Keep(Kept::Pinned));
}

/// A worker ticks its sink also while records wait that it could not take in.
#[test]
fn nothing_is_decided_past_records_that_could_not_be_taken_in() {
    let mut history = History::new(1);
    crowd(&mut history, 2);
    let mut late = history.world.inner().log[&0][1];
    history.deliver_all(0, &[0]).unwrap();
    history.world.store(0, 0, 9);
    history.world.store(1, 0, 9);
    history.tick(0);

    (late.is_error, late.number) = (true, 99);
    late.arrived_unix_ns = history.world.clock.unix_ns();
    history.world.append(late);
    for store in 0..STORES {
        history.world.store(store, 0, 9);
        history.world.store_commits(store);
    }
    history.tick(0);
    // Another partition comes with them, of which nobody can say what was decided.
    history.world.give(1, 0, true);
    history.world.inner().failing.read = true;
    let waiting = history.deliver_all(0, &[1, 0]).unwrap_err();
    history.world.clock.advance(2 * LIVE);
    history.tick(0);
    assert_eq!(history.world.inner().verdicts.len(), 0);

    history.members[0].apply(&waiting).unwrap();
    history.settle();
    let verdicts = history.world.inner().verdicts.clone();
    assert_eq!(verdicts[&late.trace], Verdict::Keep(Kept::Error));
}

/// A root ends last: with it, what comes of a trace after hours looks like all of it.
#[test]
fn the_end_of_a_trace_whose_beginning_is_not_known_is_kept() {
    // It was decided about and is forgotten, also by the ledger, or it was never seen.
    let cases = [(120, false, true), (120, true, true), (40, false, false)];
    for (minutes, is_restarted, is_seen) in cases {
        let mut history = History::new(1);
        crowd(&mut history, 4);
        let mut inner = history.world.inner();
        let mut log = inner.log.insert(0, Vec::new()).unwrap();
        let others = log.split_off(2);
        let mut failed = log[1];
        (failed.is_error, failed.number) = (true, 99);
        inner.log.insert(0, [vec![failed], others].concat());
        if !is_seen {
            inner.members[0].skip(1);
        }
        drop(inner);
        history.settle();

        history.world.inner().verdicts.clear();
        history.world.clock.advance(minutes * 60 * SECOND);
        history.tick(0);
        if is_restarted {
            history.world.forget_member(0);
            history.members[0] = member(&history.world, 0, usize::MAX / 2);
        }
        // All of this took some minutes, too.
        (log[0].operation, log[0].duration_ns) = (2, (minutes + 10) * 60 * SECOND);
        for mut span in log {
            span.arrived_unix_ns = history.world.clock.unix_ns();
            history.world.append(span);
        }
        history.settle();
        assert!(history.world.has(0, &failed) && history.world.has(1, &failed));
        let verdicts = history.world.inner().verdicts.clone();
        assert_eq!(verdicts[&failed.trace], Verdict::Keep(Kept::Partial));
    }
}

/// What comes of it before anyone looks is passed over where a member goes on, and read again later
/// where one begins.
#[test]
fn of_a_log_that_was_made_anew_no_trace_is_dropped_for_the_half_of_it() {
    for is_restarted in [true, false] {
        let mut history = History::new(1);
        crowd(&mut history, 400);
        history.settle();
        crowd_of(&mut history, 400..402);
        for number in 0..MEMBERS {
            history.deliver_all(number, &[0, 1]).expect("nothing fails");
        }
        let undecided = history.world.inner().log[&0].last().unwrap().trace;
        history.world.make_log_anew();
        let restart = |history: &mut History| {
            for number in (0..MEMBERS).filter(|_| is_restarted) {
                history.world.forget_member(number);
                history.members[number] = member(&history.world, number, usize::MAX / 2);
            }
        };
        for is_root in [false, true] {
            restart(&mut history);
            for trace in 0..100 {
                history.spans += 1;
                history.world.append(Span {
                    trace: id(1_000_000 + trace),
                    number: history.spans,
                    arrived_unix_ns: history.world.clock.unix_ns() + trace,
                    is_root,
                    operation: 0,
                    duration_ns: 5 * MS,
                    is_error: !is_root,
                });
            }
            for _ in 0..2 {
                for number in 0..MEMBERS {
                    history.deliver_all(number, &[0, 1]).expect("nothing fails");
                    history.tick(number);
                }
            }
        }
        history.settle();
        let why = history.world.why_kept(&[id(1_000_000), id(1_000_001)]);
        let expected = match is_restarted {
            true => Kept::Error,
            false => Kept::Partial,
        };
        assert_eq!(why.unwrap(), [Some(expected); 2]);
        // What is undecided of the old one waits for no store to have it.
        let why = history.world.why_kept(&[undecided]).unwrap();
        assert_eq!(why, [Some(Kept::Partial).filter(|_| !is_restarted)]);
    }
}

#[test]
fn readers_are_told_what_all_members_did_and_what_they_would() {
    let mut history = History::new(1);
    let store = MemoryStore::new();
    let ledger: Arc<dyn Ledger> = history.world.clone();
    let policy = Policy {
        live_window_ns: LIVE,
        diversity: 0,
        ..Policy::default()
    };
    let clock = history.world.clock.clone();
    let shared = |ledger| {
        let scanner = Arc::new(store.clone());
        let stats = Arc::new(LastHour);
        SharedSampling::new(policy.clone(), ledger, scanner, stats, clock.clone())
    };
    let (reader, off) = (shared(Some(ledger)), shared(None));
    assert!(reader.is_on() && !off.is_on());
    assert_eq!(off.report().waiting, None);
    let waiting = reader.report().waiting.unwrap();
    assert!(waiting.contains("no sampler"), "{waiting}");

    crowd(&mut history, 4_000);
    let now = clock.unix_ns();
    for span in history.world.inner().log.values().flatten() {
        store.push(span.batch(now - LIVE / 2), span.arrived_unix_ns);
    }
    let context = ReadContext::new(clock.clone(), u64::MAX);
    let what_if = off.what_if(&context).unwrap();
    let (kept, healthy) = what_if.books.healthy();
    assert!(
        healthy == 4_000 && (100..=200).contains(&kept),
        "{what_if:?}"
    );
    let opened = history
        .world
        .inner()
        .log
        .values()
        .flatten()
        .next()
        .unwrap()
        .trace;
    reader.pin(opened, 0);
    let what_if = reader.what_if(&context).unwrap();
    assert_eq!(what_if.books.kept[Kept::Pinned as usize], 1);

    history.settle();
    let report = reader.report();
    assert_eq!(report.waiting, None);
    assert_eq!(report.books.healthy().1, 3_999);
    let verdicts = history.world.inner().verdicts.clone();
    let ids: Vec<_> = verdicts.keys().map(|id| (*id, 0)).collect();
    let kept = reader.why_kept(&ids).unwrap().into_iter().flatten().count() as u64;
    assert_eq!(
        kept,
        report.books.healthy().0 + 1,
        "and the one that was opened"
    );
    clock.advance(10 * LIVE);
    let waiting = reader.report().waiting.unwrap();
    assert!(waiting.contains("nothing was decided for"), "{waiting}");
}

/// Spans may be in what was not seen: of a trace that began before that nobody says that it is healthy.
#[test]
fn after_a_gap_in_the_log_traces_are_kept_for_a_live_window() {
    let verdicts = |prepare: fn(&mut History)| {
        let mut history = History::new(1);
        prepare(&mut history);
        crowd(&mut history, 500);
        history.settle();
        let inner = history.world.inner();
        let verdicts = inner.verdicts.values();
        verdicts
            .filter(|&&verdict| verdict == Verdict::Keep(Kept::Partial))
            .count()
    };
    assert_eq!(verdicts(|_| ()), 0);
    let before_the_first = |history: &mut History| {
        crowd(history, 10);
        let mut inner = history.world.inner();
        inner.members.iter_mut().for_each(|member| member.skip(10));
    };
    assert_eq!(verdicts(before_the_first), 500);
    assert_eq!(verdicts(|history| history.world.inner().lost = 1), 500);
    let of_more_partitions = |history: &mut History| {
        history.settle();
        history.world.inner().more = 1;
    };
    assert_eq!(verdicts(of_more_partitions), 500);
    let of_more_since_a_restart = |history: &mut History| {
        history.settle();
        history.world.inner().more = 1;
        for number in 0..MEMBERS {
            history.world.forget_member(number);
            history.members[number] = member(&history.world, number, usize::MAX / 2);
        }
    };
    assert_eq!(verdicts(of_more_since_a_restart), 500);
}
