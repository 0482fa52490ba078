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
    fn of(word: u32) -> Slot {
        Slot {
            word,
            differences: 0,
        }
    }

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

    /// The template of a row with this operation and shape, told the words of its slots.
    #[inline]
    pub(super) fn note(&mut self, operation: u32, shape: u32, words: &[u32]) -> u32 {
        let head = self.of_operation.get(operation);
        let mut at = head;
        while let Some(template) = at {
            let known = &self.all[template as usize];
            if known.shape == shape {
                let slots = &mut self.slots[known.from as usize..][..words.len()];
                slots
                    .iter_mut()
                    .zip(words)
                    .for_each(|(slot, &word)| slot.note(word));
                return template;
            }
            at = known.next;
        }
        let template = self.all.len() as u32;
        self.all.push(Template {
            operation,
            shape,
            from: self.slots.len() as u32,
            width: words.len() as u32,
            next: head,
        });
        self.slots.extend(words.iter().map(|&word| Slot::of(word)));
        self.of_operation.set(operation, template);
        template
    }

    /// The slots of a template.
    pub(super) fn slots(&self, template: u32) -> &[Slot] {
        let template = &self.all[template as usize];
        &self.slots[template.from as usize..][..template.width as usize]
    }
}
