//! The OpenAPI document and the router say the same (`src/api/openapi.rs` compares the tables).

use serde_json::{Value, json};

use crate::schema;
use crate::world::{World, span};

/// A world with something of everything that an answer can show.
fn world() -> World {
    let everything = json!({
        "kind": "server", "status": "error", "status_message": "no", "trace_state": "a=b", "flags": 1,
        "resource": {"host.name": "h"},
        "tags": {"s": "x", "i": 1, "d": 1.5, "b": true, "n": null, "a": [1], "o": {"k": "v"}},
        "events": [{"time_unix_ns": 5, "name": "exception", "attributes": {"exception.message": "boom"}}],
        "links": [{"trace_id": "000000000000000000000000000000ff", "span_id": "00000000000000ff",
                   "trace_state": "", "flags": 0, "attributes": {"x": 1}}],
    });
    World::of(&json!([
        span(1, 1, 0, &json!({"service_name": "front"})),
        span(1, 2, 1, &everything),
        span(1, 3, 99, &json!({})),
        span(1, 4, 4, &json!({})),
        span(2, 1, 0, &json!({})),
    ]))
}

/// The fingerprint of its one group of errors.
async fn group(world: &World) -> String {
    let errors = world.ok("/api/errors").await;
    let fingerprint = errors["groups"][0]["fingerprint"].as_str();
    fingerprint.expect("a group").to_owned()
}

/// The schema of an operation's answer with this status.
fn answer_schema<'a>(document: &'a Value, path: &str, status: u16) -> &'a Value {
    let item = &document["paths"][path];
    let operation = item.get("get").unwrap_or_else(|| &item["post"]);
    let schema =
        &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
    assert!(!schema.is_null(), "{path} does not document {status}");
    schema
}

#[tokio::test]
async fn every_operation_answers_as_documented() {
    let world = world();
    crate::overview::feed(&world);
    let document = world.ok("/api/openapi.json").await;
    let trace = "/api/traces/00000000000000000000000000000001";
    let group = group(&world).await;
    let cases = [
        ("/api/traces/{trace_id}", trace.to_owned(), 200),
        (
            "/api/traces/{trace_id}",
            format!("{trace}?view=columns"),
            200,
        ),
        (
            "/api/traces/{trace_id}",
            format!("{trace}?format=otlp"),
            200,
        ),
        ("/api/traces/{trace_id}", "/api/traces/3".to_owned(), 404),
        ("/api/traces/{trace_id}", "/api/traces/x".to_owned(), 400),
        (
            "/api/traces/{trace_id}/spans",
            format!("{trace}/spans?ids=1,2"),
            200,
        ),
        (
            "/api/traces/{trace_id}/spans",
            format!("{trace}/spans?rows=0"),
            200,
        ),
        (
            "/api/traces/{trace_id}/spans",
            "/api/traces/3/spans?rows=0".to_owned(),
            404,
        ),
        (
            "/api/traces/{trace_id}/spans",
            format!("{trace}/spans"),
            400,
        ),
        (
            "/api/traces/{trace_id}/critical-path",
            format!("{trace}/critical-path"),
            200,
        ),
        (
            "/api/traces/{trace_id}/critical-path",
            "/api/traces/3/critical-path".to_owned(),
            404,
        ),
        ("/api/traces", "/api/traces".to_owned(), 200),
        ("/api/traces", "/api/traces?limit=1".to_owned(), 200),
        ("/api/traces", "/api/traces?limit=0".to_owned(), 400),
        ("/api/services", "/api/services".to_owned(), 200),
        ("/api/services", "/api/services?window=1".to_owned(), 400),
        (
            "/api/services/{service}/operations",
            "/api/services/cart/operations".to_owned(),
            200,
        ),
        (
            "/api/hotspots",
            "/api/hotspots?start=now-1h".to_owned(),
            200,
        ),
        ("/api/hotspots", "/api/hotspots".to_owned(), 200),
        (
            "/api/hotspots",
            "/api/hotspots?start=now&end=now-1h".to_owned(),
            400,
        ),
        (
            "/api/difference",
            r#"/api/difference {"a": {"service": "cart", "error": true}}"#.to_owned(),
            200,
        ),
        ("/api/difference", "/api/difference {}".to_owned(), 400),
        ("/api/heatmap", "/api/heatmap?service=cart".to_owned(), 200),
        ("/api/heatmap", "/api/heatmap?steps=0".to_owned(), 400),
        ("/api/errors", "/api/errors".to_owned(), 200),
        ("/api/errors", "/api/errors?limit=0".to_owned(), 400),
        (
            "/api/errors/{fingerprint}",
            format!("/api/errors/{group}"),
            200,
        ),
        ("/api/errors/{fingerprint}", "/api/errors/x".to_owned(), 400),
        (
            "/api/errors/{fingerprint}",
            "/api/errors/0000000000000001".to_owned(),
            404,
        ),
        ("/api/sampling", "/api/sampling".to_owned(), 200),
        (
            "/api/sampling/what-if",
            "/api/sampling/what-if".to_owned(),
            404,
        ),
        (
            "/api/shares",
            "/api/shares?service=front&operation=GET%20/cart".to_owned(),
            200,
        ),
        ("/api/shares", "/api/shares".to_owned(), 400),
        ("/api/typical", "/api/typical?trace_id=1".to_owned(), 200),
        ("/api/typical", "/api/typical?trace_id=3".to_owned(), 404),
        ("/api/typical", "/api/typical".to_owned(), 400),
        ("/api/changes", "/api/changes".to_owned(), 200),
        ("/api/changes", "/api/changes?at=then".to_owned(), 400),
        ("/go", "/go?service=nobody".to_owned(), 404),
        ("/go", "/go?at=then".to_owned(), 400),
        ("/api/graph", "/api/graph".to_owned(), 200),
        ("/api/tags", "/api/tags".to_owned(), 200),
        (
            "/api/tags/{key}/values",
            "/api/tags/s/values".to_owned(),
            200,
        ),
        ("/api/export", "/api/export?format=xml".to_owned(), 400),
        ("/api/status", "/api/status".to_owned(), 200),
        ("/api/openapi.json", "/api/openapi.json".to_owned(), 200),
    ];
    for (path, uri, status) in &cases {
        let reply = match uri.split_once(' ') {
            Some((uri, body)) => world.post(uri, body).await,
            None => world.get(uri).await,
        };
        assert_eq!(
            reply.status,
            *status,
            "{uri}: {}",
            String::from_utf8_lossy(&reply.body)
        );
        let schema = answer_schema(&document, path, *status);
        if let Err(difference) = schema::check(&document, schema, &reply.json(), "answer") {
            panic!("{uri}: {difference}");
        }
    }
    for path in document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(path, _)| path)
    {
        assert!(
            cases.iter().any(|(known, ..)| known == path),
            "{path} is not tried here"
        );
    }
}

