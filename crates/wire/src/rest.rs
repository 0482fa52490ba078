//! What the model does not model of a span (D1): raw fields of the OTLP `Span` message, end to end.
//!
//! Receivers write it with [`RestWriter`] (OTLP's own just copy the fields); storage keeps it unread;
//! the query side opens it with [`Rest::parse`]. Because the fields are OTLP's, an OTLP encoder
//! appends them to the modelled fields and is done. Fields kept: trace_state 3, dropped counts 10,
//! 12 and 14, events 11, links 13, unknown ones; and, only where the model cannot hold the original:
//! kind 6, end 8, status 15.
#![warn(clippy::indexing_slicing)]

use tracewell_model::{Attribute, Value};

use crate::proto::{
    Field, Fields, Malformed, put_bytes_field, put_fixed32_field, put_fixed64_field,
    put_message_field, put_varint_field,
};

/// The unmodelled part of a span, borrowed from its bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rest<'a> {
    /// W3C `tracestate`.
    pub trace_state: &'a str,
    /// Events in their order.
    pub events: Vec<Event<'a>>,
    /// Links in their order.
    pub links: Vec<Link<'a>>,
    /// Attributes the source or a cap dropped.
    pub dropped_attributes_count: u32,
    /// Events the source dropped.
    pub dropped_events_count: u32,
    /// Links the source dropped.
    pub dropped_links_count: u32,
    /// The end as it came, where it lay before the start.
    pub end_unix_ns: Option<u64>,
    /// The kind as it came, where its number is unknown.
    pub kind: Option<i32>,
    /// The status code as it came, where its number is unknown.
    pub status_code: Option<i32>,
    /// Fields this version does not know, each with its tag.
    pub unknown: Vec<&'a [u8]>,
}

/// Something that happened during a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event<'a> {
    /// When.
    pub time_unix_ns: u64,
    /// What.
    pub name: &'a str,
    /// Its attributes.
    pub attributes: Vec<Attribute<'a>>,
    /// Attributes the source dropped.
    pub dropped_attributes_count: u32,
}

/// A reference to another span. Ids are bytes as they came, of any length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link<'a> {
    /// The other trace.
    pub trace_id: &'a [u8],
    /// The other span.
    pub span_id: &'a [u8],
    /// W3C `tracestate` of the other span.
    pub trace_state: &'a str,
    /// OTLP flags of the other span.
    pub flags: u32,
    /// Its attributes.
    pub attributes: Vec<Attribute<'a>>,
    /// Attributes the source dropped.
    pub dropped_attributes_count: u32,
}

impl<'a> Rest<'a> {
    /// Opens a span's unmodelled bytes. Damage never fails: what cannot be read is left out.
    pub fn parse(bytes: &'a [u8]) -> Rest<'a> {
        let mut rest = Rest::default();
        each_field(bytes, |number, field, raw| match (number, field) {
            (3, Field::Bytes(text)) => rest.trace_state = utf8(text),
            (6, Field::Varint(kind)) => rest.kind = Some(kind as i32),
            (8, Field::Fixed64(end)) => rest.end_unix_ns = Some(end),
            (10, Field::Varint(count)) => rest.dropped_attributes_count = count as u32,
            (11, Field::Bytes(event)) => rest.events.push(Event::parse(event)),
            (12, Field::Varint(count)) => rest.dropped_events_count = count as u32,
            (13, Field::Bytes(link)) => rest.links.push(Link::parse(link)),
            (14, Field::Varint(count)) => rest.dropped_links_count = count as u32,
            (15, Field::Bytes(status)) => each_field(status, |number, field, _| {
                if let (3, Field::Varint(code)) = (number, field) {
                    rest.status_code = Some(code as i32);
                }
            }),
            _ => rest.unknown.push(raw),
        });
        rest
    }
}

/// The attributes of all events in a span's unmodelled bytes, for those who lift them for search.
pub fn event_attributes(rest: &[u8]) -> impl Iterator<Item = Attribute<'_>> {
    bytes_fields(rest, 11)
        .flat_map(|event| bytes_fields(event, 3))
        .filter_map(|encoded| attribute_of(encoded).ok())
}

fn bytes_fields(message: &[u8], wanted: u32) -> impl Iterator<Item = &[u8]> {
    let mut fields = Fields::of(message);
    std::iter::from_fn(move || {
        while let Ok(Some((number, field, _))) = fields.next_field() {
            match field {
                Field::Bytes(bytes) if number == wanted => return Some(bytes),
                _ => {}
            }
        }
        None
    })
}

