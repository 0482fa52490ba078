//! Figures in embedded mode: one ladder in memory, saved now and then together with the positions
//! it covers (D16). The log has what came after the last save, so a crash counts at most that twice.
//!
//! Of what has come to rest only the last is in memory and in the snapshot; the rest lies on a shelf of files (`stats/shelf.rs`).
//! The roll of instances lies in a file beside, saved first: its facts may be told twice.
//!
//! Reads touch the ladder and its shelf only: no segment, no index (D19).

mod shelf;

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tracewell_model::Clock;
use tracewell_storage::ladder::Ladder;
use tracewell_storage::roll::{Roll, RollCall};
use tracewell_storage::stats::{
    Answer, EdgeFigures, OperationFigures, ServiceFigures, StatsDelta, StatsReader, StatsWriter,
    Window,
};
use tracewell_storage::{Error, Position};

use crate::codec::{Damaged, Reader, put_varint};
use crate::format::{self, Kind};
use crate::fs::{self, Fs};
use shelf::FileShelf;

/// How often figures are saved: what a crash may count twice (P9).
const SAVE_EVERY_NS: u64 = 10_000_000_000;
/// A ladder is capped by its series; a file beyond this is none of ours.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Figures at rest of a rung that are kept in memory and saved with each snapshot; what is more is put
/// away. One service of a few requests a second never has as many in all its life.
const RESTING_BYTES_MAX: usize = 4 << 20;
const NAME: &str = "snapshot";
const ROLL: &str = "roll";

/// The figures. Shared: one writes, others read.
#[derive(Debug)]
pub struct EmbeddedStats {
    inner: Inner,
}

struct Inner {
    fs: Arc<dyn Fs>,
    clock: Arc<dyn Clock>,
    dir: PathBuf,
    figures: RwLock<Figures>,
    shelf: Arc<FileShelf>,
    resting_bytes_max: usize,
    /// What the ladder takes: whoever only looks at it does not wait for those who read figures.
    memory_bytes: AtomicUsize,
    saved: Mutex<SavedState>,
    problems: Vec<String>,
}

#[derive(Default)]
struct Figures {
    ladder: Ladder,
    roll: Roll,
    positions: Vec<Position>,
}

#[derive(Default)]
struct SavedState {
    positions: Vec<Position>,
    at_monotonic_ns: u64,
    at_unix_ns: u64,
    failure: Option<String>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EmbeddedStats {
    /// Opens the figures under `dir/stats`. Damaged ones are left out, which [`Self::problems`]
    /// says: figures then start from what the log still holds. Fails only for a newer version.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<EmbeddedStats, Error> {
        EmbeddedStats::open_with(fs, dir, clock, RESTING_BYTES_MAX)
    }

    fn open_with(
        fs: Arc<dyn Fs>,
        dir: &Path,
        clock: Arc<dyn Clock>,
        resting_bytes_max: usize,
    ) -> Result<EmbeddedStats, Error> {
        let dir = dir.join("stats");
        fs.create_dir_all(&dir)
            .map_err(|error| fs::io_error("create", &dir, &error))?;
        let (mut figures, unread) = load(fs.as_ref(), &dir, NAME, Kind::Stats, decode)?;
        let (roll, roll_unread) = load(fs.as_ref(), &dir, ROLL, Kind::Roll, decode_roll)?;
        figures.roll = roll;
        let places = unread.is_none().then(|| figures.ladder.places().collect());
        let shelf = Arc::new(FileShelf::open(fs.clone(), &dir, places)?);
        figures.ladder.set_shelf(shelf.clone());
        let memory_bytes = figures.ladder.memory_bytes();
        let saved = SavedState {
            positions: figures.positions.clone(),
            at_monotonic_ns: clock.monotonic_ns(),
            at_unix_ns: clock.unix_ns(),
            failure: None,
        };
        let inner = Inner {
            fs,
            clock,
            dir,
            figures: RwLock::new(figures),
            shelf,
            resting_bytes_max,
            memory_bytes: AtomicUsize::new(memory_bytes),
            saved: Mutex::new(saved),
            problems: unread.into_iter().chain(roll_unread).collect(),
        };
        Ok(EmbeddedStats { inner })
    }

