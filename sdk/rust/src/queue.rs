//! Ended spans on their way from the threads to the flusher.
//!
//! A thread lays its spans into the block at its hand; a block that is full goes into the ring. So threads
//! meet once in 25 spans, and not with every one: a cache line that two processors write takes longer
//! from one to the other than all the rest of ending a span. There is a fixed number of hands; a
//! thread uses that of its number, or the next one where another thread, or the flusher, is at that.
//!
//! A full ring drops its oldest block. Nobody waits: hands, like slots, are only ever tried.
#![warn(clippy::indexing_slicing)]

use crate::bytes::Bytes;
use crate::ring::{Late, Load, Loss, Ring, try_lock};
use crate::sync::{AtomicU64, Mutex, Ordering};

/// More than most machines have processors, and so few that a batch can gather from all.
pub(crate) const HANDS: usize = 16;
/// Hands a push tries: to need them all, as many threads must have been stopped in the middle of one.
const HANDS_TRIED: usize = 4;
/// Spans of a block at most; 50,000 and a batch of 500 are multiples of it.
const BLOCK_SPANS: usize = 25;
/// A ring has at least so many blocks, that one is a small part of it.
const BLOCKS_MIN: usize = 16;
/// A block of so much memory is full, whatever it holds.
const BLOCK_BYTES: usize = 64 << 10;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Queue {
    hands: Box<[Hand]>,
    ring: Ring<Block>,
    block_spans: usize,
    bytes_max: usize,
}

/// Alone on its cache lines.
#[derive(Debug)]
#[repr(align(128))]
struct Hand {
    block: Mutex<Block>,
    // Written by those who have the block, read by anyone.
    held: AtomicU64,
    pushed: AtomicU64,
}

/// Spans that go through the ring together.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// The spans, and behind them buffers of earlier ones.
    spans: Vec<Bytes>,
    len: usize,
    room: usize,
    /// The least and the greatest stamp.
    stamps: Option<(u64, u64)>,
}

impl Queue {
    /// One of so many hands, whose ring holds so many spans and so much memory, and which is emptied by
    /// batches of so many.
    pub(crate) fn new(
        hands: usize,
        spans_max: usize,
        batch_spans: usize,
        bytes_max: usize,
    ) -> Self {
        let block_spans = (spans_max / BLOCKS_MIN).clamp(1, BLOCK_SPANS);
        let block_spans = block_spans.min(batch_spans.max(1));
        let hand = |_| Hand {
            block: Mutex::new(Block::of(block_spans)),
            held: AtomicU64::new(0),
            pushed: AtomicU64::new(0),
        };
        Queue {
            hands: (0..hands.max(1)).map(hand).collect(),
            ring: Ring::new(spans_max.div_ceil(block_spans), bytes_max),
            block_spans,
            bytes_max,
        }
    }

    /// Leaves the span here, and a buffer for the next one in its place: a cleared one, or one without
    /// room. A span that cannot be taken stays where it is. Tells of all that are lost by it.
    #[inline]
    pub(crate) fn push(
        &self,
        thread: usize,
        span: &mut Bytes,
        stamp: u64,
        lost: impl FnMut(Loss, &Block),
    ) -> Result<(), Loss> {
        if span.room() > self.bytes_max {
            return Err(Loss::Memory);
        }
        for hand in (thread..).take(HANDS_TRIED) {
            let Some(hand) = self.hands.get(hand % self.hands.len()) else {
                break;
            };
            let Some(mut block) = try_lock(&hand.block) else {
                continue;
            };
            block.put(span, stamp);
            let pushed = hand.pushed.load(Ordering::Relaxed);
            hand.pushed.store(pushed + 1, Ordering::Relaxed);
            if block.len >= self.block_spans || block.room >= BLOCK_BYTES {
                self.hand_over(&mut block, lost);
            }
            hand.held.store(block.len as u64, Ordering::Relaxed);
            return Ok(());
        }
        Err(Loss::Contended)
    }

