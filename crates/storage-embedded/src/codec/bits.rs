//! Numbers of few bits, one after the other, the low bits first.
#![warn(clippy::indexing_slicing)]

use super::primitive::{Damaged, Reader, put_zigzag};

/// The widest number that goes in or out at once.
pub(super) const BITS_MAX: u32 = 56;

/// Writes numbers into bytes that are there.
#[derive(Debug)]
pub(super) struct BitWriter<'a> {
    room: &'a mut [u8],
    at: usize,
    /// Bits that are not yet in whole bytes: fewer than eight between two calls.
    held: u64,
    count: u32,
}

impl<'a> BitWriter<'a> {
    /// Writes into this room, which has eight bytes more than the numbers take.
    pub(super) fn new(room: &'a mut [u8]) -> Self {
        BitWriter {
            room,
            at: 0,
            held: 0,
            count: 0,
        }
    }

    /// Puts a number of at most [`BITS_MAX`] bits.
    #[inline]
    pub(super) fn put(&mut self, number: u64, width: u32) {
        debug_assert!(width <= BITS_MAX && number >> width == 0);
        self.held |= number << self.count;
        self.count += width;
        if let Some(room) = self.room.get_mut(self.at..self.at + 8) {
            room.copy_from_slice(&self.held.to_le_bytes());
        }
        self.at += (self.count >> 3) as usize;
        self.held >>= self.count & 0x38;
        self.count &= 7;
    }

    /// Puts any number: how many bits it has, then those below the highest.
    #[inline(always)]
    pub(super) fn put_any(&mut self, number: u64) {
        let below = 63 - (number | 1).leading_zeros();
        if below > BITS_MAX - 6 {
            self.put(u64::from(below), 6);
            self.put(number & 0xffff_ffff, 32);
            self.put((number >> 32) & mask(below - 32), below - 32);
        } else {
            // 0 and 1 have none below, and are told apart by one more.
            let width = below.max(1);
            self.put(u64::from(below) | (number & mask(width)) << 6, 6 + width);
        }
    }

    /// How many bytes the numbers take.
    pub(super) fn bytes(&self) -> usize {
        self.at + usize::from(self.count > 0)
    }
}

/// So many low bits.
#[inline]
pub(super) fn mask(width: u32) -> u64 {
    (1u64 << width).wrapping_sub(1)
}

/// Reads numbers from bytes.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        BitReader { bytes, at: 0 }
    }

    /// A number of at most [`BITS_MAX`] bits.
    #[inline]
    pub(super) fn get(&mut self, width: u32) -> Result<u64, Damaged> {
        let from = self.at / 8;
        let word = match self.bytes.get(from..).and_then(|rest| rest.first_chunk()) {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => self.last(from, width)?,
        };
        let number = word >> (self.at % 8) & mask(width);
        self.at += width as usize;
        Ok(number)
    }

    /// What [`BitWriter::put_any`] put.
    #[inline]
    pub(super) fn get_any(&mut self) -> Result<u64, Damaged> {
        match self.get(6)? as u32 {
            0 => self.get(1),
            below if below > BITS_MAX - 6 => {
                let low = self.get(32)?;
                Ok(1 << below | self.get(below - 32)? << 32 | low)
            }
            below => Ok(1 << below | self.get(below)?),
        }
    }

    /// Near the end there are fewer than eight bytes.
    #[cold]
    fn last(&self, from: usize, width: u32) -> Result<u64, Damaged> {
        if self.at + width as usize > self.bytes.len() * 8 {
            return Err(Damaged("cut short"));
        }
        let rest = self.bytes.get(from..).unwrap_or_default();
        let bytes = rest.iter().rev();
        Ok(bytes.fold(0, |word, &byte| word << 8 | u64::from(byte)))
    }

    /// The bytes after the last number.
    pub(super) fn rest(self) -> &'a [u8] {
        self.bytes.get(self.at.div_ceil(8)..).unwrap_or_default()
    }
}

/// A number among others of its kind: how much more it is than `base` takes `width` bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) base: u64,
    pub(super) width: u32,
}

impl Field {
    /// Of numbers that begin with the same bits as this one and differ in these.
    pub(super) fn of_differing(number: u64, differing: u64) -> Field {
        let width = u64::BITS - differing.leading_zeros();
        let low = u64::MAX.checked_shl(width).unwrap_or(0);
        Field {
            base: number & low,
            width,
        }
    }