    /// What an operator should look at, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let failure = lock(&self.inner.saved).failure.clone();
        let unread = self.inner.problems.iter().cloned();
        unread.chain(failure).collect()
    }

    /// Bytes of memory held, for the budget (D15).
    pub fn memory_bytes(&self) -> usize {
        self.inner.memory_bytes.load(Ordering::Relaxed)
    }

    fn read(&self) -> RwLockReadGuard<'_, Figures> {
        let figures = self.inner.figures.read();
        figures.unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<T>(&self, ask: impl FnOnce(&Ladder) -> Answer<T>) -> Result<Answer<T>, Error> {
        let mut answer = ask(&self.read().ladder);
        answer.searched.backend = "embedded";
        answer
            .incomplete
            .extend(self.inner.problems.iter().cloned());
        Ok(answer)
    }

    /// Saves figures and positions together. The state lock serializes savers; figures are locked
    /// for reading only while they are encoded, so that queries go on.
    fn save(&self, saved: &mut SavedState) -> Result<(), Error> {
        let inner = &self.inner;
        // Whether it works or not, the next try is due a period later: a full disk must not make
        // every write of the aggregator encode everything again.
        saved.at_monotonic_ns = inner.clock.monotonic_ns();
        let put_away = self.put_away();
        let (mut roll, mut body) = (Vec::new(), Vec::new());
        let (positions, named) = {
            let figures = self.read();
            figures.roll.encode(&mut roll);
            put_positions(&mut body, &figures.positions);
            figures.ladder.encode(&mut body);
            let named: HashSet<u64> = figures.ladder.places().map(|place| place.file).collect();
            (figures.positions.clone(), named)
        };
        let written = [(ROLL, Kind::Roll, roll), (NAME, Kind::Stats, body)]
            .into_iter()
            .try_for_each(|(name, kind, body)| {
                let file = format::seal_file(kind, &body);
                fs::write_atomic(inner.fs.as_ref(), &inner.dir, name, &file)
            });
        let written = written.map_err(|error| fs::io_error("write", &inner.dir.join(NAME), &error));
        if written.is_ok() {
            saved.positions = positions;
            inner.shelf.keep(&named);
        }
        let done = written.and(put_away);
        let failure = done.as_ref().err();
        saved.failure = failure.map(|error| format!("figures could not be saved: {error}"));
        done
    }

    /// Puts figures on the shelf, of those at rest that have become many. Nobody waits for the disk:
    /// what is added to meanwhile stays in memory.
    fn put_away(&self) -> Result<(), Error> {
        let resting = self.read().ladder.resting(self.inner.resting_bytes_max);
        for of_rung in resting {
            let places = self.inner.shelf.put(&of_rung)?;
            let mut figures = self.write_lock();
            for (resting, &place) in of_rung.iter().zip(&places) {
                figures.ladder.put_away(resting, place);
            }
        }
        Ok(())
    }

    fn write_lock(&self) -> RwLockWriteGuard<'_, Figures> {
        let figures = self.inner.figures.write();
        figures.unwrap_or_else(PoisonError::into_inner)
    }
}

impl StatsWriter for EmbeddedStats {
    fn write(&self, delta: StatsDelta) -> Result<(), Error> {
        let now_unix_ns = delta.now_unix_ns;
        {
            let mut figures = self.write_lock();
            figures.ladder.add(&delta);
            delta.instances.iter().for_each(|one| figures.roll.add(one));
            delta
                .positions
                .iter()
                .for_each(|&position| advance(&mut figures.positions, position));
            let bytes = figures.ladder.memory_bytes();
            self.inner.memory_bytes.store(bytes, Ordering::Relaxed);
        }
        let mut saved = lock(&self.inner.saved);
        // By either clock: replay after a start moves hours of the wall clock in seconds, and a wall
        // clock that stands still or jumps (P18) must not keep figures from being saved.
        let now = self.inner.clock.monotonic_ns();
        let age = now
            .saturating_sub(saved.at_monotonic_ns)
            .max(now_unix_ns.abs_diff(saved.at_unix_ns));
        if age >= SAVE_EVERY_NS {
            saved.at_unix_ns = now_unix_ns;
            // The figures are in: an error here would make the caller add them once more. It
            // stays visible in `problems`, and `durable` does not move.
            if let Err(error) = self.save(&mut saved) {
                tracing::warn!(%error, "figures could not be saved");
            }
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        lock(&self.inner.saved).positions.clone()
    }

    fn flush(&self) -> Result<(), Error> {
        self.save(&mut lock(&self.inner.saved))
    }
}

impl StatsReader for EmbeddedStats {
    fn read_services(&self, window: &Window) -> Result<Answer<ServiceFigures>, Error> {
        self.answer(|ladder| ladder.services(window))
    }

