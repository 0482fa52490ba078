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

    /// The bytes of the text at this position.
    #[inline]
    pub(crate) fn bytes_at(&self, position: u32) -> &[u8] {
        let (from, to) = bounds(&self.ends, position);
        self.text.as_bytes().get(from..to).unwrap_or(&[])
    }

    pub(crate) fn push(&mut self, text: &str) -> u32 {
        let position = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        position
    }

    /// A copy of exactly its size; this one is empty and keeps its room.
    pub(crate) fn take_exact(&mut self) -> TextDictionary {
        let taken = self.clone();
        self.truncate(0);
        taken
    }

    /// Forgets all but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.text
            .truncate(self.ends.last().map_or(0, |&end| end as usize));
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

    pub(crate) fn push(&mut self, bytes: &[u8]) -> u32 {
        let position = self.ends.len() as u32;
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len() as u32);
        position
    }

    /// A copy of exactly its size; this one is empty and keeps its room.
    pub(crate) fn take_exact(&mut self) -> BytesDictionary {
        let taken = self.clone();
        self.truncate(0);
        taken
    }

    /// Forgets all but the first `count`.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.bytes
            .truncate(self.ends.last().map_or(0, |&end| end as usize));
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
    match a.len() {
        0 => true,
        1 => a[0] == b[0],
        2..4 => ends_are_same::<2>(a, b),
        4..8 => ends_are_same::<4>(a, b),
        8..=16 => ends_are_same::<8>(a, b),
        17..=32 => ends_are_same::<16>(a, b),
        _ => a == b,
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
}
