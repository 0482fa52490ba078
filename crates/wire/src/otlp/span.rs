//! One OTLP `Span` message to one span of the model, by the rules of D5 and the caps of D6.
#![warn(clippy::indexing_slicing)]

use std::fmt::Write as _;

use tracewell_model::limits::{ANY_DEPTH_MAX, ATTRIBUTES_PER_SPAN_MAX, VALUE_BYTES_MAX};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, SpanId, SpanInput, SpanKind, SpanRef, StatusCode, TraceId,
    Value,
};

use super::encode::MARKS_FIELD;
use super::origin::{Resource, Scope};
use crate::caps::{EVENT_ATTRIBUTES_MAX, Rewritten, cap_attribute, cap_attributes, cap_text};
use crate::proto::{Field, Fields, put_varint_field};
use crate::report::{Reason, Refused};
use crate::rest::{RestWriter, WRONG_WIRE_TYPE, strict_utf8, value_of};

/// Room that is reused from span to span.
#[derive(Debug, Default)]
pub(crate) struct Scratch<'a> {
    attributes: Vec<Attribute<'a>>,
    event_attributes: Vec<Attribute<'a>>,
    rest: RestWriter,
}

/// A good span, not yet pushed.
#[derive(Debug)]
pub(crate) struct Decoded<'s, 'a> {
    fields: SpanFields<'a>,
    ids: Ids,
    marks: Marks,
    duration_ns: u64,
    scratch: &'s Scratch<'a>,
}

#[derive(Debug)]
struct Ids {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
}

/// The modelled fields as they came.
#[derive(Debug, Default)]
struct SpanFields<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent: &'a [u8],
    name: &'a str,
    kind: i32,
    start: u64,
    end: u64,
    status: i32,
    status_message: &'a str,
    flags: u32,
    dropped_attributes: u32,
    attributes_over: u32,
    events_over: bool,
    status_rest: Vec<u8>,
    /// Marks of one of us who took the span in before.
    marks: Option<Marks>,
}

/// Reads a span; what is wrong with it is told by the refusal.
pub(crate) fn decode<'s, 'a>(
    bytes: &'a [u8],
    room: &'a Rewritten,
    scratch: &'s mut Scratch<'a>,
) -> Result<Decoded<'s, 'a>, Refused> {
    scratch.attributes.clear();
    scratch.event_attributes.clear();
    scratch.rest.clear();
    let mut fields = SpanFields::default();
    fields.read(bytes, scratch)?;
    let ids = fields.ids()?;
    let mut marks = Marks::default();
    fields.cap(room, scratch, &mut marks);
    let duration_ns = fields.normalize(&mut scratch.rest, &mut marks);
    Ok(Decoded {
        fields,
        ids,
        marks,
        duration_ns,
        scratch,
    })
}

impl Decoded<'_, '_> {
    /// True when this is that span to the last bit; resource and scope aside.
    pub(crate) fn equals(&self, span: SpanRef<'_>) -> bool {
        let fields = &self.fields;
        self.ids.trace == span.trace_id()
            && self.ids.span == span.span_id()
            && self.ids.parent == span.parent()
            && fields.start == span.start_unix_ns()
            && self.duration_ns == span.duration_ns()
            && fields.name == span.operation()
            && kind_of(fields.kind).unwrap_or_default() == span.kind()
            && status_of(fields.status).unwrap_or_default() == span.status()
            && fields.status_message == span.status_message()
            && fields.flags == span.flags()
            && self.marks == span.marks()
            && self.scratch.rest.as_bytes() == span.rest()
            && self
                .scratch
                .attributes
                .iter()
                .copied()
                .eq(span.attributes())
            && (self.scratch.event_attributes.iter().copied()).eq(span.event_attributes())
    }

    /// Pushes it into the builder, with its resource and scope.
    pub(crate) fn push(
        self,
        resource: &mut Resource<'_>,
        scope: &mut Scope<'_>,
        builder: &mut BatchBuilder,
    ) {
        let mut marks = self.marks;
        marks.set(resource.marks());
        marks.set(scope.marks());
        let (resource, scope) = (resource.handle(builder), scope.handle(builder));
        builder.push(&SpanInput {
            trace_id: self.ids.trace,
            span_id: self.ids.span,
            parent: self.ids.parent,
            resource,
            scope,
            start_unix_ns: self.fields.start,
            duration_ns: self.duration_ns,
            operation: self.fields.name,
            kind: kind_of(self.fields.kind).unwrap_or_default(),
            status: status_of(self.fields.status).unwrap_or_default(),
            status_message: self.fields.status_message,
            flags: self.fields.flags,
            attributes: &self.scratch.attributes,
            event_attributes: &self.scratch.event_attributes,
            rest: self.scratch.rest.as_bytes(),
            marks,
        });
    }
}

