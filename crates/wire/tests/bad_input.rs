//! Bad input to `/v1/spans`, by the classes of RELIABILITY.md: what each body is worth, as data.

mod support;

use support::{JSON, SPANS, decode, outcome, shared_data};
use tracewell_model::{Marks, SpanBatch, StatusCode};

const GOOD: &str = r#"{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7",
    "parent_span_id":null,"service_name":"cart","operation_name":"GET /cart",
    "start_time_unix_ns":1700000000000000000,"duration_ms":1.5,"status":"ok","tags":{}}"#;

/// A body of one good span in which this member has this JSON value, or is not there.
fn with(member: &str, value: Option<&str>) -> String {
    let mut span: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(GOOD).expect("it is JSON");
    span.remove(member);
    let mut text = serde_json::to_string(&span).expect("it is JSON");
    if let Some(value) = value {
        text.pop();
        text.push_str(&format!(",\"{member}\":{value}}}"));
    }
    format!("[{text}]")
}

fn check_member(member: &str, cases: &[(&str, &str)]) {
    for (value, expected) in cases {
        let seen = outcome(SPANS, with(member, Some(value)).as_bytes());
        assert_eq!(seen, *expected, "{member}: {value:.100}");
    }
}

fn one(body: &str) -> SpanBatch {
    let (batch, report) = decode(SPANS, body.as_bytes()).expect("the body is sound");
    assert_eq!(report.accepted, 1, "{body:.300}: {}", report.refusals());
    batch
}

#[test]
fn class_1_json_grammar() {
    let Some(folder) = shared_data("json-test-suite") else {
        return;
    };
    let mut counted = [0; 3];
    for entry in std::fs::read_dir(folder).expect("it is a folder") {
        let path = entry.expect("it can be listed").path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if !name.ends_with(".json") {
            continue;
        }
        let body = std::fs::read(&path).expect("it can be read");
        let outcomes = [outcome(SPANS, &body), outcome(JSON, &body)];
        match name.get(..2) {
            Some("n_") => {
                assert_eq!(outcomes, ["error", "error"], "{name}");
                counted[0] += 1;
            }
            Some("y_") => counted[1] += 1,
            _ => counted[2] += 1,
        }
        // Grammar that is fine, inside a tag: the span is taken, or refused by name.
        if let Some("y_") = name.get(..2) {
            let value = String::from_utf8(body).expect("good JSON is UTF-8");
            assert_eq!(
                outcome(
                    SPANS,
                    with("tags", Some(&format!("{{\"k\":{value}}}"))).as_bytes()
                ),
                "1",
                "{name}"
            );
        }
    }
    assert!(counted[0] > 150 && counted[1] > 80, "{counted:?}");
}

