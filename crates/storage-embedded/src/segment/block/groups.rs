//! Brings equal keys together: rows of one batch, and of one shape, are worked on together.

use std::ops::Range;

use super::stamped::Stamped;

/// See the module. A counting sort over the keys that are there.
#[derive(Debug, Default)]
pub(super) struct Groups {
    group_of: Stamped,
    keys: Vec<u32>,
    ends: Vec<u32>,
    order: Vec<u32>,
}

impl Groups {
    /// Groups the positions of these keys, all below `bound`.
    pub(super) fn group(&mut self, keys: impl Iterator<Item = u32> + Clone, bound: usize) {
        self.group_of.clear(bound);
        self.keys.clear();
        self.ends.clear();
        let mut count = 0;
        for key in keys.clone() {
            let group = match self.group_of.get(key) {
                Some(group) => group,
                None => {
                    let group = self.keys.len() as u32;
                    self.group_of.set(key, group);
                    self.keys.push(key);
                    self.ends.push(0);
                    group
                }
            };
            self.ends[group as usize] += 1;
            count += 1;
        }
        // `ends` becomes each group's start, and its end once all positions are placed.
        let mut before = 0;
        for end in &mut self.ends {
            before += std::mem::replace(end, before);
        }
        self.order.resize(count, 0);
        for (position, key) in (0u32..).zip(keys) {
            let group = self.group_of.get(key).unwrap_or(0);
            let end = &mut self.ends[group as usize];
            self.order[*end as usize] = position;
            *end += 1;
        }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// A group's key, and its positions in `order`.
    pub(super) fn get(&self, group: usize) -> (u32, Range<usize>) {
        let from = group.checked_sub(1).map_or(0, |before| self.ends[before]);
        (self.keys[group], from as usize..self.ends[group] as usize)
    }

    /// The positions, group by group, rising in each.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }
}
