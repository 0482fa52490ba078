//! Spans as services send them, for figures: eight to a trace, fifty services, some attributes of few
//! values and some of many, about 500 bytes each.

use std::sync::Arc;

use tracewell_model::{SpanKind, TraceId};

use super::spans::{Attributes, SpanSpec, batch, span_id};
use crate::log::{Position, Record};

/// Spans of one trace.
pub const SPANS_PER_TRACE: u64 = 8;

/// Records of 500 spans each, from a seed, of traces that begin a millisecond apart.
pub fn records(seed: u64, spans: u64, from_unix_ns: u64) -> impl Iterator<Item = Record> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let traces: Vec<u64> = (0..spans / SPANS_PER_TRACE).collect();
    let requests: Vec<Vec<u64>> = traces.chunks(62).map(<[u64]>::to_vec).collect();
    (1..).zip(requests).map(move |(offset, traces)| {
        let start = |trace| from_unix_ns + trace * 1_000_000;
        let spans = traces
            .iter()
            .flat_map(|&number| trace(&mut rng, start(number)));
        let batch = Arc::new(batch(&spans.collect::<Vec<_>>()));
        Record {
            position: Position {
                partition: 0,
                offset,
            },
            arrived_unix_ns: start(traces.last().copied().unwrap_or(0)),
            batch,
        }
    })
}

/// One trace: a chain of calls from an entry, of which one in fifty fails.
pub fn trace(rng: &mut fastrand::Rng, start_unix_ns: u64) -> Vec<SpanSpec> {
    let trace_id = TraceId(rng.u128(1..).to_be_bytes());
    let failed = rng.u8(0..50) == 0;
    let user = rng.u32(0..100_000);
    let ids: Vec<u64> = (0..SPANS_PER_TRACE).map(|_| rng.u64(1..)).collect();
    let span = |(depth, &id): (u64, &u64)| {
        let service = rng.u64(0..50);
        let operation = format!("GET /api/v1/resource{}/{{id}}", rng.u64(0..10));
        let start = start_unix_ns + depth * 700_000 + rng.u64(0..300_000);
        let mut span = SpanSpec::new(1, 1, start)
            .named(&format!("service-{service}"), &operation)
            .lasting(rng.u64(100_000..50_000_000) / (depth + 1))
            .with("http.request.method", "GET")
            .with("http.route", operation.as_str())
            .with(
                "http.response.status_code",
                if failed && depth == 7 { 500 } else { 200 },
            )
            .with(
                "url.path",
                format!("/api/v1/resource/{}", rng.u32(..)).as_str(),
            )
            .with(
                "user_agent.original",
                "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0",
            )
            .with(
                "server.address",
                format!("10.0.{}.{}", service, rng.u8(..)).as_str(),
            )
            .with("user_id", format!("user-{user}").as_str())
            .with("net.peer.port", i64::from(rng.u16(..)));
        (span.trace_id, span.span_id) = (trace_id, super::spans::span_id(id));
        span.kind = [SpanKind::Server, SpanKind::Client][(depth % 2) as usize];
        span.resource_attributes = resource(service);
        if depth > 0 {
            span.parent = Some(span_id(ids[depth as usize - 1]));
        }
        if failed && depth == 7 {
            span.failed()
        } else {
            span
        }
    };
    (0..).zip(&ids).map(span).collect()
}

fn resource(service: u64) -> Attributes {
    let text = |key: &str, value: String| (key.to_owned(), super::OwnedValue::Str(value));
    vec![
        text("service.name", format!("service-{service}")),
        text(
            "service.instance.id",
            format!("service-{service}-7d9f8b6c5-x2x{service}"),
        ),
        text(
            "k8s.pod.name",
            format!("service-{service}-7d9f8b6c5-x2x{service}"),
        ),
        text("k8s.node.name", format!("node-{}", service % 7)),
        text("telemetry.sdk.language", "java".to_owned()),
    ]
}

/// CPU seconds that this process has used.
pub fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    // User and system time, in ticks of a hundredth of a second.
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// The p50 and the p99 of some durations, in milliseconds.
pub fn quantiles_ms(mut ns: Vec<u64>) -> (f64, f64) {
    ns.sort_unstable();
    let at = |q: f64| ns.get(((ns.len() as f64 * q) as usize).min(ns.len().saturating_sub(1)));
    let ms = |q| at(q).map_or(0.0, |&ns| ns as f64 / 1e6);
    (ms(0.5), ms(0.99))
}
