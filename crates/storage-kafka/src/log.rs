//! The log itself: appends go to the producer, subscriptions become members, a thread of its own
//! keeps the figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tracewell_model::{Clock, SpanBatch};
use tracewell_storage::{
    Ack, Completion, Consumer, DeadLetters, Error, LogStatus, Position, SpanLog,
};

use crate::admin::{self, Checked};
use crate::consume::{KafkaConsumer, Wanted};
use crate::dead_letter::GroupDeadLetters;
use crate::member::Member;
use crate::options::Options;
use crate::produce::{Append, Producer, Sending};
use crate::record;
use crate::republish;
use crate::watch::Watch;

/// How often the figures are made: they cost a few requests to Kafka.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a clean stop waits for what is queued.
const FLUSH_WAIT: Duration = Duration::from_secs(10);

/// The span log on Kafka.
pub struct KafkaLog {
    pub(crate) shared: Arc<Shared>,
    watch: Mutex<Watch>,
    /// What the last look saw: nobody who asks for it waits for Kafka.
    status: Mutex<LogStatus>,
    watcher: Mutex<Option<(Arc<Watching>, JoinHandle<()>)>>,
}

/// What members of this process and the figures have in common.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) producer: Arc<Producer>,
    /// The topic, as it was at the start, and its partitions, as they are.
    pub(crate) topic: RwLock<Checked>,
    pub(crate) groups: Mutex<BTreeMap<String, Group>>,
}

/// A group that this process has a member of, or looks after.
#[derive(Clone, Default)]
pub(crate) struct Group {
    pub(crate) counts: Arc<Counts>,
    /// The member that joined last; gone when its worker is.
    pub(crate) member: Weak<Member>,
}

/// What happened to a group's records in this process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) lost_records: AtomicU64,
    pub(crate) damaged_records: AtomicU64,
    pub(crate) damaged_spans: AtomicU64,
    dead_lettered_spans: AtomicU64,
}

impl Counts {
    /// Records expired before they came.
    pub(crate) fn note_lost(&self, records: u64) {
        self.lost_records.fetch_add(records, Ordering::Relaxed);
    }

    /// A record, or so many spans of it, can never be read.
    pub(crate) fn note_damaged(&self, spans: u64) {
        self.damaged_records.fetch_add(1, Ordering::Relaxed);
        self.damaged_spans.fetch_add(spans, Ordering::Relaxed);
        self.note_dead_lettered(spans);
    }

    /// So many spans are in the topic of dead letters.
    pub(crate) fn note_dead_lettered(&self, spans: u64) {
        self.dead_lettered_spans.fetch_add(spans, Ordering::Relaxed);
    }

    pub(crate) fn dead_lettered_spans(&self) -> u64 {
        self.dead_lettered_spans.load(Ordering::Relaxed)
    }
}

/// Ends the watching thread.
#[derive(Default)]
struct Watching {
    stopped: Mutex<bool>,
    woken: Condvar,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaLog")
            .field("options", &self.shared.options)
            .finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Opens the log: creates the topics if they are absent, and looks whether they are as they
    /// should be. Of `groups`, figures are kept even while no member of theirs runs anywhere.
    pub fn open(
        options: Options,
        clock: Arc<dyn Clock>,
        groups: &[&str],
    ) -> Result<KafkaLog, Error> {
        for name in admin::create(&options)? {
            tracing::info!(name, "topic created");
        }
        let topic = admin::check(&options)?;
        let groups = groups
            .iter()
            .map(|group| ((*group).to_owned(), Group::default()));
        let shared = Shared {
            producer: Arc::new(Producer::open(&options)?),
            clock,
            topic: RwLock::new(topic),
            groups: Mutex::new(groups.collect()),
            options,
        };
        let shared = Arc::new(shared);
        Ok(KafkaLog {
            watch: Mutex::new(Watch::new(Arc::clone(&shared))),
            status: Mutex::default(),
            watcher: Mutex::default(),
            shared,
        })
    }

