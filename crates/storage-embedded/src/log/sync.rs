//! The grouped fdatasync: many `durable` appends, one call to the disk.
//!
//! A sync that failed is never asked for again (P6): the kernel may have dropped the pages and
//! would then say yes. Those who waited hear no, the file is sealed and another one begun.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracewell_storage::{Completion, Error};

use super::writer::file_path;
use super::{Shared, lock};
use crate::failpoint;
use crate::fs::File;

/// What waits for the disk.
#[derive(Default)]
pub(super) struct SyncState {
    waiters: Vec<(u64, Completion)>,
    /// Files with unsynced bytes, by base.
    dirty: Vec<(u64, Arc<dyn File>)>,
    /// A file's name is not yet durable.
    dir_dirty: bool,
    /// Since when something is unsynced.
    dirty_since_ns: Option<u64>,
    /// When the last commit started.
    started_ns: Option<u64>,
    /// Files whose sync failed.
    failed: BTreeSet<u64>,
}

impl SyncState {
    /// For files that an earlier life left: nobody knows which of their bytes it had synced, and a
    /// second kill must not leave them unsynced for ever.
    pub(super) fn after(files: Vec<(u64, Arc<dyn File>)>, now_ns: u64) -> SyncState {
        let mut sync = SyncState::default();
        sync.dirty_since_ns = (!files.is_empty()).then_some(now_ns);
        sync.dir_dirty = !files.is_empty();
        sync.dirty = files;
        sync
    }
}

impl Drop for SyncState {
    fn drop(&mut self) {
        for (_, done) in self.waiters.drain(..) {
            done(Err(Error::retryable(
                "the span log was closed before its sync",
            )));
        }
    }
}

impl Shared {
    /// The file has bytes that are not on the disk.
    pub(super) fn note_dirty(&self, base: u64, file: Arc<dyn File>) {
        let now = self.clock.monotonic_ns();
        let mut sync = lock(&self.sync);
        sync.dirty_since_ns.get_or_insert(now);
        if sync.dirty.last().is_none_or(|&(last, _)| last != base) {
            sync.dirty.push((base, file));
        }
    }

    /// The file is new: its head and its name are not on the disk.
    pub(super) fn note_new_file(&self, base: u64, file: Arc<dyn File>) {
        {
            let mut sync = lock(&self.sync);
            sync.dir_dirty = true;
            // It may bear the name of one that failed and held nothing.
            sync.failed.remove(&base);
            sync.dirty.retain(|&(other, _)| other != base);
        }
        self.note_dirty(base, file);
    }

    /// Calls `done` when the file has been synced after now.
    pub(super) fn await_sync(&self, base: u64, done: Completion) {
        lock(&self.sync).waiters.push((base, done));
        self.sync_wanted.notify_all();
    }

    pub(super) fn wait_for_sync_work(&self, timeout: Duration) {
        let sync = lock(&self.sync);
        let waited = self
            .sync_wanted
            .wait_timeout_while(sync, timeout, |s| s.waiters.is_empty());
        let (sync, _timed_out) = waited.unwrap_or_else(PoisonError::into_inner);
        let since = sync
            .started_ns
            .map_or(u64::MAX, |at| self.clock.monotonic_ns().saturating_sub(at));
        let pause = self.options.sync_spacing_ns.saturating_sub(since);
        if pause > 0 && !sync.waiters.is_empty() {
            // More appends join the commit meanwhile. Nobody notifies this one: it only waits.
            drop(
                self.sync_pause
                    .wait_timeout(sync, Duration::from_nanos(pause)),
            );
        }
    }

    /// See [`super::EmbeddedLog::sync_step`]; `all` syncs what is not due yet, too.
    pub(super) fn sync_step(&self, all: bool) {
        let now = self.clock.monotonic_ns();
        let (waiters, dirty, dir_dirty) = {
            let mut sync = lock(&self.sync);
            let age = sync.dirty_since_ns.map(|since| now.saturating_sub(since));
            let due = all || age.is_some_and(|age| age >= self.options.sync_every_ns);
            if sync.waiters.is_empty() && !due {
                return;
            }
            sync.started_ns = Some(now);
            sync.dirty_since_ns = None;
            let dir_dirty = std::mem::take(&mut sync.dir_dirty);
            let mut dirty = std::mem::take(&mut sync.dirty);
            // An append may have marked a failed file before it was sealed.
            dirty.retain(|(base, _)| !sync.failed.contains(base));
            (std::mem::take(&mut sync.waiters), dirty, dir_dirty)
        };
        let trouble = self.sync_files(&dirty, dir_dirty);
        let failed = lock(&self.sync).failed.clone();
        for (base, done) in waiters {
            done(match &trouble {
                Some(error) if failed.contains(&base) => Err(error.clone()),
                None if failed.contains(&base) => {
                    Err(Error::retryable("an earlier sync of the span log failed"))
                }
                _ => Ok(()),
            });
        }
    }

    /// Syncs each file once; answers what went wrong, after it was dealt with.
    fn sync_files(&self, dirty: &[(u64, Arc<dyn File>)], dir_dirty: bool) -> Option<Error> {
        let mut trouble = None;
        failpoint::hit("log-before-sync");
        for (base, file) in dirty {
            if let Err(error) = file.sync_data() {
                let path = file_path(self, *base);
                trouble = Some(Error::retryable(format!(
                    "sync {}: {error}",
                    path.display()
                )));
                self.seal_failed(*base, &format!("sync {}: {error}", path.display()));
            }
        }
        failpoint::hit("log-after-sync");
        if dir_dirty && let Err(error) = self.fs.sync_dir(&self.dir) {
            let said = format!("sync {}: {error}", self.dir.display());
            dirty
                .iter()
                .for_each(|&(base, _)| self.seal_failed(base, &said));
            trouble = Some(Error::retryable(said));
        }
        trouble
    }

    /// Fails when some group still needs a file whose sync has failed.
    pub(super) fn check_synced(&self) -> Result<(), Error> {
        let failed = lock(&self.sync).failed.clone();
        let state = lock(&self.state);
        match failed.iter().find_map(|base| state.files.get(base)) {
            Some(meta) => Err(Error::retryable(format!(
                "the sync of {} failed: a power cut may take its records",
                meta.path.display()
            ))),
            None => Ok(()),
        }
    }

    /// Never appends to, and never syncs, this file again.
    fn seal_failed(&self, base: u64, said: &str) {
        tracing::error!(base, "{said}: the file is sealed and another one begun");
        let mut writer = lock(&self.writer);
        lock(&self.sync).failed.insert(base);
        lock(&self.state).problem(format!("{said}: the file was sealed"));
        if writer
            .active
            .as_ref()
            .is_some_and(|active| active.base == base)
        {
            writer.active = None;
            // Where this fails the next append tries again, and is refused until it works.
            if let Err(error) = self.begin_file(&mut writer) {
                lock(&self.state).refusal = Some(format!("ingest is refused: {error}"));
            }
        }
    }
}
