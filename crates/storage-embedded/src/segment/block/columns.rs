//! Columns as bytes. Of texts and bytes: a dictionary and symbols. Of numbers: the same where few
//! are distinct, else each number's class and bits.

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;

use super::bits::{self, BitWriter};
use super::layout::{column, fixed_type, has_bytes};
use super::locals::Locals;
use super::sequences::Sequences;
use super::stamped::Stamped;
use super::symbols::Coder;
use super::wide::Wide;
use crate::codec::put_varint;
use crate::segment::values::{HIGH, RunValues};

/// Numbers have a dictionary when they are this few, or when each stands for as many as this.
const DISTINCT_MIN: usize = 16;
const VALUES_PER_DISTINCT_MIN: usize = 4;
/// Numbers below this are looked up in an array.
const SMALL: u32 = 1 << 12;

/// What a reader needs to find a column's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ColumnBytes {
    /// Entries of the dictionary; none: classes and bits.
    pub(super) distinct: Option<u32>,
    /// Bytes in the section of codes.
    pub(super) codes: u32,
    /// Bytes in the section of texts, or of bits when there is no dictionary.
    pub(super) other: u32,
}

impl ColumnBytes {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(
            out,
            self.distinct.map_or(0, |distinct| u64::from(distinct) + 1),
        );
        put_varint(out, u64::from(self.codes));
        put_varint(out, u64::from(self.other));
    }
}

/// The sections that columns are written to.
#[derive(Debug, Default)]
pub(super) struct ColumnSections {
    pub(super) codes: Vec<u8>,
    pub(super) texts: Vec<u8>,
    pub(super) bits: Vec<u8>,
}

/// What a block tells the index of its values.
#[derive(Debug, Default)]
pub(super) struct Posted {
    pub(super) pairs: Vec<u32>,
    pub(super) hashes: Vec<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ColumnWriter {
    /// A pair's code in its column, while this block is written.
    pair_codes: Stamped,
    high_codes: Stamped,
    small_codes: Stamped,
    large_codes: HashMap<u32, u32>,
    coder: Coder,
    /// Words in order of their codes.
    distinct: Vec<u32>,
    /// The bytes of the dictionary at hand, whose lengths go first.
    bytes: Vec<u8>,
}

impl ColumnWriter {
    /// Begins a block.
    pub(super) fn clear(&mut self, values: &RunValues<'_>) {
        self.pair_codes.clear(values.pair_count());
        self.high_codes.clear(values.high_count());
    }

    /// Appends all columns, and to `directory` where each one's bytes are.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn put_all(
        &mut self,
        sequences: &Sequences,
        locals: &Locals,
        wide: &Wide,
        values: &mut RunValues<'_>,
        directory: &mut Vec<u8>,
        out: &mut ColumnSections,
        posted: &mut Posted,
    ) {
        for at in 0..column::ATTRIBUTES + locals.columns.len() {
            let run_column = at.checked_sub(column::ATTRIBUTES);
            let run_column = run_column.map(|at| locals.columns[at]);
            let value_type = match run_column {
                Some(run_column) => values.column(run_column).value_type,
                None => fixed_type(at),
            };
            let words = sequences.column(at);
            let (codes, texts, bits) = (out.codes.len(), out.texts.len(), out.bits.len());
            let distinct = if has_bytes(value_type) {
                self.put_bytes(words, values, out);
                if run_column.is_some() {
                    let pairs = self.distinct.iter().filter(|&&word| word < HIGH);
                    posted.pairs.extend(pairs);
                }
                Some(self.distinct.len() as u32)
            } else {
                let distinct = self.put_numbers(words, wide, value_type, out);
                for at in 0..run_column.map_or(0, |_| self.distinct.len()) {
                    let number = wide.number(self.distinct[at]);
                    run_column.into_iter().for_each(|run_column| {
                        self.post_number(run_column, number, values, posted);
                    });
                }
                distinct
            };
            let bytes = ColumnBytes {
                distinct,
                codes: (out.codes.len() - codes) as u32,
                other: (out.texts.len() - texts + out.bits.len() - bits) as u32,
            };
            bytes.put(directory);
        }
    }

    /// Appends a column of texts or bytes.
    fn put_bytes(&mut self, words: &[u32], values: &RunValues<'_>, out: &mut ColumnSections) {
        self.distinct.clear();
        self.bytes.clear();
        let high_base = values.high_base();
        let codes = words.iter().map(|&word| {
            let (codes, at) = if word < HIGH {
                (&mut self.pair_codes, word)
            } else {
                (&mut self.high_codes, word - high_base)
            };
            codes.get(at).unwrap_or_else(|| {
                let code = self.distinct.len() as u32;
                codes.set(at, code);
                self.distinct.push(word);
                let bytes = values.bytes_of(word);
                put_varint(&mut out.texts, bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
                code
            })
        });
        self.coder.put(&mut out.codes, codes);
        out.texts.extend_from_slice(&self.bytes);
    }

    /// Appends a column of numbers; answers how many are distinct if it has a dictionary.
    fn put_numbers(
        &mut self,
        words: &[u32],
        wide: &Wide,
        value_type: ValueType,
        out: &mut ColumnSections,
    ) -> Option<u32> {
        self.small_codes.clear(SMALL as usize);
        self.large_codes.clear();
        self.distinct.clear();
        let codes = words.iter().map(|&word| {
            let next = self.distinct.len() as u32;
            let code = if word < SMALL {
                self.small_codes.get(word).unwrap_or_else(|| {
                    self.small_codes.set(word, next);
                    next
                })
            } else {
                *self.large_codes.entry(word).or_insert(next)
            };
            if code == next {
                self.distinct.push(word);
            }
            code
        });
        self.bytes.clear();
        self.coder.put(&mut self.bytes, codes);
        let distinct = self.distinct.len();
        let few = distinct <= DISTINCT_MIN || distinct * VALUES_PER_DISTINCT_MIN <= words.len();
        if !few {
            put_bits(words, wide, out);
            return None;
        }
        for &word in &self.distinct {
            let number = wide.number(word);
            if value_type == ValueType::Double {
                out.codes.extend_from_slice(&number.to_le_bytes());
            } else {
                put_varint(&mut out.codes, number);
            }
        }
        out.codes.extend_from_slice(&self.bytes);
        Some(distinct as u32)
    }

    /// Posts a number of an attribute.
    pub(super) fn post_number(
        &mut self,
        run_column: u32,
        number: u64,
        values: &mut RunValues<'_>,
        posted: &mut Posted,
    ) {
        match values.number(run_column, number) {
            Ok(pair) => self.post(pair, posted),
            Err(hash) => posted.hashes.push(hash),
        }
    }

    /// Posts a pair unless the block has it already.
    pub(super) fn post(&mut self, pair: u32, posted: &mut Posted) {
        if self.pair_codes.get(pair).is_none() {
            self.pair_codes.set(pair, 0);
            posted.pairs.push(pair);
        }
    }
}

/// Appends each number's class and bits.
fn put_bits(words: &[u32], wide: &Wide, out: &mut ColumnSections) {
    let mut packed = BitWriter::default();
    for &word in words {
        let number = wide.number(word);
        out.codes.push(bits::class(number));
        packed.put(&mut out.bits, number);
    }
    packed.finish(&mut out.bits);
}
