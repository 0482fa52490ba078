//! Every answer of the table in docs/api.md, COMPAT.md and the bad-input classes 10, 11 and 22.

use crate::support::{Door, gzip, otlp, otlp_json, post, span, spans, zipkin, zlib, zstd};
use axum::body::Body;
use http::Request;
use tracewell_storage::{Ack, Class, Error};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

struct Case {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: Vec<u8>,
    status: u16,
    reply: &'static [(&'static str, &'static str)],
    accepted: u64,
    refused: u64,
}

impl Case {
    /// A request that is refused whole, unless told otherwise.
    fn new(name: &'static str, path: &'static str, body: impl Into<Vec<u8>>, status: u16) -> Case {
        Case {
            name,
            method: "POST",
            path,
            headers: &[],
            body: body.into(),
            status,
            reply: &[],
            accepted: 0,
            refused: 0,
        }
    }

    fn with(mut self, headers: &'static [(&'static str, &'static str)]) -> Case {
        self.headers = headers;
        self
    }

    fn method(mut self, method: &'static str) -> Case {
        self.method = method;
        self
    }

    fn replies(mut self, reply: &'static [(&'static str, &'static str)]) -> Case {
        self.reply = reply;
        self
    }

    fn counts(mut self, accepted: u64, refused: u64) -> Case {
        (self.accepted, self.refused) = (accepted, refused);
        self
    }
}

/// Runs the cases, each against a new collector.
async fn check(cases: Vec<Case>) {
    for case in cases {
        let door = Door::new(|_| ());
        let mut request = Request::builder().method(case.method).uri(case.path);
        for (name, value) in case.headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(case.body))
            .expect("the case is sound");
        let reply = door.send(request).await;
        assert_eq!(
            reply.status.as_u16(),
            case.status,
            "{}: {}",
            case.name,
            reply.text()
        );
        for (name, value) in case.reply {
            assert_eq!(reply.header(name), *value, "{}: {name}", case.name);
        }
        door.check_account(case.accepted, case.refused);
    }
}

#[tokio::test]
async fn spans_are_answered_202_or_told_why_not() {
    let p = "/v1/spans";
    let refused_one = format!("[{},{}]", span("1"), span("xyz"));
    let cases = vec![
        Case::new("one span, no content type", p, spans(1), 202).counts(1, 0),
        Case::new("json", p, spans(3), 202)
            .with(&[JSON])
            .counts(3, 0),
        Case::new("charset", p, spans(3), 202)
            .with(&[("content-type", "Application/JSON; charset=UTF-8")])
            .counts(3, 0)
            .replies(&[("tracewell-refused", ""), ("content-type", "")]),
        Case::new("no span", p, "[]", 202),
        Case::new("one of two", p, refused_one, 202)
            .counts(1, 1)
            .replies(&[("tracewell-refused", "1")]),
        Case::new("none usable", p, format!("[{}]", span("xyz")), 400)
            .counts(0, 1)
            .replies(&[("content-type", "application/json")]),
        Case::new("not json", p, "hello", 400),
        Case::new("empty body", p, "", 400),
        Case::new("cut", p, &spans(2).as_bytes()[..200], 400),
        Case::new("not utf-8", p, b"[\xff]".as_slice(), 400),
        Case::new("an object", p, "{}", 400),
        Case::new("protobuf", p, otlp(&[&[1; 8]]), 415).with(&[PROTOBUF]),
        Case::new("form", p, "a=b", 415)
            .with(&[("content-type", "application/x-www-form-urlencoded")]),
        Case::new("get", p, "", 405)
            .method("GET")
            .replies(&[("allow", "POST")]),
        Case::new("no path", "/v1/span", spans(1), 404)
            .replies(&[("content-type", "application/json")]),
        Case::new("dots", "/v1/..%2fspans", spans(1), 404),
        Case::new("root", "/", "", 404).method("GET"),
    ];
    check(cases).await;
}

#[tokio::test]
async fn one_bad_span_among_500_is_named_and_the_others_kept() {
    let door = Door::new(|_| ());
    let mut all: Vec<String> = (1..500).map(|id| span(&format!("{id:x}"))).collect();
    all.insert(250, span("\u{202e}\\r\\nSet-Cookie: x"));
    let reply = door
        .send(post("/v1/spans", &[JSON], format!("[{}]", all.join(","))))
        .await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.header("tracewell-refused"), "1");
    let reason = reply.header("tracewell-refused-reason");
    assert!(reason.contains("span 250: span_id"), "{reason}");
    assert!(reason.len() <= 512);
    door.check_account(499, 1);
    assert_eq!(door.collector.counters().refused.get("span_id"), Some(&1));
}

