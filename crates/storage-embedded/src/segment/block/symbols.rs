//! A column of codes as symbols: 0 the code before again, 1 the next code that was not there yet,
//! else two more than the code. Codes are numbered as they appear, so a column of new values is all
//! ones, and one that rarely changes nearly all zeroes: both compress to almost nothing.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use crate::codec::{Damaged, Reader, put_varint};

const AGAIN: u32 = 0;
const NEXT: u32 = 1;
const FIRST: u32 = 2;

/// With so few codes a symbol is a byte; with more it is a varint.
const BYTE_CODES_MAX: u32 = 254;

/// Writes columns of codes.
#[derive(Debug, Default)]
pub(super) struct Coder {
    symbols: Vec<u32>,
}

impl Coder {
    /// Appends codes that are numbered as they appear; answers how many are distinct.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, codes: impl Iterator<Item = u32>) -> u32 {
        let (mut before, mut next) = (u32::MAX, 0);
        self.symbols.clear();
        self.symbols.extend(codes.map(|code| {
            let symbol = if code == before {
                AGAIN
            } else if code == next {
                next += 1;
                NEXT
            } else {
                code + FIRST
            };
            before = code;
            symbol
        }));
        if next <= BYTE_CODES_MAX {
            out.extend(self.symbols.iter().map(|&symbol| symbol as u8));
        } else {
            let symbols = self.symbols.iter();
            symbols.for_each(|&symbol| put_varint(out, u64::from(symbol)));
        }
        next
    }
}

/// Reads the codes from one place to another of a column of `distinct` codes.
pub(super) fn read(bytes: &[u8], codes: Range<usize>, distinct: u32) -> Result<Vec<u32>, Damaged> {
    // A symbol is a byte at least: this bounds what is allocated.
    if codes.start > codes.end || codes.end > bytes.len() {
        return Err(Damaged("symbols are cut"));
    }
    let mut read = Vec::with_capacity(codes.len());
    let mut decoder = Decoder {
        before: 0,
        next: 0,
        end: 0,
    };
    if distinct <= BYTE_CODES_MAX {
        let (before, these) = bytes.split_at_checked(codes.start).unwrap_or_default();
        decoder.skip(before);
        let these = these.iter().take(codes.len());
        read.extend(these.map(|&symbol| decoder.code(u32::from(symbol))));
    } else {
        let mut symbols = Varints::new(bytes);
        for _ in 0..codes.start {
            decoder.code(symbols.next()?);
        }
        for _ in codes {
            read.push(decoder.code(symbols.next()?));
        }
    }
    match decoder.end <= distinct {
        true => Ok(read),
        false => Err(Damaged("code of a value")),
    }
}

/// Reads small numbers, most of them of one byte or two.
pub(super) struct Varints<'b>(&'b [u8]);

impl<'b> Varints<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Varints(bytes)
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<u32, Damaged> {
        match *self.0 {
            [byte @ 0..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u32::from(byte))
            }
            [low, high @ 0..0x80, ref rest @ ..] => {
                self.0 = rest;
                Ok(u32::from(low & 0x7f) | u32::from(high) << 7)
            }
            _ => {
                let mut r = Reader::new(self.0);
                let number = r.u32()?;
                self.0 = r.take(r.remaining())?;
                Ok(number)
            }
        }
    }

    /// What follows.
    pub(super) fn rest(self) -> &'b [u8] {
        self.0
    }
}

struct Decoder {
    before: u32,
    next: u32,
    /// All codes were less.
    end: u32,
}

impl Decoder {
    /// The code of a symbol. Symbols come in no order that a processor could foresee: no branch here.
    #[inline]
    fn code(&mut self, symbol: u32) -> u32 {
        let is_next = symbol == NEXT;
        let other = if is_next {
            self.next
        } else {
            symbol.wrapping_sub(FIRST)
        };
        self.next += u32::from(is_next);
        self.before = if symbol == AGAIN { self.before } else { other };
        self.end = self.end.max(self.before.saturating_add(1));
        self.before
    }

    /// Passes over symbols: what counts is how many were new, and the last one that was no repeat.
    fn skip(&mut self, symbols: &[u8]) {
        let is_new = |symbols: &[u8]| {
            let chunks = symbols.chunks(usize::from(u8::MAX));
            let new = |chunk: &[u8]| {
                let new = chunk.iter().map(|&symbol| u8::from(symbol == NEXT as u8));
                u32::from(new.sum::<u8>())
            };
            chunks.map(new).sum::<u32>()
        };
        let Some(last) = symbols.iter().rposition(|&symbol| symbol != AGAIN as u8) else {
            return;
        };
        self.next = is_new(symbols);
        self.before = match symbols.get(last).copied().map(u32::from) {
            Some(NEXT) => self.next.wrapping_sub(1),
            other => other.unwrap_or(FIRST).wrapping_sub(FIRST),
        };
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Codes numbered as they appear, and how many.
    fn codes() -> impl Strategy<Value = (Vec<u32>, u32)> {
        let values = prop_oneof![
            prop::collection::vec(0..4u32, 0..40),
            prop::collection::vec(any::<u32>(), 0..600),
            prop::collection::vec(0..300u32, 0..900),
        ];
        values.prop_map(|values| {
            let mut seen = Vec::new();
            let code = |value| match seen.iter().position(|known| *known == value) {
                Some(at) => at as u32,
                None => {
                    seen.push(value);
                    seen.len() as u32 - 1
                }
            };
            let codes: Vec<u32> = values.into_iter().map(code).collect();
            let distinct = seen.len() as u32;
            (codes, distinct)
        })
    }

    proptest! {
        #[test]
        fn codes_come_back(
            (codes, distinct) in codes(),
            from in any::<prop::sample::Index>(),
            to in any::<prop::sample::Index>(),
        ) {
            let mut out = Vec::new();
            let coded = Coder::default().put(&mut out, codes.iter().copied());
            prop_assert_eq!(coded, distinct);
            let (from, to) = (from.index(codes.len() + 1), to.index(codes.len() + 1));
            let part = from.min(to)..from.max(to);
            prop_assert_eq!(&read(&out, part.clone(), distinct).unwrap(), &codes[part]);
            prop_assert!(read(&out, 0..out.len() + 1, distinct).is_err());
        }

        #[test]
        fn any_bytes_give_codes_below_the_bound(
            bytes in prop::collection::vec(any::<u8>(), 0..50),
            from in 0usize..60,
            count in 0usize..60,
            distinct in 0u32..400,
        ) {
            if let Ok(codes) = read(&bytes, from..from + count, distinct) {
                prop_assert!(codes.iter().all(|&code| code < distinct));
            }
        }
    }
}
