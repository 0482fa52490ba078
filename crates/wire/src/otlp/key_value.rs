//! OTLP's `KeyValue` and `AnyValue`: as senders write them, at a glance; as anybody may, with care.
#![warn(clippy::indexing_slicing)]

use tracewell_model::limits::ANY_DEPTH_MAX;
use tracewell_model::{Attribute, RawValue, Value};

use crate::proto::{Field, Fields};
use crate::report::{Reason, Refused};
use crate::rest::{WRONG_WIRE_TYPE, strict_utf8, value_of};

/// Reads a `KeyValue` that is written as all encoders do: key, then value, a scalar, each once. Texts
/// are not looked at. Anything else is none, and for [`attribute`] to read.
#[inline]
pub(crate) fn plain_attribute(encoded: &[u8]) -> Option<(&[u8], RawValue<'_>)> {
    let (key_length, rest) = tagged_length(encoded, 0x0a)?;
    let (key, rest) = rest.split_at_checked(key_length)?;
    // Most values are short texts.
    if let [0x12, value @ 0..0x80, 0x0a, length @ 0..0x80, text @ ..] = rest
        && usize::from(*length) == text.len()
        && *value == *length + 2
    {
        return Some((key, RawValue::Str(text)));
    }
    let (value_length, value) = tagged_length(rest, 0x12)?;
    if value_length != value.len() {
        return None;
    }
    let value = match value {
        [0x0a, ..] => {
            let (length, text) = tagged_length(value, 0x0a)?;
            (length == text.len()).then_some(RawValue::Str(text))?
        }
        [0x18, varint @ ..] => RawValue::Int(whole_varint(varint)? as i64),
        [0x10, bit @ (0 | 1)] => RawValue::Bool(*bit == 1),
        [0x21, bits @ ..] => RawValue::Double(f64::from_le_bytes(bits.try_into().ok()?)),
        _ => return None,
    };
    Some((key, value))
}

/// A length of up to two bytes behind this tag, and what follows it.
#[inline]
fn tagged_length(bytes: &[u8], tag: u8) -> Option<(usize, &[u8])> {
    match bytes {
        [first, length @ 0..0x80, rest @ ..] if *first == tag => Some((usize::from(*length), rest)),
        [first, low, high @ 0..0x80, rest @ ..] if *first == tag => {
            let length = usize::from(*low & 0x7f) | usize::from(*high) << 7;
            Some((length, rest))
        }
        _ => None,
    }
}

/// A varint of up to nine bytes and nothing behind it.
#[inline]
fn whole_varint(bytes: &[u8]) -> Option<u64> {
    let (last, others) = bytes.split_last()?;
    if *last >= 0x80 || others.len() > 8 || others.iter().any(|byte| *byte < 0x80) {
        return None;
    }
    let higher = |value: u64, byte: &u8| value << 7 | u64::from(byte & 0x7f);
    Some(bytes.iter().rev().fold(0, higher))
}

/// Reads and checks an encoded `KeyValue`.
pub(crate) fn attribute(encoded: &[u8]) -> Result<Attribute<'_>, Refused> {
    if let Some((key, value)) = plain_attribute(encoded) {
        return Ok(Attribute::new(strict_utf8(key)?, value.checked()?));
    }
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
