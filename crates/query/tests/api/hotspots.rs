//! Hot spots: what the API makes of spans of two ranges of time.

use serde_json::{Value, json};

use crate::world::{NOW, World, span};

const SECOND: u64 = 1_000_000_000;

/// A request of three services, `ago` seconds before now; the last one takes so long, or fails.
fn request(trace: u64, ago: u64, payment_ms: f64, status: &str) -> Vec<Value> {
    let start = NOW - ago * SECOND;
    let at = |service: &str, kind: &str, offset_ms: u64, ms: f64| {
        json!({"service_name": service, "operation_name": format!("{service} {kind}"), "kind": kind,
            "start_time_unix_ns": start + offset_ms * 1_000_000, "duration_ms": ms, "status": status})
    };
    vec![
        span(trace, 1, 0, &at("shop", "server", 0, payment_ms + 20.0)),
        span(trace, 2, 1, &at("shop", "client", 5, payment_ms + 10.0)),
        span(trace, 3, 2, &at("payment", "server", 6, payment_ms)),
    ]
}

fn world(payment_ms: f64, status: &str) -> World {
    let before = (1..=60).flat_map(|at| request(at, 600 + at, 10.0 + at as f64 / 100.0, "ok"));
    let now = (61..=90).flat_map(|at| request(at, at, payment_ms, status));
    World::of(&before.chain(now).collect())
}

#[tokio::test]
async fn the_slow_service_is_charged_and_its_callers_are_victims() {
    let world = world(500.0, "ok");
    let answer = world.ok("/api/hotspots").await;
    assert_eq!(answer["complete"], true);
    let spots = answer["hotspots"].as_array().expect("a list");
    assert_eq!(spots.len(), 1, "{answer}");
    let spot = &spots[0];
    for (name, value) in [
        ("rank", json!(1)),
        ("service", json!("payment")),
        ("operation", json!("payment server")),
        ("kind", json!("latency")),
        ("change", json!("worse")),
        ("share", json!(1.0)),
        ("error_rate", json!(0.0)),
        ("rate_per_s", json!(0.1)),
        ("span_id", json!("0000000000000003")),
    ] {
        assert_eq!(spot[name], value, "{name}");
    }
    let charged = spot["charged_ms"].as_f64().expect("a number");
    assert!((charged - 30.0 * 489.7).abs() < 30.0, "{charged}");
    let victims: Vec<_> = spot["victims"].as_array().into_iter().flatten().collect();
    assert_eq!(victims.len(), 2);
    assert!(
        victims
            .iter()
            .all(|victim| victim["service"] == "shop" && victim["traces"] == 30)
    );
    let p99 = |of: &Value| of["p99_ms"].as_f64().expect("a number");
    assert!((p99(spot) - 500.0).abs() < 17.0 && (p99(&spot["was"]) - 10.6).abs() < 0.4);
    for past in ["hour", "day", "week"] {
        assert_eq!(spot["was"][past]["p99_ms"], Value::Null, "{past}");
    }
}

#[tokio::test]
async fn errors_are_charged_where_they_begin() {
    let world = world(10.3, "error");
    let answer = world.ok("/api/hotspots").await;
    let spot = &answer["hotspots"][0];
    assert_eq!(
        (&spot["service"], &spot["kind"]),
        (&json!("payment"), &json!("error"))
    );
    assert_eq!(
        (&spot["error_rate"], &spot["was"]["error_rate"]),
        (&json!(1.0), &json!(0.0))
    );
    assert_eq!(spot["change"], "new");
    assert_eq!(
        answer["hotspots"].as_array().map(Vec::len),
        Some(1),
        "{answer}"
    );
}

#[tokio::test]
async fn what_fails_as_ever_is_steady() {
    let before = (1..=60).flat_map(|at| request(at, 600 + at, 10.0, "error"));
    let now = (61..=90).flat_map(|at| request(at, at, 10.0, "error"));
    let world = World::of(&before.chain(now).collect());
    let answer = world.ok("/api/hotspots").await;
    let spots = answer["hotspots"].as_array().expect("a list");
    assert_eq!(spots.len(), 1, "{answer}");
    for (name, value) in [
        ("service", json!("payment")),
        ("kind", json!("error")),
        ("change", json!("steady")),
        ("error_rate", json!(1.0)),
    ] {
        assert_eq!(spots[0][name], value, "{name}");
    }
    assert_eq!(spots[0]["was"]["error_rate"], 1.0);
}

