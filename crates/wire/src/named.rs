//! Which span it was that is refused: its ids, if they can be read though the rest cannot be used. Costs
//! nothing unless a span is refused.

use tracewell_model::{SpanId, TraceId};

use crate::proto::{Field, Fields};

/// A refused span that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its trace.
    pub trace_id: TraceId,
    /// Itself.
    pub span_id: SpanId,
}

impl Named {
    /// The ids in an encoded OTLP span.
    pub(crate) fn of_protobuf(span: &[u8]) -> Option<Named> {
        let (mut trace_id, mut span_id) = (None, None);
        let mut fields = Fields::of(span);
        while let Ok(Some((number, field, _))) = fields.next_field() {
            match (number, field) {
                (1, Field::Bytes(id)) => trace_id = id.try_into().ok().map(TraceId),
                (2, Field::Bytes(id)) => span_id = id.try_into().ok().map(SpanId),
                _ => {}
            }
        }
        Named {
            trace_id: trace_id?,
            span_id: span_id?,
        }
        .if_sound()
    }

    /// The ids in a span of any JSON that we read.
    pub(crate) fn of_json(span: &str) -> Option<Named> {
        let span: serde_json::Value = serde_json::from_str(span).ok()?;
        let text = |names: &[&str]| names.iter().find_map(|name| span.get(name)?.as_str());
        Named {
            trace_id: TraceId::from_hex(text(&["trace_id", "traceId"])?)?,
            span_id: SpanId::from_hex(text(&["span_id", "spanId", "id"])?)?,
        }
        .if_sound()
    }

    fn if_sound(self) -> Option<Named> {
        (self.trace_id != TraceId::default() && !self.span_id.is_zero()).then_some(self)
    }
}