    /// Puts a full block into the ring; the hand goes on with the one it finds there, which was emptied or is
    /// pushed out. Only in the ring's first round there is none.
    #[cold]
    fn hand_over(&self, block: &mut Block, lost: impl FnMut(Loss, &Block)) {
        self.ring.push(block, lost);
        block.clear();
        if block.spans.is_empty() {
            *block = Block::of(self.block_spans);
        }
    }

    /// Takes spans, oldest first: from the ring up to so many, and from hands if that is less than the
    /// least. Call from one thread at a time.
    pub(crate) fn drain(
        &self,
        late: &mut Late,
        spans_max: usize,
        spans_least: usize,
        mut each: impl FnMut(Bytes),
    ) {
        let mut taken = 0;
        let blocks = (spans_max / self.block_spans).max(1);
        self.ring.drain(late, blocks, |block| {
            taken += block.len;
            block.take(&mut each);
        });
        for hand in &self.hands {
            if taken >= spans_least {
                return;
            }
            if let Some(mut block) = try_lock(&hand.block)
                && taken + block.len <= spans_max
            {
                taken += block.len;
                block.take(&mut each);
                hand.held.store(0, Ordering::Relaxed);
            }
        }
    }

    /// Takes everything, in no order: the last look before the end.
    pub(crate) fn sweep(&self, mut each: impl FnMut(Bytes)) {
        self.ring.sweep(|block| block.take(&mut each));
        for hand in &self.hands {
            if let Some(mut block) = try_lock(&hand.block) {
                block.take(&mut each);
                hand.held.store(0, Ordering::Relaxed);
            }
        }
    }

    /// An upper bound of what a drain would find.
    pub(crate) fn queued(&self) -> u64 {
        let held = self
            .hands
            .iter()
            .map(|hand| hand.held.load(Ordering::Relaxed));
        self.ring.queued() * self.block_spans as u64 + held.sum::<u64>()
    }

    /// Spans taken since the beginning, or since [`abandon`](Queue::abandon).
    pub(crate) fn pushed(&self) -> u64 {
        let pushed = self
            .hands
            .iter()
            .map(|hand| hand.pushed.load(Ordering::Relaxed));
        pushed.sum()
    }

    /// Forgets all spans: they belong to the parent of this process, who sends or counts them. A hand whose
    /// thread was left behind by the fork stays closed, and is passed over.
    pub(crate) fn abandon(&self) {
        self.ring.abandon();
        for hand in &self.hands {
            if let Some(mut block) = try_lock(&hand.block) {
                block.clear();
            }
            hand.held.store(0, Ordering::Relaxed);
            hand.pushed.store(0, Ordering::Relaxed);
        }
    }
}

impl Block {
    fn of(spans: usize) -> Block {
        Block {
            spans: Vec::with_capacity(spans),
            ..Block::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The least and the greatest stamp.
    pub(crate) fn stamps(&self) -> Option<(u64, u64)> {
        self.stamps
    }

    #[inline]
    fn put(&mut self, span: &mut Bytes, stamp: u64) {
        self.room += span.room();
        let (from, to) = self.stamps.unwrap_or((stamp, stamp));
        self.stamps = Some((from.min(stamp), to.max(stamp)));
        match self.spans.get_mut(self.len) {
            Some(older) => std::mem::swap(older, span),
            None => self.spans.push(std::mem::take(span)),
        }
        self.len += 1;
        span.clear();
    }

    fn take(&mut self, each: &mut impl FnMut(Bytes)) {
        self.spans
            .iter_mut()
            .take(self.len)
            .for_each(|span| each(std::mem::take(span)));
        self.clear();
    }
}

impl Load for Block {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn room(&self) -> usize {
        self.room
    }

    /// Its buffers stay.
    fn clear(&mut self) {
        (self.len, self.room, self.stamps) = (0, 0, None);
    }
}
