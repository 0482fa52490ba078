//! Cases of a span log: what is acknowledged is delivered, in order, to every group, over restarts.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracewell_model::Clock;
use tracewell_model::clock::ManualClock;

use super::random::Random;
use super::spans::{OwnedValue, SpanSpec, batch, specs};
use super::store_bench::{MS, NOW, SECOND};
use super::{Case, Durability, Failure, LogFixture, OpenLog, Passed, Restart, ensure, run, worked};
use crate::error::{Class, Error};
use crate::log::{Ack, Consumer, GroupStatus, Position, Record};

const CASES: &[Case<LogCheck>] = &[
    (
        "every level is answered exactly once",
        Durability::None,
        acknowledgements,
    ),
    (
        "records come in order, without gaps, as they were",
        Durability::None,
        order,
    ),
    (
        "arrival times never go back",
        Durability::None,
        arrival_times,
    ),
    (
        "groups are independent of each other",
        Durability::None,
        groups,
    ),
    (
        "what is not committed is delivered again",
        Durability::None,
        redelivery,
    ),
    (
        "delivery starts after what the sink has",
        Durability::None,
        durable_in_sink,
    ),
    (
        "a poll answers about as many spans as asked",
        Durability::None,
        poll_size,
    ),
    ("an append wakes a waiting poll", Durability::None, waking),
    ("lag is what was not delivered", Durability::None, lag),
    (
        "what was acknowledged survives a clean stop",
        Durability::CleanStop,
        clean_stop,
    ),
    (
        "what was acknowledged survives a crash",
        Durability::Crash,
        crash,
    ),
];

type LogCheck = fn(&dyn LogFixture) -> Result<(), String>;

