//! A disk in memory that forgets as a real one does. What was written survives the end of the
//! process; only what was synced survives the end of the power: of the rest any prefix may be
//! there, torn at a sector, or sectors of zeros among sectors of data, because a drive orders
//! writes as it likes. Names survive once their directory was synced; of later changes a prefix.
//!
//! After a failed sync the bytes that were under way are gone for good, though the process still
//! reads them and a second sync says it worked: that is what Linux does (P6).

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tracewell_storage_embedded::fs::fault::{EIO, ENOSPC};
use tracewell_storage_embedded::fs::{File, Fs, Space};

const SECTOR: usize = 512;
/// The size of the disk; more than any story writes.
const TOTAL_BYTES: u64 = 64 << 30;

/// What goes wrong at present: one call in so many fails; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Syncs of files and directories fail with EIO.
    pub sync_one_in: u32,
    /// Writes fail with ENOSPC, some after a part of their bytes.
    pub write_one_in: u32,
    /// Writes write less than asked, and say so.
    pub short_one_in: u32,
    /// Reads fail with EIO.
    pub read_one_in: u32,
    /// Creating, renaming and removing fail with EIO.
    pub name_one_in: u32,
    /// Syncs do nothing and say they worked: a disk that lies, by which the storm proves itself.
    pub lying_sync: bool,
}

type Inode = u64;

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// So many bytes survive a power cut.
    synced: usize,
    /// Within `bytes`, what a failed sync lost for ever.
    lost: Vec<Range<usize>>,
    /// What survives instead, while a cut of the file is not synced.
    before_truncate: Option<Vec<u8>>,
}

/// A change of names that is not safe yet.
#[derive(Clone, Debug)]
enum Change {
    Create(PathBuf, Inode),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

impl Change {
    /// Whether a sync of this directory makes it safe. A rename between two is one step of the
    /// file system: with either, it is done.
    fn is_of(&self, dir: &Path) -> bool {
        let inside = |path: &Path| path.parent() == Some(dir);
        match self {
            Change::Create(path, _) | Change::Unlink(path) => inside(path),
            Change::Rename(from, to) => inside(from) || inside(to),
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, Inode>) {
        match self {
            Change::Create(path, inode) => drop(names.insert(path, inode)),
            Change::Unlink(path) => drop(names.remove(&path)),
            Change::Rename(from, to) => {
                if let Some(inode) = names.remove(&from) {
                    names.insert(to, inode);
                }
            }
        }
    }
}

#[derive(Debug)]
struct State {
    random: Rng,
    faults: Faults,
    names: BTreeMap<PathBuf, Inode>,
    safe_names: BTreeMap<PathBuf, Inode>,
    unsafe_changes: Vec<Change>,
    contents: BTreeMap<Inode, Content>,
    dirs: BTreeSet<PathBuf>,
    next_inode: Inode,
    calls: u64,
    failed: u64,
    full: bool,
}

/// See the module. Clones are the same disk.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk whose misfortunes come from this seed.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State {
            random: Rng::with_seed(seed),
            faults: Faults::default(),
            names: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            unsafe_changes: Vec::new(),
            contents: BTreeMap::new(),
            dirs: BTreeSet::new(),
            next_inode: 1,
            calls: 0,
            failed: 0,
            full: false,
        })))
    }

    /// From now on this goes wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// From now on there is no room, or there is again.
    pub fn set_full(&self, full: bool) {
        self.state().full = full;
    }

    /// Calls so far, and how many of them failed on purpose.
    pub fn calls(&self) -> (u64, u64) {
        let state = self.state();
        (state.calls, state.failed)
    }

    /// Whether a failed sync has lost bytes that are still read: nobody can get them back.
    pub fn has_lost(&self) -> bool {
        let state = self.state();
        state
            .contents
            .values()
            .any(|content| !content.lost.is_empty())
    }

    /// Bytes of all files that have a name.
    pub fn bytes(&self) -> u64 {
        let state = self.state();
        let content = |inode| {
            state
                .contents
                .get(inode)
                .map_or(0, |c| c.bytes.len() as u64)
        };
        state.names.values().map(content).sum()
    }

    /// The power goes: what was not synced is gone, or part of it is.
    pub fn cut_power(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let kept = state.random.usize(..=state.unsafe_changes.len());
        let mut names = std::mem::take(&mut state.safe_names);
        for change in state.unsafe_changes.drain(..).take(kept) {
            change.apply(&mut names);
        }
        for content in state.contents.values_mut() {
            content.cut_power(&mut state.random);
        }
        state
            .contents
            .retain(|inode, _| names.values().any(|named| named == inode));
        state.names.clone_from(&names);
        state.safe_names = names;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, inode: Inode) -> Arc<dyn File> {
        Arc::new(SimFile {
            disk: self.clone(),
            inode,
        })
    }
}

