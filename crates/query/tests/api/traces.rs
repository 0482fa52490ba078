//! A trace by its id, in all its views.

use std::sync::Arc;

use http::Request;
use serde_json::{Value, json};
use tracewell_model::clock::ManualClock;
use tracewell_model::{BatchBuilder, TraceId};
use tracewell_query::{QueryConfig, Readers};
use tracewell_storage::memory::{MemoryStats, MemoryStore};
use tracewell_storage::{Error, FoundTrace, ReadContext, TraceReader};

use crate::world::{NOW, World, ask, router, span};

const TRACE: &str = "/api/traces/00000000000000000000000000000001";

/// Asserts each of these members of an answer, named by JSON pointer.
fn check(answer: &Value, expected: &[(&str, Value)]) {
    for (pointer, value) in expected {
        assert_eq!(answer.pointer(pointer), Some(value), "{pointer}");
    }
}

fn checkout() -> World {
    World::of(&json!([
        span(
            1,
            3,
            2,
            &json!({"service_name": "payment", "operation_name": "charge",
            "status": "error", "status_message": "declined", "kind": "server", "duration_ms": 0.5,
            "events": [{"time_unix_ns": 5, "name": "exception",
                        "attributes": {"exception.message": "boom"}}]})
        ),
        span(
            1,
            1,
            0,
            &json!({"service_name": "checkout", "operation_name": "POST /checkout",
            "kind": "server", "duration_ms": 2100.25, "tags": {"user_id": "u-17"},
            "resource": {"host.name": "h1"}, "trace_state": "a=b", "flags": 1,
            "links": [{"trace_id": "000000000000000000000000000000ff", "span_id": "00000000000000fe",
                       "trace_state": "", "flags": 0, "attributes": {"x": 1}}]})
        ),
        span(
            1,
            2,
            1,
            &json!({"service_name": "checkout", "kind": "client"})
        ),
    ]))
}

#[tokio::test]
async fn a_trace_is_shown_depth_first_with_all_its_members() {
    let answer = checkout().ok(TRACE).await;
    check(
        &answer,
        &[
            ("/trace_id", json!("00000000000000000000000000000001")),
            ("/status", json!("error")),
            ("/start_time_unix_ns", json!(NOW - 1_000_000_000 + 1)),
            ("/duration_ms", json!(2100.25)),
            ("/duration_ns", json!(2_100_250_000u64)),
            ("/span_count", json!(3)),
            ("/service_count", json!(2)),
            ("/error_count", json!(1)),
            ("/depth", json!(2)),
            (
                "/services",
                json!([{"name": "checkout", "span_count": 2, "error_count": 0},
                             {"name": "payment", "span_count": 1, "error_count": 1}]),
            ),
            ("/orphans", json!([])),
            ("/partial_reasons", json!([])),
            ("/missing_parents", json!([])),
            ("/warnings", json!([])),
            ("/complete", json!(true)),
            ("/searched/backend", json!("memory")),
            ("/root_span/operation_name", json!("POST /checkout")),
            ("/spans/0/span_id", json!("0000000000000001")),
            ("/spans/0/parent_span_id", Value::Null),
            ("/spans/0/tags", json!({"user_id": "u-17"})),
            ("/spans/0/resource/host.name", json!("h1")),
            ("/spans/0/kind", json!("server")),
            ("/spans/0/trace_state", json!("a=b")),
            ("/spans/0/flags", json!(1)),
            (
                "/spans/0/links/0/trace_id",
                json!("000000000000000000000000000000ff"),
            ),
            ("/spans/0/links/0/span_id", json!("00000000000000fe")),
            ("/spans/0/links/0/attributes", json!({"x": 1})),
            ("/spans/1/parent_span_id", json!("0000000000000001")),
            ("/spans/1/depth", json!(1)),
            ("/spans/2/service_name", json!("payment")),
            ("/spans/2/status", json!("error")),
            ("/spans/2/status_message", json!("declined")),
            ("/spans/2/depth", json!(2)),
            ("/spans/2/events/0/name", json!("exception")),
            ("/spans/2/events/0/time_unix_ns", json!(5)),
            (
                "/spans/2/events/0/attributes",
                json!({"exception.message": "boom"}),
            ),
        ],
    );
    assert_eq!(answer.get("incomplete_reasons"), None);
}

