//! Protobuf's wire format, written and scanned by hand: a few lines each, no intermediate structs.
#![warn(clippy::indexing_slicing)]

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a varint field, also when it is zero.
pub fn put_varint_field(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field) << 3);
    put_varint(out, value);
}

/// Appends a fixed64 field.
pub fn put_fixed64_field(out: &mut Vec<u8>, field: u32, value: u64) {
    put_varint(out, u64::from(field) << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a fixed32 field.
pub fn put_fixed32_field(out: &mut Vec<u8>, field: u32, value: u32) {
    put_varint(out, u64::from(field) << 3 | 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a length-delimited field: text, bytes, or an encoded message.
pub fn put_bytes_field(out: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_varint(out, u64::from(field) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a message field whose bytes `write` appends. The length stands before the bytes but is
/// known after them: one byte is kept for it, and longer messages are moved by the bytes it needs more.
pub fn put_message_field(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_varint(out, u64::from(field) << 3 | 2);
    let at = out.len();
    out.push(0);
    write(out);
    let length = out.len() - at - 1;
    let short = u8::try_from(length).ok().filter(|short| *short < 0x80);
    match (short, out.get_mut(at)) {
        (Some(short), Some(kept)) => *kept = short,
        _ => put_length(out, at, length),
    }
}

/// Writes a length of several bytes where one was kept for it.
fn put_length(out: &mut Vec<u8>, at: usize, length: usize) {
    let bits = usize::BITS - length.leading_zeros();
    let (size, end) = (bits.div_ceil(7) as usize, out.len());
    out.resize(end + size - 1, 0);
    out.copy_within(at + 1..end, at + size);
    for (position, byte) in out.iter_mut().skip(at).take(size).enumerate() {
        let more = if position + 1 < size { 0x80 } else { 0 };
        *byte = (length >> (7 * position)) as u8 & 0x7f | more;
    }
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// Bytes that are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A field with its number and its own bytes, tag included.
pub type Numbered<'a> = (u32, Field<'a>, &'a [u8]);

/// Walks the fields of a message: (number, value, the field's own bytes with its tag).
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of this message.
    pub fn of(message: &'a [u8]) -> Self {
        Fields { rest: message }
    }

    /// The next field, or `None` at the end.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<Numbered<'a>>, Malformed> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let whole = self.rest;
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed("field number too large"))?;
        let number = tag >> 3;
        if number == 0 {
            return Err(Malformed("field number 0"));
        }
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| TRUNCATED)?;
                Field::Bytes(self.take(length)?)
            }
            5 => Field::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Malformed("groups and unknown wire types are not accepted")),
        };
        let used = whole.len() - self.rest.len();
        Ok(Some((number, field, whole.get(..used).unwrap_or(&[]))))
    }

    /// The content of the next field if it has this tag of one byte and a length of one or two; if
    /// not, the field stays. What encoders are known to write can be asked for in its order, and
    /// the rest be left to [`Fields::next_field`].
    #[inline(always)]
    pub fn next_bytes_if(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (length, rest) = match self.rest {
            [first, length @ 0..0x80, rest @ ..] if *first == tag => (usize::from(*length), rest),
            [first, low, high @ 0..0x80, rest @ ..] if *first == tag => {
                let length = usize::from(*low & 0x7f) | usize::from(*high) << 7;
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(content)
    }

    /// Skips fields that [`Fields::next_bytes_if`] would answer.
    #[inline]
    pub fn skip_bytes_while(&mut self, tag: u8) {
        while self.next_bytes_if(tag).is_some() {}
    }

    /// [`Fields::next_bytes_if`] for a fixed64 field.
    #[inline(always)]
    pub fn next_fixed64_if(&mut self, tag: u8) -> Option<u64> {
        let ([first, value @ ..], rest) = self.rest.split_first_chunk::<9>()?;
        if *first != tag {
            return None;
        }
        self.rest = rest;
        Some(u64::from_le_bytes(*value))
    }

    /// [`Fields::next_bytes_if`] for a fixed32 field with a tag of two bytes.
    #[inline(always)]
    pub fn next_fixed32_if(&mut self, tag: [u8; 2]) -> Option<u32> {
        let ([low, high, value @ ..], rest) = self.rest.split_first_chunk::<6>()?;
        if [*low, *high] != tag {
            return None;
        }
        self.rest = rest;
        Some(u32::from_le_bytes(*value))
    }

    /// [`Fields::next_bytes_if`] for a varint field below 128.
    #[inline(always)]
    pub fn next_small_varint_if(&mut self, tag: u8) -> Option<u8> {
        match self.rest {
            [first, value @ 0..0x80, rest @ ..] if *first == tag => {
                self.rest = rest;
                Some(*value)
            }
            _ => None,
        }
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (head, tail) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = tail;
        Ok(head)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, tail) = self.rest.split_first_chunk::<N>().ok_or(TRUNCATED)?;
        self.rest = tail;
        Ok(*head)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        // Tags and most lengths are one byte, lengths of spans two.
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            if shift == 63 && byte > 1 {
                break; // the tenth byte has room for one bit
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("varint longer than 10 bytes"))
    }
}

const TRUNCATED: Malformed = Malformed("the message ends in the middle of a field");
