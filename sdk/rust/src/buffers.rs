//! Buffers go round: a span is written into one, the ring carries it, the flusher empties it and lays it
//! here, the next span takes it. Each thread keeps a few at hand; the rest lie in a few pools, whose
//! locks are only tried: a thread that can have none of them allocates, and nobody waits.

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::bytes::Bytes;

/// Room for an ordinary span, so that a new buffer need not grow.
const FRESH_BYTES: usize = 512;
/// A buffer beyond this held an unusual span, and is not worth keeping.
const KEPT_BYTES_MAX: usize = 4096;
/// Buffers a thread keeps for itself.
const AT_HAND_MAX: usize = 32;
/// So many threads at once find a pool each.
const POOLS: usize = 8;
/// Buffers that stay in a pool though nobody needed them for a while: in all two batches' worth, half a
/// MiB, so that a service whose batches go slowly allocates nothing either.
const KEPT_MIN: usize = 1024 / POOLS;

thread_local! {
    static AT_HAND: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
    /// The pool that this thread looks into first. It goes round, as what is given back does: on top of
    /// each pool lie the buffers that were used last, which are in some cache.
    static FIRST: Cell<usize> = const { Cell::new(0) };
}

static ALL: [Mutex<Pool>; POOLS] = [const { Mutex::new(Pool::EMPTY) }; POOLS];

struct Pool {
    free: Vec<Bytes>,
    /// The fewest that lay here since the last trim: so many nobody needed.
    low_water: usize,
}

impl Pool {
    const EMPTY: Pool = Pool {
        free: Vec::new(),
        low_water: 0,
    };
}

/// An empty buffer.
#[inline]
pub(crate) fn take() -> Bytes {
    let at_hand = AT_HAND.try_with(|own| {
        let mut own = own.try_borrow_mut().ok()?;
        if own.is_empty() {
            refill(&mut own);
        }
        own.pop()
    });
    let found = at_hand.ok().flatten();
    found.unwrap_or_else(|| Bytes::with_room(FRESH_BYTES))
}

/// Gives one back, cleared.
#[inline]
pub(crate) fn give(buffer: Bytes) {
    if buffer.room() == 0 || buffer.room() > KEPT_BYTES_MAX {
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

/// Gives back what a batch was made of, a part to each pool.
pub(crate) fn give_all(buffers: &mut Vec<Bytes>) {
    for buffer in &mut *buffers {
        buffer.clear();
    }
    buffers.retain(|buffer| buffer.room() <= KEPT_BYTES_MAX);
    let part = buffers.len().div_ceil(POOLS);
    for mut pool in ALL.iter().filter_map(try_lock) {
        let from = buffers.len().saturating_sub(part);
        pool.free.extend(buffers.drain(from..));
    }
    // What is left of it found its pool taken; the next that is free has it.
    if let Some(mut pool) = ALL.iter().find_map(try_lock) {
        pool.free.append(buffers);
    }
    buffers.clear();
}

/// Frees a part of what nobody needed since the last call: memory grows with a burst, and goes in the
/// minutes after it.
pub(crate) fn trim() {
    for mut pool in ALL.iter().filter_map(try_lock) {
        let spare = (pool.low_water / 16).min(pool.free.len());
        let kept = (pool.free.len() - spare).max(KEPT_MIN);
        pool.free.truncate(kept);
        pool.low_water = pool.free.len();
    }
}

#[cold]
fn refill(own: &mut Vec<Bytes>) {
    own.reserve(AT_HAND_MAX);
    let first = FIRST.get();
    for number in (first..POOLS).chain(0..first) {
        let pool = ALL.get(number).and_then(try_lock);
        let Some(mut pool) = pool.filter(|pool| !pool.free.is_empty()) else {
            continue;
        };
        let from = pool.free.len().saturating_sub(AT_HAND_MAX / 2);
        own.extend(pool.free.drain(from..));
        pool.low_water = pool.low_water.min(from);
        return FIRST.set((number + 1) % POOLS);
    }
}

#[cold]
fn spill(own: &mut Vec<Bytes>) {
    let half = own.drain(AT_HAND_MAX / 2..);
    if let Some(mut pool) = ALL.iter().find_map(try_lock) {
        pool.free.extend(half);
    }
}

fn try_lock(pool: &Mutex<Pool>) -> Option<MutexGuard<'_, Pool>> {
    match pool.try_lock() {
        Ok(pool) => Some(pool),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
