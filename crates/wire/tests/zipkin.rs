//! Zipkin v2, JSON and protobuf: what each field becomes, and bad-input class 15.
#![allow(clippy::unwrap_used, clippy::let_underscore_must_use)] // tests

mod expect;

use proptest::prelude::*;
use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::proto::{
    put_bytes_field, put_fixed64_field, put_message_field, put_varint_field,
};
use tracewell_wire::{DecodeError, Report, zipkin};

/// The spans in a line each, and the report.
fn decode_with(
    decode: fn(&[u8], &mut BatchBuilder, &mut Report) -> Result<(), DecodeError>,
    body: &[u8],
) -> Result<(Vec<String>, Report), DecodeError> {
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    let outcome = decode(body, &mut builder, &mut report);
    assert_eq!(builder.len(), report.accepted);
    assert!(
        outcome.is_ok() || report.seen() == 0,
        "an error means that nothing was pushed"
    );
    outcome?;
    let batches = builder.finish();
    Ok((
        batches
            .iter()
            .flat_map(SpanBatch::spans)
            .map(expect::show::show)
            .collect(),
        report,
    ))
}

fn json(body: &str) -> (Vec<String>, Report) {
    decode_with(zipkin::decode_json, body.as_bytes()).unwrap()
}

#[track_caller]
fn check(span: &str, expected: &str) {
    let (spans, report) = json(&format!("[{span}]"));
    assert_eq!(spans, [expected], "{span}: {}", report.refusals());
}

#[track_caller]
fn check_refused(span: &str, refusals: &str) {
    let good = r#"{"traceId":"9","id":"9","timestamp":1}"#;
    let (spans, report) = json(&format!("[{good},{span},{good}]"));
    assert_eq!((spans.len(), report.refused_count()), (2, 1), "{span}");
    let told = report.refusals();
    assert!(told.contains(refusals), "{span}: {told}");
}

#[test]
fn every_field_has_its_place() {
    check(
        r#"{"traceId":"5aab74dbb904746bb33447baae403ed6","parentId":"05e3ac9a4f6e3b90","id":"e457b5a2e4d86bd1",
            "kind":"CONSUMER","name":"Next-Message","timestamp":1521186011929043,"duration":14,"debug":true,
            "localEndpoint":{"serviceName":"Backend","ipv4":"10.0.0.1","ipv6":"::1","port":80},
            "remoteEndpoint":{"serviceName":"rabbitmq","ipv6":"2001:db8::1","port":5672},
            "annotations":[{"timestamp":1521186011929050,"value":"foo"}],
            "tags":{"http.path":"/é","empty":""},"later":{"x":[1]}}"#,
        "5aab74dbb904746bb33447baae403ed6 e457b5a2e4d86bd1 < 05e3ac9a4f6e3b90 Backend/Next-Message \
         1521186011929043000+14000 consumer ok http.path=Str(\"/é\") empty=Str(\"\") \
         peer.service=Str(\"rabbitmq\") network.peer.address=Str(\"2001:db8::1\") network.peer.port=Int(5672) \
         zipkin.debug=Bool(true) @network.local.address=Str(\"10.0.0.1\") @zipkin.local.ipv6=Str(\"::1\") \
         @network.local.port=Int(80) [1521186011929050000 foo ]",
    );
}

