//! The queue and its ring in all interleavings of a few threads: `src/queue.rs` and `src/ring.rs` themselves,
//! compiled with loom's primitives in place of the standard library's. Bigger models have more interleavings
//! than anyone can wait for; each of these is about one way in which threads can meet.
#![allow(dead_code, missing_docs)] // modules of a library, used here in part

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
}

#[path = "../src/bytes.rs"]
mod bytes;
#[path = "../src/queue.rs"]
mod queue;
#[path = "../src/ring.rs"]
mod ring;

use std::collections::BTreeSet;

use bytes::Bytes;
use loom::sync::Arc;
use loom::thread;
use queue::{Block, Queue};
use ring::{Late, Load, Loss};

/// All interleavings in which threads are interrupted at most three times, which is where such code breaks.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// A load: its number, and four bytes; 0 is nothing.
#[derive(Default)]
struct Number(u8);

impl Load for Number {
    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn room(&self) -> usize {
        4
    }

    fn clear(&mut self) {
        self.0 = 0;
    }
}

type Ring = ring::Ring<Number>;

#[derive(Clone, Debug)]
struct Lost {
    loss: Loss,
    number: u8,
}

fn push(ring: &Ring, number: u8) -> Vec<Lost> {
    let mut lost = Vec::new();
    let mut load = Number(number);
    ring.push(&mut load, |loss, load| {
        lost.push(Lost {
            loss,
            number: load.0,
        })
    });
    lost
}

/// What a flusher takes when it ends: all.
fn last_drain(ring: &Ring, late: &mut Late) -> Vec<u8> {
    let mut drained = drain(ring, late, 10);
    ring.sweep(|load| drained.push(load.0));
    drained
}

fn drain(ring: &Ring, late: &mut Late, loads_max: usize) -> Vec<u8> {
    let mut drained = Vec::new();
    ring.drain(late, loads_max, |load| drained.push(load.0));
    drained
}

/// Each number is in exactly one account.
fn balance(pushed: &[u8], drained: &[u8], lost: &[Lost]) {
    let lost = lost.iter().map(|lost| lost.number);
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

/// Ends a span of this number on this thread.
fn end(queue: &Queue, thread: usize, number: u8) -> Vec<Lost> {
    let mut lost = Vec::new();
    let mut span = Bytes::with_room(4);
    span.push(number);
    let of_block = |loss, block: &Block| {
        let (least, greatest) = block.stamps().expect("blocks that are lost hold spans");
        assert_eq!(least, greatest, "blocks are of one span here");
        lost.push(Lost {
            loss,
            number: least as u8,
        });
    };
    match queue.push(thread, &mut span, u64::from(number), of_block) {
        Ok(()) => assert!(span.is_empty(), "what comes back is an empty buffer"),
        Err(loss) => lost.push(Lost { loss, number }),
    }
    lost
}

fn take(queue: &Queue, late: &mut Late) -> Vec<u8> {
    let mut taken = Vec::new();
    queue.drain(late, 10, 10, |span| taken.push(span[0]));
    taken
}

/// Two hands over a ring of so many blocks of one span.
fn queue(spans_max: usize) -> Arc<Queue> {
    Arc::new(Queue::new(2, spans_max, 10, 1000))
}

#[test]
fn threads_at_one_hand_pass_each_other_and_the_flusher() {
    model(|| {
        let queue = queue(4);
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || end(&queue, 0, 1))
        };
        let mut late = Late::default();
        let mut lost = end(&queue, 0, 2);
        let mut taken = take(&queue, &mut late);
        lost.extend(producer.join().unwrap());
        taken.extend(take(&queue, &mut late));
        queue.sweep(|span| taken.push(span[0]));
        balance(&[1, 2], &taken, &lost);
        let refused = lost.iter().filter(|lost| lost.loss == Loss::Contended);
        assert_eq!(queue.pushed(), 2 - refused.count() as u64);
        assert_eq!(queue.queued(), 0);
    });
}

/// Spans that wait at a hand, for their block is not full, are found there.
#[test]
fn what_is_at_hand_is_taken_once() {
    model(|| {
        let queue = Arc::new(Queue::new(2, 64, 10, 1000)); // blocks of four
        let producer = {
            let queue = queue.clone();
            thread::spawn(move || [1, 2].map(|number| end(&queue, 0, number)).concat())
        };
        let mut late = Late::default();
        let mut taken = take(&queue, &mut late);
        let lost = producer.join().unwrap();
        taken.extend(take(&queue, &mut late));
        balance(&[1, 2], &taken, &lost);
        assert_eq!((queue.pushed(), queue.queued()), (2, 0));
    });
}
