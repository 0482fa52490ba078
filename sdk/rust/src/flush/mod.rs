//! The flusher: one thread that looks at the ring, makes batches, sends them, and has all the patience
//! with the collector that the application must not need.
//!
//! It looks on its own, several times a second, rather than being woken: waking a thread is a system call,
//! and those who end spans make none.

mod backoff;
mod compress;
mod delivery;
mod http1;
mod reply;
pub(crate) mod transport;

use std::time::Duration;

use crate::bytes::Bytes;
use crate::core::Core;
use crate::drops::{DropReason, Window};
use crate::encode::record;
use crate::flush::backoff::Backoff;
use crate::flush::delivery::{Attempt, Delivery};
use crate::ring::Late;
use crate::{buffers, clock, random};

pub(crate) const THREAD_NAME: &str = "tracewell-flush";
/// How often it looks while little waits: a burst of 500,000 spans/s fits into the default ring between
/// two looks. While more waits, it looks more often.
const LOOK_CALM: Duration = Duration::from_millis(100);
const LOOK_BUSY: Duration = Duration::from_millis(20);
/// Smaller rests wait for company.
const BATCH_SPANS_LEAST: u64 = 100;

pub(crate) struct Flusher {
    core: &'static Core,
    delivery: Delivery,
    backoff: Backoff,
    late: Late,
    /// The batch in hand: taken from the ring, not yet with the collector.
    batch: Vec<Bytes>,
    /// What the ring had pushed out when the batch was taken.
    pushed_out: u64,
    /// Not to try before this, after a failure (steady time).
    not_before: u64,
    /// The last flush asked for that was tried at once.
    tried: u64,
    /// When the interval began (steady time).
    interval_from: u64,
}

impl Flusher {
    pub(crate) fn new(core: &'static Core) -> Self {
        Flusher {
            core,
            delivery: Delivery::new(core, resource(core)),
            backoff: Backoff::new(),
            late: Late::default(),
            batch: Vec::new(),
            pushed_out: 0,
            not_before: 0,
            tried: 0,
            interval_from: clock::steady_ns(),
        }
    }

    /// Until the tracer is shut down.
    pub(crate) fn run(mut self) {
        let mut clock = clock::Keeper::new();
        while self.core.control.close_by().is_none() {
            clock.keep();
            self.look();
            if self.core.control.close_by().is_none() {
                std::thread::park_timeout(self.pause());
            }
        }
        self.close();
    }

    fn look(&mut self) {
        let settings = &self.core.settings;
        let wanted = self.core.control.wanted();
        let since = Duration::from_nanos(clock::steady_ns().saturating_sub(self.interval_from));
        let all = wanted.is_some() || since >= settings.flush_interval;
        self.drop_if_overtaken();
        let full = self.core.queue.queued() >= settings.batch_spans as u64;
        if (all || full || !self.batch.is_empty()) && self.may_try(wanted) {
            let emptied = self.send(all);
            if let Some(flush) = wanted.filter(|_| emptied) {
                self.core.control.note_done(flush);
            }
        }
        if since >= settings.flush_interval {
            self.interval_from = clock::steady_ns();
            buffers::trim();
        }
    }

    /// After a failure it waits, but for one try at once for each who asks for a flush.
    fn may_try(&mut self, wanted: Option<u64>) -> bool {
        if let Some(flush) = wanted.filter(|flush| *flush > self.tried) {
            self.tried = flush;
            return true;
        }
        clock::steady_ns() >= self.not_before
    }

    /// Sends batches until less than a batch waits, or nothing. Says whether it came so far.
    fn send(&mut self, all: bool) -> bool {
        let least = if all { 1 } else { BATCH_SPANS_LEAST };
        loop {
            if self.batch.is_empty() {
                self.take_batch(all);
            }
            if self.batch.is_empty() {
                return true;
            }
            match self.delivery.attempt(&self.batch) {
                Attempt::Done => {
                    self.backoff.reset();
                    buffers::give_all(&mut self.batch);
                }
                Attempt::Later(asked) => {
                    let wait = self.backoff.wait(asked, random::fraction());
                    self.not_before = clock::after(wait);
                    return false;
                }
            }
            if self.core.queue.queued() < least {
                return true;
            }
            let closing = self.core.control.close_by();
            if closing.is_some_and(|by| clock::steady_ns() >= by) {
                return false;
            }
        }
    }

    fn take_batch(&mut self, all: bool) {
        self.pushed_out = self.pushed_out();
        let (batch, spans_max) = (&mut self.batch, self.core.settings.batch_spans);
        let least = match all {
            true => spans_max,
            false => spans_max.min(BATCH_SPANS_LEAST as usize),
        };
        let take = |span| batch.push(span);
        let queue = &self.core.queue;
        queue.drain(&mut self.late, spans_max, least, take);
    }

    /// A batch that cannot be sent is older than all the ring holds: when that has to drop its oldest,
    /// these go first.
    fn drop_if_overtaken(&mut self) {
        if self.pushed_out() > self.pushed_out {
            self.drop_batch(DropReason::RingFull);
        }
    }

    fn drop_batch(&mut self, reason: DropReason) {
        if let Some(window) = window(&self.batch) {
            let spans = self.batch.len() as u64;
            self.core.drops.add(reason, spans, window);
            buffers::give_all(&mut self.batch);
        }
    }

    /// Spans that a full ring has pushed out.
    fn pushed_out(&self) -> u64 {
        let drops = &self.core.drops;
        drops.dropped(DropReason::RingFull) + drops.dropped(DropReason::RingMemory)
    }

    /// Sends what there is as long as that works and there is time; counts what is left.
    fn close(&mut self) {
        self.send(true);
        self.core.control.note_closed();
        let batch = &mut self.batch;
        self.core.queue.sweep(|span| batch.push(span));
        self.drop_batch(DropReason::Shutdown);
    }

    fn pause(&self) -> Duration {
        let half = self.core.settings.batch_spans as u64 / 2;
        match self.core.queue.queued() > half && self.batch.is_empty() {
            true => LOOK_BUSY,
            false => LOOK_CALM,
        }
    }
}

/// The start times that the spans lie between.
fn window(spans: &[Bytes]) -> Option<Window> {
    let starts = spans.iter().map(|span| record::start_unix_ns(span));
    Some(Window {
        from: starts.clone().min()?,
        to: starts.max()?,
    })
}

/// What is said of this process: the settings' resource, and what nobody needs to set.
fn resource(core: &Core) -> Vec<(String, String)> {
    let mut resource = core.settings.resource.clone();
    let mut fill = |key: &str, value: &dyn Fn() -> String| {
        if !resource.iter().any(|(known, _)| known == key) {
            resource.push((key.to_owned(), value()));
        }
    };
    // Each process is an instance, a forked child too: drops are counted by instance.
    fill("service.instance.id", &instance_id);
    fill("process.pid", &|| std::process::id().to_string());
    fill("telemetry.sdk.name", &|| "tracewell".to_owned());
    fill("telemetry.sdk.language", &|| "rust".to_owned());
    fill("telemetry.sdk.version", &|| {
        env!("CARGO_PKG_VERSION").to_owned()
    });
    resource
}

/// A random UUID (version 4).
fn instance_id() -> String {
    let ((high, low), _) = random::root_ids();
    let bits = (u128::from(high) << 64) | u128::from(low);
    let hex = format!(
        "{:032x}",
        (bits & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62)
    );
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}
