//! Zipkin v2 protobuf: `ListOfSpans` (zipkin.proto). Tags are texts, times are microseconds, events
//! have no attributes: what the format has no room for is left out.

use tracewell_model::SpanKind;
use tracewell_wire::proto::{put_bytes_field, put_message_field, put_varint_field};

use super::piece::{Kind, Piece};
use super::pool::Numbers;
use crate::traffic::{Origin, Span, Value};

/// Appends a span as an element of `ListOfSpans.spans`.
pub(super) fn put_span(out: &mut Piece, span: &Span, origin: &Origin, numbers: Numbers) {
    out.message(1, |out| {
        out.length(1, 16);
        out.place(Kind::TraceId, numbers.trace);
        if let Some(parent) = numbers.parent {
            out.length(2, 8);
            out.place(Kind::SpanId, parent);
        }
        out.length(3, 8);
        out.place(Kind::SpanId, numbers.span);
        let kind = match span.kind {
            SpanKind::Client => 1,
            SpanKind::Server => 2,
            SpanKind::Producer => 3,
            SpanKind::Consumer => 4,
            SpanKind::Internal | SpanKind::Unspecified => 0,
        };
        if kind > 0 {
            put_varint_field(&mut out.bytes, 4, kind);
        }
        put_bytes_field(&mut out.bytes, 5, span.name.as_bytes());
        out.fixed64(6);
        out.place(Kind::Microseconds, numbers.start_ns);
        put_varint_field(&mut out.bytes, 7, (span.duration_ns / 1_000).max(1));
        put_message_field(&mut out.bytes, 8, |out| {
            put_bytes_field(out, 1, origin.service.as_bytes())
        });
        for event in &span.events {
            out.message(10, |out| {
                out.fixed64(1);
                out.place(Kind::Microseconds, numbers.start_ns + event.after_ns);
                put_bytes_field(&mut out.bytes, 2, event.name.as_bytes());
            });
        }
        for (key, value) in &span.attributes {
            put_tag(out, key, value);
        }
        if let Some(failure) = span.failure {
            put_tag(out, "error", &Value::Text(failure.into()));
        }
    });
}

fn put_tag(out: &mut Piece, key: &str, value: &Value) {
    out.message(11, |out| {
        put_bytes_field(&mut out.bytes, 1, key.as_bytes());
        let text = match value {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Drawn(drawn) => {
                out.length(2, drawn.before.len() + drawn.form.digits());
                out.bytes.extend_from_slice(drawn.before.as_bytes());
                return out.place(Kind::Digits(drawn.form), drawn.slot);
            }
        };
        put_bytes_field(&mut out.bytes, 2, text.as_bytes());
    });
}
