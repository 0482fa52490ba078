//! Walks JSON as it lies in the body, member by member, without building a tree: a bad span is then
//! refused alone, and memory does not grow with what a body nests. Skipping a value does not recurse.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tracewell_model::limits::ANY_DEPTH_MAX;

use super::draft::Parsed;
use crate::decimal::{Inexact, parse_scaled};
use crate::json::{self, Attributes, Held, Text};
use crate::report::{DecodeError, Reason, Refused};

/// The whole body as one JSON value; nothing of it is used when any of it is no JSON.
pub(crate) fn whole(body: &[u8]) -> Result<&RawValue, DecodeError> {
    serde_json::from_slice(body)
        .map_err(|error| DecodeError::Malformed(format!("no JSON: {error}")))
}

/// The JSON type of a value, as a word for messages.
pub(crate) fn type_name(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "an object",
        Some(b'[') => "a list",
        Some(b'"') => "a text",
        Some(b't' | b'f') => "a truth value",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// True for an object.
pub(crate) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// True for a list.
pub(crate) fn is_list(value: &RawValue) -> bool {
    value.get().starts_with('[')
}

/// True for null.
pub(crate) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Shows every item of a list until one is refused; nothing happens when it is no list.
pub(crate) fn each_item<'a>(
    list: &'a RawValue,
    mut see: impl FnMut(&'a RawValue) -> Parsed<()>,
) -> Parsed<()> {
    if !is_list(list) {
        return Ok(());
    }
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_str(list.get());
    let walked = json.deserialize_seq(Items(|item| see(item).map_err(|r| refused = Some(r))));
    outcome(refused, walked)
}

/// Shows every member of an object, in its order, until one is refused; nothing happens when it is
/// no object.
pub(crate) fn each_member<'a>(
    object: &'a RawValue,
    mut see: impl FnMut(Cow<'a, str>, &'a RawValue) -> Parsed<()>,
) -> Parsed<()> {
    if !is_object(object) {
        return Ok(());
    }
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_str(object.get());
    let see = |key, value| see(key, value).map_err(|r| refused = Some(r));
    let walked = json.deserialize_map(Members(see));
    outcome(refused, walked)
}

/// The text was checked when the raw value was made; a key can still hold a lone surrogate.
fn outcome(refused: Option<Refused>, walked: serde_json::Result<()>) -> Parsed<()> {
    match (refused, walked) {
        (Some(refused), _) => Err(refused),
        (None, Err(error)) => Err(Refused::new(Reason::Malformed, error.to_string())),
        (None, Ok(())) => Ok(()),
    }
}

/// The text of a string, its escapes resolved.
pub(crate) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let Text(text) = serde_json::from_str(value.get()).ok()?;
    Some(text)
}

/// A truth value, or the text of one.
pub(crate) fn truth(value: &RawValue) -> Option<bool> {
    match value.get() {
        "true" | "\"true\"" => Some(true),
        "false" | "\"false\"" => Some(false),
        _ => None,
    }
}

/// The digits of a number that may stand in quotes, as many exporters write 64-bit numbers.
fn digits(value: &RawValue) -> Option<&str> {
    let text = value.get();
    let text = match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => text,
    };
    text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        .then_some(text)
}

/// A whole number, perhaps in quotes.
pub(crate) fn integer(value: &RawValue) -> Option<i64> {
    digits(value)?.parse().ok()
}

/// A whole number that is not negative, perhaps in quotes.
pub(crate) fn unsigned(value: &RawValue) -> Option<u64> {
    digits(value)?.parse().ok()
}

/// A double, perhaps in quotes: `NaN` and the infinities can only be written so.
pub(crate) fn double(value: &RawValue) -> Option<f64> {
    let text = value.get().trim_matches('"');
    if text.starts_with(['t', 'f', '{', '[']) || text == "null" {
        return None;
    }
    text.parse().ok()
}

/// Microseconds, perhaps with a fraction and in quotes, as nanoseconds; none if negative, too large,
/// or no number.
pub(crate) fn micros_as_ns(value: &RawValue) -> Option<u64> {
    parse_scaled(digits(value)?, 3, Inexact::Round)
}

/// The value of an attribute, whatever its type.
pub(crate) fn held(value: &RawValue) -> Parsed<Held<'_>> {
    let json = value.get();
    let held = match json.as_bytes().first() {
        Some(b'"') => match text(value) {
            Some(text) => Held::Str(text),
            None => {
                return Err(Refused::new(
                    Reason::Malformed,
                    "a text with a lone surrogate",
                ));
            }
        },
        Some(b't' | b'f') => Held::Bool(json == "true"),
        Some(b'n') => Held::Any(Vec::new()),
        // -0 is a double: an integer has no sign at zero.
        Some(b'[' | b'{') => return nested(json),
        _ => match json.parse() {
            Ok(number) if json != "-0" => Held::Int(number),
            _ => Held::Double(json.parse().unwrap_or(f64::NAN)),
        },
    };
    Ok(held)
}

/// Arrays and objects are encoded by `json`, which reads them as members of an object.
fn nested(json: &str) -> Parsed<Held<'static>> {
    let object = format!(r#"{{"":{json}}}"#);
    let read: serde_json::Result<Attributes<'_>> = serde_json::from_str(&object);
    let held = read.map(|mut read| read.entries.pop().map(|(_, held)| held));
    match held {
        Ok(Some(Held::Any(encoded))) => Ok(Held::Any(encoded)),
        Ok(_) => Err(Refused::new(
            Reason::TooDeep,
            format!("a value nested deeper than {ANY_DEPTH_MAX}"),
        )),
        Err(error) => Err(Refused::new(Reason::Malformed, error.to_string())),
    }
}

/// The beginning of a value, for a message.
pub(crate) fn excerpt(value: &RawValue) -> String {
    json::excerpt(value.get())
}

struct Items<F>(F);

impl<'a, F: FnMut(&'a RawValue) -> Result<(), ()>> Visitor<'a> for Items<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<&'a RawValue>()? {
            (self.0)(item).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

struct Members<F>(F);

impl<'a, F> Visitor<'a> for Members<F>
where
    F: FnMut(Cow<'a, str>, &'a RawValue) -> Result<(), ()>,
{
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut members: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = members.next_key()? {
            let value = members.next_value::<&'a RawValue>()?;
            (self.0)(key, value).map_err(|()| A::Error::custom("refused"))?;
        }
        Ok(())
    }
}

/// True when this line is one whole JSON value.
pub(crate) fn is_whole(line: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn microseconds_are_exact() {
        let cases = [
            ("1485467191639875", Some(1_485_467_191_639_875_000)),
            ("1485467191639875.1234", Some(1_485_467_191_639_875_123)),
            ("\"5\"", Some(5_000)),
            ("1.5e3", Some(1_500_000)),
            ("0", Some(0)),
            ("-1", None),
            ("-0", Some(0)),
            ("18446744073709551615", None),
            ("1e308", None),
            ("null", None),
            ("\"\"", None),
            ("{}", None),
        ];
        for (json, ns) in cases {
            assert_eq!(micros_as_ns(raw(json)), ns, "{json}");
        }
    }

    #[test]
    fn members_come_in_order_with_escapes_resolved() {
        let mut seen = Vec::new();
        each_member(
            raw(r#"{"a": 1, "\u0062": [2, {}], "": null}"#),
            |key, value| {
                seen.push(format!("{key}={}", value.get()));
                Ok(())
            },
        )
        .unwrap();
        assert_eq!(seen, ["a=1", "b=[2, {}]", "=null"]);
    }
}