impl<'a> SpanFields<'a> {
    fn read(&mut self, span: &'a [u8], scratch: &mut Scratch<'a>) -> Result<(), Refused> {
        let mut fields = Fields::of(span);
        while let Some((number, field, raw)) = fields.next_field()? {
            match (number, field) {
                (1, Field::Bytes(id)) => self.trace_id = id,
                (2, Field::Bytes(id)) => self.span_id = id,
                (3, Field::Bytes(text)) => {
                    strict_utf8(text)?;
                    scratch.rest.raw(raw);
                }
                (4, Field::Bytes(id)) => self.parent = id,
                (5, Field::Bytes(text)) => self.name = strict_utf8(text)?,
                // Enumerations and 32-bit numbers come as 64-bit varints, cut as protobuf says.
                (6, Field::Varint(kind)) => self.kind = kind as i32,
                (7, Field::Fixed64(time)) => self.start = time,
                (8, Field::Fixed64(time)) => self.end = time,
                (9, Field::Bytes(encoded)) => self.attribute(encoded, scratch)?,
                (10, Field::Varint(count)) => self.dropped_attributes = count as u32,
                (11, Field::Bytes(event)) => {
                    self.event(event, scratch)?;
                    scratch.rest.raw(raw);
                }
                (12 | 14, Field::Varint(_)) => scratch.rest.raw(raw),
                (13, Field::Bytes(link)) => {
                    check_link(link)?;
                    scratch.rest.raw(raw);
                }
                (15, Field::Bytes(status)) => self.status(status)?,
                (16, Field::Fixed32(flags)) => self.flags = flags,
                (MARKS_FIELD, Field::Varint(marks)) => self.marks = Some(Marks(marks as u16)),
                (1..=16, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => scratch.rest.raw(raw),
            }
        }
        Ok(())
    }

    fn attribute(&mut self, encoded: &'a [u8], scratch: &mut Scratch<'a>) -> Result<(), Refused> {
        let attribute = attribute(encoded)?;
        if scratch.attributes.len() < ATTRIBUTES_PER_SPAN_MAX {
            scratch.attributes.push(attribute);
        } else {
            self.attributes_over = self.attributes_over.saturating_add(1);
        }
        Ok(())
    }

    /// Checks an event and lifts its attributes; the event itself stays as it is.
    fn event(&mut self, event: &'a [u8], scratch: &mut Scratch<'a>) -> Result<(), Refused> {
        let mut fields = Fields::of(event);
        while let Some((number, field, _)) = fields.next_field()? {
            match (number, field) {
                (2, Field::Bytes(name)) => drop(strict_utf8(name)?),
                (3, Field::Bytes(encoded)) => {
                    let attribute = attribute(encoded)?;
                    if scratch.event_attributes.len() < EVENT_ATTRIBUTES_MAX {
                        scratch.event_attributes.push(attribute);
                    } else {
                        self.events_over = true;
                    }
                }
                (1, Field::Fixed64(_)) | (4, Field::Varint(_)) => {}
                (1..=4, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn status(&mut self, status: &'a [u8]) -> Result<(), Refused> {
        let mut fields = Fields::of(status);
        while let Some((number, field, raw)) = fields.next_field()? {
            match (number, field) {
                (2, Field::Bytes(text)) => self.status_message = strict_utf8(text)?,
                (3, Field::Varint(code)) => self.status = code as i32,
                (2 | 3, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => self.status_rest.extend_from_slice(raw),
            }
        }
        Ok(())
    }

    fn ids(&self) -> Result<Ids, Refused> {
        let wrong = |reason, bytes, length| Refused::new(reason, wrong_id(bytes, length));
        let trace = TraceId::from_slice(self.trace_id)
            .ok_or_else(|| wrong(Reason::TraceId, self.trace_id, 16))?;
        let span = SpanId::from_slice(self.span_id)
            .ok_or_else(|| wrong(Reason::SpanId, self.span_id, 8))?;
        // All zero and empty both say "root"; any other wrong length is an error of the sender.
        let parent = SpanId::from_slice(self.parent);
        if parent.is_none() && !matches!(self.parent, [] | [0, 0, 0, 0, 0, 0, 0, 0]) {
            return Err(wrong(Reason::ParentSpanId, self.parent, 8));
        }
        Ok(Ids {
            trace,
            span,
            parent,
        })
    }

    fn cap(&mut self, room: &'a Rewritten, scratch: &mut Scratch<'a>, marks: &mut Marks) {
        marks.set(cap_attributes(&mut scratch.attributes, room).marks);
        for attribute in &mut scratch.event_attributes {
            // Only the copy for search is cut: `rest` keeps the event whole, so there is no mark.
            let _uncut_in_rest = cap_attribute(attribute, room);
        }
        if self.attributes_over > 0 {
            marks.set(Marks::ATTRIBUTES_CUT);
        }
        if self.events_over {
            marks.set(Marks::EVENTS_CUT);
        }
        self.name = cap_text(self.name, VALUE_BYTES_MAX, marks);
        self.status_message = cap_text(self.status_message, VALUE_BYTES_MAX, marks);
    }

    /// Brings time, kind and status into the model's range and keeps in `rest` what does not fit.
    fn normalize(&mut self, rest: &mut RestWriter, marks: &mut Marks) -> u64 {
        rest.dropped_attributes_count(self.dropped_attributes.saturating_add(self.attributes_over));
        if kind_of(self.kind).is_none() {
            rest.kind(self.kind);
        }
        if status_of(self.status).is_none() {
            put_varint_field(&mut self.status_rest, 3, i64::from(self.status) as u64);
        }
        rest.status(&self.status_rest);
        marks.set(self.marks.unwrap_or_default());
        if self.start == 0 && self.marks.is_none() {
            marks.set(Marks::NO_START_TIME);
        }
        self.end.checked_sub(self.start).unwrap_or_else(|| {
            marks.set(Marks::END_BEFORE_START);
            rest.end_unix_ns(self.end);
            0
        })
    }
}

fn kind_of(number: i32) -> Option<SpanKind> {
    u8::try_from(number).ok().and_then(SpanKind::from_u8)
}

fn status_of(number: i32) -> Option<StatusCode> {
    u8::try_from(number).ok().and_then(StatusCode::from_u8)
}

/// What a refusal says of an id: its bytes, or their number where they are too many to show.
fn wrong_id(bytes: &[u8], length: usize) -> String {
    let mut seen = String::new();
    for byte in bytes.iter().take(32) {
        // Writing into a String cannot fail.
        let _infallible = write!(seen, "{byte:02x}");
    }
    let count = bytes.len();
    format!("{count} bytes \"{seen}\"; accepted are {length} that are not all zero")
}

/// Reads and checks an encoded `KeyValue`.
pub(crate) fn attribute(encoded: &[u8]) -> Result<Attribute<'_>, Refused> {
    let mut attribute = Attribute::new("", Value::Any(&[]));
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(text)) => attribute.key = strict_utf8(text)?,
            (2, Field::Bytes(value)) => {
                attribute.value = value_of(value)?;
                if let Value::Any(any) = attribute.value {
                    check_any(any, 0)?;
                }
            }
            (1 | 2, _) => return Err(WRONG_WIRE_TYPE.into()),
            _ => {}
        }
    }
    Ok(attribute)
}

/// Checks an encoded `AnyValue` all the way down; recursion ends at the cap.
fn check_any(encoded: &[u8], depth: usize) -> Result<(), Refused> {
    if depth > ANY_DEPTH_MAX {
        let detail = format!("an attribute is nested deeper than {ANY_DEPTH_MAX}");
        return Err(Refused::new(Reason::TooDeep, detail));
    }
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(text)) => drop(strict_utf8(text)?),
            (5, Field::Bytes(array)) => check_items(array, depth)?,
            (6, Field::Bytes(map)) => check_entries(map, depth)?,
            (2 | 3, Field::Varint(_)) | (4, Field::Fixed64(_)) | (7, Field::Bytes(_)) => {}
            (1..=7, _) => return Err(WRONG_WIRE_TYPE.into()),
            _ => {}
        }
    }
    Ok(())
}

