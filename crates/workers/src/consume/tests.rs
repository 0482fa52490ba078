//! The loop between the log in memory and sinks that fail as a script says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracewell_model::clock::ManualClock;
use tracewell_model::{
    BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId,
};
use tracewell_storage::log::GroupStatus;
use tracewell_storage::memory::{MemoryLog, MemoryStats};
use tracewell_storage::{Class, Consumer, Error, Position, Record, Sink, SpanLog};

use super::{Options, Step, Worker};
use crate::{Stop, aggregator, storage_writer};

const SECOND_NS: u64 = 1_000_000_000;

/// What a scripted sink saw and what it shall say.
#[derive(Default)]
struct Script {
    /// Spans taken in, by offset; redelivery would show as a second entry.
    applied: Vec<u64>,
    /// What the next calls of `apply` answer; none is Ok.
    answers: VecDeque<Error>,
    /// Offsets that can never be applied.
    poison: BTreeMap<u64, Class>,
    /// How far the sink is durable after a tick or a flush.
    durable: u64,
    ticks: u64,
    flushes: u64,
    tick_error: Option<Error>,
}

#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Scripted {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        let mut script = self.script();
        if let Some(error) = script.answers.pop_front() {
            return Err(error);
        }
        let poison = records
            .iter()
            .find_map(|r| script.poison.get(&r.position.offset));
        if let Some(&class) = poison {
            return Err(Error::new(class, "cannot be stored"));
        }
        script
            .applied
            .extend(records.iter().map(|record| record.position.offset));
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        match self.script().durable {
            0 => Vec::new(),
            offset => vec![Position {
                partition: 0,
                offset,
            }],
        }
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        let mut script = self.script();
        script.ticks += 1;
        match script.tick_error.clone() {
            Some(error) => Err(error),
            None => {
                script.durable = script.applied.last().copied().unwrap_or_default();
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        let mut script = self.script();
        script.flushes += 1;
        script.durable = script.applied.last().copied().unwrap_or_default();
        Ok(())
    }
}

struct Bench {
    clock: Arc<ManualClock>,
    log: MemoryLog,
    sink: Scripted,
    worker: Worker,
}

impl Bench {
    fn new(spans_per_poll: usize) -> Bench {
        let clock = Arc::new(ManualClock::at(1_700_000_000 * SECOND_NS));
        let log = MemoryLog::new(clock.clone());
        let sink = Scripted::default();
        let options = Options {
            spans_per_poll,
            ..Options::default()
        };
        let boxed = Box::new(sink.clone());
        let worker = storage_writer::start(&log, boxed, clock.clone(), options).unwrap();
        Bench {
            clock,
            log,
            sink,
            worker,
        }
    }

    fn append(&self, records: usize) {
        (0..records).for_each(|_| self.log.push(batch()));
    }

    /// Steps until there is nothing to do; answers what was done.
    fn drain(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            match self.worker.step(Duration::ZERO) {
                Step::Idle => return steps,
                step => steps.push(step),
            }
            assert!(steps.len() < 1_000, "no end: {steps:?}");
        }
    }

    fn group(&self) -> GroupStatus {
        self.log
            .status()
            .groups
            .into_iter()
            .next()
            .expect("one group")
    }
}

