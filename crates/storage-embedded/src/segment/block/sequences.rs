//! The columns of a block as lists of words, each in one order: the values of resources, of scopes,
//! of classes, of the templates' constant slots, then of the rows' varying ones.

use super::gather::Gather;
use super::layout::{column, has_bytes, lane};
use crate::segment::values::{Origin, RunValues};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    /// By column; those beyond the block's last are kept for their memory.
    columns: Vec<Vec<u32>>,
    /// (slot, column) of the varying slots, template by template.
    varying: Vec<(u32, u32)>,
    /// Where each template's begin in `varying`, and where the last one's end.
    varying_from: Vec<u32>,
}

impl Sequences {
    pub(super) fn column(&self, column: usize) -> &[u32] {
        &self.columns[column]
    }

    /// Makes them of what was gathered; `order` is that of the templates.
    pub(super) fn fill(&mut self, gather: &mut Gather, order: &[u32], values: &RunValues<'_>) {
        let count = column::ATTRIBUTES + gather.locals.columns.len();
        if self.columns.len() < count {
            self.columns.resize(count, Vec::new());
        }
        self.columns.iter_mut().for_each(Vec::clear);
        for at in 0..gather.locals.resources.len() {
            let origin = values.resource(gather.locals.resources[at]);
            self.origin(gather, origin, 2, values);
        }
        for at in 0..gather.locals.scopes.len() {
            let origin = values.scope(gather.locals.scopes[at]);
            self.origin(gather, origin, 3, values);
        }
        for class in &gather.classes.classes {
            for (column, &word) in self.columns[column::CLASSES..].iter_mut().zip(class) {
                column.push(word);
            }
        }
        self.templates(gather, order);
        self.rows(gather);
    }

    fn origin(
        &mut self,
        gather: &mut Gather,
        origin: &Origin,
        names: usize,
        values: &RunValues<'_>,
    ) {
        self.columns[column::NAME].extend(&origin.names[..names]);
        self.columns[column::OPAQUE].push(origin.rest);
        let shape = gather.locals.shape(origin.shape, values);
        for (slot, &value) in origin.values.iter().enumerate() {
            let column = gather.locals.columns_of(shape)[slot] as usize;
            let run_column = gather.locals.columns[column - column::ATTRIBUTES];
            let word = if has_bytes(values.column(run_column).value_type) {
                value as u32
            } else {
                gather.wide.word(value)
            };
            self.columns[column].push(word);
        }
    }

    fn templates(&mut self, gather: &Gather, order: &[u32]) {
        let templates = &gather.templates;
        for &template in order {
            let operation = templates.all[template as usize].operation;
            self.columns[column::OPERATION].push(operation);
            for (column, slot) in columns_of(gather, template).zip(templates.slots(template)) {
                if !slot.varies() {
                    self.columns[column as usize].push(slot.word);
                }
            }
        }
        self.varying.clear();
        self.varying_from.clear();
        self.varying_from.push(0);
        for template in 0..templates.all.len() as u32 {
            let columns = (0u32..).zip(columns_of(gather, template));
            for (slot, column) in columns.zip(templates.slots(template)) {
                if column.varies() {
                    self.varying.push(slot);
                }
            }
            self.varying_from.push(self.varying.len() as u32);
        }
    }

    fn rows(&mut self, gather: &Gather) {
        for row in &gather.rows {
            let template = row.template as usize;
            let (from, to) = (self.varying_from[template], self.varying_from[template + 1]);
            for &(slot, column) in &self.varying[from as usize..to as usize] {
                let word = gather.words[row.at(slot as usize)];
                self.columns[column as usize].push(word);
            }
        }
    }
}

/// The column of each slot of a template.
fn columns_of(gather: &Gather, template: u32) -> impl Iterator<Item = u32> + '_ {
    let lanes = column::LANES as u32..(column::LANES + lane::COUNT) as u32;
    let shape = gather.templates.all[template as usize].shape;
    lanes.chain(gather.locals.columns_of(shape).iter().copied())
}
