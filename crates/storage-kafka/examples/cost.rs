//! What the log itself costs a process, on a Kafka that runs: appends spans in requests of 500, reads
//! them back in a group of its own, and tells CPU seconds per million spans of each.
//!
//!     cargo run --release -p tracewell-storage-kafka --example cost -- BROKERS [MILLION-SPANS] [PARTITIONS]
#![allow(clippy::print_stdout)] // a tool

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tracewell_model::clock::SystemClock;
use tracewell_model::{
    Attribute, BatchBuilder, Clock, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, StatusCode, TraceId, Value,
};
use tracewell_storage::{Ack, Error, SpanLog};
use tracewell_storage_kafka::{KafkaLog, Options};

const SPANS_PER_REQUEST: u64 = 500;
const SPANS_PER_TRACE: u64 = 10;
/// Requests under way at once, as from so many connections.
const UNDER_WAY: usize = 16;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let brokers = arguments.next().unwrap_or_default();
    let millions: f64 = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(1.0);
    let partitions = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12);
    let options = Options {
        brokers,
        topic: format!("cost-{}", std::process::id()),
        partitions,
        replicas: 1,
        in_sync_replicas_min: 1,
        ..Options::default()
    };
    let log = KafkaLog::open(options, Arc::new(SystemClock), &[])?;
    let requests = (millions * 1e6) as u64 / SPANS_PER_REQUEST;
    // Made before the clock starts, and sent again and again: what is measured is the log.
    let batches: Vec<Vec<SpanBatch>> = (0..64).map(|n| request(n, partitions)).collect();

    let meter = Meter::start();
    let (sender, receiver) = sync_channel(UNDER_WAY);
    let mut under_way = 0;
    for number in 0..requests {
        if under_way == UNDER_WAY {
            receiver
                .recv()
                .unwrap_or_else(|_| Err(Error::retryable("no answer")))?;
            under_way -= 1;
        }
        let sender = sender.clone();
        let done = move |outcome| drop(sender.send(outcome));
        log.append(
            batches[number as usize % batches.len()].clone(),
            Ack::Logged,
            Box::new(done),
        );
        under_way += 1;
    }
    for _ in 0..under_way {
        receiver
            .recv()
            .unwrap_or_else(|_| Err(Error::retryable("no answer")))?;
    }
    meter.tell("append", requests * SPANS_PER_REQUEST);

    let mut consumer = log.subscribe("cost", &[])?;
    let (mut meter, mut spans) = (Meter::start(), 0);
    while spans < requests * SPANS_PER_REQUEST {
        let records = consumer.poll(8_192, Duration::from_millis(100))?;
        if spans == 0 {
            meter = Meter::start(); // the group has formed
        }
        spans += records
            .iter()
            .map(|record| record.batch.len() as u64)
            .sum::<u64>();
    }
    meter.tell("read", spans);
    Ok(())
}

/// A request of 50 traces of three services, ten attributes a span.
fn request(number: u64, partitions: u16) -> Vec<SpanBatch> {
    let mut builder = BatchBuilder::new(partitions);
    let services = ["checkout", "payment", "inventory"];
    let origins = services.map(|service| {
        let attributes = [
            Attribute::new("service.name", Value::Str(service)),
            Attribute::new("host.name", Value::Str("node-7")),
        ];
        let resource = builder.resource(&ResourceInput {
            service,
            schema_url: "",
            attributes: &attributes,
            rest: &[],
        });
        let scope = builder.scope(&ScopeInput {
            name: "http",
            version: "1",
            schema_url: "",
            attributes: &[],
            rest: &[],
        });
        (resource, scope)
    });
    for span in 0..SPANS_PER_REQUEST {
        let trace = number * SPANS_PER_REQUEST + span / SPANS_PER_TRACE + 1;
        let user = format!("u-{}", trace % 977);
        let url = format!("/orders/{}", trace * 31 + span);
        let texts = [
            ("http.request.method", "POST"),
            ("http.route", "/orders/{id}"),
            ("url.path", url.as_str()),
            ("user_id", user.as_str()),
            ("server.address", "shop.internal"),
            ("network.protocol.version", "1.1"),
            ("deployment.environment", "production"),
            ("thread.name", "worker-3"),
        ];
        let mut attributes: Vec<_> = texts
            .iter()
            .map(|(key, value)| Attribute::new(key, Value::Str(value)))
            .collect();
        attributes.push(Attribute::new("http.response.status_code", Value::Int(200)));
        attributes.push(Attribute::new("retry", Value::Bool(false)));
        let mixed = trace.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let (resource, scope) = origins[(span % 3) as usize];
        builder.push(&SpanInput {
            trace_id: TraceId(
                ((u128::from(mixed) << 64) | u128::from(mixed.rotate_left(17) | 1)).to_be_bytes(),
            ),
            span_id: SpanId((mixed ^ (span + 1)).to_be_bytes()),
            parent: (span % SPANS_PER_TRACE > 0).then(|| SpanId(mixed.to_be_bytes())),
            resource,
            scope,
            start_unix_ns: 1_767_225_600_000_000_000 + number * 1_000_000 + span * 1_000,
            duration_ns: 1_000_000 + mixed % 9_000_000,
            operation: "POST /orders/{id}",
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: 1,
            attributes: &attributes,
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
    }
    builder.finish()
}

/// Time and CPU since a moment.
struct Meter {
    begun_ns: u64,
    begun_cpu_s: f64,
}

impl Meter {
    fn start() -> Meter {
        Meter {
            begun_ns: SystemClock.monotonic_ns(),
            begun_cpu_s: cpu_s(),
        }
    }

    fn tell(&self, what: &str, spans: u64) {
        let seconds = (SystemClock.monotonic_ns() - self.begun_ns) as f64 / 1e9;
        let (rate, cost) = (
            spans as f64 / seconds,
            (cpu_s() - self.begun_cpu_s) / spans as f64 * 1e6,
        );
        println!("{what}: {spans} spans, {rate:.0} spans/s, {cost:.2} CPU-s per million");
    }
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
