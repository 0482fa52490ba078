//! Distinct byte strings of columns, by position. They are copied, so that those that are asked for
//! again and again lie together, and not all over the batches.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

#[derive(Clone, Copy, Debug)]
struct Held {
    hash: u64,
    from: usize,
    length: u32,
    column: u32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Interner {
    bytes: Vec<u8>,
    held: Vec<Held>,
    table: HashTable<u32>,
}

impl Interner {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.held.clear();
        self.table.clear();
    }

    /// The bytes at this position.
    #[inline]
    pub(super) fn bytes(&self, at: u32) -> &[u8] {
        self.held[at as usize].bytes(&self.bytes)
    }

    /// The column of those at this position.
    pub(super) fn column(&self, at: u32) -> u32 {
        self.held[at as usize].column
    }

    /// The position, if it is there.
    #[inline]
    pub(super) fn find(&self, hash: u64, column: u32, bytes: &[u8]) -> Option<u32> {
        let same = |&at: &u32| self.held[at as usize].is(hash, column, bytes, &self.bytes);
        self.table.find(hash, same).copied()
    }

    /// The position; a new one if need be.
    #[inline]
    pub(super) fn intern(&mut self, hash: u64, column: u32, bytes: &[u8]) -> u32 {
        let (held, all) = (&mut self.held, &mut self.bytes);
        let same = |&at: &u32| held[at as usize].is(hash, column, bytes, all);
        let rehash = |&at: &u32| held[at as usize].hash;
        match self.table.entry(hash, same, rehash) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let at = held.len() as u32;
                vacant.insert(at);
                held.push(Held {
                    hash,
                    from: all.len(),
                    length: bytes.len() as u32,
                    column,
                });
                all.extend_from_slice(bytes);
                at
            }
        }
    }
}

impl Held {
    #[inline]
    fn bytes(self, all: &[u8]) -> &[u8] {
        &all[self.from..self.from + self.length as usize]
    }

    #[inline]
    fn is(self, hash: u64, column: u32, bytes: &[u8], all: &[u8]) -> bool {
        self.hash == hash && self.column == column && self.bytes(all) == bytes
    }
}