#[tokio::test]
async fn every_documented_parameter_is_accepted() {
    let world = world();
    let document = world.ok("/api/openapi.json").await;
    let group = group(&world).await;
    let value = |name: &str| match name {
        "format" => "otlp",
        "view" => "columns",
        "ids" | "rows" => "1",
        "window" => "10m",
        "trace_id" => "1",
        "limit" | "steps" | "sample" => "7",
        "status" => "ok",
        "order" => "slowest",
        "at" | "end" | "against_end" => "now",
        "start" | "against_start" | "min_duration_ms" | "max_duration_ms" => "12345",
        "min_span_duration_ms" | "max_span_duration_ms" => "0.5",
        "error" | "span_error" | "pin" => "true",
        "cursor" => "",
        _ => "cart",
    };
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let uri = path
            .replace("{trace_id}", "1")
            .replace("{service}", "cart")
            .replace("{fingerprint}", &group)
            .replace("{key}", "s");
        for parameter in item["get"]["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name");
            if parameter["in"] == "path" {
                assert!(
                    path.contains(&format!("{{{name}}}")),
                    "{path} has no {name}"
                );
            } else if name != "cursor" {
                let value = match (path.as_str(), name) {
                    ("/api/export", "format") => "otlp-json",
                    _ => value(name),
                };
                // Some are accepted only together with others.
                let (others, status) = match (path.as_str(), name) {
                    ("/api/shares" | "/api/typical", "service") => ("&operation=x", 200),
                    ("/api/shares" | "/api/typical", "operation") => ("&service=x", 200),
                    ("/api/shares" | "/api/typical", "start" | "end") => {
                        ("&service=x&operation=x", 200)
                    }
                    ("/go", "operation") => ("", 404),
                    ("/go", _) => ("", 303),
                    _ => ("", 200),
                };
                let reply = world.get(&format!("{uri}?{name}={value}{others}")).await;
                assert_eq!(reply.status, status, "{uri}?{name}={value}");
            }
        }
    }
}

#[test]
fn the_validator_notices() {
    let document =
        json!({"components": {"schemas": {"Id": {"type": "string", "pattern": "^[0-9a-f]{2}$"}}}});
    let id = json!({"$ref": "#/components/schemas/Id"});
    let schema = json!({
        "type": "object", "required": ["id", "n"], "additionalProperties": false,
        "properties": {
            "id": id, "n": {"type": ["integer", "null"], "minimum": 0}, "kind": {"enum": ["a"]},
            "all": {"type": "array", "items": {"anyOf": [id, {"type": "null"}]}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        },
    });
    for (value, fine) in [
        (json!({"id": "0f", "n": 1}), true),
        (
            json!({"id": "0f", "n": null, "kind": "a", "all": ["aa", null], "map": {"x": 1}}),
            true,
        ),
        (json!({"id": "0F", "n": 1}), false),
        (json!({"id": "0f", "n": -1}), false),
        (json!({"id": "0f", "n": 1.5}), false),
        (json!({"id": "0f"}), false),
        (json!({"id": "0f", "n": 1, "more": 1}), false),
        (json!({"id": "0f", "n": 1, "kind": "b"}), false),
        (json!({"id": "0f", "n": 1, "all": ["aa", 1]}), false),
        (json!({"id": "0f", "n": 1, "map": {"x": "1"}}), false),
        (json!([]), false),
    ] {
        assert_eq!(
            schema::check(&document, &schema, &value, "").is_ok(),
            fine,
            "{value}"
        );
    }
    assert!(schema::check(&document, &json!({"oneOf": []}), &json!(1), "").is_err());
}
