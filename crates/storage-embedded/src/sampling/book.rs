//! The book of decisions: what was decided is appended to a journal and synced before anything is
//! deleted for it, and is in memory for as long as spans of it may still come. Why traces are kept
//! goes on to shelves, which stay as long as the traces.
//!
//! What the book has lost or forgotten is unknown, and unknown means keep (P12).
#![warn(clippy::indexing_slicing)]

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use tracewell_model::TraceId;
use tracewell_storage::Error;
use tracewell_storage::sampling::{Books, Dropped, Kept, Verdict};

use super::entry::{Entry, Pin, Round};
use super::shelf::{self, Shelf};
use crate::failpoint;
use crate::format::{self, HEADER_BYTES, Kind};
use crate::fs::{self, File, Fs};
use crate::segment::data::trace_hash;

/// Dropped traces that are remembered, some 16 bytes each: beyond them, the oldest are forgotten.
const REMEMBERED_MAX: usize = 2 << 20;
/// Dropped traces of one journal, which is forgotten as a whole.
const JOURNAL_MAX: usize = REMEMBERED_MAX / 8;
/// And how long it is written to.
const JOURNAL_NS: u64 = 1_800_000_000_000;
/// Kept traces in memory, some 32 bytes each, and for how long, before they go to a shelf.
const KEPT_MAX: usize = 256 << 10;
const KEPT_NS: u64 = 86_400_000_000_000;
/// Traces that are pinned and not decided about.
const PINNED_MAX: usize = 100_000;
/// A journal is a few megabytes; what is larger is not ours.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// How long the book remembers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Which traces it dropped, and which are pinned.
    pub(super) dropped_ns: u64,
    /// Why traces are kept.
    pub(super) kept_ns: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Book {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    patience: Patience,
    pub(super) books: Books,
    pub(super) decided_through_unix_ns: u64,
    /// Spans whose traces are dropped, by segment.
    pub(super) dropped_spans: BTreeMap<u64, u64>,
    kept: KeptTraces,
    /// What went to the last shelf.
    kept_before: HashMap<TraceId, u8>,
    pinned: HashMap<TraceId, Pin>,
    /// Oldest first; the last one is written to.
    journals: VecDeque<Journal>,
    /// None when the next entry begins a journal: after a failed write or sync, whose bytes may or
    /// may not be there (P6).
    file: Option<Arc<dyn File>>,
    /// The journal in which the kept ones in memory begin.
    kept_from: u64,
    shelves: Vec<Shelf>,
    next_number: u64,
    pub(super) problems: Vec<String>,
}

#[derive(Debug, Default)]
struct KeptTraces {
    reasons: HashMap<TraceId, u8>,
    starts: Option<(u64, u64)>,
    since_unix_ns: u64,
}

#[derive(Debug)]
struct Journal {
    number: u64,
    began_unix_ns: u64,
    at_unix_ns: u64,
    /// Hashes of ids.
    dropped: HashSet<u64>,
}

fn journal_name(number: u64) -> String {
    format!("{number:016x}.decisions")
}

fn number_of(name: &str, ending: &str) -> Option<u64> {
    let stem = name.strip_suffix(ending)?;
    (stem.len() == 16).then(|| u64::from_str_radix(stem, 16).ok())?
}

impl Book {
    /// A book without an entry.
    pub(super) fn blank(fs: Arc<dyn Fs>, dir: &Path, patience: Patience) -> Book {
        Book {
            fs,
            dir: dir.to_owned(),
            patience,
            books: Books::default(),
            decided_through_unix_ns: 0,
            dropped_spans: BTreeMap::new(),
            kept: KeptTraces::default(),
            kept_before: HashMap::new(),
            pinned: HashMap::new(),
            journals: VecDeque::new(),
            file: None,
            kept_from: 0,
            shelves: Vec::new(),
            next_number: 1,
            problems: Vec::new(),
        }
    }

