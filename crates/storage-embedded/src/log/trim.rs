//! Forgetting: positions are saved, then files that every group has passed are unlinked. In this
//! order, so that after a crash a missing file is never taken for a loss.

use std::io::ErrorKind;

use tracewell_storage::Error;

use super::record::FILE_HEAD_BYTES;
use super::saved::{Loss, Mark};
use super::state::{FileMeta, State};
use super::{Shared, lock};
use crate::failpoint;
use crate::format::{self, Kind};
use crate::fs;

impl Shared {
    /// Saves positions and unlinks what all groups have passed. An active file of more than
    /// `active_bytes_max` that they have passed is closed for it.
    pub(super) fn trim(&self, active_bytes_max: u64) -> Result<(), Error> {
        let mut last_saved = lock(&self.saving);
        self.close_passed(active_bytes_max)?;
        let (saved, passed) = {
            let mut state = lock(&self.state);
            let passed = passed_files(&mut state);
            state.has_unsaved_loss = false;
            (state.saved(), passed)
        };
        let news = saved.committed != last_saved.committed
            || saved.trimmed != last_saved.trimmed
            || saved.losses != last_saved.losses
            || saved.lost_before != last_saved.lost_before;
        if news || active_bytes_max == 0 && saved != *last_saved {
            let bytes = format::seal_file(Kind::Groups, &saved.encode());
            if let Err(error) = fs::write_atomic(self.fs.as_ref(), &self.dir, "groups", &bytes) {
                lock(&self.state).has_unsaved_loss |= saved.losses != last_saved.losses
                    || saved.lost_before != last_saved.lost_before;
                return Err(fs::io_error("save", &self.dir.join("groups"), &error));
            }
            *last_saved = saved;
        }
        for meta in passed {
            failpoint::hit("log-before-unlink");
            match self.fs.unlink(&meta.path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(fs::io_error("unlink", &meta.path, &error));
                }
                _ => {}
            }
            failpoint::hit("log-after-unlink");
            lock(&self.state).files.remove(&meta.head.base);
        }
        Ok(())
    }

    /// Writes down what is lost, before anyone takes in what comes after it: once a store has
    /// passed it, nobody would look for it again.
    pub(super) fn save_losses(&self) -> Result<(), Error> {
        let is_news = lock(&self.state).has_unsaved_loss;
        if is_news {
            self.trim(self.options.passed_bytes_max)?;
        }
        Ok(())
    }

    fn close_passed(&self, bytes_max: u64) -> Result<(), Error> {
        let mut writer = lock(&self.writer);
        let passed = lock(&self.state).passed_by_all();
        let large = |length: u64| length > FILE_HEAD_BYTES && length > bytes_max;
        let close = writer
            .active
            .as_ref()
            .is_some_and(|active| large(active.length));
        if close && passed + 1 >= writer.end.next_offset {
            self.begin_file(&mut writer)?;
        }
        Ok(())
    }
}

/// Files that every group has passed; moves the trimmed mark beyond them.
fn passed_files(state: &mut State) -> Vec<FileMeta> {
    let passed = state.passed_by_all();
    let mut files = Vec::new();
    let mut trimmed = Mark::default();
    // A file is passed when the next one begins at or before what comes after the last commit;
    // so the newest file never is.
    for (meta, next) in state.files.values().zip(state.files.values().skip(1)) {
        if next.head.follows > passed + 1 {
            break;
        }
        trimmed = Mark {
            next_offset: next.head.follows,
            accepted: next.head.accepted_before,
        };
        files.push(meta.clone());
    }
    if trimmed.next_offset > state.trimmed.next_offset {
        state.trimmed = trimmed;
        let kept = state.losses.split_off(&trimmed.next_offset);
        let gone = std::mem::replace(&mut state.losses, kept);
        let mut sum = Loss::default();
        gone.values().for_each(|&loss| sum.add(loss));
        state.lost_before.add(sum);
    }
    files
}
