//! Jaeger's typed tags: `{"key": …, "type": "int64", "value": …}`.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::value::RawValue;

use crate::import::draft::{Parsed, Tags};
use crate::import::raw;
use crate::json::Held;
use crate::report::{Reason, Refused};

/// How binary tags are written: Jaeger's API uses base64, its Elasticsearch documents hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blobs {
    Base64,
    Hex,
}

/// The tags of a list, typed; null is none.
pub(super) fn tags(list: &RawValue, blobs: Blobs) -> Parsed<Tags<'_>> {
    let mut tags = Tags::default();
    push_tags(list, blobs, &mut tags)?;
    Ok(tags)
}

/// Adds the tags of a list.
pub(super) fn push_tags<'a>(list: &'a RawValue, blobs: Blobs, tags: &mut Tags<'a>) -> Parsed<()> {
    if !raw::is_list(list) && !raw::is_null(list) {
        let seen = raw::excerpt(list);
        let detail = format!("tags are {seen}, where a list is accepted");
        return Err(Refused::new(Reason::WrongType, detail));
    }
    raw::each_item(list, |item| {
        let (key, value) = tag(item, blobs)?;
        tags.push(key, value);
        Ok(())
    })
}

/// Adds the members of an object: Jaeger's Elasticsearch option "tags as fields", `@` for dots.
pub(super) fn push_fields<'a>(object: &'a RawValue, tags: &mut Tags<'a>) -> Parsed<()> {
    raw::each_member(object, |key, value| {
        tags.push(key.replace('@', "."), raw::held(value)?);
        Ok(())
    })
}

fn tag(item: &RawValue, blobs: Blobs) -> Parsed<(Cow<'_, str>, Held<'_>)> {
    let (mut key, mut type_name, mut value) = (None, Cow::Borrowed(""), None);
    raw::each_member(item, |member, json| {
        match member.as_ref() {
            "key" => key = raw::text(json),
            "type" => type_name = raw::text(json).unwrap_or_default(),
            "value" => value = Some(json),
            _ => {}
        }
        Ok(())
    })?;
    let Some(key) = key else {
        let seen = raw::excerpt(item);
        let detail = format!("a tag is {seen}, where {{\"key\": text, …}} is accepted");
        return Err(Refused::new(Reason::WrongType, detail));
    };
    let value = value.map_or(Ok(Held::Any(Vec::new())), |json| {
        typed(json, &type_name, blobs)
    })?;
    Ok((key, value))
}

/// The value as its type says; one that does not fit its type is kept as it lies there.
fn typed<'a>(json: &'a RawValue, type_name: &str, blobs: Blobs) -> Parsed<Held<'a>> {
    let fitting = match type_name {
        "bool" => raw::truth(json).map(Held::Bool),
        "int64" => raw::integer(json).map(Held::Int),
        "float64" => raw::double(json).map(Held::Double),
        "binary" => raw::text(json)
            .and_then(|text| bytes(&text, blobs))
            .map(Held::Bytes),
        _ => None,
    };
    fitting.map_or_else(|| raw::held(json), Ok)
}

fn bytes(text: &str, blobs: Blobs) -> Option<Vec<u8>> {
    if blobs == Blobs::Hex {
        return hex(text);
    }
    STANDARD
        .decode(text)
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(|digit| (digit as char).to_digit(16));
    let digits: Option<Vec<u32>> = digits.collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let byte = |pair: &[u32]| pair.iter().fold(0, |byte, digit| byte << 4 | *digit) as u8;
    Some(digits.chunks(2).map(byte).collect())
}
