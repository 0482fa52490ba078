//! The ring in all interleavings of a few threads: `src/ring.rs` itself, compiled with loom's
//! primitives in place of the standard library's. Bigger models have more interleavings than anyone
//! can wait for; each of these is about one way in which threads can meet.
#![allow(dead_code, missing_docs)] // the ring is a library's module, used here in part

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

#[path = "../src/bytes.rs"]
mod bytes;
#[path = "../src/ring.rs"]
mod ring;

use std::collections::BTreeSet;

use bytes::Bytes;
use loom::sync::Arc;
use loom::thread;
use ring::{Late, Loss, Lost, Ring};

/// All interleavings in which threads are interrupted at most three times, which is where such code breaks.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// A span of one byte: its number, which is its stamp too.
fn push(ring: &Ring, number: u8) -> Vec<Lost> {
    let mut lost = Vec::new();
    let mut span = Bytes::with_room(4);
    span.push(number);
    ring.push(&mut span, u64::from(number), |loss| lost.push(loss));
    assert!(span.is_empty(), "what comes back is an empty buffer");
    lost
}

/// What a flusher takes when it ends: all.
fn last_drain(ring: &Ring, late: &mut Late) -> Vec<u8> {
    let mut drained = drain(ring, late, 10);
    ring.sweep(|span| drained.push(span[0]));
    drained
}

fn drain(ring: &Ring, late: &mut Late, spans_max: usize) -> Vec<u8> {
    let mut drained = Vec::new();
    ring.drain(late, spans_max, |span| drained.push(span[0]));
    drained
}

/// Each number is in exactly one account.
fn balance(pushed: &[u8], drained: &[u8], lost: &[Lost]) {
    let lost = lost.iter().map(|lost| lost.stamp as u8);
    let mut all: Vec<u8> = drained.iter().copied().chain(lost).collect();
    all.sort_unstable();
    assert_eq!(all, pushed, "drained {drained:?}");
}

#[test]
fn a_full_ring_drops_the_oldest_and_tells_of_each() {
    model(|| {
        let ring = Arc::new(Ring::new(2, 1000));
        let producers: Vec<_> = [[1, 2], [3, 4]]
            .map(|numbers| {
                let ring = ring.clone();
                thread::spawn(move || numbers.map(|number| push(&ring, number)).concat())
            })
            .into_iter()
            .collect();
        let lost: Vec<Lost> = producers
            .into_iter()
            .flat_map(|p| p.join().unwrap())
            .collect();
        let drained = last_drain(&ring, &mut Late::default());
        balance(&[1, 2, 3, 4], &drained, &lost);
        // Nobody's older span outlives his newer one.
        let left: BTreeSet<u8> = drained.iter().copied().collect();
        assert!(!left.contains(&1) || left.contains(&2), "{left:?}");
        assert!(!left.contains(&3) || left.contains(&4), "{left:?}");
        assert_eq!(
            ring.pushed(),
            4 - lost.iter().filter(|l| !l.was_queued).count() as u64
        );
    });
}

#[test]
fn a_drain_beside_producers_loses_nothing_and_takes_nothing_twice() {
    model(|| {
        let ring = Arc::new(Ring::new(2, 1000));
        let producers: Vec<_> = [1, 2]
            .map(|number| {
                let ring = ring.clone();
                thread::spawn(move || push(&ring, number))
            })
            .into_iter()
            .collect();
        let mut late = Late::default();
        let mut drained = drain(&ring, &mut late, 10);
        let mut lost = push(&ring, 3);
        for producer in producers {
            lost.extend(producer.join().unwrap());
        }
        drained.extend(last_drain(&ring, &mut late));
        balance(&[1, 2, 3], &drained, &lost);
    });
}

#[test]
fn a_drain_while_the_ring_wraps_balances() {
    model(|| {
        let ring = Arc::new(Ring::new(2, 1000));
        let producer = {
            let ring = ring.clone();
            thread::spawn(move || [1, 2, 3].map(|number| push(&ring, number)).concat())
        };
        let mut late = Late::default();
        let mut drained = drain(&ring, &mut late, 1);
        drained.extend(drain(&ring, &mut late, 1));
        let lost = producer.join().unwrap();
        drained.extend(last_drain(&ring, &mut late));
        balance(&[1, 2, 3], &drained, &lost);
        let contended = lost
            .iter()
            .filter(|lost| lost.loss == Loss::Contended)
            .count();
        assert_eq!(
            contended, 0,
            "a drain is in one slot at a time, and there are two"
        );
    });
}

#[test]
fn a_ring_short_of_memory_sheds_the_oldest_beside_a_drain() {
    model(|| {
        // Room for two buffers of four bytes, in four slots.
        let ring = Arc::new(Ring::new(4, 8));
        let producer = {
            let ring = ring.clone();
            thread::spawn(move || [1, 2, 3].map(|number| push(&ring, number)).concat())
        };
        let mut late = Late::default();
        let mut drained = drain(&ring, &mut late, 1);
        let lost = producer.join().unwrap();
        drained.extend(last_drain(&ring, &mut late));
        balance(&[1, 2, 3], &drained, &lost);
        assert!(
            lost.iter().all(|lost| lost.loss == Loss::Memory),
            "{lost:?}"
        );
    });
}
