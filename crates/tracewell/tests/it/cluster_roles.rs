//! Every role apart: one span followed through five processes and four engines, and what an operator
//! is told of them.

use serde_json::{Value, json};

use crate::server::get;
use crate::stack::{Stack, answer_when, now_ns};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// A trace of two spans, in two services, that failed a second ago.
fn spans() -> [Value; 2] {
    let start = now_ns() - 1_000_000_000;
    [
        json!({
            "trace_id": TRACE, "span_id": "00f067aa0ba902b6",
            "service_name": "web", "operation_name": "GET /",
            "start_time_unix_ns": start, "duration_ms": 20.0, "status": "ok",
            "tags": {"user_id": "u-17"}
        }),
        json!({
            "trace_id": TRACE, "span_id": "00f067aa0ba902b7", "parent_span_id": "00f067aa0ba902b6",
            "service_name": "checkout", "operation_name": "POST /checkout",
            "start_time_unix_ns": start + 1_000_000, "duration_ms": 12.5, "status": "error",
            "tags": {"http.status_code": 500, "user_id": "u-17"}
        }),
    ]
}

#[test]
fn one_span_goes_through_a_process_of_every_role() {
    let Some(stack) = Stack::new() else { return };
    let roles = stack.start_all();
    roles.collector.send_patiently(&spans());

    // By id, from Cassandra: everything, as it was sent.
    let trace = roles.query.trace(TRACE);
    assert_eq!(trace["spans"][1]["tags"]["http.status_code"], 500);
    assert_eq!(trace["status"], "error");
    assert_eq!(trace["searched"]["backend"], "cassandra");

    // By search, from OpenSearch; and the names.
    let search = "/api/traces?service=checkout&tag=user_id=u-17&span_error=true";
    let has_hit = |page: &serde_json::Value| !page["traces"].as_array().unwrap().is_empty();
    let page = answer_when(&roles.query, search, has_hit);
    assert_eq!(page["traces"][0]["trace_id"], TRACE);
    assert_eq!(page["traces"][0]["span_count"], 2);
    assert_eq!(page["searched"]["backend"], "opensearch");
    let services = roles.query.get_json("/api/services");
    assert_eq!(services["services"], json!(["checkout", "web"]));
    let values = roles.query.get_json("/api/tags/user_id/values");
    assert_eq!(values["values"], json!(["u-17"]));

    // Figures, from Redis, within a flush.
    let counted = |page: &serde_json::Value| page["metrics"][0]["error_count"] == 1;
    let services = answer_when(&roles.query, "/api/services", counted);
    assert_eq!(services["metrics"][0]["error_rate"], 1.0);
    let graph = roles.query.get_json("/api/graph");
    assert_eq!(graph["edges"][0]["parent"], "web");
    assert_eq!(graph["edges"][0]["child"], "checkout");

    // The account, over five processes.
    let settled = |status: &serde_json::Value| status["account"]["log"]["stored"] == 2;
    let status = answer_when(&roles.query, "/api/status", settled);
    assert_eq!(status["account"]["log"]["accepted"], 2, "{status}");
    assert_eq!(status["account"]["balances"], true, "{status}");
    assert_eq!(status["roles"], json!(["query"]));
    assert_eq!(status["problems"], json!([]), "{status}");
    for worker in &roles.workers {
        assert_eq!(get(&worker.url("admin", "/readyz")).status, 200);
        let page = get(&worker.url("admin", "/metrics")).text();
        assert!(
            page.contains("tracewell_worker_applied_spans_total{group="),
            "{page}"
        );
        assert!(page.contains("} 2\n"), "{page}");
    }
    for worker in roles.workers {
        assert!(worker.terminate().success());
    }
    assert!(roles.query.terminate().success());
    assert!(roles.collector.terminate().success());
}

#[test]
fn several_roles_in_one_process_do_what_each_does_apart() {
    let Some(stack) = Stack::new() else { return };
    let one = stack.start("all");
    one.send_patiently(&spans());
    assert_eq!(one.trace(TRACE)["spans"].as_array().unwrap().len(), 2);
    let found = |page: &serde_json::Value| page["traces"][0]["trace_id"] == TRACE;
    answer_when(&one, "/api/traces?error=true", found);
    let status = one.get_json("/api/status");
    assert_eq!(status["account"]["since_start"]["accepted"], 2);
    assert!(one.terminate().success());
}

#[test]
fn the_doctor_looks_at_every_engine() {
    let Some(stack) = Stack::of_the_stack_bare() else {
        return;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let absent = stack.run(&["doctor"]);
    assert!(!absent.status.success());
    let words = text(&absent.stdout);
    for wanted in ["there is no topic", "has no tables", "the template"] {
        assert!(words.contains(wanted), "{wanted} in {words}");
    }
    let made = text(&stack.run(&["schema"]).stdout);
    for wanted in ["made topic", "of the keyspace", "the template"] {
        assert!(made.contains(wanted), "{wanted} in {made}");
    }
    let well = stack.run(&["doctor"]);
    assert!(well.status.success(), "{well:?}");
    assert!(text(&well.stdout).contains("all is as the roles need it"));

    let environment = [
        ("TRACEWELL_RETENTION_S", "86400"),
        ("TRACEWELL_CASSANDRA_REPLICAS", "3"),
        ("TRACEWELL_OPENSEARCH_SHARDS", "2"),
    ];
    let wrong = stack.command(&["doctor"]).envs(environment).output();
    let wrong = wrong.unwrap();
    assert!(!wrong.status.success());
    let words = text(&wrong.stdout);
    for wanted in [
        "spans are kept for 2592000 s, 86400 are set",
        "ALTER KEYSPACE",
        "not as it is set",
    ] {
        assert!(words.contains(wanted), "{wanted} in {words}");
    }
}
