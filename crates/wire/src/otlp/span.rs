//! One OTLP `Span` message to one row of the builder, by the rules of D5 and the caps of D6.
#![warn(clippy::indexing_slicing)]

use std::fmt::Write as _;

use tracewell_model::limits::{ATTRIBUTES_PER_SPAN_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use tracewell_model::row::TextHandle;
use tracewell_model::{
    Attribute, BatchBuilder, Marks, Row, RowInput, SpanId, SpanKind, SpanRef, StatusCode, TraceId,
};

use super::encode::MARKS_FIELD;
use super::key_value::{attribute, plain_attribute};
use super::origin::{Resource, Scope};
use crate::caps::{EVENT_ATTRIBUTES_MAX, Rewritten, cap_attribute, cap_text};
use crate::proto::{Field, Fields, put_varint_field};
use crate::report::{Reason, Refused};
use crate::rest::{RestWriter, WRONG_WIRE_TYPE, strict_utf8};

/// Field 16, fixed32.
const FLAGS_TAG: [u8; 2] = [0x85, 0x01];

/// Room that is reused from span to span.
#[derive(Debug, Default)]
pub(crate) struct Scratch<'a> {
    event_attributes: Vec<Attribute<'a>>,
    rest: RestWriter,
    status_rest: Vec<u8>,
}

/// What a span belongs to.
#[derive(Debug)]
pub(crate) struct Origin<'o, 'r, 's> {
    pub(crate) resource: &'o mut Resource<'r>,
    pub(crate) scope: &'o mut Scope<'s>,
}

/// Reads a span into the builder; what is wrong with it is told by the refusal.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    origin: &mut Origin<'_, '_, '_>,
    scratch: &mut Scratch<'a>,
    builder: &mut BatchBuilder,
) -> Result<(), Refused> {
    // A row is begun in the shard of its trace, whose id nearly always comes first. Where it does not,
    // the span is read again in the right one.
    let mut trace_id = first_id(bytes);
    loop {
        scratch.clear();
        let mut reader = Reader::new(builder.row(trace_id), scratch);
        reader.read(bytes)?;
        let ids = reader.ids()?;
        if ids.trace == trace_id || reader.row.has_shard_of(ids.trace) {
            return reader.push(&ids, origin);
        }
        trace_id = ids.trace;
    }
}

/// True when the message is that span to the last bit; resource and scope aside.
pub(crate) fn equals(message: &[u8], span: SpanRef<'_>) -> bool {
    let room = Rewritten::default();
    let resource = Resource::parse(std::iter::empty(), "", &room);
    let scope = Scope::parse(std::iter::empty(), "", &room);
    let (Ok(mut resource), Ok(mut scope)) = (resource, scope) else {
        return false;
    };
    let mut origin = Origin {
        resource: &mut resource,
        scope: &mut scope,
    };
    let mut builder = BatchBuilder::new(1);
    if decode(message, &mut origin, &mut Scratch::default(), &mut builder).is_err() {
        return false;
    }
    let batch = builder.finish_one();
    let read = batch.span(0);
    let numbers = |span: SpanRef<'_>| {
        let times = (span.start_unix_ns(), span.duration_ns());
        (
            times,
            span.kind(),
            span.status(),
            span.flags(),
            span.marks(),
        )
    };
    let ids = |span: SpanRef<'_>| (span.trace_id(), span.span_id(), span.parent());
    ids(read) == ids(span)
        && numbers(read) == numbers(span)
        && read.operation() == span.operation()
        && read.status_message() == span.status_message()
        && read.rest() == span.rest()
        && read.attributes().eq(span.attributes())
        && read.event_attributes().eq(span.event_attributes())
}

fn first_id(span: &[u8]) -> TraceId {
    match span.split_first_chunk::<18>() {
        Some(([0x0a, 16, id @ ..], _)) => TraceId(*id),
        _ => TraceId::default(),
    }
}

impl Scratch<'_> {
    fn clear(&mut self) {
        self.event_attributes.clear();
        self.rest.clear();
        self.status_rest.clear();
    }
}

#[derive(Debug)]
struct Ids {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
}

/// A span being read: attributes and texts go to its row at once, the rest waits here.
#[derive(Debug)]
struct Reader<'s, 'a, 'b> {
    row: Row<'b>,
    scratch: &'s mut Scratch<'a>,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent: &'a [u8],
    name: Option<TextHandle>,
    kind: i32,
    start: u64,
    end: u64,
    status: i32,
    status_message: Option<TextHandle>,
    flags: u32,
    marks: Marks,
    /// Marks of one of us who took the span in before.
    earlier_marks: Option<Marks>,
    attributes: u32,
    dropped_attributes: u32,
    attributes_over: u32,
}

