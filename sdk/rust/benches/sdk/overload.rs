//! A ring that fills up and overflows, the collector dead: what the producer feels before and after, which
//! spans are left, and whether the counts are right.

use tracewell_sdk::DropReason;
use tracewell_sdk::internals::Finished;

use crate::collectors;
use crate::latency::Latencies;
use crate::table::Row;

const RING: u64 = 50_000;
const OVER: u64 = 1_000_000;

pub(crate) fn rows() -> Vec<Row> {
    let tracer = collectors::tracer("dead");
    let phase = |what: &str, spans: u64| {
        let mut latencies = Latencies::new();
        for _ in 0..spans {
            let span = Finished::of(tracer.start("work")).unwrap();
            latencies.time(|| span.enqueue());
        }
        Row {
            group: "a ring of 50,000 while it fills and overflows",
            what: what.to_owned(),
            figures: vec![
                ("p50, ns", latencies.percentile(0.5)),
                ("p99, ns", latencies.percentile(0.99)),
                ("max, µs", (latencies.percentile(1.0) / 1000.0).round()),
            ],
        }
    };
    let mut rows = vec![
        phase("filling: 50,000 spans into an empty ring", RING),
        phase("overflowing: 1,000,000 more", OVER),
    ];
    let account = tracer.account();
    rows.push(Row {
        group: "its account",
        what: "after 1,050,000 spans".to_owned(),
        figures: vec![
            (
                "dropped as the oldest",
                account.dropped(DropReason::RingFull) as f64,
            ),
            ("queued", account.queued as f64),
            (
                "unaccounted",
                (account.ended - account.dropped_total() - account.queued) as f64,
            ),
        ],
    });
    rows
}
