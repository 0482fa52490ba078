//! Whatever the protobuf decoder takes in comes back to the last bit, in protobuf and through JSON:
//! unknown fields at every depth, fields in any order, values with two fields, any payload of a NaN,
//! marks of other formats. What came back would be a second span otherwise (D2).

mod support;

use support::{JSON, PROTOBUF, SPANS, decode, full_span, request_of};
use tracewell_model::identity::same_content;
use tracewell_model::{Marks, SpanBatch, SpanRef};
use tracewell_wire::otlp::{encode, json_encode};
use tracewell_wire::proto::{Field, Fields, put_bytes_field, put_fixed64_field, put_varint_field};
use tracewell_wire::zipkin;

use prost::Message;

/// Messages of OTLP by their fields that are messages.
type Shape = &'static [(u32, fn() -> Nested)];
struct Nested(Shape);

const REQUEST: Shape = &[(1, || Nested(RESOURCE_SPANS))];
const RESOURCE_SPANS: Shape = &[(1, || Nested(RESOURCE)), (2, || Nested(SCOPE_SPANS))];
const RESOURCE: Shape = &[(1, || Nested(KEY_VALUE)), (3, || Nested(&[]))];
const SCOPE_SPANS: Shape = &[(1, || Nested(SCOPE)), (2, || Nested(SPAN))];
const SCOPE: Shape = &[(3, || Nested(KEY_VALUE))];
const SPAN: Shape = &[
    (9, || Nested(KEY_VALUE)),
    (11, || Nested(EVENT)),
    (13, || Nested(LINK)),
    (15, || Nested(&[])),
];
const EVENT: Shape = &[(3, || Nested(KEY_VALUE))];
const LINK: Shape = &[(4, || Nested(KEY_VALUE))];
const KEY_VALUE: Shape = &[(2, || Nested(ANY))];
const ANY: Shape = &[(5, || Nested(ARRAY)), (6, || Nested(MAP))];
const ARRAY: Shape = &[(1, || Nested(ANY))];
const MAP: Shape = &[(1, || Nested(KEY_VALUE))];

/// The same message as a stranger might send it: fields in another order, unknown ones among them.
fn strange(message: &[u8], shape: Shape, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut fields = Fields::of(message);
    while let Ok(Some((number, field, raw))) = fields.next_field() {
        let nested = shape.iter().find(|(known, _)| *known == number);
        let mut piece = Vec::new();
        match (nested, field) {
            (Some((_, nested)), Field::Bytes(inner)) => {
                put_bytes_field(&mut piece, number, &strange(inner, nested().0, random));
            }
            (None, Field::Fixed64(_)) if number == 4 && random.u8(..8) == 0 => {
                put_fixed64_field(&mut piece, 4, 0x7ff8_0000_0000_0000 | random.u64(..1 << 51));
            }
            _ => piece.extend_from_slice(raw),
        }
        pieces.push(piece);
    }
    if random.u8(..20) == 0 {
        random.shuffle(&mut pieces);
    }
    if random.u8(..40) == 0 {
        let mut unknown = Vec::new();
        let number = 90 + random.u32(..9);
        match random.bool() {
            true => put_varint_field(&mut unknown, number, random.u64(..)),
            false => put_bytes_field(&mut unknown, number, b"\0\xffstrange"),
        }
        pieces.insert(random.usize(..=pieces.len()), unknown);
    }
    pieces.concat()
}

#[track_caller]
fn assert_same(a: &SpanBatch, b: &SpanBatch, what: &str) {
    let sorted = |batch| {
        let mut spans: Vec<SpanRef<'_>> = SpanBatch::spans(batch).collect();
        spans.sort_by_key(|span| (span.trace_id(), span.span_id()));
        spans
    };
    let (a, b) = (sorted(a), sorted(b));
    assert_eq!(a.len(), b.len(), "{what}");
    for (a, b) in a.into_iter().zip(b) {
        assert_eq!(a.marks(), b.marks(), "{what}");
        assert!(same_content(a, b), "{what}:\n{a:?}\n{b:?}");
        assert!(a.event_attributes().eq(b.event_attributes()), "{what}");
    }
}

#[track_caller]
fn check(batch: &SpanBatch) -> String {
    let (back, report) = decode(PROTOBUF, &encode::encode(batch.spans())).expect("it is sound");
    assert_eq!(report.refused_count(), 0, "{}", report.refusals());
    assert_same(batch, &back, "through protobuf");
    let json = json_encode::encode(batch.spans());
    let (back, report) = decode(JSON, json.as_bytes()).expect("we read what we write");
    assert_eq!(report.refused_count(), 0, "{}: {json}", report.refusals());
    assert_same(batch, &back, &json);
    json
}

#[test]
fn strange_spans_come_back_to_the_last_bit() {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut plain, mut whole) = (0, 0);
    for round in 0..600u64 {
        let mut span = full_span();
        span.span_id = (round + 1).to_be_bytes().to_vec();
        span.start_time_unix_nano *= random.u64(..2);
        let body = strange(&request_of(span).encode_to_vec(), REQUEST, &mut random);
        let (batch, report) = decode(PROTOBUF, &body).expect("it is sound");
        assert_eq!(report.refused_count(), 0, "{}", report.refusals());
        match check(&batch).contains("tracewellProtobuf") {
            true => whole += 1,
            false => plain += 1,
        }
    }
    assert!(whole > 100 && plain > 20, "{whole} whole, {plain} plain");
}

#[test]
fn what_senders_send_needs_nothing_but_json() {
    let (batch, _) = decode(PROTOBUF, &request_of(full_span()).encode_to_vec()).expect("sound");
    let json = check(&batch);
    assert!(!json.contains("tracewell"), "{json}");
}

#[test]
fn marks_of_other_formats_come_back() {
    let shared = br#"[{"traceId":"1","id":"2","parentId":"1","kind":"SERVER","shared":true,
        "timestamp":1,"duration":1,"localEndpoint":{"serviceName":"a"},"tags":{"error":""},
        "annotations":[{"timestamp":5,"value":"cs"}]}]"#;
    let (batch, _) = decode(zipkin::decode_json, shared).expect("it is sound");
    assert!(batch.span(0).marks().has(Marks::SHARED_ID));
    assert!(check(&batch).contains("\"tracewellMarks\":64"));
    // A start of 0 that was given is not one that was absent.
    let given = br#"[{"trace_id":"1","span_id":"1","service_name":"a","operation_name":"b",
        "start_time_unix_ns":0,"duration_ms":1,"status":"ok","tags":{"n":[1,{"a":null}]}}]"#;
    let (batch, _) = decode(SPANS, given).expect("it is sound");
    assert!(!batch.span(0).marks().has(Marks::NO_START_TIME));
    check(&batch);
}

#[test]
fn a_member_that_is_no_protobuf_refuses_its_span_only() {
    let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","tracewellProtobuf":"/////w=="},
        {"traceId":"00000000000000000000000000000001","spanId":"0000000000000002","tracewellProtobuf":7},
        {"traceId":"00000000000000000000000000000001","spanId":"0000000000000003","tracewellMarks":true},
        {"traceId":"00000000000000000000000000000001","spanId":"0000000000000004"}]}]}]}"#;
    let (batch, report) = decode(JSON, body).expect("the document is sound");
    assert_eq!((batch.len(), report.refused_count()), (1, 3));
}
