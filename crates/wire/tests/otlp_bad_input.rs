//! Bad input to OTLP, protobuf and JSON, by the classes of RELIABILITY.md.

mod support;

use prost::Message;
use support::{
    AnyValue, ArrayValue, Event, JSON, KeyValueList, Link, PROTOBUF, Request, Span, Status, Value,
    any, decode, full_span, key_value, outcome, plain_span, request_of, shared_data, text,
};
use tracewell_model::{Marks, SpanBatch, SpanKind, StatusCode};
use tracewell_wire::proto::{put_bytes_field, put_fixed64_field, put_varint_field};
use tracewell_wire::rest::Rest;

/// The body with this one span, as its encoded bytes.
fn body_of(span: &[u8]) -> Vec<u8> {
    let (mut scope_spans, mut resource_spans, mut body) = (Vec::new(), Vec::new(), Vec::new());
    put_bytes_field(&mut scope_spans, 2, span);
    put_bytes_field(&mut resource_spans, 2, &scope_spans);
    put_bytes_field(&mut body, 1, &resource_spans);
    body
}

fn check_span(change: impl FnOnce(&mut Span), expected: &str) {
    let mut span = plain_span();
    change(&mut span);
    let body = request_of(span.clone()).encode_to_vec();
    assert_eq!(outcome(PROTOBUF, &body), expected, "{span:?}");
}

fn one(span: Span) -> SpanBatch {
    let (batch, report) = decode(PROTOBUF, &request_of(span).encode_to_vec()).expect("it is sound");
    assert_eq!(report.accepted, 1, "{}", report.refusals());
    batch
}

#[test]
fn class_4_a_request_cut_anywhere_never_pushes_a_part() {
    let body = request_of(full_span()).encode_to_vec();
    assert_eq!(outcome(PROTOBUF, &body), "1");
    for end in 1..body.len() {
        assert_eq!(outcome(PROTOBUF, &body[..end]), "error", "{end}");
    }
    // An empty request is a success by the specification.
    assert_eq!(outcome(PROTOBUF, b""), "0");
}

#[test]
fn class_4_a_span_cut_anywhere_costs_itself_only() {
    let span = full_span().encode_to_vec();
    for end in 0..span.len() {
        let mut body = body_of(&span[..end]);
        body.extend(request_of(plain_span()).encode_to_vec());
        let seen = outcome(PROTOBUF, &body);
        // A cut between two fields leaves a span that is sound but poorer.
        assert!(seen == "2" || seen.starts_with("1, "), "{end}: {seen}");
    }
}

#[test]
fn class_4_every_field_with_every_wrong_wire_type_is_refused() {
    let right = |number: u32| match number {
        6 | 10 | 12 | 14 => 0,
        7 | 8 => 1,
        16 => 5,
        _ => 2,
    };
    for number in 1..=16u32 {
        for wire in (0..8).filter(|wire| *wire != right(number)) {
            let mut span = plain_span().encode_to_vec();
            tracewell_wire::proto::put_varint(&mut span, u64::from(number << 3 | wire));
            span.extend_from_slice(&[0; 8]);
            assert_eq!(
                outcome(PROTOBUF, &body_of(&span)),
                "0, malformed 1",
                "{number} {wire}"
            );
        }
    }
    for envelope in [
        &[0x08, 0][..],
        &[0x0a, 2, 0x08, 0],
        &[0x0a, 2, 0x10, 0],
        &[0x0a, 4, 0x12, 2, 0x10, 0],
    ] {
        assert_eq!(outcome(PROTOBUF, envelope), "error", "{envelope:02x?}");
    }
}

