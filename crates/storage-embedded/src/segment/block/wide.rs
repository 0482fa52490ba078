//! Numbers as words: small ones stand for themselves, others for a place in a table.

use hashbrown::HashMap;

/// Words from here on stand for a place.
const WIDE: u32 = 1 << 31;

/// Numbers of a block that do not fit a word.
#[derive(Debug, Default)]
pub(super) struct Wide {
    numbers: Vec<u64>,
    position_of: HashMap<u64, u32>,
}

impl Wide {
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.position_of.clear();
    }

    /// The word of a number.
    #[inline]
    pub(super) fn word(&mut self, number: u64) -> u32 {
        if number < u64::from(WIDE) {
            return number as u32;
        }
        let next = self.numbers.len() as u32;
        let at = *self.position_of.entry(number).or_insert(next);
        if at == next {
            self.numbers.push(number);
        }
        WIDE + at
    }

    /// The number of a word.
    #[inline]
    pub(super) fn number(&self, word: u32) -> u64 {
        match word.checked_sub(WIDE) {
            Some(at) => self.numbers[at as usize],
            None => u64::from(word),
        }
    }
}
