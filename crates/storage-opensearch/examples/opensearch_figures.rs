//! What writing and searching cost, against the OpenSearch of `STACK_OPENSEARCH`:
//! `cargo run --release -p tracewell-storage-opensearch --example opensearch_figures -- 1000000`. The indices
//! stay, so that their bytes can be counted.
#![allow(clippy::print_stdout)] // a program for developers, whose output is its answer

use std::sync::Arc;

use tracewell_model::clock::SystemClock;
use tracewell_model::{Clock, SpanBatch};
use tracewell_storage::conformance::traffic::{cpu_s, quantiles_ms, records};
use tracewell_storage::find::{TagCondition, TagFilter};
use tracewell_storage::{DeadLetters, Error, ReadContext, Sink, TraceFinder, TraceQuery};
use tracewell_storage_opensearch::{OpenSearchFinder, OpenSearchSink, Settings, migrate};

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
    let url =
        std::env::var("STACK_OPENSEARCH").map_err(|_| Error::invalid("no STACK_OPENSEARCH"))?;
    let settings = Settings {
        url,
        prefix: format!("figures{:08x}", fastrand::u32(..)),
        ..Settings::default()
    };
    println!("indices {}-*", settings.prefix);
    migrate(&settings)?;
    let mut sink = OpenSearchSink::new(settings.clone(), Arc::new(Refuse))?;
    let start = SystemClock.unix_ns();
    let records: Vec<_> = records(1, spans, start).collect();
    let (cpu, from) = (cpu_s(), SystemClock.monotonic_ns());
    for together in records.chunks(20) {
        sink.apply(together)?;
    }
    sink.flush()?;
    let (cpu, s) = (
        cpu_s() - cpu,
        (SystemClock.monotonic_ns() - from) as f64 / 1e9,
    );
    let million = spans as f64 / 1e6;
    println!(
        "written {spans} spans in {s:.1} s, {:.2} CPU-s per million",
        cpu / million
    );
    println!("held {:.1} MB", sink.memory_bytes() as f64 / 1e6);

    let finder = OpenSearchFinder::new(settings)?;
    let context = || ReadContext::new(Arc::new(SystemClock), 60_000_000_000);
    let last = records[records.len() - 1].batch.span(0).start_unix_ns();
    let newest = TraceQuery {
        start_unix_ns: Some(last),
        limit: 1,
        ..TraceQuery::default()
    };
    // Until the next refresh.
    while finder.find_traces(&newest, &context())?.hits.is_empty() {}
    let queries: [fn() -> TraceQuery; 4] = [
        || TraceQuery {
            service: Some(format!("service-{}", fastrand::u8(0..50))),
            ..TraceQuery::default()
        },
        || TraceQuery {
            service: Some(format!("service-{}", fastrand::u8(0..50))),
            error: Some(true),
            min_duration_ns: Some(10_000_000),
            ..TraceQuery::default()
        },
        || TraceQuery {
            tags: vec![TagFilter {
                key: "user_id".to_owned(),
                condition: TagCondition::Equals(format!("user-{}", fastrand::u32(0..100_000))),
            }],
            ..TraceQuery::default()
        },
        || TraceQuery {
            service: Some(format!("service-{}", fastrand::u8(0..50))),
            span_error: Some(true),
            order: tracewell_storage::Order::Slowest,
            ..TraceQuery::default()
        },
    ];
    for (name, query) in ["service", "service, error, duration", "tag", "slowest"]
        .iter()
        .zip(queries)
    {
        let (mut times, mut hits) = (Vec::new(), 0);
        for _ in 0..100 {
            let query = TraceQuery {
                limit: 20,
                ..query()
            };
            let from = SystemClock.monotonic_ns();
            hits += finder.find_traces(&query, &context())?.hits.len();
            times.push(SystemClock.monotonic_ns() - from);
        }
        let (p50, p99) = quantiles_ms(times);
        println!("{name}: p50 {p50:.1} ms, p99 {p99:.1} ms, {hits} hits");
    }
    Ok(())
}
