//! OTLP/JSON messages to protobuf, driven by the tables of [`super::schema`].
//!
//! Accepted beyond the specification, since senders do it: snake_case names, enumerations by name,
//! 64-bit integers as numbers, numbers as strings, ids in base64. Unknown members are skipped, null is
//! an absent field, of members that exclude each other the last one counts.
#![warn(clippy::indexing_slicing)]

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess};
use serde_json::value::RawValue;
use tracewell_model::limits::ANY_DEPTH_MAX;

use super::scalar;
use super::schema::{ANY_VALUE, Kind, Schema};
use crate::json::{Text, excerpt};
use crate::proto::{put_bytes_field, put_fixed32_field, put_fixed64_field, put_varint_field};
use crate::report::{Reason, Refused};

/// Writes the protobuf of a JSON message to `out`, which is empty.
pub(crate) fn transcode(json: &str, schema: Schema, out: &mut Vec<u8>) -> Result<(), Refused> {
    let context = Context {
        refused: RefCell::new(None),
    };
    let message = Message {
        schema,
        out,
        depth: 0,
        context: &context,
    };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = message.deserialize(&mut deserializer);
    read.map(drop).map_err(|error| {
        let reason = if error.is_data() {
            Reason::WrongType
        } else {
            Reason::Malformed
        };
        let told = context.refused.take();
        told.unwrap_or_else(|| Refused::new(reason, excerpt(&error.to_string())))
    })
}

/// Where a refusal with a reason of its own waits while serde's error travels up.
struct Context {
    refused: RefCell<Option<Refused>>,
}

impl Context {
    fn refuse<E: de::Error>(&self, reason: Reason, detail: String) -> E {
        *self.refused.borrow_mut() = Some(Refused::new(reason, detail));
        E::custom("refused")
    }
}

/// Reads one JSON object as a message.
struct Message<'c> {
    schema: Schema,
    out: &'c mut Vec<u8>,
    /// How many arrays and maps enclose the attribute value being read.
    depth: usize,
    context: &'c Context,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    /// False for null, which sets nothing.
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for Message<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let known = self
                .schema
                .iter()
                .find(|field| field.json == name || field.proto == name);
            match known {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(field) => map.next_value_seed(FieldValue {
                    number: field.number,
                    kind: field.kind,
                    out: self.out,
                    depth: self.depth,
                    context: self.context,
                })?,
            }
        }
        Ok(true)
    }
}

/// Reads one member's value and appends it as a field.
struct FieldValue<'c> {
    number: u32,
    kind: Kind,
    out: &'c mut Vec<u8>,
    depth: usize,
    context: &'c Context,
}

impl<'de> DeserializeSeed<'de> for FieldValue<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let FieldValue {
            number,
            kind,
            out,
            depth,
            context,
        } = self;
        match kind {
            Kind::Message(schema) => {
                let mut inner = Vec::new();
                let message = Message {
                    schema,
                    out: &mut inner,
                    depth,
                    context,
                };
                if message.deserialize(deserializer)? {
                    put_bytes_field(out, number, &inner);
                }
                Ok(())
            }
            Kind::Any => any(deserializer, number, out, depth, context),
            Kind::Repeated(_) | Kind::RepeatedAny | Kind::RepeatedStr => {
                let kind = match kind {
                    Kind::Repeated(schema) => Kind::Message(schema),
                    Kind::RepeatedStr => Kind::Str,
                    _ => Kind::Any,
                };
                deserializer.deserialize_any(Elements(FieldValue {
                    number,
                    kind,
                    out,
                    depth,
                    context,
                }))
            }
            scalar => put_scalar(deserializer, number, scalar, out, context),
        }
    }
}

/// Levels of attribute values read by one JSON parser. Each takes up to four levels of JSON and
/// serde_json stops at 128; a fresh parser on the value's own text starts again from 0.
const LEVELS_PER_PARSER: usize = 20;

