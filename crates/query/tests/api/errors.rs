//! Groups of errors: where they begin, whom they reach, and that nothing of them is lost.

use serde_json::{Value, json};

use crate::world::{NOW, World, span};

const STACK: &str =
    "Traceback (most recent call last):\n  File \"/app/pay.py\", line 9, in charge\nTimeout: 3 s";

/// An order that fails in payment, for a user; `front` and `checkout` pass it on.
fn order(trace: u64, user: &str) -> Vec<Value> {
    let at = |service: &str, more: Value| {
        let mut span = json!({"service_name": service, "operation_name": format!("{service} op"), "status": "error",
            "start_time_unix_ns": NOW - 600_000_000_000 + trace * 1_000_000_000});
        span.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        span
    };
    let payment = json!({
        "kind": "server", "status_message": format!("no answer for {user}"), "resource": {"service.version": "4.8.0"},
        "tags": {"user_id": user, "request_id": format!("r-{trace}"), "http.status_code": 503},
        "events": [{"time_unix_ns": 5, "name": "exception", "attributes": {"exception.type": "Timeout",
            "exception.message": format!("no answer for {user}"), "exception.stacktrace": STACK}}],
    });
    vec![
        span(trace, 1, 0, &at("front", json!({}))),
        span(trace, 2, 1, &at("checkout", json!({}))),
        span(trace, 3, 2, &at("payment", payment)),
        span(trace, 4, 1, &json!({"service_name": "fine"})),
    ]
}

fn world() -> World {
    let mut spans: Vec<Value> = (1..=20)
        .flat_map(|at| order(at, &format!("u-{at}")))
        .collect();
    let alone =
        json!({"service_name": "cart", "status": "error", "status_message": "row 17 is locked"});
    spans.push(span(99, 1, 0, &alone));
    World::of(&Value::Array(spans))
}

#[tokio::test]
async fn errors_are_counted_once_where_they_began() {
    let world = world();
    let answer = world.ok("/api/errors").await;
    assert_eq!(
        (&answer["group_count"], &answer["complete"]),
        (&json!(2), &json!(true))
    );
    let group = &answer["groups"][0];
    let named = |name: &str, count: u64| json!({"name": name, "count": count});
    for (member, value) in [
        ("root_cause_service", json!("payment")),
        ("exception_type", json!("Timeout")),
        ("message", json!("no answer for <id>")),
        ("frames", json!(["pay.py charge"])),
        ("count", json!(20)),
        ("versions", json!([named("4.8.0", 20)])),
        ("operations", json!([named("payment op", 20)])),
        (
            "services",
            json!([
                named("checkout", 20),
                named("front", 20),
                named("payment", 20)
            ]),
        ),
        ("first_seen_unix_ns", json!(NOW - 599_000_000_000)),
        ("last_seen_unix_ns", json!(NOW - 580_000_000_000)),
        ("sample_trace_id", json!(format!("{:032x}", 20))),
        ("span_id", json!("0000000000000003")),
    ] {
        assert_eq!(group[member], value, "{member}");
    }
    let trend: Vec<u64> = group["trend"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!((trend.len(), trend.iter().sum::<u64>()), (30, 20));
    assert_eq!(answer["groups"][1]["message"], "row <n> is locked");
}

#[tokio::test]
async fn a_service_is_shown_what_reaches_it() {
    let world = world();
    for (service, groups) in [
        ("front", 1),
        ("payment", 1),
        ("cart", 1),
        ("fine", 0),
        ("none", 0),
    ] {
        let answer = world.ok(&format!("/api/errors?service={service}")).await;
        assert_eq!(answer["group_count"], groups, "{service}");
    }
}

#[tokio::test]
async fn one_group_shows_its_errors_verbatim() {
    let world = world();
    let groups = world.ok("/api/errors").await;
    let fingerprint = groups["groups"][0]["fingerprint"]
        .as_str()
        .expect("a fingerprint");
    let group = world.ok(&format!("/api/errors/{fingerprint}")).await;
    assert_eq!(group["samples"].as_array().map(Vec::len), Some(5));
    let sample = &group["samples"][0];
    assert_eq!(
        sample["tags"],
        json!({"user_id": "u-20", "request_id": "r-20", "http.status_code": 503})
    );
    assert_eq!(sample["status_message"], "no answer for u-20");
    let event = &sample["events"][0]["attributes"];
    assert_eq!(event["exception.stacktrace"], STACK);
    assert_eq!(event["exception.message"], "no answer for u-20");
    let elsewhere = format!("/api/errors/{fingerprint}?start=now-1m");
    assert_eq!(world.get(&elsewhere).await.status, 404);
}
