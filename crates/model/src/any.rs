//! Reads an encoded OTLP `AnyValue` (D1): arrays and maps stay encoded everywhere inside, and are
//! opened only to be shown or compared. Field numbers are those of opentelemetry/proto/common/v1.
//!
//! Encoded values come from disk and network: every read is checked, nesting is capped, and what
//! cannot be read is shown as null rather than refused here (decoders refuse it at the door).

use crate::limits::ANY_DEPTH_MAX;

/// One opened value; arrays and maps give their members by [`items`] and [`entries`].
#[derive(Clone, Copy, Debug)]
pub enum Any<'a> {
    /// No value was set.
    Empty,
    /// Text.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// The encoded `ArrayValue`.
    Array(&'a [u8]),
    /// The encoded `KeyValueList`.
    Map(&'a [u8]),
    /// Raw bytes.
    Bytes(&'a [u8]),
}

/// Opens an encoded `AnyValue`; damaged bytes read as [`Any::Empty`].
pub fn open(encoded: &[u8]) -> Any<'_> {
    let mut value = Any::Empty;
    for field in Fields(encoded) {
        // The last member of a oneof wins, as protobuf prescribes.
        value = match field {
            (1, Wire::Bytes(text)) => match std::str::from_utf8(text) {
                Ok(text) => Any::Str(text),
                Err(_) => Any::Empty,
            },
            (2, Wire::Varint(bit)) => Any::Bool(bit != 0),
            (3, Wire::Varint(number)) => Any::Int(number as i64),
            (4, Wire::Fixed64(bits)) => Any::Double(f64::from_bits(bits)),
            (5, Wire::Bytes(array)) => Any::Array(array),
            (6, Wire::Bytes(map)) => Any::Map(map),
            (7, Wire::Bytes(bytes)) => Any::Bytes(bytes),
            _ => value,
        };
    }
    value
}

/// The encoded values of an array.
pub fn items(array: &[u8]) -> impl Iterator<Item = &[u8]> {
    Fields(array).filter_map(|field| match field {
        (1, Wire::Bytes(value)) => Some(value),
        _ => None,
    })
}

/// The keys and encoded values of a map, in their order.
pub fn entries(map: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    Fields(map).filter_map(|field| match field {
        (1, Wire::Bytes(entry)) => Some(key_value(entry)),
        _ => None,
    })
}

fn key_value(entry: &[u8]) -> (&str, &[u8]) {
    let (mut key, mut value) = ("", &[][..]);
    for field in Fields(entry) {
        match field {
            (1, Wire::Bytes(text)) => key = std::str::from_utf8(text).unwrap_or(""),
            (2, Wire::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    (key, value)
}

/// The value as JSON text, for search by text form and for display.
pub fn to_json(encoded: &[u8]) -> String {
    let mut out = String::new();
    write_json(encoded, 0, &mut out);
    out
}

fn write_json(encoded: &[u8], depth: usize, out: &mut String) {
    use std::fmt::Write;
    if depth > ANY_DEPTH_MAX {
        return out.push_str("null");
    }
    // Writing into a String cannot fail.
    let _infallible = match open(encoded) {
        Any::Empty if depth == 0 => Ok(()),
        Any::Empty => write!(out, "null"),
        Any::Str(text) => {
            write_json_text(text, out);
            Ok(())
        }
        Any::Bool(bit) => write!(out, "{bit}"),
        Any::Int(number) => write!(out, "{number}"),
        Any::Double(number) => write!(out, "{number}"),
        Any::Bytes(bytes) => {
            out.push('"');
            bytes
                .iter()
                .for_each(|byte| out.push_str(&format!("{byte:02x}")));
            out.push('"');
            Ok(())
        }
        Any::Array(array) => {
            out.push('[');
            for (i, item) in items(array).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(item, depth + 1, out);
            }
            out.push(']');
            Ok(())
        }
        Any::Map(map) => {
            out.push('{');
            for (i, (key, value)) in entries(map).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_text(key, out);
                out.push(':');
                write_json(value, depth + 1, out);
            }
            out.push('}');
            Ok(())
        }
    };
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// How protobuf laid a field down.
#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a protobuf message; stops at the first byte that makes no sense.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Wire<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            _ => return None,
        };
        Some((tag >> 3, wire))
    }
}

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.take(1)?.first()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_array_is_shown_as_json() {
        // [ "a", 7, [true] ]
        let inner = [0x2a, 4, 0x0a, 2, 0x10, 1];
        let mut array = vec![
            0x0a,
            3,
            0x0a,
            1,
            b'a',
            0x0a,
            2,
            0x18,
            7,
            0x0a,
            inner.len() as u8,
        ];
        array.extend_from_slice(&inner);
        let mut value = vec![0x2a, array.len() as u8];
        value.extend_from_slice(&array);
        assert_eq!(to_json(&value), r#"["a",7,[true]]"#);
    }

    #[test]
    fn damaged_bytes_read_as_nothing() {
        for damaged in [
            &[0x2a, 200][..],
            &[0xff; 12],
            &[0x0a],
            &[0x0a, 2, 0xff, 0xfe],
        ] {
            assert_eq!(to_json(damaged), "");
        }
    }
}
