//! A collector over a log in memory, and bodies to send to it.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tracewell_collector::{Collector, Config};
use tracewell_model::SpanBatch;
use tracewell_model::clock::ManualClock;
use tracewell_storage::log::LogStatus;
use tracewell_storage::memory::MemoryLog;
use tracewell_storage::{Ack, Completion, Consumer, Error, Position, SpanLog};

pub(crate) const T: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("headers are ASCII"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A collector and the log behind it.
pub(crate) struct Door {
    pub(crate) collector: Collector,
    pub(crate) log: Arc<Recorder>,
}

/// The log in memory, noting the levels it was asked for; or one that never answers.
pub(crate) struct Recorder {
    pub(crate) inner: MemoryLog,
    pub(crate) acks: Mutex<Vec<Ack>>,
    /// Appends that are held back instead of made.
    pub(crate) held: Option<Mutex<Vec<Completion>>>,
}

impl SpanLog for Recorder {
    fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        self.acks.lock().expect("no panic while held").push(ack);
        match &self.held {
            Some(held) => held.lock().expect("no panic while held").push(done),
            None => self.inner.append(batches, ack, done),
        }
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        self.inner.subscribe(group, durable)
    }

    fn status(&self) -> LogStatus {
        self.inner.status()
    }
}

impl Door {
    pub(crate) fn new(change: impl FnOnce(&mut Config)) -> Door {
        Door::with_log(change, false)
    }

    pub(crate) fn with_log(change: impl FnOnce(&mut Config), held: bool) -> Door {
        let clock = Arc::new(ManualClock::at(1_700_000_000_000_000_000));
        let mut config = Config {
            shards: 4,
            log_timeout: Duration::from_secs(20),
            ..Config::default()
        };
        change(&mut config);
        let log = Arc::new(Recorder {
            inner: MemoryLog::new(clock.clone()),
            acks: Mutex::default(),
            held: held.then(Mutex::default),
        });
        let collector = Collector::new(log.clone(), clock, config);
        Door { collector, log }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.collector.http_routes().oneshot(request).await;
        let (head, body) = response.expect("the router is infallible").into_parts();
        let body = body
            .collect()
            .await
            .expect("the answer's body is whole")
            .to_bytes();
        Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        }
    }

    /// What must hold after every answer.
    pub(crate) fn check_account(&self, accepted: u64, refused: u64) {
        let counters = self.collector.counters();
        assert_eq!(counters.accepted, accepted, "accepted: {counters:?}");
        assert_eq!(counters.refused_count(), refused, "refused: {counters:?}");
        assert_eq!(
            counters.received,
            accepted + refused,
            "the account: {counters:?}"
        );
        assert_eq!(
            self.log.status().accepted_spans,
            accepted,
            "the log's own count"
        );
        assert_eq!(self.collector.in_flight_bytes(), 0);
        assert_eq!(self.collector.in_flight_requests(), 0);
    }
}

/// A POST with these headers.
pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request
        .body(body.into())
        .expect("the test's headers are sound")
}

/// `/v1/spans` with this many good spans.
pub(crate) fn spans(count: usize) -> String {
    let spans: Vec<String> = (1..=count).map(|id| span(&format!("{id:016x}"))).collect();
    format!("[{}]", spans.join(","))
}

/// One span for `/v1/spans`.
pub(crate) fn span(id: &str) -> String {
    format!(
        r#"{{"trace_id":"{T}","span_id":"{id}","parent_span_id":null,"service_name":"cart","operation_name":"GET","start_time_unix_ns":1700000000000000000,"duration_ms":1.5,"status":"ok","tags":{{}}}}"#
    )
}

/// OTLP/JSON with one span of each of these ids.
pub(crate) fn otlp_json(ids: &[&str]) -> String {
    let span = |id: &&str| {
        format!(
            r#"{{"traceId":"{T}","spanId":"{id}","name":"GET","startTimeUnixNano":"1700000000000000000","endTimeUnixNano":"1700000000001000000"}}"#
        )
    };
    let spans: Vec<String> = ids.iter().map(span).collect();
    format!(
        r#"{{"resourceSpans":[{{"resource":{{}},"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

/// OTLP/protobuf with one span of each of these span ids.
pub(crate) fn otlp(ids: &[&[u8]]) -> Vec<u8> {
    use tracewell_wire::proto::{put_bytes_field, put_fixed64_field, put_message_field};
    let trace_id = [7; 16];
    let mut request = Vec::new();
    put_message_field(&mut request, 1, |resource_spans| {
        put_message_field(resource_spans, 2, |scope_spans| {
            for id in ids {
                put_message_field(scope_spans, 2, |span| {
                    put_bytes_field(span, 1, &trace_id);
                    put_bytes_field(span, 2, id);
                    put_bytes_field(span, 5, b"GET");
                    put_fixed64_field(span, 7, 1_700_000_000_000_000_000);
                    put_fixed64_field(span, 8, 1_700_000_000_001_000_000);
                });
            }
        });
    });
    request
}

/// Zipkin JSON with one span of each of these ids.
pub(crate) fn zipkin(ids: &[&str]) -> String {
    let span = |id: &&str| {
        format!(
            r#"{{"traceId":"{T}","id":"{id}","name":"get","timestamp":1700000000000000,"duration":1000,"localEndpoint":{{"serviceName":"cart"}}}}"#
        )
    };
    format!("[{}]", ids.iter().map(span).collect::<Vec<_>>().join(","))
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

pub(crate) fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).expect("a Vec takes all");
    encoder.finish().expect("a Vec takes all")
}

pub(crate) fn zstd(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, 3).expect("a Vec takes all")
}
