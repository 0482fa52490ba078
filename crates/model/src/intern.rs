//! Finds the position of a value while a dictionary grows. The table holds hashes and positions only,
//! the values lie where they belong; it is emptied for every batch and keeps its room.

/// An open-addressing table. Positions are handed out by the dictionary, in rising order.
#[derive(Debug)]
pub(crate) struct Interner {
    /// Half of a hash above, a position plus one below; zero is free. Less than half of `..=mask` is taken.
    slots: Vec<u64>,
    mask: usize,
    count: usize,
    /// The slots taken since [`Interner::mark`], and the first position that was free then.
    recent: Vec<u32>,
    marked: u32,
}

/// Where a value that was not found belongs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    slot: usize,
    half: u64,
}

/// Slots of the smallest table.
const SLOTS_MIN: usize = 64;

impl Default for Interner {
    fn default() -> Self {
        Interner {
            slots: vec![0; SLOTS_MIN],
            mask: SLOTS_MIN - 1,
            count: 0,
            recent: Vec::new(),
            marked: 0,
        }
    }
}

impl Interner {
    /// The position of the value with this hash for which `same` holds, or the place for it.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Result<u32, Free> {
        let half = hash & !u64::from(u32::MAX);
        let mut slot = (hash >> 32) as usize & self.mask;
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                return Err(Free { slot, half });
            }
            let position = (entry as u32) - 1;
            if entry & !u64::from(u32::MAX) == half && same(position) {
                return Ok(position);
            }
            slot = (slot + 1) & self.mask;
        }
    }

    /// Takes a value in at the place that [`Interner::find`] just named.
    #[inline]
    pub(crate) fn insert(&mut self, free: Free, position: u32) {
        debug_assert_eq!(self.slots[free.slot], 0, "nothing came in between");
        self.slots[free.slot] = free.half | u64::from(position + 1);
        self.count += 1;
        self.recent.push(free.slot as u32);
        if self.count * 2 >= self.mask {
            self.grow();
        }
    }

    /// The position of an element of any vector: of the one that is the same, or of a new one.
    pub(crate) fn element<T>(
        &mut self,
        elements: &mut Vec<T>,
        hash: u64,
        same: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> u32 {
        match self.find(hash, |at| same(&elements[at as usize])) {
            Ok(position) => position,
            Err(free) => {
                let position = elements.len() as u32;
                elements.push(make());
                self.insert(free, position);
                position
            }
        }
    }

    /// From here on insertions can be undone; `next` is the position that comes next.
    #[inline]
    pub(crate) fn mark(&mut self, next: u32) {
        self.recent.clear();
        self.marked = next;
    }

    /// Takes back what came in since the mark; the dictionary is to forget all but the answered number.
    pub(crate) fn undo(&mut self) -> usize {
        self.count -= self.recent.len();
        for slot in self.recent.drain(..) {
            self.slots[slot as usize] = 0;
        }
        self.marked as usize
    }

    /// Forgets all. A table far larger than what it last held is halved, so that small batches after
    /// a large one do not pay for it.
    pub(crate) fn clear(&mut self) {
        if self.mask >= SLOTS_MIN && self.count * 8 < self.mask {
            self.mask /= 2;
            self.slots.truncate(self.mask + 1);
        }
        self.slots.fill(0);
        self.count = 0;
        self.recent.clear();
    }

    /// Doubles. Values since the mark come last: no older one may lie behind them, or taking them
    /// back would hide it.
    #[cold]
    fn grow(&mut self) {
        let slots = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![0; slots]);
        self.mask = slots - 1;
        self.recent.clear();
        let marked = self.marked;
        let taken = old.iter().copied().filter(|&entry| entry != 0);
        for entry in taken.clone().filter(|&entry| entry as u32 <= marked) {
            let _old_slot = self.place(entry);
        }
        for entry in taken.filter(|&entry| entry as u32 > marked) {
            let slot = self.place(entry);
            self.recent.push(slot as u32);
        }
    }

    fn place(&mut self, entry: u64) -> usize {
        let mut slot = (entry >> 32) as usize & self.mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & self.mask;
        }
        self.slots[slot] = entry;
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// A dictionary of numbers whose hashes collide a lot.
    #[derive(Default)]
    struct Numbers {
        interner: Interner,
        numbers: Vec<u32>,
    }

    impl Numbers {
        fn intern(&mut self, number: u32) -> u32 {
            let hash = u64::from(number % 37) << 32;
            let same = |known: &u32| *known == number;
            self.interner
                .element(&mut self.numbers, hash, same, || number)
        }
    }

    #[test]
    fn a_table_knows_what_a_map_knows_however_much_is_taken_back() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut table, mut model) = (Numbers::default(), HashMap::new());
        for _ in 0..3_000 {
            let (marked, before) = (table.numbers.len(), model.clone());
            table.interner.mark(marked as u32);
            for _ in 0..random.usize(..20) {
                let number = random.u32(..2_000);
                let next = model.len() as u32;
                let expected = *model.entry(number).or_insert(next);
                assert_eq!(table.intern(number), expected);
            }
            if random.bool() {
                assert_eq!(table.interner.undo(), marked);
                table.numbers.truncate(marked);
                model = before;
            }
            if random.u8(..) == 0 {
                table.interner.clear();
                table.numbers.clear();
                model.clear();
            }
        }
    }

    #[test]
    fn room_for_much_is_given_up_by_and_by() {
        let mut table = Numbers::default();
        for number in 0..10_000 {
            table.intern(number);
        }
        let large = table.interner.mask;
        for _ in 0..12 {
            table.interner.clear();
            table.numbers.clear();
            assert_eq!(table.intern(5), 0);
        }
        assert!(table.interner.mask * 100 < large);
    }
}