/// Everything a span log must do.
pub fn log_suite(fixture: &dyn LogFixture) -> Result<Passed, Failure> {
    let mut passed = Passed::default();
    run(
        fixture.durability(),
        CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    Ok(passed)
}

/// How long one round of waiting takes: for threads of the log, or for a record. The fixture's
/// patience says how many rounds; no case fails for being slow within it.
const ROUND: Duration = Duration::from_millis(5);

struct Bench {
    clock: Arc<ManualClock>,
    log: Option<Box<dyn OpenLog>>,
    next_trace: u64,
    rounds: u128,
}

impl Bench {
    fn new(fixture: &dyn LogFixture) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        Bench {
            log: Some(fixture.open_new(clock.clone())),
            clock,
            next_trace: 1,
            rounds: fixture.patience().as_millis() / ROUND.as_millis(),
        }
    }

    fn log(&self) -> Result<&dyn OpenLog, String> {
        self.log
            .as_deref()
            .ok_or_else(|| "the log did not come back from a restart".to_owned())
    }

    /// Appends a batch for each of these and waits for the answer.
    fn append(&self, requests: &[&[SpanSpec]], ack: Ack) -> Result<Result<(), Error>, String> {
        let answers: Arc<Mutex<Vec<Result<(), Error>>>> = Arc::default();
        let answered = answers.clone();
        let done = move |answer| {
            answered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(answer);
        };
        let batches = requests.iter().map(|spans| batch(spans)).collect();
        self.log()?.log().append(batches, ack, Box::new(done));
        for _ in 0..self.rounds {
            // Asked first: a completion answers before it goes.
            let gone = Arc::strong_count(&answers) == 1;
            if let Some(answer) = answers.lock().unwrap_or_else(PoisonError::into_inner).pop() {
                return Ok(answer);
            }
            ensure!(
                !gone,
                "an append at level {} was dropped unanswered",
                ack.name()
            );
            self.log()?.drive();
            std::thread::park_timeout(ROUND);
        }
        Err(format!(
            "an append at level {} was never answered",
            ack.name()
        ))
    }

    /// Appends one batch of these spans.
    fn push(&self, spans: &[SpanSpec]) -> Result<(), String> {
        worked("append", self.append(&[spans], Ack::Logged)?)
    }

    /// Appends this many batches of three spans of one trace each; answers their spans.
    fn push_some(&mut self, count: u64) -> Result<Vec<Vec<SpanSpec>>, String> {
        let mut pushed = Vec::new();
        for _ in 0..count {
            let trace = self.next_trace;
            self.next_trace += 1;
            let spans: Vec<_> = (1..=3)
                .map(|number| received(SpanSpec::new(trace, number, NOW)))
                .collect();
            self.push(&spans)?;
            pushed.push(spans);
        }
        Ok(pushed)
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, String> {
        worked("subscribe", self.log()?.log().subscribe(group, durable))
    }

    fn restart(&mut self, how: Restart) -> Result<(), String> {
        let log = self
            .log
            .take()
            .ok_or("the log did not come back from a restart")?;
        self.log = Some(log.restart(how));
        Ok(())
    }

    fn group(&self, name: &str) -> Result<GroupStatus, String> {
        let status = self.log()?.log().status();
        let group = status.group(name).cloned();
        group.ok_or_else(|| format!("status does not name the group {name}"))
    }

    /// Polls until this many records came; then once more, for records there should not be.
    fn drain(&self, consumer: &mut dyn Consumer, count: usize) -> Result<Vec<Record>, String> {
        let mut records = Vec::new();
        for _ in 0..self.rounds {
            if records.len() >= count {
                break;
            }
            records.extend(worked("poll", consumer.poll(100, ROUND))?);
        }
        records.extend(worked("poll", consumer.poll(100, Duration::ZERO))?);
        ensure!(
            records.len() == count,
            "{} records were delivered of {count}",
            records.len()
        );
        Ok(records)
    }

    fn accepted(&self) -> Result<u64, String> {
        Ok(self.log()?.log().status().accepted_spans)
    }
}

/// A span as receivers make them: a log that keeps OTLP keeps what OTLP can say. The service is an
/// attribute of the resource, keys are told once, events are what `rest` has of them.
fn received(mut span: SpanSpec) -> SpanSpec {
    let service = ("service.name".to_owned(), span.service.as_str().into());
    span.resource_attributes.insert(0, service);
    span.event_attributes.clear();
    for attributes in [
        &mut span.attributes,
        &mut span.resource_attributes,
        &mut span.scope_attributes,
    ] {
        let mut seen = BTreeSet::new();
        attributes.retain(|(key, value)| {
            !matches!(value, OwnedValue::Any(_)) && seen.insert(key.clone())
        });
    }
    span
}

/// In the order of their ids: within a record a log may put spans of one origin together.
fn sorted(mut spans: Vec<SpanSpec>) -> Vec<SpanSpec> {
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    spans
}

/// Checks that these records hold exactly these batches, in order, at consecutive places.
fn expect(records: &[Record], pushed: &[Vec<SpanSpec>]) -> Result<(), String> {
    ensure!(
        records.len() == pushed.len(),
        "{} records of {}",
        records.len(),
        pushed.len()
    );
    for (record, pushed) in records.iter().zip(pushed) {
        ensure!(
            sorted(specs(&record.batch)) == sorted(pushed.clone()),
            "the record at {:?} was altered or moved",
            record.position
        );
    }
    for pair in records.windows(2) {
        let [before, after] = [pair[0].position, pair[1].position];
        let next = Position {
            offset: before.offset + 1,
            ..before
        };
        ensure!(after == next, "after {before:?} came {after:?}");
        let (before, after) = (pair[0].arrived_unix_ns, pair[1].arrived_unix_ns);
        ensure!(
            before <= after,
            "arrival times went back from {before} to {after}"
        );
    }
    Ok(())
}

fn last(records: &[Record]) -> Vec<Position> {
    records
        .last()
        .map(|record| record.position)
        .into_iter()
        .collect()
}

fn acknowledgements(fixture: &dyn LogFixture) -> Result<(), String> {
    let bench = Bench::new(fixture);
    let one = [SpanSpec::new(1, 1, NOW)];
    let mut spans = 0;
    for ack in [Ack::Received, Ack::Logged, Ack::Durable, Ack::Replicated] {
        let answer = bench.append(&[&one, &one], ack)?;
        // Some levels a log may be unable to keep: it says so, and takes nothing.
        let refused = answer
            .as_ref()
            .is_err_and(|error| error.class == Class::Invalid);
        ensure!(
            answer.is_ok() || (refused && fixture.may_refuse().contains(&ack)),
            "level {} was answered {answer:?}",
            ack.name()
        );
        spans += if answer.is_ok() { 2 } else { 0 };
    }
    let empty = bench.append(&[&[], &[]], Ack::Logged)?;
    ensure!(
        empty.is_ok(),
        "an append of empty batches was answered {empty:?}"
    );
    // The level `received` may be answered before the log has it.
    let mut consumer = bench.subscribe("storage", &[])?;
    bench.drain(&mut *consumer, spans)?;
    let accepted = bench.accepted()?;
    ensure!(
        accepted == spans as u64,
        "{accepted} spans accepted of {spans}"
    );
    Ok(())
}

fn order(fixture: &dyn LogFixture) -> Result<(), String> {
    let bench = Bench::new(fixture);
    let mut random = Random::new(51);
    let mut trace = |number| {
        random
            .trace(number, NOW)
            .into_iter()
            .map(received)
            .collect()
    };
    let pushed: Vec<Vec<SpanSpec>> = (1..=40).map(&mut trace).collect();
    for pair in pushed.chunks(2) {
        let requests: Vec<&[SpanSpec]> = pair.iter().map(Vec::as_slice).collect();
        worked("append", bench.append(&requests, Ack::Logged)?)?;
    }
    let records = bench.drain(&mut *bench.subscribe("storage", &[])?, pushed.len())?;
    expect(&records, &pushed)?;
    let first = records.first().map(|record| record.position.offset);
    ensure!(first == Some(1), "the first offset is {first:?}, not 1");
    Ok(())
}

fn arrival_times(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut pushed = Vec::new();
    for now in [NOW, NOW + SECOND, NOW - 3_600 * SECOND, 0, NOW + MS] {
        bench.clock.set(now);
        pushed.extend(bench.push_some(1)?);
    }
    let records = bench.drain(&mut *bench.subscribe("storage", &[])?, pushed.len())?;
    expect(&records, &pushed)?;
    let newest = records.last().map(|record| record.arrived_unix_ns);
    // A log may count on from the latest time, so that arrivals strictly rise.
    ensure!(
        newest.is_some_and(|newest| (NOW + SECOND..NOW + SECOND + MS).contains(&newest)),
        "the newest arrival is {newest:?}"
    );
    Ok(())
}

fn groups(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let (mut fast, mut slow) = (bench.subscribe("fast", &[])?, bench.subscribe("slow", &[])?);
    let mut pushed = Vec::new();
    for _ in 0..3 {
        let new = bench.push_some(5)?;
        let records = bench.drain(&mut *fast, new.len())?;
        expect(&records, &new)?;
        worked("commit", fast.commit(&last(&records)))?;
        pushed.extend(new);
    }
    expect(&bench.drain(&mut *slow, pushed.len())?, &pushed)
}

fn redelivery(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let pushed = bench.push_some(10)?;
    let mut consumer = bench.subscribe("storage", &[])?;
    let records = bench.drain(&mut *consumer, 10)?;
    drop(consumer);
    let mut consumer = bench.subscribe("storage", &[])?;
    expect(&bench.drain(&mut *consumer, 10)?, &pushed)?;
    worked("commit", consumer.commit(&last(&records[..4])))?;
    // An older position must not undo a newer one.
    worked("commit", consumer.commit(&last(&records[..2])))?;
    drop(consumer);
    let mut consumer = bench.subscribe("storage", &[])?;
    let again = bench.drain(&mut *consumer, 6)?;
    expect(&again, &pushed[4..])?;
    ensure!(
        again[0].position == records[4].position,
        "a record was delivered at a new place"
    );
    worked("commit", consumer.commit(&last(&again)))?;
    let new = bench.push_some(2)?;
    expect(&bench.drain(&mut *consumer, 2)?, &new)
}

fn durable_in_sink(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let pushed = bench.push_some(10)?;
    let mut consumer = bench.subscribe("storage", &[])?;
    let records = bench.drain(&mut *consumer, 10)?;
    worked("commit", consumer.commit(&last(&records[..3])))?;
    drop(consumer);
    let consumer = &mut *bench.subscribe("storage", &last(&records[..6]))?;
    expect(&bench.drain(consumer, 4)?, &pushed[6..])
}

fn poll_size(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let big: Vec<_> = (1..=50)
        .map(|number| received(SpanSpec::new(999, number, NOW)))
        .collect();
    bench.push(&big)?;
    let pushed = bench.push_some(20)?;
    let mut consumer = bench.subscribe("storage", &[])?;
    let mut records = Vec::new();
    for _ in 0..bench.rounds {
        if records.len() > pushed.len() {
            break;
        }
        let some = worked("poll", consumer.poll(10, ROUND))?;
        let spans: usize = some.iter().map(|record| record.batch.len()).sum();
        // "About": a whole record more, and the first one whatever its size.
        ensure!(
            some.len() == 1 || spans <= 10 + 3,
            "a poll for 10 spans gave {spans}"
        );
        records.extend(some);
    }
    expect(&records, &[vec![big], pushed].concat())
}

fn waking(fixture: &dyn LogFixture) -> Result<(), String> {
    let bench = Bench::new(fixture);
    let mut consumer = bench.subscribe("storage", &[])?;
    let rounds = bench.rounds;
    let waiting = std::thread::spawn(move || {
        for _ in 0..rounds {
            match consumer.poll(10, ROUND * 20) {
                Ok(records) if records.is_empty() => {}
                answer => return answer.map(|records| records.len()),
            }
        }
        Ok(0)
    });
    bench.push(&[SpanSpec::new(1, 1, NOW)])?;
    let polled = waiting
        .join()
        .map_err(|_| "a waiting poll panicked".to_owned())?;
    let polled = worked("poll", polled)?;
    ensure!(polled == 1, "a waiting poll got {polled} records");
    Ok(())
}

fn lag(fixture: &dyn LogFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut consumer = bench.subscribe("storage", &[])?;
    bench.push_some(4)?;
    bench.clock.advance(7 * SECOND);
    let behind = bench.group("storage")?;
    let figures = (behind.lag_records, behind.lag_spans, behind.lag_ns);
    ensure!(
        figures == (4, 12, 7 * SECOND),
        "lag of a group that took nothing: {behind:?}"
    );
    let records = bench.drain(&mut *consumer, 4)?;
    let level = bench.group("storage")?;
    let figures = (
        level.lag_records,
        level.lag_spans,
        level.lag_ns,
        level.uncommitted_records,
    );
    ensure!(
        figures == (0, 0, 0, 4),
        "lag of a group that took everything: {level:?}"
    );
    worked("commit", consumer.commit(&last(&records)))?;
    let done = bench.group("storage")?;
    ensure!(
        done.uncommitted_records == 0,
        "after a commit of everything: {done:?}"
    );
    Ok(())
}

fn clean_stop(fixture: &dyn LogFixture) -> Result<(), String> {
    survives(fixture, Restart::CleanStop)
}

fn crash(fixture: &dyn LogFixture) -> Result<(), String> {
    survives(fixture, Restart::Crash)
}

/// Three rounds: everything acknowledged is there after each, counted, in its old place.
fn survives(fixture: &dyn LogFixture, how: Restart) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut pushed = Vec::new();
    let mut durable = Vec::new();
    for round in 1..=3u64 {
        pushed.extend(bench.push_some(6)?);
        let mut consumer = bench.subscribe("storage", &durable)?;
        let done = (round - 1) as usize * 4;
        let records = bench.drain(&mut *consumer, pushed.len() - done)?;
        expect(&records, &pushed[done..])?;
        let first = records[0].position.offset;
        ensure!(
            first == done as u64 + 1,
            "record {} was delivered at {first}",
            done + 1
        );
        durable = last(&records[..4]);
        worked("commit", consumer.commit(&durable))?;
        drop(consumer);
        let clock = bench.clock.unix_ns();
        bench.clock.set(clock - SECOND);
        bench.restart(how)?;
        let accepted = bench.accepted()?;
        let expected = 18 * round;
        ensure!(
            accepted == expected,
            "{accepted} spans accepted of {expected}"
        );
    }
    let left = bench.drain(&mut *bench.subscribe("storage", &durable)?, 6)?;
    expect(&left, &pushed[12..])?;
    let new = bench.push_some(1)?;
    let all = bench.drain(&mut *bench.subscribe("storage", &durable)?, 7)?;
    // Also across the restart: no offset is used twice, and no arrival time goes back.
    expect(&all, &[&pushed[12..], &new[..]].concat())
}