#[test]
fn odd_but_legal_spans_are_kept() {
    let cases = [
        // No timestamp, no duration, no name, no kind, no endpoint.
        (
            r#"{"traceId":"1","id":"2"}"#,
            "1 0000000000000002 < - unknown_service/ 0+0 unspecified ok !no_start_time",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":0,"duration":0}"#,
            "1 0000000000000002 < - unknown_service/ 0+0 unspecified ok !no_start_time",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":null,"tags":null,"localEndpoint":null,"annotations":null}"#,
            "1 0000000000000002 < - unknown_service/ 0+0 unspecified ok !no_start_time",
        ),
        // A shared server span, and the parents that mean none.
        (
            r#"{"traceId":"1","id":"2","parentId":"0000000000000000","timestamp":1,"kind":"SERVER","shared":true}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 server ok !shared_id",
        ),
        (
            r#"{"traceId":"1","id":"2","parentId":"","timestamp":1}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok",
        ),
        // A span that is its own parent stays so: trees deal with it.
        (
            r#"{"traceId":"1","id":"2","parentId":"2","timestamp":1}"#,
            "1 0000000000000002 < 0000000000000002 unknown_service/ 1000+0 unspecified ok",
        ),
        // Any error tag is an error, whatever its text.
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"error":""}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified error error=Str(\"\")",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"error":"false"}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified error (false) error=Str(\"false\")",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"http.status_code":"500"}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok http.status_code=Str(\"500\")",
        ),
        // Numbers in quotes, numbers as tags, an unknown kind, a repeated tag, a lower-case kind.
        (
            r#"{"traceId":"1","id":"2","timestamp":"1","duration":"2"}"#,
            "1 0000000000000002 < - unknown_service/ 1000+2000 unspecified ok",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"a":1,"b":true,"c":1.5,"d":null}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok a=Int(1) b=Bool(true) c=Double(1.5) d=Any([])",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"kind":"LOCAL"}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok span.kind=Str(\"LOCAL\")",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"kind":"client","tags":{"a":"x","a":"y"}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 client ok !duplicate_keys a=Str(\"x\") a=Str(\"y\")",
        ),
        // A tag that says the same as the remote endpoint is not doubled; another is kept beside it.
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"peer.service":"a"},"remoteEndpoint":{"serviceName":"a"}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok peer.service=Str(\"a\")",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":1,"tags":{"peer.service":"b"},"remoteEndpoint":{"serviceName":"a","port":0}}"#,
            "1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok !duplicate_keys peer.service=Str(\"b\") peer.service=Str(\"a\")",
        ),
        // The first moment of 1970, and the last microsecond that fits.
        (
            r#"{"traceId":"1","id":"2","timestamp":18446744073709551}"#,
            "1 0000000000000002 < - unknown_service/ 18446744073709551000+0 unspecified ok",
        ),
    ];
    for (span, expected) in cases {
        check(span, expected);
    }
}

