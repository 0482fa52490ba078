//! A file system that counts what is asked of it and fails where it is told to: for tests and the
//! simulator. Whatever it does not fail it passes on.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Fs, Space};

/// What can be counted and failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Op {
    /// `File::append`
    Write,
    /// `File::sync_data`
    Sync,
    /// `File::read_at`
    Read,
    /// `File::truncate`
    Truncate,
    /// `Fs::create`
    Create,
    /// `Fs::rename`
    Rename,
    /// `Fs::unlink`
    Unlink,
    /// `Fs::sync_dir`
    SyncDir,
}

const OPS: usize = 8;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing happens but an error with this number (`libc`'s: ENOSPC is 28, EIO 5).
    Errno(i32),
    /// This many bytes are written, and that is what the call says.
    Short(usize),
    /// This many bytes are written, and then the call fails with ENOSPC.
    Torn(usize),
}

/// "No space left on device".
pub const ENOSPC: i32 = 28;
/// "Input/output error".
pub const EIO: i32 = 5;

/// Fails the calls `nth .. nth + times` (counted from 1) of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Which calls.
    pub op: Op,
    /// The first that fails.
    pub nth: u64,
    /// How many fail.
    pub times: u64,
    /// How.
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
struct State {
    counts: [AtomicU64; OPS],
    faults: Mutex<Vec<Fault>>,
    /// Calls of all kinds, and the one from which on all fail.
    calls: AtomicU64,
    dies_at: AtomicU64,
    space: Mutex<Option<Space>>,
}

/// Wraps a file system. Clones share their counts and faults.
#[derive(Clone, Debug)]
pub struct FaultFs {
    inner: Arc<dyn Fs>,
    state: Arc<State>,
}

impl FaultFs {
    /// Wraps this one; nothing fails yet.
    pub fn new(inner: Arc<dyn Fs>) -> Self {
        FaultFs {
            inner,
            state: Arc::default(),
        }
    }

    /// Calls of this kind so far.
    pub fn count(&self, op: Op) -> u64 {
        self.state.counts[op as usize].load(Ordering::SeqCst)
    }

    /// Adds a fault; `nth` counts from now: 1 is the next call.
    pub fn fail(&self, mut fault: Fault) {
        fault.nth += self.count(fault.op);
        lock(&self.state.faults).push(fault);
    }

    /// Lets the next `calls` calls of any kind work and none after them: what is left is what a kill
    /// there would leave.
    pub fn die_after(&self, calls: u64) {
        let now = self.state.calls.load(Ordering::SeqCst);
        self.state.dies_at.store(now + calls + 1, Ordering::SeqCst);
    }

    /// True once a call failed for that.
    pub fn is_dead(&self) -> bool {
        let dies_at = self.state.dies_at.load(Ordering::SeqCst);
        dies_at > 0 && self.state.calls.load(Ordering::SeqCst) >= dies_at
    }

    /// Every call works again.
    pub fn heal(&self) {
        self.state.dies_at.store(0, Ordering::SeqCst);
        lock(&self.state.faults).clear();
    }

    /// Pretends that the disk is this full; none is the truth.
    pub fn set_space(&self, space: Option<Space>) {
        *lock(&self.state.space) = space;
    }

    fn file(&self, inner: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FaultFile {
            inner,
            state: self.state.clone(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Counts a call and says how it goes wrong, if it does.
    fn step(&self, op: Op) -> Option<Outcome> {
        let call = self.counts[op as usize].fetch_add(1, Ordering::SeqCst) + 1;
        let all = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let dies_at = self.dies_at.load(Ordering::SeqCst);
        if dies_at > 0 && all >= dies_at {
            return Some(Outcome::Errno(EIO));
        }
        let faults = lock(&self.faults);
        let hit =
            |fault: &&Fault| fault.op == op && call >= fault.nth && call - fault.nth < fault.times;
        faults.iter().find(hit).map(|fault| fault.outcome)
    }

    fn check(&self, op: Op) -> io::Result<()> {
        match self.step(op) {
            Some(Outcome::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Outcome::Short(_) | Outcome::Torn(_)) | None => Ok(()),
        }
    }
}

impl Fs for FaultFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.inner.open(path)?))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.state.check(Op::Create)?;
        Ok(self.file(self.inner.create(path)?))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.file(self.inner.open_append(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state.check(Op::Rename)?;
        self.inner.rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        self.state.check(Op::Unlink)?;
        self.inner.unlink(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.state.check(Op::SyncDir)?;
        self.inner.sync_dir(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.inner.lock(path)
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let pretended = *lock(&self.state.space);
        pretended.map_or_else(|| self.inner.space(dir), Ok)
    }
}

#[derive(Debug)]
struct FaultFile {
    inner: Arc<dyn File>,
    state: Arc<State>,
}

impl File for FaultFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let part = |length: usize| bytes.get(..length).unwrap_or(bytes);
        match self.state.step(Op::Write) {
            None => self.inner.append(bytes),
            Some(Outcome::Errno(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Outcome::Short(length)) => self.inner.append(part(length)),
            Some(Outcome::Torn(length)) => {
                self.inner.append(part(length))?;
                Err(io::Error::from_raw_os_error(ENOSPC))
            }
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.state.check(Op::Read)?;
        self.inner.read_at(buffer, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state.check(Op::Sync)?;
        self.inner.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.state.check(Op::Truncate)?;
        self.inner.truncate(length)
    }
}
