//! The scan in memory: arrivals in their order.

use super::store::{Arrival, MemoryStore, searched};
use crate::context::ReadContext;
use crate::error::Error;
use crate::scan::{Each, ScanQuery, Scanned, SpanScanner};

impl SpanScanner for MemoryStore {
    fn scan_spans(
        &self,
        query: &ScanQuery,
        context: &ReadContext,
        each: Each<'_>,
    ) -> Result<Scanned, Error> {
        let mut scanned = Scanned {
            searched: searched(),
            ..Scanned::default()
        };
        for Arrival { batch, .. } in self.arrivals() {
            context.check()?;
            scanned.searched.head_spans += batch.len() as u64;
            let rows = query.rows(&batch, 0..batch.len() as u32);
            if rows.is_empty() {
                continue;
            }
            scanned.spans += rows.len() as u64;
            if each(&batch, &rows).is_break() {
                break;
            }
        }
        Ok(scanned)
    }
}