#[tokio::test]
async fn a_missing_member_is_named() {
    for member in [
        "trace_id",
        "span_id",
        "service_name",
        "operation_name",
        "start_time_unix_ns",
    ] {
        let door = Door::new(|_| ());
        let body = format!("[{}]", span("1").replace(&format!("\"{member}\""), "\"x\""));
        let reply = door.send(post("/v1/spans", &[JSON], body)).await;
        assert_eq!(reply.status, 400, "{member}");
        let error: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
        assert_eq!(error["error"]["code"], "no_usable_span");
        door.check_account(0, 1);
    }
}

#[tokio::test]
async fn otlp_is_answered_in_its_own_encoding() {
    let p = "/v1/traces";
    let cases = vec![
        Case::new("protobuf", p, otlp(&[&[1; 8], &[2; 8]]), 200)
            .with(&[PROTOBUF])
            .counts(2, 0)
            .replies(&[
                ("content-type", "application/x-protobuf"),
                ("content-length", "0"),
            ]),
        Case::new("other spelling", p, otlp(&[&[1; 8]]), 200)
            .with(&[("content-type", "application/protobuf")])
            .counts(1, 0)
            .replies(&[("content-type", "application/protobuf")]),
        Case::new("empty protobuf", p, "", 200).with(&[PROTOBUF]),
        Case::new("json", p, otlp_json(&["00f067aa0ba902b7"]), 200)
            .with(&[JSON])
            .counts(1, 0)
            .replies(&[
                ("content-type", "application/json"),
                ("content-length", "2"),
            ]),
        Case::new("empty json", p, "{}", 200).with(&[JSON]),
        Case::new("partial", p, otlp(&[&[1; 8], &[2; 7]]), 200)
            .with(&[PROTOBUF])
            .counts(1, 1),
        Case::new("none usable is partial too", p, otlp(&[&[2; 7]]), 200)
            .with(&[PROTOBUF])
            .counts(0, 1),
        Case::new("cut protobuf", p, &otlp(&[&[1; 8]])[..20], 400)
            .with(&[PROTOBUF])
            .replies(&[("content-type", "application/x-protobuf")]),
        Case::new("cut json", p, "{\"resourceSpans\":[", 400)
            .with(&[JSON])
            .replies(&[("content-type", "application/json")]),
        Case::new("json said to be protobuf", p, "{}", 400).with(&[PROTOBUF]),
        Case::new("no type", p, otlp(&[&[1; 8]]), 415),
        Case::new("text", p, "x", 415).with(&[("content-type", "text/plain")]),
        Case::new("put", p, "", 405)
            .method("PUT")
            .replies(&[("allow", "POST")]),
    ];
    check(cases).await;
}

#[tokio::test]
async fn otlp_partial_success_says_how_many_and_why() {
    let door = Door::new(|_| ());
    let body = otlp_json(&["00f067aa0ba902b7", "0000000000000000"]);
    let reply = door.send(post("/v1/traces", &[JSON], body)).await;
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "1");
    let message = answer["partialSuccess"]["errorMessage"]
        .as_str()
        .unwrap_or_default();
    assert!(message.contains("span_id"), "{message}");
    let reply = door.send(post("/v1/traces", &[JSON], "[")).await;
    let status: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!(status["code"], 3, "INVALID_ARGUMENT");
    door.check_account(1, 1);
}

#[tokio::test]
async fn zipkin_is_answered_202_or_in_text() {
    let p = "/api/v2/spans";
    let cases = vec![
        Case::new("json", p, zipkin(&["1", "2"]), 202)
            .with(&[JSON])
            .counts(2, 0),
        Case::new("empty list", p, "[]", 202).with(&[JSON]),
        Case::new("one of two", p, zipkin(&["1", "zz"]), 202)
            .with(&[JSON])
            .counts(1, 1)
            .replies(&[("tracewell-refused", "1")]),
        Case::new("bad", p, "{}", 400)
            .with(&[JSON])
            .replies(&[("content-type", "text/plain; charset=utf-8")]),
        Case::new("thrift", p, "x", 415).with(&[("content-type", "application/x-thrift")]),
        Case::new("get", p, "", 405).method("GET"),
    ];
    check(cases).await;
}

