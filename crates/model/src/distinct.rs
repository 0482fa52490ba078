//! The distinct values of a growing batch, texts or byte strings: a dictionary and the table that finds
//! values in it. Both are emptied for every batch and keep their room.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;

use crate::dictionary::{BytesDictionary, TextDictionary};
use crate::intern::{Free, Interner};

#[derive(Debug, Default)]
pub(crate) struct Distinct {
    values: BytesDictionary,
    table: Interner,
}

impl Distinct {
    /// The position of this value, of a new one if it is not known.
    #[inline]
    pub(crate) fn intern(&mut self, hasher: &RandomState, value: &[u8]) -> u32 {
        match self.find(hasher, value) {
            Ok(position) => position,
            Err(free) => self.add(free, value),
        }
    }

    /// The position of this value, or the place for it.
    #[inline(always)]
    pub(crate) fn find(&self, hasher: &RandomState, value: &[u8]) -> Result<u32, Free> {
        let mut hasher = hasher.build_hasher();
        hasher.write(value);
        let values = &self.values;
        self.table
            .find(hasher.finish(), |at| same(values.get(at), value))
    }

    /// Takes a value in at the place that [`Distinct::find`] just named.
    pub(crate) fn add(&mut self, free: Free, value: &[u8]) -> u32 {
        let position = self.values.ends.len() as u32;
        self.values.bytes.extend_from_slice(value);
        self.values.ends.push(self.values.bytes.len() as u32);
        self.table.insert(free, position);
        position
    }

    /// The value at this position.
    pub(crate) fn get(&self, position: u32) -> &[u8] {
        self.values.get(position)
    }

    /// All values, end to end.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.values.bytes
    }

    /// Where the value at this position lies in [`Distinct::bytes`].
    pub(crate) fn place(&self, position: u32) -> (usize, usize) {
        crate::dictionary::bounds(&self.values.ends, position)
    }

    /// From here on new values can be taken back.
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.table.mark(self.values.ends.len() as u32);
    }

    /// Takes back what came in since the mark.
    pub(crate) fn undo(&mut self) {
        let ends = &mut self.values.ends;
        ends.truncate(self.table.undo());
        let left = ends.last().map_or(0, |&end| end as usize);
        self.values.bytes.truncate(left);
    }

    /// The values, in memory of exactly their size; none is left.
    pub(crate) fn take(&mut self) -> BytesDictionary {
        let taken = self.values.clone();
        self.values.bytes.clear();
        self.values.ends.clear();
        self.table.clear();
        taken
    }

    /// [`Distinct::take`] of values that were all checked by [`is_utf8`].
    pub(crate) fn take_texts(&mut self) -> TextDictionary {
        let BytesDictionary { bytes, ends } = self.take();
        let text = String::from_utf8(bytes).expect("each text was checked when it came in");
        TextDictionary { text, ends }
    }
}

/// Whether a text is one. Most have less than 32 bytes and are ASCII, which a few loads tell.
#[inline]
pub(crate) fn is_utf8(text: &[u8]) -> bool {
    const HIGH_BITS: u128 = u128::from_ne_bytes([0x80; 16]);
    let is_ascii = match (text.first_chunk::<16>(), text.last_chunk::<16>()) {
        (Some(first), Some(last)) if text.len() <= 32 => {
            (u128::from_ne_bytes(*first) | u128::from_ne_bytes(*last)) & HIGH_BITS == 0
        }
        _ => match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
            (Some(first), Some(last)) if text.len() <= 16 => {
                (u64::from_ne_bytes(*first) | u64::from_ne_bytes(*last)) & HIGH_BITS as u64 == 0
            }
            _ => text.is_ascii(),
        },
    };
    is_ascii || std::str::from_utf8(text).is_ok()
}

/// Equality of keys and values, most of which have 4 to 32 bytes: a few loads, where `memcmp` costs a
/// call whose masked vector loads wait for whatever was written just before.
#[inline]
pub(crate) fn same(a: &[u8], b: &[u8]) -> bool {
    fn ends_are_same<const N: usize>(a: &[u8], b: &[u8]) -> bool {
        a.first_chunk::<N>() == b.first_chunk::<N>() && a.last_chunk::<N>() == b.last_chunk::<N>()
    }
    if a.len() != b.len() {
        return false;
    }
    // The usual lengths first: they are tried one after the other.
    match a.len() {
        8..=16 => ends_are_same::<8>(a, b),
        17..=32 => ends_are_same::<16>(a, b),
        4..8 => ends_are_same::<4>(a, b),
        2..4 => ends_are_same::<2>(a, b),
        1 => a[0] == b[0],
        0 => true,
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_seen_wherever_it_is() {
        for length in 0..80 {
            let a: Vec<u8> = (0..length).collect();
            assert!(same(&a, &a.clone()));
            assert!(!same(&a, &[&a[..], &[7]].concat()));
            for at in 0..a.len() {
                let mut b = a.clone();
                b[at] ^= 1;
                assert!(!same(&a, &b), "{length}, {at}");
            }
        }
    }

    #[test]
    fn what_is_utf8_is_judged_as_the_library_judges_it() {
        for length in 0..80 {
            let ascii = vec![b'x'; length];
            assert!(is_utf8(&ascii));
            for at in 0..length {
                for piece in ["é", "€", "\u{10348}"].map(str::as_bytes) {
                    let mut text = ascii.clone();
                    text.splice(at..=at, piece.iter().copied());
                    assert!(is_utf8(&text));
                    text.remove(at + 1);
                    assert!(!is_utf8(&text));
                }
            }
        }
    }
}
