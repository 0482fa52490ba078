//! Opening: reads the heads of all files and the whole of the last one, cuts a torn end, counts
//! what is missing, and leaves everything else for the readers. Nothing is changed before every
//! file is known to be of a version that can be read. Memory is bounded by one record.

mod finish;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_storage::Error;

use super::record::{FILE_HEAD_BYTES, FileHead, RECORD_HEAD_BYTES};
use super::saved::{Loss, Mark, Saved};
use super::scan::{Item, Scanner};
use super::state::FileMeta;
use super::{Options, Recovery, Shared, aside};
use crate::format::{self, Kind};
use crate::fs::{self, Fs, read_full_at};

/// `log/groups` is a few hundred bytes; more is not ours.
const GROUPS_BYTES_MAX: u64 = 64 << 20;

/// What is being put together.
struct Opening {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    files: BTreeMap<u64, FileMeta>,
    /// Files whose heads cannot be read: path, the offset in the name, length.
    headless: Vec<(PathBuf, u64, u64)>,
    saved: Option<Saved>,
    recovery: Recovery,
    losses: Vec<(Mark, Mark)>,
    /// Offsets below this may have been used by records that nobody can read any more.
    offset_floor: u64,
}

/// What the last file holds.
struct Tail {
    end: Mark,
    arrived_unix_ns: u64,
    length: u64,
    appendable: bool,
}

pub(super) fn open(
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    options: Options,
    clock: Arc<dyn Clock>,
) -> Result<(Shared, Recovery), Error> {
    fs.create_dir_all(&dir)
        .map_err(|error| fs::io_error("create", &dir, &error))?;
    let mut opening = Opening {
        fs,
        dir,
        files: BTreeMap::new(),
        headless: Vec::new(),
        saved: None,
        recovery: Recovery::default(),
        losses: Vec::new(),
        offset_floor: 1,
    };
    opening.read_groups()?;
    opening.read_heads()?;
    opening.set_headless_aside();
    opening.drop_trimmed();
    opening.count_missing()?;
    let tail = opening.read_last()?;
    opening.finish(tail, options, clock)
}

impl Opening {
    fn problem(&mut self, said: String) {
        tracing::warn!("{said}");
        self.recovery.problems.push(said);
    }

    fn lose(&mut self, from: Mark, to: Mark, said: &str) {
        let trimmed = self.saved.as_ref().map(|saved| saved.trimmed);
        let from = from.or_later(trimmed.unwrap_or_default());
        let Loss { records, spans } = from.until(to);
        if records > 0 {
            self.losses.push((from, to));
            self.problem(format!(
                "{said}: {records} records of {spans} spans are lost"
            ));
        }
    }