#[tokio::test]
async fn compressed_bodies_are_read_and_lies_refused() {
    let (p, plain) = ("/v1/spans", spans(20));
    let plain = plain.as_bytes();
    let zipped = gzip(plain);
    let mut flipped = zipped.clone();
    let crc = flipped.len() - 8;
    flipped[crc] ^= 1;
    let cases = vec![
        Case::new("gzip", p, zipped.clone(), 202)
            .with(&[GZIP])
            .counts(20, 0),
        Case::new("zstd", p, zstd(plain), 202)
            .with(&[("content-encoding", "zstd")])
            .counts(20, 0),
        Case::new("deflate", p, zlib(plain), 202)
            .with(&[("content-encoding", "deflate")])
            .counts(20, 0),
        Case::new("identity", p, plain, 202)
            .with(&[("content-encoding", "identity")])
            .counts(20, 0),
        Case::new("gzip of gzip, said", p, gzip(&zipped), 202)
            .with(&[("content-encoding", "gzip, gzip")])
            .counts(20, 0),
        Case::new("gzip of gzip, not said", p, gzip(&zipped), 400).with(&[GZIP]),
        Case::new("not gzip", p, plain, 400).with(&[GZIP]),
        Case::new("gzip, not said", p, zipped.clone(), 400),
        Case::new("truncated", p, &zipped[..zipped.len() / 2], 400).with(&[GZIP]),
        Case::new("bad checksum", p, flipped, 400).with(&[GZIP]),
        Case::new("trailing bytes", p, [&zipped[..], b"x"].concat(), 400).with(&[GZIP]),
        Case::new("brotli", p, plain, 415).with(&[("content-encoding", "br")]),
        Case::new("two headers, one unknown", p, plain, 415)
            .with(&[GZIP, ("content-encoding", "br")]),
        Case::new("gzip bomb", p, gzip(&vec![b' '; 100 << 20]), 413).with(&[GZIP]),
        Case::new("zstd bomb", p, zstd(&vec![b' '; 100 << 20]), 413)
            .with(&[("content-encoding", "zstd")]),
        Case::new("otlp gzip", "/v1/traces", gzip(&otlp(&[&[1; 8]])), 200)
            .with(&[PROTOBUF, GZIP])
            .counts(1, 0),
    ];
    check(cases).await;
}

#[tokio::test]
async fn the_asked_level_reaches_the_log_and_unknown_ones_are_named() {
    let door = Door::new(|config| config.ack = Ack::Durable);
    for (word, level) in [
        (None, Ack::Durable),
        (Some("received"), Ack::Received),
        (Some("logged"), Ack::Logged),
        (Some("durable"), Ack::Durable),
    ] {
        let headers: Vec<_> = word
            .map(|word| ("tracewell-ack", word))
            .into_iter()
            .collect();
        let reply = door.send(post("/v1/spans", &headers, spans(1))).await;
        assert_eq!(reply.status, 202);
        assert_eq!(door.log.acks.lock().unwrap().pop(), Some(level));
    }
    for word in ["replicated", "Logged", "", "all"] {
        let reply = door
            .send(post("/v1/spans", &[("tracewell-ack", word)], spans(1)))
            .await;
        assert_eq!(reply.status, 400, "{word}");
        assert!(
            reply.text().contains("received, logged and durable"),
            "{}",
            reply.text()
        );
    }
    door.check_account(4, 0);
}

#[tokio::test]
async fn what_the_log_refuses_is_503_with_retry_after_never_500() {
    for (class, status) in [
        (Class::Overloaded, 503),
        (Class::Retryable, 503),
        (Class::Corrupt, 503),
        (Class::Invalid, 400),
    ] {
        let door = Door::new(|_| ());
        let mut error = Error::new(class, "no room");
        error.retry_after_s = Some(7);
        door.log.inner.refuse(Some(error));
        for (path, headers, body) in [
            ("/v1/spans", &[JSON][..], spans(2).into_bytes()),
            ("/v1/traces", &[PROTOBUF][..], otlp(&[&[1; 8], &[2; 8]])),
            (
                "/api/v2/spans",
                &[JSON][..],
                zipkin(&["1", "2"]).into_bytes(),
            ),
        ] {
            let reply = door.send(post(path, headers, body)).await;
            assert_eq!(reply.status.as_u16(), status, "{path} {class:?}");
            assert_eq!(
                reply.header("retry-after"),
                if status == 503 { "7" } else { "" }
            );
        }
        door.check_account(0, 6);
        assert_eq!(
            door.collector.counters().refused.get("log_refused"),
            Some(&6)
        );
        door.log.inner.refuse(None);
        assert_eq!(
            door.send(post("/v1/spans", &[JSON], spans(2))).await.status,
            202
        );
        door.check_account(2, 6);
    }
}
