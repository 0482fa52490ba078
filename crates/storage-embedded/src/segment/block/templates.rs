//! Templates: the operations of a block, each with a shape, and which of their slots vary.

use super::stamped::Stamped;

/// An operation with a shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    /// A word of `fixed::OPERATION`.
    pub(super) operation: u32,
    /// The block's number of its shape.
    pub(super) shape: u32,
    /// Where its slots are in `slots`.
    pub(super) from: u32,
    width: u32,
    /// The next template of the operation.
    next: Option<u32>,
}

/// A slot of a template.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    /// Of some row of the template; the word of all of them if it does not vary.
    pub(super) word: u32,
    differences: u32,
}

impl Slot {
    /// No word: the next one noted stands in.
    const NEW: Slot = Slot {
        word: 0,
        differences: 0,
    };

    pub(super) fn varies(self) -> bool {
        self.differences != 0
    }

    /// Notes the word of a row.
    #[inline]
    pub(super) fn note(&mut self, word: u32) {
        self.differences |= self.word ^ word;
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Templates {
    pub(super) all: Vec<Template>,
    pub(super) slots: Vec<Slot>,
    of_operation: Stamped,
}

impl Templates {
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.slots.clear();
        self.of_operation.clear(0);
    }

    /// The template of this operation and shape, and whether it is new: then its slots are to be
    /// filled with the words of a row.
    #[inline]
    pub(super) fn find(&mut self, operation: u32, shape: u32, width: usize) -> (u32, bool) {
        let head = self.of_operation.get(operation);
        let mut at = head;
        while let Some(template) = at {
            let known = &self.all[template as usize];
            if known.shape == shape {
                return (template, false);
            }
            at = known.next;
        }
        let template = self.all.len() as u32;
        self.all.push(Template {
            operation,
            shape,
            from: self.slots.len() as u32,
            width: width as u32,
            next: head,
        });
        self.slots.resize(self.slots.len() + width, Slot::NEW);
        self.of_operation.set(operation, template);
        (template, true)
    }

    /// The slots of a template.
    pub(super) fn slots(&self, template: u32) -> &[Slot] {
        let template = &self.all[template as usize];
        &self.slots[template.from as usize..][..template.width as usize]
    }
}