    fn read_groups(&mut self) -> Result<(), Error> {
        let path = self.dir.join("groups");
        let bytes = match fs::read_all(self.fs.as_ref(), &path, GROUPS_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fs::io_error("read", &path, &error)),
        };
        let saved = match format::open_file(Kind::Groups, &path, &bytes) {
            Err(error @ format::Error::Newer { .. }) => return Err(error.into()),
            opened => opened.ok().and_then(|(_, body)| Saved::decode(body).ok()),
        };
        if saved.is_none() {
            self.problem(format!(
                "{} is damaged: every group reads again what its sink does not have",
                path.display()
            ));
            let _best_effort =
                aside::keep(self.fs.as_ref(), &self.dir, &path, 0, bytes.len() as u64);
        }
        self.saved = saved;
        Ok(())
    }

    fn read_heads(&mut self) -> Result<(), Error> {
        let names = self
            .fs
            .list(&self.dir)
            .map_err(|error| fs::io_error("list", &self.dir, &error))?;
        for name in names {
            let Some(base) = name
                .strip_suffix(".log")
                .and_then(|stem| stem.parse::<u64>().ok())
            else {
                continue;
            };
            let path = self.dir.join(&name);
            let read = || -> io::Result<(Vec<u8>, u64)> {
                let file = self.fs.open(&path)?;
                let mut head = vec![0; FILE_HEAD_BYTES as usize];
                let got = read_full_at(file.as_ref(), &mut head, 0)?;
                head.truncate(got);
                Ok((head, file.len()?))
            };
            let (bytes, length) = read().map_err(|error| fs::io_error("read", &path, &error))?;
            // One copy of the head is enough to read by, but a file that ends within the other was
            // torn while it was begun: records stand after both.
            let is_whole = length >= FILE_HEAD_BYTES;
            match FileHead::parse(&path, &bytes) {
                Ok(head) if is_whole && !self.files.contains_key(&head.base) && head.base > 0 => {
                    self.files
                        .insert(head.base, FileMeta { head, path, length });
                }
                Err(error @ format::Error::Newer { .. }) => return Err(error.into()),
                Ok(_) | Err(_) => self.headless.push((path, base, length)),
            }
        }
        Ok(())
    }

    /// A file without a head: a crash while it was begun, when it is too short for a record; else
    /// its records cannot be told from chance, and it is set aside whole.
    fn set_headless_aside(&mut self) {
        for (path, base, length) in std::mem::take(&mut self.headless) {
            if length <= FILE_HEAD_BYTES {
                let _again_next_time = self.fs.unlink(&path);
                continue;
            }
            // Its records had offsets, which must not be given to others; a later file's begin
            // above them anyway.
            if self.files.range(base..).next().is_none() {
                let records_max = length / RECORD_HEAD_BYTES as u64;
                self.offset_floor = self.offset_floor.max(base.saturating_add(records_max));
            }
            let damaged = self.dir.join("damaged");
            let to = damaged.join(path.file_name().unwrap_or_default());
            let moved = self
                .fs
                .create_dir_all(&damaged)
                .and_then(|()| self.fs.rename(&path, &to));
            let where_to = if moved.is_ok() { &to } else { &path };
            self.problem(format!(
                "{} has no readable head: its records are lost; the file is kept as {}",
                path.display(),
                where_to.display()
            ));
        }
    }

    /// Finishes what a crash between saving and unlinking left.
    fn drop_trimmed(&mut self) {
        let Some(trimmed) = self.saved.as_ref().map(|saved| saved.trimmed) else {
            return;
        };
        while let Some((&base, meta)) = self.files.first_key_value() {
            let next = self.files.values().nth(1);
            if next.is_none_or(|next| next.head.follows > trimmed.next_offset) {
                break;
            }
            let _again_next_time = self.fs.unlink(&meta.path);
            self.files.remove(&base);
        }
    }

    /// Files that are not there though their neighbours say they should be.
    fn count_missing(&mut self) -> Result<(), Error> {
        let metas: Vec<FileMeta> = self.files.values().cloned().collect();
        if let Some(first) = metas
            .first()
            .filter(|first| self.saved.is_none() && first.head.base > 1)
        {
            self.problem(format!("{} is missing or damaged, and the span log begins with offset {}: what came before was trimmed or is lost", self.dir.join("groups").display(), first.head.base));
        }
        let start = |head: FileHead| Mark {
            next_offset: head.follows,
            accepted: head.accepted_before,
        };
        if let Some((first, saved)) = metas.first().zip(self.saved.as_ref()) {
            let (from, to) = (saved.trimmed, start(first.head));
            if from.next_offset > 0 {
                self.lose(
                    from,
                    to,
                    "files of the span log are missing before the first one",
                );
            }
        }
        for (one, next) in metas.iter().zip(metas.iter().skip(1)) {
            if next.head.previous_base != one.head.base {
                let end = self.scan(one, Some(next.head.follows), false)?.end;
                let said = format!(
                    "files of the span log are missing between {} and {}",
                    one.path.display(),
                    next.path.display()
                );
                self.lose(end, start(next.head), &said);
            }
        }
        Ok(())
    }

    /// Walks a file to its end. With `note` set, damage inside is remembered.
    fn scan(
        &mut self,
        meta: &FileMeta,
        offset_limit: Option<u64>,
        note: bool,
    ) -> Result<Tail, Error> {
        let failed = |error: io::Error| fs::io_error("read", &meta.path, &error);
        let file = self.fs.open(&meta.path).map_err(failed)?;
        let mut scanner = Scanner::new(file, meta.head.salt);
        let head = meta.head;
        let mut tail = Tail {
            end: Mark {
                next_offset: head.base,
                accepted: head.accepted_before,
            },
            arrived_unix_ns: head.arrived_before,
            length: FILE_HEAD_BYTES,
            appendable: false,
        };
        let payload_from = if note { 0 } else { u64::MAX };
        let mut garbage = None;
        loop {
            let item = scanner
                .next(meta.length, tail.end.next_offset, payload_from)
                .map_err(failed)?;
            let (head, bad) = match item {
                Item::End => break,
                Item::Garbage { from, to } => {
                    garbage = Some((from, to));
                    continue;
                }
                Item::Record { head, .. } => (head, None),
                Item::BadPayload { head, from, to } => (head, Some((from, to))),
            };
            if offset_limit.is_some_and(|limit| head.offset >= limit) {
                break;
            }
            tail.length = scanner.at();
            if note {
                let before = Mark {
                    next_offset: head.offset,
                    accepted: head.accepted_before,
                };
                let said = format!("{} is damaged", meta.path.display());
                self.lose(tail.end, before, &said);
                let after = Mark {
                    next_offset: head.offset + 1,
                    accepted: head.accepted_after(),
                };
                if bad.is_some() {
                    self.lose(before, after, &said);
                }
                for (from, to) in garbage.take().into_iter().chain(bad) {
                    let _best_effort =
                        aside::keep(self.fs.as_ref(), &self.dir, &meta.path, from, to);
                }
            }
            tail.end = Mark {
                next_offset: head.offset + 1,
                accepted: head.accepted_after(),
            };
            tail.arrived_unix_ns = head.arrived_unix_ns;
        }
        Ok(tail)
    }

    /// Reads the last file fully and cuts what is no record at its end.
    fn read_last(&mut self) -> Result<Option<(FileMeta, Tail)>, Error> {
        let Some(meta) = self.files.last_key_value().map(|(_, meta)| meta.clone()) else {
            return Ok(None);
        };
        let mut tail = self.scan(&meta, None, true)?;
        tail.appendable = true;
        if tail.length < meta.length {
            let _best_effort = aside::keep(
                self.fs.as_ref(),
                &self.dir,
                &meta.path,
                tail.length,
                meta.length,
            );
            let cut = self
                .fs
                .open_append(&meta.path)
                .and_then(|file| file.truncate(tail.length));
            tail.appendable = cut.is_ok();
            self.recovery.cut_bytes = meta.length - tail.length;
            let said = format!(
                "{}: {} bytes of a torn end were cut off",
                meta.path.display(),
                self.recovery.cut_bytes
            );
            self.problem(said);
        }
        if let Some(last) = self.files.get_mut(&meta.head.base) {
            last.length = tail.length;
        }
        Ok(Some((meta, tail)))
    }
}