/// Two spans.
fn batch() -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let resource = builder.resource(&ResourceInput {
        service: "cart",
        ..ResourceInput::default()
    });
    let scope = builder.scope(&ScopeInput::default());
    for id in [1, 2] {
        builder.push(&SpanInput {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([id; 8]),
            parent: None,
            resource,
            scope,
            start_unix_ns: 1_700_000_000 * SECOND_NS,
            duration_ns: 5,
            operation: "GET",
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: 0,
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
    }
    builder.finish_one()
}

#[test]
fn records_are_applied_in_order_and_committed_once_durable() {
    let mut bench = Bench::new(4);
    bench.append(5);
    let steps = bench.drain();
    assert_eq!(steps, [4, 4, 2].map(|spans| Step::Applied { spans }));
    assert_eq!(bench.worker.status().snapshot().pending_spans, 0);
    assert_eq!(bench.sink.script().applied, [1, 2, 3, 4, 5]);
    assert_eq!(
        bench.group().uncommitted_records,
        5,
        "nothing durable, nothing committed"
    );
    bench.clock.advance(SECOND_NS);
    bench.drain();
    assert_eq!(bench.group().uncommitted_records, 0);
    assert_eq!(
        bench.log.status().records,
        0,
        "the log may forget what is durable"
    );
    assert_eq!(bench.worker.status().snapshot().applied_spans, 10);
}

#[test]
fn the_sink_is_ticked_each_second_of_the_clock() {
    let mut bench = Bench::new(4);
    for _ in 0..10 {
        bench.drain();
        bench.clock.advance(SECOND_NS / 4);
    }
    assert_eq!(bench.sink.script().ticks, 3, "at 0, 1 and 2 s");
}

#[test]
fn passing_trouble_is_repeated_with_growing_waits_and_costs_nothing() {
    let mut bench = Bench::new(100);
    bench.append(2);
    for class in [Class::Retryable, Class::Overloaded, Class::DeadlineExceeded] {
        let error = Error::new(class, "the store is away");
        bench.sink.script().answers.extend(vec![error; 4]);
    }
    let status = bench.worker.status();
    let Step::RetryIn { wait_ns } = bench.worker.step(Duration::ZERO) else {
        panic!("it fails")
    };
    assert_eq!(wait_ns, Options::default().backoff_first_ns);
    assert_eq!(
        status.snapshot().last_error.as_deref(),
        Some("applying records: the store is away")
    );
    let steps = bench.drain();
    let waits = steps.iter().filter_map(|step| match step {
        Step::RetryIn { wait_ns } => Some(*wait_ns),
        _ => None,
    });
    let waits: Vec<_> = waits.collect();
    assert!(waits.is_sorted() && waits[0] == 2 * wait_ns, "{waits:?}");
    assert_eq!(waits.last(), Some(&Options::default().backoff_max_ns));
    assert_eq!(steps.last(), Some(&Step::Applied { spans: 4 }));
    let status = status.snapshot();
    assert_eq!((status.retries, status.dead_lettered_spans), (12, 0));
    assert_eq!(status.last_error, None, "it works again");
    assert_eq!(bench.sink.script().applied, [1, 2]);
    // The next trouble starts with a short wait again.
    bench.append(1);
    bench
        .sink
        .script()
        .answers
        .push_back(Error::retryable("again"));
    assert_eq!(bench.drain()[0], Step::RetryIn { wait_ns });
}

#[test]
fn poison_is_found_among_its_neighbours_tried_three_times_and_set_aside() {
    for class in [Class::Invalid, Class::Corrupt] {
        let mut bench = Bench::new(100);
        bench.append(5);
        bench.sink.script().poison.insert(3, class);
        let steps = bench.drain();
        assert_eq!(
            bench.sink.script().applied,
            [1, 2, 4, 5],
            "one costs no other"
        );
        assert_eq!(
            steps
                .iter()
                .filter(|step| matches!(step, Step::RetryIn { .. }))
                .count(),
            3
        );
        let status = bench.worker.status().snapshot();
        assert_eq!((status.applied_spans, status.dead_lettered_spans), (8, 2));
        assert_eq!(status.dead_lettered_records, 1);
        assert_eq!(status.last_error, None);
        assert_eq!(
            status.last_dead_letter.as_deref(),
            Some("record 3 of partition 0 with 2 spans was set aside: cannot be stored")
        );
        // Then the log goes on in batches, and its room is given back.
        bench.append(3);
        assert_eq!(bench.drain(), [Step::Applied { spans: 6 }]);
        bench.clock.advance(SECOND_NS);
        bench.drain();
        assert_eq!(bench.log.status().records, 0);
    }
}

/// A consumer whose partitions are to go, or whose dead letters cannot be written, for so many calls.
struct Troubled {
    inner: Box<dyn Consumer>,
    leaving: Arc<Mutex<bool>>,
    unwritten: u32,
}

impl Consumer for Troubled {
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        *self.leaving.lock().unwrap() = false;
        self.inner.poll(spans_max, wait)
    }

    fn commit(&mut self, positions: &[Position]) -> Result<(), Error> {
        self.inner.commit(positions)
    }

    fn leaving(&self) -> bool {
        *self.leaving.lock().unwrap()
    }

    fn set_aside(&mut self, _record: &Record, _reason: &str) -> Result<(), Error> {
        match self.unwritten.checked_sub(1) {
            None => Ok(()),
            Some(left) => {
                self.unwritten = left;
                Err(Error::retryable("no broker"))
            }
        }
    }
}

fn troubled(unwritten: u32) -> (Bench, Arc<Mutex<bool>>) {
    let mut bench = Bench::new(100);
    let leaving = Arc::new(Mutex::new(false));
    let consumer = Troubled {
        inner: bench.log.subscribe("storage", &[]).unwrap(),
        leaving: leaving.clone(),
        unwritten,
    };
    let (sink, clock) = (Box::new(bench.sink.clone()), bench.clock.clone());
    bench.worker = Worker::new(
        "storage",
        Box::new(consumer),
        sink,
        clock,
        Options::default(),
    );
    (bench, leaving)
}

#[test]
fn partitions_are_handed_over_with_all_that_was_applied_committed() {
    let (mut bench, leaving) = troubled(0);
    bench.append(3);
    bench.drain();
    assert_eq!(bench.group().uncommitted_records, 3);
    *leaving.lock().unwrap() = true;
    bench.worker.step(Duration::ZERO);
    assert_eq!(
        (
            bench.sink.script().flushes,
            bench.group().uncommitted_records
        ),
        (1, 0)
    );
    assert!(!*leaving.lock().unwrap(), "polled, which gives them up");
}

#[test]
fn a_record_is_passed_only_once_it_is_kept_aside() {
    let (mut bench, _leaving) = troubled(2);
    bench.append(2);
    bench.sink.script().poison.insert(1, Class::Invalid);
    let steps = bench.drain();
    let waits = steps
        .iter()
        .filter(|step| matches!(step, Step::RetryIn { .. }))
        .count();
    // Taken apart once, tried twice more, and two dead letters that were not written.
    assert_eq!(waits, 5);
    assert_eq!(bench.sink.script().applied, [2]);
    let status = bench.worker.status().snapshot();
    assert_eq!((status.dead_lettered_records, status.last_error), (1, None));
}

