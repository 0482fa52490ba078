//! The quick reader of `/v1/spans` beside the careful one: whatever a body is, both must find the same.
//! The quick one is asked for an empty builder only, so a span in it beforehand chooses the reader.

mod support;

use support::SPANS;
use tracewell_model::identity::same_content;
use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::{DecodeError, Report};

/// What a reader made of a body: the spans of each shard, the report, the error.
type Outcome = (Vec<SpanBatch>, Report, Result<(), DecodeError>);

const FIRST: &str = r#"[{"trace_id":"1","span_id":"1","service_name":"first","operation_name":"o","start_time_unix_ns":1,"duration_ms":1}]"#;

fn decode(body: &[u8], shards: u16, carefully: bool) -> Outcome {
    let mut builder = BatchBuilder::new(shards);
    if carefully {
        SPANS(FIRST.as_bytes(), &mut builder, &mut Report::default()).expect("a sound body");
    }
    let mut report = Report::default();
    let result = SPANS(body, &mut builder, &mut report);
    (builder.finish(), report, result)
}

fn check(body: &[u8]) {
    let shards = 3;
    let (quick, quick_report, quick_result) = decode(body, shards, false);
    let (careful, report, result) = decode(body, shards, true);
    let text = String::from_utf8_lossy(body);
    assert_eq!((quick_report, quick_result), (report, result), "{text}");
    for shard in 0..shards {
        let spans = |batches: &'_ [SpanBatch]| -> Vec<_> {
            let batch = batches.iter().find(|batch| batch.shard() == shard);
            batch.cloned().into_iter().collect()
        };
        let (quick, careful) = (spans(&quick), spans(&careful));
        let quick: Vec<_> = quick.iter().flat_map(SpanBatch::spans).collect();
        let careful = careful.iter().flat_map(SpanBatch::spans);
        let careful: Vec<_> = careful.filter(|span| span.service() != "first").collect();
        assert_eq!(quick.len(), careful.len(), "{text}");
        for (a, b) in quick.into_iter().zip(careful) {
            assert!(same_content(a, b), "{a:?} {b:?} {text}");
            assert!(a.event_attributes().eq(b.event_attributes()), "{text}");
        }
    }
}

/// Two spans, the second with all that the quick reader leaves alone.
const SEED: &str = r#"[{"trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","parent_span_id":"1","service_name":"cart","operation_name":"GET /","start_time_unix_ns":1700000000000000000,"duration_ms":1.5,"status":"ok","kind":"server","flags":1,"status_message":"m","tags":{"http.method":"GET","n":-17,"x":2.25,"b":true,"none":null}},
 {"trace_id":"2","span_id":"3","parent_span_id":null,"service_name":"é","operation_name":"o","start_time_unix_ns":"5","duration_ns":7,"status":"error","trace_state":"a=b","tags":{"k":[1,{"a":"b"}]},"events":[{"time_unix_ns":1,"name":"e","attributes":{"a":1}}],"resource":{"host":"h"},"scope":{"name":"s"}}]"#;

/// Pieces that mean something, and some that mean nothing.
const PIECES: &[&str] = &[
    "1e3",
    "-0",
    "-0.0",
    "01",
    "1.",
    "1.25",
    "0",
    "12345678901234567890",
    "18446744073709551615",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999",
    "1E400",
    "\"\\u0041\"",
    "\"\\\"\"",
    "\"a\nb\"",
    "\"\u{7f}\"",
    "\"€\"",
    "\"\"",
    "\"0\"",
    "\"0000000000000000\"",
    "null",
    "true",
    "false",
    "nul",
    "[]",
    "{}",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    " ",
    "\n",
    "\u{c}",
    "\u{a0}",
    "\"duration_ns\":1,",
    "\"span_id\":\"9\",",
    "\"tags\":{},",
    "\"x\":1,",
    "\"tags\":{\"a\":1,\"a\":2},",
    "\"kind\":\"CLIENT\",",
    "\"flags\":4294967296,",
    "\"status\":\"unset\",",
];

/// The seed in pieces: strings, words, numbers and signs.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let (mut quoted, mut word) = (false, false);
    for character in text.chars() {
        let is_word = !quoted && (character.is_ascii_alphanumeric() || "+-.".contains(character));
        match pieces.last_mut() {
            Some(last) if quoted || (word && is_word) => last.push(character),
            _ => pieces.push(character.to_string()),
        }
        quoted ^= character == '"';
        word = is_word;
    }
    pieces
}

#[test]
fn bodies_of_odd_pieces_are_read_alike() {
    let seed = pieces(SEED);
    check(seed.concat().as_bytes());
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..30_000 {
        let mut body = seed.clone();
        for _ in 0..random.usize(1..4) {
            let (at, other) = (random.usize(..body.len()), random.usize(..body.len()));
            let piece = PIECES[random.usize(..PIECES.len())].to_owned();
            match random.u8(..5) {
                0 => drop(body.remove(at)),
                1 => body.insert(at, piece),
                2 => body[at] = piece,
                3 => body.insert(at, body[other].clone()),
                _ => body.swap(at, other),
            }
            if body.is_empty() {
                break;
            }
        }
        check(body.concat().as_bytes());
    }
}

#[test]
fn bodies_of_odd_bytes_are_read_alike() {
    let seed = SEED.as_bytes();
    for end in 0..seed.len() {
        check(&seed[..end]);
    }
    for at in 0..seed.len() {
        for byte in *b"\"\\{}[],: 0-x\n\x00\x0b\xff" {
            let mut body = seed.to_vec();
            body[at] = byte;
            check(&body);
        }
    }
}

#[test]
fn the_caps_hold_for_both() {
    let span = |members: &str| {
        format!(
            r#"[{{"trace_id":"1","span_id":"2","service_name":"s","operation_name":"o","start_time_unix_ns":5,"duration_ms":1,{members}}}]"#
        )
    };
    let tags = |count: usize| {
        let tags: Vec<String> = (0..count).map(|at| format!("\"k{at}\":{at}")).collect();
        span(&format!("\"tags\":{{{}}}", tags.join(",")))
    };
    for count in [1_023, 1_024, 1_025] {
        check(tags(count).as_bytes());
    }
    for bytes in [1_024, 1_025, 1024 * 1024, 1024 * 1024 + 1] {
        let long = "é".repeat(bytes / 2) + if bytes % 2 == 1 { "x" } else { "" };
        check(span(&format!("\"tags\":{{\"{long}\":\"{long}\"}}")).as_bytes());
        check(span(&format!("\"status_message\":\"{long}\"")).as_bytes());
        check(
            span("\"flags\":1")
                .replace("\"s\"", &format!("\"{long}\""))
                .as_bytes(),
        );
    }
}
