//! What reading the log back costs: joins a group of its own, polls until it has everything, tells spans
//! per second and CPU seconds per million spans.
//!
//!     cargo run --release -p tracewell-storage-kafka --example drain -- BROKERS TOPIC
#![allow(clippy::print_stdout)] // a tool

use std::sync::Arc;
use std::time::Duration;

use tracewell_model::Clock;
use tracewell_model::clock::SystemClock;
use tracewell_storage::{Error, SpanLog};
use tracewell_storage_kafka::{KafkaLog, Options, check};

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options::default();
    options.brokers = arguments.next().unwrap_or(options.brokers);
    options.topic = arguments.next().unwrap_or(options.topic);
    check(&options)?;
    let log = KafkaLog::open(options, Arc::new(SystemClock), &[])?;
    let group = format!("drain-{}", std::process::id());
    let mut consumer = log.subscribe(&group, &[])?;
    let (mut spans, mut records, mut idle) = (0usize, 0usize, 0);
    let (mut begun, mut ended) = (None, 0);
    while idle < 20 {
        let polled = consumer.poll(8_192, Duration::from_millis(100))?;
        idle = if polled.is_empty() && spans > 0 {
            idle + 1
        } else {
            0
        };
        if !polled.is_empty() {
            begun.get_or_insert_with(|| (SystemClock.monotonic_ns(), cpu_s()));
            ended = SystemClock.monotonic_ns();
        }
        records += polled.len();
        spans += polled
            .iter()
            .map(|record| record.batch.len())
            .sum::<usize>();
    }
    let (begun_ns, begun_cpu_s) = begun.unwrap_or_default();
    let (seconds, cpu_s) = ((ended - begun_ns) as f64 / 1e9, cpu_s() - begun_cpu_s);
    println!(
        "{spans} spans in {records} records: {:.0} spans/s, {:.2} CPU-s per million",
        spans as f64 / seconds,
        cpu_s / spans as f64 * 1e6
    );
    Ok(())
}

/// User and system time of this process; the kernel counts in hundredths.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