#[test]
fn nothing_but_poison_ends_too() {
    let mut bench = Bench::new(100);
    bench.append(4);
    bench
        .sink
        .script()
        .poison
        .extend((1..=4).map(|offset| (offset, Class::Corrupt)));
    bench.drain();
    assert_eq!(bench.sink.script().applied, []);
    assert_eq!(bench.worker.status().snapshot().dead_lettered_spans, 8);
}

#[test]
fn a_tick_that_fails_holds_up_nothing_and_is_told() {
    let mut bench = Bench::new(100);
    bench.sink.script().tick_error = Some(Error::retryable("no room to seal"));
    bench.append(1);
    assert_eq!(bench.drain(), [Step::Applied { spans: 2 }]);
    let status = bench.worker.status();
    let told = Some("ticking the sink: no room to seal".to_owned());
    assert_eq!(status.snapshot().last_error, told);
    bench.append(1);
    bench.drain();
    assert_eq!(
        status.snapshot().last_error,
        told,
        "applying well does not hide it"
    );
    bench.sink.script().tick_error = None;
    bench.clock.advance(SECOND_NS);
    bench.drain();
    assert_eq!(status.snapshot().last_error, None);
}

#[test]
fn a_stop_finishes_the_unit_flushes_and_commits() {
    let mut bench = Bench::new(4);
    bench.append(5);
    bench.worker.step(Duration::ZERO);
    bench.worker.finish();
    assert_eq!(bench.sink.script().flushes, 1);
    assert_eq!(bench.group().uncommitted_records, 0);
    assert_eq!(bench.group().lag_records, 3, "the rest stays in the log");
    assert!(bench.worker.status().snapshot().stopped);
}

#[test]
fn a_stop_while_the_store_is_away_leaves_the_records_in_the_log() {
    let mut bench = Bench::new(100);
    bench.append(2);
    let away = Error::retryable("the store is away");
    bench.sink.script().answers.extend(vec![away; 100]);
    bench.worker.step(Duration::ZERO);
    assert_eq!(
        bench.worker.status().snapshot().pending_spans,
        4,
        "neither lag nor stored"
    );
    bench.worker.finish();
    assert_eq!(bench.log.status().records, 2);
    let sink = Scripted::default();
    let mut next = storage_writer::start(
        &bench.log.restart(),
        Box::new(sink.clone()),
        bench.clock.clone(),
        Options::default(),
    )
    .unwrap();
    next.step(Duration::ZERO);
    assert_eq!(sink.script().applied, [1, 2], "delivered again");
}

#[test]
fn run_works_on_its_thread_until_told_to_stop() {
    let Bench {
        log,
        sink,
        mut worker,
        ..
    } = Bench::new(100);
    // Waits of the backoff must end with the stop, not with the backoff.
    worker.options.backoff_first_ns = u64::MAX / 4;
    let stop = Stop::new();
    let status = worker.status();
    let thread = std::thread::spawn({
        let stop = stop.clone();
        move || worker.run(&stop)
    });
    log.push(batch());
    while status.snapshot().applied_spans < 2 {
        std::thread::yield_now();
    }
    sink.script().answers.push_back(Error::retryable("away"));
    log.push(batch());
    while status.snapshot().retries == 0 {
        std::thread::yield_now();
    }
    stop.set();
    thread.join().unwrap();
    assert_eq!(sink.script().applied, [1, 2]);
    assert_eq!(log.status().records, 0);
}

#[test]
fn a_worker_that_panics_says_so() {
    struct Panics;
    impl Sink for Panics {
        fn apply(&mut self, _: &[Record]) -> Result<(), Error> {
            panic!("a bug of the sink, as this test wants it")
        }
        fn durable(&self) -> Vec<Position> {
            Vec::new()
        }
        fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
            Ok(())
        }
        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }
    let Bench { clock, log, .. } = Bench::new(100);
    let options = Options::default();
    let mut worker = storage_writer::start(&log, Box::new(Panics), clock, options).unwrap();
    let status = worker.status();
    log.push(batch());
    let ended = std::thread::spawn(move || worker.run(&Stop::new())).join();
    assert!(ended.is_err());
    let status = status.snapshot();
    assert!(status.stopped && status.panicked, "{status:?}");
    assert!(status.last_error.unwrap().contains("panic"));
}

#[test]
fn the_two_groups_commit_apart() {
    let Bench {
        clock,
        log,
        mut worker,
        ..
    } = Bench::new(100);
    let writer = Arc::new(MemoryStats::new());
    let mut stats = aggregator::start(&log, writer, clock, Options::default()).unwrap();
    log.push(batch());
    worker.step(Duration::ZERO);
    worker.finish();
    assert_eq!(log.status().records, 1, "the other group still needs it");
    stats.step(Duration::ZERO);
    stats.finish();
    assert_eq!(log.status().records, 0);
}