#[test]
fn class_4_numbers_and_lengths_that_cannot_be() {
    let with = |field: &[u8]| {
        let mut span = plain_span().encode_to_vec();
        span.extend_from_slice(field);
        outcome(PROTOBUF, &body_of(&span))
    };
    let bad: &[(&str, &[u8])] = &[
        (
            "varint of 11 bytes",
            &[
                0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ),
        (
            "varint over 64 bits",
            &[
                0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,
            ],
        ),
        ("length beyond the end", &[0x2a, 100, b'x']),
        ("length 2^31", &[0x2a, 0x80, 0x80, 0x80, 0x80, 8]),
        (
            "length 2^64-1",
            &[
                0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ),
        ("group start", &[0x9b, 3]),
        ("group end", &[0x9c, 3]),
        ("wire type 6", &[0x9e, 3]),
        ("field 0", &[0x02, 0]),
        ("field 2^29", &[0x80, 0x80, 0x80, 0x80, 0x10, 0]),
        ("fixed64 cut", &[0x39, 1, 2, 3]),
    ];
    for (name, field) in bad {
        assert_eq!(with(field), "0, malformed 1", "{name}");
        assert_eq!(outcome(PROTOBUF, field), "error", "{name}");
    }
    let good: &[(&str, &[u8])] = &[
        ("unknown varint", &[0x90, 3, 5]),
        ("unknown fixed64", &[0x91, 3, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("unknown bytes", &[0x92, 3, 1, 0xff]),
        ("unknown fixed32", &[0x95, 3, 1, 2, 3, 4]),
        ("kind twice", &[0x30, 1, 0x30, 2]),
        (
            "long varint of a small number",
            &[0x30, 0x82, 0x80, 0x80, 0],
        ),
        (
            "negative kind",
            &[
                0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
        ),
    ];
    for (name, field) in good {
        assert_eq!(with(field), "1", "{name}");
    }
}

#[test]
fn class_4_strings_that_are_not_utf8() {
    const BAD: &[u8] = &[b'a', 0xff];
    let attribute = |key: &[u8], value: &[u8]| {
        let (mut any, mut encoded) = (Vec::new(), Vec::new());
        put_bytes_field(&mut any, 1, value);
        put_bytes_field(&mut encoded, 1, key);
        put_bytes_field(&mut encoded, 2, &any);
        encoded
    };
    let event = |number: u32, bytes: &[u8]| {
        let mut event = Vec::new();
        put_bytes_field(&mut event, number, bytes);
        event
    };
    for (number, bytes) in [
        (3, BAD.to_vec()),
        (5, BAD.to_vec()),
        (9, attribute(BAD, b"v")),
        (9, attribute(b"k", BAD)),
        (11, event(2, BAD)),
        (11, event(3, &attribute(b"k", BAD))),
        (13, event(3, BAD)),
        (13, event(4, &attribute(BAD, b"v"))),
        (15, event(2, BAD)),
    ] {
        let mut span = plain_span().encode_to_vec();
        put_bytes_field(&mut span, number, &bytes);
        assert_eq!(
            outcome(PROTOBUF, &body_of(&span)),
            "0, malformed 1",
            "{number}"
        );
        // The same inside a resource or a scope costs the spans under it, and only those.
        if number == 9 {
            for (resource, scope) in [(event(1, &bytes), vec![]), (vec![], event(3, &bytes))] {
                let (mut group, mut scope_spans) = (Vec::new(), Vec::new());
                put_bytes_field(&mut group, 1, &resource);
                put_bytes_field(&mut scope_spans, 1, &scope);
                for _ in 0..2 {
                    put_bytes_field(&mut scope_spans, 2, &plain_span().encode_to_vec());
                }
                put_bytes_field(&mut group, 2, &scope_spans);
                let mut body = request_of(plain_span()).encode_to_vec();
                put_bytes_field(&mut body, 1, &group);
                assert_eq!(outcome(PROTOBUF, &body), "1, malformed 2");
                // No resource is kept that no span has.
                let (batch, _report) = decode(PROTOBUF, &body).expect("its framing is sound");
                assert_eq!(batch.columns().resources.len(), 1);
            }
        }
    }
}

/// An encoded `AnyValue` with this many arrays (5) or maps (6) around a number.
fn nested(depth: usize, field: u32) -> Vec<u8> {
    // Built from the inside by lengths only: appending the innermost last keeps it linear.
    let mut lengths = vec![2usize];
    let varint = |value: usize| {
        let mut out = Vec::new();
        tracewell_wire::proto::put_varint(&mut out, value as u64);
        out
    };
    let wrap = |inner: usize| match field {
        5 => [vec![0x0a], varint(inner)].concat(),
        _ => {
            let value = [vec![0x12], varint(inner)].concat();
            [vec![0x0a], varint(value.len() + inner), value].concat()
        }
    };
    for _ in 0..depth {
        let inner = lengths.last().copied().unwrap_or_default();
        let container = wrap(inner).len() + inner;
        lengths.push(1 + varint(container).len() + container);
    }
    let mut out = Vec::new();
    for inner in lengths.iter().rev().skip(1) {
        let header = wrap(*inner);
        tracewell_wire::proto::put_varint(&mut out, u64::from(field << 3 | 2));
        out.extend(varint(header.len() + inner));
        out.extend(header);
    }
    put_varint_field(&mut out, 3, 7);
    out
}

#[test]
fn class_4_nesting_is_capped() {
    for field in [5, 6] {
        for (depth, expected) in [
            (1, "1"),
            (64, "1"),
            (65, "0, too_deep 1"),
            (101, "0, too_deep 1"),
            (100_000, "0, too_deep 1"),
        ] {
            let mut attribute = Vec::new();
            put_bytes_field(&mut attribute, 2, &nested(depth, field));
            for number in [9, 11] {
                let mut span = plain_span().encode_to_vec();
                let mut event = Vec::new();
                put_bytes_field(&mut event, 3, &attribute);
                put_bytes_field(
                    &mut span,
                    number,
                    if number == 9 { &attribute } else { &event },
                );
                assert_eq!(
                    outcome(PROTOBUF, &body_of(&span)),
                    expected,
                    "{field} {depth} {number}"
                );
            }
        }
    }
}

#[test]
fn class_5_json_dialects() {
    let request =
        |span: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let ids = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
    let with = |members: &str| {
        request(&format!(
            "{{{ids},\"startTimeUnixNano\":\"5\",\"endTimeUnixNano\":\"9\"{members}}}"
        ))
    };
    let cases = [
        ("", "1"),
        (r#","kind":2"#, "1"),
        (r#","kind":"SPAN_KIND_SERVER""#, "1"),
        (r#","kind":"2""#, "1"),
        (r#","kind":77"#, "1"),
        (r#","kind":"SERVER""#, "0, wrong_type 1"),
        (r#","kind":2.5"#, "0, wrong_type 1"),
        (
            r#","kind":null,"name":null,"attributes":null,"status":null"#,
            "1",
        ),
        (r#","status":{"code":"STATUS_CODE_ERROR"}"#, "1"),
        (r#","status":{"code":2,"message":"m"}"#, "1"),
        (r#","status":2"#, "0, wrong_type 1"),
        (
            r#","start_time_unix_nano":"6","parent_span_id":"","dropped_attributes_count":3"#,
            "1",
        ),
        (r#","startTimeUnixNano":6"#, "1"),
        (r#","startTimeUnixNano":"-1""#, "0, wrong_type 1"),
        (r#","startTimeUnixNano":1e400"#, "0, malformed 1"),
        (r#","startTimeUnixNano":true"#, "0, wrong_type 1"),
        (r#","name":5"#, "0, wrong_type 1"),
        (r#","name":"\ud800""#, "0, malformed 1"),
        (r#","flags":4294967296"#, "0, wrong_type 1"),
        (r#","droppedLinksCount":"3""#, "1"),
        (r#","unknown":{"deep":[[[]]]}"#, "1"),
        (r#","attributes":[{"key":"k","value":{"intValue":5}}]"#, "1"),
        (
            r#","attributes":[{"key":"k","value":{"intValue":"5"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"intValue":5.0}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"intValue":5.5}}]"#,
            "0, wrong_type 1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"intValue":"9223372036854775808"}}]"#,
            "0, wrong_type 1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"doubleValue":"NaN"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"doubleValue":"-Infinity"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"doubleValue":"1.5"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"doubleValue":1}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"doubleValue":"nan"}}]"#,
            "0, wrong_type 1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"boolValue":"true"}}]"#,
            "0, wrong_type 1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"bytesValue":"AP8="}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"bytesValue":"_-8"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"bytesValue":"?"}}]"#,
            "0, wrong_type 1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"string_value":"s"}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{"stringValue":"s","arrayValue":null}}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":{}},{"key":"k"},{}]"#,
            "1",
        ),
        (
            r#","attributes":[{"key":"k","value":"bare"}]"#,
            "0, wrong_type 1",
        ),
        (r#","attributes":{"k":"v"}"#, "0, wrong_type 1"),
        (r#","attributes":[5]"#, "0, wrong_type 1"),
        (r#","links":[{"traceId":"xyz"}]"#, "0, wrong_type 1"),
        (
            r#","events":[{"name":"e","attributes":[{"key":"a","value":{"stringValue":"b"}}]}]"#,
            "1",
        ),
    ];
    for (members, expected) in cases {
        assert_eq!(
            outcome(JSON, with(members).as_bytes()),
            expected,
            "{members}"
        );
    }
    let others = [
        (
            r#"{"resource_spans":[{"scope_spans":[{"spans":[{}]}]}]}"#,
            "0, trace_id 1",
        ),
        (
            r#"{"resourceSpans":[{"instrumentationLibrarySpans":[{"instrumentationLibrary":{"name":"l"},"spans":[{}]}]}]}"#,
            "0, trace_id 1",
        ),
        (
            r#"{"resourceSpans":[{"resource":5,"scopeSpans":[{"spans":[{},{}]}]}]}"#,
            "0, wrong_type 2",
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"scope":[],"spans":[{},5]}]}]}"#,
            "0, wrong_type 2",
        ),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[null,[],{}]}]}]}"#,
            "0, trace_id 1, wrong_type 2",
        ),
        (r#"{"resourceSpans":[{"scopeSpans":null}],"other":1}"#, "0"),
        ("{}", "0"),
        ("[]", "error"),
        ("null", "error"),
        ("", "error"),
        (r#"{"resourceSpans":{}}"#, "error"),
        (r#"{"resourceSpans":[{"scopeSpans":5}]}"#, "error"),
        (
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":5}]}]}"#,
            "error",
        ),
        (r#"{"resourceSpans":[]}{"resourceSpans":[]}"#, "error"),
    ];
    for (body, expected) in others {
        let seen = outcome(JSON, body.as_bytes());
        assert_eq!(seen, expected, "{body}");
    }
}

#[test]
fn class_5_values_mean_the_same_in_every_dialect() {
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},
        "scopeSpans":[{"spans":[{"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ","kind":"SPAN_KIND_CLIENT",
        "startTimeUnixNano":"5","endTimeUnixNano":9,"status":{"code":2},
        "attributes":[{"key":"i","value":{"intValue":"-9223372036854775808"}},{"key":"d","value":{"doubleValue":"Infinity"}},
        {"key":"a","value":{"arrayValue":{"values":[{"stringValue":"x"},{}]}}},{"key":"m","value":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":true}}]}}}]
        }]}]}]}"#;
    let (batch, report) = decode(JSON, body.as_bytes()).expect("it is sound");
    assert_eq!(report.accepted, 1, "{}", report.refusals());
    let span = batch.span(0);
    assert_eq!(
        span.trace_id().to_string(),
        "5b8efff798038103d269b633813fc60c"
    );
    assert_eq!(span.span_id().to_string(), "eee19b7ec3c1b174");
    assert_eq!(
        (span.service(), span.kind(), span.duration_ns()),
        ("cart", SpanKind::Client, 4)
    );
    let values: Vec<_> = span
        .attributes()
        .map(|a| a.value.text().into_owned())
        .collect();
    assert_eq!(
        values,
        [
            "-9223372036854775808",
            "inf",
            r#"["x",null]"#,
            r#"{"k":true}"#
        ]
    );
}

#[test]
fn class_5_json_nesting_is_capped_without_using_the_stack() {
    let ids = r#""traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174""#;
    let arrays = (r#"{"arrayValue":{"values":["#, "]}}");
    let maps = (r#"{"kvlistValue":{"values":[{"key":"k","value":"#, "}]}}");
    for (open, close) in [arrays, maps] {
        for (depth, expected) in [
            (1, "1"),
            (41, "1"),
            (64, "1"),
            (65, "0, too_deep 1"),
            (50_000, "0, too_deep 1"),
        ] {
            let value = format!(
                "{}{}{}",
                open.repeat(depth),
                r#"{"intValue":7}"#,
                close.repeat(depth)
            );
            let span = format!(r#"{{{ids},"attributes":[{{"key":"k","value":{value}}}]}}"#);
            let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
            assert_eq!(outcome(JSON, body.as_bytes()), expected, "{depth}");
        }
    }
}

#[test]
fn class_6_ids() {
    for length in [0, 1, 7, 9, 15, 16, 17, 32] {
        let trace = if length == 16 { "1" } else { "0, trace_id 1" };
        check_span(|span| span.trace_id = vec![1; length], trace);
        check_span(|span| span.span_id = vec![1; length], "0, span_id 1");
        let parent = if length == 0 {
            "1"
        } else {
            "0, parent_span_id 1"
        };
        check_span(|span| span.parent_span_id = vec![1; length], parent);
    }
    check_span(|span| span.trace_id = vec![0; 16], "0, trace_id 1");
    check_span(|span| span.span_id = vec![0; 8], "0, span_id 1");
    check_span(|span| span.parent_span_id = vec![0; 8], "1");
    check_span(
        |span| span.parent_span_id = vec![0; 7],
        "0, parent_span_id 1",
    );
    let root = one(Span {
        parent_span_id: vec![0; 8],
        ..plain_span()
    });
    assert_eq!(root.span(0).parent(), None);
    for (id, expected) in [
        ("5B8EFFF798038103D269B633813FC60C", "0, span_id 1"),
        ("5b8efff798038103", "0, trace_id 1"),
        ("5b8efff798038103d269b633813fc60", "0, trace_id 1"),
        ("zz8efff798038103d269b633813fc60c", "0, trace_id 1"),
        ("00000000000000000000000000000000", "0, trace_id 1"),
    ] {
        let body = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{id}"}}]}}]}}]}}"#
        );
        assert_eq!(outcome(JSON, body.as_bytes()), expected, "{id}");
    }
}

#[test]
fn class_7_time() {
    for (start, end, duration, marks) in [
        (5, 9, 4, Marks::default()),
        (9, 9, 0, Marks::default()),
        (9, 5, 0, Marks::END_BEFORE_START),
        (9, 0, 0, Marks::END_BEFORE_START),
        (0, 0, 0, Marks::NO_START_TIME),
        (0, 7, 7, Marks::NO_START_TIME),
        (u64::MAX, u64::MAX, 0, Marks::default()),
        (u64::MAX, 1, 0, Marks::END_BEFORE_START),
        (1, u64::MAX, u64::MAX - 1, Marks::default()),
    ] {
        let batch = one(Span {
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            ..plain_span()
        });
        let span = batch.span(0);
        assert_eq!(
            (span.start_unix_ns(), span.duration_ns(), span.marks()),
            (start, duration, marks)
        );
        let original = marks.has(Marks::END_BEFORE_START).then_some(end);
        assert_eq!(Rest::parse(span.rest()).end_unix_ns, original);
    }
}

#[test]
fn class_9_sizes() {
    let many = |count: usize| {
        (0..count)
            .map(|i| text(&format!("k{i}"), "v"))
            .collect::<Vec<_>>()
    };
    let batch = one(Span {
        attributes: many(10_000),
        dropped_attributes_count: 5,
        ..plain_span()
    });
    let span = batch.span(0);
    assert_eq!(
        (span.attributes().count(), span.marks()),
        (1_024, Marks::ATTRIBUTES_CUT)
    );
    assert_eq!(
        Rest::parse(span.rest()).dropped_attributes_count,
        10_000 - 1_024 + 5
    );
    let batch = one(Span {
        attributes: vec![text(&"k".repeat(65_536), &"é".repeat(1 << 20))],
        events: vec![
            Event {
                attributes: many(1),
                ..Event::default()
            };
            10_000
        ],
        links: vec![Link::default(); 10_000],
        name: "n".repeat(4 << 20),
        ..plain_span()
    });
    let span = batch.span(0);
    assert_eq!(
        (span.marks(), span.operation().len()),
        (Marks::VALUE_CUT, 1 << 20)
    );
    assert_eq!(span.event_attributes().count(), 10_000);
    let rest = Rest::parse(span.rest());
    assert_eq!((rest.events.len(), rest.links.len()), (10_000, 10_000));
    let mut request = request_of(plain_span());
    request.resource_spans[0].scope_spans[0].spans = vec![plain_span(); 100_000];
    assert_eq!(outcome(PROTOBUF, &request.encode_to_vec()), "100000");
    let mut request = request_of(plain_span());
    let resource = request.resource_spans[0]
        .resource
        .as_mut()
        .expect("it has one");
    resource.attributes.extend(many(2_000));
    let (batch, _) = decode(PROTOBUF, &request.encode_to_vec()).expect("it is sound");
    assert!(
        batch.span(0).marks().has(Marks::ATTRIBUTES_CUT),
        "its resource was cut"
    );
}

#[test]
fn normalization_of_d5() {
    for (code, status) in [
        (0, StatusCode::Unset),
        (1, StatusCode::Ok),
        (2, StatusCode::Error),
        (3, StatusCode::Unset),
        (-1, StatusCode::Unset),
    ] {
        let message = "said".to_owned();
        let batch = one(Span {
            status: Some(Status { message, code }),
            ..plain_span()
        });
        assert_eq!(
            (batch.span(0).status(), batch.span(0).status_message()),
            (status, "said")
        );
    }
    let failed_call = one(Span {
        attributes: vec![key_value("http.status_code", Value::Int(500))],
        ..plain_span()
    });
    assert!(
        !failed_call.span(0).is_error(),
        "a 500 alone makes no error"
    );
    let twice = one(Span {
        attributes: vec![text("k", "1"), text("k", "2")],
        ..plain_span()
    });
    assert_eq!(twice.span(0).marks(), Marks::DUPLICATE_KEYS);
    for (attributes, service) in [
        (vec![], "unknown_service"),
        (vec![text("service.name", "")], "unknown_service"),
        (vec![key_value("service.name", Value::Int(5))], "5"),
        (vec![text("a", "b"), text("service.name", "cart")], "cart"),
    ] {
        let mut request = request_of(plain_span());
        request.resource_spans[0].resource = Some(support::Resource {
            attributes,
            ..Default::default()
        });
        let (batch, _) = decode(PROTOBUF, &request.encode_to_vec()).expect("it is sound");
        assert_eq!(batch.span(0).service(), service);
    }
}

#[test]
fn the_resource_may_stand_behind_its_spans() {
    let request = request_of(plain_span());
    let group = &request.resource_spans[0];
    let (mut resource_spans, mut body) = (Vec::new(), Vec::new());
    put_bytes_field(
        &mut resource_spans,
        2,
        &group.scope_spans[0].encode_to_vec(),
    );
    put_bytes_field(
        &mut resource_spans,
        1,
        &group.resource.clone().expect("it has one").encode_to_vec(),
    );
    put_bytes_field(&mut body, 1, &resource_spans);
    let (batch, _) = decode(PROTOBUF, &body).expect("it is sound");
    assert_eq!(batch.span(0).service(), "cart");
}

#[test]
fn examples_of_the_specification_and_of_exporters_are_read() {
    for folder in ["otel-proto-examples", "otel-rust"] {
        let Some(folder) = shared_data(folder) else {
            return;
        };
        for name in ["trace.json", "traces.json"] {
            let Ok(body) = std::fs::read(folder.join(name)) else {
                continue;
            };
            let (batch, report) = decode(JSON, &body).expect("it is an example");
            assert!(
                report.accepted > 0 && report.refused_count() == 0,
                "{}",
                report.refusals()
            );
            let encoded = tracewell_wire::otlp::encode::encode(batch.spans());
            assert!(Request::decode(&encoded[..]).is_ok());
        }
    }
}

#[test]
fn random_and_changed_json_never_panics() {
    let (batch, _) =
        decode(PROTOBUF, &request_of(full_span()).encode_to_vec()).expect("it is sound");
    let json = tracewell_wire::otlp::json_encode::encode(batch.spans()).into_bytes();
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..5_000 {
        let mut body = json.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..body.len());
            body[at] = *b"{}[]\",:0-eE.tfn\\ux9\xff"
                .get(random.usize(..20))
                .unwrap_or(&0);
        }
        let _any_outcome = outcome(JSON, &body);
    }
}

#[test]
fn an_array_over_the_value_cap_keeps_its_first_members() {
    let item: AnyValue = any(Value::String("x".repeat(300_000)));
    let array = Value::Array(ArrayValue {
        values: vec![item; 8],
    });
    let map = Value::Map(KeyValueList {
        values: vec![text("k", &"y".repeat(2 << 20))],
    });
    let batch = one(Span {
        attributes: vec![key_value("a", array), key_value("m", map)],
        ..plain_span()
    });
    let texts: Vec<_> = batch
        .span(0)
        .attributes()
        .map(|a| a.value.text().into_owned())
        .collect();
    assert_eq!(batch.span(0).marks(), Marks::VALUE_CUT);
    assert_eq!(texts[0].matches('"').count() / 2, 3);
    assert_eq!(texts[1], "{}");
    let mut span = plain_span().encode_to_vec();
    put_fixed64_field(&mut span, 7, 0);
    assert_eq!(
        outcome(PROTOBUF, &body_of(&span)),
        "1",
        "the last start counts"
    );
}
