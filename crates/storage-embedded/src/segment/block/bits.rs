//! Numbers without a pattern: of each, how many bits it has (its *class*, one byte, which compresses
//! well) and those bits but for the first, which is always one, packed. They would not compress.
#![warn(clippy::indexing_slicing)]

use crate::codec::Damaged;

/// How many bits a number has: 0 to 64.
#[inline]
pub(super) fn class(number: u64) -> u8 {
    (u64::BITS - number.leading_zeros()) as u8
}

/// Packs bits, the low ones first.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    pending: u64,
    filled: u32,
}

impl BitWriter {
    /// Appends the number's bits below its highest one.
    #[inline]
    pub(super) fn put(&mut self, out: &mut Vec<u8>, number: u64) {
        let width = u32::from(class(number)).saturating_sub(1);
        let low = number & ((1 << width) - 1);
        self.pending |= low << self.filled;
        self.filled += width;
        if self.filled >= u64::BITS {
            out.extend_from_slice(&self.pending.to_le_bytes());
            self.filled -= u64::BITS;
            // What did not fit; none of it when the number ended with the word.
            self.pending = low >> (width - self.filled);
        }
    }

    /// Fills up the last byte.
    pub(super) fn finish(self, out: &mut Vec<u8>) {
        let bytes = self.pending.to_le_bytes();
        let count = self.filled.div_ceil(8) as usize;
        out.extend_from_slice(bytes.get(..count).unwrap_or_default());
    }
}

/// Bytes that the bits of numbers of these classes take.
pub(super) fn bytes_of(classes: &[u8]) -> usize {
    bits_of(classes).div_ceil(8)
}

/// Bits that numbers of these classes take.
pub(super) fn bits_of(classes: &[u8]) -> usize {
    let width = |&class: &u8| usize::from(class).saturating_sub(1);
    classes.iter().map(width).sum()
}

/// Reads the numbers of these classes, given the bits and where the first one's begin.
pub(super) fn read(
    classes: &[u8],
    bytes: &[u8],
    from_bit: usize,
    mut take: impl FnMut(u64),
) -> Result<(), Damaged> {
    let mut at = from_bit;
    for &class in classes {
        let Some(width) = class.checked_sub(1) else {
            take(0);
            continue;
        };
        if class > 64 {
            return Err(Damaged("class of a number"));
        }
        let low = bits_at(bytes, at, u32::from(width)).ok_or(Damaged("bits of a number"))?;
        take(1u64 << width | low);
        at += usize::from(width);
    }
    Ok(())
}

#[inline]
fn bits_at(bytes: &[u8], at: usize, width: u32) -> Option<u64> {
    let (byte, shift) = (at / 8, at % 8);
    let rest = bytes.get(byte..)?;
    let mask = (1u64 << width) - 1;
    if let Some((word, after)) = rest.split_first_chunk::<8>() {
        let low = u64::from_le_bytes(*word) >> shift;
        if shift + width as usize <= 64 {
            return Some(low & mask);
        }
        let high = u64::from(*after.first()?) << (64 - shift);
        return Some((low | high) & mask);
    }
    // The last bytes.
    if shift + width as usize > rest.len() * 8 {
        return None;
    }
    let mut word = [0; 8];
    word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    Some(u64::from_le_bytes(word) >> shift & mask)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers() -> impl Strategy<Value = Vec<u64>> {
        let number = (0..=64u32, any::<u64>())
            .prop_map(|(bits, number)| number.checked_shr(64 - bits).unwrap_or(0));
        prop::collection::vec(number, 0..60)
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in numbers(), skip in 0usize..60) {
            let (mut bits, mut out) = (BitWriter::default(), Vec::new());
            numbers.iter().for_each(|&number| bits.put(&mut out, number));
            bits.finish(&mut out);
            let classes: Vec<u8> = numbers.iter().map(|&number| class(number)).collect();
            prop_assert_eq!(out.len(), bytes_of(&classes));
            let skip = skip.min(numbers.len());
            let mut back = Vec::new();
            read(&classes[skip..], &out, bits_of(&classes[..skip]), |n| back.push(n)).unwrap();
            prop_assert_eq!(&back, &numbers[skip..]);
            // Nothing is read beyond the end.
            if let Some(short) = out.len().checked_sub(1) {
                prop_assert!(read(&classes, &out[..short], 0, |_| ()).is_err());
            }
        }
    }
}
