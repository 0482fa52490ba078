//! The one loop: poll, apply, tick, commit. What fails in passing is repeated with growing waits;
//! what can never be applied is found record by record, set aside after three tries and counted,
//! and the log goes on (P14).
//!
//! [`Worker::step`] does one unit of work and never waits but for the log; waits between units are
//! the caller's, who knows how to be stopped.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracewell_model::Clock;
use tracewell_storage::{Class, Consumer, Error, Position, Record, Sink, SpanLog};

use crate::stop::Stop;

const MS: u64 = 1_000_000;
const APPLYING: &str = "applying records";

/// How a worker paces itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// Spans asked for in one poll: a few milliseconds of work for a sink.
    pub spans_per_poll: usize,
    /// How long a poll waits for records; bounds how late a tick or a stop is seen.
    pub poll_wait: Duration,
    /// How often the sink is ticked and its position committed.
    pub tick_every_ns: u64,
    /// The first wait after a failure; each further one doubles it.
    pub backoff_first_ns: u64,
    /// The longest wait, so that a store that comes back is noticed.
    pub backoff_max_ns: u64,
    /// Tries of a record that the sink calls invalid or corrupt, before it is set aside.
    pub tries_max: u32,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            spans_per_poll: 8_192,
            poll_wait: Duration::from_millis(100),
            tick_every_ns: 1_000 * MS,
            backoff_first_ns: 50 * MS,
            backoff_max_ns: 5_000 * MS,
            tries_max: 3,
        }
    }
}

/// What a worker did and how it is: for health, metrics and the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatus {
    /// Its consumer group.
    pub group: String,
    /// Spans handed to the sink; redelivered ones count again.
    pub applied_spans: u64,
    /// Spans polled from the log that the sink has not taken yet.
    pub pending_spans: u64,
    /// Records set aside because the sink can never take them.
    pub dead_lettered_records: u64,
    /// Spans in them.
    pub dead_lettered_spans: u64,
    /// Times the log was asked for records: each time, everything before was done with.
    pub polls: u64,
    /// Calls that failed and were or will be repeated.
    pub retries: u64,
    /// The failure that stands in the way now; none when the last call succeeded.
    pub last_error: Option<String>,
    /// The record set aside last, and why.
    pub last_dead_letter: Option<String>,
    /// True once the worker has stopped.
    pub stopped: bool,
    /// True when it stopped by a panic: nothing is taken in by its group any more.
    pub panicked: bool,
}

/// Reads a worker's status from any thread.
#[derive(Clone, Debug)]
pub struct StatusHandle(Arc<Mutex<WorkerStatus>>);

impl StatusHandle {
    /// Of a group's worker that is yet to begin.
    pub(crate) fn of(group: &str) -> StatusHandle {
        let status = WorkerStatus {
            group: group.to_owned(),
            ..WorkerStatus::default()
        };
        StatusHandle(Arc::new(Mutex::new(status)))
    }

    /// Notes why the worker cannot begin, and says it aloud when that is news.
    pub(crate) fn note_opening(&self, error: &Error) {
        let mut status = self.lock();
        status.retries += 1;
        let said = Some(format!("opening the store: {error}"));
        if status.last_error != said {
            tracing::warn!(group = status.group.as_str(), %error, "the group waits for its store");
            status.last_error = said;
        }
    }

