//! What differs, and how durations lie: what the API makes of it.

use serde_json::{Value, json};

use crate::world::{NOW, World, span};

/// Forty spans of one operation in forty seconds; those of version 2 are slow, one fails.
fn world() -> World {
    let spans = (0..40u64).map(|at| {
        let slow = at % 4 == 0;
        let more = json!({"duration_ms": if slow { 900.0 } else { 3.0 }, "status": if at == 8 { "error" } else { "ok" },
            "resource": {"service.version": if slow { "2" } else { "1" }, "host.name": format!("h{}", at % 3)},
            "tags": {"user_id": format!("u-{at}"), "tries": at % 2},
            "start_time_unix_ns": NOW - (at + 1) * 1_000_000_000});
        span(at + 1, 1, 0, &more)
    });
    World::of(&spans.collect())
}

async fn ask(world: &World, body: &Value) -> Value {
    let reply = world.post("/api/difference", &body.to_string()).await;
    assert_eq!(
        reply.status,
        200,
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    reply.json()
}

#[tokio::test]
async fn the_value_that_makes_the_difference_comes_first() {
    let world = world();
    let slow = json!({"service": "cart", "operation": "GET /cart", "min_duration_ms": 100, "start": "now-1h", "end": NOW});
    let answer = ask(&world, &json!({"a": slow, "b": null})).await;
    assert_eq!((&answer["n_a"], &answer["n_b"]), (&json!(10), &json!(30)));
    assert_eq!(answer["complete"], true);
    let first = &answer["attributes"][0];
    for (name, value) in [
        ("key", json!("service.version")),
        ("value", json!("2")),
        ("source", json!("resource")),
        ("a", json!(10)),
        ("b", json!(0)),
    ] {
        assert_eq!(first[name], value, "{name}: {answer}");
    }
    let keys: Vec<_> = answer["attributes"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    assert!(
        keys.iter().all(|row| row["key"] != "duration"),
        "it was asked for"
    );
}

#[tokio::test]
async fn any_two_sets_are_compared() {
    let world = world();
    let of = |version: &str| json!({"tag": format!("service.version={version}"), "min_span_duration_ms": "0"});
    let answer = ask(&world, &json!({"a": of("2"), "b": of("1"), "limit": 1})).await;
    assert_eq!((&answer["n_a"], &answer["n_b"]), (&json!(10), &json!(30)));
    assert_eq!(answer["attributes"].as_array().map(Vec::len), Some(1));
    let both = ask(&world, &json!({"a": {}, "b": {}})).await;
    assert_eq!((&both["n_a"], &both["n_b"]), (&json!(40), &json!(40)));
    assert_eq!(both["attributes"], json!([]), "nothing differs");
}

#[tokio::test]
async fn what_is_posted_is_read_strictly() {
    let world = world();
    for (body, parameter) in [
        ("", "body"),
        ("[]", "body"),
        (r#"{"a": {"colour": 1}}"#, "body"),
        (r#"{"a": {}, "c": {}}"#, "body"),
        (r#"{"a": {"min_duration_ms": -1}}"#, "min_duration_ms"),
        (r#"{"a": {"start": "yesterday"}}"#, "start"),
        (r#"{"a": {"tag": "=x"}}"#, "tag"),
        (r#"{"a": {}, "limit": 0}"#, "limit"),
        (r#"{"a": {}, "sample": 5000}"#, "sample"),
        (r#"{"a": {}, "within_ms": 0}"#, "within_ms"),
    ] {
        let reply = world.post("/api/difference", body).await;
        assert_eq!(reply.status, 400, "{body}");
        assert_eq!(reply.json()["error"]["parameter"], parameter, "{body}");
    }
    let long = format!(r#"{{"a": {{"service": "{}"}}}}"#, "x".repeat(100_000));
    assert_eq!(world.post("/api/difference", &long).await.status, 400);
    assert_eq!(world.get("/api/difference").await.status, 405);
    assert_eq!(world.post("/api/heatmap", "").await.status, 405);
}

#[tokio::test]
async fn a_heatmap_counts_every_span_once() {
    let world = world();
    let map = world
        .ok("/api/heatmap?service=cart&start=now-40s&end=now&steps=4")
        .await;
    assert_eq!(map["step_ns"], 10_000_000_000u64);
    let cells: Vec<_> = map["cells"].as_array().into_iter().flatten().collect();
    let sum = |name: &str| {
        cells
            .iter()
            .filter_map(|cell| cell[name].as_u64())
            .sum::<u64>()
    };
    assert_eq!((sum("count"), sum("errors")), (40, 1));
    assert_eq!(cells.len(), 8, "slow and fast ones in each step");
    for cell in &cells {
        let fits =
            |ms: f64| cell["from_ms"].as_f64() <= Some(ms) && cell["to_ms"].as_f64() > Some(ms);
        assert!(fits(3.0) || fits(900.0), "{cell}");
    }
    let errors = world
        .ok("/api/heatmap?span_error=true&start=now-40s&steps=1")
        .await;
    assert_eq!(errors["cells"][0]["count"], 1);
}
