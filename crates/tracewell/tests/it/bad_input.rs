//! Hostile input over real sockets: it gets a clear answer and costs nothing else. The classes of
//! RELIABILITY.md are data-driven tests of `wire`, `collector`, `query` and `model`; here they are
//! thrown at the whole process, which must stay up, keep its account, and find the good span after.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::server::{JSON, Server, shared_data, span};

fn is_fine(server: &Server, id: u128) {
    server.send_spans(&[span(id, 1, None, "after")]);
    assert_eq!(server.trace(&format!("{id:x}"))["span_count"], 1);
    assert_eq!(server.quiet_status()["account"]["balances"], true);
}

#[test]
fn json_that_parsers_disagree_on() {
    let Some(data) = shared_data() else { return };
    let server = Server::start();
    let mut seen = 0;
    for entry in std::fs::read_dir(data.join("json-test-suite"))
        .unwrap()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(body) = std::fs::read(entry.path()) else {
            continue;
        };
        if !name.ends_with(".json") {
            continue;
        }
        seen += 1;
        for path in ["/v1/spans", "/v1/traces", "/api/v2/spans"] {
            let answer = server.post(path, &[JSON], &body);
            assert!(
                [200, 202, 400].contains(&answer.status),
                "{name} {path}: {}",
                answer.status
            );
            if name.starts_with("n_") {
                assert_eq!(answer.status, 400, "{name} {path}: {}", answer.text());
            }
        }
    }
    assert!(seen > 300, "{seen}");
    is_fine(&server, 1);
}

#[test]
fn a_trace_says_which_parent_the_door_refused() {
    let server = Server::start();
    let mut parent = span(7, 9, None, "parent");
    parent["duration_ms"] = json!(-1);
    let body = json!([parent, span(7, 10, Some(9), "child")]).to_string();
    server.post("/v1/spans", &[JSON], body.as_bytes());
    let trace = server.trace("7");
    assert_eq!(trace["status"], "partial");
    let reason = &trace["partial_reasons"][0];
    assert_eq!(reason["reason"], "refused");
    assert_eq!(reason["parent_span_id"], "0000000000000009");
    let said = reason["detail"].to_string();
    assert!(said.contains("refused it for its duration"), "{said}");
}

#[test]
fn nesting_a_million_deep() {
    let server = Server::start();
    for depth in [100usize, 1_000, 100_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = open.repeat(depth) + "1" + &close.repeat(depth);
            let body = format!(
                r#"[{{"trace_id":"1","span_id":"1","service_name":"s","operation_name":"o","start_time_unix_ns":1,"duration_ms":1,"tags":{{"deep":{deep}}}}}]"#
            );
            let answer = server.post("/v1/spans", &[JSON], body.as_bytes());
            assert_eq!(answer.status, 400, "{depth} {open}: {}", answer.text());
            // To OTLP an unknown member is nothing to look into: it is ignored, unless the parser
            // itself stops at its depth.
            let answer = server.post("/v1/traces", &[JSON], deep.as_bytes());
            assert!(
                [200, 400].contains(&answer.status),
                "{depth} {open}: {}",
                answer.text()
            );
        }
    }
    is_fine(&server, 2);
}

#[test]
fn a_request_cut_at_every_byte() {
    let server = Server::start();
    let body = json!([span(3, 1, None, "cut")]).to_string();
    for end in 0..body.len() {
        let answer = server.post("/v1/spans", &[JSON], &body.as_bytes()[..end]);
        assert_eq!(answer.status, 400, "cut at {end}: {}", answer.text());
    }
    is_fine(&server, 4);
}

#[test]
fn broken_http_is_let_go() {
    let server = Server::start();
    let requests: &[&[u8]] = &[
        b"GARBAGE\r\n\r\n",
        b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n[]",
        b"POST /v1/spans HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /api/../../etc/passwd HTTP/1.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ];
    for listener in ["ingest", "query", "otlp_grpc"] {
        for request in requests {
            let mut stream = TcpStream::connect(server.address(listener)).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            stream.write_all(request).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = Vec::new();
            // A reset is an answer too; only a success would be wrong.
            drop(stream.read_to_end(&mut answer));
            let head = String::from_utf8_lossy(&answer[..answer.len().min(40)]).into_owned();
            assert!(
                !head.contains(" 202 ") && !head.contains("root:"),
                "{listener}: {head}"
            );
        }
    }
    is_fine(&server, 5);
}

#[test]
fn sizes_at_and_over_the_caps() {
    let server = Server::start();
    let mut large = span(6, 1, None, "large");
    large["tags"] = json!({"value": "v".repeat(1 << 20), "over": "w".repeat((1 << 20) + 1), "k".repeat(64 << 10): 1});
    server.send_spans(&[large]);
    let shown = server.trace("6")["spans"][0].clone();
    assert_eq!(shown["tags"]["value"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(shown["tags"]["over"].as_str().unwrap().len(), 1 << 20);
    let marks = shown["marks"].as_array().unwrap();
    assert!(
        marks.contains(&json!("value_cut")),
        "never cut silently: {marks:?}"
    );

    let mut many = span(7, 1, None, "many");
    many["tags"] = (0..10_000)
        .map(|i| (format!("tag-{i}"), json!(i)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    server.send_spans(&[many]);
    let shown = server.trace("7")["spans"][0].clone();
    assert_eq!(shown["tags"].as_object().unwrap().len(), 1_024);
    assert_eq!(shown["dropped_attributes_count"], 10_000 - 1_024);
    assert!(
        shown["marks"]
            .as_array()
            .unwrap()
            .contains(&json!("attributes_cut"))
    );
    is_fine(&server, 8);
}

#[test]
fn a_hundred_thousand_spans_in_one_body() {
    let server = Server::start();
    let spans: Vec<_> = (1..=100_000)
        .map(|i| span(9, i, (i > 1).then_some(1), "bulk"))
        .collect();
    server.send_spans(&spans);
    crate::server::eventually("all of them", || {
        (server.trace("9")["span_count"] == 100_000).then_some(())
    });
    is_fine(&server, 10);
}
