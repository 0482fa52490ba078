//! Single JSON values as OTLP/JSON means them: numbers as strings and the reverse, ids in hex.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{self, Deserializer};

/// A JSON string, number or boolean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Str(Cow<'a, str>),
    Uint(u64),
    Int(i64),
    Double(f64),
    Bool(bool),
}

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

impl<'a> Scalar<'a> {
    /// Reads one; null is none.
    pub(crate) fn read<D: Deserializer<'a>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(Visitor)
    }

    /// The text.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Scalar::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value.
    pub(crate) fn bool(&self) -> Option<bool> {
        match self {
            Scalar::Bool(bit) => Some(*bit),
            _ => None,
        }
    }

    /// The unsigned number.
    pub(crate) fn u64(&self) -> Option<u64> {
        match self {
            Scalar::Uint(number) => Some(*number),
            Scalar::Int(number) => u64::try_from(*number).ok(),
            Scalar::Double(number) => whole(*number).and_then(|number| u64::try_from(number).ok()),
            Scalar::Str(text) => text.parse().ok(),
            Scalar::Bool(_) => None,
        }
    }

    /// The signed number.
    pub(crate) fn i64(&self) -> Option<i64> {
        match self {
            Scalar::Uint(number) => i64::try_from(*number).ok(),
            Scalar::Int(number) => Some(*number),
            Scalar::Double(number) => whole(*number).and_then(|number| i64::try_from(number).ok()),
            Scalar::Str(text) => text.parse().ok(),
            Scalar::Bool(_) => None,
        }
    }

    /// The unsigned 32-bit number.
    pub(crate) fn u32(&self) -> Option<u32> {
        self.u64().and_then(|number| u32::try_from(number).ok())
    }

    /// The double; what is not finite comes as a string.
    pub(crate) fn f64(&self) -> Option<f64> {
        match self {
            Scalar::Uint(number) => Some(*number as f64),
            Scalar::Int(number) => Some(*number as f64),
            Scalar::Double(number) => Some(*number),
            Scalar::Str(text) => match text.as_ref() {
                "NaN" => Some(f64::NAN),
                "Infinity" => Some(f64::INFINITY),
                "-Infinity" => Some(f64::NEG_INFINITY),
                // Rust reads "inf" and "nan" too, which JSON has no business saying.
                text if text.ends_with(|c: char| c.is_ascii_digit() || c == '.') => {
                    text.parse().ok()
                }
                _ => None,
            },
            Scalar::Bool(_) => None,
        }
    }

    /// The number of an enumeration, which may come by name; unknown numbers are kept.
    pub(crate) fn enumeration(&self, names: &[&str]) -> Option<i32> {
        if let Scalar::Str(text) = self
            && let Some(at) = names.iter().position(|name| name == text)
        {
            return i32::try_from(at).ok();
        }
        self.i64().and_then(|number| i32::try_from(number).ok())
    }

    /// Bytes in base64, either alphabet, padded or not.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        let text = self.text()?;
        STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text))
            .ok()
    }

    /// An id: hex of either case and exactly this length; the plain protobuf mapping's base64 is
    /// taken too where its length fits. Empty is absent.
    pub(crate) fn id(&self, length: usize) -> Option<Vec<u8>> {
        let text = self.text()?;
        if text.is_empty() {
            return Some(Vec::new());
        }
        if text.len() == 2 * length
            && let Some(id) = hex(text)
        {
            return Some(id);
        }
        self.bytes().filter(|id| id.len() == length)
    }
}

impl Scalar<'_> {
    /// Hex of any even length.
    pub(crate) fn hex(&self) -> Option<Vec<u8>> {
        self.text()
            .filter(|text| text.len().is_multiple_of(2))
            .and_then(hex)
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Str(text) => write!(f, "\"{text}\""),
            Scalar::Uint(number) => write!(f, "{number}"),
            Scalar::Int(number) => write!(f, "{number}"),
            Scalar::Double(number) => write!(f, "{number}"),
            Scalar::Bool(bit) => write!(f, "{bit}"),
        }
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|value| value as u8);
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

/// The integer that a double is, where it is one exactly.
fn whole(number: f64) -> Option<i128> {
    // 2^64 is the largest that matters; the cast is exact below it.
    (number.fract() == 0.0 && number.abs() <= 18_446_744_073_709_551_616.0)
        .then_some(number as i128)
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Option<Scalar<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number or a boolean")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E>(self, bit: bool) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Bool(bit)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Uint(number)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Int(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Double(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Str(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Scalar::Str(Cow::Owned(text.to_owned()))))
    }
}
