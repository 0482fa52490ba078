//! `POST /v1/spans`: a JSON array of spans (docs/api.md). What it leaves out of a span: the scope and
//! all of the resource but the service and its instance, as a plain sender would.

use serde_json::Value as Json;

use super::piece::{Kind, Piece};
use super::pool::Numbers;
use crate::traffic::{Attribute, Form, Origin, Span, Value};

/// Appends a span as an element.
pub(super) fn put_span(out: &mut Piece, span: &Span, origin: &Origin, numbers: Numbers) {
    text(out, "{\"trace_id\":\"");
    out.place(Kind::TraceIdHex, numbers.trace);
    text(out, "\",\"span_id\":\"");
    out.place(Kind::SpanIdHex, numbers.span);
    match numbers.parent {
        Some(parent) => {
            text(out, "\",\"parent_span_id\":\"");
            out.place(Kind::SpanIdHex, parent);
            text(out, "\"");
        }
        None => text(out, "\",\"parent_span_id\":null"),
    }
    text(
        out,
        &format!(
            ",\"service_name\":{},\"operation_name\":{}",
            quoted(&origin.service),
            quoted(&span.name)
        ),
    );
    text(out, ",\"start_time_unix_ns\":");
    out.place(Kind::NanosecondsText, numbers.start_ns);
    // Milliseconds with all six digits after the point, so that no nanosecond is lost.
    let (ms, ns) = (span.duration_ns / 1_000_000, span.duration_ns % 1_000_000);
    text(
        out,
        &format!(
            ",\"duration_ms\":{ms}.{ns:06},\"kind\":\"{}\"",
            span.kind.name()
        ),
    );
    match span.failure {
        Some(failure) => text(
            out,
            &format!(
                ",\"status\":\"error\",\"status_message\":{}",
                quoted(failure)
            ),
        ),
        None => text(out, ",\"status\":\"ok\""),
    }
    text(out, ",\"tags\":{");
    attributes(out, &span.attributes);
    text(out, "}");
    for (nth, event) in span.events.iter().enumerate() {
        text(
            out,
            if nth == 0 {
                ",\"events\":[{\"time_unix_ns\":"
            } else {
                ",{\"time_unix_ns\":"
            },
        );
        out.place(Kind::NanosecondsText, numbers.start_ns + event.after_ns);
        text(
            out,
            &format!(",\"name\":{},\"attributes\":{{", quoted(event.name)),
        );
        attributes(out, &event.attributes);
        text(out, "}}");
    }
    text(out, if span.events.is_empty() { "}" } else { "]}" });
}

fn attributes(out: &mut Piece, attributes: &[Attribute]) {
    for (nth, (key, value)) in attributes.iter().enumerate() {
        text(out, if nth == 0 { "" } else { "," });
        text(out, &quoted(key));
        text(out, ":");
        match value {
            Value::Text(said) => text(out, &quoted(said)),
            Value::Int(number) => text(out, &number.to_string()),
            Value::Float(number) => text(out, &format!("{number:?}")),
            Value::Bool(truth) => text(out, &truth.to_string()),
            Value::Drawn(drawn) => match drawn.form {
                Form::Port | Form::Offset => out.place(Kind::Digits(drawn.form), drawn.slot),
                Form::RequestId | Form::Customer | Form::Order => {
                    text(out, "\"");
                    text(out, &drawn.before);
                    out.place(Kind::Digits(drawn.form), drawn.slot);
                    text(out, "\"");
                }
            },
        }
    }
}

fn text(out: &mut Piece, text: &str) {
    out.bytes.extend_from_slice(text.as_bytes());
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}
