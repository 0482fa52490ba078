//! Where spans come from: the OTLP `Resource` and `InstrumentationScope` messages. Each is taken into
//! the builder when its first good span is pushed, so that bodies without spans leave nothing behind.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;

use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::limits::{ATTRIBUTES_PER_SPAN_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use tracewell_model::row::NotUtf8;
use tracewell_model::{Marks, RawAttribute, RawValue, ResourceInput, Row, ScopeInput};

use super::UNKNOWN_SERVICE;
use super::key_value::{attribute, plain_attribute};
use crate::caps::{Rewritten, cap_attribute, cap_text};
use crate::proto::{Field, Fields, put_varint_field};
use crate::report::Refused;
use crate::rest::{WRONG_WIRE_TYPE, strict_utf8};

/// A resource, read.
#[derive(Debug)]
pub(crate) struct Resource<'a> {
    parts: Parts<'a>,
    schema_url: &'a str,
    /// Once it was taken in; texts that are not UTF-8 are found then.
    handle: Option<Result<ResourceHandle, NotUtf8>>,
}

/// A scope, read.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    name: &'a str,
    version: &'a str,
    parts: Parts<'a>,
    schema_url: &'a str,
    handle: Option<Result<ScopeHandle, NotUtf8>>,
}

/// What both have: attributes, unknown fields, and the marks of what was cut.
#[derive(Debug, Default)]
struct Parts<'a> {
    attributes: Vec<RawAttribute<'a>>,
    rest: Vec<u8>,
    marks: Marks,
    source_dropped: u32,
    over: u32,
}

impl<'a> Resource<'a> {
    /// Reads the message; where it comes in several pieces they are merged, as protobuf says.
    pub(crate) fn parse(
        pieces: impl Iterator<Item = &'a [u8]>,
        schema_url: &'a str,
        room: &'a Rewritten,
    ) -> Result<Self, Refused> {
        let mut parts = Parts::default();
        for piece in pieces {
            let mut fields = Fields::of(piece);
            while let Some((number, field, raw)) = fields.next_field()? {
                match (number, field) {
                    (1, Field::Bytes(encoded)) => parts.add(encoded, room)?,
                    (2, Field::Varint(count)) => parts.source_dropped = count as u32,
                    (1 | 2, _) => return Err(WRONG_WIRE_TYPE.into()),
                    _ => parts.rest.extend_from_slice(raw),
                }
            }
        }
        parts.note_dropped(2);
        Ok(Resource {
            parts,
            schema_url,
            handle: None,
        })
    }

    /// Its place in the row's builder.
    pub(crate) fn handle(&mut self, row: &mut Row<'_>) -> Result<ResourceHandle, NotUtf8> {
        *self.handle.get_or_insert_with(|| {
            row.resource(&ResourceInput {
                service: &service_of(&self.parts.attributes)?,
                schema_url: self.schema_url,
                attributes: &self.parts.attributes,
                rest: &self.parts.rest,
            })
        })
    }

    /// Marks of what was cut, for each of its spans.
    pub(crate) fn marks(&self) -> Marks {
        self.parts.marks
    }
}

impl<'a> Scope<'a> {
    /// Reads the message; where it comes in several pieces they are merged, as protobuf says.
    pub(crate) fn parse(
        pieces: impl Iterator<Item = &'a [u8]>,
        schema_url: &'a str,
        room: &'a Rewritten,
    ) -> Result<Self, Refused> {
        let (mut name, mut version, mut parts) = ("", "", Parts::default());
        for piece in pieces {
            let mut fields = Fields::of(piece);
            while let Some((number, field, raw)) = fields.next_field()? {
                match (number, field) {
                    (1, Field::Bytes(text)) => name = strict_utf8(text)?,
                    (2, Field::Bytes(text)) => version = strict_utf8(text)?,
                    (3, Field::Bytes(encoded)) => parts.add(encoded, room)?,
                    (4, Field::Varint(count)) => parts.source_dropped = count as u32,
                    (1..=4, _) => return Err(WRONG_WIRE_TYPE.into()),
                    _ => parts.rest.extend_from_slice(raw),
                }
            }
        }
        parts.note_dropped(4);
        Ok(Scope {
            name: cap_text(name, VALUE_BYTES_MAX, &mut parts.marks),
            version: cap_text(version, VALUE_BYTES_MAX, &mut parts.marks),
            parts,
            schema_url,
            handle: None,
        })
    }

    /// Its place in the row's builder.
    pub(crate) fn handle(&mut self, row: &mut Row<'_>) -> Result<ScopeHandle, NotUtf8> {
        *self.handle.get_or_insert_with(|| {
            row.scope(&ScopeInput {
                name: self.name,
                version: self.version,
                schema_url: self.schema_url,
                attributes: &self.parts.attributes,
                rest: &self.parts.rest,
            })
        })
    }

    /// Marks of what was cut, for each of its spans.
    pub(crate) fn marks(&self) -> Marks {
        self.parts.marks
    }
}

impl<'a> Parts<'a> {
    fn add(&mut self, encoded: &'a [u8], room: &'a Rewritten) -> Result<(), Refused> {
        let has_room = self.attributes.len() < ATTRIBUTES_PER_SPAN_MAX;
        if let Some((key, value)) = plain_attribute(encoded)
            && has_room
            && key.len() <= KEY_BYTES_MAX
        {
            self.attributes.push(RawAttribute { key, value });
            return Ok(());
        }
        let mut attribute = attribute(encoded)?;
        if has_room {
            self.marks.set(cap_attribute(&mut attribute, room));
            self.attributes.push(attribute.into());
        } else {
            self.marks.set(Marks::ATTRIBUTES_CUT);
            self.over = self.over.saturating_add(1);
        }
        Ok(())
    }

    /// Writes the dropped count, which is this field of the message.
    fn note_dropped(&mut self, field: u32) {
        let dropped = self.source_dropped.saturating_add(self.over);
        if dropped > 0 {
            put_varint_field(&mut self.rest, field, u64::from(dropped));
        }
    }
}

/// `service.name`, in text form should it be no string.
fn service_of<'a>(attributes: &[RawAttribute<'a>]) -> Result<Cow<'a, str>, NotUtf8> {
    let named = attributes
        .iter()
        .find(|attribute| attribute.key == b"service.name");
    match named.map(|attribute| attribute.value) {
        None | Some(RawValue::Any(_) | RawValue::Str(b"")) => Ok(UNKNOWN_SERVICE.into()),
        Some(value) => Ok(value.checked()?.text()),
    }
}
