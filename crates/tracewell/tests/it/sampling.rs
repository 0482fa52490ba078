//! Tail sampling through the binary: most healthy traces go after their live window and their room is
//! freed, whatever fails or takes long stays, figures do not change, and neither a kill nor a restart
//! between decision and deletion changes what was decided.

use std::sync::Arc;
use tracewell_model::clock::{Clock, SystemClock};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Server, eventually, pause, run};

const ON: [&str; 6] = [
    "--sampling-enabled",
    "--live-window",
    "10s",
    "--seal-after-s",
    "1",
    "--sampling-diversity=1",
];
const MS: u64 = 1_000_000;

/// What is sent: of every hundred traces one fails, and one takes ten times as long.
pub(crate) struct Traffic {
    now_unix_ns: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Healthy,
    Failed,
    Slow,
}

pub(crate) fn sort(number: u64) -> Sort {
    match number % 100 {
        7 => Sort::Failed,
        // Few enough that p99 is what healthy ones take.
        31 if number % 300 == 31 => Sort::Slow,
        _ => Sort::Healthy,
    }
}

pub(crate) fn id(number: u64) -> String {
    // Spread as random ids are; the test must not depend on how.
    let spread = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{spread:016x}{number:016x}")
}

impl Traffic {
    pub(crate) fn new() -> Traffic {
        Traffic {
            now_unix_ns: SystemClock.unix_ns(),
        }
    }

    pub(crate) fn trace(&self, number: u64) -> [Value; 2] {
        let (duration_ms, status) = match sort(number) {
            Sort::Healthy => (10.0 + (number % 10) as f64 / 10.0, "ok"),
            Sort::Failed => (10.0, "error"),
            Sort::Slow => (900.0, "ok"),
        };
        let span = |span: u64, parent: Value, service: &str, status: &str, duration_ms: f64| {
            json!({
                "trace_id": id(number), "span_id": format!("{span:016x}"), "parent_span_id": parent,
                "service_name": service, "operation_name": "work",
                "start_time_unix_ns": self.now_unix_ns - 2_000 * MS,
                "duration_ms": duration_ms, "status": status,
                "tags": {"filler": format!("{}{number}", "x".repeat(100))},
            })
        };
        let parent = json!(format!("{:016x}", 2 * number + 1));
        [
            span(2 * number + 1, Value::Null, "shop", "ok", duration_ms),
            span(2 * number + 2, parent, "db", status, 5.0),
        ]
    }

    pub(crate) fn send(&self, server: &Server, numbers: std::ops::Range<u64>) {
        for from in numbers.clone().step_by(250) {
            let these = from..(from + 250).min(numbers.end);
            let spans: Vec<Value> = these.flat_map(|number| self.trace(number)).collect();
            server.send_spans(&spans);
        }
    }
}

pub(crate) fn sampling(server: &Server) -> Value {
    server.get_json("/api/sampling")
}

pub(crate) fn sum(reasons: &Value) -> u64 {
    let reasons = reasons.as_object().unwrap().values();
    reasons.map(|count| count.as_u64().unwrap()).sum()
}

/// Once so many traces are decided about.
fn decided(server: &Server, traces: u64) -> Value {
    eventually("decisions", || {
        let report = sampling(server);
        (sum(&report["kept"]) + sum(&report["dropped"]) >= traces).then_some(report)
    })
}

/// Once all that is dropped is gone.
fn deleted(server: &Server, spans: u64) -> Value {
    eventually("what is dropped is gone", || {
        let status = server.get_json("/api/status");
        let account = &status["account"]["log"];
        assert_eq!(status["account"]["balances"], true, "{account}");
        (account["sampled_out"] == spans).then_some(status)
    })
}

pub(crate) fn figures(server: &Server) -> Value {
    let mut services = server.get_json("/api/services?window=1h");
    let metrics = services["metrics"].as_array_mut().unwrap();
    let counts = metrics.iter().map(|row| {
        let members = [
            "service",
            "request_count",
            "error_count",
            "p50_ms",
            "p99_ms",
        ];
        json!(members.map(|member| row[member].clone()))
    });
    counts.collect()
}

pub(crate) fn exists(server: &Server, number: u64) -> bool {
    let answer = server.get(&format!("/api/traces/{}?pin=false", id(number)));
    answer.status == 200
}

#[track_caller]
pub(crate) fn assert_unhealthy_stay(server: &Server, numbers: std::ops::Range<u64>) {
    for number in numbers.filter(|&number| sort(number) != Sort::Healthy) {
        let trace = server.get_json(&format!("/api/traces/{}?pin=false", id(number)));
        let (reason, spans) = (&trace["kept_because"], &trace["span_count"]);
        match sort(number) {
            Sort::Failed => assert_eq!((reason, spans), (&json!("error"), &json!(2))),
            _ => assert_eq!((reason, spans), (&json!("outlier"), &json!(2)), "{number}"),
        }
    }
}

