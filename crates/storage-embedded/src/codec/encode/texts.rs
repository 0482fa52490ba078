//! A batch's texts: what is their own, end to end, then how long each is and what it takes from another. A hexadecimal number takes half; a long text leaves out the beginning and the end that it
//! shares with the last one that begins alike. To look for more than that takes more time than to
//! write the bytes.

use tracewell_model::dictionary::TextDictionary;

use super::super::copies::{Copies, form};
use super::super::primitive::put_varint;

/// Shorter texts are written as they are.
const LENGTH_MIN: usize = 32;
/// And shorter ones share nothing.
const SHARING_MIN: usize = 38;
/// Texts that begin with the same eight bytes fall into one of so many slots.
const SLOTS_LOG2: u32 = 8;

/// Appends the texts.
pub(super) fn put(out: &mut Vec<u8>, texts: &TextDictionary, copies: &mut Copies) {
    put_varint(out, texts.ends.len() as u64);
    // How many own bytes there are is known behind them.
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut writing = Writing {
        bytes: texts.text.as_bytes(),
        written: 0,
        own: out,
        heads: Vec::with_capacity(texts.ends.len() * 2),
        copies,
    };
    let mut alike = Alike::default();
    let mut from = 0;
    for (number, &end) in texts.ends.iter().enumerate() {
        let to = end as usize;
        let text = Text { number, from, to };
        from = to;
        match text.to - text.from {
            0..LENGTH_MIN => writing.put_plain(text),
            _ => writing.put_long(text, &mut alike),
        }
    }
    writing.put_until(texts.text.len());
    let heads = writing.heads;
    let count = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&heads);
}

/// A text by its number in the dictionary and its place in the bytes.
#[derive(Clone, Copy, Default)]
struct Text {
    number: usize,
    from: usize,
    to: usize,
}

struct Writing<'a> {
    bytes: &'a [u8],
    /// Up to here `bytes` are dealt with; plain texts that follow each other are written together.
    written: usize,
    own: &'a mut Vec<u8>,
    heads: Vec<u8>,
    copies: &'a mut Copies,
}

impl Writing<'_> {
    #[inline]
    fn put_plain(&mut self, text: Text) {
        self.put_head(text, form::PLAIN);
    }

    fn put_long(&mut self, text: Text, alike: &mut Alike) {
        let bytes = &self.bytes[text.from..text.to];
        if is_hex(bytes) {
            self.put_head(text, form::HEX);
            self.put_until(text.from);
            self.put_hex(bytes);
            self.written = text.to;
            return;
        }
        if bytes.len() < SHARING_MIN {
            return self.put_plain(text);
        }
        let Some(Shared { other, start, end }) = alike.shared(self.bytes, text) else {
            return self.put_plain(text);
        };
        self.put_until(text.from);
        if !self.copies.take(start + end) {
            return self.put_plain(text);
        }
        self.put_head(text, form::SHARED);
        for part in [text.number - other, start, end] {
            put_varint(&mut self.heads, part as u64);
        }
        self.written += start;
        self.put_until(text.to - end);
        self.written = text.to;
    }

    #[inline]
    fn put_head(&mut self, text: Text, form: u64) {
        let length = (text.to - text.from) as u64;
        put_varint(&mut self.heads, length << form::BITS | form);
    }

    fn put_until(&mut self, to: usize) {
        self.own.extend_from_slice(&self.bytes[self.written..to]);
        self.copies.note_own(to - self.written);
        self.written = to;
    }

    fn put_hex(&mut self, text: &[u8]) {
        let nibble = |digit: u8| (digit & 15) + 9 * (digit >> 6);
        let (pairs, _) = text.as_chunks();
        let packed = pairs
            .iter()
            .map(|&[high, low]| nibble(high) << 4 | nibble(low));
        self.own.extend(packed);
        self.copies.note_own(text.len() / 2);
    }
}

/// An even number of hexadecimal digits, as ids are written.
fn is_hex(text: &[u8]) -> bool {
    let is_digit = |&byte: &u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    // Most texts that are none show it at once; the whole is then looked at without a branch.
    text.first().is_some_and(is_digit)
        && text.len().is_multiple_of(2)
        && text.iter().fold(true, |all, byte| all & is_digit(byte))
}

/// What a text has of another: so many bytes of its start, so many of its end.
struct Shared {
    other: usize,
    start: usize,
    end: usize,
}

/// The last text of each beginning.
struct Alike([Text; 1 << SLOTS_LOG2]);

impl Default for Alike {
    fn default() -> Self {
        Alike([Text::default(); 1 << SLOTS_LOG2])
    }
}

impl Alike {
    fn shared(&mut self, bytes: &[u8], text: Text) -> Option<Shared> {
        let this = &bytes[text.from..text.to];
        let mixed = first(this)?.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let slot = &mut self.0[(mixed >> (u64::BITS - SLOTS_LOG2)) as usize];
        let other = std::mem::replace(slot, text);
        let that = &bytes[other.from..other.to];
        let start = alike(this, that);
        if start < 8 {
            return None;
        }
        let end = alike_at_end(&this[start..], &that[start..]);
        Some(Shared {
            other: other.number,
            start,
            end,
        })
    }
}

fn first(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}

/// Equal bytes at the start; of fewer than eight after the last eight, none.
fn alike(one: &[u8], other: &[u8]) -> usize {
    let (one, _) = one.as_chunks();
    let (other, _) = other.as_chunks();
    let mut count = 0;
    for (&a, &b) in one.iter().zip(other) {
        let differing = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
        if differing != 0 {
            return count + (differing.trailing_zeros() / 8) as usize;
        }
        count += 8;
    }
    count
}

/// Equal bytes at the end, likewise.
fn alike_at_end(one: &[u8], other: &[u8]) -> usize {
    let (_, one) = one.as_rchunks();
    let (_, other) = other.as_rchunks();
    let mut count = 0;
    for (&a, &b) in one.iter().rev().zip(other.iter().rev()) {
        let differing = u64::from_le_bytes(a) ^ u64::from_le_bytes(b);
        if differing != 0 {
            return count + (differing.leading_zeros() / 8) as usize;
        }
        count += 8;
    }
    count
}
