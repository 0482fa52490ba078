//! Spans as most senders write them, from the body's text to the builder in one pass. Whatever is
//! unusual, good or bad, is left to the careful reader beside: an element for itself, or all of a body
//! that is not sound. What is read here is read as it would be there; a test holds the two together.
#![warn(clippy::indexing_slicing)]

use serde_json::value::RawValue;
use tracewell_model::limits::{ATTRIBUTES_PER_SPAN_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use tracewell_model::{
    BatchBuilder, Marks, RawValue as Value, Row, RowInput, SpanId, SpanKind, StatusCode, TraceId,
};

use super::{Origins, decode_span};
use crate::decimal::{Inexact, parse_scaled};
use crate::named::Named;
use crate::report::Report;
use crate::scan::Scan;

/// Decodes a body into an empty builder; none if it cannot, and then nothing of it is left.
pub(super) fn decode(text: &str, builder: &mut BatchBuilder, report: &mut Report) -> Option<()> {
    debug_assert!(builder.is_empty());
    let mut decoded = Report::default();
    let read = spans(text, builder, &mut decoded);
    match read {
        Some(()) => report.add(decoded),
        None => drop(builder.finish()),
    }
    read
}

fn spans(text: &str, builder: &mut BatchBuilder, report: &mut Report) -> Option<()> {
    let mut origins = Origins::default();
    let mut scan = Scan::of(text);
    scan.take(b'[')?;
    let mut more = scan.peek()? != b']';
    if !more {
        scan.take(b']')?;
    }
    while more {
        if scan.peek()? != b'{' {
            return None;
        }
        let mut ahead = scan;
        match span(&mut ahead, &mut origins, builder) {
            Some(()) => {
                report.accept();
                scan = ahead;
            }
            None => {
                let element = next_element(scan.rest())?;
                let outcome = decode_span(element, &mut origins, builder);
                report.note_named(outcome, || Named::of_json(element));
                scan = Scan::of(scan.rest().get(element.len()..)?);
            }
        }
        more = scan.goes_on(b']')?;
    }
    scan.peek().is_none().then_some(())
}

/// The text of the value that comes next, if it is sound.
fn next_element(text: &str) -> Option<&str> {
    let values = serde_json::Deserializer::from_str(text);
    let element: &RawValue = values.into_iter().next()?.ok()?;
    Some(element.get())
}

/// The members that most spans have.
#[derive(Default)]
struct Members<'a> {
    span_id: Option<SpanId>,
    parent: Option<Option<SpanId>>,
    service: Option<&'a str>,
    operation: Option<&'a str>,
    start_unix_ns: Option<u64>,
    duration_ns: Option<u64>,
    duration_ms: Option<&'a str>,
    status: Option<StatusCode>,
    status_message: Option<&'a str>,
    kind: Option<SpanKind>,
    flags: Option<u32>,
    tags: Option<()>,
}

/// Reads one span.
fn span(scan: &mut Scan<'_>, origins: &mut Origins, builder: &mut BatchBuilder) -> Option<()> {
    scan.take(b'{')?;
    // The trace comes first: it decides on the shard, and attributes are written as they are read.
    if scan.name()? != "trace_id" {
        return None;
    }
    let trace_id = TraceId::from_hex(scan.string()?)?;
    let (mut members, mut row) = (Members::default(), builder.row(trace_id));
    while scan.goes_on(b'}')? {
        members.read(scan, &mut row)?;
    }
    members.push(trace_id, origins, row)
}

impl<'a> Members<'a> {
    fn read(&mut self, scan: &mut Scan<'a>, row: &mut Row<'_>) -> Option<()> {
        match scan.name()? {
            "span_id" => once(&mut self.span_id, SpanId::from_hex(scan.string()?)),
            "parent_span_id" => once(&mut self.parent, parent(scan)),
            "service_name" => once(&mut self.service, name(scan, KEY_BYTES_MAX)),
            "operation_name" => once(&mut self.operation, name(scan, VALUE_BYTES_MAX)),
            "start_time_unix_ns" => once(&mut self.start_unix_ns, scan.unsigned()),
            "duration_ms" => once(&mut self.duration_ms, Some(scan.number()?.0)),
            "duration_ns" => once(&mut self.duration_ns, scan.unsigned()),
            "status" => once(&mut self.status, status(scan.string()?)),
            "status_message" => once(&mut self.status_message, text(scan, VALUE_BYTES_MAX)),
            "kind" => once(&mut self.kind, SpanKind::from_name(scan.string()?)),
            "flags" => once(&mut self.flags, u32::try_from(scan.unsigned()?).ok()),
            "tags" => once(&mut self.tags, tags(scan, row)),
            _ => None,
        }
    }

