//! A router over the memory backend, fed with the spans of `/v1/spans` bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tower::ServiceExt as _;
use tracewell_model::clock::ManualClock;
use tracewell_model::{BatchBuilder, TraceId};
use tracewell_query::{
    AccountReport, DoorReport, GroupReport, LogReport, Metrics, Querier, QueryConfig, Readers,
    StatusReport, StatusSource,
};
use tracewell_storage::memory::{MemoryStats, MemoryStore};
use tracewell_storage::roll::RollCall;
use tracewell_storage::stats::{Answer, EdgeFigures, OperationFigures, ServiceFigures};
use tracewell_storage::{
    Account, Error, FoundTrace, ReadContext, Refusals, StatsReader, TraceReader, Window,
};

/// What the clock of every world shows.
pub(crate) const NOW: u64 = 1_700_000_000_000_000_000;

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) stats: MemoryStats,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) refusals: Refusals,
    pub(crate) trace_reads: Arc<AtomicUsize>,
    pub(crate) stats_reads: Arc<AtomicUsize>,
    pub(crate) router: Router,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A reader that is counted.
struct Counted<T> {
    reader: T,
    reads: Arc<AtomicUsize>,
}

impl<T> Counted<T> {
    fn read(&self) -> &T {
        self.reads.fetch_add(1, Ordering::SeqCst);
        &self.reader
    }
}

impl TraceReader for Counted<MemoryStore> {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        self.read().get_trace(id, context)
    }
}

impl StatsReader for Counted<MemoryStats> {
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        self.read().read_services(window)
    }

    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        self.read().read_operations(service, window)
    }

    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        self.read().read_graph(window)
    }

    fn read_roll(&self, service: &str) -> Result<RollCall, Error> {
        self.read().read_roll(service)
    }
}

pub(crate) struct Report;

impl StatusSource for Report {
    fn status(&self) -> StatusReport {
        let door = DoorReport {
            received: 10,
            accepted: 9,
            refused: 1,
            refused_by_reason: [("trace_id".to_owned(), 1)].into(),
        };
        let log = Account {
            accepted: 9,
            stored: 7,
            in_flight: 2,
            ..Account::default()
        };
        let group = GroupReport {
            group: "storage".to_owned(),
            ..GroupReport::default()
        };
        StatusReport {
            version: "0.1.0".to_owned(),
            roles: vec!["all".to_owned()],
            ready: true,
            listeners: [("query".to_owned(), "127.0.0.1:4320".to_owned())].into(),
            account: AccountReport::new(door, &log),
            log: LogReport {
                groups: vec![group],
                ..LogReport::default()
            },
            ..StatusReport::default()
        }
    }
}

/// The router over any readers.
pub(crate) fn router(readers: Readers, clock: Arc<ManualClock>, config: QueryConfig) -> Router {
    let querier = Querier::new(readers, clock, config);
    let metrics = Metrics::register(&mut Registry::default());
    tracewell_query::routes(Arc::new(querier), Arc::new(Report), metrics)
}

impl World {
    pub(crate) fn new() -> World {
        let (store, stats) = (MemoryStore::new(), MemoryStats::new());
        let clock = Arc::new(ManualClock::at(NOW));
        let (trace_reads, stats_reads) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let refusals = Refusals::default();
        let readers = Readers {
            traces: Arc::new(Counted {
                reader: store.clone(),
                reads: trace_reads.clone(),
            }),
            finder: Arc::new(store.clone()),
            scanner: Arc::new(store.clone()),
            exporter: Arc::new(store.clone()),
            stats: Arc::new(Counted {
                reader: stats.clone(),
                reads: stats_reads.clone(),
            }),
            refusals: refusals.clone(),
            sampling: None,
        };
        let router = router(readers, clock.clone(), QueryConfig::default());
        World {
            store,
            stats,
            clock,
            refusals,
            trace_reads,
            stats_reads,
            router,
        }
    }

    /// A world that holds these spans, a `/v1/spans` body.
    pub(crate) fn of(spans: &Value) -> World {
        let world = World::new();
        world.push(spans, NOW);
        world
    }

    pub(crate) fn push(&self, spans: &Value, arrived_unix_ns: u64) {
        self.push_body(&spans.to_string(), arrived_unix_ns);
    }

    pub(crate) fn push_body(&self, body: &str, arrived_unix_ns: u64) {
        let mut builder = BatchBuilder::new(1);
        let mut report = Default::default();
        tracewell_wire::spans_json::decode(body.as_bytes(), &mut builder, &mut report)
            .expect("a body of spans");
        assert_eq!(report.refused_count(), 0, "{}", report.refusals());
        self.store.push(builder.finish_one(), arrived_unix_ns);
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        ask(&self.router, Request::get(uri)).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &str) -> Reply {
        let request = Request::post(uri).body(Body::from(body.to_owned()));
        send(&self.router, request.expect("a request")).await
    }

    /// The JSON of an answer that must be 200.
    pub(crate) async fn ok(&self, uri: &str) -> Value {
        let reply = self.get(uri).await;
        assert_eq!(
            reply.status,
            200,
            "{uri}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        reply.json()
    }
}

pub(crate) async fn ask(router: &Router, request: http::request::Builder) -> Reply {
    send(router, request.body(Body::empty()).expect("a request")).await
}

async fn send(router: &Router, request: Request<Body>) -> Reply {
    let response = router.clone().oneshot(request).await.expect("infallible");
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .expect("a body in memory")
        .to_bytes()
        .to_vec();
    Reply {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body,
    }
}

/// A span of a `/v1/spans` body; parent 0 is none. `more` is merged in.
pub(crate) fn span(trace: u64, id: u64, parent: u64, more: &Value) -> Value {
    let mut span = serde_json::json!({
        "trace_id": format!("{trace:032x}"),
        "span_id": format!("{id:016x}"),
        "parent_span_id": (parent != 0).then(|| format!("{parent:016x}")),
        "service_name": "cart",
        "operation_name": "GET /cart",
        "start_time_unix_ns": NOW - 1_000_000_000 + id,
        "duration_ms": 1.5,
        "status": "ok",
        "tags": {},
    });
    let (Value::Object(span_members), Value::Object(more)) = (&mut span, more) else {
        panic!("an object is expected");
    };
    span_members.extend(more.clone());
    span
}

/// Percent-encodes everything but letters and digits.
pub(crate) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
