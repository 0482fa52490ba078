//! Bytes, and the places in them that are others in each cycle.

use tracewell_wire::proto::put_varint;

use crate::traffic::{Cycle, Form};

/// What stands in a place. Widths are fixed, so that nothing around it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 16 bytes: the trace's ordinal.
    TraceId,
    /// 32 hex digits.
    TraceIdHex,
    /// 8 bytes: the span's ordinal.
    SpanId,
    /// 16 hex digits.
    SpanIdHex,
    /// Fixed64 of nanoseconds: since the cycle began.
    Nanoseconds,
    /// 19 decimal digits.
    NanosecondsText,
    /// Fixed64 of microseconds.
    Microseconds,
    /// A drawn value's digits: its slot.
    Digits(Form),
    /// A drawn value as a varint.
    Varint(Form),
}

impl Kind {
    fn width(self) -> usize {
        match self {
            Kind::TraceId => 16,
            Kind::TraceIdHex => 32,
            Kind::SpanId | Kind::Nanoseconds | Kind::Microseconds => 8,
            Kind::SpanIdHex => 16,
            Kind::NanosecondsText => 19,
            Kind::Digits(form) => form.digits(),
            Kind::Varint(form) => {
                let mut varint = Vec::new();
                put_varint(&mut varint, form.value(0));
                varint.len()
            }
        }
    }
}

/// A place that a cycle writes.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    at: u32,
    kind: Kind,
    /// An ordinal, a time or a slot, as the kind says.
    of: u64,
}

impl Place {
    /// Writes what the cycle decides.
    #[inline]
    pub(super) fn write(&self, body: &mut [u8], cycle: Cycle) {
        let Some(out) = body.get_mut(self.at as usize..) else {
            return;
        };
        match self.kind {
            Kind::TraceId => put(out, &cycle.trace_id(self.of)),
            Kind::TraceIdHex => put_hex(out, &cycle.trace_id(self.of)),
            Kind::SpanId => put(out, &cycle.span_id(self.of)),
            Kind::SpanIdHex => put_hex(out, &cycle.span_id(self.of)),
            Kind::Nanoseconds => put(out, &(cycle.begin_unix_ns + self.of).to_le_bytes()),
            Kind::NanosecondsText => put_decimal(out, 19, cycle.begin_unix_ns + self.of),
            Kind::Microseconds => put(
                out,
                &((cycle.begin_unix_ns + self.of) / 1_000).to_le_bytes(),
            ),
            Kind::Digits(Form::RequestId) => {
                put_hex(out, &cycle.draw(Form::RequestId, self.of).to_be_bytes())
            }
            Kind::Digits(form) => put_decimal(out, form.digits(), cycle.draw(form, self.of)),
            Kind::Varint(form) => put_same_varint(out, cycle.draw(form, self.of)),
        }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) places: Vec<Place>,
}

impl Piece {
    /// Appends a place, with what the first cycle's zeros would be.
    pub(super) fn place(&mut self, kind: Kind, of: u64) {
        self.places.push(Place {
            at: self.bytes.len() as u32,
            kind,
            of,
        });
        match kind {
            // The length of a varint is in its bytes.
            Kind::Varint(form) => put_varint(&mut self.bytes, form.value(0)),
            _ => self.bytes.resize(self.bytes.len() + kind.width(), b'0'),
        }
    }

    /// Appends bytes with their places.
    pub(super) fn append(&mut self, bytes: &[u8], places: &[Place]) {
        let by = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.places.extend(places.iter().map(|place| Place {
            at: place.at + by,
            ..*place
        }));
    }

    /// Appends a message field of what `write` appends to an empty piece.
    pub(super) fn message(&mut self, field: u32, write: impl FnOnce(&mut Piece)) {
        let mut inner = Piece::default();
        write(&mut inner);
        self.message_of(field, &inner);
    }

    /// Appends a message field.
    pub(super) fn message_of(&mut self, field: u32, inner: &Piece) {
        self.length(field, inner.bytes.len());
        self.append(&inner.bytes, &inner.places);
    }

    /// Begins a length-delimited field.
    pub(super) fn length(&mut self, field: u32, bytes: usize) {
        put_varint(&mut self.bytes, u64::from(field) << 3 | 2);
        put_varint(&mut self.bytes, bytes as u64);
    }

    /// Begins a fixed64 field.
    pub(super) fn fixed64(&mut self, field: u32) {
        put_varint(&mut self.bytes, u64::from(field) << 3 | 1);
    }
}

#[inline]
fn put<const N: usize>(out: &mut [u8], bytes: &[u8; N]) {
    if let Some(out) = out.first_chunk_mut::<N>() {
        *out = *bytes;
    }
}

#[inline]
fn put_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[inline]
fn put_decimal(out: &mut [u8], digits: usize, mut number: u64) {
    for digit in out.iter_mut().take(digits).rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Overwrites a varint by one of the same length, which a form's values have.
#[inline]
fn put_same_varint(out: &mut [u8], mut number: u64) {
    for byte in out.iter_mut() {
        if number < 0x80 {
            *byte = number as u8;
            return;
        }
        *byte = number as u8 | 0x80;
        number >>= 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_of_a_form_is_as_long_as_the_first() {
        let numbers = [0, 1, 27_000, 399_999, 899_999_999, u64::MAX / 3, u64::MAX];
        for form in [Form::Customer, Form::Order, Form::Port, Form::Offset] {
            for value in numbers.map(|number| form.value(number)) {
                assert_eq!(value.to_string().len(), form.digits(), "{form:?} {value}");
            }
        }
        for form in [Form::Port, Form::Offset] {
            for value in numbers.map(|number| form.value(number)) {
                let (mut varint, mut over) = (Vec::new(), Vec::new());
                put_varint(&mut varint, value);
                put_varint(&mut over, form.value(0));
                put_same_varint(&mut over, value);
                assert_eq!(over, varint, "{form:?} {value}");
            }
        }
    }
}
