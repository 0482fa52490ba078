//! The caps of D6 on attributes: too many, keys and values too long. What is cut is marked.
#![warn(clippy::indexing_slicing)]

use std::cell::OnceCell;
use std::collections::HashSet;

use tracewell_model::limits::{ATTRIBUTES_PER_SPAN_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX};
use tracewell_model::{Attribute, Marks, Value};

use crate::proto::{Field, Fields, put_bytes_field};

/// Attributes of one span's events that are lifted for search; the others are shown but not found, and
/// the span is marked. Ten events with a stack trace each are usual; this bounds what four bytes of a
/// hostile body can cost.
pub const EVENT_ATTRIBUTES_MAX: usize = 64 * 1024;

/// Owns the few values that had to be rewritten to be cut. Each was longer than the cap, so a body
/// holds at most a few dozen and the chain stays short.
#[derive(Debug, Default)]
pub struct Rewritten {
    entry: OnceCell<(Vec<u8>, Box<Rewritten>)>,
}

impl Rewritten {
    fn keep(&self, bytes: Vec<u8>) -> &[u8] {
        let mut at = self;
        while let Some((_, next)) = at.entry.get() {
            at = next;
        }
        let (kept, _) = at.entry.get_or_init(|| (bytes, Box::default()));
        kept
    }
}

/// What capping did to a list of attributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capped {
    /// Marks to set on the span.
    pub marks: Marks,
    /// Attributes left out, to be added to the span's dropped count.
    pub dropped: u32,
}

/// Cuts a span's attributes to the caps and notes repeated keys.
pub fn cap_attributes<'a>(attributes: &mut Vec<Attribute<'a>>, room: &'a Rewritten) -> Capped {
    let mut capped = Capped::default();
    let over = attributes.len().saturating_sub(ATTRIBUTES_PER_SPAN_MAX);
    if over > 0 {
        attributes.truncate(ATTRIBUTES_PER_SPAN_MAX);
        capped.marks.set(Marks::ATTRIBUTES_CUT);
        capped.dropped = u32::try_from(over).unwrap_or(u32::MAX);
    }
    for attribute in attributes.iter_mut() {
        capped.marks.set(cap_attribute(attribute, room));
    }
    if has_duplicate_keys(attributes) {
        capped.marks.set(Marks::DUPLICATE_KEYS);
    }
    capped
}

/// Cuts one attribute's key and value.
pub fn cap_attribute<'a>(attribute: &mut Attribute<'a>, room: &'a Rewritten) -> Marks {
    let mut marks = Marks::default();
    attribute.key = cap_text(attribute.key, KEY_BYTES_MAX, &mut marks);
    attribute.value = match attribute.value {
        Value::Str(text) => Value::Str(cap_text(text, VALUE_BYTES_MAX, &mut marks)),
        Value::Bytes(bytes) if bytes.len() > VALUE_BYTES_MAX => {
            marks.set(Marks::VALUE_CUT);
            Value::Bytes(bytes.get(..VALUE_BYTES_MAX).unwrap_or(&[]))
        }
        Value::Any(encoded) if encoded.len() > VALUE_BYTES_MAX => {
            marks.set(Marks::VALUE_CUT);
            Value::Any(room.keep(cut_members(encoded)))
        }
        value => value,
    };
    marks
}

/// Cuts a text at the last character that fits.
pub fn cap_text<'a>(text: &'a str, bytes_max: usize, marks: &mut Marks) -> &'a str {
    if text.len() <= bytes_max {
        return text;
    }
    marks.set(Marks::VALUE_CUT);
    text.get(..text.floor_char_boundary(bytes_max))
        .unwrap_or("")
}

/// True when a key stands more than once. Spans have about ten attributes: comparing lengths and
/// ends first makes the quadratic search cheaper than any table; large spans use one.
pub fn has_duplicate_keys(attributes: &[Attribute<'_>]) -> bool {
    if attributes.len() > 32 {
        let mut seen = HashSet::with_capacity(attributes.len());
        return !attributes
            .iter()
            .all(|attribute| seen.insert(attribute.key));
    }
    let mut left = attributes;
    while let Some((first, others)) = left.split_first() {
        let last = |key: &str| key.as_bytes().last().copied();
        let (length, end) = (first.key.len(), last(first.key));
        let alike = |key: &str| key.len() == length && last(key) == end && key == first.key;
        if others.iter().any(|other| alike(other.key)) {
            return true;
        }
        left = others;
    }
    false
}

/// The leading members of an encoded array or map that fit the cap.
fn cut_members(encoded: &[u8]) -> Vec<u8> {
    let mut fields = Fields::of(encoded);
    let Ok(Some((number @ (5 | 6), Field::Bytes(members), _))) = fields.next_field() else {
        return Vec::new();
    };
    let (mut members, mut kept) = (Fields::of(members), Vec::new());
    while let Ok(Some((_, _, member))) = members.next_field() {
        // The container's own tag and length need a few bytes too.
        if kept.len() + member.len() + 12 > VALUE_BYTES_MAX {
            break;
        }
        kept.extend_from_slice(member);
    }
    let mut cut = Vec::with_capacity(kept.len() + 12);
    put_bytes_field(&mut cut, number, &kept);
    cut
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::rest::put_attributes;

    #[test]
    fn texts_are_cut_at_a_character() {
        let long = "é".repeat(VALUE_BYTES_MAX);
        let key = format!("x{}", "é".repeat(KEY_BYTES_MAX));
        let mut attribute = Attribute::new(&key, Value::Str(&long));
        let room = Rewritten::default();
        assert_eq!(cap_attribute(&mut attribute, &room), Marks::VALUE_CUT);
        assert_eq!(attribute.key.len(), KEY_BYTES_MAX - 1);
        assert_eq!(attribute.value.text().len(), VALUE_BYTES_MAX);
    }

    #[test]
    fn arrays_and_maps_keep_their_first_members() {
        let text = "x".repeat(VALUE_BYTES_MAX / 3);
        let member = Attribute::new("k", Value::Str(&text));
        let (mut map, mut encoded) = (Vec::new(), Vec::new());
        put_attributes(&mut map, 1, std::iter::repeat_n(member, 5));
        put_bytes_field(&mut encoded, 6, &map);
        let mut attributes = vec![Attribute::new("map", Value::Any(&encoded)); 2];
        let room = Rewritten::default();
        let capped = cap_attributes(&mut attributes, &room);
        assert!(capped.marks.has(Marks::VALUE_CUT) && capped.marks.has(Marks::DUPLICATE_KEYS));
        let Value::Any(cut) = attributes[1].value else {
            panic!("still a map");
        };
        assert!(cut.len() <= VALUE_BYTES_MAX && cut.len() > VALUE_BYTES_MAX / 2);
        assert_eq!(attributes[1].value.text().matches("\"k\":").count(), 2);
    }

    #[test]
    fn too_many_are_dropped_and_counted() {
        let keys: Vec<String> = (0..ATTRIBUTES_PER_SPAN_MAX + 3)
            .map(|i| i.to_string())
            .collect();
        let mut attributes: Vec<_> = keys
            .iter()
            .map(|key| Attribute::new(key, Value::Bool(true)))
            .collect();
        let room = Rewritten::default();
        let capped = cap_attributes(&mut attributes, &room);
        assert_eq!((capped.marks, capped.dropped), (Marks::ATTRIBUTES_CUT, 3));
        assert_eq!(attributes.len(), ATTRIBUTES_PER_SPAN_MAX);
    }
}