fn check_items(array: &[u8], depth: usize) -> Result<(), Refused> {
    let mut fields = Fields::of(array);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(item)) => check_any(item, depth + 1)?,
            (1, _) => return Err(WRONG_WIRE_TYPE.into()),
            _ => {}
        }
    }
    Ok(())
}

fn check_entries(map: &[u8], depth: usize) -> Result<(), Refused> {
    let mut fields = Fields::of(map);
    while let Some((number, field, _)) = fields.next_field()? {
        let entry = match (number, field) {
            (1, Field::Bytes(entry)) => entry,
            (1, _) => return Err(WRONG_WIRE_TYPE.into()),
            _ => continue,
        };
        let mut members = Fields::of(entry);
        while let Some((number, field, _)) = members.next_field()? {
            match (number, field) {
                (1, Field::Bytes(key)) => drop(strict_utf8(key)?),
                (2, Field::Bytes(value)) => check_any(value, depth + 1)?,
                (1 | 2, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn check_link(link: &[u8]) -> Result<(), Refused> {
    let mut fields = Fields::of(link);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (3, Field::Bytes(text)) => drop(strict_utf8(text)?),
            (4, Field::Bytes(encoded)) => drop(attribute(encoded)?),
            (1 | 2, Field::Bytes(_)) | (5, Field::Varint(_)) | (6, Field::Fixed32(_)) => {}
            (1..=6, _) => return Err(WRONG_WIRE_TYPE.into()),
            _ => {}
        }
    }
    Ok(())
}
