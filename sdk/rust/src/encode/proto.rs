//! The few pieces of protobuf that OTLP spans are made of, written and read.
#![warn(clippy::indexing_slicing)]

use crate::bytes::{Bytes, Pieces};
use crate::value::Value;

/// How deep a list of lists is followed; what is deeper is left out as an empty value.
const DEPTH_MAX: u32 = 16;

#[inline]
pub(crate) fn put_varint(out: &mut Bytes, value: u64) {
    let mut pieces = out.claim(varint_bytes(value));
    varint(&mut pieces, value);
}

#[inline]
fn varint(out: &mut Pieces<'_>, mut value: u64) {
    while value >= 0x80 {
        out.put(&[(value as u8) | 0x80]);
        value >>= 7;
    }
    out.put(&[value as u8]);
}

/// Bytes that a varint takes.
#[inline]
pub(crate) const fn varint_bytes(value: u64) -> usize {
    if value < 0x80 {
        return 1; // nearly always, and cheaper than the division
    }
    // 7 bits a byte.
    (70 - value.leading_zeros() as usize) / 7
}

/// Bytes of a length-delimited field of a one-byte tag.
#[inline]
pub(crate) const fn field_bytes(len: usize) -> usize {
    1 + varint_bytes(len as u64) + len
}

/// A field of a one-byte tag: `field << 3 | 2`.
#[inline]
pub(crate) fn put_bytes(out: &mut Bytes, tag: u8, bytes: &[u8]) {
    put_len(out, tag, bytes.len());
    out.put(bytes);
}

/// The head of a length-delimited field.
#[inline]
pub(crate) fn put_len(out: &mut Bytes, tag: u8, len: usize) {
    if len < 0x80 {
        out.put(&[tag, len as u8]);
    } else {
        out.push(tag);
        put_varint(out, len as u64);
    }
}

#[inline]
pub(crate) fn put_fixed64(out: &mut Bytes, tag: u8, value: u64) {
    let mut pieces = out.claim(9);
    pieces.put(&[tag]);
    pieces.put(&value.to_le_bytes());
}

/// Bytes of the fields of a `KeyValue`.
#[inline]
pub(crate) fn key_value_bytes(key: &str, value: Value<'_>) -> usize {
    field_bytes(key.len()) + field_bytes(any_bytes(value, DEPTH_MAX))
}

/// A field that is a `KeyValue`, whose fields take so many bytes.
pub(crate) fn put_key_value(out: &mut Bytes, tag: u8, key: &str, value: Value<'_>, bytes: usize) {
    put_len(out, tag, bytes);
    put_bytes(out, 0x0A, key.as_bytes());
    put_len(out, 0x12, any_bytes(value, DEPTH_MAX));
    put_any(out, value, DEPTH_MAX);
}

/// The same of plain values where every length is one byte, which is nearly always. Says whether it was done.
#[inline(always)] // see `Record::set_attribute`
pub(crate) fn put_short_key_value(
    out: &mut Bytes,
    tag: u8,
    key: &str,
    value: Value<'_>,
    bytes: usize,
) -> bool {
    if bytes >= 0x80 || matches!(value, Value::Bytes(_) | Value::List(_)) {
        return false;
    }
    let any_len = (bytes - key.len() - 4) as u8;
    let mut pieces = out.claim(2 + bytes);
    pieces.put(&[tag, bytes as u8, 0x0A, key.len() as u8]);
    pieces.put(key.as_bytes());
    match value {
        Value::Str(text) => {
            pieces.put(&[0x12, any_len, 0x0A, text.len() as u8]);
            pieces.put(text.as_bytes());
        }
        Value::Bool(yes) => pieces.put(&[0x12, any_len, 0x10, u8::from(yes)]),
        Value::I64(number) => {
            pieces.put(&[0x12, any_len, 0x18]);
            varint(&mut pieces, number as u64);
        }
        Value::F64(number) => {
            pieces.put(&[0x12, any_len, 0x21]);
            pieces.put(&number.to_bits().to_le_bytes());
        }
        Value::Bytes(_) | Value::List(_) => {}
    }
    true
}

/// As [`put_key_value`], measured here.
pub(crate) fn put_attribute(out: &mut Bytes, tag: u8, key: &str, value: Value<'_>) {
    put_key_value(out, tag, key, value, key_value_bytes(key, value));
}