#[test]
fn bad_spans_are_refused_alone() {
    let cases = [
        (r#"{"id":"2"}"#, "trace_id: the trace id is absent"),
        (r#"{"traceId":"0","id":"2"}"#, "trace_id: traceId is \"0\""),
        (r#"{"traceId":"xyz","id":"2"}"#, "trace_id"),
        (
            r#"{"traceId":"123456789012345678901234567890123","id":"2"}"#,
            "trace_id",
        ),
        (r#"{"traceId":7,"id":"2"}"#, "trace_id"),
        (r#"{"traceId":"1"}"#, "span_id: the span id is absent"),
        (r#"{"traceId":"1","id":"0"}"#, "span_id"),
        (r#"{"traceId":"1","id":"12345678901234567"}"#, "span_id"),
        (
            r#"{"traceId":"1","id":"2","parentId":"none"}"#,
            "parent_span_id",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":-1}"#,
            "start_time: timestamp is -1",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":18446744073709552}"#,
            "start_time",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":"yesterday"}"#,
            "start_time",
        ),
        (
            r#"{"traceId":"1","id":"2","duration":-5}"#,
            "duration: duration is -5",
        ),
        (
            r#"{"traceId":"1","id":"2","timestamp":18446744073709551,"duration":1000}"#,
            "duration: the span's end is not before 2^64 ns",
        ),
        (
            r#"{"traceId":"1","id":"2","name":5}"#,
            "wrong_type: name is 5",
        ),
        (
            r#"{"traceId":"1","id":"2","tags":["a"]}"#,
            "wrong_type: tags",
        ),
        (
            r#"{"traceId":"1","id":"2","tags":{"a":"\ud800"}}"#,
            "malformed",
        ),
        (
            r#"{"traceId":"1","id":"2","localEndpoint":"me"}"#,
            "wrong_type: endpoint",
        ),
        (
            r#"{"traceId":"1","id":"2","localEndpoint":{"port":{}}}"#,
            "wrong_type: port",
        ),
        (
            r#"{"traceId":"1","id":"2","annotations":{}}"#,
            "wrong_type: annotations",
        ),
        (
            r#"{"traceId":"1","id":"2","annotations":[1]}"#,
            "wrong_type: annotation",
        ),
        (
            r#"{"traceId":"1","id":"2","shared":"perhaps"}"#,
            "wrong_type: shared",
        ),
        (
            r#"{"traceId":"1","id":"2","binaryAnnotations":[]}"#,
            "malformed: a Zipkin v1 span",
        ),
        (
            r#"{"traceId":"1","id":"2","annotations":[{"value":"cs","timestamp":1,"endpoint":{}}]}"#,
            "a Zipkin v1 span",
        ),
        ("[]", "wrong_type: a list"),
        ("null", "wrong_type: null"),
        ("7", "wrong_type: a number"),
    ];
    for (span, refusals) in cases {
        check_refused(span, refusals);
    }
    let deep = format!(
        r#"{{"traceId":"1","id":"2","tags":{{"a":{}{}}}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    check_refused(&deep, "too_deep");
}

#[test]
fn bodies_that_are_no_list_are_errors() {
    assert_eq!(json("[]").0.len(), 0);
    assert_eq!(json(" \n[ ]\t").1.seen(), 0);
    for body in [
        "",
        "{}",
        "null",
        "[",
        "[{}",
        "[{}]x",
        "[1,]",
        "\u{feff}[]",
        r#"{"traceId":"1","id":"2"}"#,
    ] {
        let error = decode_with(zipkin::decode_json, body.as_bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Malformed(_)), "{body}");
    }
    assert!(decode_with(zipkin::decode_json, b"[\"\xff\"]").is_err());
}

/// The span of the first test in protobuf.
fn encoded_span() -> Vec<u8> {
    let mut span = Vec::new();
    put_bytes_field(&mut span, 1, &0xb334_47ba_ae40_3ed6_u64.to_be_bytes());
    put_bytes_field(&mut span, 2, &[0, 0, 0, 0, 0, 0, 0, 9]);
    put_bytes_field(&mut span, 3, &[0, 0, 0, 0, 0, 0, 0, 7]);
    put_varint_field(&mut span, 4, 2);
    put_bytes_field(&mut span, 5, b"get");
    put_fixed64_field(&mut span, 6, 1_521_186_011_929_043);
    put_varint_field(&mut span, 7, 14);
    put_message_field(&mut span, 8, |out| {
        put_bytes_field(out, 1, b"cart");
        put_bytes_field(out, 2, &[10, 0, 0, 1]);
    });
    put_message_field(&mut span, 9, |out| {
        put_bytes_field(out, 3, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        put_varint_field(out, 4, 5672);
    });
    put_message_field(&mut span, 10, |out| {
        put_fixed64_field(out, 1, 5);
        put_bytes_field(out, 2, b"ws");
    });
    put_message_field(&mut span, 11, |out| {
        put_bytes_field(out, 1, b"error");
        put_bytes_field(out, 2, b"boom");
    });
    put_varint_field(&mut span, 12, 1);
    put_varint_field(&mut span, 13, 1);
    put_varint_field(&mut span, 99, 1);
    span
}

fn list(spans: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    spans
        .iter()
        .for_each(|span| put_bytes_field(&mut list, 1, span));
    list
}

#[test]
fn protobuf_means_the_same() {
    let body = list(&[encoded_span()]);
    let (spans, _) = decode_with(zipkin::decode_protobuf, &body).unwrap();
    let expected = "b33447baae403ed6 0000000000000007 < 0000000000000009 cart/get 1521186011929043000+14000 \
        server error (boom) !shared_id error=Str(\"boom\") network.peer.address=Str(\"::1\") \
        network.peer.port=Int(5672) zipkin.debug=Bool(true) @network.local.address=Str(\"10.0.0.1\") [5000 ws ]";
    assert_eq!(spans, [expected]);
}

#[test]
fn protobuf_cut_anywhere_is_refused_or_whole() {
    let spans = [encoded_span(), encoded_span(), encoded_span()];
    let body = list(&spans);
    let whole: Vec<usize> = (0..=3).map(|count| list(&spans[..count]).len()).collect();
    for length in 0..=body.len() {
        let decoded = decode_with(zipkin::decode_protobuf, &body[..length]);
        match whole.iter().position(|end| *end == length) {
            Some(count) => assert_eq!(decoded.unwrap().0.len(), count),
            None => assert!(decoded.is_err(), "{length} bytes"),
        }
    }
    // The same cuts inside a span cost that span alone, wherever its end is no field's end.
    for length in 0..spans[0].len() {
        let body = list(&[encoded_span(), spans[0][..length].to_vec()]);
        let (kept, report) = decode_with(zipkin::decode_protobuf, &body).unwrap();
        assert_eq!(kept.len() + report.refused_count(), 2);
        assert!(!kept.is_empty());
    }
}

#[test]
fn protobuf_refuses_bad_spans_alone() {
    type Damage = fn(&mut Vec<u8>);
    let cases: [(Damage, &str); 8] = [
        (|span| put_bytes_field(span, 1, &[0; 16]), "trace_id"),
        (
            |span| put_bytes_field(span, 1, &[1; 15]),
            "trace_id: 15 bytes",
        ),
        (|span| put_bytes_field(span, 3, &[0; 8]), "span_id"),
        (|span| put_bytes_field(span, 3, &[1; 9]), "span_id: 9 bytes"),
        (|span| put_bytes_field(span, 2, &[1; 7]), "parent_span_id"),
        (|span| put_fixed64_field(span, 6, u64::MAX), "start_time"),
        (|span| put_bytes_field(span, 5, &[0xff]), "malformed"),
        (|span| put_varint_field(span, 5, 1), "wrong_type: field 5"),
    ];
    for (damage, refusals) in cases {
        let mut bad = encoded_span();
        damage(&mut bad);
        let (kept, report) =
            decode_with(zipkin::decode_protobuf, &list(&[bad, encoded_span()])).unwrap();
        assert_eq!(kept.len(), 1);
        assert!(
            report.refusals().contains(refusals),
            "{}",
            report.refusals()
        );
    }
}

#[test]
fn caps_are_counted_and_marked() {
    let tags: Vec<String> = (0..1_030).map(|i| format!("\"k{i}\":\"v\"")).collect();
    let long = "x".repeat(2 * 1024 * 1024);
    let body = format!(
        r#"[{{"traceId":"1","id":"2","timestamp":1,"tags":{{{}}}}},{{"traceId":"1","id":"3","timestamp":1,"tags":{{"a":"{long}"}}}}]"#,
        tags.join(",")
    );
    let mut builder = BatchBuilder::new(1);
    zipkin::decode_json(body.as_bytes(), &mut builder, &mut Report::default()).unwrap();
    let batch = builder.finish_one();
    let [many, big] = [batch.span(0), batch.span(1)];
    assert_eq!(many.attributes().count(), 1_024);
    assert_eq!(many.marks().names().collect::<Vec<_>>(), ["attributes_cut"]);
    let rest = tracewell_wire::rest::Rest::parse(many.rest());
    assert_eq!(rest.dropped_attributes_count, 6);
    assert_eq!(
        big.attributes().next().unwrap().value.text().len(),
        1024 * 1024
    );
    assert_eq!(big.marks().names().collect::<Vec<_>>(), ["value_cut"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_with(zipkin::decode_protobuf, &body);
        let _ = decode_with(zipkin::decode_json, &body);
        let _ = decode_with(zipkin::decode_protobuf, &list(&[body]));
    }

    #[test]
    fn any_damage_to_a_good_body_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = list(&[encoded_span(), encoded_span()]);
        let at = at.index(body.len());
        body[at] = byte;
        let _ = decode_with(zipkin::decode_protobuf, &body);
    }

    #[test]
    fn any_member_values_are_survived(name in "traceId|id|parentId|timestamp|duration|tags|kind|annotations|localEndpoint|shared", value in "[\\[\\]{}\":,0-9a-z.eE+-]{0,20}") {
        let body = format!(r#"[{{"traceId":"1","id":"2","{name}":{value}}}]"#);
        let _ = decode_with(zipkin::decode_json, body.as_bytes());
    }
}
