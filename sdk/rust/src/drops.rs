//! Spans that were lost, by reason: counted exactly, told to the host (`Tracer::account`) and to the
//! server, with the next batch.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ring::Loss;
use crate::thread;

/// The low bits of a time, about a millisecond's worth.
const MILLISECOND: u64 = (1 << 20) - 1;

/// Why a span never reached the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The ring was full, and this was its oldest span.
    RingFull,
    /// The ring's spans took too much memory.
    RingMemory,
    /// No place in the queue was free of other threads within a bounded number of tries.
    Contended,
    /// One span was larger than `span_bytes_max`.
    TooLarge,
    /// The batch could not be put into the form to send.
    Encode,
    /// The collector answered that it does not take it.
    Refused,
    /// It was still here when the time for shutting down ran out, or ended after that.
    Shutdown,
}

impl DropReason {
    /// All reasons.
    pub const ALL: [DropReason; 7] = [
        DropReason::RingFull,
        DropReason::RingMemory,
        DropReason::Contended,
        DropReason::TooLarge,
        DropReason::Encode,
        DropReason::Refused,
        DropReason::Shutdown,
    ];

    /// As it stands in metrics and in what is sent: `ring_full`.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::RingFull => "ring_full",
            DropReason::RingMemory => "ring_memory",
            DropReason::Contended => "contended",
            DropReason::TooLarge => "too_large",
            DropReason::Encode => "encode",
            DropReason::Refused => "refused",
            DropReason::Shutdown => "shutdown",
        }
    }

    /// The attribute that carries its count to the server.
    pub(crate) const fn attribute(self) -> &'static str {
        match self {
            DropReason::RingFull => "tracewell.sdk.dropped.ring_full",
            DropReason::RingMemory => "tracewell.sdk.dropped.ring_memory",
            DropReason::Contended => "tracewell.sdk.dropped.contended",
            DropReason::TooLarge => "tracewell.sdk.dropped.too_large",
            DropReason::Encode => "tracewell.sdk.dropped.encode",
            DropReason::Refused => "tracewell.sdk.dropped.refused",
            DropReason::Shutdown => "tracewell.sdk.dropped.shutdown",
        }
    }
}

impl From<Loss> for DropReason {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::Full => DropReason::RingFull,
            Loss::Memory => DropReason::RingMemory,
            Loss::Contended => DropReason::Contended,
        }
    }
}

/// What became of the spans ended in this process: `ended = sent + queued + all dropped`, exactly at
/// any quiet moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Sampled spans that ended.
    pub ended: u64,
    /// Spans that the collector said it has.
    pub sent: u64,
    /// Spans in the ring or in the batch being sent.
    pub queued: u64,
    dropped: [u64; DropReason::ALL.len()],
}

impl Account {
    /// Spans dropped for this reason.
    pub fn dropped(&self, reason: DropReason) -> u64 {
        let at = DropReason::ALL.iter().position(|known| *known == reason);
        at.and_then(|at| self.dropped.get(at)).copied().unwrap_or(0)
    }

    /// Spans dropped for any reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }
}

/// Counters of a few threads, on a cache line of their own: when a full ring drops with every push, all
/// threads count all the time.
#[derive(Debug)]
#[repr(align(64))]
struct Stripe {
    counts: [AtomicU64; DropReason::ALL.len()],
}

const STRIPES: usize = 8;

impl Stripe {
    const fn new() -> Self {
        Stripe {
            counts: [const { AtomicU64::new(0) }; DropReason::ALL.len()],
        }
    }

    fn of(&self, reason: DropReason) -> Option<&AtomicU64> {
        self.counts.get(reason as usize)
    }
}

/// The counters behind [`Account`], and the time span that the losses not yet told fall into.
#[derive(Debug)]
pub(crate) struct Drops {
    stripes: [Stripe; STRIPES],
    sent: AtomicU64,
    unqueued: AtomicU64,
    earliest: AtomicU64,
    latest: AtomicU64,
}

/// Start times (Unix nanoseconds) that the spans lost lie between: that of the first, and at most a
/// millisecond after that of the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Drops {
    pub(crate) const fn new() -> Self {
        Drops {
            stripes: [const { Stripe::new() }; STRIPES],
            sent: AtomicU64::new(0),
            unqueued: AtomicU64::new(0),
            earliest: AtomicU64::new(u64::MAX),
            latest: AtomicU64::new(0),
        }
    }

    /// Counts one span that began then and never entered the queue.
    #[cold]
    pub(crate) fn count_unqueued(&self, reason: DropReason, start_unix_ns: u64) {
        self.unqueued.fetch_add(1, Ordering::Relaxed);
        let (from, to) = (start_unix_ns, start_unix_ns);
        self.add(reason, 1, Window { from, to });
    }

    /// Counts several that had been in it.
    pub(crate) fn add(&self, reason: DropReason, spans: u64, window: Window) {
        let own = thread::number() % STRIPES;
        if let Some(count) = self.stripes.get(own).and_then(|stripe| stripe.of(reason)) {
            count.fetch_add(spans, Ordering::Relaxed);
        }
        self.widen(window);
    }

    pub(crate) fn add_sent(&self, spans: u64) {
        self.sent.fetch_add(spans, Ordering::Relaxed);
    }

    /// Takes the window of what was lost since the last call. Give it back with
    /// [`widen`](Drops::widen) if the server did not hear of it.
    pub(crate) fn take_window(&self) -> Option<Window> {
        let from = self.earliest.swap(u64::MAX, Ordering::Relaxed);
        let to = self.latest.swap(0, Ordering::Relaxed);
        (from <= to).then_some(Window { from, to })
    }

    pub(crate) fn widen(&self, window: Window) {
        // Reading first keeps the line shared, and rounding up lets it be read for a millisecond: every
        // span that a full ring pushes out comes by here.
        if window.from < self.earliest.load(Ordering::Relaxed) {
            self.earliest.fetch_min(window.from, Ordering::Relaxed);
        }
        if window.to > self.latest.load(Ordering::Relaxed) {
            self.latest
                .fetch_max(window.to | MILLISECOND, Ordering::Relaxed);
        }
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        let counts = self.stripes.iter().filter_map(|stripe| stripe.of(reason));
        counts.map(|count| count.load(Ordering::Relaxed)).sum()
    }

    /// The account; so many spans entered the queue.
    pub(crate) fn account(&self, pushed: u64) -> Account {
        let unqueued = self.unqueued.load(Ordering::Relaxed);
        let sent = self.sent.load(Ordering::Relaxed);
        let dropped = DropReason::ALL.map(|reason| self.dropped(reason));
        let ended = pushed + unqueued;
        let gone = sent + dropped.iter().sum::<u64>();
        Account {
            ended,
            sent,
            queued: ended.saturating_sub(gone),
            dropped,
        }
    }

    /// A forked child begins its own account.
    pub(crate) fn reset(&self) {
        for count in self.stripes.iter().flat_map(|stripe| &stripe.counts) {
            count.store(0, Ordering::Relaxed);
        }
        self.sent.store(0, Ordering::Relaxed);
        self.unqueued.store(0, Ordering::Relaxed);
        let _parents = self.take_window();
    }
}
