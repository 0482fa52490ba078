//! Files of other tools: recognition by content, each format's shapes, odd and bad ones, and files of
//! any length in batches of bounded size. Jaeger has its own file.
#![allow(clippy::unwrap_used, clippy::let_underscore_must_use)] // tests

mod expect;

use expect::show::{check, read};
use proptest::prelude::*;
use tracewell_wire::import::{self, BATCH_SPANS_MAX, Format};
use tracewell_wire::proto::{put_bytes_field, put_message_field};

/// One Jaeger span with these members beside its ids and times.
fn jaeger(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"traceID":"1","spanID":"2","startTime":1,"duration":2,"process":{{"serviceName":"s"}},"processID":"p"{comma}{members}}}"#
    )
}

#[test]
fn data_prepper_documents_are_read_in_every_shape() {
    let flat = r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","parentSpanId":"","traceState":"a=b","name":"op","kind":"SPAN_KIND_SERVER","startTime":"2021-03-25T17:23:30.088478464Z","endTime":"2021-03-25T17:23:30.088478465Z","durationInNanos":1,"serviceName":"cart","status.code":2,"status.message":"boom","span.attributes.http@url":"/","resource.attributes.host@name":"h","events":[{"time":"1970-01-01T00:00:00.000000001Z","name":"e","attributes":{"a@b":1}}],"links":[{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"000000000000000c"}],"traceGroup":"x"}"#;
    let nested = r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","parentSpanId":null,"traceState":"a=b","name":"op","kind":2,"startTime":1616693010088478464,"endTime":"1616693010088478465","serviceName":"cart","status":{"code":2,"message":"boom"},"attributes":{"http.url":"/"},"resource":{"attributes":{"host.name":"h"}},"events":[{"time":1,"name":"e","attributes":{"a.b":1}}],"links":[{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"000000000000000c"}]}"#;
    let expected = "4fa04f117be100f476b175e41096e736 e275ac9d21929e9b < - cart/op 1616693010088478464+1 server error \
        (boom) http.url=Str(\"/\") @host.name=Str(\"h\") [1 e a.b=Int(1) ] -> 4fa04f117be100f476b175e41096e736/c";
    let shapes = [
        flat.to_owned(),
        nested.to_owned(),
        format!("[{flat}]"),
        format!("{{\"index\":{{\"_id\":\"x\"}}}}\n{flat}\n"),
        format!("{{\"create\":{{}}}}\n{nested}"),
        format!(
            "{{\"took\":1,\"hits\":{{\"total\":1,\"hits\":[{{\"_index\":\"i\",\"_source\":{flat}}}]}}}}"
        ),
        format!("[{{\"_source\":{flat}}}]"),
    ];
    for shape in shapes {
        check(&shape, Format::DataPrepper, &[expected]);
    }
}

#[test]
fn bad_data_prepper_documents_are_refused_alone() {
    let good = r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":"1970-01-01T00:00:00Z","endTime":"1969-12-31T23:59:59Z","resource.attributes.service@name":"r"}"#;
    let bad = [
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e73600","spanId":"e275ac9d21929e9b","startTime":1}"#,
            "trace_id: traceId is",
        ),
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b00","startTime":1}"#,
            "span_id",
        ),
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b"}"#,
            "start_time: startTime is absent",
        ),
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":"yesterday"}"#,
            "start_time",
        ),
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":1,"durationInNanos":-1}"#,
            "duration",
        ),
        (
            r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":1,"parentSpanId":"x"}"#,
            "parent_span_id",
        ),
        ("{broken", "malformed: line 1"),
        ("17", "wrong_type: document is 17"),
        (
            r#"{"serviceName":"a","hashId":"b"}"#,
            "trace_id: traceId is absent",
        ),
    ];
    for (document, refusal) in bad {
        // The first line decides what the file is.
        let first = r#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":1}"#;
        let file = format!("{first}\n{document}\n{first}\n");
        let (_, spans, refusals) = read(file.as_bytes()).unwrap();
        assert_eq!(spans.len(), 2, "{document}");
        assert!(
            refusals.contains(&refusal.replace("line 1", "line 2")),
            "{document}: {refusals}"
        );
    }
    // An end before the epoch is no time; one before the start is marked.
    assert!(
        read(good.as_bytes())
            .unwrap()
            .2
            .contains("start_time: endTime")
    );
    let backwards = good
        .replace("1970-01-01T00:00:00Z", "2021-01-01T00:00:01Z")
        .replace("1969-12-31T23:59:59Z", "2021-01-01T00:00:00Z");
    check(
        &backwards,
        Format::DataPrepper,
        &[
            "4fa04f117be100f476b175e41096e736 e275ac9d21929e9b < - r/ 1609459201000000000+0 unspecified ok !end_before_start",
        ],
    );
}

