//! How long to wait before trying again: longer each time, and never all processes at once.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A collector may ask for no more patience than this.
const ASKED_MAX: Duration = Duration::from_secs(300);

#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Backoff { next: FIRST }
    }

    pub(crate) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next wait. `asked` is a `Retry-After`, which is never undercut; `jitter` is in 0..1.
    pub(crate) fn wait(&mut self, asked: Option<Duration>, jitter: f64) -> Duration {
        // Half of it is certain, half is chance.
        let own = self.next.mul_f64(0.5 + jitter / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        match asked.map(|asked| asked.min(ASKED_MAX)) {
            Some(asked) => own.max(asked.mul_f64(1.0 + jitter / 4.0)),
            None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_respect_what_is_asked() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..10).map(|_| backoff.wait(None, 1.0)).collect();
        assert_eq!(waits[0], FIRST);
        assert_eq!(waits[3], FIRST * 8);
        assert_eq!(waits[9], LONGEST);
        backoff.reset();
        assert_eq!(backoff.wait(None, 0.0), FIRST / 2);
        let asked = Duration::from_secs(7);
        for jitter in [0.0, 0.5, 1.0] {
            let wait = Backoff::new().wait(Some(asked), jitter);
            assert!(wait >= asked && wait <= asked.mul_f64(1.25), "{wait:?}");
        }
        let forever = Duration::from_secs(u64::MAX);
        assert!(backoff.wait(Some(forever), 1.0) <= ASKED_MAX.mul_f64(1.25));
    }
}
