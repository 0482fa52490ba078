//! `/api/export`: everything that matches as a stream, at its reader's pace, ended with its reader.

use std::io::Read as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tracewell_model::SpanBatch;
use tracewell_model::clock::ManualClock;
use tracewell_query::{QueryConfig, Readers};
use tracewell_storage::memory::{MemoryStats, MemoryStore};
use tracewell_storage::scan::Each;
use tracewell_storage::{Class, Error, ReadContext, ScanQuery, Scanned, SpanScanner};

use crate::world::{NOW, Reply, World, ask, router, span};

fn lines(reply: &Reply) -> Vec<Value> {
    let text = std::str::from_utf8(&reply.body).expect("text");
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Ids of the spans of an export.
fn ids(reply: &Reply) -> Vec<String> {
    let mut ids = Vec::new();
    for line in lines(reply) {
        for resource in line["resourceSpans"].as_array().expect("every line has it") {
            for scope in resource["scopeSpans"].as_array().expect("a list") {
                let spans = scope["spans"].as_array().expect("a list").iter();
                ids.extend(spans.map(|span| span["spanId"].as_str().expect("an id").to_owned()));
            }
        }
    }
    ids.sort();
    ids
}

fn summary(reply: &Reply) -> Value {
    lines(reply).last().expect("a last line")["tracewellExport"].clone()
}

fn world() -> World {
    let at = |seconds: u64| json!({"start_time_unix_ns": NOW - seconds * 1_000_000_000});
    World::of(&json!([
        span(1, 1, 0, &at(3_600)),
        span(1, 2, 1, &at(1_800)),
        span(
            1,
            3,
            1,
            &json!({"service_name": "pay", "start_time_unix_ns": NOW - 1})
        ),
    ]))
}

#[tokio::test]
async fn all_spans_come_as_lines_and_the_last_line_says_how_many() {
    let reply = world().get("/api/export").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(ids(&reply).len(), 3);
    let expected =
        json!({"spans": 3, "spans_missing": 0, "complete": true, "incomplete_reasons": []});
    assert_eq!(summary(&reply), expected);
}

#[tokio::test]
async fn spans_are_chosen_by_their_own_start_and_service() {
    let world = world();
    let now = "2023-11-14T22:13:20Z";
    for (query, expected) in [
        ("start=now-1h", &[1, 2, 3][..]),
        ("start=now-59m", &[2, 3]),
        ("end=now-30m", &[1]),
        ("end=now-1799s", &[1, 2]),
        (&format!("start=now-1m&end={now}"), &[3]),
        ("service=pay", &[3]),
        ("service=Pay", &[]),
        ("service=cart&start=now-59m&format=otlp-json", &[2]),
    ] {
        let reply = world.get(&format!("/api/export?{query}")).await;
        let expected: Vec<String> = expected.iter().map(|id| format!("{id:016x}")).collect();
        assert_eq!(ids(&reply), expected, "{query}");
        assert_eq!(summary(&reply)["spans"], expected.len(), "{query}");
    }
    for (query, parameter) in [
        ("format=xml", "format"),
        ("start=yesterday", "start"),
        ("limit=1", "limit"),
        ("service=a&service=b", "service"),
    ] {
        let reply = world.get(&format!("/api/export?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.json()["error"]["parameter"], parameter, "{query}");
    }
}

#[tokio::test]
async fn parquet_comes_if_it_is_built_and_is_refused_in_words_if_not() {
    let reply = world().get("/api/export?format=parquet").await;
    if tracewell_export::Format::Parquet.is_built() {
        assert_eq!(
            reply.header("content-type"),
            Some("application/vnd.apache.parquet")
        );
        assert!(reply.body.starts_with(b"PAR1") && reply.body.ends_with(b"PAR1"));
    } else {
        assert_eq!(reply.status, 400);
        let message = reply.json()["error"]["message"].to_string();
        assert!(message.contains("--features parquet"), "{message}");
    }
}

#[tokio::test]
async fn lines_are_gzipped_for_who_asks() {
    let request = Request::get("/api/export").header("accept-encoding", "gzip");
    let reply = ask(&world().router, request).await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut body = Vec::new();
    #[allow(clippy::disallowed_types)] // our own answer, of three spans
    flate2::read::GzDecoder::new(&reply.body[..])
        .read_to_end(&mut body)
        .expect("gzip");
    let plain = world().get("/api/export").await;
    assert_eq!(body, plain.body);
}

/// A store without end, of spans of 10 kB, that counts what was taken of it.
struct Endless {
    batch: SpanBatch,
    taken: Arc<AtomicU64>,
    ended: SyncSender<bool>,
    /// Hands over nothing at all, for a search that finds nothing.
    silent: bool,
}

impl SpanScanner for Endless {
    fn scan_spans(
        &self,
        _: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        let outcome = loop {
            if let Err(error) = context.check() {
                break Err(error);
            }
            if self.silent {
                std::thread::yield_now();
                continue;
            }
            self.taken.fetch_add(1, Ordering::SeqCst);
            if each(&self.batch, &[0]) == ControlFlow::Break(()) {
                break Ok(Scanned::default());
            }
        };
        self.ended.send(outcome.is_ok()).expect("the test listens");
        outcome
    }
}

fn endless(silent: bool) -> (Router, Arc<AtomicU64>, Receiver<bool>) {
    let (ended, seen) = sync_channel(16);
    let taken = Arc::new(AtomicU64::new(0));
    let spec = tracewell_storage::conformance::SpanSpec::new(1, 1, NOW);
    let spec = spec.with("long", "x".repeat(10_000).as_str());
    let scanner = Endless {
        batch: tracewell_storage::conformance::spans::batch(&[spec]),
        taken: taken.clone(),
        ended,
        silent,
    };
    (over(Arc::new(scanner)), taken, seen)
}

fn over(scanner: Arc<dyn SpanScanner>) -> Router {
    let readers = Readers {
        traces: Arc::new(MemoryStore::new()),
        finder: Arc::new(MemoryStore::new()),
        scanner: scanner.clone(),
        exporter: scanner,
        stats: Arc::new(MemoryStats::new()),
        refusals: Default::default(),
        sampling: None,
    };
    router(
        readers,
        Arc::new(ManualClock::at(NOW)),
        QueryConfig::default(),
    )
}

async fn open(router: &Router) -> Response<Body> {
    let request = Request::get("/api/export")
        .body(Body::empty())
        .expect("a request");
    router.clone().oneshot(request).await.expect("infallible")
}

/// Waits, without holding the runtime up, until a scan has ended.
async fn has_ended(seen: Receiver<bool>) -> (bool, Receiver<bool>) {
    let waiting = tokio::task::spawn_blocking(move || {
        let ended = seen
            .recv_timeout(Duration::from_secs(60))
            .expect("the scan ends");
        (ended, seen)
    });
    waiting.await.expect("no panic")
}

#[tokio::test]
async fn a_reader_that_reads_nothing_holds_the_scan_and_one_that_goes_ends_it() {
    let (router, taken, seen) = endless(false);
    let mut response = open(&router).await;
    // Read one frame; then look until nothing more is taken.
    let frame = response
        .body_mut()
        .frame()
        .await
        .expect("a frame")
        .expect("no error");
    assert!(frame.is_data());
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = taken.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    // A chunk is 128 KiB, and a span 10 kB: some chunks wait, and no more.
    assert!(
        before < 120,
        "{before} spans were taken ahead of the reader"
    );
    drop(response);
    let (told, _) = has_ended(seen).await;
    assert!(told, "the scan was told to end by the writer");
}

#[tokio::test]
async fn a_scan_that_finds_nothing_ends_with_its_reader_too() {
    let (router, _, seen) = endless(true);
    let response = open(&router).await;
    drop(response);
    let (told, _) = has_ended(seen).await;
    assert!(!told, "the scan saw that its caller went away");
}

#[tokio::test]
async fn exports_are_few_at_a_time_and_a_head_takes_no_turn() {
    let (router, _, seen) = endless(false);
    let (first, second) = (open(&router).await, open(&router).await);
    assert_eq!(
        (first.status().as_u16(), second.status().as_u16()),
        (200, 200)
    );
    let third = open(&router).await;
    assert_eq!(third.status(), 503);
    assert!(third.headers().contains_key("retry-after"));
    drop(first);
    let (_, seen) = has_ended(seen).await;
    // The turn is given back right after the scan's end.
    let again = loop {
        let head = ask(&router, Request::head("/api/export")).await;
        if head.status == 200 {
            assert!(head.body.is_empty());
            break open(&router).await;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(again.status(), 200);
    drop((second, again));
    let (_, seen) = has_ended(seen).await;
    has_ended(seen).await;
}

/// A store that fails after its first span.
struct Failing(MemoryStore);

impl SpanScanner for Failing {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        self.0.scan_spans(query, context, each)?;
        Err(Error::new(Class::Retryable, "the disk is gone"))
    }
}

#[tokio::test]
async fn an_export_that_fails_breaks_off_and_does_not_end() {
    let response = open(&over(Arc::new(Failing(world().store)))).await;
    assert_eq!(response.status(), 200);
    let error = response.into_body().collect().await.expect_err("no end");
    assert!(error.to_string().contains("ended early"), "{error}");
}