fn any<'de, D: Deserializer<'de>>(
    deserializer: D,
    number: u32,
    out: &mut Vec<u8>,
    depth: usize,
    context: &Context,
) -> Result<(), D::Error> {
    if depth > ANY_DEPTH_MAX {
        let detail = format!("an attribute is nested deeper than {ANY_DEPTH_MAX}");
        return Err(context.refuse(Reason::TooDeep, detail));
    }
    let mut inner = Vec::new();
    let message = Message {
        schema: ANY_VALUE,
        out: &mut inner,
        depth: depth + 1,
        context,
    };
    if depth > 0 && depth.is_multiple_of(LEVELS_PER_PARSER) {
        let raw = <&RawValue as de::Deserialize>::deserialize(deserializer)?;
        let mut fresh = serde_json::Deserializer::from_str(raw.get());
        let _null_is_empty = message.deserialize(&mut fresh).map_err(de::Error::custom)?;
    } else {
        let _null_is_empty = message.deserialize(deserializer)?;
    }
    put_bytes_field(out, number, &inner);
    Ok(())
}

/// Reads an array as a repeated field.
struct Elements<'c>(FieldValue<'c>);

impl<'de> de::Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let field = self.0;
        loop {
            let element = FieldValue {
                number: field.number,
                kind: field.kind,
                out: field.out,
                depth: field.depth,
                context: field.context,
            };
            if seq.next_element_seed(element)?.is_none() {
                return Ok(());
            }
        }
    }
}

fn put_scalar<'de, D: Deserializer<'de>>(
    deserializer: D,
    number: u32,
    kind: Kind,
    out: &mut Vec<u8>,
    context: &Context,
) -> Result<(), D::Error> {
    let Some(scalar) = scalar::Scalar::read(deserializer)? else {
        return Ok(());
    };
    let wrong = |expected: &str| {
        let detail = format!("{}; accepted is {expected}", excerpt(&scalar.to_string()));
        match kind {
            Kind::Id(_, reason) => context.refuse(reason, detail),
            _ => context.refuse(Reason::WrongType, detail),
        }
    };
    match kind {
        Kind::Id(length, _) => {
            let id = scalar
                .id(length)
                .ok_or_else(|| wrong(&format!("{} hex digits", 2 * length)))?;
            put_bytes_field(out, number, &id);
        }
        Kind::LinkId(length) => {
            let id = scalar.id(length).or_else(|| scalar.hex());
            put_bytes_field(out, number, &id.ok_or_else(|| wrong("an id in hex"))?);
        }
        Kind::Str => put_bytes_field(
            out,
            number,
            scalar.text().ok_or_else(|| wrong("a string"))?.as_bytes(),
        ),
        Kind::Bytes => {
            let bytes = scalar.bytes().ok_or_else(|| wrong("base64"))?;
            put_bytes_field(out, number, &bytes);
        }
        Kind::Whole => {
            let whole = scalar.bytes().ok_or_else(|| wrong("base64"))?;
            out.clear();
            out.extend_from_slice(&whole);
        }
        Kind::Bool => {
            let bit = scalar.bool().ok_or_else(|| wrong("a boolean"))?;
            put_varint_field(out, number, u64::from(bit));
        }
        Kind::Int64 => {
            let value = scalar.i64().ok_or_else(|| wrong("a 64-bit integer"))?;
            put_varint_field(out, number, value as u64);
        }
        Kind::Uint32 => {
            let value = scalar.u32().ok_or_else(|| wrong("a 32-bit count"))?;
            put_varint_field(out, number, u64::from(value));
        }
        Kind::Fixed32 => {
            let value = scalar.u32().ok_or_else(|| wrong("a 32-bit number"))?;
            put_fixed32_field(out, number, value);
        }
        Kind::Fixed64 => {
            let value = scalar
                .u64()
                .ok_or_else(|| wrong("nanoseconds in 64 bits"))?;
            put_fixed64_field(out, number, value);
        }
        Kind::Double => {
            let value = scalar.f64().ok_or_else(|| wrong("a number"))?;
            put_fixed64_field(out, number, value.to_bits());
        }
        Kind::Enum(names) => {
            let value = scalar
                .enumeration(names)
                .ok_or_else(|| wrong("a number or a name of the enumeration"))?;
            put_varint_field(out, number, i64::from(value) as u64);
        }
        // Read where they stand, above; here only for the compiler's sake.
        Kind::Message(_) | Kind::Repeated(_) | Kind::RepeatedStr => {}
        Kind::Any | Kind::RepeatedAny => {}
    }
    Ok(())
}
