//! Classes: distinct combinations of what spans have but hardly differ in.

use hashbrown::HashMap;

use super::layout::class;

/// The fields of a class, as words.
pub(super) type Class = [u32; class::COUNT];

/// The fields of a row's class as its batch has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RawClass {
    pub(super) message: u32,
    pub(super) scope: u32,
    pub(super) flags: u32,
    pub(super) events: u32,
    pub(super) marks: u16,
    pub(super) kind: u8,
    pub(super) status: u8,
}

impl RawClass {
    /// Where in the cache it is looked for.
    #[inline]
    fn slot(self) -> usize {
        let mixed = self.scope
            ^ self.message.rotate_left(3)
            ^ self.events.rotate_left(6)
            ^ u32::from(self.kind) << 1
            ^ u32::from(self.status) << 4;
        mixed as usize % CACHED
    }
}

/// Classes of one batch that are remembered; it rarely has more.
const CACHED: usize = 64;

/// The classes of a block.
#[derive(Debug)]
pub(super) struct Classes {
    pub(super) classes: Vec<Class>,
    position_of: HashMap<Class, u32>,
    /// What raw classes of the present batch are; stamped with the batch.
    cache: [(u32, RawClass, u32); CACHED],
    batch: u32,
}

impl Default for Classes {
    fn default() -> Self {
        Classes {
            classes: Vec::new(),
            position_of: HashMap::new(),
            cache: [(0, RawClass::default(), 0); CACHED],
            batch: 0,
        }
    }
}

impl Classes {
    pub(super) fn clear(&mut self) {
        self.classes.clear();
        self.position_of.clear();
    }

    /// Forgets the raw classes of the batch before.
    pub(super) fn begin_batch(&mut self) {
        self.batch = self.batch.wrapping_add(1);
        if self.batch == 0 {
            self.cache = [(0, RawClass::default(), 0); CACHED];
            self.batch = 1;
        }
    }

    /// The class of a raw one, if it was met in this batch.
    #[inline]
    pub(super) fn known(&self, raw: RawClass) -> Option<u32> {
        let (batch, known, class) = self.cache[raw.slot()];
        (batch == self.batch && known == raw).then_some(class)
    }

    /// Takes in what a raw class is.
    pub(super) fn learn(&mut self, raw: RawClass, class: Class) -> u32 {
        let next = self.classes.len() as u32;
        let at = *self.position_of.entry(class).or_insert(next);
        if at == next {
            self.classes.push(class);
        }
        self.cache[raw.slot()] = (self.batch, raw, at);
        at
    }
}
