//! Bad input class 19: each is refused by name, or answered; never a 500, never a wrong answer.

use http::Request;
use serde_json::json;

use crate::world::{World, ask, encoded, span};

fn world() -> World {
    World::of(&json!([span(1, 1, 0, &json!({"tags": {"k": "v"}}))]))
}

/// The answer is 400, names the parameter and says what is accepted.
async fn check(world: &World, uri: &str, parameter: &str) {
    let reply = world.get(uri).await;
    let shown = uri.get(..uri.len().min(120)).unwrap_or(uri);
    assert_eq!(
        reply.status,
        400,
        "{shown}: {}",
        String::from_utf8_lossy(&reply.body)
    );
    let error = &reply.json()["error"];
    assert_eq!(error["code"], "bad_parameter", "{shown}");
    assert_eq!(error["parameter"], parameter, "{shown}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("accepted") || message.contains("UTF-8"),
        "{shown}: {message}"
    );
}

#[tokio::test]
async fn wrong_values_are_refused_by_name() {
    let world = world();
    for (parameter, values) in [
        (
            "limit",
            &[
                "0",
                "-1",
                "2147483648",
                "1000000000",
                "1001",
                "",
                "1.5",
                "abc",
                "+5",
                "0x5",
                "18446744073709551616",
                "%00",
            ][..],
        ),
        ("error", &["", "1", "yes", "TRUE", "null"]),
        ("span_error", &["2"]),
        ("status", &["", "OK", "good"]),
        ("order", &["", "oldest", "NEWEST"]),
        (
            "min_duration_ms",
            &[
                "",
                "-1",
                "1e9",
                "NaN",
                "Infinity",
                "1.0000001",
                "99999999999999999999",
            ],
        ),
        ("max_duration_ms", &["-0.5"]),
        ("min_span_duration_ms", &["1ms"]),
        ("max_span_duration_ms", &[".5"]),
        (
            "start",
            &[
                "",
                "-1",
                "yesterday",
                "now-",
                "now-1w",
                "now-1.5h",
                "2023-13-01T00:00:00Z",
                "99999999999999999999",
            ],
        ),
        ("end", &["now%2B5m", "*", "1969-12-31T23:59:59Z"]),
        (
            "tag",
            &[
                "",
                "=v",
                "!=v",
                "~=v",
                "k~=(",
                "k~=%5B",
                "k~=(%3F%3C%3Da)b",
                "k~=(a)%5C1",
                "k~=((((a{100}){100}){100}){100})",
                "k~=%5Cp{L}{5000}",
            ],
        ),
        ("cursor", &["", "x", "AAAA"]),
    ] {
        for value in values {
            check(
                &world,
                &format!("/api/traces?{parameter}={value}"),
                parameter,
            )
            .await;
        }
    }
    for (uri, parameter) in [
        ("/api/services?window=0", "window"),
        ("/api/services?window=-5m", "window"),
        ("/api/services?window=59s", "window"),
        ("/api/graph?window=10y", "window"),
        ("/api/graph?window=2h", "window"),
        ("/api/services/cart/operations?window=", "window"),
        ("/api/tags?limit=0", "limit"),
        ("/api/tags/k/values?limit=1001", "limit"),
        ("/api/traces/1?format=json", "format"),
        ("/api/traces/1?view=rows", "view"),
        ("/api/traces/1?view=columns&format=otlp", "view"),
        ("/api/traces/1/spans", "ids"),
        ("/api/traces/1/spans?ids=1&rows=1", "ids"),
        ("/api/traces/1/spans?ids=", "ids"),
        ("/api/traces/1/spans?ids=1,,2", "ids"),
        ("/api/traces/1/spans?ids=0", "ids"),
        ("/api/traces/1/spans?ids=11111111111111111", "ids"),
        ("/api/traces/1/spans?rows=-1", "rows"),
        ("/api/traces/1/spans?rows=a", "rows"),
    ] {
        check(&world, uri, parameter).await;
    }
}

#[tokio::test]
async fn reversed_and_empty_ranges_are_refused() {
    let world = world();
    for (query, parameter) in [
        ("start=5&end=5", "end"),
        ("start=6&end=5", "end"),
        ("start=now&end=now-1m", "end"),
        (
            "min_duration_ms=2&max_duration_ms=1.999999",
            "max_duration_ms",
        ),
        (
            "min_span_duration_ms=2&max_span_duration_ms=1",
            "max_span_duration_ms",
        ),
    ] {
        check(&world, &format!("/api/traces?{query}"), parameter).await;
    }
    world.ok("/api/traces?start=now-3650d&end=now").await;
    world
        .ok("/api/traces?start=0&end=18446744073709551615")
        .await;
    world
        .ok("/api/traces?min_duration_ms=1&max_duration_ms=1")
        .await;
}