#[tokio::test]
async fn short_and_upper_case_ids_are_taken() {
    let world = World::of(&json!([span(0xab, 1, 0, &json!({}))]));
    for id in ["ab", "AB", "0000ab", "000000000000000000000000000000ab"] {
        let answer = world.ok(&format!("/api/traces/{id}")).await;
        assert_eq!(answer["trace_id"], "000000000000000000000000000000ab");
    }
}

#[tokio::test]
async fn a_partial_trace_says_what_is_missing() {
    let world = World::of(&json!([
        span(1, 2, 9, &json!({"service_name": "b"})),
        span(1, 3, 9, &json!({})),
        span(1, 4, 4, &json!({})),
    ]));
    let answer = world.ok(TRACE).await;
    check(
        &answer,
        &[
            ("/status", json!("partial")),
            ("/root_span", Value::Null),
            ("/orphans", json!(["0000000000000002", "0000000000000003"])),
            (
                "/partial_reasons/0/parent_span_id",
                json!("0000000000000009"),
            ),
            ("/partial_reasons/0/reason", json!("arriving")),
            (
                "/missing_parents",
                json!([{"span_id": "0000000000000009", "children": 2,
                                     "child_services": ["b", "cart"]}]),
            ),
            (
                "/warnings",
                json!(["span 0000000000000004 is its own parent"]),
            ),
            ("/spans/0/orphan", json!(true)),
            ("/spans/2/orphan", json!(false)),
            ("/spans/2/marks", json!(["cycle_cut"])),
            ("/complete", json!(true)),
        ],
    );
}

#[tokio::test]
async fn repeats_are_shown_once_and_namesakes_are_marked() {
    let world = World::of(&json!([span(1, 1, 0, &json!({}))]));
    world.push(&json!([span(1, 1, 0, &json!({}))]), NOW);
    assert_eq!(world.ok(TRACE).await["span_count"], 1);
    world.push(
        &json!([span(1, 1, 0, &json!({"operation_name": "other"}))]),
        NOW,
    );
    let answer = world.ok(TRACE).await;
    assert_eq!(answer["span_count"], 2);
    assert_eq!(answer["spans"][0]["marks"], json!(["duplicate_span_id"]));
}

#[tokio::test]
async fn columns_say_the_same_as_spans() {
    let world = checkout();
    world.push(&json!([span(1, 4, 0x17, &json!({}))]), NOW);
    let (spans, columns) = (
        world.ok(TRACE).await,
        world.ok(&format!("{TRACE}?view=columns")).await,
    );
    for member in [
        "trace_id",
        "status",
        "start_time_unix_ns",
        "duration_ns",
        "span_count",
        "error_count",
        "depth",
        "partial_reasons",
        "warnings",
        "missing_parents",
        "complete",
        "searched",
    ] {
        assert_eq!(columns[member], spans[member], "{member}");
    }
    let of_spans = |member: &str| -> Vec<Value> {
        let spans = spans["spans"].as_array().into_iter().flatten();
        spans.map(|span| span[member].clone()).collect()
    };
    let ids: String = of_spans("span_id")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(columns["span_ids"], Value::from(ids));
    assert_eq!(columns["duration"], Value::from(of_spans("duration_ns")));
    check(
        &columns,
        &[
            ("/root", json!(0)),
            ("/parent", json!([-1, 0, 1, -1])),
            ("/start_ns", json!([0, 1, 2, 3])),
            ("/services", json!(["checkout", "payment", "cart"])),
            (
                "/operations",
                json!(["POST /checkout", "GET /cart", "charge"]),
            ),
            ("/service", json!([0, 0, 1, 2])),
            ("/operation", json!([0, 1, 2, 1])),
            ("/kind", json!([2, 3, 2, 0])),
            ("/flags", json!([8, 0, 1 + 4 + 16, 2])),
            ("/missing_parent", json!({"3": "0000000000000017"})),
        ],
    );
}

