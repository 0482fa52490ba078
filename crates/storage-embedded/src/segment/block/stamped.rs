//! A map from small numbers to numbers that is emptied by counting on: a block knows some of the
//! run's values, and the next one others.

/// See the module.
#[derive(Debug)]
pub(super) struct Stamped {
    now: u32,
    /// When it was set and to what.
    slots: Vec<(u32, u32)>,
}

impl Default for Stamped {
    fn default() -> Self {
        Stamped {
            now: 1,
            slots: Vec::new(),
        }
    }
}

impl Stamped {
    /// Forgets everything; there is room for keys below `count`.
    pub(super) fn clear(&mut self, count: usize) {
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.slots.clear();
            self.now = 1;
        }
        self.reserve(count);
    }

    fn reserve(&mut self, count: usize) {
        if self.slots.len() < count {
            self.slots.resize(count.next_power_of_two(), (0, 0));
        }
    }

    #[inline]
    pub(super) fn get(&self, key: u32) -> Option<u32> {
        let &(when, value) = self.slots.get(key as usize)?;
        (when == self.now).then_some(value)
    }

    #[inline]
    pub(super) fn set(&mut self, key: u32, value: u32) {
        if self.slots.len() <= key as usize {
            self.reserve(key as usize + 1);
        }
        self.slots[key as usize] = (self.now, value);
    }
}
