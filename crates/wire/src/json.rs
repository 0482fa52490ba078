//! JSON ↔ attributes, for every format that is JSON and for the API's answers.
//!
//! In: [`Attributes`] reads a plain JSON object, keeping order and repeated keys, borrowing what has
//! no escapes. Strings, booleans and integers are themselves; integers above `i64::MAX` and numbers
//! with a fraction or exponent are doubles; null is an absent value; arrays and objects become an
//! encoded `AnyValue`. Out: values as docs/api.md shows them.
#![warn(clippy::indexing_slicing)]

mod events;

use std::borrow::Cow;
use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess,
};
use tracewell_model::any::{self, Any};
use tracewell_model::limits::{ANY_DEPTH_MAX, ATTRIBUTES_PER_SPAN_MAX};
use tracewell_model::{Attribute, Value};

use crate::proto::{put_bytes_field, put_message_field};
use crate::rest::{put_text, put_value};

pub use events::{write_attributes, write_event, write_link};

/// A value that owns what it could not borrow.
#[derive(Clone, Debug, PartialEq)]
pub enum Held<'a> {
    /// Text.
    Str(Cow<'a, str>),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// An encoded `AnyValue`; empty for null.
    Any(Vec<u8>),
    /// Nested deeper than the cap; whoever holds it refuses the span.
    TooDeep,
}

impl Held<'_> {
    /// The value, borrowed.
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Held::Str(text) => Value::Str(text),
            Held::Int(number) => Value::Int(*number),
            Held::Double(number) => Value::Double(*number),
            Held::Bool(bit) => Value::Bool(*bit),
            Held::Bytes(bytes) => Value::Bytes(bytes),
            Held::Any(encoded) => Value::Any(encoded),
            Held::TooDeep => Value::Any(&[]),
        }
    }

    /// The value of a parsed JSON document.
    pub fn from_json(json: &serde_json::Value) -> Held<'_> {
        // A parsed document is itself a deserializer; only nesting can go wrong, and it is a value.
        PlainValue { depth: 0 }
            .deserialize(json)
            .unwrap_or(Held::TooDeep)
    }
}

/// Attributes read from a JSON object, in their order, repeated keys and all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attributes<'a> {
    /// Keys and values.
    pub entries: Vec<(Cow<'a, str>, Held<'a>)>,
    /// Members beyond [`ATTRIBUTES_PER_SPAN_MAX`]: not kept, since five bytes of input would cost
    /// twenty times as much in memory.
    pub over: u32,
}

impl<'a> Attributes<'a> {
    /// Adds one more.
    pub fn push(&mut self, key: impl Into<Cow<'a, str>>, value: Held<'a>) {
        self.entries.push((key.into(), value));
    }

