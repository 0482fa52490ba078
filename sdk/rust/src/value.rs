//! Values of attributes, borrowed from the application for the length of one call.

/// The value of an attribute.
///
/// Anything ordinary converts: `span.set_attribute("retries", 3)`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A number.
    F64(f64),
    /// Bytes that are no text.
    Bytes(&'a [u8]),
    /// Several values.
    List(&'a [Value<'a>]),
}

impl<'a> From<&'a str> for Value<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Value::Str(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    #[inline]
    fn from(text: &'a String) -> Self {
        Value::Str(text)
    }
}

impl<'a> From<&'a std::borrow::Cow<'_, str>> for Value<'a> {
    #[inline]
    fn from(text: &'a std::borrow::Cow<'_, str>) -> Self {
        Value::Str(text)
    }
}

impl From<bool> for Value<'_> {
    #[inline]
    fn from(yes: bool) -> Self {
        Value::Bool(yes)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    #[inline]
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a> From<&'a [Value<'a>]> for Value<'a> {
    #[inline]
    fn from(values: &'a [Value<'a>]) -> Self {
        Value::List(values)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl From<$number> for Value<'_> {
            #[inline]
            fn from(number: $number) -> Self {
                Value::I64(i64::from(number))
            }
        }
    )*};
}
whole_numbers!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! wide_numbers {
    ($($number:ty),*) => {$(
        /// A number beyond 64 signed bits, which OTLP has no form for, becomes the nearest float.
        impl From<$number> for Value<'_> {
            #[inline]
            fn from(number: $number) -> Self {
                i64::try_from(number).map_or(Value::F64(number as f64), Value::I64)
            }
        }
    )*};
}
wide_numbers!(u64, usize, isize);

impl From<f32> for Value<'_> {
    #[inline]
    fn from(number: f32) -> Self {
        Value::F64(f64::from(number))
    }
}

impl From<f64> for Value<'_> {
    #[inline]
    fn from(number: f64) -> Self {
        Value::F64(number)
    }
}
