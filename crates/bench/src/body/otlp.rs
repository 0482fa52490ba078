//! OTLP protobuf: `ExportTraceServiceRequest` (opentelemetry-proto, trace.proto).

use tracewell_model::SpanKind;
use tracewell_wire::proto::{
    put_bytes_field, put_fixed32_field, put_fixed64_field, put_message_field, put_varint,
    put_varint_field,
};

use super::piece::{Kind, Piece};
use super::pool::Numbers;
use crate::traffic::{Attribute, Form, Origin, Span, Value};

/// Appends a span as an element of `ScopeSpans.spans`.
pub(super) fn put_span(out: &mut Piece, span: &Span, numbers: Numbers) {
    out.message(2, |out| {
        out.length(1, 16);
        out.place(Kind::TraceId, numbers.trace);
        out.length(2, 8);
        out.place(Kind::SpanId, numbers.span);
        if let Some(parent) = numbers.parent {
            out.length(4, 8);
            out.place(Kind::SpanId, parent);
        }
        put_bytes_field(&mut out.bytes, 5, span.name.as_bytes());
        put_varint_field(&mut out.bytes, 6, span.kind as u64);
        out.fixed64(7);
        out.place(Kind::Nanoseconds, numbers.start_ns);
        out.fixed64(8);
        out.place(Kind::Nanoseconds, numbers.start_ns + span.duration_ns);
        span.attributes
            .iter()
            .for_each(|attribute| put_attribute(out, 9, attribute));
        for event in &span.events {
            out.message(11, |out| {
                out.fixed64(1);
                out.place(Kind::Nanoseconds, numbers.start_ns + event.after_ns);
                put_bytes_field(&mut out.bytes, 2, event.name.as_bytes());
                event
                    .attributes
                    .iter()
                    .for_each(|attribute| put_attribute(out, 3, attribute));
            });
        }
        if let Some(failure) = span.failure {
            put_message_field(&mut out.bytes, 15, |out| {
                put_bytes_field(out, 2, failure.as_bytes());
                put_varint_field(out, 3, 2);
            });
        }
        // Sampled; whether the parent is remote is known, and it is where a service begins.
        let remote =
            span.parent.is_some() && matches!(span.kind, SpanKind::Server | SpanKind::Consumer);
        put_fixed32_field(&mut out.bytes, 16, 0x101 | u32::from(remote) << 9);
    });
}

fn put_attribute(out: &mut Piece, field: u32, (key, value): &Attribute) {
    out.message(field, |out| {
        put_bytes_field(&mut out.bytes, 1, key.as_bytes());
        out.message(2, |out| match value {
            Value::Text(text) => put_bytes_field(&mut out.bytes, 1, text.as_bytes()),
            Value::Bool(truth) => put_varint_field(&mut out.bytes, 2, u64::from(*truth)),
            Value::Int(number) => put_varint_field(&mut out.bytes, 3, *number as u64),
            Value::Float(number) => put_fixed64_field(&mut out.bytes, 4, number.to_bits()),
            Value::Drawn(drawn) => match drawn.form {
                Form::Port | Form::Offset => {
                    put_varint(&mut out.bytes, 3 << 3);
                    out.place(Kind::Varint(drawn.form), drawn.slot);
                }
                Form::RequestId | Form::Customer | Form::Order => {
                    out.length(1, drawn.before.len() + drawn.form.digits());
                    out.bytes.extend_from_slice(drawn.before.as_bytes());
                    out.place(Kind::Digits(drawn.form), drawn.slot);
                }
            },
        });
    });
}

/// Appends spans of one origin and one scope: `ResourceSpans` with one `ScopeSpans`.
pub(super) fn put_group(
    out: &mut Piece,
    origin: &Origin,
    (name, version): (&str, &str),
    spans: &Piece,
) {
    let mut resource = Piece::default();
    origin
        .attributes
        .iter()
        .for_each(|attribute| put_attribute(&mut resource, 1, attribute));
    let mut scope = Vec::new();
    put_bytes_field(&mut scope, 1, name.as_bytes());
    put_bytes_field(&mut scope, 2, version.as_bytes());
    out.message(1, |out| {
        out.message_of(1, &resource);
        out.message(2, |out| {
            put_bytes_field(&mut out.bytes, 1, &scope);
            out.append(&spans.bytes, &spans.places);
        });
    });
}
