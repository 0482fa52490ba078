//! A flat table from hashes to small values: an array of cache lines, sorted by hash, with gaps. A
//! hash lies in the line that is its share of the array, or soon after; so a look-up costs one line,
//! and growing or clearing out goes through memory once, in order.

/// Hashes are well mixed, and never 0.
pub(crate) type Key = u64;

/// Key 0 is a gap.
#[derive(Clone, Copy, Debug, Default)]
struct Slot<V> {
    key: Key,
    value: V,
}

/// Slots of a line.
const SLOTS: usize = 4;

/// A cache line, where values have eight bytes: slots with rising keys, then gaps.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
struct Line<V>([Slot<V>; SLOTS]);

/// How many keys are best touched at once: what the nearest cache and the table of pages hold.
pub(crate) const TOUCHED: usize = 256;

/// See the module.
#[derive(Debug)]
pub(crate) struct Table<V> {
    lines: Vec<Line<V>>,
    used: usize,
}

/// Lines behind the last place, for what is pushed on from there.
const TAIL: usize = 8;
const LINES_MIN: usize = 16 + TAIL;

impl<V> Default for Table<V> {
    fn default() -> Self {
        Table {
            lines: Vec::new(),
            used: 0,
        }
    }
}

impl<V: Copy + Default> Table<V> {
    /// Keys.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line<V>>()
    }

    /// How many keys fit when the table takes so many bytes.
    pub(crate) fn keys_within(bytes_max: usize) -> usize {
        used_max(bytes_max / size_of::<Line<V>>())
    }

    /// True when the next key may find no room.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        let Some(last) = self.lines.last() else {
            return true;
        };
        self.used >= used_max(self.lines.len()) || last.0[0].key != 0
    }

    /// The value of this key.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<V> {
        let (line, at) = self.find(key);
        let slot = self.lines.get(line)?.0.get(at)?;
        (slot.key == key).then_some(slot.value)
    }

    /// Changes the value of a key; false when it is not there.
    #[inline]
    pub(crate) fn update(&mut self, key: Key, change: impl FnOnce(&mut V)) -> bool {
        let (line, at) = self.find(key);
        let slot = self.lines.get_mut(line).and_then(|line| line.0.get_mut(at));
        let slot = slot.filter(|slot| slot.key == key);
        slot.map(|slot| change(&mut slot.value)).is_some()
    }

    /// The value of this key, which is there from now on; none where there is no room for it.
    #[inline]
    pub(crate) fn get_or_insert(&mut self, key: Key) -> Option<&mut V> {
        let (line, at) = self.find(key);
        if self.lines.get(line)?.0[at].key != key {
            if self.is_full() {
                return None;
            }
            self.insert_at(line, at, key);
        }
        Some(&mut self.lines[line].0[at].value)
    }

    /// All keys with their values, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, V)> + '_ {
        let slots = self.lines.iter().flat_map(|line| &line.0);
        let used = slots.filter(|slot| slot.key != 0);
        used.map(|slot| (slot.key, slot.value))
    }

    /// Reads the lines of these keys. Nothing depends on what it reads, so that the processor waits
    /// for many of them at once, and finds them near when they are used.
    #[inline]
    pub(crate) fn touch(&self, keys: impl Iterator<Item = Key>) {
        let line = |key| self.lines.get(self.place(key));
        let first = |key| line(key).map_or(0, |line| line.0[0].key);
        std::hint::black_box(keys.fold(0, |sum, key| sum ^ first(key)));
    }

    /// Doubles the table, or takes what `bytes_max` leaves; false when that is not worth it.
    pub(crate) fn grow(&mut self, bytes_max: usize) -> bool {
        let before = self.lines.len();
        let most = bytes_max / size_of::<Line<V>>();
        let count = (before * 2).max(LINES_MIN).min(most);
        if count < before + before / 8 || count <= TAIL {
            return false;
        }
        let mut lines = Vec::new();
        lines.reserve_exact(count);
        lines.resize(count, Line::default());
        let old = std::mem::replace(&mut self.lines, lines);
        let mut next = 0;
        for slot in old.into_iter().flat_map(|line| line.0) {
            if slot.key != 0 {
                let to = (self.place(slot.key) * SLOTS).max(next);
                *self.slot(to) = slot;
                next = to + 1;
            }
        }
        true
    }

    /// Takes out the keys whose value is not kept; a table without keys is let go.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        let (mut next, mut used) = (0, 0);
        for at in 0..self.lines.len() * SLOTS {
            let mut slot = std::mem::take(self.slot(at));
            // No branch on chance: what is not kept is written as the gap that was there.
            let to = (self.place(slot.key) * SLOTS).max(next);
            let kept = (slot.key != 0) & keep(&mut slot.value);
            slot.key = if kept { slot.key } else { 0 };
            slot.value = if kept { slot.value } else { V::default() };
            *self.slot(to) = slot;
            next = if kept { to + 1 } else { next };
            used += usize::from(kept);
        }
        self.used = used;
        if used == 0 {
            self.lines = Vec::new();
        }
    }

    /// Takes out all keys.
    pub(crate) fn clear(&mut self) {
        self.lines.fill(Line::default());
        self.used = 0;
    }

    /// The line that is as far into all but the tail as the key is into all keys.
    #[inline]
    fn place(&self, key: Key) -> usize {
        let places = self.lines.len().saturating_sub(TAIL);
        ((u128::from(key) * places as u128) >> 64) as usize
    }

    #[inline]
    fn slot(&mut self, at: usize) -> &mut Slot<V> {
        &mut self.lines[at / SLOTS].0[at % SLOTS]
    }

    /// The line and slot where the key is, or where it would be.
    #[inline]
    fn find(&self, key: Key) -> (usize, usize) {
        let mut at = self.place(key);
        while let Some(line) = self.lines.get(at) {
            // Without a branch: which of the slots it is, is chance. A gap counts as larger.
            let before = |slot: &Slot<V>| usize::from(slot.key.wrapping_sub(1) < key - 1);
            let count: usize = line.0.iter().map(before).sum();
            if count < SLOTS {
                return (at, count);
            }
            at += 1;
        }
        (at, 0)
    }

    /// Pushes what is at and behind this slot on, up to the next gap; the last line has some.
    #[inline]
    fn insert_at(&mut self, line: usize, at: usize, key: Key) {
        self.used += 1;
        let value = V::default();
        let mut pushed = self.lines[line].insert(at, Slot { key, value });
        for line in &mut self.lines[line + 1..] {
            if pushed.key == 0 {
                break;
            }
            pushed = line.insert(0, pushed);
        }
    }
}

