//! The embedded span log (D11): the write-ahead log and the only path from collector to stores.
//!
//! Appended batches become records of the active file by one `write(2)` a request; caught-up
//! groups get the very batches from a ring in memory, the others read them back. A file is
//! unlinked when every group has committed past it. The log owns no thread (D14): the binary
//! drives `sync_step` from one. docs/formats/log.md describes the files.

mod aside;
mod consumer;
mod record;
mod recover;
mod saved;
mod scan;
mod state;
mod sync;
#[cfg(test)]
mod tests;
mod trim;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracewell_model::{Clock, SpanBatch};
use tracewell_storage::{Ack, Class, Completion, Consumer, Error, LogStatus, Position, SpanLog};

use self::consumer::LogConsumer;
use self::saved::Saved;
use self::state::State;
use self::sync::SyncState;
use self::writer::Writer;
use crate::fs::Fs;

/// What can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// A file is closed when it would grow beyond this.
    pub file_bytes_max: u64,
    /// Memory for the newest records, for groups that keep up.
    pub ring_bytes_max: usize,
    /// Groups that must pass a file before it is unlinked, besides those that subscribed; when
    /// empty, all that ever did.
    pub groups: Vec<String>,
    /// How long a lagging group may hold files before it is named in `problems`.
    pub retention_ns: u64,
    /// Appends are refused when less than this many percent of the disk is free: segments and
    /// retention must still be able to work.
    pub reserve_percent: u8,
    /// The same in bytes; the larger of the two counts.
    pub reserve_bytes: u64,
    /// Unsynced records of level `logged` are synced after this long: what a power cut may cost.
    pub sync_every_ns: u64,
    /// Commits of the group fdatasync start at most this often.
    pub sync_spacing_ns: u64,
    /// An active file that every group has passed is closed and unlinked from this size on.
    pub passed_bytes_max: u64,
    /// Where file salts come from; random unless a simulation must replay.
    pub salt_seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        use std::hash::BuildHasher;
        Options {
            file_bytes_max: 64 << 20,
            ring_bytes_max: 64 << 20,
            groups: Vec::new(),
            retention_ns: 3_600_000_000_000,
            reserve_percent: 5,
            reserve_bytes: 256 << 20,
            sync_every_ns: 1_000_000_000,
            sync_spacing_ns: 5_000_000,
            passed_bytes_max: 8 << 20,
            salt_seed: std::hash::RandomState::new().hash_one(0),
        }
    }
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Files of the log.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Spans accepted since the log began.
    pub accepted_spans: u64,
    /// The next record's offset.
    pub next_offset: u64,
    /// Bytes of a torn end that were cut off: records nobody was told about.
    pub cut_bytes: u64,
    /// Records known to be lost, by damage or missing files.
    pub lost_records: u64,
    /// Spans in them.
    pub lost_spans: u64,
    /// What an operator should look at, a sentence each.
    pub problems: Vec<String>,
}

/// The log. Clones are handles of the same log.
#[derive(Clone)]
pub struct EmbeddedLog {
    shared: Arc<Shared>,
}

/// Lock order: `saving`, `writer`, `sync`, `state`. Only `saving` and `writer` are held over disk calls.
struct Shared {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    options: Options,
    clock: Arc<dyn Clock>,
    /// What was last saved, and the right to save.
    saving: Mutex<Saved>,
    writer: Mutex<Writer>,
    sync: Mutex<SyncState>,
    sync_wanted: Condvar,
    sync_pause: Condvar,
    state: Mutex<State>,
    appended: Condvar,
}

impl fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedLog")
            .field("dir", &self.shared.dir)
            .finish_non_exhaustive()
    }
}

/// A panic elsewhere must not stop ingest: what these locks guard is changed in whole steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EmbeddedLog {
    /// Opens the log under `dir/log`, makes it if it is not there, and repairs what a crash left.
    /// Fails only where going on would do harm: files of a newer version, or no access.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: Options,
        clock: Arc<dyn Clock>,
    ) -> Result<(EmbeddedLog, Recovery), Error> {
        let (shared, recovery) = recover::open(fs, dir.join("log"), options, clock)?;
        Ok((
            EmbeddedLog {
                shared: Arc::new(shared),
            },
            recovery,
        ))
    }

    /// Says what the store has: so many spans, of the records up to this one. To be called before
    /// any group subscribes: where the log has lost its end, only the store can tell how many
    /// spans the log had accepted (D9).
    pub fn note_stored(&self, durable: &[Position], spans: u64) {
        let offset = durable.iter().map(|position| position.offset);
        self.shared.note_stored(offset.max().unwrap_or(0), spans);
    }

    /// Waits until a `durable` append wants its sync and the last one is long enough ago, or until
    /// the timeout. The sync thread's loop is this call and [`Self::sync_step`].
    pub fn wait_for_sync_work(&self, timeout: Duration) {
        self.shared.wait_for_sync_work(timeout);
    }

    /// Syncs what is due and answers those who wait for it.
    pub fn sync_step(&self) {
        self.shared.sync_step(false);
    }

    /// Syncs everything, saves positions and, when every group has passed everything, leaves an
    /// empty log behind: for a clean stop. Fails when a file is left whose sync has failed.
    pub fn close(&self) -> Result<(), Error> {
        self.shared.sync_step(true);
        self.shared.trim(0)?;
        self.shared.check_synced()
    }
}

impl SpanLog for EmbeddedLog {
    fn append(&self, mut batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        batches.retain(|batch| !batch.is_empty());
        if ack == Ack::Replicated {
            let said = "the embedded log has no replicas: ask for `durable` at most";
            return done(Err(Error::invalid(said)));
        }
        if batches.is_empty() {
            return done(Ok(()));
        }
        match ack {
            Ack::Received => {
                done(Ok(()));
                if let Err(error) = self.shared.write(batches) {
                    tracing::warn!(%error, "spans acknowledged as received are lost");
                }
            }
            Ack::Logged | Ack::Replicated => done(self.shared.write(batches).map(|_base| ())),
            Ack::Durable => match self.shared.write(batches) {
                Ok(base) => self.shared.await_sync(base, done),
                Err(error) => done(Err(error)),
            },
        }
    }

    /// Every group should subscribe before the first append of a process: a sink that knows
    /// positions which the log lost (a power cut) moves the next offset beyond them.
    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        if let Some(position) = durable.iter().find(|position| position.partition != 0) {
            return Err(no_partition(position.partition));
        }
        let durable = durable
            .iter()
            .map(|position| position.offset)
            .max()
            .unwrap_or(0);
        let consumer = LogConsumer::join(Arc::clone(&self.shared), group, durable);
        Ok(Box::new(consumer))
    }

    fn status(&self) -> LogStatus {
        let now = self.shared.clock.unix_ns();
        lock(&self.shared.state).status(now, self.shared.options.retention_ns)
    }
}

fn no_partition(partition: u32) -> Error {
    Error::new(
        Class::Invalid,
        format!("the embedded log has one partition, 0, and no {partition}"),
    )
}
