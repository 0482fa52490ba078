//! The exact answers of every ingest endpoint over real sockets (COMPAT.md), and that nothing of a
//! span is lost on the way through the whole house (P19).

use serde_json::{Value, json};

use crate::server::{JSON, Server, span};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

#[test]
fn tags_come_back_byte_for_byte() {
    let server = Server::start();
    let stack = "at frame\n".repeat(8 * 1024);
    let tags = json!({
        "most": i64::MAX, "least": i64::MIN, "empty": "", "nul": "a\u{0}b", "bidi": "\u{202e}evil",
        "emoji": "🦀 ñ \u{1F468}\u{200D}\u{1F469}", "stack": stack, "yes": true, "half": 0.5,
        "list": [1, "two", [3.5, null]], "map": {"a": {"b": "<script>"}}, "none": null,
        "": "no key", "user_id": "u-1", "http.status_code": 500
    });
    let mut sent = span(1, 1, None, "verbatim");
    sent["tags"] = tags.clone();
    server.send_spans(&[sent]);
    assert_eq!(server.trace("1")["spans"][0]["tags"], tags);
    // And through a segment and a restart.
    let dir = server.dir.clone();
    assert_eq!(server.terminate().code(), Some(0));
    let server = Server::start_in(dir, &[]);
    assert_eq!(server.trace("1")["spans"][0]["tags"], tags);
    // And out as OTLP and in again.
    let otlp = server.get("/api/traces/1?format=otlp");
    let other = Server::start();
    assert_eq!(other.post("/v1/traces", &[JSON], &otlp.body).status, 200);
    assert_eq!(other.trace("1")["spans"][0]["tags"], tags);
}

#[test]
fn one_bad_span_among_499_good_is_named_and_the_others_kept() {
    let server = Server::start();
    let mut spans: Vec<Value> = (1..=500)
        .map(|i| span(7, i, (i > 1).then_some(1), "s"))
        .collect();
    spans[17]["trace_id"] = json!("not hex");
    let answer = server.post("/v1/spans", &[JSON], json!(spans).to_string().as_bytes());
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    assert_eq!(answer.headers["tracewell-refused"], "1");
    let reason = &answer.headers["tracewell-refused-reason"];
    assert!(
        reason.contains("span 17") && reason.contains("trace_id"),
        "{reason}"
    );
    assert_eq!(server.trace("7")["span_count"], 499);
    let since = server.quiet_status()["account"]["since_start"].clone();
    assert_eq!(
        (&since["received"], &since["accepted"], &since["refused"]),
        (&json!(500), &json!(499), &json!(1))
    );
    assert_eq!(since["refused_by_reason"]["trace_id"], 1);
    let metrics = server.get("/metrics").text();
    assert!(
        metrics
            .lines()
            .any(|l| l.starts_with("tracewell_receiver_refused_spans")
                && l.contains("trace_id")
                && l.ends_with(" 1")),
        "{metrics}"
    );
}

#[test]
fn every_endpoint_answers_as_its_clients_expect() {
    let server = Server::start();
    let gzip = |body: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let good = json!([span(1, 1, None, "s")]).to_string().into_bytes();
    let zipkin = br#"[{"traceId":"00000000000000aa","id":"00000000000000bb","name":"get","timestamp":1700000000000000,"duration":5,"localEndpoint":{"serviceName":"z"}}]"#;
    let bomb = gzip(&vec![b' '; 80 << 20]);
    let over = vec![b' '; (64 << 20) + 1];
    let zstd = zstd::encode_all(&good[..], 1).unwrap();
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a [u8], u16);
    let cases: &[Case<'_>] = &[
        ("spans", "/v1/spans", &[JSON], &good, 202),
        ("spans without a type", "/v1/spans", &[], &good, 202),
        ("no spans", "/v1/spans", &[JSON], b"[]", 202),
        (
            "gzip",
            "/v1/spans",
            &[JSON, ("content-encoding", "gzip")],
            &gzip(&good),
            202,
        ),
        (
            "zstd",
            "/v1/spans",
            &[JSON, ("content-encoding", "zstd")],
            &zstd,
            202,
        ),
        (
            "gzip that is none",
            "/v1/spans",
            &[JSON, ("content-encoding", "gzip")],
            &good,
            400,
        ),
        (
            "unknown encoding",
            "/v1/spans",
            &[JSON, ("content-encoding", "br")],
            &good,
            415,
        ),
        (
            "unknown type",
            "/v1/spans",
            &[("content-type", "text/csv")],
            &good,
            415,
        ),
        ("no JSON", "/v1/spans", &[JSON], b"[{", 400),
        ("an object", "/v1/spans", &[JSON], b"{}", 400),
        (
            "unknown level",
            "/v1/spans",
            &[JSON, ("tracewell-ack", "maybe")],
            &good,
            400,
        ),
        (
            "durable",
            "/v1/spans",
            &[JSON, ("tracewell-ack", "durable")],
            &good,
            202,
        ),
        (
            "bomb",
            "/v1/spans",
            &[JSON, ("content-encoding", "gzip")],
            &bomb,
            413,
        ),
        ("too large", "/v1/spans", &[JSON], &over, 413),
        ("empty OTLP", "/v1/traces", &[PROTOBUF], b"", 200),
        ("empty OTLP JSON", "/v1/traces", &[JSON], b"{}", 200),
        (
            "no protobuf",
            "/v1/traces",
            &[PROTOBUF],
            b"\xff\xff\xff",
            400,
        ),
        (
            "OTLP as text",
            "/v1/traces",
            &[("content-type", "text/plain")],
            b"",
            415,
        ),
        ("Zipkin", "/api/v2/spans", &[JSON], zipkin, 202),
        ("Zipkin, empty", "/api/v2/spans", &[JSON], b"[]", 202),
        ("Zipkin, broken", "/api/v2/spans", &[JSON], b"[{", 400),
        ("nothing there", "/v1/nothing", &[JSON], b"", 404),
    ];
    for (name, path, headers, body, status) in cases {
        let answer = server.post(path, headers, body);
        assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        if *status == 202 {
            assert_eq!(answer.text(), "", "{name}");
        }
    }
    assert_eq!(
        crate::server::get(&server.url("ingest", "/v1/spans")).status,
        405
    );
    assert_eq!(
        server.get("/healthz").status,
        200,
        "none of it cost anything else"
    );
    assert_eq!(server.quiet_status()["account"]["balances"], true);
}

#[test]
fn health_metrics_and_the_ui_are_served() {
    let server = Server::start();
    for listener in ["query", "admin"] {
        for path in ["/healthz", "/readyz", "/metrics"] {
            let answer = crate::server::get(&server.url(listener, path));
            assert_eq!(answer.status, 200, "{listener} {path}: {}", answer.text());
        }
    }
    for path in ["/healthz", "/readyz"] {
        let answer = crate::server::get(&server.url("ingest", path));
        assert_eq!(answer.status, 200, "ingest {path}: {}", answer.text());
    }
    let metrics = server.get("/metrics").text();
    for name in [
        "tracewell_receiver_accepted_spans_total",
        "tracewell_log_accepted_spans_total",
        "tracewell_store_stored_spans",
        "tracewell_worker_applied_spans_total",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    let page = server.get("/");
    assert!(page.headers["content-type"].starts_with("text/html"));
    let csp = &page.headers["content-security-policy"];
    for part in [
        "default-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ] {
        assert!(csp.contains(part), "{csp}");
    }
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(server.get("/api/nothing").status, 404);
    assert_eq!(
        server.get_json("/api/openapi.json")["info"]["title"],
        "Tracewell"
    );
}