impl<'a> Event<'a> {
    /// Reads an encoded `Span.Event`, leaving out what cannot be read.
    pub fn parse(bytes: &'a [u8]) -> Event<'a> {
        let mut event = Event::default();
        each_field(bytes, |number, field, _| match (number, field) {
            (1, Field::Fixed64(time)) => event.time_unix_ns = time,
            (2, Field::Bytes(name)) => event.name = utf8(name),
            (3, Field::Bytes(attribute)) => event.attributes.extend(attribute_of(attribute).ok()),
            (4, Field::Varint(count)) => event.dropped_attributes_count = count as u32,
            _ => {}
        });
        event
    }
}

impl<'a> Link<'a> {
    /// Reads an encoded `Span.Link`, leaving out what cannot be read.
    pub fn parse(bytes: &'a [u8]) -> Link<'a> {
        let mut link = Link::default();
        each_field(bytes, |number, field, _| match (number, field) {
            (1, Field::Bytes(id)) => link.trace_id = id,
            (2, Field::Bytes(id)) => link.span_id = id,
            (3, Field::Bytes(text)) => link.trace_state = utf8(text),
            (4, Field::Bytes(attribute)) => link.attributes.extend(attribute_of(attribute).ok()),
            (5, Field::Varint(count)) => link.dropped_attributes_count = count as u32,
            (6, Field::Fixed32(flags)) => link.flags = flags,
            _ => {}
        });
        link
    }
}

/// Writes a span's unmodelled part. Defaults (empty, zero) leave no byte behind.
#[derive(Clone, Debug, Default)]
pub struct RestWriter {
    out: Vec<u8>,
}

impl RestWriter {
    /// An empty one.
    pub fn new() -> Self {
        RestWriter::default()
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out
    }

    /// Starts over, keeping the room.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// Copies an encoded field (tag included) as it is.
    pub fn raw(&mut self, field: &[u8]) {
        self.out.extend_from_slice(field);
    }

    /// W3C `tracestate`.
    pub fn trace_state(&mut self, text: &str) {
        put_text(&mut self.out, 3, text);
    }

    /// The kind as it came, where the model does not know its number.
    pub fn kind(&mut self, number: i32) {
        put_varint_field(&mut self.out, 6, i64::from(number) as u64);
    }

    /// The end as it came, where it lies before the start; zero is written too.
    pub fn end_unix_ns(&mut self, end: u64) {
        put_fixed64_field(&mut self.out, 8, end);
    }

    /// Fields of the `Status` message that are not modelled; encoders merge them with the others.
    pub fn status(&mut self, fields: &[u8]) {
        if !fields.is_empty() {
            put_bytes_field(&mut self.out, 15, fields);
        }
    }

    /// Attributes dropped; the last call counts.
    pub fn dropped_attributes_count(&mut self, count: u32) {
        put_count(&mut self.out, 10, count);
    }

    /// Events dropped.
    pub fn dropped_events_count(&mut self, count: u32) {
        put_count(&mut self.out, 12, count);
    }

    /// Links dropped.
    pub fn dropped_links_count(&mut self, count: u32) {
        put_count(&mut self.out, 14, count);
    }

    /// One more event.
    pub fn event(&mut self, event: &Event<'_>) {
        put_message_field(&mut self.out, 11, |out| {
            if event.time_unix_ns != 0 {
                put_fixed64_field(out, 1, event.time_unix_ns);
            }
            put_text(out, 2, event.name);
            put_attributes(out, 3, event.attributes.iter().copied());
            put_count(out, 4, event.dropped_attributes_count);
        });
    }

    /// One more link.
    pub fn link(&mut self, link: &Link<'_>) {
        put_message_field(&mut self.out, 13, |out| {
            put_bytes_field(out, 1, link.trace_id);
            put_bytes_field(out, 2, link.span_id);
            put_text(out, 3, link.trace_state);
            put_attributes(out, 4, link.attributes.iter().copied());
            put_count(out, 5, link.dropped_attributes_count);
            if link.flags != 0 {
                put_fixed32_field(out, 6, link.flags);
            }
        });
    }
}

/// The value that an encoded `AnyValue` is: scalars typed; arrays, maps, nothing at all, and
/// encodings with more than one field stay encoded. Arrays and maps are not looked into.
pub fn value_of(encoded: &[u8]) -> Result<Value<'_>, Malformed> {
    let mut fields = Fields::of(encoded);
    let Some((number, field, _)) = fields.next_field()? else {
        return Ok(Value::Any(encoded));
    };
    let value = match (number, field) {
        (1, Field::Bytes(text)) => Value::Str(strict_utf8(text)?),
        (2, Field::Varint(bit)) => Value::Bool(bit != 0),
        (3, Field::Varint(number)) => Value::Int(number as i64),
        (4, Field::Fixed64(bits)) => Value::Double(f64::from_bits(bits)),
        (7, Field::Bytes(bytes)) => Value::Bytes(bytes),
        (5 | 6, Field::Bytes(_)) => Value::Any(encoded),
        (1..=7, _) => return Err(WRONG_WIRE_TYPE),
        _ => Value::Any(encoded),
    };
    match fields.next_field()? {
        None => Ok(value),
        Some(_) => Ok(Value::Any(encoded)),
    }
}

/// The attribute that an encoded `KeyValue` is.
pub fn attribute_of(encoded: &[u8]) -> Result<Attribute<'_>, Malformed> {
    let (mut key, mut value) = ("", &[][..]);
    let mut fields = Fields::of(encoded);
    while let Some((number, field, _)) = fields.next_field()? {
        match (number, field) {
            (1, Field::Bytes(text)) => key = strict_utf8(text)?,
            (2, Field::Bytes(bytes)) => value = bytes,
            (1 | 2, _) => return Err(WRONG_WIRE_TYPE),
            _ => {}
        }
    }
    Ok(Attribute::new(key, value_of(value)?))
}

