//! Tempo's trace by id as JSON: OTLP whose outermost list may be called `batches`, perhaps inside
//! `trace` or `result` (Jaeger's version 3 answers so, too), and whose ids may be base64, as
//! protobuf's JSON mapping writes bytes. It is rewritten as OTLP JSON and read as such.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use serde_json::value::RawValue;

use super::intake::Intake;
use crate::otlp;
use crate::report::DecodeError;

/// Reads one answer.
pub(super) fn document(json: &RawValue, intake: &mut Intake<'_>) -> Result<(), DecodeError> {
    // One trace: small enough to be a tree for a moment. Nesting is capped by the parser.
    let broken = |error| DecodeError::Malformed(format!("no trace of Tempo: {error}"));
    let mut answer: Value = serde_json::from_str(json.get()).map_err(broken)?;
    for wrapper in ["trace", "result"] {
        if let Some(inner) = answer.get_mut(wrapper).filter(|inner| inner.is_object()) {
            answer = inner.take();
        }
    }
    if let Some(batches) = answer.get_mut("batches") {
        answer = serde_json::json!({ "resourceSpans": batches.take() });
    }
    for resource_spans in members(&mut answer, "resourceSpans") {
        for list in ["scopeSpans", "instrumentationLibrarySpans"] {
            for scope_spans in members(resource_spans, list) {
                members(scope_spans, "spans").for_each(rewrite_ids);
            }
        }
    }
    let document = answer.to_string();
    intake.decode(document.len(), |builder, report| {
        otlp::json::decode(document.as_bytes(), builder, report)
    })
}

/// The items of a member that is a list; none when it is not.
fn members<'a>(object: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    let list = object.get_mut(name).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn rewrite_ids(span: &mut Value) {
    for (name, bytes) in [("traceId", 16), ("spanId", 8), ("parentSpanId", 8)] {
        rewrite_id(span, name, bytes);
    }
    for link in members(span, "links") {
        rewrite_id(link, "traceId", 16);
        rewrite_id(link, "spanId", 8);
    }
}

/// Turns an id in base64 into hex. The two never have the same length, so neither is mistaken.
fn rewrite_id(object: &mut Value, name: &str, bytes: usize) {
    let Some(id) = object.get_mut(name) else {
        return;
    };
    let text = id.as_str().unwrap_or("");
    if text.len() == 2 * bytes {
        return;
    }
    let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok().filter(|id| id.len() == bytes));
    if let Some(decoded) = decoded {
        *id = Value::from(
            decoded
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>(),
        );
    }
}
