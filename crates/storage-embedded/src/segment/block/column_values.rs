//! The values of a column, read: those of some rows at once, and any other one by one.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_model::attribute::ValueType;

use super::bits;
use super::layout::has_bytes;
use super::structure::ColumnPlace;
use super::symbols::{self, Varints};
use super::tails::EventValue;
use crate::codec::{Damaged, Reader};
use crate::segment::values::word_of;

/// See the module.
#[derive(Debug)]
pub(super) struct Values<'b> {
    /// Where the values that were read stand in the column.
    place: Range<usize>,
    read: Read,
    source: Source<'b>,
}

/// Codes of texts and bytes, or numbers.
#[derive(Debug)]
enum Read {
    Codes(Vec<u32>),
    Numbers(Vec<u64>),
}

/// What a column lies in.
#[derive(Debug)]
enum Source<'b> {
    Bytes {
        symbols: &'b [u8],
        dictionary: Dictionary<'b>,
    },
    Numbers {
        symbols: &'b [u8],
        dictionary: Vec<u64>,
    },
    Bits {
        classes: &'b [u8],
        bits: &'b [u8],
    },
}

/// The first values of a column as they are counted: by place a code, by code a value.
#[derive(Debug)]
pub(super) enum Coded<'b> {
    Bytes(Vec<u32>, Dictionary<'b>),
    Numbers(Vec<u32>, Vec<u64>),
    /// Of these hardly any two are alike.
    Distinct(Vec<u64>),
}

impl<'b> Coded<'b> {
    /// Reads so many values of a column, given the codes, and the texts or bits.
    pub(super) fn read(
        column: &ColumnPlace,
        count: usize,
        codes: &'b [u8],
        others: &'b [u8],
    ) -> Result<Coded<'b>, Damaged> {
        Ok(match Source::open(column, codes, others)? {
            Source::Bytes {
                symbols,
                dictionary,
            } => Coded::Bytes(
                symbols::read(symbols, 0..count, dictionary.len() as u32)?,
                dictionary,
            ),
            Source::Numbers {
                symbols,
                dictionary,
            } => Coded::Numbers(
                symbols::read(symbols, 0..count, dictionary.len() as u32)?,
                dictionary,
            ),
            source @ Source::Bits { .. } => match source.read(0..count)? {
                Read::Numbers(numbers) => Coded::Distinct(numbers),
                Read::Codes(_) => return Err(Damaged("numbers")),
            },
        })
    }

    /// The number at this place.
    #[inline]
    pub(super) fn number(&self, at: u32) -> Result<u64, Damaged> {
        let number = match self {
            Coded::Bytes(..) => None,
            Coded::Numbers(codes, dictionary) => {
                let code = codes.get(at as usize);
                code.and_then(|&code| dictionary.get(code as usize).copied())
            }
            Coded::Distinct(numbers) => numbers.get(at as usize).copied(),
        };
        number.ok_or(Damaged("place of a number"))
    }
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

    pub(super) fn get(&self, code: u32) -> Result<&'b [u8], Damaged> {
        let at = code as usize;
        let end = |at: usize| self.ends.get(at).map(|&end| end as usize);
        let from = at.checked_sub(1).map_or(Some(0), end);
        let bytes = from
            .zip(end(at))
            .and_then(|(from, to)| self.bytes.get(from..to));
        bytes.ok_or(Damaged("place of a text"))
    }
}

