//! What the engine does when memory is tight (D15): heads shrink first.

use std::sync::atomic::Ordering;

use super::Engine;

/// While memory is tight a head is sealed at this part of its size, and a merge writes runs of this part
/// anew: what a seal or a merge takes beside them shrinks as much.
const TIGHT_PART: u64 = 4;

impl Engine {
    /// Whether memory is tight: then heads are sealed at a part of their size, and nothing is kept
    /// that can be read again.
    pub fn set_tight(&self, is_tight: bool) {
        self.is_tight.store(is_tight, Ordering::Relaxed);
        if is_tight {
            self.cache.clear();
        }
    }

    /// By what sizes are divided now.
    pub(super) fn tight_part(&self) -> u64 {
        match self.is_tight.load(Ordering::Relaxed) {
            true => TIGHT_PART,
            false => 1,
        }
    }

    pub(super) fn is_head_full(&self) -> bool {
        let part = self.tight_part();
        let (spans, bytes) = self.view.load().head.size();
        spans >= self.options.head_spans_max / part || bytes >= self.options.head_bytes_max / part
    }
}
