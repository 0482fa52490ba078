//! Spans as lines that tests compare, and files read into such lines.

use tracewell_model::{SpanBatch, SpanRef};
use tracewell_wire::import::{self, BATCH_SPANS_MAX, Format};
use tracewell_wire::{DecodeError, Report};

/// A file's format, its spans in a line each, and what was refused.
pub type Read = (Format, Vec<String>, String);

/// Reads a file and checks what holds of every one.
pub fn read(file: &[u8]) -> Result<Read, DecodeError> {
    let (mut spans, mut refusals, mut seen) = (Vec::new(), Vec::new(), 0);
    let decoded = import::decode_file(file, 1, &mut |builder, report: Report| {
        assert!(builder.len() <= BATCH_SPANS_MAX);
        assert_eq!(builder.len(), report.accepted);
        let batches = builder.finish();
        spans.extend(batches.iter().flat_map(SpanBatch::spans).map(show));
        seen += report.seen();
        if report.refused_count() > 0 {
            refusals.push(report.refusals());
        }
    })?;
    assert_eq!(decoded.spans, seen);
    Ok((decoded.format, spans, refusals.join("; ")))
}

/// Reads a file whose spans are all taken.
#[track_caller]
pub fn check(file: &str, format: Format, expected: &[&str]) {
    let (found, spans, refusals) = read(file.as_bytes()).unwrap();
    assert_eq!(found, format);
    assert_eq!(spans, expected, "{refusals}");
    assert_eq!(refusals, "");
}

/// A span in one line, for tests to compare: what it is, then what it has.
pub fn show(span: SpanRef<'_>) -> String {
    use std::fmt::Write;
    let (trace, id) = (span.trace_id().to_string(), span.span_id());
    let parent = span
        .parent()
        .map_or_else(|| "-".into(), |id| id.to_string());
    let mut line = format!(
        "{} {id} < {parent} {}/{} {}+{} {} {}",
        trace.trim_start_matches('0'),
        span.service(),
        span.operation(),
        span.start_unix_ns(),
        span.duration_ns(),
        span.kind().name(),
        if span.is_error() { "error" } else { "ok" },
    );
    let mut add = |part: std::fmt::Arguments<'_>| write!(line, " {part}").unwrap();
    if !span.status_message().is_empty() {
        add(format_args!("({})", span.status_message()));
    }
    if span.flags() != 0 {
        add(format_args!("flags={}", span.flags()));
    }
    span.marks()
        .names()
        .for_each(|mark| add(format_args!("!{mark}")));
    for attribute in span.attributes() {
        add(format_args!("{}={:?}", attribute.key, attribute.value));
    }
    for attribute in span
        .resource()
        .attributes()
        .filter(|a| a.key != "service.name")
    {
        add(format_args!("@{}={:?}", attribute.key, attribute.value));
    }
    let rest = tracewell_wire::rest::Rest::parse(span.rest());
    for event in rest.events {
        add(format_args!("[{} {}", event.time_unix_ns, event.name));
        event
            .attributes
            .iter()
            .for_each(|a| add(format_args!("{}={:?}", a.key, a.value)));
        add(format_args!("]"));
    }
    for link in rest.links {
        let hex = |id: &[u8]| {
            id.iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let (trace, span) = (hex(link.trace_id), hex(link.span_id));
        add(format_args!(
            "-> {}/{}",
            trace.trim_start_matches('0'),
            span.trim_start_matches('0')
        ));
        link.attributes
            .iter()
            .for_each(|a| add(format_args!("{}={:?}", a.key, a.value)));
    }
    line
}
