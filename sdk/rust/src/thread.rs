//! Numbers the threads, in the order in which they first end a span: what is kept several times, so that
//! threads do not meet, is chosen by it.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static NUMBER: Cell<usize> = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Cell::new(NEXT.fetch_add(1, Ordering::Relaxed))
    };
}

/// This thread's number; while it ends, that of the first one.
#[inline]
pub(crate) fn number() -> usize {
    NUMBER.try_with(Cell::get).unwrap_or(0)
}