/// Appends the `AnyValue` encoding of a value.
pub fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Str(text) => put_bytes_field(out, 1, text.as_bytes()),
        Value::Bool(bit) => put_varint_field(out, 2, u64::from(bit)),
        Value::Int(number) => put_varint_field(out, 3, number as u64),
        Value::Double(number) => put_fixed64_field(out, 4, number.to_bits()),
        Value::Bytes(bytes) => put_bytes_field(out, 7, bytes),
        Value::Any(encoded) => out.extend_from_slice(encoded),
    }
}

/// Appends the `KeyValue` encoding of an attribute (without a tag of its own).
pub fn put_key_value(out: &mut Vec<u8>, attribute: Attribute<'_>) {
    put_text(out, 1, attribute.key);
    // A set but empty AnyValue and an absent one are both "no value": neither is written.
    if !matches!(attribute.value, Value::Any([])) {
        put_message_field(out, 2, |out| put_value(out, attribute.value));
    }
}

/// Appends attributes as a repeated `KeyValue` field.
pub fn put_attributes<'a>(
    out: &mut Vec<u8>,
    field: u32,
    attributes: impl Iterator<Item = Attribute<'a>>,
) {
    for attribute in attributes {
        put_message_field(out, field, |out| put_key_value(out, attribute));
    }
}

pub(crate) const NOT_UTF8: Malformed = Malformed("a string is not UTF-8");
pub(crate) const WRONG_WIRE_TYPE: Malformed = Malformed("a known field has the wrong wire type");

/// The text of a string field; OTLP says strings are UTF-8.
pub(crate) fn strict_utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)
}

/// Appends a string field unless it is empty.
pub(crate) fn put_text(out: &mut Vec<u8>, field: u32, text: &str) {
    if !text.is_empty() {
        put_bytes_field(out, field, text.as_bytes());
    }
}

fn put_count(out: &mut Vec<u8>, field: u32, count: u32) {
    if count != 0 {
        put_varint_field(out, field, u64::from(count));
    }
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or("")
}

/// Calls `visit` with each field up to the first that cannot be read.
fn each_field<'a>(message: &'a [u8], mut visit: impl FnMut(u32, Field<'a>, &'a [u8])) {
    let mut fields = Fields::of(message);
    while let Ok(Some((number, field, raw))) = fields.next_field() {
        visit(number, field, raw);
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let attributes = vec![
            Attribute::new("exception.message", Value::Str("é")),
            Attribute::new("n", Value::Int(i64::MIN)),
            Attribute::new("x", Value::Double(-0.5)),
            Attribute::new("b", Value::Bool(false)),
            Attribute::new("raw", Value::Bytes(&[0, 255])),
            Attribute::new("none", Value::Any(&[])),
        ];
        let event = Event {
            time_unix_ns: u64::MAX,
            name: "exception",
            attributes: attributes.clone(),
            dropped_attributes_count: 3,
        };
        let link = Link {
            trace_id: &[1; 16],
            span_id: &[2; 8],
            trace_state: "a=b",
            flags: 0x301,
            attributes,
            dropped_attributes_count: 0,
        };
        let mut writer = RestWriter::new();
        writer.trace_state("k=v");
        writer.event(&event);
        writer.link(&link);
        writer.dropped_attributes_count(1);
        writer.dropped_events_count(2);
        writer.dropped_links_count(3);
        writer.kind(-7);
        writer.end_unix_ns(0);
        writer.status(&[0x18, 9]);
        writer.raw(&[0xf8, 7, 1]);
        let rest = Rest::parse(writer.as_bytes());
        let expected = Rest {
            trace_state: "k=v",
            events: vec![event],
            links: vec![link],
            dropped_attributes_count: 1,
            dropped_events_count: 2,
            dropped_links_count: 3,
            end_unix_ns: Some(0),
            kind: Some(-7),
            status_code: Some(9),
            unknown: vec![&[0xf8, 7, 1]],
        };
        assert_eq!(rest, expected);
    }

    #[test]
    fn any_bytes_can_be_opened() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let length = random.usize(..60);
            let bytes: Vec<u8> = (0..length).map(|_| random.u8(..128)).collect();
            let _opened = Rest::parse(&bytes);
        }
    }
}
