//! A column of codes as symbols: 0 the code before again, 1 the next code that was not there yet,
//! else two more than the code. Codes are numbered as they appear, so a column of new values is all
//! ones, and one that rarely changes nearly all zeroes: both compress to almost nothing.
#![warn(clippy::indexing_slicing)]

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

/// Reads the first `count` codes of a column of `distinct` codes.
pub(super) fn read(bytes: &[u8], count: usize, distinct: u32) -> Result<Vec<u32>, Damaged> {
    // A symbol is a byte at least: this bounds what is allocated.
    if count > bytes.len() {
        return Err(Damaged("symbols are cut"));
    }
    let mut codes = Vec::with_capacity(count);
    let mut decoder = Decoder {
        before: 0,
        next: 0,
        distinct,
    };
    if distinct <= BYTE_CODES_MAX {
        for &symbol in bytes.iter().take(count) {
            codes.push(decoder.code(u32::from(symbol))?);
        }
    } else {
        let mut r = Reader::new(bytes);
        for _ in 0..count {
            codes.push(decoder.code(r.u32()?)?);
        }
    }
    Ok(codes)
}

struct Decoder {
    before: u32,
    next: u32,
    distinct: u32,
}

impl Decoder {
    #[inline]
    fn code(&mut self, symbol: u32) -> Result<u32, Damaged> {
        self.before = match symbol {
            AGAIN => self.before,
            NEXT => {
                self.next += 1;
                self.next - 1
            }
            other => other - FIRST,
        };
        if self.before < self.distinct {
            Ok(self.before)
        } else {
            Err(Damaged("code of a value"))
        }
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
        fn codes_come_back((codes, distinct) in codes(), part in any::<prop::sample::Index>()) {
            let mut out = Vec::new();
            let coded = Coder::default().put(&mut out, codes.iter().copied());
            prop_assert_eq!(coded, distinct);
            let count = part.index(codes.len() + 1);
            prop_assert_eq!(&read(&out, count, distinct).unwrap(), &codes[..count]);
            prop_assert!(read(&out, out.len() + 1, distinct).is_err());
        }

        #[test]
        fn any_bytes_give_codes_below_the_bound(
            bytes in prop::collection::vec(any::<u8>(), 0..50),
            count in 0usize..60,
            distinct in 0u32..400,
        ) {
            if let Ok(codes) = read(&bytes, count, distinct) {
                prop_assert!(codes.iter().all(|&code| code < distinct));
            }
        }
    }
}