#[inline]
fn any_bytes(value: Value<'_>, depth: u32) -> usize {
    match value {
        Value::Str(text) => field_bytes(text.len()),
        Value::Bool(_) => 2,
        Value::I64(number) => 1 + varint_bytes(number as u64),
        Value::F64(_) => 9,
        Value::Bytes(bytes) => field_bytes(bytes.len()),
        Value::List(values) => field_bytes(list_bytes(values, depth)),
    }
}

fn list_bytes(values: &[Value<'_>], depth: u32) -> usize {
    let Some(depth) = depth.checked_sub(1) else {
        return 0;
    };
    values
        .iter()
        .map(|value| field_bytes(any_bytes(*value, depth)))
        .sum()
}

#[inline]
fn put_any(out: &mut Bytes, value: Value<'_>, depth: u32) {
    match value {
        Value::Str(text) => put_bytes(out, 0x0A, text.as_bytes()),
        Value::Bool(yes) => out.put(&[0x10, u8::from(yes)]),
        Value::I64(number) => {
            out.push(0x18);
            put_varint(out, number as u64);
        }
        Value::F64(number) => put_fixed64(out, 0x21, number.to_bits()),
        Value::Bytes(bytes) => put_bytes(out, 0x3A, bytes),
        Value::List(values) => {
            put_len(out, 0x2A, list_bytes(values, depth));
            let Some(depth) = depth.checked_sub(1) else {
                return;
            };
            for value in values {
                put_len(out, 0x0A, any_bytes(*value, depth));
                put_any(out, *value, depth);
            }
        }
    }
}

/// A field as read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Field<'a> {
    /// The bytes of a length-delimited field; of any other, none.
    pub(crate) fn bytes(self) -> &'a [u8] {
        match self {
            Field::Bytes(bytes) => bytes,
            Field::Varint(_) | Field::Fixed64(_) | Field::Fixed32(_) => &[],
        }
    }

    pub(crate) fn text(self) -> &'a str {
        std::str::from_utf8(self.bytes()).unwrap_or_default()
    }

    pub(crate) fn number(self) -> u64 {
        match self {
            Field::Varint(number) | Field::Fixed64(number) => number,
            Field::Fixed32(number) => u64::from(number),
            Field::Bytes(_) => 0,
        }
    }
}

/// The fields of a message, in order; ends at the first that is malformed.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    /// Number and field.
    type Item = (u64, Field<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(*self.take_array()?)),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                let (bytes, rest) = self.0.split_at_checked(len)?;
                self.0 = rest;
                Field::Bytes(bytes)
            }
            5 => Field::Fixed32(u32::from_le_bytes(*self.take_array()?)),
            _ => return None,
        };
        Some((tag >> 3, field))
    }
}

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take_array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_is_as_long_as_announced() {
        for shift in 0..64 {
            for value in [1u64 << shift, (1 << shift) - 1, u64::MAX >> shift] {
                let mut out = Bytes::default();
                put_varint(&mut out, value);
                assert_eq!(out.len(), varint_bytes(value), "{value}");
                assert_eq!(Fields(&out).varint(), Some(value));
            }
        }
    }

    #[test]
    fn a_key_value_is_as_long_as_announced() {
        let long = "x".repeat(300);
        let inner = [Value::Str(&long), Value::I64(-1)];
        let list = [Value::List(&inner), Value::Bool(true), Value::List(&[])];
        let values = [
            Value::Str(""),
            Value::Str(&long),
            Value::I64(i64::MIN),
            Value::F64(f64::NAN),
            Value::Bytes(&[0, 255]),
            Value::List(&list),
        ];
        for value in values {
            for key in ["", "k", &long] {
                let mut out = Bytes::default();
                put_attribute(&mut out, 0x4A, key, value);
                let fields: Vec<_> = Fields(&out).collect();
                assert_eq!(fields.len(), 1, "{key} {value:?}");
                assert_eq!(out.len(), field_bytes(key_value_bytes(key, value)));
            }
        }
    }

    #[test]
    fn lists_without_end_are_cut() {
        fn nested(depth: u32, value: Value<'_>, then: &mut dyn FnMut(Value<'_>)) {
            match depth {
                0 => then(value),
                _ => nested(depth - 1, Value::List(&[value]), then),
            }
        }
        nested(100, Value::I64(1), &mut |value| {
            let mut out = Bytes::default();
            put_attribute(&mut out, 0x4A, "k", value);
            assert_eq!(Fields(&out).count(), 1);
        });
    }
}
