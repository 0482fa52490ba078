//! Collectors that hang, refuse, reset, talk nonsense or do not exist: the application's thread never
//! waits, never allocates once warm, and the account stays exact. Each case has a process to itself, for
//! buffers go round in a process, and other tests' spans would take them.

use std::net::TcpListener;
use std::time::Duration;

use tracewell_sdk::{Kind, Tracer};

use crate::allocations::{allocations, waits};
use crate::collector::{Answer, Collector};
use crate::{as_child, child};

/// Rounds until every slot and every buffer has been used, and the flusher has held its batches.
const WARM_ROUNDS_MAX: u32 = 300;
/// Rounds that then have to cost nothing.
const ROUNDS: u32 = 20;
const SPANS: u32 = 5_000;

/// Ends spans as a service would, in a process of its own, and counts what it costs the thread that does.
fn check(test: &str, url: &str) {
    if let Some(url) = as_child() {
        return serve(&url);
    }
    let output = child(&format!("invisible::{test}"), url);
    let words = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&words)
    );
}

fn serve(url: &str) {
    let tracer = Tracer::builder()
        .service_name("victim")
        .endpoint(url)
        .settings(|settings| {
            settings.ring_spans_max = 2_000;
            settings.exchange_timeout = Duration::from_millis(50);
            settings.connect_timeout = Duration::from_millis(50);
            settings.flush_interval = Duration::from_millis(10);
        })
        .build();
    let work = || {
        for number in 0..SPANS {
            let mut span = tracer.span("GET /cart").kind(Kind::Server).start();
            span.set_attribute("http.request.method", "GET");
            span.set_attribute("number", number);
            let _current = span.enter();
            tracer.start("inside").end();
        }
    };
    let mut quiet = 0;
    let mut rounds = 0;
    let mut waited = 0;
    while quiet < ROUNDS {
        assert!(
            rounds < WARM_ROUNDS_MAX,
            "it still allocates after {rounds} rounds"
        );
        let mut made = u64::MAX;
        let waits = waits(|| made = allocations(work)).unwrap_or(0);
        (quiet, waited) = if made == 0 {
            (quiet + 1, waited + waits)
        } else {
            (0, 0)
        };
        rounds += 1;
    }
    assert_eq!(waited, 0, "waits");
    let account = tracer.account();
    assert_eq!(account.ended, u64::from(rounds * SPANS) * 2);
    assert_eq!(account.sent, 0);
    assert!(account.queued <= 2_000 + 500, "{account:?}");
    // Shutting down is bounded whatever the collector does; what it leaves is counted.
    tracer.shutdown(Duration::from_millis(20));
}

#[test]
fn a_collector_that_hangs() {
    let collector = Collector::answering(|_| Answer::Hang);
    check("a_collector_that_hangs", &collector.url());
}

#[test]
fn a_collector_that_never_accepts() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    check("a_collector_that_never_accepts", &url);
}

#[test]
fn a_collector_that_refuses_connections() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    check(
        "a_collector_that_refuses_connections",
        &format!("http://{free}"),
    );
}

#[test]
fn a_collector_that_closes_each_connection() {
    let collector = Collector::answering(|_| Answer::Close);
    check("a_collector_that_closes_each_connection", &collector.url());
}

#[test]
fn a_collector_that_talks_nonsense_without_end() {
    let collector = Collector::answering(|_| Answer::Raw(vec![b'x'; 1 << 20]));
    check(
        "a_collector_that_talks_nonsense_without_end",
        &collector.url(),
    );
}

#[test]
fn a_collector_whose_head_has_no_end() {
    let head = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(100_000)].concat();
    let collector = Collector::answering(move |_| Answer::Raw(head.clone()));
    check("a_collector_whose_head_has_no_end", &collector.url());
}

#[test]
fn a_host_that_does_not_exist() {
    check(
        "a_host_that_does_not_exist",
        "http://no-such-host.invalid:4318",
    );
}
