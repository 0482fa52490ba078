//! Where the spans at hand lie, by their ids: a direct-mapped table, small enough for the nearest
//! cache. Of two ids that fall together the later one stays; the window itself knows both.

use tracewell_model::SpanId;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Local {
    rows: Vec<u16>,
}

const NONE: u16 = u16::MAX;

impl Local {
    /// Forgets everything; room for so many spans.
    pub(super) fn begin(&mut self, spans: usize) {
        self.rows.clear();
        self.rows
            .resize((spans * 2).next_power_of_two().min(1 << 14), NONE);
    }

    /// Notes the row of a span, or that its id is not to be found here.
    #[inline]
    pub(super) fn note(&mut self, id: SpanId, row: usize, found: bool) {
        let slot = self.slot(id);
        self.rows[slot] = match u16::try_from(row) {
            Ok(row) if found => row,
            _ => NONE,
        };
    }

    /// The row of a span that may have this id.
    #[inline]
    pub(super) fn row(&self, id: SpanId) -> Option<usize> {
        let row = self.rows[self.slot(id)];
        (row != NONE).then_some(usize::from(row))
    }

    #[inline]
    fn slot(&self, id: SpanId) -> usize {
        let mixed = u64::from_le_bytes(id.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 48) as usize & (self.rows.len() - 1)
    }
}
