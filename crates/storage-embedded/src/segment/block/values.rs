//! The values of a column, read.
#![warn(clippy::indexing_slicing)]

use tracewell_model::attribute::ValueType;

use super::bits;
use super::layout::has_bytes;
use super::structure::ColumnPlace;
use super::symbols;
use crate::codec::{Damaged, Reader};

/// See the module.
#[derive(Debug)]
pub(super) enum Values<'b> {
    /// Texts or bytes: the code of each value, and the dictionary.
    Bytes {
        codes: Vec<u32>,
        dictionary: Dictionary<'b>,
    },
    /// Numbers as columns have them.
    Numbers(Vec<u64>),
}

/// Distinct byte strings.
#[derive(Debug)]
pub(super) struct Dictionary<'b> {
    ends: Vec<u32>,
    bytes: &'b [u8],
}

impl<'b> Dictionary<'b> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, code: u32) -> Option<&'b [u8]> {
        let code = code as usize;
        let to = *self.ends.get(code)? as usize;
        let from = code.checked_sub(1).and_then(|before| self.ends.get(before));
        self.bytes.get(from.map_or(0, |&end| end as usize)..to)
    }
}

impl<'b> Values<'b> {
    /// Reads the first `count` values of a column, given the sections it lies in.
    pub(super) fn read(
        place: &ColumnPlace,
        count: usize,
        codes: &'b [u8],
        texts: &'b [u8],
        bits: &'b [u8],
    ) -> Result<Values<'b>, Damaged> {
        let cut = Damaged("a column is cut");
        let codes = codes.get(place.codes.clone()).ok_or(cut)?;
        let Some(distinct) = place.distinct else {
            let bits = bits.get(place.other.clone()).ok_or(cut)?;
            return read_bits(codes, bits, count);
        };
        let texts = texts.get(place.other.clone()).ok_or(cut)?;
        if has_bytes(place.value_type) {
            let codes = symbols::read(codes, count, distinct)?;
            let dictionary = read_dictionary(texts, distinct)?;
            return Ok(Values::Bytes { codes, dictionary });
        }
        let mut r = Reader::new(codes);
        let mut numbers = Vec::new();
        for _ in 0..distinct {
            numbers.push(if place.value_type == ValueType::Double {
                u64::from_le_bytes(r.array()?)
            } else {
                r.varint()?
            });
        }
        let symbols = r.take(r.remaining())?;
        let codes = symbols::read(symbols, count, distinct)?;
        let number = |code: u32| numbers.get(code as usize).copied().unwrap_or(0);
        Ok(Values::Numbers(codes.into_iter().map(number).collect()))
    }

    /// The number at this place.
    #[inline]
    pub(super) fn number(&self, at: u32) -> Result<u64, Damaged> {
        match self {
            Values::Numbers(numbers) => numbers.get(at as usize).copied(),
            Values::Bytes { .. } => None,
        }
        .ok_or(Damaged("place of a number"))
    }

    /// The code at this place.
    #[inline]
    pub(super) fn code(&self, at: u32) -> Result<u32, Damaged> {
        match self {
            Values::Bytes { codes, .. } => codes.get(at as usize).copied(),
            Values::Numbers(_) => None,
        }
        .ok_or(Damaged("place of a code"))
    }

    /// The bytes at this place.
    pub(super) fn bytes(&self, at: u32) -> Result<&'b [u8], Damaged> {
        let Values::Bytes { codes, dictionary } = self else {
            return Err(Damaged("place of a text"));
        };
        let bytes = codes
            .get(at as usize)
            .and_then(|&code| dictionary.get(code));
        bytes.ok_or(Damaged("place of a text"))
    }
}

fn read_bits<'b>(classes: &[u8], bits: &[u8], count: usize) -> Result<Values<'b>, Damaged> {
    let classes = classes.get(..count).ok_or(Damaged("a column is cut"))?;
    let mut numbers = Vec::with_capacity(count);
    bits::read(classes, bits, 0, |number| numbers.push(number))?;
    Ok(Values::Numbers(numbers))
}

fn read_dictionary(texts: &[u8], distinct: u32) -> Result<Dictionary<'_>, Damaged> {
    let mut r = Reader::new(texts);
    let mut ends = Vec::new();
    let mut end = 0u32;
    for _ in 0..distinct {
        end = end
            .checked_add(r.u32()?)
            .ok_or(Damaged("lengths of texts"))?;
        ends.push(end);
    }
    let bytes = r.take(r.remaining())?;
    if bytes.len() == end as usize {
        Ok(Dictionary { ends, bytes })
    } else {
        Err(Damaged("bytes of a dictionary"))
    }
}