    /// Keeps the figures fresh from now on, on a thread of its own.
    pub fn keep_watch(self: &Arc<Self>) {
        let watching = Arc::new(Watching::default());
        let (log, stop) = (Arc::downgrade(self), Arc::clone(&watching));
        let run = move || {
            while let Some(log) = log.upgrade() {
                log.look();
                drop(log);
                let stopped = stop.stopped.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = stop
                    .woken
                    .wait_timeout_while(stopped, LOOK_EVERY, |stopped| !*stopped);
                if *waited.unwrap_or_else(PoisonError::into_inner).0 {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("kafka-watch".to_owned());
        let thread = thread
            .spawn(run)
            .expect("a process that starts has room for a thread");
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some((watching, thread));
    }

    /// Makes the figures anew: asks Kafka, for a few seconds at most. Where it does not answer those
    /// of the last look stay, with that problem.
    pub fn look(&self) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = watch.look();
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        match seen {
            Ok(seen) => *status = seen,
            Err(error) => status.problems = vec![error.message],
        }
    }

    /// The topic's partitions: the shards that batches are best built for.
    pub fn partitions(&self) -> u16 {
        self.shared.topic().partitions
    }

    /// Whether an answer can promise this much; the reason, if it cannot.
    pub fn can_promise(&self, ack: Ack) -> Result<(), Error> {
        let in_sync = self.shared.topic().in_sync_replicas_min;
        if ack < Ack::Durable || in_sync >= 2 {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the level {} cannot be promised: min.insync.replicas of the topic {} is {in_sync}, so that \
             one broker may be the only one to have a record; accepted: received, logged",
            ack.name(),
            self.shared.options.topic
        )))
    }

    /// Where a group's sink sets aside what its store refuses for good: the topic of dead letters.
    pub fn dead_letters(&self, group: &str) -> Arc<dyn DeadLetters> {
        Arc::new(GroupDeadLetters {
            producer: Arc::clone(&self.shared.producer),
            group: group.to_owned(),
            counts: self.counts(group),
        })
    }

    fn counts(&self, group: &str) -> Arc<Counts> {
        let mut groups = self.shared.groups();
        Arc::clone(&groups.entry(group.to_owned()).or_default().counts)
    }

    /// Ends cleanly: what is queued is sent.
    pub fn close(&self) -> Result<(), Error> {
        let watcher = self
            .watcher
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((watching, thread)) = watcher {
            *watching
                .stopped
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = true;
            watching.woken.notify_all();
            if thread.join().is_err() {
                tracing::error!("the thread that watches Kafka had panicked");
            }
        }
        self.shared.producer.flush(FLUSH_WAIT)
    }

    /// Appends batches that others keep, too.
    pub(crate) fn publish<'a>(
        &self,
        batches: impl Iterator<Item = &'a SpanBatch>,
        ack: Ack,
        done: Completion,
    ) {
        if let Err(refusal) = self.can_promise(ack) {
            return done(Err(refusal));
        }
        let shared = &self.shared;
        let (partitions, mut records) = (self.partitions(), Vec::new());
        for batch in batches {
            record::encode(batch, partitions, &mut records);
        }
        let arrived_unix_ns = shared.clock.unix_ns();
        let append = Append::new(done);
        for record in &records {
            let sending = Sending {
                topic: &shared.options.topic,
                partition: Some(record.partition),
                key: None,
                value: Some(&record.value),
                headers: record::headers(record.spans, arrived_unix_ns),
                spans: record.spans,
            };
            shared.producer.send(sending, &append);
        }
        if ack == Ack::Received {
            append.answer_early();
        }
        append.all_sent();
    }
}

impl Shared {
    pub(crate) fn topic(&self) -> std::sync::RwLockReadGuard<'_, Checked> {
        self.topic.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanLog for KafkaLog {
    fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        self.publish(batches.iter(), ack, done);
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        let shared = &self.shared;
        let counts = self.counts(group);
        let member = Member::new(&shared.options.topic, durable, counts);
        let wanted = match group == republish::GROUP {
            true => Wanted::Foreign,
            false => Wanted::Ours,
        };
        let consumer = KafkaConsumer::join(
            &shared.options.consumer(group),
            member,
            (&shared.options.topic, group),
            wanted,
            Arc::clone(&shared.producer),
        )?;
        if let Some(known) = shared.groups().get_mut(group) {
            known.member = Arc::downgrade(consumer.member());
        }
        Ok(Box::new(consumer))
    }

    fn status(&self) -> LogStatus {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        status.clone()
    }
}
