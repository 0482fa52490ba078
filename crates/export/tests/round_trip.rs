//! Out as OTLP JSON and in again by `load`'s decoder: the same spans to the last bit, whatever they
//! hold; and what an export says of itself.

use std::io::{self, Write};
use std::sync::Arc;

use tracewell_export::{Error, Format, Summary, export};
use tracewell_model::SpanBatch;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::specs;
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::scan::Each;
use tracewell_storage::{ReadContext, ScanQuery, Scanned, SpanScanner};
use tracewell_wire::{import, otlp};

/// An attribute of a stranger, in JSON.
fn attribute(random: &mut fastrand::Rng) -> String {
    const KEYS: [&str; 6] = [
        "",
        "http.method",
        "\\u0000",
        "é\\ud83e\\udd80",
        "resourceSpans",
        "a\\nb",
    ];
    const VALUES: [&str; 14] = [
        r#"{"stringValue":""}"#,
        r#"{"stringValue":"\u202e\u0000\"\\ \ud83e\udd80 {\"tracewellExport\":{}}"}"#,
        r#"{"intValue":"-9223372036854775808"}"#,
        r#"{"intValue":"9223372036854775807"}"#,
        r#"{"doubleValue":-0.0}"#,
        r#"{"doubleValue":5e-324}"#,
        r#"{"doubleValue":"NaN"}"#,
        r#"{"doubleValue":"-Infinity"}"#,
        r#"{"boolValue":false}"#,
        r#"{"bytesValue":"AP8="}"#,
        r#"{}"#,
        r#"{"arrayValue":{"values":[{"intValue":"1"},{},{"arrayValue":{}}]}}"#,
        r#"{"kvlistValue":{"values":[{"key":"k","value":{"stringValue":"v"}},{"key":"k"}]}}"#,
        r#"{"tracewellProtobuf":"GAEgAQ=="}"#,
    ];
    let key = random.choice(KEYS).unwrap_or_default();
    let value = random.choice(VALUES).unwrap_or_default();
    format!(r#"{{"key":"{key}","value":{value}}}"#)
}

fn attributes(random: &mut fastrand::Rng) -> String {
    let count = random.usize(..4);
    let all: Vec<String> = (0..count).map(|_| attribute(random)).collect();
    format!(r#""attributes":[{}]"#, all.join(","))
}

fn span(random: &mut fastrand::Rng) -> String {
    const START: [u64; 4] = [0, 1, 1_700_000_000_000_000_000, u64::MAX];
    let start = random.choice(START).unwrap_or(7);
    let end = random.choice([0, start, u64::MAX]).unwrap_or(7);
    let (own, of_event, of_link) = (attributes(random), attributes(random), attributes(random));
    let link_id = "ab".repeat(random.usize(..18));
    let event = format!(
        r#"{{"name":"exception","timeUnixNano":"{}",{of_event}}}"#,
        random.u64(..2)
    );
    let link = format!(r#"{{"traceId":"{link_id}","spanId":"","flags":7,{of_link}}}"#);
    let events = event.repeat(random.usize(..2));
    let links = link.repeat(random.usize(..2));
    format!(
        r#"{{"traceId":"{:032x}","spanId":"{:016x}","parentSpanId":"{}","name":"op \u0007","kind":{},
        "startTimeUnixNano":"{start}","endTimeUnixNano":"{end}",{own},"events":[{events}],"links":[{links}],
        "traceState":"{}","flags":{},"droppedEventsCount":{},"status":{{"code":{},"message":"{}"}}}}"#,
        random.u128(1..9),
        random.u64(1..),
        random.choice(["", "0000000000000007"]).unwrap_or_default(),
        random.i32(-1..8),
        random.choice(["", "a=b"]).unwrap_or_default(),
        random.u32(..),
        random.u32(..2),
        random.i32(-1..4),
        random.choice(["", "why"]).unwrap_or_default(),
    )
}

/// A batch of hostile spans of several resources and scopes.
fn hostile(random: &mut fastrand::Rng) -> SpanBatch {
    let mut groups = Vec::new();
    for number in 0..random.usize(1..4) {
        let count = random.usize(1..6);
        let spans: Vec<String> = (0..count).map(|_| span(random)).collect();
        groups.push(format!(
            r#"{{"resource":{{{},"droppedAttributesCount":{number}}},"schemaUrl":"s",
            "scopeSpans":[{{"scope":{{"name":"lib",{}}},"spans":[{}]}}]}}"#,
            attributes(random),
            attributes(random),
            spans.join(",")
        ));
    }
    let body = format!(r#"{{"resourceSpans":[{}]}}"#, groups.join(","));
    let (mut builder, mut report) = (tracewell_model::BatchBuilder::new(1), Default::default());
    otlp::json::decode(body.as_bytes(), &mut builder, &mut report).expect("a sound document");
    assert_eq!(report.refused_count(), 0, "{}", report.refusals());
    builder.finish_one()
}