#[tokio::test]
async fn some_spans_are_given_by_id_or_by_row() {
    let world = checkout();
    for (query, expected) in [
        (
            "ids=0000000000000003,1",
            json!(["0000000000000001", "0000000000000003"]),
        ),
        ("ids=77", json!([])),
        ("rows=2", json!(["0000000000000003"])),
        (
            "rows=1,0,1,99",
            json!(["0000000000000001", "0000000000000002"]),
        ),
    ] {
        let answer = world.ok(&format!("{TRACE}/spans?{query}")).await;
        let spans = answer["spans"].as_array().into_iter().flatten();
        let ids: Vec<_> = spans.map(|span| span["span_id"].clone()).collect();
        assert_eq!(Value::from(ids), expected, "{query}");
    }
    let of_all = world.ok(TRACE).await;
    let of_some = world.ok(&format!("{TRACE}/spans?rows=0,1,2")).await;
    assert_eq!(of_some["spans"], of_all["spans"]);
}

#[tokio::test]
async fn otlp_comes_back_as_it_went_in() {
    let world = checkout();
    let reply = world.get(&format!("{TRACE}?format=otlp")).await;
    assert_eq!(reply.header("tracewell-complete"), Some("true"));
    let mut builder = BatchBuilder::new(1);
    let mut report = Default::default();
    tracewell_wire::otlp::json::decode(&reply.body, &mut builder, &mut report).expect("OTLP");
    let again = World::new();
    again.store.push(builder.finish_one(), NOW);
    assert_eq!(
        again.ok(TRACE).await["spans"],
        world.ok(TRACE).await["spans"]
    );
}

/// P19: what was sent comes back, byte for byte.
#[tokio::test]
async fn tags_come_back_verbatim() {
    let long = "é\u{1f600}\n".repeat(64 * 1024 / 8);
    let values = [
        json!(i64::MAX),
        json!(i64::MIN),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(true),
        json!(""),
        json!("\0"),
        json!("a\0b"),
        json!("\u{202e}\u{feff}\u{200b}"),
        json!("e\u{301}"),
        json!("</script><img onerror=alert(1)>"),
        json!("'; DROP TABLE spans;--"),
        json!("\\\"\u{7f}\u{1b}[31m"),
        json!(long),
        Value::Null,
        json!([]),
        json!({}),
        json!([1, "a", null, [true], {"k": [0.5]}]),
    ];
    let keys = [
        "k",
        "",
        "\0",
        "a.b",
        "key with spaces",
        "ключ",
        "\u{1f600}",
        "\"\\",
    ];
    for (at, value) in values.iter().enumerate() {
        let mut tags = serde_json::Map::new();
        tags.extend(keys.iter().map(|key| ((*key).to_owned(), value.clone())));
        let world = World::of(&json!([span(1, 1, 0, &json!({"tags": tags}))]));
        let shown = world.ok(TRACE).await["spans"][0]["tags"].clone();
        assert_eq!(shown, Value::Object(tags), "value {at}");
    }
}

#[tokio::test]
async fn numbers_that_json_does_not_have_are_texts_and_bytes_are_base64() {
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00000000000000000000000000000001",
        "spanId":"0000000000000001","name":"n","startTimeUnixNano":"5","endTimeUnixNano":"6","attributes":[
        {"key":"nan","value":{"doubleValue":"NaN"}},{"key":"inf","value":{"doubleValue":"-Infinity"}},
        {"key":"b","value":{"bytesValue":"AP8="}},{"key":"none"}]}]}]}]}"#;
    let mut builder = BatchBuilder::new(1);
    tracewell_wire::otlp::json::decode(body.as_bytes(), &mut builder, &mut Default::default())
        .expect("OTLP");
    let world = World::new();
    world.store.push(builder.finish_one(), NOW);
    let expected = json!({"nan": "NaN", "inf": "-Infinity", "b": {"bytes": "AP8="}, "none": null});
    assert_eq!(world.ok(TRACE).await["spans"][0]["tags"], expected);
}