impl<'s, 'a, 'b> Reader<'s, 'a, 'b> {
    fn new(row: Row<'b>, scratch: &'s mut Scratch<'a>) -> Self {
        Reader {
            row,
            scratch,
            trace_id: &[],
            span_id: &[],
            parent: &[],
            name: None,
            kind: 0,
            start: 0,
            end: 0,
            status: 0,
            status_message: None,
            flags: 0,
            marks: Marks::default(),
            earlier_marks: None,
            attributes: 0,
            dropped_attributes: 0,
            attributes_over: 0,
        }
    }

    fn read(&mut self, span: &'a [u8]) -> Result<(), Refused> {
        let mut fields = Fields::of(span);
        self.read_usual(&mut fields)?;
        while let Some((number, field, raw)) = fields.next_field()? {
            match (number, field) {
                (9, Field::Bytes(encoded)) => self.unusual_attribute(encoded)?,
                (1, Field::Bytes(id)) => self.trace_id = id,
                (2, Field::Bytes(id)) => self.span_id = id,
                (3, Field::Bytes(text)) => {
                    strict_utf8(text)?;
                    self.scratch.rest.raw(raw);
                }
                (4, Field::Bytes(id)) => self.parent = id,
                (5, Field::Bytes(text)) => self.name = Some(self.text(text)?),
                // Enumerations and 32-bit numbers come as 64-bit varints, cut as protobuf says.
                (6, Field::Varint(kind)) => self.kind = kind as i32,
                (7, Field::Fixed64(time)) => self.start = time,
                (8, Field::Fixed64(time)) => self.end = time,
                (10, Field::Varint(count)) => self.dropped_attributes = count as u32,
                (11, Field::Bytes(event)) => {
                    self.event(event)?;
                    self.scratch.rest.raw(raw);
                }
                (12 | 14, Field::Varint(_)) => self.scratch.rest.raw(raw),
                (13, Field::Bytes(link)) => {
                    check_link(link)?;
                    self.scratch.rest.raw(raw);
                }
                (15, Field::Bytes(status)) => self.status(status)?,
                (16, Field::Fixed32(flags)) => self.flags = flags,
                (MARKS_FIELD, Field::Varint(marks)) => {
                    self.earlier_marks = Some(Marks(marks as u16));
                }
                (1..=16, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => self.scratch.rest.raw(raw),
            }
        }
        Ok(())
    }

    /// Reads the fields that most spans have, as far as they are there in their order and with nothing
    /// in between.
    #[inline]
    fn read_usual(&mut self, fields: &mut Fields<'a>) -> Result<(), Refused> {
        const fn tag(number: u8, wire_type: u8) -> u8 {
            number << 3 | wire_type
        }
        self.trace_id = fields.next_bytes_if(tag(1, 2)).unwrap_or_default();
        self.span_id = fields.next_bytes_if(tag(2, 2)).unwrap_or_default();
        self.parent = fields.next_bytes_if(tag(4, 2)).unwrap_or_default();
        if let Some(name) = fields.next_bytes_if(tag(5, 2)) {
            self.name = Some(self.text(name)?);
        }
        self.kind = fields
            .next_small_varint_if(tag(6, 0))
            .unwrap_or_default()
            .into();
        self.start = fields.next_fixed64_if(tag(7, 1)).unwrap_or_default();
        self.end = fields.next_fixed64_if(tag(8, 1)).unwrap_or_default();
        while let Some(encoded) = fields.next_bytes_if(tag(9, 2)) {
            self.attribute(encoded)?;
        }
        self.flags = fields.next_fixed32_if(FLAGS_TAG).unwrap_or_default();
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<TextHandle, Refused> {
        if text.len() <= VALUE_BYTES_MAX {
            return Ok(self.row.text(text)?);
        }
        let cut = cap_text(strict_utf8(text)?, VALUE_BYTES_MAX, &mut self.marks);
        Ok(self.row.text(cut.as_bytes())?)
    }

    #[inline(always)]
    fn attribute(&mut self, encoded: &[u8]) -> Result<(), Refused> {
        if let Some((key, value)) = plain_attribute(encoded)
            && self.attributes < ATTRIBUTES_PER_SPAN_MAX as u32
            && key.len() <= KEY_BYTES_MAX
        {
            self.attributes += 1;
            return Ok(self.row.attribute(key, value)?);
        }
        self.unusual_attribute(encoded)
    }

    fn unusual_attribute(&mut self, encoded: &[u8]) -> Result<(), Refused> {
        let mut attribute = attribute(encoded)?;
        if self.attributes == ATTRIBUTES_PER_SPAN_MAX as u32 {
            self.attributes_over = self.attributes_over.saturating_add(1);
            self.marks.set(Marks::ATTRIBUTES_CUT);
            return Ok(());
        }
        self.attributes += 1;
        let room = Rewritten::default();
        self.marks.set(cap_attribute(&mut attribute, &room));
        Ok(self
            .row
            .attribute(attribute.key.as_bytes(), attribute.value.into())?)
    }

    /// Checks an event and lifts its attributes; the event itself stays as it is.
    fn event(&mut self, event: &'a [u8]) -> Result<(), Refused> {
        let mut fields = Fields::of(event);
        while let Some((number, field, _)) = fields.next_field()? {
            match (number, field) {
                (2, Field::Bytes(name)) => drop(strict_utf8(name)?),
                (3, Field::Bytes(encoded)) => {
                    let attribute = attribute(encoded)?;
                    if self.scratch.event_attributes.len() < EVENT_ATTRIBUTES_MAX {
                        self.scratch.event_attributes.push(attribute);
                    } else {
                        self.marks.set(Marks::EVENTS_CUT);
                    }
                }
                (1, Field::Fixed64(_)) | (4, Field::Varint(_)) => {}
                (1..=4, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn status(&mut self, status: &[u8]) -> Result<(), Refused> {
        let mut fields = Fields::of(status);
        while let Some((number, field, raw)) = fields.next_field()? {
            match (number, field) {
                (2, Field::Bytes(text)) => self.status_message = Some(self.text(text)?),
                (3, Field::Varint(code)) => self.status = code as i32,
                (2 | 3, _) => return Err(WRONG_WIRE_TYPE.into()),
                _ => self.scratch.status_rest.extend_from_slice(raw),
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

    /// Hands the span over, with its resource and scope.
    fn push(mut self, ids: &Ids, origin: &mut Origin<'_, '_, '_>) -> Result<(), Refused> {
        let room = Rewritten::default();
        for &attribute in &self.scratch.event_attributes {
            let mut attribute = attribute;
            // Only the copy for search is cut: `rest` keeps the event whole, so there is no mark.
            let _uncut_in_rest = cap_attribute(&mut attribute, &room);
            let key = attribute.key.as_bytes();
            self.row.event_attribute(key, attribute.value.into())?;
        }
        let duration_ns = self.normalize();
        self.marks.set(origin.resource.marks());
        self.marks.set(origin.scope.marks());
        let mut row = self.row;
        // What is taken in stays, also when the other of them is bad: a scope that no span has names no
        // service.
        let scope = origin.scope.handle(&mut row)?;
        let resource = origin.resource.handle(&mut row)?;
        let input = RowInput {
            trace_id: ids.trace,
            span_id: ids.span,
            parent: ids.parent,
            resource,
            scope,
            start_unix_ns: self.start,
            duration_ns,
            operation: self.name.unwrap_or_else(|| row.empty_text()),
            kind: kind_of(self.kind).unwrap_or_default(),
            status: status_of(self.status).unwrap_or_default(),
            status_message: self.status_message.unwrap_or_else(|| row.empty_text()),
            flags: self.flags,
            rest: self.scratch.rest.as_bytes(),
            marks: self.marks,
        };
        row.push(&input);
        Ok(())
    }

    /// Brings time, kind and status into the model's range and keeps in `rest` what does not fit.
    fn normalize(&mut self) -> u64 {
        let rest = &mut self.scratch.rest;
        rest.dropped_attributes_count(self.dropped_attributes.saturating_add(self.attributes_over));
        if kind_of(self.kind).is_none() {
            rest.kind(self.kind);
        }
        if status_of(self.status).is_none() {
            let status = i64::from(self.status) as u64;
            put_varint_field(&mut self.scratch.status_rest, 3, status);
        }
        rest.status(&self.scratch.status_rest);
        self.marks.set(self.earlier_marks.unwrap_or_default());
        if self.start == 0 && self.earlier_marks.is_none() {
            self.marks.set(Marks::NO_START_TIME);
        }
        self.end.checked_sub(self.start).unwrap_or_else(|| {
            self.marks.set(Marks::END_BEFORE_START);
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
