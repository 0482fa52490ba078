//! Dictionaries: distinct values laid end to end, named by their position.

/// Distinct texts of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextDictionary {
    /// All texts, end to end.
    pub text: String,
    /// Where each one ends.
    pub ends: Vec<u32>,
}

/// Distinct byte strings of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BytesDictionary {
    /// All byte strings, end to end.
    pub bytes: Vec<u8>,
    /// Where each one ends.
    pub ends: Vec<u32>,
}

impl TextDictionary {
    /// The text at this position. Positions are checked when a batch is made; a wrong one reads as
    /// empty rather than taking the process down.
    #[inline]
    pub fn get(&self, position: u32) -> &str {
        let (from, to) = bounds(&self.ends, position);
        self.text.get(from..to).unwrap_or("")
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The position of this text, if it is there; a scan, for queries on a decoded batch.
    pub fn find(&self, text: &str) -> Option<u32> {
        (0..self.len() as u32).find(|&position| self.get(position) == text)
    }

    pub(crate) fn is_sound(&self) -> bool {
        ends_are_sound(&self.ends, self.text.len())
            && self
                .ends
                .iter()
                .all(|&end| self.text.is_char_boundary(end as usize))
    }
}

impl BytesDictionary {
    /// The bytes at this position; empty for a wrong one.
    #[inline]
    pub fn get(&self, position: u32) -> &[u8] {
        let (from, to) = bounds(&self.ends, position);
        self.bytes.get(from..to).unwrap_or(&[])
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn is_sound(&self) -> bool {
        ends_are_sound(&self.ends, self.bytes.len())
    }
}

/// The byte range of the value at `position` in a column of ends.
#[inline]
pub(crate) fn bounds(ends: &[u32], position: u32) -> (usize, usize) {
    let position = position as usize;
    let to = ends.get(position).map_or(0, |&end| end as usize);
    let from = match position.checked_sub(1) {
        Some(before) => ends.get(before).map_or(0, |&end| end as usize),
        None => 0,
    };
    (from.min(to), to)
}

/// True when the ends never go back and the last one is the length.
pub(crate) fn ends_are_sound(ends: &[u32], length: usize) -> bool {
    ends.is_sorted() && ends.last().map_or(0, |&end| end as usize) == length
}