#[test]
fn class_2_json_meaning() {
    let cases = [
        (r#"{"k":9223372036854775807}"#, "9223372036854775807"),
        (r#"{"k":-9223372036854775808}"#, "-9223372036854775808"),
        (r#"{"k":9223372036854775808}"#, "9223372036854776000"),
        (r#"{"k":1e2}"#, "100"),
        (r#"{"k":0.1}"#, "0.1"),
        (r#"{"k":1.0000000000000002}"#, "1.0000000000000002"),
        (r#"{"k":-0.0}"#, "-0"),
        (r#"{"k":"\u0000"}"#, "\0"),
        (r#"{"k":"\ud83d\ude00"}"#, "😀"),
        (r#"{"k":"\u202e"}"#, "\u{202e}"),
        (r#"{"k":true}"#, "true"),
        (r#"{"k":null}"#, ""),
        (r#"{"k":"first","k":"second"}"#, "first"),
        (r#"{"k":[1,{"a":null}]}"#, r#"[1,{"a":null}]"#),
    ];
    for (tags, expected) in cases {
        let batch = one(&with("tags", Some(tags)));
        let first = batch.span(0).attributes().next().expect("it has a tag");
        assert_eq!(first.value.text(), expected, "{tags}");
    }
    let twice = one(&with("tags", Some(r#"{"k":1,"k":2}"#)));
    assert_eq!(twice.span(0).marks(), Marks::DUPLICATE_KEYS);
    check_member(
        "tags",
        &[
            (r#"{"k":"\ud800"}"#, "0, malformed 1"),
            (r#"{"k":1e400}"#, "0, malformed 1"),
            (r#"{"":""}"#, "1"),
            (r#"{"k":01}"#, "error"),
            (r#"{"k":NaN}"#, "error"),
            (r#"{"k":1,}"#, "error"),
            (r#"{'k':1}"#, "error"),
            ("{\"k\":\"a\nb\"}", "error"),
            ("null", "1"),
            ("[]", "0, wrong_type 1"),
            ("\"a\"", "0, wrong_type 1"),
        ],
    );
    let twice = GOOD.replacen('{', r#"{"status":"error","#, 1);
    assert_eq!(
        outcome(SPANS, format!("[{twice}]").as_bytes()),
        "0, malformed 1"
    );
}

#[test]
fn class_3_nesting() {
    for depth in [100, 1_000, 10_000, 1_000_000] {
        let arrays = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        for nested in [arrays, objects] {
            let in_tag = format!("{{\"k\":{nested}}}");
            assert_eq!(
                outcome(SPANS, with("tags", Some(&in_tag)).as_bytes()),
                "0, too_deep 1"
            );
            let in_event = format!("[{{\"attributes\":{in_tag}}}]");
            assert_eq!(
                outcome(SPANS, with("events", Some(&in_event)).as_bytes()),
                "0, too_deep 1"
            );
            // Where nothing is read, nothing is refused.
            assert_eq!(outcome(SPANS, with("other", Some(&nested)).as_bytes()), "1");
            assert_ne!(
                outcome(SPANS, with("tags", Some(&nested)).as_bytes()),
                "error"
            );
            assert_ne!(
                outcome(SPANS, with("trace_id", Some(&nested)).as_bytes()),
                "1"
            );
            let cut = &in_tag.as_bytes()[..in_tag.len() / 2];
            assert_eq!(outcome(SPANS, cut), "error");
        }
    }
    for (depth, expected) in [(64, "1"), (65, "1"), (66, "0, too_deep 1")] {
        let nested = format!("{{\"k\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(
            outcome(SPANS, with("tags", Some(&nested)).as_bytes()),
            expected,
            "{depth}"
        );
    }
}

#[test]
fn class_6_ids() {
    let digits = |count: usize| format!("\"{}\"", "a".repeat(count));
    for (count, trace, span) in [
        (0, false, false),
        (1, true, true),
        (15, true, true),
        (16, true, true),
        (17, true, false),
        (31, true, false),
        (32, true, false),
        (33, false, false),
        (48, false, false),
        (64, false, false),
    ] {
        let expect = |good, reason| {
            if good {
                "1".to_owned()
            } else {
                format!("0, {reason} 1")
            }
        };
        let seen = outcome(SPANS, with("trace_id", Some(&digits(count))).as_bytes());
        assert_eq!(seen, expect(trace, "trace_id"), "{count}");
        let seen = outcome(SPANS, with("span_id", Some(&digits(count))).as_bytes());
        assert_eq!(seen, expect(span, "span_id"), "{count}");
        let seen = outcome(
            SPANS,
            with("parent_span_id", Some(&digits(count))).as_bytes(),
        );
        assert_eq!(
            seen,
            expect(span || count == 0, "parent_span_id"),
            "{count}"
        );
    }
    check_member(
        "trace_id",
        &[
            (r#""4BF92F3577B34DA6A3CE929D0E0E4736""#, "1"),
            (r#""\u0034bf92f3577b34da6a3ce929d0e0e4736""#, "1"),
            (r#""00000000000000000000000000000000""#, "0, trace_id 1"),
            (r#""4bf92f3577b34da6a3ce929d0e0e473g""#, "0, trace_id 1"),
            (r#""0x4bf92f3577b34da6a3ce929d0e0e47""#, "0, trace_id 1"),
            (r#"" 4bf92f3577b34da6a3ce929d0e0e473""#, "0, trace_id 1"),
            ("12", "0, trace_id 1"),
            ("null", "0, trace_id 1"),
        ],
    );
    check_member(
        "parent_span_id",
        &[
            ("\"0000000000000000\"", "1"),
            ("\"0\"", "1"),
            ("\"00f067aa0ba902b7\"", "1"), // its own parent: the tree marks it, no one refuses it
            ("\"root\"", "0, parent_span_id 1"),
            ("0", "0, parent_span_id 1"),
            ("{}", "0, parent_span_id 1"),
        ],
    );
    let padded = one(&with("trace_id", Some("\"abc\"")));
    assert_eq!(
        padded.span(0).trace_id().to_string(),
        format!("{:0>32}", "abc")
    );
}

#[test]
fn class_7_time() {
    check_member(
        "start_time_unix_ns",
        &[
            ("0", "1"),
            ("1", "1"),
            ("\"1700000000000000000\"", "1"),
            ("1.7e18", "1"),
            ("5.0", "1"),
            ("9223372036854775807", "1"),
            ("18446744073707551615", "1"),
            ("18446744073709551615", "0, duration 1"), // its end is beyond 64 bits
            ("18446744073709551616", "0, start_time 1"),
            ("-1", "0, start_time 1"),
            ("-0", "1"),
            ("0.5", "0, start_time 1"),
            ("1e30", "0, start_time 1"),
            ("null", "0, start_time 1"),
            ("true", "0, start_time 1"),
            ("\"\"", "0, start_time 1"),
            ("\"2023-11-14T22:13:20Z\"", "0, start_time 1"),
            ("[]", "0, start_time 1"),
        ],
    );
    check_member(
        "duration_ms",
        &[
            ("0", "1"),
            ("-0.0", "1"),
            ("1e3", "1"),
            ("1e-30", "1"),
            ("1e308", "0, duration 1"),
            ("1e400", "0, duration 1"),
            ("-0.1", "0, duration 1"),
            ("\"1\"", "0, duration 1"),
            ("\"NaN\"", "0, duration 1"),
            ("null", "0, duration 1"),
        ],
    );
    for (duration, ns) in [
        ("1.000001", 1_000_001),
        ("2100.25", 2_100_250_000),
        ("0.0000004", 0),
    ] {
        let batch = one(&with("duration_ms", Some(duration)));
        assert_eq!(batch.span(0).duration_ns(), ns);
    }
    let both = one(&with("duration_ns", Some("7")));
    assert_eq!(
        both.span(0).duration_ns(),
        7,
        "duration_ns is the exact one"
    );
}

#[test]
fn class_8_hostile_strings_come_back_byte_for_byte() {
    let hostile = [
        "\u{202e}evil",
        "a\u{200b}b",
        "'; DROP TABLE spans; --",
        "$(rm -rf /) `id`",
        "<script>alert(1)</script>",
        "nul\0inside",
        "\u{1b}[31m",
        "e\u{301}\u{301}\u{301}",
        "\u{feff}bom",
        "\u{10ffff}",
        &"x".repeat(65_536),
    ];
    for text in hostile {
        let quoted = serde_json::to_string(text).expect("it is text");
        assert_eq!(
            one(&with("service_name", Some(&quoted))).span(0).service(),
            text.get(..1_024).unwrap_or(text)
        );
        assert_eq!(
            one(&with("operation_name", Some(&quoted)))
                .span(0)
                .operation(),
            text
        );
        let tags = one(&with("tags", Some(&format!("{{\"k\":{quoted}}}"))));
        let tag = tags.span(0).attributes().next().expect("it has a tag");
        assert_eq!(tag.value.text(), text);
        let key = one(&with("tags", Some(&format!("{{{quoted}:1}}"))));
        let tag = key.span(0).attributes().next().expect("it has a tag");
        assert_eq!(tag.key, text.get(..1_024).unwrap_or(text));
    }
    assert_eq!(outcome(SPANS, b"[{\"trace_id\":\"\xff\"}]"), "error");
}

#[test]
fn class_9_sizes() {
    assert_eq!(outcome(SPANS, b"[]"), "0");
    let many = format!("[{}]", vec![GOOD; 100_000].join(","));
    assert_eq!(outcome(SPANS, many.as_bytes()), "100000");
    let tags: Vec<_> = (0..10_000).map(|i| format!("\"k{i}\":{i}")).collect();
    let batch = one(&with("tags", Some(&format!("{{{}}}", tags.join(",")))));
    assert_eq!(batch.span(0).attributes().count(), 1_024);
    assert!(batch.span(0).marks().has(Marks::ATTRIBUTES_CUT));
    let rest = tracewell_wire::rest::Rest::parse(batch.span(0).rest());
    assert_eq!(rest.dropped_attributes_count, 10_000 - 1_024);
    let value = format!("{{\"k\":\"{}\"}}", "é".repeat(700_000));
    let batch = one(&with("tags", Some(&value)));
    assert_eq!(batch.span(0).marks(), Marks::VALUE_CUT);
    let events = format!(
        "[{}]",
        vec![r#"{"name":"e","attributes":{"a":1}}"#; 10_000].join(",")
    );
    let batch = one(&with("events", Some(&events)));
    assert_eq!(batch.span(0).event_attributes().count(), 10_000);
    let link = r#"{"trace_id":"1","span_id":"2"}"#;
    let batch = one(&with(
        "links",
        Some(&format!("[{}]", vec![link; 10_000].join(","))),
    ));
    let rest = tracewell_wire::rest::Rest::parse(batch.span(0).rest());
    assert_eq!(rest.links.len(), 10_000);
}

#[test]
fn class_22_members_missing_or_of_the_wrong_type() {
    for (member, missing) in [
        ("trace_id", "0, trace_id 1"),
        ("span_id", "0, span_id 1"),
        ("parent_span_id", "1"),
        ("service_name", "0, service_name 1"),
        ("operation_name", "0, operation_name 1"),
        ("start_time_unix_ns", "0, start_time 1"),
        ("duration_ms", "0, duration 1"),
        ("status", "1"),
        ("tags", "1"),
    ] {
        assert_eq!(
            outcome(SPANS, with(member, None).as_bytes()),
            missing,
            "{member}"
        );
        for wrong in ["[1]", "true", "{\"a\":[]}"] {
            let seen = outcome(SPANS, with(member, Some(wrong)).as_bytes());
            let is_fine = member == "tags" && wrong.starts_with('{');
            assert_eq!(seen == "1", is_fine, "{member}: {wrong}: {seen}");
        }
    }
    check_member(
        "status",
        &[
            ("\"ok\"", "1"),
            ("\"error\"", "1"),
            ("null", "1"),
            ("\"ERROR\"", "0, status 1"),
            ("\"unset\"", "0, status 1"),
            ("2", "0, status 1"),
        ],
    );
    check_member(
        "service_name",
        &[("\"\"", "0, service_name 1"), ("5", "0, service_name 1")],
    );
    check_member("operation_name", &[("\"\"", "0, operation_name 1")]);
    check_member(
        "kind",
        &[
            ("\"server\"", "1"),
            ("\"x\"", "0, wrong_type 1"),
            ("2", "0, wrong_type 1"),
        ],
    );
    check_member(
        "flags",
        &[
            ("1", "1"),
            ("-1", "0, wrong_type 1"),
            ("4294967296", "0, wrong_type 1"),
        ],
    );
    check_member(
        "events",
        &[
            ("[]", "1"),
            ("[1]", "0, wrong_type 1"),
            ("{}", "0, wrong_type 1"),
        ],
    );
    check_member("links", &[("null", "1"), ("[{}]", "0, wrong_type 1")]);
    check_member(
        "resource",
        &[("{\"host.name\":\"h\"}", "1"), ("[]", "0, wrong_type 1")],
    );
    check_member("anything", &[("{\"else\":[1,2]}", "1")]);
    for body in [
        "",
        " ",
        "{}",
        "null",
        "5",
        "\"a\"",
        "[",
        "[{}",
        "[{}]x",
        "[{},]",
        "\u{feff}[]",
    ] {
        assert_eq!(outcome(SPANS, body.as_bytes()), "error", "{body}");
    }
    assert_eq!(
        outcome(SPANS, b"[null,1,\"a\",[],{}]"),
        "0, trace_id 1, wrong_type 4"
    );
}

#[test]
fn class_22_one_bad_span_among_many_is_named_and_the_others_stay() {
    for (bad, reason) in [
        (GOOD.replace("4bf92f", "xyz"), "trace_id"),
        ("7".to_owned(), "wrong_type"),
    ] {
        let mut spans = vec![GOOD.to_owned(); 500];
        spans[250] = bad;
        let body = format!("[{}]", spans.join(","));
        let (_, report) = decode(SPANS, body.as_bytes()).expect("the body is sound");
        assert_eq!((report.accepted, report.refused_count()), (499, 1));
        assert_eq!(report.examples[0].span, 250);
        assert_eq!(report.examples[0].reason.name(), reason);
    }
    let (_, report) = decode(SPANS, with("trace_id", Some("\"\\u001b[31m\"")).as_bytes())
        .expect("the body is sound");
    assert!(
        !report.refusals().contains('\u{1b}'),
        "{}",
        report.refusals()
    );
}

#[test]
fn a_body_cut_anywhere_is_an_error() {
    let body = with("tags", Some(r#"{"a":"é","b":[1.5,{"c":null}]}"#));
    for end in 0..body.len() {
        assert_eq!(outcome(SPANS, &body.as_bytes()[..end]), "error", "{end}");
    }
}

#[test]
fn what_an_answer_shows_can_be_sent_back() {
    let batch = one(r#"[{
        "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","span_id":"00f067aa0ba902b7","parent_span_id":"1",
        "service_name":"cart","operation_name":"GET /cart","start_time_unix_ns":1700000000000000000,
        "duration_ms":2.5,"duration_ns":2500001,"status":"error","status_message":"no","kind":"client",
        "depth":0,"orphan":true,"tags":{"http.status_code":500},
        "resource":{"service.name":"cart","host.name":"h"},
        "scope":{"name":"lib","version":"1","attributes":{"s":true}},
        "trace_state":"a=b","flags":1,
        "events":[{"time_unix_ns":5,"name":"exception","attributes":{"exception.message":"m"},"dropped_attributes_count":1}],
        "links":[{"trace_id":"a","span_id":"b","trace_state":"","flags":0,"attributes":{}}],
        "dropped_attributes_count":2,"dropped_events_count":3,"dropped_links_count":4,"marks":[]
    }]"#);
    let span = batch.span(0);
    assert_eq!(
        (span.service(), span.operation(), span.status_message()),
        ("cart", "GET /cart", "no")
    );
    assert_eq!(
        (span.duration_ns(), span.status(), span.kind().name()),
        (2_500_001, StatusCode::Error, "client")
    );
    assert_eq!((span.scope().name(), span.flags()), ("lib", 1));
    let resource: Vec<_> = span
        .resource()
        .attributes()
        .map(|a| (a.key, a.value.text()))
        .collect();
    assert_eq!(
        resource,
        [("service.name", "cart".into()), ("host.name", "h".into())]
    );
    let lifted: Vec<_> = span.event_attributes().map(|a| a.key).collect();
    assert_eq!(lifted, ["exception.message"]);
    let rest = tracewell_wire::rest::Rest::parse(span.rest());
    assert_eq!(
        (rest.trace_state, rest.events.len(), rest.links.len()),
        ("a=b", 1, 1)
    );
    let counts = (
        rest.dropped_attributes_count,
        rest.dropped_events_count,
        rest.dropped_links_count,
    );
    assert_eq!(counts, (2, 3, 4));
}
