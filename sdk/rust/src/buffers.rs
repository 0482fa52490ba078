//! Buffers go round: a span is written into one, the ring carries it, the flusher empties it and lays it
//! here, the next span takes it. Each thread keeps a few at hand; the rest lie in one pool whose lock
//! is only tried, so a thread that cannot have it allocates, and nobody waits.

use std::cell::RefCell;
use std::sync::{Mutex, TryLockError};

/// Room for an ordinary span, so that a new buffer need not grow.
const FRESH_BYTES: usize = 512;
/// A buffer beyond this held an unusual span, and is not worth keeping.
const KEPT_BYTES_MAX: usize = 4096;
/// Buffers that stay in the pool though nobody needed them for a while: two batches' worth, half a MiB,
/// so that a service whose batches go slowly allocates nothing either.
const KEPT_MIN: usize = 1024;
/// How often the flusher tries for the pool; it has time.
const TRIES: usize = 100;
/// Buffers a thread keeps for itself.
const AT_HAND_MAX: usize = 32;

thread_local! {
    static AT_HAND: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    free: Vec::new(),
    low_water: 0,
});

struct Pool {
    free: Vec<Vec<u8>>,
    /// The fewest that lay here since the last trim: so many nobody needed.
    low_water: usize,
}

/// An empty buffer.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    let at_hand = AT_HAND.try_with(|own| {
        let mut own = own.try_borrow_mut().ok()?;
        if own.is_empty() {
            refill(&mut own);
        }
        own.pop()
    });
    let found = at_hand.ok().flatten();
    found.unwrap_or_else(|| Vec::with_capacity(FRESH_BYTES))
}

/// Gives one back, cleared.
#[inline]
pub(crate) fn give(buffer: Vec<u8>) {
    if buffer.capacity() == 0 || buffer.capacity() > KEPT_BYTES_MAX {
        return;
    }
    let _thread_is_ending = AT_HAND.try_with(|own| {
        if let Ok(mut own) = own.try_borrow_mut() {
            if own.len() == AT_HAND_MAX {
                spill(&mut own);
            }
            own.push(buffer);
        }
    });
}

/// Gives back what a batch was made of.
pub(crate) fn give_all(buffers: impl Iterator<Item = Vec<u8>>) {
    let tries = std::iter::repeat_with(|| pool().or_else(yield_once)).take(TRIES);
    let Some(mut pool) = tries.flatten().next() else {
        return;
    };
    pool.free.extend(buffers.filter_map(|mut buffer| {
        buffer.clear();
        (buffer.capacity() <= KEPT_BYTES_MAX).then_some(buffer)
    }));
}

/// Frees a part of what nobody needed since the last call: memory grows with a burst, and goes in the
/// minutes after it.
pub(crate) fn trim() {
    let Some(mut pool) = pool() else { return };
    let spare = (pool.low_water / 16).min(pool.free.len());
    let kept = (pool.free.len() - spare).max(KEPT_MIN);
    pool.free.truncate(kept);
    pool.low_water = pool.free.len();
}

#[cold]
fn refill(own: &mut Vec<Vec<u8>>) {
    own.reserve(AT_HAND_MAX);
    if let Some(mut pool) = pool() {
        let from = pool.free.len().saturating_sub(AT_HAND_MAX / 2);
        own.extend(pool.free.drain(from..));
        pool.low_water = pool.low_water.min(from);
    }
}

#[cold]
fn spill(own: &mut Vec<Vec<u8>>) {
    let half = own.drain(AT_HAND_MAX / 2..);
    if let Some(mut pool) = pool() {
        pool.free.extend(half);
    }
}

fn yield_once<T>() -> Option<T> {
    std::thread::yield_now();
    None
}

fn pool() -> Option<std::sync::MutexGuard<'static, Pool>> {
    match POOL.try_lock() {
        Ok(pool) => Some(pool),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
