//! Attributes: a key and a typed value, borrowed from wherever they lie.

use std::borrow::Cow;

use crate::any;

/// An attribute value. Arrays, maps and absent values are `Any`: an encoded OTLP `AnyValue`,
/// kept as it came and read by [`crate::any`].
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// A 64-bit integer.
    Int(i64),
    /// A double; equality is of its bits, so that NaN equals itself.
    Double(f64),
    /// A truth value.
    Bool(bool),
    /// Raw bytes.
    Bytes(&'a [u8]),
    /// An encoded `AnyValue`: an array, a map, or nothing at all.
    Any(&'a [u8]),
}

/// One key with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attribute<'a> {
    /// The key, verbatim.
    pub key: &'a str,
    /// The value, verbatim.
    pub value: Value<'a>,
}

impl<'a> Attribute<'a> {
    /// Shorthand for tests and edges.
    pub fn new(key: &'a str, value: Value<'a>) -> Self {
        Attribute { key, value }
    }
}

/// The type of a value, as batches and files store it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ValueType {
    /// [`Value::Str`]
    Str = 0,
    /// [`Value::Int`]
    Int = 1,
    /// [`Value::Double`]
    Double = 2,
    /// [`Value::Bool`]
    Bool = 3,
    /// [`Value::Bytes`]
    Bytes = 4,
    /// [`Value::Any`]
    Any = 5,
}

impl ValueType {
    /// The type that this byte of a file stands for.
    pub fn from_u8(byte: u8) -> Option<ValueType> {
        Some(match byte {
            0 => ValueType::Str,
            1 => ValueType::Int,
            2 => ValueType::Double,
            3 => ValueType::Bool,
            4 => ValueType::Bytes,
            5 => ValueType::Any,
            _ => return None,
        })
    }
}

impl<'a> Value<'a> {
    /// This value's type.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Str(_) => ValueType::Str,
            Value::Int(_) => ValueType::Int,
            Value::Double(_) => ValueType::Double,
            Value::Bool(_) => ValueType::Bool,
            Value::Bytes(_) => ValueType::Bytes,
            Value::Any(_) => ValueType::Any,
        }
    }

    /// The text by which searches compare (D17): `500` the number and `"500"` the string are one.
    /// Bytes are lower-case hex; arrays and maps are their JSON text; an absent value is empty.
    pub fn text(&self) -> Cow<'a, str> {
        match *self {
            Value::Str(text) => Cow::Borrowed(text),
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::Double(number) => Cow::Owned(number.to_string()),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Bytes(bytes) => {
                Cow::Owned(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
            }
            Value::Any(encoded) => Cow::Owned(any::to_json(encoded)),
        }
    }
}

impl Value<'_> {
    /// True when this is its [`Value::text`]; numbers are compared without writing them out.
    pub fn text_is(&self, text: &str) -> bool {
        match *self {
            Value::Str(own) => own == text,
            Value::Int(number) => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                let is_canonical = !digits.starts_with(['0', '+']) || text == "0";
                is_canonical && text.parse() == Ok(number)
            }
            _ => self.text() == text,
        }
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Double(a), Value::Double(b)) => a.to_bits() == b.to_bits(),
            (Value::Bool(a), Value::Bool(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) | (Value::Any(a), Value::Any(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_text_and_no_other() {
        let texts = [
            "0",
            "-0",
            "00",
            "5",
            "+5",
            "05",
            "-5",
            "--5",
            "-",
            "",
            "5 ",
            "９",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
        ];
        for number in [0, 5, -5, i64::MAX, i64::MIN] {
            let value = Value::Int(number);
            for text in texts {
                assert_eq!(value.text_is(text), value.text() == text, "{number} {text}");
            }
        }
    }
}