impl Content {
    fn cut_power(&mut self, random: &mut Rng) {
        for range in std::mem::take(&mut self.lost) {
            let end = range.end.min(self.bytes.len());
            if let Some(lost) = self.bytes.get_mut(range.start..end) {
                lost.fill(0);
            }
        }
        if let Some(before) = self.before_truncate.take()
            && random.bool()
        {
            self.synced = before.len();
            self.bytes = before;
        }
        self.synced = self.synced.min(self.bytes.len());
        let tail = self.bytes.len() - self.synced;
        let kept = match random.u8(..4) {
            0 => 0,
            1 => tail,
            2 => random.usize(..=tail),
            _ => random.usize(..=tail) / SECTOR * SECTOR,
        };
        self.bytes.truncate(self.synced + kept);
        if random.bool() {
            // Sectors of the tail that the drive had not come to.
            for sector in self.bytes[self.synced..].chunks_mut(SECTOR) {
                if random.u8(..3) == 0 {
                    sector.fill(0);
                }
            }
        }
        self.synced = self.bytes.len();
    }

    fn sync(&mut self) {
        self.synced = self.bytes.len();
        self.before_truncate = None;
    }

    fn fail_sync(&mut self) {
        if self.synced < self.bytes.len() {
            self.lost.push(self.synced..self.bytes.len());
        }
    }

    fn truncate(&mut self, length: usize) {
        if length < self.synced && self.before_truncate.is_none() {
            self.before_truncate = Some(self.bytes[..self.synced].to_vec());
        }
        self.bytes.resize(length, 0);
        self.synced = self.synced.min(length);
    }
}

impl State {
    fn hits(&mut self, kind: fn(&Faults) -> u32) -> bool {
        let one_in = kind(&self.faults);
        self.calls += 1;
        let hits = one_in > 0 && self.random.u32(..one_in) == 0;
        self.failed += u64::from(hits);
        hits
    }

    fn name_fault(&mut self) -> io::Result<()> {
        match self.hits(|faults| faults.name_one_in) {
            true => Err(io::Error::from_raw_os_error(EIO)),
            false => Ok(()),
        }
    }

    fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.names);
        self.unsafe_changes.push(change);
    }

    fn inode(&self, path: &Path) -> io::Result<Inode> {
        let inode = self.names.get(path).copied();
        inode.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn create(&mut self, path: &Path) -> Inode {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.contents.insert(inode, Content::default());
        self.change(Change::Create(path.to_owned(), inode));
        inode
    }

    /// A sync that works, or that says why not.
    fn sync(&mut self, inode: Inode) -> io::Result<()> {
        let fails = self.hits(|faults| faults.sync_one_in);
        let lies = self.faults.lying_sync;
        let Some(content) = self.contents.get_mut(&inode) else {
            return Ok(());
        };
        if fails {
            content.fail_sync();
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if !lies {
            content.sync();
        }
        Ok(())
    }
}

impl Fs for SimDisk {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let inode = self.state().inode(path)?;
        Ok(self.file(inode))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.name_fault()?;
        if state.full {
            return Err(io::Error::from_raw_os_error(ENOSPC));
        }
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.create(path);
        drop(state);
        Ok(self.file(inode))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.name_fault()?;
        state.inode(from)?;
        state.change(Change::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.inode(path)?;
        state.name_fault()?;
        state.change(Change::Unlink(path.to_owned()));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        let inside = state.names.keys().chain(&state.dirs);
        let inside = inside.filter(|path| path.parent() == Some(dir));
        let names = inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let names: BTreeSet<String> = names.collect();
        Ok(names.into_iter().collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        if state.hits(|faults| faults.sync_one_in) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        if state.faults.lying_sync {
            return Ok(());
        }
        let changes = std::mem::take(&mut state.unsafe_changes);
        let (these, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| change.is_of(dir));
        these
            .into_iter()
            .for_each(|change| change.apply(&mut state.safe_names));
        state.unsafe_changes = others;
        Ok(())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.state().dirs.insert(dir.to_owned());
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        let inode = match state.inode(path) {
            Ok(inode) => inode,
            Err(_) => state.create(path),
        };
        drop(state);
        Ok(self.file(inode))
    }

    fn space(&self, _dir: &Path) -> io::Result<Space> {
        let used = self.bytes();
        let full = self.state().full;
        Ok(Space {
            free_bytes: if full {
                0
            } else {
                TOTAL_BYTES.saturating_sub(used)
            },
            total_bytes: TOTAL_BYTES,
        })
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: Inode,
}

impl File for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let fails = state.hits(|faults| faults.write_one_in) || state.full;
        let short = state.hits(|faults| faults.short_one_in);
        let part = state.random.usize(..=bytes.len());
        let written = if fails || short {
            &bytes[..part]
        } else {
            bytes
        };
        // A file without a name lives as long as someone has it open.
        let content = state.contents.entry(self.inode).or_default();
        content.bytes.extend_from_slice(written);
        match fails {
            true => Err(io::Error::from_raw_os_error(ENOSPC)),
            false => Ok(written.len()),
        }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        if state.hits(|faults| faults.read_one_in) {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        let bytes = state
            .contents
            .get(&self.inode)
            .map_or(&[][..], |c| &c.bytes);
        let from = bytes.get(offset as usize..).unwrap_or(&[]);
        let length = from.len().min(buffer.len());
        buffer[..length].copy_from_slice(&from[..length]);
        Ok(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.state().sync(self.inode)
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        Ok(state
            .contents
            .get(&self.inode)
            .map_or(0, |c| c.bytes.len() as u64))
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.name_fault()?;
        if let Some(content) = state.contents.get_mut(&self.inode) {
            content.truncate(length as usize);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &SimDisk, path: &Path, bytes: &[u8]) -> Arc<dyn File> {
        let file = disk.create(path).expect("a new name");
        file.append(bytes).expect("there is room");
        file
    }

    fn read(disk: &SimDisk, path: &Path) -> Option<Vec<u8>> {
        let file = disk.open(path).ok()?;
        let mut bytes = vec![0; file.len().expect("answers") as usize];
        file.read_at(&mut bytes, 0).expect("reads");
        Some(bytes)
    }

    #[test]
    fn what_is_synced_with_its_name_survives_every_power_cut() {
        let path = Path::new("/d/a");
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            let file = written(&disk, path, &[7; 2_000]);
            file.sync_data().expect("syncs");
            disk.sync_dir(Path::new("/d")).expect("syncs");
            file.append(&[8; 3_000]).expect("there is room");
            disk.cut_power();
            let left = read(&disk, path).expect("its name was safe");
            assert_eq!(left[..2_000], [7; 2_000]);
        }
    }

    #[test]
    fn what_is_not_synced_is_sometimes_there_and_sometimes_not() {
        let path = Path::new("/d/a");
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let disk = SimDisk::new(seed);
            written(&disk, path, &[7; 2_000]);
            disk.cut_power();
            let left = read(&disk, path);
            seen.insert(left.map(|bytes| (bytes.len() == 2_000, bytes.contains(&0))));
        }
        let all = [
            None,
            Some((true, false)),
            Some((true, true)),
            Some((false, false)),
        ];
        assert!(all.iter().all(|kind| seen.contains(kind)), "{seen:?}");
    }

    #[test]
    fn a_failed_sync_loses_its_bytes_whatever_the_next_one_says() {
        let path = Path::new("/d/a");
        let disk = SimDisk::new(1);
        let file = written(&disk, path, &[7; 2_000]);
        disk.sync_dir(Path::new("/d")).expect("syncs");
        disk.set_faults(Faults {
            sync_one_in: 1,
            ..Faults::default()
        });
        file.sync_data().expect_err("fails");
        disk.set_faults(Faults::default());
        file.sync_data().expect("says it worked");
        assert_eq!(
            read(&disk, path),
            Some(vec![7; 2_000]),
            "the page cache has it"
        );
        disk.cut_power();
        assert_eq!(read(&disk, path), Some(vec![0; 2_000]));
    }
}