#[test]
fn nezha_lines_are_read_and_bad_ones_refused_alone() {
    let header =
        "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano,Duration";
    let file = format!(
        "{header}\r\n\
         ab,1,root,cart-api-579b9bff58-t2dbm,\"a, \"\"b\"\"\",5,9,0\r\n\
         ab,2,1,cart-api-579b9bff58-t2dbm,op,0,7,0\r\n\
         \r\n\
         ab,3,1,cart,op,9,5,0\n\
         xyz,4,1,cart,op,9,5,0\n\
         ab,,1,cart,op,9,5,0\n\
         ab,5,nobody,cart,op,9,5,0\n\
         ab,5,1,,op,9,5,0\n\
         ab,5,1,cart,op,-9,5,0\n\
         ab,5,1,cart,op,9\n"
    );
    let (format, spans, refusals) = read(file.as_bytes()).unwrap();
    assert_eq!(format, Format::Nezha);
    let pod = r#"@k8s.pod.name=Str("cart-api-579b9bff58-t2dbm")"#;
    assert_eq!(spans, [
        format!("ab 0000000000000001 < - cart-api/a, \"b\" 5+4 unspecified ok {pod}"),
        format!("ab 0000000000000002 < 0000000000000001 cart-api/op 0+7 unspecified ok !no_start_time {pod}"),
        r#"ab 0000000000000003 < 0000000000000001 cart/op 9+0 unspecified ok !end_before_start @k8s.pod.name=Str("cart")"#.to_owned(),
    ]);
    for reason in [
        "3: trace_id",
        "4: span_id",
        "5: parent_span_id",
        "6: service_name",
        "7: start_time",
        "and 1 more",
    ] {
        assert!(refusals.contains(reason), "{reason}: {refusals}");
    }
    // Columns are found by name, in any order.
    let file = "SpanID,TraceID,PodName,ParentID,EndTimeUnixNano,StartTimeUnixNano,OperationName\n1,ab,p,root,2,1,op";
    check(
        file,
        Format::Nezha,
        &[r#"ab 0000000000000001 < - p/op 1+1 unspecified ok @k8s.pod.name=Str("p")"#],
    );
    assert!(read(format!("{header}\n\u{e9}").as_bytes()).is_ok());
    assert!(
        read([header.as_bytes(), b"\n\xff"].concat().as_slice())
            .unwrap_err()
            .to_string()
            .contains("not UTF-8")
    );
}

const OTLP: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"s"}}]},"scopeSpans":[{"spans":[{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","name":"op","kind":2,"startTimeUnixNano":"5","endTimeUnixNano":"9"}]}]}]}"#;
const OTLP_SPAN: &str = "4fa04f117be100f476b175e41096e736 e275ac9d21929e9b < - s/op 5+4 server ok";

#[test]
fn otlp_and_its_relatives_are_read() {
    check(OTLP, Format::OtlpJson, &[OTLP_SPAN]);
    check(
        &format!("{OTLP}\n{OTLP}\n"),
        Format::OtlpJson,
        &[OTLP_SPAN, OTLP_SPAN],
    );
    check(
        &OTLP.replace("},{", "},\n{").replace(":[{", ":[\n{"),
        Format::OtlpJson,
        &[OTLP_SPAN],
    );
    let tempo = OTLP.replace("resourceSpans", "batches");
    let base64 = tempo
        .replace(
            "4fa04f117be100f476b175e41096e736",
            "T6BPEXvhAPR2sXXkEJbnNg==",
        )
        .replace("e275ac9d21929e9b", "4nWsnSGSnps=")
        .replace("\"kind\":2", "\"kind\":\"SPAN_KIND_SERVER\"");
    for file in [
        tempo,
        base64.clone(),
        format!("{{\"trace\":{base64},\"metrics\":{{}}}}"),
        format!("{{\"result\":{OTLP}}}"),
        format!("{{\"trace\":{OTLP}}}"),
    ] {
        check(&file, Format::TempoJson, &[OTLP_SPAN]);
    }
    assert!(read(format!("{base64}\n5\n[]\nnull").as_bytes()).is_ok());
}

#[test]
fn spans_and_own_answers_are_read() {
    let span = r#"{"trace_id":"4fa04f117be100f476b175e41096e736","span_id":"e275ac9d21929e9b","parent_span_id":null,"service_name":"s","operation_name":"op","start_time_unix_ns":5,"duration_ns":4,"duration_ms":0.000004,"status":"ok","kind":"server","tags":{}}"#;
    for file in [
        format!("[{span}]"),
        span.to_owned(),
        format!("{{\"trace_id\":\"4f\",\"root_span\":{span},\"spans\":[{span}]}}"),
        format!("[\n{span}\n]"),
    ] {
        check(&file, Format::Spans, &[OTLP_SPAN]);
    }
}

/// A file of OTLP protobuf with so many resources of so many spans.
fn otlp_protobuf(resources: usize, spans: usize) -> Vec<u8> {
    let mut file = Vec::new();
    for resource in 0..resources {
        put_message_field(&mut file, 1, |out| {
            put_message_field(out, 2, |out| {
                for span in 0..spans {
                    put_message_field(out, 2, |out| {
                        put_bytes_field(out, 1, &[7; 16]);
                        put_bytes_field(
                            out,
                            2,
                            &((resource * spans + span + 1) as u64).to_be_bytes(),
                        );
                        put_bytes_field(out, 5, b"op");
                    });
                }
            });
        });
    }
    file
}

#[test]
fn otlp_protobuf_is_read_in_batches_and_damage_is_told() {
    let (format, spans, refusals) = read(&otlp_protobuf(3, 2 * BATCH_SPANS_MAX + 1)).unwrap();
    assert_eq!((format, refusals.as_str()), (Format::OtlpProtobuf, ""));
    let distinct: std::collections::BTreeSet<_> = spans.iter().collect();
    assert_eq!(
        (spans.len(), distinct.len()),
        (3 * (2 * BATCH_SPANS_MAX + 1), spans.len())
    );
    let file = otlp_protobuf(2, 2);
    for length in 0..file.len() {
        let told = read(&file[..length]);
        assert!(
            told.is_err() || length == file.len() / 2,
            "{length} of {}",
            file.len()
        );
    }
}

#[test]
fn otlp_protobuf_is_known_whatever_its_first_length_looks_like() {
    // Among these lengths are those that read as `{`, `[`, a space, a tab and a line end.
    for padding in 0..300 {
        let mut file = Vec::new();
        put_message_field(&mut file, 1, |out| {
            put_bytes_field(out, 1, &[]);
            put_bytes_field(out, 3, &vec![b'x'; padding]);
        });
        assert_eq!(
            import::detect(&file),
            Some(Format::OtlpProtobuf),
            "{padding}"
        );
    }
    for blank in ["\n", "\n\n", "\n  ", "\r\n\t"] {
        check(&format!("{blank}{OTLP}"), Format::OtlpJson, &[OTLP_SPAN]);
        let pretty = OTLP.replace(',', ",\n  ");
        check(&format!("{blank}{pretty}"), Format::OtlpJson, &[OTLP_SPAN]);
    }
}

#[test]
fn long_files_come_in_batches() {
    let count = 3 * BATCH_SPANS_MAX + 7;
    let span = |i: usize| {
        format!(
            r#"{{"traceId":"{:x}","id":"1","timestamp":1,"localEndpoint":{{"serviceName":"s{}"}}}}"#,
            i + 1,
            i % 3
        )
    };
    let list: Vec<String> = (0..count).map(span).collect();
    let files = [
        format!("[{}]", list.join(",")),
        format!("[[{}],[{}]]", list[..9].join(","), list[9..].join(",")),
        format!("[{}]\n[{}]\n", list[..9].join(","), list[9..].join(",")),
    ];
    for file in files {
        let (format, spans, _) = read(file.as_bytes()).unwrap();
        assert_eq!((format, spans.len()), (Format::Zipkin, count));
        // Services stay right across the seams, where the builder was exchanged.
        for (i, span) in spans.iter().enumerate() {
            assert!(span.contains(&format!(" s{}/", i % 3)), "{i}: {span}");
        }
    }
}

#[test]
fn what_is_no_file_of_spans_is_named() {
    let cases: [(&[u8], &str); 20] = [
        (b"", "the file is empty"),
        (b" \n\t", "the file is empty"),
        (b"{}", "JSON without spans"),
        (b"[]", "a JSON list without spans"),
        (b"{", "JSON without spans"),
        (
            br#"{"data":null,"total":0,"errors":[{"code":404,"msg":"trace not found"}]}"#,
            "an error answer of Jaeger",
        ),
        (
            br#"{"data":[],"errors":null}"#,
            "an answer of Jaeger without a trace",
        ),
        (br#"{"resourceLogs":[]}"#, "OTLP JSON of logs"),
        (br#"{"resourceMetrics":[]}"#, "OTLP JSON of metrics"),
        (br#"[{"traceId":"1","id":"2","binaryAnnotations":[]}]"#, ""),
        (
            br#"[{"parent":"a","child":"b","callCount":1}]"#,
            "dependencies",
        ),
        (br#"{"a":1,"b":{"c":2}}"#, "the members a, b;"),
        (br#"[{"a":1}]"#, "the members a;"),
        (
            b"Timestamp,Log\n1,x",
            "CSV without the columns of a trace: \"Timestamp,Log\"",
        ),
        (b"hello\x1b[31m", "begins with \"hello\\u{1b}[31m\""),
        (b"\x1f\x8bxxxx", "compressed twice"),
        (
            b"\x82\x81\x01\x09emitBatch\x1c",
            "binary, but no OTLP protobuf",
        ),
        (
            b"\x80\x01\x00\x04\x00\x00\x00\x09emitBatch",
            "binary, but no OTLP protobuf",
        ),
        (b"\x0a\x05hello", "begins with \"\\u{5}hello\""),
        (b"\x7fELF\x02\x01\x01\xff", "binary"),
    ];
    for (file, seen) in cases {
        let shown = String::from_utf8_lossy(file);
        match read(file) {
            Ok((_, spans, refusals)) => {
                assert!(spans.is_empty() && !refusals.is_empty(), "{shown}")
            }
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains(seen) && error.contains("; accepted are OTLP JSON, "),
                    "{shown}: {error}"
                );
            }
        }
    }
}

#[test]
fn zipkin_spans_come_one_a_line_too() {
    let span = r#"{"traceId":"1","id":"2","timestamp":1,"hits":5,"tags":{"_source":"x"}}"#;
    let expected =
        r#"1 0000000000000002 < - unknown_service/ 1000+0 unspecified ok _source=Str("x")"#;
    for file in [format!("{span}\n{span}"), format!("[{span}]\n[[{span}]]")] {
        check(&file, Format::Zipkin, &[expected, expected]);
    }
    // Version 1 is named, span by span.
    let (_, spans, refusals) =
        read(br#"[{"traceId":"1","id":"2","binaryAnnotations":[]}]"#).unwrap();
    assert!(
        spans.is_empty() && refusals.contains("a Zipkin v1 span"),
        "{refusals}"
    );
}

#[test]
fn sizes_of_names_and_lists_do_no_harm() {
    let long = "k".repeat(100_000);
    let wide: Vec<String> = (0..20).map(|i| format!("\"{long}{i}\":1")).collect();
    let wide = wide.join(",");
    let header = "TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano";
    for file in [
        format!("{{\"{long}\":{{\"{long}\":{{{wide}}}}}}}"),
        format!("{{{wide}}}"),
        format!("[{}0]", "0,".repeat(100_000)),
        format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)),
        "[\n".repeat(200_000),
        "{\"a\":\n".repeat(200_000),
        format!("{header}\n{}", ",".repeat(1_000_000)),
        format!("{header}\n{}", "\"".repeat(1_000_001)),
    ] {
        match read(file.as_bytes()) {
            Ok((_, spans, _)) => assert!(spans.is_empty()),
            Err(error) => assert!(error.to_string().len() < 1_000, "{error}"),
        }
    }
}

#[test]
fn a_file_is_known_by_its_head() {
    let processes: Vec<String> = (0..5_000)
        .map(|i| format!(r#""p{i}":{{"serviceName":"s{i}"}}"#))
        .collect();
    let trace = format!(
        r#"{{"data":[{{"processes":{{{}}},"traceID":"1","spans":[{{"spanID":"2","startTime":1,"processID":"p4999"}}]}}]}}"#,
        processes.join(",")
    );
    assert!(trace.len() > 2 * import::HEAD_BYTES);
    assert_eq!(
        import::detect(&trace.as_bytes()[..import::HEAD_BYTES]),
        None
    );
    check(
        &trace,
        Format::Jaeger,
        &["1 0000000000000002 < - s4999/ 1000+0 unspecified ok"],
    );
    assert_eq!(
        import::detect(&OTLP.as_bytes()[..40]),
        Some(Format::OtlpJson)
    );
    assert_eq!(
        import::detect(&otlp_protobuf(1, 50)[..200]),
        Some(Format::OtlpProtobuf)
    );
    assert!(import::compression(&[0x1f, 0x8b, 8]).is_some());
    assert!(import::compression(&[0x28, 0xb5, 0x2f, 0xfd, 0]).is_some());
    assert!(import::compression(OTLP.as_bytes()).is_none());
}

#[test]
fn files_cut_anywhere_are_survived() {
    let jaeger = format!(
        "{{\"data\":[{{\"traceID\":\"1\",\"spans\":[{}]}}]}}",
        jaeger(r#""tags":[{"key":"a","value":"é"}]"#)
    );
    for file in [jaeger.as_str(), OTLP, &format!("{OTLP}\n{jaeger}")] {
        for length in 0..file.len() {
            let _ = read(&file.as_bytes()[..length]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_survived(file in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&file);
    }

    #[test]
    fn any_damage_is_survived(which in 0usize..4, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut file = match which {
            0 => OTLP.replace("resourceSpans", "batches").into_bytes(),
            1 => jaeger(r#""references":[{"refType":"CHILD_OF","traceID":"x","spanID":"3"}],"logs":[{"timestamp":1,"fields":[{"key":"a","type":"int64","value":1}]}]"#).into_bytes(),
            2 => br#"{"traceId":"4fa04f117be100f476b175e41096e736","spanId":"e275ac9d21929e9b","startTime":"2021-03-25T17:23:30.088478464Z","events":[{"time":1,"attributes":{"a":[{}]}}]}"#.to_vec(),
            _ => b"TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano\nab,1,\"root\",a-b-c,op,1,2\n".to_vec(),
        };
        let at = at.index(file.len());
        file[at] = byte;
        let _ = read(&file);
    }

    #[test]
    fn any_csv_is_survived(lines in "[\",a0\r\n é-]{0,80}") {
        let _ = read(format!("TraceID,SpanID,ParentID,PodName,OperationName,StartTimeUnixNano,EndTimeUnixNano\n{lines}").as_bytes());
    }
}
