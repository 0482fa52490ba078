//! The shelf: figures at rest in files of their own, so that neither memory nor each save has to hold a
//! week of them. A file is written once and whole, and goes when no saved snapshot names it any more.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracewell_storage::Error;
use tracewell_storage::ladder::{Place, Resting, Shelf};

use super::lock;
use crate::format::{self, HEADER_BYTES, Kind};
use crate::fs::{self, File, Fs};

/// Files are named by it and a number.
const PREFIX: &str = "figures-";
/// So many stay open; a file is opened again in no time.
const OPEN_MAX: usize = 64;
/// Behind the bytes of a place stands their checksum.
const CRC_BYTES: usize = 4;

#[derive(Debug)]
pub(super) struct FileShelf {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    files: Mutex<Files>,
}

#[derive(Debug)]
struct Files {
    open: HashMap<u64, Arc<dyn File>>,
    next: u64,
    /// Files before it are none of ours to remove.
    first: u64,
}

impl FileShelf {
    /// The shelf in this directory. Files that no place is in are left from a save that failed, or
    /// from one after which there was no time to remove them; unless the snapshot that names places
    /// could not be read: then they stay. Fails only for files of another version (P22).
    pub(super) fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        places: Option<Vec<Place>>,
    ) -> Result<FileShelf, Error> {
        let files = Files {
            open: HashMap::new(),
            next: 0,
            first: 0,
        };
        let shelf = FileShelf {
            fs,
            dir: dir.to_owned(),
            files: Mutex::new(files),
        };
        for number in shelf.numbers() {
            format::refuse_other_version(shelf.fs.as_ref(), Kind::Shelf, &dir.join(name(number)))?;
        }
        let is_known = places.is_some();
        let places = places.unwrap_or_default();
        let named: HashSet<u64> = places.iter().map(|place| place.file).collect();
        let last = shelf.numbers().chain(named.iter().copied()).max();
        let next = last.map_or(0, |last| last.saturating_add(1));
        {
            let mut files = lock(&shelf.files);
            (files.next, files.first) = (next, if is_known { 0 } else { next });
        }
        // What was read may not be safe yet, and its predecessor come back.
        if shelf.fs.sync_dir(dir).is_ok() {
            shelf.keep(&named);
        }
        Ok(shelf)
    }

    /// Writes a file of these figures; when this answers, they are safe.
    pub(super) fn put(&self, all: &[Resting]) -> Result<Vec<Place>, Error> {
        let file = {
            let mut files = lock(&self.files);
            let file = files.next;
            files.next = file.saturating_add(1);
            file
        };
        let (mut bytes, mut places) = (format::header(Kind::Shelf).to_vec(), Vec::new());
        for resting in all {
            let figures = resting.bytes();
            places.push(Place {
                file,
                offset: bytes.len() as u64,
                length: u32::try_from(figures.len())
                    .map_err(|_| Error::invalid("figures of one time take more than 4 GiB"))?,
            });
            bytes.extend_from_slice(figures);
            bytes.extend_from_slice(&format::checksum(figures).to_le_bytes());
        }
        fs::write_atomic(self.fs.as_ref(), &self.dir, &name(file), &bytes)
            .map_err(|error| fs::io_error("write", &self.dir.join(name(file)), &error))?;
        Ok(places)
    }

    /// Removes all files but these. What is not removed now is at the next start.
    pub(super) fn keep(&self, named: &HashSet<u64>) {
        let first = {
            let mut files = lock(&self.files);
            files.open.retain(|file, _| named.contains(file));
            files.first
        };
        let is_over = |file: &u64| *file >= first && !named.contains(file);
        for file in self.numbers().filter(is_over) {
            if let Err(error) = self.fs.unlink(&self.dir.join(name(file))) {
                tracing::warn!(%error, file = name(file), "a file of expired figures stays");
            }
        }
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let names = self.fs.list(&self.dir).unwrap_or_default();
        let number = |name: String| u64::from_str_radix(name.strip_prefix(PREFIX)?, 16).ok();
        names.into_iter().filter_map(number)
    }

    fn file(&self, number: u64) -> Result<Arc<dyn File>, Error> {
        let mut files = lock(&self.files);
        if let Some(file) = files.open.get(&number) {
            return Ok(file.clone());
        }
        let path = self.dir.join(name(number));
        let failed = |error| fs::io_error("read", &path, &error);
        let file = self.fs.open(&path).map_err(failed)?;
        let header = fs::read_exact_at(file.as_ref(), 0, HEADER_BYTES).map_err(failed)?;
        format::check_header(Kind::Shelf, &path, &header)?;
        if files.open.len() >= OPEN_MAX {
            files.open.clear();
        }
        files.open.insert(number, file.clone());
        Ok(file)
    }
}

impl Shelf for FileShelf {
    fn read(&self, place: Place) -> Result<Vec<u8>, Error> {
        let path = self.dir.join(name(place.file));
        let file = self.file(place.file)?;
        let length = place.length as usize;
        let mut bytes = fs::read_exact_at(file.as_ref(), place.offset, length + CRC_BYTES)
            .map_err(|error| fs::io_error("read", &path, &error))?;
        let crc = format::checksum(bytes.get(..length).unwrap_or(&[])).to_le_bytes();
        if bytes.get(length..) != Some(&crc) {
            return Err(Error::corrupt(format!("{} is damaged", path.display())));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn name(file: u64) -> String {
    format!("{PREFIX}{file:08x}")
}
