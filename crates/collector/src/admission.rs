//! The budget of bodies in flight. A request holds a [`Permit`] from its head to its answer and
//! charges each byte it brings in; nothing queues here: what does not fit is told so at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::refusal::{Cause, Refusal};

/// Bytes and requests in flight, and their caps.
#[derive(Debug)]
pub(crate) struct Admission {
    bytes: AtomicUsize,
    bytes_max: usize,
    requests: AtomicUsize,
    requests_max: usize,
    retry_after_s: u32,
    /// Why nobody is let in, each true or not.
    held: [AtomicBool; Hold::ALL.len()],
}

/// Why every request is answered 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The store is too far behind: what is acknowledged is to stay near what is found.
    Backlog,
    /// The process has no more memory to give.
    Memory,
}

impl Hold {
    const ALL: [Hold; 2] = [Hold::Backlog, Hold::Memory];

    fn said(self) -> &'static str {
        match self {
            Hold::Backlog => "the store is behind what was acknowledged; try again later",
            Hold::Memory => "memory_bytes_max is in use; try again later",
        }
    }
}

/// One admitted request and what it has charged; gives all of it back when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    charged: usize,
}

impl Admission {
    pub(crate) fn new(bytes_max: usize, requests_max: usize, retry_after_s: u32) -> Arc<Self> {
        Arc::new(Admission {
            bytes: AtomicUsize::new(0),
            bytes_max,
            requests: AtomicUsize::new(0),
            requests_max,
            retry_after_s,
            held: Default::default(),
        })
    }

    /// Lets a request in that says it will bring this many bytes. They are not charged yet: a
    /// sender that promises much and sends nothing must not take the room of others.
    pub(crate) fn admit(self: &Arc<Self>, announced_bytes: usize) -> Result<Permit, Refusal> {
        for why in Hold::ALL {
            self.check(why)?;
        }
        if announced_bytes > self.available_bytes() {
            return Err(self.full("bytes"));
        }
        if !add_below(&self.requests, 1, self.requests_max) {
            return Err(self.full("requests"));
        }
        Ok(Permit {
            admission: Arc::clone(self),
            charged: 0,
        })
    }

    /// Lets nobody in for this reason, or no longer.
    pub(crate) fn hold(&self, why: Hold, is_held: bool) {
        self.held[why as usize].store(is_held, Ordering::Relaxed);
    }

    fn check(&self, why: Hold) -> Result<(), Refusal> {
        match self.held[why as usize].load(Ordering::Relaxed) {
            true => Err(Refusal::retry(
                Cause::Overloaded,
                why.said(),
                self.retry_after_s,
            )),
            false => Ok(()),
        }
    }

    pub(crate) fn in_flight_bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight_requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn available_bytes(&self) -> usize {
        self.bytes_max.saturating_sub(self.in_flight_bytes())
    }

    pub(crate) fn full(&self, what: &str) -> Refusal {
        let message = format!("too many {what} in flight; try again later");
        Refusal::retry(Cause::Overloaded, message, self.retry_after_s)
    }
}

impl Permit {
    /// Charges bytes that this request now holds. One that was let in before memory was full grows
    /// no further.
    pub(crate) fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.admission.check(Hold::Memory)?;
        if !add_below(&self.admission.bytes, bytes, self.admission.bytes_max) {
            return Err(self.admission.full("bytes"));
        }
        self.charged += bytes;
        Ok(())
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission
            .bytes
            .fetch_sub(self.charged, Ordering::Relaxed);
        self.admission.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Adds unless the sum would exceed the cap.
fn add_below(counter: &AtomicUsize, by: usize, max: usize) -> bool {
    let add = |held: usize| held.checked_add(by).filter(|&sum| sum <= max);
    counter
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_says_when_to_come_again() {
        let admission = Admission::new(100, 2, 7);
        for why in Hold::ALL {
            admission.hold(why, true);
            let refusal = admission.admit(0).unwrap_err();
            assert_eq!(
                (refusal.cause, refusal.retry_after_s),
                (Cause::Overloaded, Some(7))
            );
            admission.hold(why, false);
            assert!(admission.admit(0).is_ok());
        }
    }

    #[test]
    fn a_body_on_its_way_in_grows_no_further_when_memory_is_full() {
        let admission = Admission::new(100, 2, 7);
        let mut permit = admission.admit(60).unwrap();
        permit.charge(30).unwrap();
        admission.hold(Hold::Backlog, true);
        permit.charge(1).unwrap();
        admission.hold(Hold::Memory, true);
        assert!(permit.charge(1).is_err());
    }

    #[test]
    fn what_is_charged_comes_back() {
        let admission = Admission::new(100, 2, 7);
        let mut first = admission.admit(60).unwrap();
        first.charge(60).unwrap();
        let refusal = admission.admit(41).unwrap_err();
        assert_eq!(
            (refusal.cause, refusal.retry_after_s),
            (Cause::Overloaded, Some(7))
        );
        let mut second = admission.admit(40).unwrap();
        second.charge(40).unwrap();
        assert!(second.charge(1).is_err());
        assert!(admission.admit(0).is_err(), "two requests are the cap");
        drop(first);
        assert_eq!(
            (admission.in_flight_bytes(), admission.in_flight_requests()),
            (40, 1)
        );
        drop(second);
        assert_eq!(
            (admission.in_flight_bytes(), admission.in_flight_requests()),
            (0, 0)
        );
    }

    #[test]
    fn an_announcement_alone_takes_no_room() {
        let admission = Admission::new(100, 10, 1);
        let _silent = admission.admit(100).unwrap();
        assert!(admission.admit(100).is_ok());
    }
}
