//! What writing and reading cost, against the Cassandra of `STACK_CASSANDRA`:
//! `cargo run --release -p tracewell-storage-cassandra --example cassandra_figures -- 1000000`. The keyspace
//! stays, so that its bytes can be counted.
#![allow(clippy::print_stdout)] // a program for developers, whose output is its answer

use std::sync::Arc;

use tracewell_model::clock::SystemClock;
use tracewell_model::{Clock, SpanBatch, TraceId};
use tracewell_storage::conformance::spans::{SpanSpec, batch, trace_id};
use tracewell_storage::conformance::traffic::{cpu_s, quantiles_ms, records};
use tracewell_storage::{DeadLetters, Error, Position, ReadContext, Record, Sink, TraceReader};
use tracewell_storage_cassandra::{Cassandra, CassandraReader, CassandraSink, Settings, schema};

struct Refuse;

impl DeadLetters for Refuse {
    fn set_aside(&self, _spans: SpanBatch, reason: &str) -> Result<(), Error> {
        Err(Error::invalid(reason))
    }
}

fn main() -> Result<(), Error> {
    let spans: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let node =
        std::env::var("STACK_CASSANDRA").map_err(|_| Error::invalid("no STACK_CASSANDRA"))?;
    let settings = Settings {
        nodes: vec![node],
        keyspace: format!("figures_{:08x}", fastrand::u32(..)),
        ..Settings::default()
    };
    println!("keyspace {}", settings.keyspace);
    let cassandra = Cassandra::connect(settings)?;
    schema::migrate(&cassandra)?;
    let mut sink = CassandraSink::open(cassandra.clone(), Arc::new(Refuse))?;
    let reader = CassandraReader::open(cassandra)?;

    let records: Vec<Record> = records(1, spans, SystemClock.unix_ns()).collect();
    let (cpu, from) = (cpu_s(), SystemClock.monotonic_ns());
    for together in records.chunks(20) {
        sink.apply(together)?;
    }
    let (cpu, s) = (
        cpu_s() - cpu,
        (SystemClock.monotonic_ns() - from) as f64 / 1e9,
    );
    let million = spans as f64 / 1e6;
    println!(
        "written {spans} spans in {s:.1} s, {:.2} CPU-s per million",
        cpu / million
    );

    let read = |id: TraceId| {
        let from = SystemClock.monotonic_ns();
        let context = ReadContext::new(Arc::new(SystemClock), 60_000_000_000);
        let found = reader.get_trace(id, &context)?;
        Ok::<_, Error>((found.len(), SystemClock.monotonic_ns() - from))
    };
    let mut times = Vec::new();
    for _ in 0..2_000 {
        let record = &records[fastrand::usize(0..records.len())];
        times.push(read(record.batch.span(0).trace_id())?.1);
    }
    let (p50, p99) = quantiles_ms(times);
    println!("by id: p50 {p50:.2} ms, p99 {p99:.2} ms");

    for offset in 0..100 {
        let span = |n| SpanSpec::new(9, offset * 1_000 + n, n).with("n", n as i64);
        let batch = Arc::new(batch(&(1..=1_000).map(span).collect::<Vec<_>>()));
        let position = Position {
            partition: 1,
            offset,
        };
        sink.apply(&[Record {
            position,
            arrived_unix_ns: 0,
            batch,
        }])?;
    }
    for _ in 0..3 {
        let (count, ns) = read(trace_id(9))?;
        println!("by id, {count} spans: {:.2} s", ns as f64 / 1e9);
    }
    Ok(())
}