impl<V: Copy> Line<V> {
    /// Puts a slot in here; answers the one that falls out at the end.
    #[inline]
    fn insert(&mut self, at: usize, slot: Slot<V>) -> Slot<V> {
        let last = self.0[SLOTS - 1];
        for to in (1..SLOTS).rev() {
            self.0[to] = if to > at { self.0[to - 1] } else { self.0[to] };
        }
        self.0[at] = slot;
        last
    }
}

/// Of so many lines, three of four slots: beyond, much is pushed on.
fn used_max(lines: usize) -> usize {
    lines.saturating_sub(TAIL) * (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Keys in few places, many of them in the last ones.
    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            1u64..40,
            any::<u64>().prop_map(|key| key | 1),
            any::<u8>().prop_map(|key| u64::MAX - u64::from(key))
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_map(
            steps in prop::collection::vec((key(), any::<u32>()), 0..300),
            bytes_max in 0usize..8_192,
        ) {
            let (mut table, mut map) = (Table::<u32>::default(), BTreeMap::new());
            for (key, value) in steps {
                if value % 64 == 0 {
                    table.retain(|value| *value % 3 == 0);
                    map.retain(|_, value| *value % 3 == 0);
                }
                if table.is_full() && table.grow(bytes_max) {
                    prop_assert!(table.bytes() <= bytes_max);
                }
                match table.get_or_insert(key) {
                    Some(held) => {
                        prop_assert_eq!(*held, map.get(&key).copied().unwrap_or_default());
                        *held = value;
                        map.insert(key, value);
                    }
                    None => prop_assert!(table.is_full() && !map.contains_key(&key)),
                }
                prop_assert_eq!(table.get(key), map.get(&key).copied());
                let near = (key ^ 2).max(1);
                prop_assert_eq!(table.get(near), map.get(&near).copied());
                prop_assert!(table.iter().eq(map.iter().map(|(&key, &value)| (key, value))));
            }
            prop_assert_eq!(table.len(), map.len());
        }
    }
}