impl<'b> Values<'b> {
    /// Reads the values at this place of a column, given the codes, and the texts or bits.
    pub(super) fn read(
        column: &ColumnPlace,
        place: Range<usize>,
        codes: &'b [u8],
        others: &'b [u8],
    ) -> Result<Values<'b>, Damaged> {
        let source = Source::open(column, codes, others)?;
        let read = source.read(place.clone())?;
        Ok(Values {
            place,
            read,
            source,
        })
    }

    /// The number at this place.
    #[inline]
    pub(super) fn number(&self, at: u32) -> Result<u64, Damaged> {
        let no_number = Damaged("place of a number");
        let at = at as usize;
        if let (Some(at), Read::Numbers(numbers)) = (at.checked_sub(self.place.start), &self.read) {
            return numbers.get(at).copied().ok_or(no_number);
        }
        match self.source.read(at..at + 1)? {
            Read::Numbers(numbers) => numbers.first().copied().ok_or(no_number),
            Read::Codes(_) => Err(no_number),
        }
    }

    /// The code at this place.
    #[inline]
    pub(super) fn code(&self, at: u32) -> Result<u32, Damaged> {
        let no_code = Damaged("place of a code");
        let at = at as usize;
        if let (Some(at), Read::Codes(codes)) = (at.checked_sub(self.place.start), &self.read) {
            return codes.get(at).copied().ok_or(no_code);
        }
        match self.source.read(at..at + 1)? {
            Read::Codes(codes) => codes.first().copied().ok_or(no_code),
            Read::Numbers(_) => Err(no_code),
        }
    }

    /// The value at this place, as that of an attribute.
    pub(super) fn value(&self, at: u32, value_type: ValueType) -> Result<EventValue<'b>, Damaged> {
        match &self.source {
            Source::Bytes { dictionary, .. } => {
                Ok(EventValue::Bytes(dictionary.get(self.code(at)?)?))
            }
            _ => Ok(EventValue::Number(word_of(value_type, self.number(at)?))),
        }
    }

    /// The dictionary of texts or bytes.
    pub(super) fn dictionary(&self) -> Result<&Dictionary<'b>, Damaged> {
        match &self.source {
            Source::Bytes { dictionary, .. } => Ok(dictionary),
            Source::Numbers { .. } | Source::Bits { .. } => Err(Damaged("dictionary")),
        }
    }

    /// True for numbers.
    pub(super) fn has_numbers(&self) -> bool {
        matches!(self.read, Read::Numbers(_))
    }
}

impl<'b> Source<'b> {
    fn open(
        column: &ColumnPlace,
        codes: &'b [u8],
        others: &'b [u8],
    ) -> Result<Source<'b>, Damaged> {
        let cut = Damaged("a column is cut");
        let codes = codes.get(column.codes.clone()).ok_or(cut)?;
        Ok(match column.distinct {
            None => Source::Bits {
                classes: codes,
                bits: others.get(column.other.clone()).ok_or(cut)?,
            },
            Some(distinct) if has_bytes(column.value_type) => {
                let texts = others.get(column.other.clone()).ok_or(cut)?;
                Source::Bytes {
                    symbols: codes,
                    dictionary: read_dictionary(texts, distinct)?,
                }
            }
            Some(distinct) => read_numbers(codes, distinct, column.value_type)?,
        })
    }

    fn read(&self, place: Range<usize>) -> Result<Read, Damaged> {
        Ok(match self {
            Source::Bytes {
                symbols,
                dictionary,
            } => Read::Codes(symbols::read(symbols, place, dictionary.len() as u32)?),
            Source::Numbers {
                symbols,
                dictionary,
            } => {
                let codes = symbols::read(symbols, place, dictionary.len() as u32)?;
                let number = |code: u32| dictionary.get(code as usize).copied().unwrap_or(0);
                Read::Numbers(codes.into_iter().map(number).collect())
            }
            Source::Bits { classes, bits } => {
                let (before, rest) = classes
                    .split_at_checked(place.start)
                    .ok_or(Damaged("a column is cut"))?;
                let these = rest.get(..place.len()).ok_or(Damaged("a column is cut"))?;
                let mut numbers = Vec::with_capacity(these.len());
                let from = bits::bits_of(before);
                bits::read(these, bits, from, |number| numbers.push(number))?;
                Read::Numbers(numbers)
            }
        })
    }
}

fn read_numbers(codes: &[u8], distinct: u32, value_type: ValueType) -> Result<Source<'_>, Damaged> {
    let mut r = Reader::new(codes);
    let mut dictionary = Vec::new();
    for _ in 0..distinct {
        dictionary.push(if value_type == ValueType::Double {
            u64::from_le_bytes(r.array()?)
        } else {
            r.varint()?
        });
    }
    let symbols = r.take(r.remaining())?;
    Ok(Source::Numbers {
        symbols,
        dictionary,
    })
}

fn read_dictionary(texts: &[u8], distinct: u32) -> Result<Dictionary<'_>, Damaged> {
    let mut lengths = Varints::new(texts);
    let mut ends = Vec::new();
    let mut end = 0u32;
    for _ in 0..distinct {
        end = end
            .checked_add(lengths.next()?)
            .ok_or(Damaged("lengths of texts"))?;
        ends.push(end);
    }
    let bytes = lengths.rest();
    if bytes.len() == end as usize {
        Ok(Dictionary { ends, bytes })
    } else {
        Err(Damaged("bytes of a dictionary"))
    }
}
