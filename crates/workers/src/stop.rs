//! The signal that tells workers to finish, and on which they wait instead of sleeping.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Set once, seen by all clones.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    inner: Arc<(Mutex<bool>, Condvar)>,
}

impl Stop {
    /// A signal that is not set.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Sets it and wakes everyone who waits.
    pub fn set(&self) {
        let (set, woken) = &*self.inner;
        *set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        woken.notify_all();
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        *self.inner.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for it, this long at most; answers whether it is set.
    pub fn wait(&self, at_most: Duration) -> bool {
        let (set, woken) = &*self.inner;
        let set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = woken.wait_timeout_while(set, at_most, |set| !*set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