    /// Opens the book of this directory, or begins one, in which everything up to now is decided: what
    /// came before anyone sampled stays. Fails for a newer version, or if it cannot be written.
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        patience: Patience,
        now_unix_ns: u64,
    ) -> Result<Book, Error> {
        fs.create_dir_all(dir)
            .map_err(|error| fs::io_error("create", dir, &error))?;
        let names = fs
            .list(dir)
            .map_err(|error| fs::io_error("list", dir, &error))?;
        let mut book = Book::blank(fs, dir, patience);
        for number in names.iter().filter_map(|name| number_of(name, ".kept")) {
            book.next_number = book.next_number.max(number + 1);
            match Shelf::open(book.fs.as_ref(), dir, number) {
                Ok(shelf) => book.shelves.push(shelf),
                Err(error) => {
                    book.miss(&error, "why some traces are kept is not known any more")?
                }
            }
        }
        let journals: Vec<u64> = names
            .iter()
            .filter_map(|name| number_of(name, ".decisions"))
            .collect();
        for &number in &journals {
            book.next_number = book.next_number.max(number + 1);
            book.replay(number, Some(&number) == journals.last())?;
        }
        if book.decided_through_unix_ns == 0 {
            book.decided_through_unix_ns = now_unix_ns;
        }
        book.begin_journal(now_unix_ns)?;
        book.forget(now_unix_ns);
        Ok(book)
    }

    /// Notes what cannot be read; a newer release's file is not for this one to touch.
    fn miss(&mut self, error: &Error, so: &str) -> Result<(), Error> {
        match error.class {
            tracewell_storage::Class::Invalid => Err(error.clone()),
            _ => {
                self.problems.push(format!("{error}: {so}"));
                Ok(())
            }
        }
    }

    fn replay(&mut self, number: u64, is_last: bool) -> Result<(), Error> {
        let so = "traces that were dropped there, and are not gone yet, stay";
        let path = self.dir.join(journal_name(number));
        let bytes = match fs::read_all(self.fs.as_ref(), &path, JOURNAL_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => return self.miss(&fs::io_error("read", &path, &error), so),
        };
        self.journals.push_back(Journal::new(number, 0));
        let mut rest = match format::check_header(Kind::Decisions, &path, &bytes) {
            Ok((_version, body)) => body,
            // What a crash left of a file that was just begun.
            Err(_) if is_last && bytes.len() < HEADER_BYTES => return Ok(()),
            Err(error) => return self.miss(&error.into(), so),
        };
        while let Some((entry, after)) = Entry::next(rest) {
            self.take(entry);
            rest = after;
        }
        if !rest.is_empty() && !is_last {
            let at = bytes.len() - rest.len();
            let damaged = format!("{} is damaged from byte {at} on", path.display());
            self.miss(&Error::corrupt(damaged), so)?;
        }
        Ok(())
    }

    /// Takes an entry in that is safe, or as safe as it gets.
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Books(books) => self.books = books,
            Entry::Pinned(pin) => match self.forget_dropped(trace_hash(pin.id)) {
                true => {
                    let (reason, start) = (Kept::Pinned as u8, pin.start_unix_ns);
                    self.kept
                        .add(pin.id, reason, (start, start), pin.at_unix_ns);
                }
                false => {
                    self.pinned.insert(pin.id, pin);
                }
            },
            Entry::Shelved(number) => {
                self.kept_from = self
                    .journals
                    .back()
                    .map_or(number, |journal| journal.number);
                self.kept_before = std::mem::take(&mut self.kept).reasons;
            }
            Entry::Round(round) => self.take_round(round),
        }
    }

    fn take_round(&mut self, round: Round) {
        self.books = round.books;
        self.decided_through_unix_ns = round.decided_through_unix_ns;
        if round.dropped_spans > 0 {
            self.dropped_spans
                .insert(round.segment, round.dropped_spans);
        }
        for (id, reason) in round.kept {
            // It may have been dropped before something late came.
            self.forget_dropped(trace_hash(id));
            self.pinned.remove(&id);
            self.kept.add(id, reason, round.starts, round.at_unix_ns);
        }
        if let Some(journal) = self.journals.back_mut() {
            journal.at_unix_ns = journal.at_unix_ns.max(round.at_unix_ns);
            if journal.began_unix_ns == 0 {
                journal.began_unix_ns = round.at_unix_ns;
            }
            journal.dropped.extend(round.dropped);
        }
    }

    /// True when it was dropped.
    fn forget_dropped(&mut self, hash: u64) -> bool {
        let mut was_dropped = false;
        for journal in &mut self.journals {
            was_dropped |= journal.dropped.remove(&hash);
        }
        was_dropped
    }

    /// Writes a round down: after Ok it survives a crash.
    pub(super) fn decide(&mut self, round: Round) -> Result<(), Error> {
        let now_unix_ns = round.at_unix_ns;
        self.write(Entry::Round(round), now_unix_ns)?;
        failpoint::hit("decisions-after-write");
        self.put_away(now_unix_ns)
    }

    /// Writes the books down.
    pub(super) fn save(&mut self, books: Books, now_unix_ns: u64) -> Result<(), Error> {
        self.write(Entry::Books(books), now_unix_ns)?;
        self.put_away(now_unix_ns)
    }

    /// Keeps a trace that is not gone. Survives a kill, and with the next round a power cut.
    pub(super) fn pin(&mut self, pin: Pin) -> Result<(), Error> {
        if self.pinned.contains_key(&pin.id) || self.kept_reason(pin.id).is_some() {
            return Ok(());
        }
        if self.pinned.len() >= PINNED_MAX {
            let said = format!("{PINNED_MAX} traces are pinned and not decided about yet");
            return Err(Error::overloaded(said, 60));
        }
        let entry = Entry::Pinned(pin);
        self.append(&entry.framed(), pin.at_unix_ns)?;
        self.take(entry);
        Ok(())
    }

    pub(super) fn is_pinned(&self, id: TraceId) -> bool {
        self.pinned.contains_key(&id)
    }

    /// True when the trace with this hash is dropped.
    pub(super) fn is_dropped(&self, hash: u64) -> bool {
        let mut journals = self.journals.iter();
        journals.any(|journal| journal.dropped.contains(&hash))
    }

    fn kept_reason(&self, id: TraceId) -> Option<u8> {
        let recent = self.kept.reasons.get(&id);
        recent.or_else(|| self.kept_before.get(&id)).copied()
    }

    /// What was decided about a trace of late.
    pub(super) fn recent(&self, id: TraceId) -> Option<Verdict> {
        if let Some(reason) = self.kept_reason(id) {
            return Some(Verdict::Keep(Kept::of_code(reason)));
        }
        let is_dropped = self.is_dropped(trace_hash(id));
        is_dropped.then_some(Verdict::Drop(Dropped::NotInShare))
    }

    /// The shelves that may have a trace which starts at this time, latest first; for who asks them
    /// without holding up the book.
    pub(super) fn shelves(&self, start_unix_ns: u64) -> Vec<Shelf> {
        let mut shelves: Vec<Shelf> = self.shelves.to_vec();
        shelves.retain(|shelf| shelf.may_hold(start_unix_ns));
        shelves.sort_by_key(|shelf| std::cmp::Reverse(shelf.number));
        shelves
    }

    fn write(&mut self, entry: Entry, now_unix_ns: u64) -> Result<(), Error> {
        self.append(&entry.framed(), now_unix_ns)?;
        if let Some(file) = self.file.take() {
            // Not put back on an error: the next entry begins another journal.
            let synced = file.sync_data();
            synced.map_err(|error| fs::io_error("sync decisions in", &self.dir, &error))?;
            self.file = Some(file);
        }
        self.take(entry);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8], now_unix_ns: u64) -> Result<(), Error> {
        if self.file.is_none() {
            self.begin_journal(now_unix_ns)?;
        }
        if let Some(file) = self.file.take() {
            let appended = fs::append_all(file.as_ref(), bytes);
            appended.map_err(|error| fs::io_error("write decisions in", &self.dir, &error))?;
            self.file = Some(file);
        }
        Ok(())
    }

    /// The first entries say all that the journals before it will not say any more.
    fn begin_journal(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        let number = self.next_number;
        let path = self.dir.join(journal_name(number));
        self.next_number += 1;
        let so_far = Round {
            at_unix_ns: now_unix_ns,
            books: self.books.clone(),
            decided_through_unix_ns: self.decided_through_unix_ns,
            ..Round::default()
        };
        let mut bytes = format::header(Kind::Decisions).to_vec();
        bytes.extend(Entry::Round(so_far).framed());
        for &pin in self.pinned.values() {
            bytes.extend(Entry::Pinned(pin).framed());
        }
        let begin = || {
            let file = self.fs.create(&path)?;
            fs::append_all(file.as_ref(), &bytes)?;
            file.sync_data()?;
            self.fs.sync_dir(&self.dir)?;
            Ok(file)
        };
        let file = begin().map_err(|error| fs::io_error("begin", &path, &error))?;
        self.file = Some(file);
        self.journals.push_back(Journal::new(number, now_unix_ns));
        Ok(())
    }

    /// Begins the next journal when this one is full, moves what is kept to a shelf when it is much,
    /// and forgets what is old.
    fn put_away(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        let is_full = self.journals.back().is_none_or(|journal| {
            journal.dropped.len() >= JOURNAL_MAX
                || now_unix_ns.saturating_sub(journal.began_unix_ns) > JOURNAL_NS
        });
        if is_full {
            self.begin_journal(now_unix_ns)?;
        }
        let kept = &self.kept;
        let is_old = now_unix_ns.saturating_sub(kept.since_unix_ns) > KEPT_NS;
        if kept.reasons.len() >= KEPT_MAX || (is_old && !kept.reasons.is_empty()) {
            self.shelve(now_unix_ns)?;
        }
        if is_full {
            self.forget(now_unix_ns);
        }
        Ok(())
    }

    fn shelve(&mut self, now_unix_ns: u64) -> Result<(), Error> {
        let KeptTraces {
            reasons, starts, ..
        } = &self.kept;
        let mut entries: Vec<_> = reasons.iter().map(|(&id, &reason)| (id, reason)).collect();
        entries.sort_unstable();
        let (number, starts) = (self.next_number, starts.unwrap_or_default());
        self.next_number += 1;
        let (fs, dir) = (self.fs.as_ref(), self.dir.as_path());
        let shelf = Shelf::write(fs, dir, number, &entries, starts, now_unix_ns)?;
        self.shelves.push(shelf);
        self.write(Entry::Shelved(number), now_unix_ns)
    }

    /// What is left of a file that cannot be removed goes at a later call.
    fn forget(&mut self, now_unix_ns: u64) {
        let Patience {
            dropped_ns,
            kept_ns,
        } = self.patience;
        let is_over = |at: u64, ns: u64| now_unix_ns.saturating_sub(at) > ns;
        let mut remembered: usize = self
            .journals
            .iter()
            .map(|journal| journal.dropped.len())
            .sum();
        let last = self.journals.back().map_or(0, |journal| journal.number);
        if self.kept.reasons.is_empty() {
            self.kept_from = last;
        }
        for journal in &mut self.journals {
            let is_old = is_over(journal.at_unix_ns, dropped_ns) || remembered > REMEMBERED_MAX;
            if journal.number < last && is_old {
                remembered -= journal.dropped.len();
                journal.dropped = HashSet::new();
            }
        }
        self.pinned
            .retain(|_, pin| !is_over(pin.at_unix_ns, dropped_ns));
        let (fs, dir, kept_from) = (&self.fs, &self.dir, self.kept_from);
        self.journals.retain(|journal| {
            let is_needed = journal.number >= kept_from || !journal.dropped.is_empty();
            is_needed
                || journal.number == last
                || fs.unlink(&dir.join(journal_name(journal.number))).is_err()
        });
        self.shelves.retain(|shelf| {
            !is_over(shelf.at_unix_ns, kept_ns)
                || fs.unlink(&dir.join(shelf::name(shelf.number))).is_err()
        });
    }
}

impl Journal {
    fn new(number: u64, began_unix_ns: u64) -> Journal {
        Journal {
            number,
            began_unix_ns,
            at_unix_ns: began_unix_ns,
            dropped: HashSet::new(),
        }
    }
}

impl KeptTraces {
    fn add(&mut self, id: TraceId, reason: u8, starts: (u64, u64), at_unix_ns: u64) {
        if self.reasons.is_empty() {
            self.since_unix_ns = at_unix_ns;
        }
        self.reasons.insert(id, reason);
        let (from, to) = self.starts.unwrap_or(starts);
        self.starts = Some((from.min(starts.0), to.max(starts.1)));
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests;
