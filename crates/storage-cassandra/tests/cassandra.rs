//! Against a real Cassandra, whose address is in `STACK_CASSANDRA`: the suite of every store, with
//! the memory backend as its finder, and what only a row store can get wrong.

mod sampling;
mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use support::{Place, place};
use tracewell_model::TraceId;
use tracewell_model::clock::{ManualClock, SystemClock};
use tracewell_storage::conformance::spans::{batch, specs, trace_id};
use tracewell_storage::conformance::{
    Durability, OpenStore, Restart, SpanSpec, StoreFixture, expect_passed, store_suite,
};
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::scan::SpanScanner;
use tracewell_storage::{Error, Position, ReadContext, Record, Sink, TraceFinder, TraceReader};
use tracewell_storage_cassandra::{Cassandra, CassandraReader, CassandraSink, Settings, schema};

const NOW: u64 = 1_700_000_000_000_000_000;

/// All cases share one keyspace, emptied for each.
struct Fixture {
    place: Place,
    used: Used,
}

/// The traces that the keyspace holds.
type Used = Arc<Mutex<BTreeSet<TraceId>>>;

/// Both stores fed alike: Cassandra answers by id, memory finds.
struct Both {
    cassandra: CassandraSink,
    memory: MemoryStore,
    used: Used,
    /// What the group committed: the log's part, which a restart of the store leaves alone.
    committed: Vec<Position>,
}

struct Open {
    place: Place,
    sink: Both,
    reader: CassandraReader,
}

impl Open {
    fn at(place: Place, memory: MemoryStore, used: Used, committed: Vec<Position>) -> Open {
        let sink = Both {
            cassandra: place.sink(),
            memory,
            used,
            committed,
        };
        let reader = place.reader();
        Open {
            place,
            sink,
            reader,
        }
    }
}

impl Sink for Both {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        let spans = records.iter().flat_map(|record| record.batch.spans());
        let mut used = self.used.lock().expect("no test panics meanwhile");
        used.extend(spans.map(|span| span.trace_id()));
        self.memory.apply(records)?;
        self.cassandra.apply(records)
    }

    fn durable(&self) -> Vec<Position> {
        let durable = self.cassandra.durable();
        if durable.is_empty() {
            return self.committed.clone();
        }
        durable
    }

    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        self.cassandra.tick(now_unix_ns)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.cassandra.flush()
    }
}

impl StoreFixture for Fixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn open_new(&self, _clock: Arc<ManualClock>) -> Box<dyn OpenStore> {
        let used = std::mem::take(&mut *self.used.lock().expect("no test panics meanwhile"));
        self.place.delete(used);
        let (place, used) = (self.place.clone(), self.used.clone());
        Box::new(Open::at(place, MemoryStore::new(), used, Vec::new()))
    }
}

impl OpenStore for Open {
    fn sink(&mut self) -> &mut dyn Sink {
        &mut self.sink
    }

    fn reader(&self) -> &dyn TraceReader {
        &self.reader
    }

    fn finder(&self) -> &dyn TraceFinder {
        &self.sink.memory
    }

    fn scanner(&self) -> &dyn SpanScanner {
        &self.reader
    }

    fn restart(self: Box<Self>, _how: Restart) -> Box<dyn OpenStore> {
        let committed = self.sink.durable();
        let Both { memory, used, .. } = self.sink;
        Box::new(Open::at(self.place, memory, used, committed))
    }
}

#[test]
fn cassandra_does_what_every_store_must() {
    let Some(place) = place() else { return };
    let used = Used::default();
    let passed = expect_passed(store_suite(&Fixture { place, used }));
    assert!(passed.left_out.is_empty(), "{passed:?}");
}

fn record(offset: u64, spans: &[SpanSpec]) -> Record {
    Record {
        position: Position {
            partition: 0,
            offset,
        },
        arrived_unix_ns: NOW,
        batch: Arc::new(batch(spans)),
    }
}

fn get(reader: &CassandraReader, id: TraceId) -> Vec<SpanSpec> {
    let context = ReadContext::new(Arc::new(SystemClock), 60_000_000_000);
    let found = reader.get_trace(id, &context).expect("Cassandra answers");
    assert_eq!(found.incomplete, [""; 0]);
    found.spans().map(SpanSpec::of).collect()
}

#[test]
fn a_trace_of_many_pages_comes_whole() {
    let Some(place) = place() else { return };
    let (mut sink, reader) = (place.sink(), place.reader());
    let spans: Vec<_> = (1..=12_345)
        .map(|number| SpanSpec::new(1, number, NOW + number).with("n", number as i64))
        .collect();
    let requests = (1..).zip(spans.chunks(1_000));
    let records: Vec<_> = requests.map(|(at, spans)| record(at, spans)).collect();
    sink.apply(&records).expect("Cassandra takes them");
    let mut got = get(&reader, trace_id(1));
    got.sort_by_key(|span| span.span_id);
    assert!(got == spans, "{} of {} spans", got.len(), spans.len());
}

#[test]
fn a_span_larger_than_a_row_is_set_aside_and_costs_no_neighbour() {
    let Some(place) = place() else { return };
    let place = place.with(Settings {
        row_bytes_max: 10_000,
        ..place.settings.clone()
    });
    let mut sink = place.sink();
    let small = SpanSpec::new(1, 1, NOW);
    let large = SpanSpec::new(1, 2, NOW).with("sql", "x".repeat(10_000).as_str());
    sink.apply(&[record(1, &[small.clone(), large.clone()])])
        .expect("Cassandra takes the small one");
    assert_eq!(get(&place.reader(), trace_id(1)), [small]);
    let aside = place.aside.0.lock().expect("nobody panicked");
    let (spans, reason) = &aside[0];
    assert_eq!(specs(spans), [large]);
    assert_eq!(reason, "the span is larger than a row of 10000 bytes");
    assert_eq!(sink.durable()[0].offset, 1);
}

#[test]
fn tables_are_made_once_and_checked_by_everyone() {
    let Some(place) = place() else { return };
    assert_eq!(
        schema::migrate(&place.cassandra()).expect("it may run again"),
        0
    );
    let elsewhere = place.with(Settings {
        keyspace: format!("{}_none", place.settings.keyspace),
        ..place.settings.clone()
    });
    let missing = CassandraReader::open(elsewhere.cassandra()).expect_err("there is no keyspace");
    assert!(
        missing.message.contains("`tracewell schema` makes them"),
        "{missing}"
    );
    let hostile = Settings {
        keyspace: "a; DROP KEYSPACE b".to_owned(),
        ..place.settings
    };
    let refused = Cassandra::connect(hostile);
    assert!(refused.is_err_and(|error| error.class == tracewell_storage::Class::Invalid));
}
