//! The names in a head: learned from its batches when somebody asks, each batch once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tracewell_model::SpanBatch;

use super::HeadBatch;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct HeadNames {
    /// So many of the head's batches are in it.
    batches: usize,
    /// By service.
    operations: BTreeMap<String, BTreeSet<String>>,
}

impl HeadNames {
    /// The names in these batches of the head, which are all it had at some time: so many.
    pub(super) fn of<'a>(
        &mut self,
        batches: impl Iterator<Item = &'a Arc<HeadBatch>>,
        count: usize,
    ) -> &BTreeMap<String, BTreeSet<String>> {
        for batch in batches.skip(self.batches) {
            self.learn(&batch.batch);
        }
        self.batches = self.batches.max(count);
        &self.operations
    }

    fn learn(&mut self, batch: &SpanBatch) {
        let columns = batch.columns();
        let rows = columns.resource.iter().zip(&columns.operation);
        let mut pairs: Vec<(u32, u32)> = rows.map(|(&of, &operation)| (of, operation)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
            let resource = columns.resources.get(of_one[0].0 as usize);
            let service = resource.map_or("", |resource| columns.text.get(resource.service));
            if !self.operations.contains_key(service) {
                self.operations.insert(service.to_owned(), BTreeSet::new());
            }
            let Some(operations) = self.operations.get_mut(service) else {
                continue;
            };
            for &(_, operation) in of_one {
                let operation = columns.text.get(operation);
                if !operations.contains(operation) {
                    operations.insert(operation.to_owned());
                }
            }
        }
    }
}