fn context() -> ReadContext {
    ReadContext::new(Arc::new(ManualClock::at(1)), u64::MAX)
}

fn exported(scanner: &dyn SpanScanner, query: &ScanQuery) -> (Vec<u8>, Summary) {
    let mut file = Vec::new();
    let done = export(
        scanner,
        query,
        &context(),
        Format::OtlpJson,
        &mut file,
        &mut |_| {},
    );
    (file, done.expect("export").0)
}

/// What `load` makes of a file.
fn loaded(file: &[u8]) -> Vec<SpanSpec> {
    let mut spans = Vec::new();
    let decoded = import::decode_file(file, 1, &mut |builder, report| {
        assert_eq!(report.refused_count(), 0, "{}", report.refusals());
        spans.extend(specs(&builder.finish_one()));
    });
    assert_eq!(
        decoded.expect("a file of spans").format,
        import::Format::OtlpJson
    );
    spans
}

fn sorted(mut spans: Vec<SpanSpec>) -> Vec<SpanSpec> {
    spans.sort_by_key(|span| (span.trace_id, span.span_id));
    spans
}

#[test]
fn hostile_spans_come_back_field_by_field() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..60 {
        let batches: Vec<SpanBatch> = (0..5).map(|_| hostile(&mut random)).collect();
        let expected = sorted(batches.iter().flat_map(specs).collect());
        let (file, summary) = exported(&MemoryStore::with(batches, 1), &ScanQuery::default());
        assert_eq!(summary.spans, expected.len() as u64);
        assert_eq!(Summary::find(&file), Some(summary));
        assert_eq!(sorted(loaded(&file)), expected);
    }
}

#[test]
fn an_export_of_nothing_says_so() {
    let (file, summary) = exported(&MemoryStore::new(), &ScanQuery::default());
    let text = String::from_utf8(file).unwrap();
    assert_eq!(
        text,
        "{\"resourceSpans\":[],\"tracewellExport\":{\"spans\":0,\"spans_missing\":0,\"complete\":true,\"incomplete_reasons\":[]}}\n"
    );
    assert!(summary.complete);
    assert_eq!(loaded(text.as_bytes()), []);
}

#[test]
fn lines_are_short_enough_for_others_to_read() {
    let long = "x".repeat(40_000);
    let spans: Vec<SpanSpec> = (1..=1_200)
        .map(|number| SpanSpec::new(1, number, number))
        .map(|span| match span.start_unix_ns {
            ..100 => span.with("long", long.as_str()),
            _ => span,
        })
        .collect();
    let batch = tracewell_storage::conformance::spans::batch(&spans);
    let (file, _) = exported(&MemoryStore::with([batch], 1), &ScanQuery::default());
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    assert!(lines.len() > 6, "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.len() < 1 << 20));
}

/// A store with damage.
struct Damaged(MemoryStore);

impl SpanScanner for Damaged {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, tracewell_storage::Error> {
        let scanned = self.0.scan_spans(query, context, each)?;
        Ok(Scanned {
            spans_missing: 8,
            incomplete: vec!["block 3 is damaged: 8 spans are missing".to_owned()],
            ..scanned
        })
    }
}

#[test]
fn what_is_missing_is_in_the_file() {
    let batch = hostile(&mut fastrand::Rng::with_seed(3));
    let (file, summary) = exported(
        &Damaged(MemoryStore::with([batch], 1)),
        &ScanQuery::default(),
    );
    assert_eq!((summary.complete, summary.spans_missing), (false, 8));
    let last = String::from_utf8_lossy(&file);
    assert!(
        last.trim_end()
            .ends_with(r#""incomplete_reasons":["block 3 is damaged: 8 spans are missing"]}}"#)
    );
    assert_eq!(Summary::find(&file), Some(summary));
}

/// Takes so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_is_full_ends_the_scan() {
    let batch =
        |number| tracewell_storage::conformance::spans::batch(&[SpanSpec::new(number, 1, 1)]);
    let store = MemoryStore::with((1..=5).map(batch), 1);
    for format in Format::ALL.into_iter().filter(|format| format.is_built()) {
        let mut told = 0;
        let all = ScanQuery::default();
        let outcome = export(
            &store,
            &all,
            &context(),
            format,
            &mut Full(600),
            &mut |spans| told = spans,
        );
        assert!(
            matches!(outcome, Err(Error::Write(_))),
            "{format:?}: {outcome:?}"
        );
        assert!(
            format != Format::OtlpJson || told < 5,
            "told of {told} spans"
        );
    }
}
