//! The buffer that spans are written into. All its room is initialized when it is made, so what is
//! written in several pieces is claimed, and checked, once.
#![warn(clippy::indexing_slicing)]

use std::fmt;
use std::ops::{Deref, Range};

#[derive(Default)]
pub(crate) struct Bytes {
    room: Box<[u8]>,
    len: usize,
}

impl Bytes {
    /// An empty one.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Bytes {
            room: vec![0; bytes].into_boxed_slice(),
            len: 0,
        }
    }

    /// How much it can hold before it has to grow: what it takes in memory.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.room.len()
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// The next so many bytes, to be written; what they hold until then is anything.
    #[inline]
    pub(crate) fn claim(&mut self, bytes: usize) -> Pieces<'_> {
        let left = |room: &[u8]| room.get(self.len..).map_or(0, <[u8]>::len);
        if left(&self.room) < bytes {
            self.grow(bytes);
        }
        let left = self.room.get_mut(self.len..).unwrap_or_default();
        match left.get_mut(..bytes) {
            Some(claimed) => {
                self.len += bytes;
                Pieces(claimed)
            }
            None => Pieces(&mut []),
        }
    }

    #[inline]
    pub(crate) fn put(&mut self, piece: &[u8]) {
        self.claim(piece.len()).put(piece);
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Puts other bytes in the place of these.
    pub(crate) fn replace(&mut self, range: Range<usize>, by: &[u8]) {
        let tail = self.get(range.end..).unwrap_or_default().to_vec();
        self.len = self.len.min(range.start);
        self.put(by);
        self.put(&tail);
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let mut room = std::mem::take(&mut self.room).into_vec();
        let doubled = room.len().saturating_mul(2);
        room.resize(doubled.max(self.len.saturating_add(by)), 0);
        self.room = room.into_boxed_slice();
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let room = bytes.into_boxed_slice();
        Bytes {
            len: room.len(),
            room,
        }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.room.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Claimed bytes, filled from the front; what does not fit is not written.
pub(crate) struct Pieces<'a>(&'a mut [u8]);

impl Pieces<'_> {
    #[inline]
    pub(crate) fn put(&mut self, piece: &[u8]) {
        let claimed = std::mem::take(&mut self.0);
        if let Some((to, rest)) = claimed.split_at_mut_checked(piece.len()) {
            copy(to, piece);
            self.0 = rest;
        }
    }
}

/// Names and values are short: two moves that overlap copy up to 32 bytes, for less than a call to `memcpy` costs.
#[inline]
fn copy(to: &mut [u8], from: &[u8]) {
    match from.len() {
        17..=32 => both_ends::<16>(to, from),
        8..=16 => both_ends::<8>(to, from),
        4..=7 => both_ends::<4>(to, from),
        _ => to.copy_from_slice(from),
    }
}

#[inline]
fn both_ends<const N: usize>(to: &mut [u8], from: &[u8]) {
    if let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) {
        if let Some(to) = to.first_chunk_mut() {
            *to = *first;
        }
        if let Some(to) = to.last_chunk_mut() {
            *to = *last;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_length_arrive_whole() {
        let source: Vec<u8> = (0..100).collect();
        let (mut bytes, mut expected) = (Bytes::default(), Vec::new());
        for piece in (0..=source.len()).map(|len| source.split_at(len).0) {
            bytes.put(piece);
            expected.extend_from_slice(piece);
        }
        assert_eq!(*bytes, *expected);
    }

    #[test]
    fn a_part_gives_way_to_another_of_any_length() {
        for by in ["", "x", "much longer than it was"] {
            let mut bytes = Bytes::from(b"before|it|behind".to_vec());
            bytes.replace(7..9, by.as_bytes());
            assert_eq!(*bytes, *format!("before|{by}|behind").as_bytes());
        }
    }
}
