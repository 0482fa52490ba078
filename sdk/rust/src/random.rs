//! Random bits for ids, a generator a thread. Two independent streams make 128 bits of state, so that
//! the sequences of a fleet's many threads do not run into each other; a forked child starts
//! anew, or it would repeat its parent's ids.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::{clock, fork};

struct Streams {
    generation: u64,
    high: fastrand::Rng,
    low: fastrand::Rng,
}

thread_local! {
    static STREAMS: RefCell<Option<Streams>> = const { RefCell::new(None) };
}

/// 64 random bits that are not all zero.
#[inline]
pub(crate) fn nonzero_u64() -> u64 {
    with_streams(|streams| nonzero(|| streams.low.u64(..)))
}

/// 128 random bits, neither half all zero, and 64 more: a root's trace id and span id.
#[inline]
pub(crate) fn root_ids() -> ((u64, u64), u64) {
    with_streams(|streams| {
        let high = nonzero(|| streams.high.u64(..));
        let low = nonzero(|| streams.low.u64(..));
        ((high, low), nonzero(|| streams.low.u64(..)))
    })
}

/// A fraction in 0..1, for jitter.
pub(crate) fn fraction() -> f64 {
    with_streams(|streams| streams.low.f64())
}

#[inline]
fn nonzero(mut draw: impl FnMut() -> u64) -> u64 {
    match draw() {
        0 => 1, // once in 2^64
        bits => bits,
    }
}

#[inline]
fn with_streams<T>(draw: impl Fn(&mut Streams) -> T) -> T {
    let now = fork::generation();
    let drawn = STREAMS.try_with(|slot| {
        let mut slot = slot.try_borrow_mut().ok()?;
        match &mut *slot {
            Some(streams) if streams.generation == now => Some(draw(streams)),
            stale => Some(draw(stale.insert(seeded(now)))),
        }
    });
    // While a thread ends its storage may be gone: fresh streams then, for this one draw.
    drawn
        .ok()
        .flatten()
        .unwrap_or_else(|| draw(&mut seeded(now)))
}

#[cold]
fn seeded(generation: u64) -> Streams {
    Streams {
        generation,
        high: fastrand::Rng::with_seed(seed(1)),
        low: fastrand::Rng::with_seed(seed(2)),
    }
}

/// The operating system's randomness by way of the standard library's hash keys, which a fork copies,
/// so the pid and the time go in too.
fn seed(stream: u64) -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(stream);
    hasher.write_u32(std::process::id());
    hasher.write_u64(clock::unix_ns(clock::steady_ns()));
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn threads_draw_different_ids() {
        let draw = || (0..1000).map(|_| root_ids()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..8).map(|_| std::thread::spawn(draw)).collect();
        let drawn: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        let traces: HashSet<_> = drawn.iter().map(|((high, low), _)| (*high, *low)).collect();
        let spans: HashSet<_> = drawn.iter().map(|(_, span)| *span).collect();
        assert_eq!((traces.len(), spans.len()), (8000, 8000));
    }
}
