//! kill -9 under load, again and again: every acknowledged span is found afterwards, exactly once,
//! and the account balances (P2, P3, F-01). A clean stop loses nothing either, and ends with 0.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::{JSON, Server, eventually, pause, rounds, span, try_post};

/// Spans of one trace of the ledger; a request carries several traces.
const SPANS_PER_TRACE: u64 = 4;

/// Sends traces with ids of its own until stopped; notes each trace once its request was acknowledged.
struct Ledger {
    next: AtomicU64,
    acknowledged: Mutex<Vec<u64>>,
}

impl Ledger {
    fn send_until(&self, stop: &AtomicBool, url: &str) {
        while !stop.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(5, Ordering::Relaxed);
            let spans: Vec<Value> = (first..first + 5).flat_map(trace).collect();
            let answer = try_post(url, &[JSON], json!(spans).to_string().as_bytes());
            if answer.is_ok_and(|answer| answer.status == 202) {
                self.acknowledged.lock().unwrap().extend(first..first + 5);
            }
        }
    }
}

fn trace(number: u64) -> impl Iterator<Item = Value> {
    (0..SPANS_PER_TRACE).map(move |i| {
        let parent = (i > 0).then_some(1);
        span(
            u128::from(number) + 1,
            i + 1,
            parent,
            &format!("service-{}", number % 7),
        )
    })
}

/// Fifty times, or as often as the torture asks.
#[test]
#[allow(clippy::print_stdout)] // the table of `cargo xtask torture`
fn kill_9_again_and_again_under_load_loses_nothing() {
    let kills = rounds("TRACEWELL_TORTURE_KILLS", 50);
    let ledger = Ledger {
        next: AtomicU64::new(0),
        acknowledged: Mutex::new(Vec::new()),
    };
    let mut dir = Arc::new(tempfile::tempdir().unwrap());
    let mut rng = fastrand::Rng::with_seed(50);
    for round in 0..kills {
        // Short-lived segments, so that kills also hit seals and the trimming of the log.
        let server = Server::start_in(dir, &["--seal-after-s", "1"]);
        let stop = AtomicBool::new(false);
        let url = server.url("ingest", "/v1/spans");
        dir = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| ledger.send_until(&stop, &url));
            }
            let most = if round % 10 == 9 { 2_500 } else { 300 };
            pause(Duration::from_millis(rng.u64(20..most)));
            let dir = server.kill();
            stop.store(true, Ordering::Relaxed);
            dir
        });
    }
    let server = Server::start_in(dir, &[]);
    let acknowledged = ledger.acknowledged.into_inner().unwrap();
    assert!(
        acknowledged.len() > 500,
        "only {} traces were acknowledged",
        acknowledged.len()
    );
    for number in &acknowledged {
        let trace = server.get(&format!("/api/traces/{:x}", number + 1));
        assert_eq!(trace.status, 200, "acknowledged trace {number} is lost");
        let trace = trace.json();
        assert_eq!(
            trace["span_count"], SPANS_PER_TRACE,
            "trace {number}: {trace}"
        );
        assert_eq!(trace["status"], "ok", "trace {number}");
    }
    let status = server.quiet_status();
    assert_eq!(status["account"]["balances"], true, "{status}");
    let accepted = status["account"]["log"]["accepted"].as_u64().unwrap();
    assert!(
        accepted >= acknowledged.len() as u64 * SPANS_PER_TRACE,
        "{status}"
    );
    assert_eq!(status["account"]["log"]["dead_lettered"], 0, "{status}");
    let spans = acknowledged.len() as u64 * SPANS_PER_TRACE;
    println!(
        "kill -9      {kills:>4} times  {spans:>8} spans acknowledged, all found; {accepted} accepted"
    );
}

#[test]
fn a_clean_stop_ends_with_0_and_loses_nothing() {
    let server = Server::start();
    server.send_spans(&trace(1).chain(trace(2)).collect::<Vec<_>>());
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(
        !dir.path().join("addresses.json").exists(),
        "no listener runs any more"
    );
    let server = Server::start_in(dir, &[]);
    // /readyz turned 200 before addresses.json was written: found at once, without waiting (D8).
    assert_eq!(
        server.get_json("/api/traces/2")["span_count"],
        SPANS_PER_TRACE
    );
    let account = &server.quiet_status()["account"]["log"];
    assert_eq!(
        (&account["accepted"], &account["stored"]),
        (&json!(8), &json!(8))
    );
}

#[test]
fn redelivery_and_repeats_show_once() {
    let server = Server::start();
    let spans: Vec<Value> = trace(1).collect();
    server.send_spans(&spans);
    server.send_spans(&spans);
    server.send_spans(&[spans.clone(), spans].concat());
    assert_eq!(server.trace("2")["span_count"], SPANS_PER_TRACE);
    // Sealed, the repeats are counted as duplicates; the account never loses sight of them.
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_in(dir, &[]);
    let status = server.quiet_status();
    let account = &status["account"]["log"];
    assert_eq!(account["accepted"], 16);
    assert_eq!(
        (&account["stored"], &account["duplicate"]),
        (&json!(4), &json!(12)),
        "{status}"
    );
    assert_eq!(status["account"]["balances"], true);
}

#[test]
fn the_second_process_on_a_directory_is_refused() {
    let server = Server::start();
    let any = "127.0.0.1:0";
    let second = crate::server::command()
        .args([
            "start",
            "--listen-ingest",
            any,
            "--listen-otlp-grpc",
            any,
            "--listen-query",
            any,
            "--data",
        ])
        .arg(server.dir.path())
        .output()
        .unwrap();
    assert!(!second.status.success());
    let words = String::from_utf8_lossy(&second.stderr);
    assert!(
        words.contains("used by another tracewell process"),
        "{words}"
    );
    assert_eq!(
        server.get("/healthz").status,
        200,
        "the first one does not notice"
    );
}

#[test]
fn a_torn_tail_of_the_log_is_cut_and_the_rest_is_there() {
    let server = Server::start();
    server.send_spans(&trace(1).collect::<Vec<_>>());
    let dir = server.kill();
    let file = eventually("a log file", || {
        let mut files: Vec<_> = std::fs::read_dir(dir.path().join("log"))
            .ok()?
            .flatten()
            .collect();
        files.retain(|file| file.path().extension().is_some_and(|e| e == "log"));
        files.sort_by_key(std::fs::DirEntry::path);
        files.pop()
    });
    let mut bytes = std::fs::read(file.path()).unwrap();
    bytes.extend_from_slice(&[0xAB; 333]);
    std::fs::write(file.path(), bytes).unwrap();
    let server = Server::start_in(dir, &[]);
    assert_eq!(
        server.get_json("/api/traces/2")["span_count"],
        SPANS_PER_TRACE
    );
    server.send_spans(&trace(2).collect::<Vec<_>>());
    let server = Server::start_in(server.kill(), &[]);
    assert_eq!(
        server.get_json("/api/traces/3")["span_count"],
        SPANS_PER_TRACE
    );
    assert_eq!(server.quiet_status()["account"]["balances"], true);
}