    fn push(&self, trace_id: TraceId, origins: &mut Origins, mut row: Row<'_>) -> Option<()> {
        let duration_ns = match self.duration_ns {
            Some(duration_ns) => duration_ns,
            None => parse_scaled(self.duration_ms?, 6, Inexact::Round)?,
        };
        let start_unix_ns = self.start_unix_ns?;
        start_unix_ns.checked_add(duration_ns)?;
        let status_message = self.status_message.unwrap_or_default();
        let input = RowInput {
            trace_id,
            span_id: self.span_id?,
            parent: self.parent.unwrap_or_default(),
            operation: row.text(self.operation?.as_bytes()).ok()?,
            status_message: row.text(status_message.as_bytes()).ok()?,
            resource: origins.plain_resource(self.service?, &mut row).ok()?,
            scope: origins.no_scope(&mut row).ok()?,
            start_unix_ns,
            duration_ns,
            kind: self.kind.unwrap_or_default(),
            status: self.status.unwrap_or_default(),
            flags: self.flags.unwrap_or_default(),
            rest: &[],
            marks: Marks::default(),
        };
        row.push(&input);
        Some(())
    }
}

/// Sets a member, unless it was set before.
fn once<T>(member: &mut Option<T>, value: Option<T>) -> Option<()> {
    match member.replace(value?) {
        None => Some(()),
        Some(_) => None,
    }
}

fn text<'a>(scan: &mut Scan<'a>, bytes_max: usize) -> Option<&'a str> {
    scan.string().filter(|text| text.len() <= bytes_max)
}

fn name<'a>(scan: &mut Scan<'a>, bytes_max: usize) -> Option<&'a str> {
    text(scan, bytes_max).filter(|name| !name.is_empty())
}

fn status(name: &str) -> Option<StatusCode> {
    match name {
        "ok" => Some(StatusCode::Ok),
        "error" => Some(StatusCode::Error),
        _ => None,
    }
}

/// Null, empty and all zero say "root".
fn parent(scan: &mut Scan<'_>) -> Option<Option<SpanId>> {
    if scan.peek()? == b'n' {
        scan.word("null")?;
        return Some(None);
    }
    match scan.string()? {
        "" | "0000000000000000" => Some(None),
        hex => SpanId::from_hex(hex).map(Some),
    }
}

fn tags(scan: &mut Scan<'_>, row: &mut Row<'_>) -> Option<()> {
    scan.take(b'{')?;
    if scan.peek()? == b'}' {
        return scan.take(b'}');
    }
    for _ in 0..ATTRIBUTES_PER_SPAN_MAX {
        let key = scan.name().filter(|key| key.len() <= KEY_BYTES_MAX)?;
        row.attribute(key.as_bytes(), value(scan)?).ok()?;
        if !scan.goes_on(b'}')? {
            return Some(());
        }
    }
    None
}

fn value<'a>(scan: &mut Scan<'a>) -> Option<Value<'a>> {
    Some(match scan.peek()? {
        b'"' => Value::Str(text(scan, VALUE_BYTES_MAX)?.as_bytes()),
        b't' => scan.word("true").map(|()| Value::Bool(true))?,
        b'f' => scan.word("false").map(|()| Value::Bool(false))?,
        b'n' => scan.word("null").map(|()| Value::Any(&[]))?,
        _ => match scan.number()? {
            (digits, false) if digits != "-0" => Value::Int(digits.parse().ok()?),
            (decimal, true) => Value::Double(decimal.parse().ok()?),
            _ => return None,
        },
    })
}