    /// The attributes, borrowed.
    pub fn iter(&self) -> impl Iterator<Item = Attribute<'_>> + Clone {
        self.entries
            .iter()
            .map(|(key, value)| Attribute::new(key, value.as_value()))
    }

    /// True when a value was nested deeper than [`ANY_DEPTH_MAX`].
    pub fn too_deep(&self) -> bool {
        self.entries
            .iter()
            .any(|(_, value)| matches!(value, Held::TooDeep))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Attributes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of attributes")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Attributes::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut attributes = Attributes::default();
                while let Some(Text(key)) = map.next_key()? {
                    if attributes.entries.len() < ATTRIBUTES_PER_SPAN_MAX {
                        let value = map.next_value_seed(PlainValue { depth: 0 })?;
                        attributes.entries.push((key, value));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                        attributes.over = attributes.over.saturating_add(1);
                    }
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A JSON string, borrowed where it has no escapes (`Cow` alone would always copy).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Reads one plain JSON value that `depth` arrays and objects enclose.
#[derive(Clone, Copy)]
struct PlainValue {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for PlainValue {
    type Value = Held<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Held<'de>, D::Error> {
        if self.depth > ANY_DEPTH_MAX {
            // serde_json skips without recursion: input of any depth costs no stack.
            deserializer.deserialize_ignored_any(IgnoredAny)?;
            return Ok(Held::TooDeep);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> de::Visitor<'de> for PlainValue {
    type Value = Held<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Held<'de>, E> {
        Ok(Held::Any(Vec::new()))
    }

    fn visit_bool<E>(self, bit: bool) -> Result<Held<'de>, E> {
        Ok(Held::Bool(bit))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Held<'de>, E> {
        Ok(Held::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Held<'de>, E> {
        Ok(i64::try_from(number).map_or(Held::Double(number as f64), Held::Int))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Held<'de>, E> {
        Ok(Held::Double(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Held<'de>, E> {
        Ok(Held::Str(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Held<'de>, E> {
        Ok(Held::Str(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Held<'de>, A::Error> {
        let (mut array, mut too_deep) = (Vec::new(), false);
        let member = PlainValue {
            depth: self.depth + 1,
        };
        while let Some(item) = seq.next_element_seed(member)? {
            too_deep |= matches!(item, Held::TooDeep);
            put_message_field(&mut array, 1, |out| put_value(out, item.as_value()));
        }
        Ok(container(5, &array, too_deep))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Held<'de>, A::Error> {
        let (mut entries, mut too_deep) = (Vec::new(), false);
        let member = PlainValue {
            depth: self.depth + 1,
        };
        while let Some(Text(key)) = map.next_key()? {
            let value = map.next_value_seed(member)?;
            too_deep |= matches!(value, Held::TooDeep);
            put_message_field(&mut entries, 1, |out| {
                put_text(out, 1, &key);
                put_message_field(out, 2, |out| put_value(out, value.as_value()));
            });
        }
        Ok(container(6, &entries, too_deep))
    }
}

/// The `AnyValue` with this encoded array (5) or map (6).
fn container(field: u32, members: &[u8], too_deep: bool) -> Held<'static> {
    if too_deep {
        return Held::TooDeep;
    }
    let mut encoded = Vec::with_capacity(members.len() + 8);
    put_bytes_field(&mut encoded, field, members);
    Held::Any(encoded)
}

/// Appends a value as JSON, verbatim as docs/api.md promises.
pub fn write_value(value: Value<'_>, out: &mut String) {
    match value {
        Value::Str(text) => write_text(text, out),
        Value::Int(number) => write_display(number, out),
        Value::Double(number) => write_double(number, out),
        Value::Bool(bit) => write_display(bit, out),
        Value::Bytes(bytes) => write_bytes(bytes, out),
        Value::Any(encoded) => write_any(encoded, 0, out),
    }
}

/// A value as parsed JSON. Of repeated keys inside a map the first is shown.
pub fn to_json(value: Value<'_>) -> serde_json::Value {
    match value {
        Value::Str(text) => text.into(),
        Value::Int(number) => number.into(),
        Value::Double(number) => double_to_json(number),
        Value::Bool(bit) => bit.into(),
        Value::Bytes(bytes) => bytes_to_json(bytes),
        Value::Any(encoded) => any_to_json(encoded, 0),
    }
}

/// Appends a JSON string with its quotes.
pub fn write_text(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(text.get(from..at).unwrap_or(""));
        if escape.is_empty() {
            // Writing into a String cannot fail.
            let _infallible = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        from = at + 1;
    }
    out.push_str(text.get(from..).unwrap_or(""));
    out.push('"');
}

/// Appends a double as a JSON number; `"NaN"`, `"Infinity"` and `"-Infinity"` are strings.
pub fn write_double(number: f64, out: &mut String) {
    match serde_json::Number::from_f64(number) {
        Some(number) => write_display(number, out),
        None => write_text(not_finite(number), out),
    }
}

fn write_display(value: impl fmt::Display, out: &mut String) {
    // Writing into a String cannot fail.
    let _infallible = write!(out, "{value}");
}

fn write_bytes(bytes: &[u8], out: &mut String) {
    out.push_str("{\"bytes\":\"");
    BASE64.encode_string(bytes, out);
    out.push_str("\"}");
}

fn write_any(encoded: &[u8], depth: usize, out: &mut String) {
    // Decoders refuse deeper values; this guards the stack against damaged files.
    if depth > ANY_DEPTH_MAX {
        return out.push_str("null");
    }
    match any::open(encoded) {
        Any::Empty => out.push_str("null"),
        Any::Str(text) => write_text(text, out),
        Any::Bool(bit) => write_display(bit, out),
        Any::Int(number) => write_display(number, out),
        Any::Double(number) => write_double(number, out),
        Any::Bytes(bytes) => write_bytes(bytes, out),
        Any::Array(array) => {
            out.push('[');
            for (i, item) in any::items(array).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_any(item, depth + 1, out);
            }
            out.push(']');
        }
        Any::Map(map) => {
            out.push('{');
            for (i, (key, value)) in any::entries(map).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_any(value, depth + 1, out);
            }
            out.push('}');
        }
    }
}

fn any_to_json(encoded: &[u8], depth: usize) -> serde_json::Value {
    if depth > ANY_DEPTH_MAX {
        return serde_json::Value::Null;
    }
    match any::open(encoded) {
        Any::Empty => serde_json::Value::Null,
        Any::Str(text) => text.into(),
        Any::Bool(bit) => bit.into(),
        Any::Int(number) => number.into(),
        Any::Double(number) => double_to_json(number),
        Any::Bytes(bytes) => bytes_to_json(bytes),
        Any::Array(array) => any::items(array)
            .map(|item| any_to_json(item, depth + 1))
            .collect(),
        Any::Map(map) => {
            let mut object = serde_json::Map::new();
            for (key, value) in any::entries(map) {
                object
                    .entry(key)
                    .or_insert_with(|| any_to_json(value, depth + 1));
            }
            object.into()
        }
    }
}

fn double_to_json(number: f64) -> serde_json::Value {
    match serde_json::Number::from_f64(number) {
        Some(number) => number.into(),
        None => not_finite(number).into(),
    }
}

fn bytes_to_json(bytes: &[u8]) -> serde_json::Value {
    serde_json::json!({ "bytes": BASE64.encode(bytes) })
}

fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

/// A piece of input as a message shows it: at most 80 characters, control characters escaped.
pub fn excerpt(seen: &str) -> String {
    let mut shown: String = seen
        .chars()
        .take(EXCERPT_CHARS)
        .flat_map(|c| {
            // Bidirectional and other invisible marks are escaped too: the text reaches terminals.
            let plain = c == '"' || c == '\'' || c == '\\' || !needs_escape(c);
            let escaped = (!plain).then(|| c.escape_unicode());
            escaped.into_iter().flatten().chain(plain.then_some(c))
        })
        .collect();
    if seen.chars().nth(EXCERPT_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

const EXCERPT_CHARS: usize = 80;

fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests;