    /// Of these numbers.
    pub(super) fn of(numbers: &[u32]) -> Field {
        let first = numbers.first().copied().unwrap_or_default();
        let differing = numbers.iter().fold(0, |all, number| all | (number ^ first));
        Field::of_differing(u64::from(first), u64::from(differing))
    }

    /// Of signed numbers from the least to the largest.
    pub(super) fn between(least: i64, largest: i64) -> Field {
        let spread = largest.wrapping_sub(least) as u64;
        Field {
            base: least as u64,
            width: u64::BITS - spread.leading_zeros(),
        }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        put_zigzag(out, self.base as i64);
        out.push(self.width as u8);
    }

    /// Reads a field whose numbers have at most so many bits.
    pub(super) fn read(r: &mut Reader<'_>, width_max: u32) -> Result<Field, Damaged> {
        let (base, width) = (r.zigzag()? as u64, u32::from(r.byte()?));
        if width > width_max {
            return Err(Damaged("bits of a number"));
        }
        Ok(Field { base, width })
    }
}

/// How the numbers of a row lie in words of at most [`BITS_MAX`] bits.
#[derive(Clone, Debug, Default)]
pub(super) struct Packing {
    words: Vec<Word>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug)]
struct Word {
    /// Where its pieces end.
    end: usize,
    width: u32,
}

/// A field, or one half of a wide one.
#[derive(Clone, Copy, Debug)]
struct Piece {
    field: usize,
    base: u64,
    /// Where in the field, and how much of it.
    from: u32,
    mask: u64,
    /// Where in the word.
    to: u32,
}

impl Packing {
    pub(super) fn new(fields: &[Field]) -> Packing {
        let mut packing = Packing::default();
        for (field, &Field { base, width }) in fields.iter().enumerate() {
            for from in (0..width).step_by(32) {
                packing.push(field, base, from, (width - from).min(32));
            }
        }
        packing
    }

    fn push(&mut self, field: usize, base: u64, from: u32, width: u32) {
        let to = match self.words.last() {
            Some(word) if word.width + width <= BITS_MAX => word.width,
            _ => {
                self.words.push(Word { end: 0, width: 0 });
                0
            }
        };
        self.pieces.push(Piece {
            field,
            base,
            from,
            mask: mask(width),
            to,
        });
        if let Some(word) = self.words.last_mut() {
            word.end = self.pieces.len();
            word.width = to + width;
        }
    }

    /// Bits of a row.
    pub(super) fn width(&self) -> usize {
        self.words.iter().map(|word| word.width as usize).sum()
    }

    /// The words of all rows, whose fields are these columns: a word's width, and it row by row.
    pub(super) fn pack(&self, columns: &[&[u32]]) -> Vec<(u32, Vec<u64>)> {
        let mut from = 0;
        let pack = |word: &Word| {
            let pieces = self.pieces.get(from..word.end).unwrap_or_default();
            from = word.end;
            let mut packed = Vec::new();
            for piece in pieces {
                let column = columns.get(piece.field).copied().unwrap_or_default();
                packed.resize(column.len(), 0);
                for (packed, &number) in packed.iter_mut().zip(column) {
                    *packed |= u64::from(number).wrapping_sub(piece.base) << piece.to;
                }
            }
            (word.width, packed)
        };
        self.words.iter().map(pack).collect()
    }

    /// Puts a row whose fields are these.
    #[inline]
    pub(super) fn put(&self, bits: &mut BitWriter<'_>, number: impl Fn(usize) -> u64) {
        let mut from = 0;
        for word in &self.words {
            let mut packed = 0;
            for piece in self.pieces.get(from..word.end).unwrap_or_default() {
                let more = number(piece.field).wrapping_sub(piece.base);
                packed |= ((more >> piece.from) & piece.mask) << piece.to;
            }
            bits.put(packed, word.width);
            from = word.end;
        }
    }

    /// Reads a row into these fields, which hold their bases.
    #[inline]
    pub(super) fn get(&self, bits: &mut BitReader<'_>, fields: &mut [u64]) -> Result<(), Damaged> {
        let mut from = 0;
        for word in &self.words {
            let packed = bits.get(word.width)?;
            for piece in self.pieces.get(from..word.end).unwrap_or_default() {
                if let Some(field) = fields.get_mut(piece.field) {
                    let more = ((packed >> piece.to) & piece.mask) << piece.from;
                    *field = field.wrapping_add(more);
                }
            }
            from = word.end;
        }
        Ok(())
    }
}
