//! One span through all the rooms, an assertion at each stop of ARCHITECTURE.md. The rooms are the
//! real ones, on a real directory; only the threads are missing: the test takes each step itself.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracewell_collector::Collector;
use tracewell_model::clock::ManualClock;
use tracewell_model::{BatchBuilder, Clock, TraceId};
use tracewell_query::{Metrics, Querier, QueryConfig, Readers, StatusReport, StatusSource};
use tracewell_storage::{ReadContext, Sink, SpanLog, StatsWriter, TraceReader};
use tracewell_storage_embedded::engine::{Engine, EngineOptions};
use tracewell_storage_embedded::fs::StdFs;
use tracewell_storage_embedded::log::{self, EmbeddedLog};
use tracewell_storage_embedded::stats::EmbeddedStats;
use tracewell_wire::{Report, spans_json};
use tracewell_workers::{Options, Step, aggregator, storage_writer};

const NOW: u64 = 1_767_225_600_000_000_000;
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn body() -> String {
    json!([{
        "trace_id": TRACE, "span_id": "00f067aa0ba902b7", "parent_span_id": "00f067aa0ba902b6",
        "service_name": "checkout", "operation_name": "POST /checkout",
        "start_time_unix_ns": NOW - 1_000_000_000, "duration_ms": 12.5, "status": "error",
        "tags": {"http.status_code": 500, "user_id": "u-17"}
    }])
    .to_string()
}

struct NoStatus;

impl StatusSource for NoStatus {
    fn status(&self) -> StatusReport {
        StatusReport::default()
    }
}

async fn ask(router: &axum::Router, path: &str) -> (u16, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
}

#[tokio::test]
async fn follow_one_span() {
    let dir = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let fs = StdFs::shared();
    let groups = vec![
        storage_writer::GROUP.to_owned(),
        aggregator::GROUP.to_owned(),
    ];
    let options = log::Options {
        groups,
        ..log::Options::default()
    };
    let (log, _) = EmbeddedLog::open(fs.clone(), dir.path(), options, clock.clone()).unwrap();
    let log = Arc::new(log);
    let engine = Engine::open(
        fs.clone(),
        dir.path(),
        clock.clone(),
        EngineOptions::default(),
    )
    .unwrap();
    let stats = Arc::new(EmbeddedStats::open(fs, dir.path(), clock.clone()).unwrap());

    // Decoding, by itself: bytes become a batch, nothing is refused.
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    spans_json::decode(body().as_bytes(), &mut builder, &mut report).unwrap();
    assert_eq!((report.accepted, report.refused_count()), (1, 0));
    assert_eq!(builder.finish_one().span(0).service(), "checkout");

    // HTTP body, admission, decoding, append, answer: 202, and an empty body.
    let collector = Collector::new(
        log.clone(),
        clock.clone(),
        tracewell_collector::Config::default(),
    );
    let request = Request::post("/v1/spans")
        .header("content-type", "application/json")
        .body(Body::from(body()))
        .unwrap();
    let response = collector.http_routes().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 202);
    assert!(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .is_empty()
    );
    assert_eq!(collector.in_flight_bytes(), 0, "the budget was given back");
    let counters = collector.counters();
    assert_eq!(
        (
            counters.received,
            counters.accepted,
            counters.refused_count()
        ),
        (1, 1, 0)
    );

    // The span log: one record, and the account knows it.
    assert_eq!((log.status().accepted_spans, log.status().records), (1, 1));

    // Workers: each group takes the record from the log into its sink.
    let sink = Box::new(engine.sink());
    let mut storage =
        storage_writer::start(&*log, sink, clock.clone(), Options::default()).unwrap();
    let mut figures =
        aggregator::start(&*log, stats.clone(), clock.clone(), Options::default()).unwrap();
    for worker in [&mut storage, &mut figures] {
        let steps: Vec<Step> = (0..2).map(|_| worker.step(Duration::ZERO)).collect();
        assert!(steps.contains(&Step::Applied { spans: 1 }), "{steps:?}");
    }

    // Store and index: in the head at once, in a segment after the flush, and only then durable.
    assert_eq!((engine.status().stored, engine.status().head_spans), (1, 1));
    assert!(engine.sink().durable().is_empty());
    storage.finish();
    figures.finish();
    assert_eq!(
        (engine.status().head_spans, engine.status().segment_spans),
        (0, 1)
    );
    assert_eq!(
        (engine.sink().durable()[0].offset, stats.durable()[0].offset),
        (1, 1)
    );

    // Reading: the segment gives the span back.
    let traces = Arc::new(engine.traces());
    let context = ReadContext::new(clock.clone(), 1_000_000_000);
    let found = traces
        .get_trace(TraceId::from_hex(TRACE).unwrap(), &context)
        .unwrap();
    assert_eq!(found.spans().next().unwrap().operation(), "POST /checkout");

    // Assembly and the answer: an orphan, so partial wins over error (D4), and everything verbatim.
    let readers = Readers {
        traces: traces.clone(),
        finder: traces.clone(),
        scanner: traces.clone(),
        exporter: traces,
        stats,
        refusals: Default::default(),
        sampling: None,
    };
    let querier = Arc::new(Querier::new(readers, clock, QueryConfig::default()));
    let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
    let api = tracewell_query::routes(querier, Arc::new(NoStatus), metrics);
    let (status, answer) = ask(&api, &format!("/api/traces/{TRACE}")).await;
    let trace: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!((status, &trace["status"]), (200, &json!("partial")));
    assert_eq!(trace["orphans"], json!(["00f067aa0ba902b7"]));
    assert_eq!(trace["error_count"], 1);
    assert_eq!(
        trace["spans"][0]["tags"],
        json!({"http.status_code": 500, "user_id": "u-17"})
    );
    assert_eq!(trace["complete"], true);

    // Search finds it, and the overview has its figures.
    let (_, hits) = ask(
        &api,
        "/api/traces?service=checkout&tag=http.status_code=500",
    )
    .await;
    let hits: Value = serde_json::from_slice(&hits).unwrap();
    assert_eq!(hits["traces"][0]["trace_id"], TRACE);
    let (_, services) = ask(&api, "/api/services").await;
    let services: Value = serde_json::from_slice(&services).unwrap();
    assert_eq!(services["metrics"][0]["request_count"], 1);
    assert_eq!(services["metrics"][0]["error_rate"], 1.0);

    // The page: the UI is served for the trace's own address.
    let (status, page) = ask(&api, &format!("/trace/{TRACE}")).await;
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&page).contains("<script"));
}