    /// The status now.
    pub fn snapshot(&self) -> WorkerStatus {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, WorkerStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Spans went into the sink.
    Applied {
        /// How many.
        spans: usize,
    },
    /// A record was set aside.
    SetAside {
        /// Its spans.
        spans: usize,
    },
    /// There was nothing to do.
    Idle,
    /// Something failed; the next step should wait this long.
    RetryIn {
        /// Nanoseconds.
        wait_ns: u64,
    },
}

/// One member of a consumer group: the log's end, a sink, and the way between.
pub struct Worker {
    consumer: Box<dyn Consumer>,
    sink: Box<dyn Sink>,
    clock: Arc<dyn Clock>,
    options: Options,
    /// Polled but not yet applied, in order.
    pending: VecDeque<Record>,
    /// Apply one record at a time: some record of `pending` cannot be applied.
    one_by_one: bool,
    /// Tries of the first pending unit that ended as invalid or corrupt.
    tries: u32,
    backoff_ns: u64,
    ticked_monotonic_ns: Option<u64>,
    committed: Vec<Position>,
    /// What fails now, by step.
    failing: BTreeMap<&'static str, String>,
    status: StatusHandle,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status.snapshot();
        f.debug_struct("Worker")
            .field("status", &status)
            .finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker of this group, between a subscription and a sink.
    pub fn new(
        group: &str,
        consumer: Box<dyn Consumer>,
        sink: Box<dyn Sink>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Self {
        Worker {
            consumer,
            sink,
            clock,
            backoff_ns: options.backoff_first_ns,
            options,
            pending: VecDeque::new(),
            one_by_one: false,
            tries: 0,
            ticked_monotonic_ns: None,
            committed: Vec::new(),
            failing: BTreeMap::new(),
            status: StatusHandle::of(group),
        }
    }

    /// Joins a group of this log where the sink's durable state ends.
    pub fn join(
        group: &str,
        log: &dyn SpanLog,
        sink: Box<dyn Sink>,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> Result<Self, Error> {
        let consumer = log.subscribe(group, &sink.durable())?;
        Ok(Worker::new(group, consumer, sink, clock, options))
    }

    /// Reports there from now on: to who watched before this worker could be opened.
    pub(crate) fn reporting_to(mut self, status: StatusHandle) -> Self {
        status.lock().last_error = None;
        self.status = status;
        self
    }

    /// A handle on the status; outlives the worker.
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// Works until told to stop; then finishes the unit at hand, flushes and commits.
    pub fn run(&mut self, stop: &Stop) {
        let _told = Ended(self.status());
        while !stop.is_set() {
            if let Step::RetryIn { wait_ns } = self.step(self.options.poll_wait) {
                stop.wait(Duration::from_nanos(wait_ns));
            }
        }
        self.finish();
    }

    /// One unit of work: a tick if one is due, then the pending records, polled if there are none.
    pub fn step(&mut self, poll_wait: Duration) -> Step {
        self.tick_if_due();
        if self.pending.is_empty() {
            if self.consumer.leaving() {
                self.hand_over();
            }
            self.status.lock().polls += 1;
            match self.consumer.poll(self.options.spans_per_poll, poll_wait) {
                Ok(records) => {
                    self.works("polling the log");
                    self.pending.extend(records);
                    self.note_pending();
                }
                Err(error) => return self.retry("polling the log", &error),
            }
        }
        if self.pending.is_empty() {
            return Step::Idle;
        }
        self.apply()
    }

    /// Ends cleanly: what was polled is applied if it goes in at once, all that was applied is made
    /// durable and committed. What does not go in stays in the log and is delivered again.
    pub fn finish(&mut self) {
        while !self.pending.is_empty() {
            if let Step::RetryIn { .. } = self.apply() {
                break;
            }
        }
        self.hand_over();
        self.status.lock().stopped = true;
    }

    /// Partitions are about to go to another member: what it must not apply again is made safe. Tried
    /// once: a store that is down must not hold up the whole group.
    fn hand_over(&mut self) {
        match self.sink.flush() {
            Ok(()) => self.commit(),
            Err(error) => self.note("flushing the sink", &error),
        }
    }

    fn apply(&mut self) -> Step {
        let records = match self.one_by_one {
            true => self.pending.make_contiguous().get(..1).unwrap_or_default(),
            false => self.pending.make_contiguous(),
        };
        let count = records.len();
        let spans = records.iter().map(|record| record.batch.len()).sum();
        match self.sink.apply(records) {
            Ok(()) => {
                self.advance(count);
                self.status.lock().applied_spans += spans as u64;
                Step::Applied { spans }
            }
            Err(error) => match error.class {
                Class::Retryable | Class::Overloaded | Class::DeadlineExceeded => {
                    self.retry(APPLYING, &error)
                }
                Class::Invalid | Class::Corrupt => self.poisoned(count, &error),
            },
        }
    }

    /// A record among the first `count` cannot be applied. Several are first taken apart, so that
    /// one costs no other; one alone has its tries.
    fn poisoned(&mut self, count: usize, error: &Error) -> Step {
        if count > 1 {
            self.one_by_one = true;
            self.tries = 0;
            return self.retry(APPLYING, error);
        }
        self.tries += 1;
        if self.tries < self.options.tries_max {
            return self.retry(APPLYING, error);
        }
        let Some(record) = self.pending.front() else {
            return Step::Idle;
        };
        let (spans, Position { partition, offset }) = (record.batch.len(), record.position);
        if let Err(error) = self.consumer.set_aside(record, &error.message) {
            return self.retry("setting a record aside", &error);
        }
        self.works("setting a record aside");
        self.advance(1);
        let mut status = self.status.lock();
        status.dead_lettered_records += 1;
        status.dead_lettered_spans += spans as u64;
        status.last_dead_letter = Some(format!(
            "record {offset} of partition {partition} with {spans} spans was set aside: {error}"
        ));
        let group = status.group.as_str();
        tracing::error!(group, partition, offset, spans, %error, "record set aside");
        Step::SetAside { spans }
    }

    /// The first `count` pending records are done with.
    fn advance(&mut self, count: usize) {
        self.pending.drain(..count.min(self.pending.len()));
        self.note_pending();
        self.tries = 0;
        self.backoff_ns = self.options.backoff_first_ns;
        self.works(APPLYING);
        if self.pending.is_empty() {
            self.one_by_one = false;
        }
    }

    /// For the account of D9: what is no longer in the log's lag and not yet in the sink.
    fn note_pending(&self) {
        let spans: usize = self.pending.iter().map(|record| record.batch.len()).sum();
        self.status.lock().pending_spans = spans as u64;
    }

    /// Ticks the sink and commits, each second. Also while records wait: the sink may be full and
    /// the tick be what makes room.
    fn tick_if_due(&mut self) {
        let now = self.clock.monotonic_ns();
        let due = self
            .ticked_monotonic_ns
            .is_none_or(|last| now.saturating_sub(last) >= self.options.tick_every_ns);
        if !due {
            return;
        }
        // Set before the call: a tick that fails is tried again at the next second, not at once,
        // and does not hold up records that can still be applied.
        self.ticked_monotonic_ns = Some(now);
        match self.sink.tick(self.clock.unix_ns()) {
            Ok(()) => self.works("ticking the sink"),
            Err(error) => self.note("ticking the sink", &error),
        }
        self.commit();
    }

    /// Tells the log what it may forget. A failure costs nothing but its room: the next one says it again.
    fn commit(&mut self) {
        let durable = self.sink.durable();
        if durable == self.committed || durable.is_empty() {
            return;
        }
        match self.consumer.commit(&durable) {
            Ok(()) => {
                self.committed = durable;
                self.works("committing");
            }
            Err(error) => self.note("committing", &error),
        }
    }

    fn retry(&mut self, step: &'static str, error: &Error) -> Step {
        self.note(step, error);
        let wait_ns = self.backoff_ns;
        self.backoff_ns = (wait_ns * 2).min(self.options.backoff_max_ns);
        Step::RetryIn { wait_ns }
    }

    /// Counts a failure, and says it aloud when it is a new one: a store that is down for an hour
    /// makes one line, not thousands.
    fn note(&mut self, step: &'static str, error: &Error) {
        let said = format!("{step}: {error}");
        let mut status = self.status.lock();
        status.retries += 1;
        if self.failing.get(step) != Some(&said) {
            tracing::warn!(group = status.group.as_str(), step, %error, "worker step failed");
            self.failing.insert(step, said.clone());
        }
        status.last_error = Some(said);
    }

    /// Notes that this step works; says so when it did not before.
    fn works(&mut self, step: &'static str) {
        if self.failing.remove(step).is_some() {
            let mut status = self.status.lock();
            status.last_error = self.failing.values().next().cloned();
            tracing::info!(
                group = status.group.as_str(),
                step,
                "worker step works again"
            );
        }
    }
}

/// Tells of a worker's end, also of one by a panic: it must not go unnoticed.
struct Ended(StatusHandle);

impl Drop for Ended {
    fn drop(&mut self) {
        let mut status = self.0.lock();
        status.stopped = true;
        if std::thread::panicking() {
            status.panicked = true;
            status.last_error = Some("it ended by a panic and needs a restart".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
