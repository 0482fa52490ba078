//! OTLP/JSON messages to protobuf, driven by tables: one row per field of trace.proto and common.proto.
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
use crate::json::{Text, excerpt};
use crate::proto::{put_bytes_field, put_fixed32_field, put_fixed64_field, put_varint_field};
use crate::report::{Reason, Refused};

/// A message type: its fields.
pub(crate) type Schema = &'static [FieldSpec];

/// One field: JSON's name for it, the .proto file's, its number and type.
#[derive(Debug)]
pub(crate) struct FieldSpec(&'static str, &'static str, u32, Kind);

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// An id of this many bytes; a wrong one refuses the span for this reason.
    Id(usize, Reason),
    /// An id of a link: normally of this many bytes, but nothing refuses another.
    LinkId(usize),
    Str,
    Bytes,
    Bool,
    Int64,
    Uint32,
    Fixed32,
    Fixed64,
    Double,
    Enum(&'static [&'static str]),
    Message(Schema),
    Repeated(Schema),
    RepeatedStr,
    /// `AnyValue`, one level further down.
    Any,
    RepeatedAny,
}

pub(crate) static SPAN: Schema = &[
    FieldSpec("traceId", "trace_id", 1, Kind::Id(16, Reason::TraceId)),
    FieldSpec("spanId", "span_id", 2, Kind::Id(8, Reason::SpanId)),
    FieldSpec("traceState", "trace_state", 3, Kind::Str),
    FieldSpec(
        "parentSpanId",
        "parent_span_id",
        4,
        Kind::Id(8, Reason::ParentSpanId),
    ),
    FieldSpec("name", "name", 5, Kind::Str),
    FieldSpec("kind", "kind", 6, Kind::Enum(SPAN_KINDS)),
    FieldSpec(
        "startTimeUnixNano",
        "start_time_unix_nano",
        7,
        Kind::Fixed64,
    ),
    FieldSpec("endTimeUnixNano", "end_time_unix_nano", 8, Kind::Fixed64),
    FieldSpec("attributes", "attributes", 9, Kind::Repeated(KEY_VALUE)),
    FieldSpec(
        "droppedAttributesCount",
        "dropped_attributes_count",
        10,
        Kind::Uint32,
    ),
    FieldSpec("events", "events", 11, Kind::Repeated(EVENT)),
    FieldSpec(
        "droppedEventsCount",
        "dropped_events_count",
        12,
        Kind::Uint32,
    ),
    FieldSpec("links", "links", 13, Kind::Repeated(LINK)),
    FieldSpec("droppedLinksCount", "dropped_links_count", 14, Kind::Uint32),
    FieldSpec("status", "status", 15, Kind::Message(STATUS)),
    FieldSpec("flags", "flags", 16, Kind::Fixed32),
];

static EVENT: Schema = &[
    FieldSpec("timeUnixNano", "time_unix_nano", 1, Kind::Fixed64),
    FieldSpec("name", "name", 2, Kind::Str),
    FieldSpec("attributes", "attributes", 3, Kind::Repeated(KEY_VALUE)),
    FieldSpec(
        "droppedAttributesCount",
        "dropped_attributes_count",
        4,
        Kind::Uint32,
    ),
];

static LINK: Schema = &[
    FieldSpec("traceId", "trace_id", 1, Kind::LinkId(16)),
    FieldSpec("spanId", "span_id", 2, Kind::LinkId(8)),
    FieldSpec("traceState", "trace_state", 3, Kind::Str),
    FieldSpec("attributes", "attributes", 4, Kind::Repeated(KEY_VALUE)),
    FieldSpec(
        "droppedAttributesCount",
        "dropped_attributes_count",
        5,
        Kind::Uint32,
    ),
    FieldSpec("flags", "flags", 6, Kind::Fixed32),
];

static STATUS: Schema = &[
    FieldSpec("message", "message", 2, Kind::Str),
    FieldSpec("code", "code", 3, Kind::Enum(STATUS_CODES)),
];

pub(crate) static RESOURCE: Schema = &[
    FieldSpec("attributes", "attributes", 1, Kind::Repeated(KEY_VALUE)),
    FieldSpec(
        "droppedAttributesCount",
        "dropped_attributes_count",
        2,
        Kind::Uint32,
    ),
    FieldSpec("entityRefs", "entity_refs", 3, Kind::Repeated(ENTITY_REF)),
];

pub(crate) static ENTITY_REF: Schema = &[
    FieldSpec("schemaUrl", "schema_url", 1, Kind::Str),
    FieldSpec("type", "type", 2, Kind::Str),
    FieldSpec("idKeys", "id_keys", 3, Kind::RepeatedStr),
    FieldSpec("descriptionKeys", "description_keys", 4, Kind::RepeatedStr),
];

pub(crate) static SCOPE: Schema = &[
    FieldSpec("name", "name", 1, Kind::Str),
    FieldSpec("version", "version", 2, Kind::Str),
    FieldSpec("attributes", "attributes", 3, Kind::Repeated(KEY_VALUE)),
    FieldSpec(
        "droppedAttributesCount",
        "dropped_attributes_count",
        4,
        Kind::Uint32,
    ),
];

static KEY_VALUE: Schema = &[
    FieldSpec("key", "key", 1, Kind::Str),
    FieldSpec("value", "value", 2, Kind::Any),
];

static ANY_VALUE: Schema = &[
    FieldSpec("stringValue", "string_value", 1, Kind::Str),
    FieldSpec("boolValue", "bool_value", 2, Kind::Bool),
    FieldSpec("intValue", "int_value", 3, Kind::Int64),
    FieldSpec("doubleValue", "double_value", 4, Kind::Double),
    FieldSpec("arrayValue", "array_value", 5, Kind::Message(ARRAY)),
    FieldSpec("kvlistValue", "kvlist_value", 6, Kind::Message(KEY_VALUES)),
    FieldSpec("bytesValue", "bytes_value", 7, Kind::Bytes),
];

static ARRAY: Schema = &[FieldSpec("values", "values", 1, Kind::RepeatedAny)];
static KEY_VALUES: Schema = &[FieldSpec("values", "values", 1, Kind::Repeated(KEY_VALUE))];

static SPAN_KINDS: &[&str] = &[
    "SPAN_KIND_UNSPECIFIED",
    "SPAN_KIND_INTERNAL",
    "SPAN_KIND_SERVER",
    "SPAN_KIND_CLIENT",
    "SPAN_KIND_PRODUCER",
    "SPAN_KIND_CONSUMER",
];
static STATUS_CODES: &[&str] = &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

/// Appends the protobuf of a JSON message to `out`.
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
                .find(|field| field.0 == name || field.1 == name);
            match known {
                None => drop(map.next_value::<IgnoredAny>()?),
                Some(field) => map.next_value_seed(FieldValue {
                    number: field.2,
                    kind: field.3,
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
