//! What saving and reading figures cost, against the Redis of `STACK_REDIS`:
//! `cargo run --release -p tracewell-storage-redis --example redis_figures -- 1000000`
#![allow(clippy::print_stdout)] // a program for developers, whose output is its answer

use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_model::clock::ManualClock;
use tracewell_model::clock::SystemClock;
use tracewell_storage::conformance::traffic::{cpu_s, quantiles_ms, records};
use tracewell_storage::stats::{StatsReader, Window};
use tracewell_storage::{Error, Sink};
use tracewell_storage_redis::{Redis, RedisReader, RedisWriter, Settings};
use tracewell_workers::aggregator::Aggregator;

const SECOND: u64 = 1_000_000_000;

fn main() -> Result<(), Error> {
    let spans: u64 = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let url = std::env::var("STACK_REDIS").map_err(|_| Error::invalid("no STACK_REDIS"))?;
    let settings = Settings {
        url,
        prefix: format!("figures-{:08x}:", fastrand::u32(..)),
        log: "figures".to_owned(),
    };
    let start = 1_700_000_400 * SECOND;
    let clock = Arc::new(ManualClock::at(start));
    let redis = Redis::new(settings, clock.clone())?;
    let mut sink = Aggregator::new(Arc::new(RedisWriter::open(redis.clone())?));
    let records: Vec<_> = records(1, spans, start).collect();
    let cpu = cpu_s();
    let mut now = start;
    for record in &records {
        sink.apply(std::slice::from_ref(record))?;
        while record.arrived_unix_ns > now + SECOND {
            now += SECOND;
            clock.set(now);
            sink.tick(now)?;
        }
    }
    sink.flush()?;
    let million = spans as f64 / 1e6;
    let per_million = (cpu_s() - cpu) / million;
    println!("aggregated and saved {spans} spans, {per_million:.2} CPU-s per million");

    let reader = RedisReader::new(redis);
    let window = Window {
        from_unix_ns: now - 300 * SECOND,
        to_unix_ns: now,
        steps: 30,
    };
    let time = |name: &str, read: &mut dyn FnMut() -> Result<usize, Error>| {
        let (mut times, mut rows) = (Vec::new(), 0);
        for _ in 0..1_000 {
            let from = SystemClock.monotonic_ns();
            rows = read()?;
            times.push(SystemClock.monotonic_ns() - from);
        }
        let first = times[0] as f64 / 1e6;
        let (p50, p99) = quantiles_ms(times);
        println!("{name}: {rows} rows, first {first:.2} ms, p50 {p50:.3} ms, p99 {p99:.3} ms");
        Ok::<_, Error>(())
    };
    time("overview", &mut || {
        Ok(reader.read_services(&window)?.rows.len())
    })?;
    time("operations", &mut || {
        Ok(reader.read_operations("service-7", &window)?.rows.len())
    })?;
    time("graph", &mut || Ok(reader.read_graph(&window)?.rows.len()))
}
