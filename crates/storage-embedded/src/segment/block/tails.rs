//! Tails: what few spans have. A span's `rest`, then the values of its events' attributes. Those
//! were lifted out of the rest, so a text is mostly told by where it stands there.
#![warn(clippy::indexing_slicing)]

use tracewell_model::Value;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::Columns;

use super::layout::has_bytes;
use crate::codec::{Damaged, Reader, put_varint};

/// Appends the tail of a row: varint length of the rest, the rest, then for each attribute of its
/// events a number (8 bytes), or for texts and bytes: varint length × 2 + 1, and how many bytes
/// after the one before it stands in the rest; or varint length × 2 and the bytes.
pub(super) fn put(out: &mut Vec<u8>, c: &Columns, row: u32) {
    let rest = bounds(&c.rest_end, row);
    let rest = c.rest.get(rest.0..rest.1).unwrap_or_default();
    put_varint(out, rest.len() as u64);
    out.extend_from_slice(rest);
    let mut places = Places {
        rest,
        from: 0,
        budget: rest.len() * Places::BUDGET_PER_BYTE,
    };
    for (value_type, word) in events(c, row) {
        let bytes = match value_type {
            ValueType::Str => c.text.get(word as u32).as_bytes(),
            ValueType::Bytes | ValueType::Any => c.bytes.get(word as u32),
            ValueType::Int | ValueType::Double | ValueType::Bool => {
                out.extend_from_slice(&word.to_le_bytes());
                continue;
            }
        };
        let place = places.find(bytes);
        put_varint(out, (bytes.len() as u64) << 1 | u64::from(place.is_some()));
        match place {
            Some(skipped) => put_varint(out, skipped as u64),
            None => out.extend_from_slice(bytes),
        }
    }
}

/// Type and word of each attribute of the row's events.
pub(super) fn events(c: &Columns, row: u32) -> impl Iterator<Item = (ValueType, u64)> {
    let at = row as usize;
    let shape = |column: &[u32]| {
        let shape = column
            .get(at)
            .and_then(|&shape| c.shapes.get(shape as usize));
        shape.map_or(&[][..], |shape| shape)
    };
    let (own, events) = (shape(&c.shape), shape(&c.event_shape));
    let (from, to) = bounds(&c.value_end, row);
    let words = c.values.get(from + own.len()..to).unwrap_or_default();
    events
        .iter()
        .map(|&(_, value_type)| value_type)
        .zip(words.iter().copied())
}

fn bounds(ends: &[u32], row: u32) -> (usize, usize) {
    let end = |at: usize| ends.get(at).map_or(0, |&end| end as usize);
    let row = row as usize;
    (row.checked_sub(1).map_or(0, end), end(row))
}

/// Finds values in a rest, one after the other.
struct Places<'a> {
    rest: &'a [u8],
    from: usize,
    /// Bytes that may still be compared: a rest made to mislead the search only costs its own bytes.
    budget: usize,
}

impl Places<'_> {
    /// Shorter ones are as short written out.
    const BYTES_MIN: usize = 4;
    const BUDGET_PER_BYTE: usize = 8;

    /// How many bytes after the last one found it stands. What is not there ends the search for
    /// all that follow: the work stays linear, whatever was sent.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        if bytes.len() < Self::BYTES_MIN {
            return None;
        }
        let left = self.rest.get(self.from..)?;
        let start = bytes.get(..Self::BYTES_MIN)?;
        let place = left
            .windows(Self::BYTES_MIN)
            .enumerate()
            .find(|(at, window)| {
                if *window != start || self.budget < bytes.len() {
                    return false;
                }
                self.budget -= bytes.len();
                left.get(*at..)
                    .is_some_and(|ahead| ahead.starts_with(bytes))
            });
        let place = place.map(|(at, _)| at);
        self.from += place.map_or(left.len(), |at| at + bytes.len());
        place
    }
}

/// A value of an event's attribute, read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventValue<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> EventValue<'a> {
    /// What it is as an attribute's value of this type.
    pub(super) fn typed(self, value_type: ValueType) -> Result<Value<'a>, Damaged> {
        Ok(match (value_type, self) {
            (ValueType::Str, EventValue::Bytes(bytes)) => {
                let text = std::str::from_utf8(bytes);
                Value::Str(text.map_err(|_| Damaged("text is not UTF-8"))?)
            }
            (ValueType::Any, EventValue::Bytes(bytes)) => Value::Any(bytes),
            (_, EventValue::Bytes(bytes)) => Value::Bytes(bytes),
            (ValueType::Double, EventValue::Number(word)) => Value::Double(f64::from_bits(word)),
            (ValueType::Bool, EventValue::Number(word)) => Value::Bool(word != 0),
            (_, EventValue::Number(word)) => Value::Int(word as i64),
        })
    }
}

/// A tail that is read.
#[derive(Debug)]
pub(super) struct Tail<'a> {
    pub(super) rest: &'a [u8],
    from: usize,
    reader: Reader<'a>,
}

impl<'a> Tail<'a> {
    pub(super) fn open(tail: &'a [u8]) -> Result<Tail<'a>, Damaged> {
        let mut reader = Reader::new(tail);
        let length = reader.count(1)?;
        let rest = reader.take(length)?;
        Ok(Tail {
            rest,
            from: 0,
            reader,
        })
    }

    /// The next value, of this type.
    pub(super) fn value(&mut self, value_type: ValueType) -> Result<EventValue<'a>, Damaged> {
        if !has_bytes(value_type) {
            let number = u64::from_le_bytes(self.reader.array()?);
            return Ok(EventValue::Number(number));
        }
        let packed = self.reader.varint()?;
        let length = usize::try_from(packed >> 1).map_err(|_| Damaged("length of a value"))?;
        if packed & 1 == 0 {
            return Ok(EventValue::Bytes(self.reader.take(length)?));
        }
        let skipped = usize::try_from(self.reader.varint()?).ok();
        let from = skipped.and_then(|skipped| self.from.checked_add(skipped));
        let to = from.and_then(|from| from.checked_add(length));
        let bytes = from.zip(to).and_then(|(from, to)| self.rest.get(from..to));
        self.from = to.unwrap_or(0);
        Ok(EventValue::Bytes(bytes.ok_or(Damaged("place of a value"))?))
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<(), Damaged> {
        if self.reader.remaining() == 0 {
            Ok(())
        } else {
            Err(Damaged("bytes after a tail"))
        }
    }
}
