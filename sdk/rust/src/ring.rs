//! Blocks of ended spans, bounded, drop-oldest, never waiting.
//!
//! A push takes a ticket (one `fetch_add`); ticket modulo capacity names its slot, so a push onto a full
//! ring lands on the oldest block and overwrites it: dropping the oldest needs no second queue end.
//! A slot is a mutex that is only ever *tried*. It is contended only when a thread lost its processor
//! inside the few instructions of a swap while the others ran a whole lap, or while the flusher empties
//! that very slot; the pusher then takes the next ticket. So no thread, whatever happens to
//! another, does more than a bounded number of steps: stronger than a lock-free queue, whose
//! pushers wait for a preempted one to publish its slot. And it is all safe code.
//!
//! The flusher takes slots in ticket order. A ticket whose thread has not arrived yet is remembered
//! and looked at again. Every block pushed is in exactly one of three accounts: drained, lost
//! (told to the pusher that caused it), or still here. `tests/queue_loom.rs` checks that in all
//! interleavings of a small ring.

use std::cmp::Ordering as CmpOrdering;
use std::sync::TryLockError;

use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering};

/// Tickets a push tries before it gives its block up. One is enough nearly always; to need them all,
/// as many threads must have been stopped inside a swap, on successive slots.
const TICKETS_MAX: u32 = 8;
/// Old blocks a push gives up at most to make room in memory, which bounds its time.
const SHED_MAX: u32 = 32;
/// Tickets remembered whose threads had not arrived. A block behind a forgotten one is found a lap later.
const LATE_MAX: usize = 1024;

/// What the ring carries. The default is nothing.
pub(crate) trait Load: Default {
    fn is_empty(&self) -> bool;
    /// What it takes in memory.
    fn room(&self) -> usize;
    /// Makes it hold nothing.
    fn clear(&mut self);
}

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    slots: Box<[Lined<Mutex<Slot<T>>>]>,
    ends: Ends,
}

/// On a cache line of its own: threads with successive tickets must not meet on one.
#[derive(Debug)]
#[repr(align(64))]
struct Lined<T>(T);

/// What all pushers write, away from what they only read.
#[derive(Debug)]
#[repr(align(128))]
struct Ends {
    /// The next ticket.
    tail: AtomicU64,
    /// Memory of the buffers held.
    bytes: AtomicUsize,
    bytes_max: usize,
    /// The oldest ticket that neither the flusher nor a pusher short of memory has claimed.
    head: AtomicU64,
    /// Loads of earlier tickets belong to the parent process.
    floor: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot<T> {
    ticket: u64,
    load: T,
}

/// Why a load was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The ring was full and this was its oldest.
    Full,
    /// The ring's loads took too much memory and this was the oldest, or alone too big.
    Memory,
    /// No slot could be had within the bounded number of tries.
    Contended,
}

/// The flusher's memory of tickets that it has to look at again.
#[derive(Debug, Default)]
pub(crate) struct Late(Vec<u64>);

/// What a ticket's slot held.
enum Found {
    /// This ticket's load.
    Own,
    /// The load of a ticket that came so late that it was passed over; this one's is yet to come.
    Older,
    /// Its thread has its ticket and not yet its slot.
    NotYet,
    /// Taken, overwritten, or never coming.
    Gone,
}

impl Late {
    fn remember(&mut self, ticket: u64) {
        if self.0.len() == LATE_MAX {
            self.0.remove(0);
        }
        self.0.push(ticket);
    }
}

impl<T: Load> Ring<T> {
    /// A ring of so many slots that holds so much memory at most.
    pub(crate) fn new(loads_max: usize, bytes_max: usize) -> Self {
        let loads_max = loads_max.max(1);
        let slots: Box<[_]> = (0..loads_max)
            .map(|_| Lined(Mutex::new(Slot::default())))
            .collect();
        let first = slots.len() as u64; // so that a slot's first ticket is above its initial 0
        Ring {
            slots,
            ends: Ends {
                tail: AtomicU64::new(first),
                bytes: AtomicUsize::new(0),
                bytes_max,
                head: AtomicU64::new(first),
                floor: AtomicU64::new(first),
            },
        }
    }

    /// Leaves the load here, and in its place that of the slot: the one it overwrote, or nothing. A load that
    /// cannot be taken stays where it is. Tells of every one that is lost by it.
    pub(crate) fn push(&self, load: &mut T, mut lost: impl FnMut(Loss, &T)) {
        let memory = load.room();
        if !self.has_room(memory) && !self.make_room(memory, &mut lost) {
            return lost(Loss::Memory, load);
        }
        for _ in 0..TICKETS_MAX {
            let ticket = self.ends.tail.fetch_add(1, Ordering::Relaxed);
            let Some(mut slot) = try_lock(self.slot(ticket)) else {
                continue;
            };
            if slot.ticket > ticket {
                break; // we slept a whole lap: by now ours is the older one
            }
            let before = std::mem::replace(&mut slot.ticket, ticket);
            std::mem::swap(&mut slot.load, load);
            drop(slot);
            let pushed_out = !load.is_empty() && before >= self.floor();
            self.account(memory, if pushed_out { load.room() } else { 0 });
            if pushed_out {
                lost(Loss::Full, load);
            }
            return;
        }
        lost(Loss::Contended, load);
    }

