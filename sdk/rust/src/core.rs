//! What a tracer and its flusher share: the queue, the counters, and a few atomics by which they speak.
//!
//! A core lives as long as its process: spans hold it without counting references, which 16 threads
//! on one counter would pay for in every span, and a process has one tracer. There is no lock here
//! that anyone waits for, so a forked child finds none held by a thread it does not have.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};
use std::thread::Thread;
use std::time::Duration;

use crate::bytes::Bytes;
use crate::drops::{Account, DropReason, Drops, Window};
use crate::encode::batch::Scopes;
use crate::encode::record::Record;
use crate::flush::Flusher;
use crate::queue::{Block, HANDS, Queue};
use crate::ring::Loss;
use crate::settings::Settings;
use crate::{buffers, clock, fork, thread};

/// No process has this generation.
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) problems: Vec<String>,
    pub(crate) queue: Queue,
    pub(crate) drops: Drops,
    pub(crate) scopes: Scopes,
    pub(crate) control: Control,
}

/// What tracer and flusher tell each other.
#[derive(Debug)]
pub(crate) struct Control {
    /// The process that has a flusher, and the one that is about to.
    generation: AtomicU64,
    claimed: AtomicU64,
    /// Flushes asked for, and those that are done.
    asked: AtomicU64,
    done: AtomicU64,
    /// When closing has to be over (steady time); 0 while nobody closes.
    close_by: AtomicU64,
    closed: AtomicBool,
    flusher: Mutex<Option<Thread>>,
}

impl Core {
    /// A core with its flusher; `problems` are what its settings could not take.
    pub(crate) fn start(settings: Settings, problems: Vec<String>) -> &'static Core {
        fork::watch();
        let core: &'static Core = Box::leak(Box::new(Core {
            queue: Queue::new(
                HANDS,
                settings.ring_spans_max,
                settings.batch_spans,
                settings.ring_bytes_max,
            ),
            drops: Drops::new(),
            scopes: Scopes::new(),
            control: Control {
                generation: AtomicU64::new(NEVER),
                claimed: AtomicU64::new(NEVER),
                asked: AtomicU64::new(0),
                done: AtomicU64::new(0),
                close_by: AtomicU64::new(0),
                closed: AtomicBool::new(false),
                flusher: Mutex::new(None),
            },
            settings,
            problems,
        }));
        if !core.settings.disabled {
            core.begin(fork::generation());
        }
        core
    }

    /// Takes a span that ended.
    #[inline]
    pub(crate) fn end(&'static self, record: &mut Record, start_unix_ns: u64, end_unix_ns: u64) {
        let generation = fork::generation();
        if self.control.generation.load(Ordering::Relaxed) != generation {
            self.begin(generation);
        }
        match record.finish(end_unix_ns) {
            Some(span) => self.enqueue(span, start_unix_ns),
            None => self
                .drops
                .count_unqueued(DropReason::TooLarge, start_unix_ns),
        }
    }

    /// Puts a finished span's bytes into the queue.
    #[inline]
    pub(crate) fn enqueue(&self, mut span: Bytes, start_unix_ns: u64) {
        if self.control.closed.load(Ordering::Relaxed) {
            return self
                .drops
                .count_unqueued(DropReason::Shutdown, start_unix_ns);
        }
        let lost = |loss, block: &Block| self.lost(loss, block);
        let pushed = self
            .queue
            .push(thread::number(), &mut span, start_unix_ns, lost);
        if let Err(loss) = pushed {
            self.drops.count_unqueued(loss.into(), start_unix_ns);
            span.clear();
        }
        buffers::give(span);
    }

    #[cold]
    fn lost(&self, loss: Loss, block: &Block) {
        if let Some((from, to)) = block.stamps() {
            self.drops
                .add(loss.into(), block.len() as u64, Window { from, to });
        }
    }

    /// Starts this process's flusher. In a forked child what the ring holds is the parent's, who sends
    /// it; the child begins with an empty ring and an empty account.
    #[cold]
    fn begin(&'static self, generation: u64) {
        let control = &self.control;
        let claimed = control.claimed.swap(generation, Ordering::AcqRel);
        if claimed == generation {
            return; // another thread is at it
        }
        if claimed != NEVER {
            self.queue.abandon();
            self.drops.reset();
            control.close_by.store(0, Ordering::Relaxed);
            control.closed.store(false, Ordering::Relaxed);
            control
                .done
                .store(control.asked.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        let thread = std::thread::Builder::new().name(crate::flush::THREAD_NAME.to_owned());
        let spawned = thread.spawn(move || Flusher::new(self).run());
        // Without a thread (the system has no more) the ring goes on dropping its oldest, counted.
        if let (Ok(handle), Some(mut flusher)) = (spawned, try_lock(&control.flusher)) {
            *flusher = Some(handle.thread().clone());
        }
        control.generation.store(generation, Ordering::Release);
    }

    /// Waits until all that ended before is sent or lost, but not longer than this.
    pub(crate) fn flush(&self, timeout: Duration) -> bool {
        if self.settings.disabled {
            return true;
        }
        let control = &self.control;
        let ticket = control.asked.fetch_add(1, Ordering::AcqRel) + 1;
        control.wake();
        let over = || control.done.load(Ordering::Acquire) >= ticket || control.is_closed();
        clock::wait_until(over, timeout)
    }

    /// Asks for a flush and does not wait.
    pub(crate) fn ask(&self) {
        self.control.asked.fetch_add(1, Ordering::AcqRel);
        self.control.wake();
    }

    /// Sends what there is and ends the flusher, within this time.
    pub(crate) fn shutdown(&self, timeout: Duration) -> bool {
        if self.settings.disabled {
            return true;
        }
        let control = &self.control;
        let by = clock::after(timeout).max(1);
        let first = control
            .close_by
            .compare_exchange(0, by, Ordering::AcqRel, Ordering::Relaxed);
        control.wake();
        let _a_later_caller_only_waits = first;
        clock::wait_until(|| control.is_closed(), timeout) && self.account().queued == 0
    }

    pub(crate) fn account(&self) -> Account {
        self.drops.account(self.queue.pushed())
    }
}

impl Control {
    /// The newest flush asked for, if it is not done.
    pub(crate) fn wanted(&self) -> Option<u64> {
        let asked = self.asked.load(Ordering::Acquire);
        (asked > self.done.load(Ordering::Relaxed)).then_some(asked)
    }

    pub(crate) fn note_done(&self, flush: u64) {
        self.done.fetch_max(flush, Ordering::AcqRel);
    }

    /// When closing has to be over (steady time), if someone closes.
    pub(crate) fn close_by(&self) -> Option<u64> {
        Some(self.close_by.load(Ordering::Acquire)).filter(|by| *by != 0)
    }

    pub(crate) fn note_closed(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn wake(&self) {
        if let Some(flusher) = try_lock(&self.flusher)
            && let Some(thread) = &*flusher
        {
            thread.unpark();
        }
    }
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<std::sync::MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
