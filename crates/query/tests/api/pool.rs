//! No query takes the server down (P16): turns, waiting, deadlines, callers that go away, panics.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use http::Request;
use tracewell_model::TraceId;
use tracewell_model::clock::ManualClock;
use tracewell_query::{QueryConfig, Readers};
use tracewell_storage::memory::{MemoryStats, MemoryStore};
use tracewell_storage::{Class, Error, FoundTrace, ReadContext, TraceReader};

use crate::world::{NOW, ask, router};

/// What a read does once it has said that it began.
type Behaviour = fn(&ReadContext) -> Result<FoundTrace, Error>;

struct Slow {
    began: SyncSender<()>,
    ended: SyncSender<()>,
    behaviour: Behaviour,
}

impl TraceReader for Slow {
    fn get_trace(&self, _: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        self.began.send(()).expect("the test listens");
        let result = (self.behaviour)(context);
        self.ended.send(()).expect("the test listens");
        result
    }
}

struct Bench {
    router: Router,
    clock: Arc<ManualClock>,
    began: Mutex<Receiver<()>>,
    ended: Mutex<Receiver<()>>,
}

fn bench(behaviour: Behaviour) -> Bench {
    let (began, began_seen) = sync_channel(16);
    let (ended, ended_seen) = sync_channel(16);
    let readers = Readers {
        traces: Arc::new(Slow {
            began,
            ended,
            behaviour,
        }),
        finder: Arc::new(MemoryStore::new()),
        scanner: Arc::new(MemoryStore::new()),
        exporter: Arc::new(MemoryStore::new()),
        stats: Arc::new(MemoryStats::new()),
        refusals: Default::default(),
        sampling: None,
    };
    let clock = Arc::new(ManualClock::at(NOW));
    let config = QueryConfig {
        running_max: 1,
        waiting_max: 1,
        ..QueryConfig::default()
    };
    Bench {
        router: router(readers, clock.clone(), config),
        clock,
        began: Mutex::new(began_seen),
        ended: Mutex::new(ended_seen),
    }
}

/// Reads until it is told to stop.
fn until_stopped(context: &ReadContext) -> Result<FoundTrace, Error> {
    loop {
        context.check()?;
        std::thread::yield_now();
    }
}

/// Waits for a sign; the bound is only there so that a broken test ends.
fn wait(sign: &Mutex<Receiver<()>>) {
    let sign = sign.lock().expect("not poisoned");
    sign.recv_timeout(Duration::from_secs(60))
        .expect("the sign comes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_stops_when_its_caller_goes_away() {
    let bench = Arc::new(bench(until_stopped));
    let asked = bench.clone();
    let request = tokio::spawn(async move {
        ask(&asked.router, Request::get("/api/traces/1"))
            .await
            .status
    });
    tokio::task::block_in_place(|| wait(&bench.began));
    request.abort();
    tokio::task::block_in_place(|| wait(&bench.ended));
    // Its turn is free again.
    assert_eq!(
        ask(&bench.router, Request::get("/api/tags")).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_ends_at_its_deadline() {
    let bench = Arc::new(bench(until_stopped));
    let asked = bench.clone();
    let request =
        tokio::spawn(async move { ask(&asked.router, Request::get("/api/traces/1")).await });
    tokio::task::block_in_place(|| wait(&bench.began));
    bench.clock.advance(30_000_000_000);
    let reply = request.await.expect("an answer");
    assert_eq!(reply.status, 504);
    assert_eq!(reply.json()["error"]["code"], "deadline_exceeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_queries_are_told_to_come_back() {
    let bench = Arc::new(bench(until_stopped));
    let ask_for = |uri: &'static str| {
        let asked = bench.clone();
        tokio::spawn(async move { ask(&asked.router, Request::get(uri)).await })
    };
    let running = ask_for("/api/traces/1");
    tokio::task::block_in_place(|| wait(&bench.began));
    let (one, other) = (ask_for("/api/tags"), ask_for("/api/tags"));
    // One of the two waits for its turn; the other is answered at once, whichever it is.
    let status = ask(&bench.router, Request::get("/api/status")).await;
    assert_eq!(status.status, 200, "an operator is answered even now");
    let (reply, waiting) = tokio::select! {
        reply = one => (reply.expect("an answer"), None),
        reply = other => (reply.expect("an answer"), None::<()>),
    };
    assert!(waiting.is_none());
    assert_eq!(reply.status, 503);
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.json()["error"]["code"], "too_busy");
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_one_answer() {
    let bench = bench(|_| panic!("a bug"));
    let reply = ask(&bench.router, Request::get("/api/traces/1")).await;
    assert_eq!(reply.status, 500);
    assert_eq!(reply.json()["error"]["code"], "internal");
    assert_eq!(
        ask(&bench.router, Request::get("/api/tags")).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_of_a_backend_become_statuses() {
    let cases: [(Behaviour, u16, &str, Option<&str>); 5] = [
        (|_| Err(Error::retryable("down")), 503, "unavailable", None),
        (
            |_| Err(Error::overloaded("full", 7)),
            503,
            "too_busy",
            Some("7"),
        ),
        (|_| Err(Error::invalid("no")), 400, "bad_parameter", None),
        (|_| Err(Error::corrupt("torn")), 500, "internal", None),
        (
            |_| Err(Error::new(Class::DeadlineExceeded, "late")),
            504,
            "deadline_exceeded",
            None,
        ),
    ];
    for (behaviour, status, code, retry_after) in cases {
        let reply = ask(&bench(behaviour).router, Request::get("/api/traces/1")).await;
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["code"].as_str()), (status, Some(code)));
        assert_eq!(reply.header("retry-after"), retry_after);
    }
}