#[test]
fn healthy_traces_go_and_what_matters_stays() {
    let server = Server::start_in(Arc::new(TempDir::new().unwrap()), &ON);
    let traffic = Traffic::new();
    let count = 6_000;
    traffic.send(&server, 0..count);
    let opened = (0..count)
        .find(|&number| sort(number) == Sort::Healthy)
        .unwrap();
    server.trace(&id(opened));
    let before = eventually("figures of everything", || {
        let figures = figures(&server);
        (figures[1][1] == count).then_some(figures)
    });
    let what_if = server.get_json("/api/sampling/what-if");
    let report = decided(&server, count);
    assert_eq!(sum(&report["kept"]) + sum(&report["dropped"]), count);
    assert_eq!(report["kept"], what_if["kept"], "what was foretold happens");
    assert_eq!(report["dropped"], what_if["dropped"]);
    assert_eq!(report["kept"]["error"], count / 100);
    assert_eq!(report["kept"]["outlier"], count / 300);
    assert_eq!(report["kept"]["pinned"], 1);
    let share = report["share"].as_f64().unwrap();
    assert!(0.02 < share && share <= 0.05, "{report}");
    assert!(
        what_if["error_traces_lost_by_head_sampling"]
            .as_u64()
            .unwrap()
            > count / 200
    );

    let status = deleted(&server, 2 * sum(&report["dropped"]));
    let spans = status["account"]["log"]["stored"].as_u64().unwrap();
    assert_eq!(spans, 2 * sum(&report["kept"]));
    let bytes = status["store"]["disk_bytes"].as_u64().unwrap();
    assert!(bytes / spans < 300, "{bytes} bytes for {spans} spans");
    assert_eq!(
        figures(&server),
        before,
        "figures do not change, to the last count"
    );
    assert_unhealthy_stay(&server, 0..count);
    let found = server.get_json("/api/traces?service=shop&limit=1000");
    let hits = found["traces"].as_array().unwrap();
    assert_eq!(hits.len() as u64, sum(&report["kept"]));
    for hit in hits {
        assert!(hit["kept_because"].is_string(), "{hit}");
        let trace = server.get(&format!(
            "/api/traces/{}",
            hit["trace_id"].as_str().unwrap()
        ));
        assert_eq!(
            trace.status, 200,
            "a hit that is found can be opened: {hit}"
        );
    }
    assert!(exists(&server, opened));

    let url = server.url("query", "");
    let shown = run(&["sampling", "--url", url.trim_end_matches('/')]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("pinned") && shown.contains("healthy"),
        "{shown}"
    );
    late_spans(&server, &traffic, count);
}

/// Spans of dropped traces that come later: healthy ones go too, a failed one stays with what comes
/// with it, and the trace says that it is not all there.
fn late_spans(server: &Server, traffic: &Traffic, count: u64) {
    let dropped: Vec<u64> = (0..count)
        .filter(|&number| !exists(server, number))
        .collect();
    let (failed, healthy) = (dropped[0], dropped[1]);
    let late = |number: u64, status: &str| {
        let mut span = traffic.trace(number)[1].clone();
        span["span_id"] = json!(format!("{:016x}", 9_000_000 + number));
        span["status"] = json!(status);
        span
    };
    server.send_spans(&[late(failed, "error"), late(healthy, "ok")]);
    let report = eventually("a late error", || {
        let report = sampling(server);
        (report["kept"]["late_error"] == 1).then_some(report)
    });
    deleted(server, 2 * sum(&report["dropped"]) + 1);
    assert!(!exists(server, healthy));
    let trace = server.get_json(&format!("/api/traces/{}", id(failed)));
    assert_eq!(trace["status"], "partial");
    assert_eq!(trace["kept_because"], "late_error");
    let reasons = trace["partial_reasons"].to_string();
    assert!(
        reasons.contains("the sampler had dropped this trace"),
        "{reasons}"
    );
}

#[test]
fn a_kill_between_decision_and_deletion_changes_nothing() {
    let dir = Arc::new(TempDir::new().unwrap());
    let traffic = Traffic::new();
    let count = 2_000;
    let server = Server::start_in(dir, &ON);
    traffic.send(&server, 0..count);
    // The compactor looks twice a second: this is before it, or while it is at it.
    eventually("the first decisions", || {
        let report = sampling(&server);
        (sum(&report["dropped"]) > 0).then_some(())
    });
    let dir = server.kill();

    let server = Server::start_in(dir, &ON);
    let report = decided(&server, count);
    assert_eq!(
        sum(&report["kept"]) + sum(&report["dropped"]),
        count,
        "decided once: {report}"
    );
    deleted(&server, 2 * sum(&report["dropped"]));
    assert_unhealthy_stay(&server, 0..count);
    let kept: Vec<u64> = (0..count)
        .filter(|&number| exists(&server, number))
        .collect();

    // More kills, at any moment: what is kept stays kept, and why.
    let mut server = server;
    for _ in 0..3 {
        server = Server::start_in(server.kill(), &ON);
        pause(std::time::Duration::from_millis(700));
    }
    assert_eq!(sampling(&server)["kept"], report["kept"]);
    assert_eq!(sampling(&server)["dropped"], report["dropped"]);
    let still: Vec<u64> = (0..count)
        .filter(|&number| exists(&server, number))
        .collect();
    assert_eq!(still, kept);
    assert_unhealthy_stay(&server, 0..count);
}

#[test]
fn nobody_who_did_not_ask_for_it_is_sampled_but_everyone_may_ask_what_if() {
    let server = Server::start();
    let traffic = Traffic::new();
    traffic.send(&server, 0..1_500);
    assert_eq!(sampling(&server)["enabled"], false);
    let what_if = eventually("figures of an hour", || {
        let what_if = server.get_json("/api/sampling/what-if");
        (what_if["kept"]["too_few_samples"].is_null() && what_if["kept"]["error"] == 15)
            .then_some(what_if)
    });
    assert_eq!(sum(&what_if["kept"]) + sum(&what_if["dropped"]), 1_500);
    let trace = server.trace(&id(1));
    assert!(trace.get("kept_because").is_none(), "{trace}");
    assert!(!server.dir.path().join("sampling").exists());
}
