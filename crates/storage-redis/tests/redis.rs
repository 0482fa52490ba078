//! Against a real Redis, whose address is in `STACK_REDIS`: the suite of every backend, several
//! aggregators against one, and what an outage leaves.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use support::{NOW, Place, SECOND, aggregator, figures_of, minutes, place, records};
use tracewell_model::TraceId;
use tracewell_storage::conformance::{
    Durability, OpenStats, Restart, StatsFixture, expect_passed, stats_suite,
};
use tracewell_storage::stats::{StatsReader, StatsWriter, Window};
use tracewell_storage::{Record, Sink};
use tracewell_storage_redis::{ErrorFlags, Flagging, RedisReader, RedisWriter};

use tracewell_model::clock::ManualClock;
use tracewell_workers::aggregator::Aggregator;

struct Fixture;

struct Open {
    place: Place,
    writer: RedisWriter,
    reader: RedisReader,
}

impl Open {
    fn at(place: Place) -> Open {
        let writer = RedisWriter::open(place.redis()).expect("Redis answers");
        let reader = RedisReader::new(place.redis());
        Open {
            place,
            writer,
            reader,
        }
    }
}

impl StatsFixture for Fixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenStats> {
        Box::new(Open::at(place(clock).expect("the caller looked")))
    }
}

impl OpenStats for Open {
    fn writer(&self) -> &dyn StatsWriter {
        &self.writer
    }

    fn reader(&self) -> &dyn StatsReader {
        &self.reader
    }

