//! Jaeger's JSON: every shape it comes in, what each field becomes, and bad-input class 16.
#![allow(clippy::unwrap_used)] // tests

mod expect;

use expect::show::{check, read};
use tracewell_wire::import::{self, Format};

/// One Jaeger span with these members beside its ids and times.
fn jaeger(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"traceID":"1","spanID":"2","startTime":1,"duration":2,"process":{{"serviceName":"s"}},"processID":"p"{comma}{members}}}"#
    )
}

#[track_caller]
fn check_jaeger(members: &str, expected: &str) {
    check(&jaeger(members), Format::Jaeger, &[expected]);
}

#[track_caller]
fn check_jaeger_refused(file: &str, refusal: &str) {
    let (_, spans, refusals) = read(file.as_bytes()).unwrap();
    assert_eq!(spans.len(), 0, "{file}");
    assert!(refusals.contains(refusal), "{file}: {refusals}");
}

#[test]
fn jaeger_traces_are_read_in_every_shape() {
    let span = r#"{"traceID":"00000000000000ff","spanID":"b","operationName":"op","startTime":5.25,"duration":"7","processID":"p1","flags":1}"#;
    let processes =
        r#"{"p1":{"serviceName":"cart","tags":[{"key":"host","type":"string","value":"h"}]}}"#;
    let trace =
        format!(r#"{{"traceID":"ff","spans":[{span}],"processes":{processes},"warnings":["w"]}}"#);
    let expected =
        r#"ff 000000000000000b < - cart/op 5250+7000 unspecified ok flags=1 @host=Str("h")"#;
    let shapes = [
        trace.clone(),
        format!("[{trace}]"),
        format!("{{\"data\":[{trace}],\"total\":0,\"errors\":null}}"),
        format!("{{\"processes\":{processes},\"spans\":[{span}],\"traceID\":\"ff\"}}"),
        format!("\u{feff}\n {trace}"),
    ];
    for shape in shapes {
        check(&shape, Format::Jaeger, &[expected]);
    }
    check(
        &format!("{trace}\n\n{trace}\r\n"),
        Format::Jaeger,
        &[expected, expected],
    );
    let document = jaeger("");
    let plain = "1 0000000000000002 < - s/ 1000+2000 unspecified ok";
    check(&format!("[{document}]"), Format::Jaeger, &[plain]);
    check(
        &format!("{{\"hits\":{{\"hits\":[{{\"_source\":{document}}}]}}}}"),
        Format::Jaeger,
        &[plain],
    );
    check(
        &format!("{{\"index\":{{}}}}\n{document}\n"),
        Format::Jaeger,
        &[plain],
    );
    check(
        &format!("{{\"_index\":\"j\",\"_source\":{document}}}\n"),
        Format::Jaeger,
        &[plain],
    );
}

#[test]
fn jaeger_fields_have_their_places() {
    let cases = [
        ("", "unspecified ok"),
        (
            r#""tags":[{"key":"error","type":"bool","value":true}]"#,
            "unspecified error error=Bool(true)",
        ),
        (
            r#""tags":[{"key":"error","type":"string","value":"true"}]"#,
            "unspecified error error=Str(\"true\")",
        ),
        (
            r#""tags":[{"key":"error","type":"bool","value":"true"}]"#,
            "unspecified error error=Bool(true)",
        ),
        (
            r#""tags":[{"key":"error","type":"bool","value":false}]"#,
            "unspecified ok error=Bool(false)",
        ),
        (
            r#""tags":[{"key":"error","type":"string","value":"yes"}]"#,
            "unspecified ok error=Str(\"yes\")",
        ),
        (
            r#""tags":[{"key":"http.status_code","type":"int64","value":500}]"#,
            "unspecified ok http.status_code=Int(500)",
        ),
        (
            r#""tags":[{"key":"error","value":true},{"key":"otel.status_description","value":"boom"}]"#,
            "unspecified error (boom) error=Bool(true) otel.status_description=Str(\"boom\")",
        ),
        (
            r#""tags":[{"key":"span.kind","type":"string","value":"server"}]"#,
            "server ok span.kind=Str(\"server\")",
        ),
        // Mixed types: what does not fit its type stays as it lies there.
        (
            r#""tags":[{"key":"a","type":"int64","value":"9223372036854775807"}]"#,
            "unspecified ok a=Int(9223372036854775807)",
        ),
        (
            r#""tags":[{"key":"a","type":"int64","value":"many"}]"#,
            "unspecified ok a=Str(\"many\")",
        ),
        (
            r#""tags":[{"key":"a","type":"int64","value":1.5}]"#,
            "unspecified ok a=Double(1.5)",
        ),
        (
            r#""tags":[{"key":"a","type":"float64","value":"NaN"}]"#,
            "unspecified ok a=Double(NaN)",
        ),
        (
            r#""tags":[{"key":"a","type":"bool","value":[1]}]"#,
            "unspecified ok a=Any([42, 4, 10, 2, 24, 1])",
        ),
        (
            r#""tags":[{"key":"a","type":"binary","value":"AP8="}]"#,
            "unspecified ok a=Bytes([0, 255])",
        ),
        (
            r#""tags":[{"key":"a","type":"later","value":null},{"key":"b"}]"#,
            "unspecified ok a=Any([]) b=Any([])",
        ),
        (
            r#""tags":null,"logs":null,"references":null,"warnings":null"#,
            "unspecified ok",
        ),
        (
            r#""warnings":["skew"]"#,
            "unspecified ok jaeger.warnings=Any([42, 8, 10, 6, 10, 4, 115, 107, 101, 119])",
        ),
        (r#""flags":3"#, "unspecified ok flags=1 jaeger.flags=Int(3)"),
        // Logs.
        (
            r#""logs":[{"timestamp":3,"fields":[{"key":"event","type":"string","value":"retry"},{"key":"n","type":"int64","value":1}]}]"#,
            "unspecified ok [3000 retry event=Str(\"retry\") n=Int(1) ]",
        ),
        (
            r#""logs":[{"timestamp":3,"fields":[{"key":"message","value":"m"}]},{}]"#,
            "unspecified ok [3000 m message=Str(\"m\") ] [0 log ]",
        ),
    ];
    for (members, expected) in cases {
        check_jaeger(
            members,
            &format!("1 0000000000000002 < - s/ 1000+2000 {expected}"),
        );
    }
}

#[test]
fn event_attributes_are_lifted_for_search() {
    let file =
        jaeger(r#""logs":[{"timestamp":3,"fields":[{"key":"exception.type","value":"E"}]}]"#);
    let mut keys = Vec::new();
    import::decode_file(file.as_bytes(), 1, &mut |builder, _| {
        let batch = builder.finish_one();
        keys.extend(batch.span(0).event_attributes().map(|a| a.key.to_owned()));
    })
    .unwrap();
    assert_eq!(keys, ["exception.type"]);
}

#[test]
fn jaeger_parents_and_links_follow_the_references() {
    let reference = |kind: &str, trace: &str, span: &str| {
        format!(
            r#"{{"refType":"{kind}","traceID":"{trace}","spanID":"{span}","span":{{"references":[{{}}]}}}}"#
        )
    };
    let child = |span| reference("CHILD_OF", "0000000000000001", span);
    let follows = |span| reference("FOLLOWS_FROM", "1", span);
    let other = reference("CHILD_OF", "ff", "e");
    let cases = [
        (format!("[{}]", child("3")), "0000000000000003", ""),
        (
            format!("[{}]", follows("3")),
            "0000000000000003",
            " !follows_from",
        ),
        (
            format!("[{},{}]", follows("3"), child("4")),
            "0000000000000004",
            r#" -> 1/3 opentracing.ref_type=Str("follows_from")"#,
        ),
        (
            format!("[{},{}]", child("3"), child("4")),
            "0000000000000003",
            r#" -> 1/4 opentracing.ref_type=Str("child_of")"#,
        ),
        (
            format!("[{other},{}]", follows("3")),
            "0000000000000003",
            r#" !follows_from -> ff/e opentracing.ref_type=Str("child_of")"#,
        ),
        (
            format!("[{other}]"),
            "-",
            r#" -> ff/e opentracing.ref_type=Str("child_of")"#,
        ),
        (format!("[{}]", reference("CHILD_OF", "1", "0")), "-", ""),
        (
            r#"[{"refType":"CHILD_OF","spanID":"3"}]"#.into(),
            "0000000000000003",
            "",
        ),
        ("[]".into(), "-", ""),
    ];
    for (references, parent, links) in cases {
        let expected = format!("1 0000000000000002 < {parent} s/ 1000+2000 unspecified ok{links}");
        check_jaeger(&format!("\"references\":{references}"), &expected);
    }
    let plain = "s/ 1000+2000 unspecified ok";
    check_jaeger(
        r#""parentSpanID":"3""#,
        &format!("1 0000000000000002 < 0000000000000003 {plain}"),
    );
    check_jaeger(
        r#""parentSpanID":"0""#,
        &format!("1 0000000000000002 < - {plain}"),
    );
    check_jaeger(
        &format!("\"parentSpanID\":\"9\",\"references\":[{}]", child("3")),
        &format!("1 0000000000000002 < 0000000000000003 {plain}"),
    );
}

#[test]
fn jaeger_ids_that_are_no_hex_are_hashed_alike_everywhere() {
    let file = r#"{"traceID":"trace-1","processes":{},"spans":[
        {"traceID":"trace-1","spanID":"span-1","startTime":0,"duration":1},
        {"traceID":"trace-1","spanID":"a","startTime":1,"duration":1,"references":[
            {"refType":"CHILD_OF","traceID":"trace-1","spanID":"span-1"},
            {"refType":"FOLLOWS_FROM","traceID":"other","spanID":"span-1"}]}]}"#;
    let (_, spans, refusals) = read(file.as_bytes()).unwrap();
    assert_eq!(refusals, "");
    let words: Vec<Vec<&str>> = spans.iter().map(|span| span.split(' ').collect()).collect();
    assert_eq!(words[0][0].len(), 32);
    assert_eq!(words[0][0], words[1][0], "one trace");
    assert_eq!(words[0][1], words[1][3], "the parent's id is the span's");
    assert_eq!(words[1][1], "000000000000000a");
    let original = r#"jaeger.trace_id=Str("trace-1")"#;
    assert!(
        spans
            .iter()
            .all(|span| span.contains("!id_hashed") && span.contains(original))
    );
    assert!(
        spans[0].contains("!no_start_time") && spans[0].contains(r#"jaeger.span_id=Str("span-1")"#)
    );
    assert!(spans[0].contains("unknown_service/"));
    assert!(spans[1].contains(r#"jaeger.parent_span_id=Str("span-1")"#));
    assert!(spans[1].contains(r#"jaeger.trace_id=Str("other")"#));
}

#[test]
fn bad_jaeger_spans_are_refused_alone() {
    let cases = [
        (
            r#"{"traceID":"","spanID":"2","startTime":1}"#,
            "trace_id: traceID is \"\"",
        ),
        (
            r#"{"traceID":"0000","spanID":"2","startTime":1}"#,
            "trace_id: traceID is all zero",
        ),
        (r#"{"traceID":5,"spanID":"2","startTime":1}"#, "trace_id"),
        (
            r#"{"spanID":"2","traceID":null,"startTime":1}"#,
            "trace_id: traceID is absent",
        ),
        (r#"{"traceID":"1","spanID":"","startTime":1}"#, "span_id"),
        (r#"{"traceID":"1","spanID":7,"startTime":1}"#, "span_id"),
        (
            r#"{"traceID":"1","spanID":"2"}"#,
            "start_time: startTime is absent",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":-1}"#,
            "start_time: startTime is -1",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":"2017-01-26T16:46:31-05:00"}"#,
            "start_time",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"duration":"invalid"}"#,
            "duration: duration is \"invalid\"",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"duration":1e300}"#,
            "duration",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"operationName":{}}"#,
            "wrong_type: operationName",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"tags":{}}"#,
            "wrong_type: tags",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"tags":[{"value":1}]}"#,
            "wrong_type: a tag",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"tags":[7]}"#,
            "wrong_type: a tag",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"references":{}}"#,
            "wrong_type: references",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"references":["x"]}"#,
            "wrong_type: a reference",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"references":[{"spanID":5}]}"#,
            "parent_span_id",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"process":"p"}"#,
            "service_name: process",
        ),
        (
            r#"{"traceID":"1","spanID":"2","startTime":1,"logs":[{"timestamp":"now"}]}"#,
            "wrong_type: log timestamp",
        ),
        (r#"{"traceID":"1","spans":[7]}"#, "wrong_type: 7"),
        (
            r#"{"traceID":"1","spans":[{"spanID":"2","startTime":1,"processID":"p"}],"processes":{"p":5}}"#,
            "service_name",
        ),
    ];
    for (file, refusal) in cases {
        check_jaeger_refused(file, refusal);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    check_jaeger_refused(
        &jaeger(&format!(r#""tags":[{{"key":"a","value":{deep}}}]"#)),
        "too_deep",
    );
    check_jaeger(
        &format!(r#""ignored":{deep}"#),
        "1 0000000000000002 < - s/ 1000+2000 unspecified ok",
    );
}