#[tokio::test]
async fn of_a_repeated_key_the_first_is_shown_and_the_span_is_marked() {
    let head = span(1, 1, 0, &json!({"tags": "TAGS"})).to_string();
    let many: Vec<_> = (0..40).map(|at| format!("\"k{}\":{at}", at % 30)).collect();
    for (tags, first) in [
        (r#"{"k0":1,"a":2,"k0":3}"#.to_owned(), 1),
        (format!("{{{}}}", many.join(",")), 0),
    ] {
        let world = World::new();
        world.push_body(&format!("[{}]", head.replace("\"TAGS\"", &tags)), NOW);
        let answer = world.ok(TRACE).await;
        assert_eq!(answer["spans"][0]["tags"]["k0"], first);
        assert_eq!(answer["spans"][0]["marks"], json!(["duplicate_keys"]));
    }
}

/// A store with a damaged block.
struct Damaged(MemoryStore);

impl TraceReader for Damaged {
    fn get_trace(&self, id: TraceId, context: &ReadContext) -> Result<FoundTrace, Error> {
        let mut found = self.0.get_trace(id, context)?;
        found.incomplete.push("1 block is damaged".to_owned());
        Ok(found)
    }
}

#[tokio::test]
async fn damage_makes_a_trace_partial_and_is_named() {
    let store = checkout().store;
    let readers = Readers {
        traces: Arc::new(Damaged(store.clone())),
        finder: Arc::new(store.clone()),
        scanner: Arc::new(store.clone()),
        exporter: Arc::new(store),
        stats: Arc::new(MemoryStats::new()),
        refusals: Default::default(),
        sampling: None,
    };
    let router = router(
        readers,
        Arc::new(ManualClock::at(NOW)),
        QueryConfig::default(),
    );
    for uri in [TRACE.to_owned(), format!("{TRACE}?view=columns")] {
        let reply = ask(&router, Request::get(&uri)).await;
        let answer = reply.json();
        assert_eq!(answer["status"], "partial", "{uri}");
        let said = json!([{"service": null, "parent_span_id": null, "reason": "unknown", "instance": null,
                           "at": null, "detail": "1 block is damaged"}]);
        assert_eq!(answer["partial_reasons"], said);
        assert_eq!(answer["incomplete_reasons"], json!(["1 block is damaged"]));
        assert_eq!(answer["complete"], false);
        assert_eq!(reply.header("tracewell-complete"), Some("false"));
    }
    let missing = ask(&router, Request::get("/api/traces/7")).await;
    assert_eq!(missing.status, 404);
    let message = missing.json()["error"]["message"].to_string();
    assert!(message.contains("1 block is damaged"), "{message}");
}

#[tokio::test]
async fn the_critical_path_is_told_by_span_and_by_operation() {
    let at = |start: u64, ms: f64, service: &str| json!({"start_time_unix_ns": NOW + start * 1_000_000, "duration_ms": ms, "service_name": service, "operation_name": "op"});
    let world = World::of(&json!([
        span(1, 1, 0, &at(0, 100.0, "front")),
        span(1, 2, 1, &at(10, 20.5, "cart")),
        span(1, 3, 1, &at(40, 30.0, "cart")),
        span(1, 4, 1, &at(45, 10.0, "beside")),
    ]));
    let path = world
        .ok("/api/traces/00000000000000000000000000000001/critical-path")
        .await;
    assert_eq!(path["total_ms"], 100);
    let own = |id: &str, ms: f64| json!({"span_id": id, "exclusive_ms": ms});
    assert_eq!(
        path["spans"],
        json!([
            own("0000000000000001", 49.5),
            own("0000000000000002", 20.5),
            json!({"span_id": "0000000000000003", "exclusive_ms": 30}),
        ])
    );
    assert_eq!(
        path["operations"],
        json!([
            {"service": "cart", "operation": "op", "exclusive_ms": 50.5},
            {"service": "front", "operation": "op", "exclusive_ms": 49.5},
        ])
    );
    assert_eq!(path["complete"], true);
}