    fn settle(&self) {
        self.writer.flush().expect("Redis answers");
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenStats> {
        if how == Restart::CleanStop {
            self.writer.flush().expect("Redis answers");
        }
        Box::new(Open::at(self.place))
    }
}

#[test]
fn redis_does_what_every_backend_of_statistics_must() {
    if place(Arc::default()).is_none() {
        return;
    }
    let passed = expect_passed(stats_suite(&Fixture));
    assert!(passed.left_out.is_empty(), "{passed:?}");
}

/// Plays records through aggregators, each with a third of the partitions. One is killed each time
/// `kill` says so, with what it had not saved, and another one goes on from what is saved.
fn play(place: &Place, records: &[Record], aggregators: u32, kill: impl Fn(u64, u32) -> bool) {
    let mut sinks: Vec<_> = (0..aggregators).map(|_| aggregator(place)).collect();
    let of = |number: u32, records: &[Record]| -> Vec<Record> {
        let mine = |record: &&Record| record.position.partition % aggregators == number;
        records.iter().filter(mine).cloned().collect()
    };
    for (second, to) in (1..).zip((24..=records.len()).step_by(24)) {
        let now = NOW + second * SECOND;
        place.clock.set(now);
        for (number, sink) in (0..aggregators).zip(&mut sinks) {
            sink.apply(&of(number, &records[to - 24..to]))
                .expect("it only counts");
            sink.tick(now).expect("figures wait at worst");
            if kill(second, number) {
                *sink = aggregator(place);
                let saved: BTreeMap<u32, u64> = sink
                    .durable()
                    .into_iter()
                    .map(|p| (p.partition, p.offset))
                    .collect();
                let mut again = of(number, &records[..to]);
                again.retain(|record| {
                    let saved = saved.get(&record.position.partition);
                    record.position.offset > saved.copied().unwrap_or(0)
                });
                sink.apply(&again).expect("it only counts");
            }
        }
    }
    let flush = |sink: &mut Aggregator| sink.flush().expect("Redis answers");
    sinks.iter_mut().for_each(flush);
}

#[test]
fn three_aggregators_give_the_figures_of_one_also_when_they_are_killed() {
    let (Some(one), Some(three), Some(killed)) = (
        place(Arc::default()),
        place(Arc::default()),
        place(Arc::default()),
    ) else {
        return;
    };
    let records = records();
    play(&one, &records, 1, |_, _| false);
    play(&three, &records, 3, |_, _| false);
    play(&killed, &records, 3, |second, number| {
        second % 17 == u64::from(number) * 5 + 3
    });
    let alone = figures_of(&one);
    assert!(alone.len() > 20, "{} rows prove little", alone.len());
    assert!(
        alone == figures_of(&three),
        "three count otherwise than one"
    );
    // Figures and positions are saved together: not even what is redelivered counts twice. Edges
    // may be fewer: the join window dies with its aggregator.
    let operations = |place| {
        let mut rows = figures_of(place);
        rows.retain(|(name, _), _| !name.starts_with('→'));
        rows
    };
    assert!(
        operations(&one) == operations(&killed),
        "a kill changed figures"
    );
}

#[test]
fn the_documented_keys_hold_the_sliding_window() {
    let Some(place) = place(Arc::default()) else {
        return;
    };
    play(&place, &records(), 3, |_, _| false);
    let now = place.clock_now();
    let reader = RedisReader::new(place.redis());
    let window = Window {
        from_unix_ns: now - 300 * SECOND,
        to_unix_ns: now,
        steps: 0,
    };
    for service in ["payment-service", "a:b"] {
        let rows = reader.read_operations(service, &window).unwrap().rows;
        assert!(!rows.is_empty(), "{service} has no operations");
        for row in rows {
            let operation = row.operation.replace('%', "%25");
            let key = format!("service:{}:{operation}", service.replace(':', "%3A"));
            let read = |field: &str| place.hget(&key, field).expect("the key is there");
            let near = |field: &str, number: f64| {
                let read: f64 = read(field).parse().expect("a number");
                assert!((read - number).abs() <= 0.001, "{key} {field}: {read}");
            };
            near("request_count", row.figures.count as f64);
            let errors = row.figures.error_count as f64 / row.figures.count as f64;
            near("error_rate", errors);
            let p99_ns = row.figures.latency.quantile(0.99).unwrap();
            near("p99_ms", p99_ns as f64 / 1e6);
        }
    }
}

/// The packed keys and the slots are two ways to the same figures.
#[test]
fn a_packed_read_answers_what_the_slots_do() {
    let Some(place) = place(Arc::default()) else {
        return;
    };
    play(&place, &records(), 3, |_, _| false);
    let packed = minutes(&place, 5);
    assert!(!packed.is_empty());
    place.del("tracewell:packed");
    assert!(packed == minutes(&place, 5), "packed figures differ");
}

#[test]
fn without_redis_the_last_answer_is_shown_and_marked_stale() {
    let Some(place) = place(Arc::default()) else {
        return;
    };
    play(&place, &records(), 1, |_, _| false);
    let door = support::Door::before(&place);
    let reader = RedisReader::new(door.place.redis());
    let writer = RedisWriter::open(door.place.redis()).expect("Redis answers");
    let window = |to_unix_ns| Window {
        from_unix_ns: to_unix_ns - 300 * SECOND,
        to_unix_ns,
        steps: 30,
    };
    let now = place.clock_now();
    let fresh = reader.read_services(&window(now)).unwrap();
    assert!(!fresh.rows.is_empty() && fresh.incomplete.is_empty());
    door.shut();
    place.clock.advance(42 * SECOND);
    let stale = reader.read_services(&window(now + 42 * SECOND)).unwrap();
    assert_eq!(stale.rows, fresh.rows);
    assert!(
        stale.incomplete[0].contains("stale, they were read 42 s ago"),
        "{:?}",
        stale.incomplete
    );
    // What was never asked before has no last answer, and the writer says that figures wait.
    let unknown = reader.read_operations("a:b", &window(now)).unwrap_err();
    assert_eq!(unknown.class, tracewell_storage::Class::Retryable);
    let mut waiting = aggregator_of(writer);
    let records = records();
    waiting.apply(&records[..9]).unwrap();
    waiting.tick(now + 60 * SECOND).unwrap();
    assert!(waiting.flush().is_err());
    door.open();
    place.clock.advance(5 * SECOND);
    waiting.flush().expect("Redis is back");
    assert!(
        reader
            .read_services(&window(now))
            .unwrap()
            .incomplete
            .is_empty()
    );
}

fn aggregator_of(writer: RedisWriter) -> Aggregator {
    Aggregator::new(Arc::new(writer))
}

#[test]
fn error_flags_are_those_of_traces_that_failed() {
    let Some(place) = place(Arc::default()) else {
        return;
    };
    let flags = ErrorFlags::new(place.redis(), 3_600);
    let records = records();
    // As the aggregator's role does it: on the way to the figures.
    let mut role = Flagging {
        sink: aggregator_of(RedisWriter::open(place.redis()).unwrap()),
        flags: ErrorFlags::new(place.redis(), 3_600),
    };
    role.apply(&records).unwrap();
    let spans = || records.iter().flat_map(|record| record.batch.spans());
    let mut ids: Vec<TraceId> = spans().map(|span| span.trace_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let failed = |id: &TraceId| spans().any(|span| span.trace_id() == *id && span.is_error());
    let expected: Vec<bool> = ids.iter().map(failed).collect();
    assert_eq!(flags.get(&ids).unwrap(), expected);
    let set = expected.iter().filter(|&&flag| flag).count();
    assert!(set > 0 && set < ids.len());
    assert_eq!(flags.set(&records).unwrap(), set, "once more says the same");
    let flagged = ids.iter().zip(&expected).find(|(_, flag)| **flag).unwrap();
    let ttl_s = place.ttl_s(&format!("error:{}", flagged.0));
    assert!((3_000..=3_600).contains(&ttl_s), "{ttl_s}");
}
