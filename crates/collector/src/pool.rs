//! Room that is used again. What costs CPU in a request is fresh memory: the kernel clears each page of
//! it. So what one request leaves, warm, the next one takes.

use std::sync::{Mutex, PoisonError};

/// Things that are not in use.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    idle: Mutex<Vec<T>>,
    idle_max: usize,
}

impl<T> Pool<T> {
    /// An empty pool that keeps up to so many.
    pub(crate) fn new(idle_max: usize) -> Pool<T> {
        Pool {
            idle: Mutex::default(),
            idle_max,
        }
    }

    /// The one that was used last: it is the warmest.
    pub(crate) fn take(&self) -> Option<T> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop()
    }

    /// Keeps it for the next, if there is room.
    pub(crate) fn give_back(&self, thing: T) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.idle_max {
            idle.push(thing);
        }
    }
}
