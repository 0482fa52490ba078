//! Search: every parameter does what docs/api.md says (the semantics are the seam's, D17).

use serde_json::{Value, json};

use crate::world::{NOW, World, encoded, span};

const SECOND: u64 = 1_000_000_000;

/// Five traces, one second apart, 5 the newest.
fn world() -> World {
    let at = |seconds: u64| NOW - 100 * SECOND + seconds * SECOND;
    World::of(&json!([
        span(
            1,
            1,
            0,
            &json!({"start_time_unix_ns": at(1), "service_name": "front", "duration_ms": 500})
        ),
        span(
            1,
            2,
            1,
            &json!({"start_time_unix_ns": at(1), "tags": {"http.status": 500, "x": "a=b"}})
        ),
        span(
            2,
            1,
            0,
            &json!({"start_time_unix_ns": at(2), "status": "error", "duration_ms": 2.5,
                              "operation_name": "pay"})
        ),
        span(
            3,
            1,
            9,
            &json!({"start_time_unix_ns": at(3), "tags": {"http.status": "500"}})
        ),
        span(
            4,
            1,
            0,
            &json!({"start_time_unix_ns": at(4), "duration_ms": 900,
                              "tags": {"http.status": 200}, "resource": {"host": "h"}})
        ),
        span(
            5,
            1,
            0,
            &json!({"start_time_unix_ns": at(5), "events": [
            {"time_unix_ns": 1, "name": "exception", "attributes": {"exception.type": "Oops"}}]})
        ),
    ]))
}

fn traces(answer: &Value) -> Vec<u64> {
    let hits = answer["traces"].as_array().into_iter().flatten();
    let id = |hit: &Value| u64::from_str_radix(hit["trace_id"].as_str()?, 16).ok();
    hits.filter_map(id).collect()
}

#[tokio::test]
async fn each_parameter_filters() {
    let world = world();
    let at = |seconds: u64| (NOW - 100 * SECOND + seconds * SECOND).to_string();
    let tag = |text: &str| format!("tag={}", encoded(text));
    let cases: Vec<(String, &[u64])> = vec![
        (String::new(), &[5, 4, 3, 2, 1]),
        ("service=front".into(), &[1]),
        ("service=fron".into(), &[]),
        ("operation=pay".into(), &[2]),
        ("service=front&operation=pay".into(), &[]),
        ("span_error=true".into(), &[2]),
        ("error=false".into(), &[5, 4, 3, 1]),
        (
            "min_span_duration_ms=2.5&max_span_duration_ms=600".into(),
            &[2, 1],
        ),
        ("min_duration_ms=500".into(), &[4, 1]),
        ("max_duration_ms=2.4".into(), &[5, 3]),
        ("status=partial".into(), &[3]),
        ("status=error".into(), &[2]),
        ("status=ok&order=slowest".into(), &[4, 1, 5]),
        (tag("http.status=500"), &[3, 1]),
        (tag("http.status!=500"), &[4]),
        (tag("http.status~=^[25]00$"), &[4, 3, 1]),
        (tag("http.status"), &[4, 3, 1]),
        (tag("x=a=b"), &[1]),
        (tag("host=h"), &[4]),
        (tag("exception.type=Oops"), &[5]),
        (format!("{}&{}", tag("http.status=500"), tag("x")), &[1]),
        (format!("{}&service=front", tag("http.status=500")), &[]),
        (format!("start={}", at(4)), &[5, 4]),
        (format!("start={}&end={}", at(2), at(4)), &[3, 2]),
        ("start=now-97s".into(), &[5, 4, 3]),
        ("start=now-3650d&end=now".into(), &[5, 4, 3, 2, 1]),
        ("end=2023-11-14T22:11:42Z".into(), &[1]),
        ("start=now".into(), &[]),
        ("limit=2".into(), &[5, 4]),
        ("service=%00".into(), &[]),
        ("service=".into(), &[]),
    ];
    for (query, expected) in cases {
        assert_eq!(
            traces(&world.ok(&format!("/api/traces?{query}")).await),
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_hit_says_what_was_found() {
    let answer = world().ok("/api/traces?tag=x").await;
    let expected = json!({
        "trace_id": "00000000000000000000000000000001", "root_service": "front",
        "root_operation": "GET /cart", "start_time_unix_ns": NOW - 99 * SECOND,
        "duration_ms": 500, "duration_ns": 500_000_000, "span_count": 2, "error_count": 0,
        "services": [{"name": "cart", "span_count": 1, "error_count": 0},
                     {"name": "front", "span_count": 1, "error_count": 0}],
        "status": "ok", "matched_span_id": "0000000000000002",
    });
    assert_eq!(answer["traces"], json!([expected]));
    assert_eq!(
        (&answer["next_cursor"], &answer["complete"]),
        (&Value::Null, &json!(true))
    );
}

#[tokio::test]
async fn a_trace_without_root_has_no_root_names() {
    let answer = world().ok("/api/traces?status=partial").await;
    assert_eq!(answer["traces"][0]["root_service"], Value::Null);
    assert_eq!(answer["traces"][0]["root_operation"], Value::Null);
}