    fn read_operations(
        &self,
        service: &str,
        window: &Window,
    ) -> Result<Answer<OperationFigures>, Error> {
        self.answer(|ladder| ladder.operations(service, window))
    }

    fn read_every_operation(
        &self,
        window: &Window,
    ) -> Result<Answer<(String, OperationFigures)>, Error> {
        self.answer(|ladder| ladder.every_operation(window))
    }

    fn read_graph(&self, window: &Window) -> Result<Answer<EdgeFigures>, Error> {
        self.answer(|ladder| ladder.graph(window))
    }

    fn read_roll(&self, service: &str) -> Result<RollCall, Error> {
        let mut call = self.read().roll.call(service);
        call.incomplete.extend(self.inner.problems.iter().cloned());
        Ok(call)
    }
}

/// Moves the position of one partition forward, never back.
fn advance(positions: &mut Vec<Position>, to: Position) {
    match positions
        .iter_mut()
        .find(|position| position.partition == to.partition)
    {
        Some(position) => position.offset = position.offset.max(to.offset),
        None => positions.push(to),
    }
}

fn put_positions(out: &mut Vec<u8>, positions: &[Position]) {
    put_varint(out, positions.len() as u64);
    for position in positions {
        put_varint(out, u64::from(position.partition));
        put_varint(out, position.offset);
    }
}

/// What was saved, or nothing and why.
fn load<T: Default>(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
    kind: Kind,
    decode: fn(&[u8]) -> Result<T, Damaged>,
) -> Result<(T, Option<String>), Error> {
    let path = dir.join(name);
    let bytes = match fs::read_all(fs, &path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((T::default(), None)),
        Err(error) => {
            let said = begins_anew(&path, &error.to_string());
            return Ok((T::default(), Some(said)));
        }
    };
    let said = match format::open_file(kind, &path, &bytes) {
        Ok((_, body)) => match decode(body) {
            Ok(saved) => return Ok((saved, None)),
            Err(Damaged(what)) => what.to_owned(),
        },
        Err(error @ format::Error::Newer { .. }) => return Err(error.into()),
        Err(error) => error.to_string(),
    };
    // Kept beside, for whoever wants to know; the next save would overwrite it.
    let _courtesy = fs.rename(&path, &path.with_extension("damaged"));
    Ok((T::default(), Some(begins_anew(&path, &said))))
}

fn begins_anew(path: &Path, why: &str) -> String {
    format!(
        "{} cannot be read ({why}): figures begin with what the log still holds",
        path.display()
    )
}

fn decode(body: &[u8]) -> Result<Figures, Damaged> {
    let mut reader = Reader::new(body);
    let mut positions = Vec::new();
    for _ in 0..reader.count(2)? {
        positions.push(Position {
            partition: reader.u32()?,
            offset: reader.varint()?,
        });
    }
    let rest = reader.take(reader.remaining())?;
    let ladder = Ladder::decode(rest).ok_or(Damaged("figures do not decode"))?;
    Ok(Figures {
        ladder,
        positions,
        ..Figures::default()
    })
}

fn decode_roll(body: &[u8]) -> Result<Roll, Damaged> {
    Roll::decode(body).ok_or(Damaged("the roll does not decode"))
}

#[cfg(test)]
mod tests;