    /// Loads of one size come and go in a full ring: mostly there is nothing to write.
    fn account(&self, came: usize, went: usize) {
        if came > went {
            self.ends.bytes.fetch_add(came - went, Ordering::Relaxed);
        } else if went > came {
            self.ends.bytes.fetch_sub(went - came, Ordering::Relaxed);
        }
    }

    fn floor(&self) -> u64 {
        self.ends.floor.load(Ordering::Relaxed)
    }

    fn has_room(&self, memory: usize) -> bool {
        self.ends
            .bytes
            .load(Ordering::Relaxed)
            .saturating_add(memory)
            <= self.ends.bytes_max
    }

    #[cold]
    fn make_room(&self, memory: usize, lost: &mut impl FnMut(Loss, &T)) -> bool {
        for _ in 0..SHED_MAX {
            let Some(ticket) = self.claim_oldest() else {
                break;
            };
            self.find(ticket, &mut |load| lost(Loss::Memory, load));
            if self.has_room(memory) {
                return true;
            }
        }
        false
    }

    /// Shows up to so many loads, oldest first, to who takes out what they hold. Call from one thread at a time.
    pub(crate) fn drain(&self, late: &mut Late, loads_max: usize, mut each: impl FnMut(&mut T)) {
        let lapped = self.lap_ago();
        let mut left = loads_max;
        late.0.retain(|&ticket| {
            if left == 0 {
                return true;
            }
            match self.find(ticket, &mut each) {
                Found::Own => {
                    left -= 1;
                    false
                }
                Found::Older => {
                    left -= 1;
                    ticket >= lapped
                }
                Found::NotYet => ticket >= lapped,
                Found::Gone => false,
            }
        });
        while left > 0 {
            let Some(ticket) = self.claim_oldest() else {
                return;
            };
            match self.find(ticket, &mut each) {
                Found::Own => left -= 1,
                Found::Older => {
                    left -= 1;
                    late.remember(ticket);
                }
                Found::NotYet => late.remember(ticket),
                Found::Gone => {}
            }
        }
    }

    /// Takes what is in any slot, in no order: the last look before the end.
    pub(crate) fn sweep(&self, mut each: impl FnMut(&mut T)) {
        for Lined(slot) in &self.slots {
            if let Some(mut slot) = try_lock(slot)
                && !slot.load.is_empty()
                && slot.ticket >= self.floor()
            {
                self.empty(&mut slot, &mut each);
            }
        }
    }

    /// Tickets that may carry a load: an upper bound of what a drain would find.
    pub(crate) fn queued(&self) -> u64 {
        self.ends
            .tail
            .load(Ordering::Relaxed)
            .saturating_sub(self.oldest())
    }

    /// Forgets all loads: they belong to the parent of this process, who sends or counts them.
    pub(crate) fn abandon(&self) {
        let tail = self.ends.tail.load(Ordering::Relaxed);
        self.ends.floor.store(tail, Ordering::Relaxed);
        self.ends.head.store(tail, Ordering::Relaxed);
        self.ends.bytes.store(0, Ordering::Relaxed);
    }

    /// The oldest ticket that is neither claimed nor overwritten.
    fn oldest(&self) -> u64 {
        let head = self.ends.head.load(Ordering::Relaxed);
        head.max(self.lap_ago())
    }

    /// Tickets before this have been overwritten, or will be by those who have newer ones.
    fn lap_ago(&self) -> u64 {
        let tail = self.ends.tail.load(Ordering::Relaxed);
        tail.saturating_sub(self.slots.len() as u64)
    }

    fn claim_oldest(&self) -> Option<u64> {
        for _ in 0..TICKETS_MAX {
            let head = self.ends.head.load(Ordering::Relaxed);
            let oldest = self.oldest().max(head);
            if oldest >= self.ends.tail.load(Ordering::Relaxed) {
                return None;
            }
            let claim = self.ends.head.compare_exchange(
                head,
                oldest + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            if claim.is_ok() {
                return Some(oldest);
            }
        }
        None
    }

    /// Shows this ticket's load, or an older one in its place.
    fn find(&self, ticket: u64, each: &mut impl FnMut(&mut T)) -> Found {
        let Some(mut slot) = try_lock(self.slot(ticket)) else {
            return Found::NotYet;
        };
        let held = slot.ticket;
        let nothing = slot.load.is_empty() || held < self.floor();
        let found = match held.cmp(&ticket) {
            CmpOrdering::Less if nothing => return Found::NotYet,
            CmpOrdering::Less => Found::Older,
            CmpOrdering::Equal if !nothing => Found::Own,
            CmpOrdering::Equal | CmpOrdering::Greater => return Found::Gone,
        };
        self.empty(&mut slot, each);
        found
    }

    fn empty(&self, slot: &mut Slot<T>, each: &mut impl FnMut(&mut T)) {
        self.account(0, slot.load.room());
        each(&mut slot.load);
        slot.load.clear();
    }

    fn slot(&self, ticket: u64) -> &Mutex<Slot<T>> {
        let position = ticket % self.slots.len() as u64;
        &self.slots[position as usize].0
    }
}

#[inline]
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<crate::sync::MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        // Nothing in a guarded section panics; if it did, the slot would still be whole.
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