#[tokio::test]
async fn loaded_history_is_compared_as_asked() {
    let world = world(500.0, "ok");
    // The slow minutes as what was normal: nothing is worse than that.
    let answer = world
        .ok("/api/hotspots?start=now-12m&end=now-5m&against_start=now-5m&against_end=now")
        .await;
    assert_eq!(answer["hotspots"], json!([]));
    assert_eq!(answer["now"]["spans"], 180);
    assert_eq!(
        answer["against"],
        json!({"start_unix_ns": NOW - 300 * SECOND, "end_unix_ns": NOW, "spans": 90, "sampled": 1.0})
    );
    // With nothing before: what is worst.
    let answer = world
        .ok("/api/hotspots?start=now-4m&against_start=0&against_end=1")
        .await;
    assert_eq!(answer["hotspots"][0]["service"], "payment");
    assert_eq!(answer["hotspots"][0]["was"]["p99_ms"], Value::Null);
    assert!(answer["hotspots"][0]["was"]["hour"].is_null(), "live only");
}

#[tokio::test]
async fn go_leads_to_the_guilty_span_and_nowhere_else() {
    let world = world(500.0, "ok");
    let guilty = |place: &str| {
        let (trace, span) = place.strip_prefix("/trace/")?.split_once("?span=")?;
        let number = u64::from_str_radix(trace, 16).ok()?;
        Some((61..=90).contains(&number) && span == "0000000000000003")
    };
    for query in [
        "service=shop",
        "service=payment&at=now",
        "service=shop&operation=shop%20server",
        "",
    ] {
        let reply = world.get(&format!("/go?{query}")).await;
        assert_eq!(reply.status, 303, "{query}");
        let place = reply.header("location").expect("a place");
        assert_eq!(guilty(place), Some(true), "{query}: {place}");
    }
    for query in ["service=nobody", "service=//evil.example", "at=0"] {
        assert_eq!(
            world.get(&format!("/go?{query}")).await.status,
            404,
            "{query}"
        );
    }
    assert_eq!(world.get("/go?url=//evil.example").await.status, 400);
}

#[tokio::test]
async fn shares_say_where_the_time_of_an_operation_goes() {
    let world = world(500.0, "ok");
    let answer = world
        .ok("/api/shares?service=shop&operation=shop%20server&start=now-5m")
        .await;
    assert_eq!(answer["calls"], 30);
    let first = &answer["operations"][0];
    assert_eq!(first["service"], "payment");
    let share = first["p99_share"].as_f64().expect("a number");
    assert!((share - 500.0 / 520.0).abs() < 1e-9, "{share}");
    assert_eq!(first["exclusive_ms"], 15_000);
    let none = world.ok("/api/shares?service=shop&operation=none").await;
    assert_eq!(
        (&none["calls"], &none["operations"]),
        (&json!(0), &json!([]))
    );
}

#[tokio::test]
async fn a_trace_is_compared_with_the_typical_one() {
    let world = world(500.0, "ok");
    let slow = world.ok("/api/typical?trace_id=4d").await;
    assert_eq!(
        (&slow["service"], &slow["operation"]),
        (&json!("shop"), &json!("shop server"))
    );
    // Sixty fast ones, and the slow ones that began before it.
    assert!(slow["duration_ms"].as_f64() < Some(31.0), "{slow}");
    let operations = slow["operations"].as_array().expect("a list");
    let payment = operations
        .iter()
        .find(|row| row["service"] == "payment")
        .expect("payment");
    assert!(payment["duration_ms"].as_f64() < Some(11.0), "{payment}");
    assert_eq!(
        payment["this"],
        json!({"calls": 1, "duration_ms": 500, "exclusive_ms": 500})
    );
    assert_eq!(slow["compared"]["duration_ms"], 520);
}

#[tokio::test]
async fn what_changed_around_a_time_is_told() {
    let at = |ago: u64, service: &str, resource: Value| json!({"service_name": service, "resource": resource, "start_time_unix_ns": NOW - ago * SECOND});
    let (old, new) = (
        json!({"service.version": "1", "host.name": "a"}),
        json!({"service.version": "2", "host.name": "a"}),
    );
    // Version 2 replaces version 1, and checkout begins to call; all else stays.
    let mut spans = Vec::new();
    for (ago, version) in [
        (1_800, &old),
        (900, &old),
        (250, &old),
        (200, &new),
        (10, &new),
    ] {
        spans.push(span(ago, 1, 0, &at(ago, "cart", version.clone())));
        spans.push(span(ago + 1, 1, 0, &at(ago, "checkout", json!({}))));
    }
    spans.push(span(7, 1, 0, &at(100, "checkout", json!({}))));
    spans.push(span(7, 2, 1, &at(99, "cart", new.clone())));
    let answer = World::of(&Value::Array(spans)).ok("/api/changes").await;
    let change = |ago: u64, kind: &str, key: &str, value: &str, change: &str| json!({"at_unix_ns": NOW - ago * SECOND, "service": "cart", "kind": kind, "key": key, "value": value, "change": change});
    assert_eq!(
        answer["changes"],
        json!([
            change(250, "version", "service.version", "1", "ended"),
            change(200, "version", "service.version", "2", "began"),
            change(99, "caller", "", "checkout", "began"),
        ])
    );
}