#[tokio::test]
async fn unknown_and_repeated_parameters_are_refused_everywhere() {
    let world = world();
    for path in [
        "/api/traces",
        "/api/traces/1",
        "/api/traces/1/spans",
        "/api/services",
        "/api/services/cart/operations",
        "/api/graph",
        "/api/tags",
        "/api/tags/k/values",
        "/api/status",
        "/api/openapi.json",
    ] {
        check(&world, &format!("{path}?colour=red"), "colour").await;
        check(&world, &format!("{path}?Limit=1"), "Limit").await;
    }
    check(&world, "/api/traces?limit=1&limit=1", "limit").await;
    check(&world, "/api/traces?service=a&service=b", "service").await;
    check(&world, "/api/traces?%ff=1", "%ff").await;
    check(&world, "/api/traces?service=%ff", "service").await;
    check(&world, "/api/traces?service=%c3%28", "service").await;
    check(&world, "/api/traces?service=%", "service").await;
    check(&world, "/api/traces?tag=k%3D%ed%a0%80", "tag").await;
}

#[tokio::test]
async fn ids_and_paths_that_make_no_sense() {
    let world = world();
    for id in [
        "x",
        "0",
        "00000000000000000000000000000000",
        "-1",
        "1%00",
        "%20",
        "..",
        &"1".repeat(33),
    ] {
        check(&world, &format!("/api/traces/{id}"), "trace_id").await;
    }
    check(&world, "/api/traces/%ff", "trace_id").await;
    check(&world, "/api/services/%ff/operations", "service").await;
    check(&world, "/api/tags/%ff/values", "key").await;
    world.ok("/api/services/%00/operations").await;
    for path in [
        "/api",
        "/api/",
        "/api/nothing",
        "/api/traces/1/x",
        "/api/services/cart",
        "/api/traces/1/spans/2",
        "/api//traces",
    ] {
        let reply = world.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["error"]["code"], "not_found", "{path}");
    }
    let reply = world.get("/api/traces/ffff").await;
    assert_eq!(
        (reply.status, reply.json()["error"]["code"].as_str()),
        (404, Some("not_found"))
    );
}

#[tokio::test]
async fn very_many_tag_filters_are_refused() {
    let world = world();
    let tags = |count: usize| vec!["tag=k"; count].join("&");
    world.ok(&format!("/api/traces?{}", tags(64))).await;
    check(&world, &format!("/api/traces?{}", tags(65)), "tag").await;
    check(&world, &format!("/api/traces?{}", tags(10_000)), "tag").await;
    let ids = vec!["1"; 501].join(",");
    check(&world, &format!("/api/traces/1/spans?ids={ids}"), "ids").await;
    check(&world, &format!("/api/traces/1/spans?rows={ids}"), "rows").await;
}

#[tokio::test]
async fn evil_expressions_cost_little() {
    let long = "a".repeat(20_000);
    let world = World::of(&json!([span(
        1,
        1,
        0,
        &json!({"tags": {"k": format!("{long}!")}})
    )]));
    for pattern in [
        "(a+)+$",
        "(a|aa)+$",
        "(.*a){12}$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        ".*.*.*=.*",
        "a",
    ] {
        world
            .ok(&format!(
                "/api/traces?tag={}",
                encoded(&format!("k~={pattern}"))
            ))
            .await;
    }
    check(
        &world,
        &format!("/api/traces?tag=k~%3D{}", "(".repeat(5_000)),
        "tag",
    )
    .await;
}

#[tokio::test]
async fn other_methods_are_refused_and_head_has_no_body() {
    let world = world();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let reply = ask(
            &world.router,
            Request::builder().method(method).uri("/api/traces/1"),
        )
        .await;
        assert_eq!(reply.status, 405, "{method}");
        assert_eq!(reply.header("allow"), Some("GET, HEAD"));
        assert_eq!(reply.json()["error"]["code"], "method_not_allowed");
    }
    for (uri, status) in [
        ("/api/traces/1", 200),
        ("/api/traces/2", 404),
        ("/api/traces?limit=0", 400),
    ] {
        let head = ask(&world.router, Request::head(uri)).await;
        let get = world.get(uri).await;
        assert_eq!((head.status, get.status), (status, status), "{uri}");
        assert!(head.body.is_empty());
        assert_eq!(
            head.header("content-length"),
            Some(get.body.len().to_string().as_str())
        );
    }
}

#[tokio::test]
async fn answers_are_not_kept_sniffed_or_referred() {
    let world = world();
    for uri in [
        "/api/traces/1",
        "/api/traces?limit=0",
        "/api/nothing",
        "/api/status",
        "/api/openapi.json",
    ] {
        let reply = world.get(uri).await;
        for (name, value) in [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{uri} {name}");
        }
    }
}

#[tokio::test]
async fn what_was_seen_is_shown_escaped_and_short() {
    let world = world();
    let value = format!("\u{1b}[31m\u{202e}{}", "x".repeat(5_000));
    let reply = world
        .get(&format!("/api/traces?order={}", encoded(&value)))
        .await;
    assert_eq!(reply.status, 400);
    let message = reply.json()["error"]["message"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        message.len() < 300 && !message.contains(['\u{1b}', '\u{202e}']),
        "{message}"
    );
}

#[tokio::test]
async fn other_paths_are_the_ui() {
    let world = world();
    let reply = world.get("/").await;
    assert_eq!(reply.status, 200);
    assert!(
        reply
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
}
