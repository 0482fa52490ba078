//! The file system as the engine sees it: few calls, each of which can fail in a test.
//!
//! Everything on disk goes through [`Fs`] and [`File`], so that a simulated disk (torn, lost,
//! reordered writes) can stand in for the real one. [`StdFs`] is the real one; [`fault::FaultFs`]
//! wraps any other, counts its calls and fails the n-th.

pub mod fault;
mod writer;

use std::fmt::Debug;
use std::fs::{File as OsFile, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use tracewell_storage::Error;
pub use writer::FileWriter;

/// Spans hold personal data: nobody but the owner reads the files.
const MODE: u32 = 0o600;

/// Room on the disk that holds a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes this process may still write.
    pub free_bytes: u64,
    /// Size of the file system.
    pub total_bytes: u64,
}

/// Directories and names. Paths are whole paths; the engine never changes its directory.
pub trait Fs: Debug + Send + Sync {
    /// Opens an existing file for reading only.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Makes a new, empty file (mode 0600) for appending and reading; fails if the name is taken.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file for appending and reading.
    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Gives a file another name, over whatever had it. Safe only after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; directories are among them.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes the directory's names survive a power cut.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes a directory and those above it; its name survives a power cut.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Opens or makes a file and locks it for this process; `WouldBlock` when another has it.
    /// The lock ends with the file, also when the process is killed.
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Room on the disk of this directory.
    fn space(&self, dir: &Path) -> io::Result<Space>;
}

/// An open file. Shared freely: reads name their offset, and appends are the owner's business.
pub trait File: Debug + Send + Sync {
    /// One `write(2)` at the end. May write less than asked, as the system call may.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// One `pread(2)`. Less than asked means the end was reached, or nearly.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// `fdatasync(2)`. After an error the bytes before it are lost or not: nobody can tell, and
    /// asking again would lie (P6).
    fn sync_data(&self) -> io::Result<()>;
    /// The file's length.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// True when it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// The machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct StdFs;

impl StdFs {
    /// Shared, as the engine takes it.
    pub fn shared() -> Arc<dyn Fs> {
        Arc::new(StdFs)
    }
}

impl Fs for StdFs {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(StdFile(OsFile::open(path)?)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.create_new(true).append(true).read(true).mode(MODE);
        Ok(Arc::new(StdFile(options.open(path)?)))
    }

    fn open_append(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        Ok(Arc::new(StdFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            // A name that is not UTF-8 is none of ours.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        OsFile::open(dir)?.sync_all()
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let was_there = dir.is_dir();
        std::fs::create_dir_all(dir)?;
        // Files that are synced are lost all the same when their directory's own name is.
        let synced = match dir.parent() {
            Some(above) if above.as_os_str().is_empty() => self.sync_dir(Path::new(".")),
            Some(above) => self.sync_dir(above),
            None => Ok(()),
        };
        // A sick disk under a directory that was there must not keep its traces from being read.
        if was_there { Ok(()) } else { synced }
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true).mode(MODE);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Arc::new(StdFile(file))),
            Err(TryLockError::WouldBlock) => Err(ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn space(&self, dir: &Path) -> io::Result<Space> {
        let disk = rustix::fs::statvfs(dir)?;
        Ok(Space {
            free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize),
            total_bytes: disk.f_blocks.saturating_mul(disk.f_frsize),
        })
    }
}

#[derive(Debug)]
struct StdFile(OsFile);

impl File for StdFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        (&self.0).write(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

/// Appends all of it; a whole disk answers after the part that fitted.
pub fn append_all(file: &dyn File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.append(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or(&[]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until the buffer is full or the file ends; answers how much came.
pub fn read_full_at(file: &dyn File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Exactly `length` bytes at `offset`. The length may come from a damaged file: what the file
/// does not have is refused before anything is allocated.
pub fn read_exact_at(file: &dyn File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let end = offset.checked_add(length as u64);
    if end.is_none_or(|end| file.len().map_or(true, |have| end > have)) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let mut bytes = vec![0; length];
    if read_full_at(file, &mut bytes, offset)? < length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// A whole file, if it is no longer than `bytes_max`.
pub fn read_all(fs: &dyn Fs, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = fs.open(path)?;
    let length = file.len()?;
    if length > bytes_max {
        return Err(ErrorKind::FileTooLarge.into());
    }
    read_exact_at(file.as_ref(), 0, length as usize)
}

/// Puts these bytes under `dir/name` so that a crash leaves the old file or the new one, never a
/// mixture: tmp → fsync → rename → fsync of the directory.
pub fn write_atomic(fs: &dyn Fs, dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = FileWriter::create(fs, dir, name)?;
    file.append(bytes)?;
    file.finish().map(|_| ())
}

/// True when the disk has no more room for us.
pub fn is_no_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::WriteZero
    )
}

/// What was being done to which file, and what the system said, as the seams say it.
pub fn io_error(doing: &str, path: &Path, error: &io::Error) -> Error {
    let message = format!("{doing} {}: {error}", path.display());
    if is_no_room(error) {
        Error::overloaded(message, 10)
    } else {
        Error::retryable(message)
    }
}

/// The whole data directory is this process's as long as this lives.
#[derive(Debug)]
pub struct DirLock {
    _file: Arc<dyn File>,
}

/// Takes the data directory, or says who has it. Two processes would append to one log file.
pub fn lock_dir(fs: &dyn Fs, dir: &Path) -> Result<DirLock, Error> {
    fs.create_dir_all(dir)
        .map_err(|error| Error::invalid(format!("create {}: {error}", dir.display())))?;
    let path = dir.join("lock");
    let file = fs.lock(&path).map_err(|error| match error.kind() {
        ErrorKind::WouldBlock => {
            let pid = read_all(fs, &path, 32)
                .ok()
                .and_then(|text| String::from_utf8(text).ok());
            let pid = pid
                .map(|text| text.trim().to_owned())
                .filter(|text| !text.is_empty());
            let pid = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
            Error::invalid(format!(
                "{} is used by another tracewell process{pid}",
                dir.display()
            ))
        }
        _ => Error::invalid(format!("lock {}: {error}", path.display())),
    })?;
    // The pid is a courtesy to the operator; the lock holds without it, even on a full disk.
    if file.truncate(0).is_ok() {
        let _courtesy = append_all(
            file.as_ref(),
            format!("{}\n", std::process::id()).as_bytes(),
        );
    }
    Ok(DirLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        write_atomic(&StdFs, dir.path(), "a", b"one").unwrap();
        write_atomic(&StdFs, dir.path(), "a", b"two").unwrap();
        assert_eq!(read_all(&StdFs, &dir.path().join("a"), 10).unwrap(), b"two");
        assert_eq!(StdFs.list(dir.path()).unwrap(), ["a"]);
        let mode = std::fs::metadata(dir.path().join("a"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_length_beyond_the_file_is_refused_before_allocating() {
        let dir = tempfile::tempdir().unwrap();
        write_atomic(&StdFs, dir.path(), "a", b"one").unwrap();
        let file = StdFs.open(&dir.path().join("a")).unwrap();
        assert!(read_exact_at(file.as_ref(), 1, usize::MAX / 2).is_err());
        assert!(read_exact_at(file.as_ref(), u64::MAX, 2).is_err());
        assert!(read_all(&StdFs, &dir.path().join("a"), 2).is_err());
    }

    #[test]
    fn a_directory_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock_dir(&StdFs, dir.path()).unwrap();
        let second = lock_dir(&StdFs, dir.path()).unwrap_err().to_string();
        let pid = std::process::id();
        assert!(
            second.ends_with(&format!("is used by another tracewell process (pid {pid})")),
            "{second}"
        );
        drop(first);
        lock_dir(&StdFs, dir.path()).unwrap();
    }

    #[test]
    fn the_disk_has_room() {
        let space = StdFs.space(Path::new(".")).unwrap();
        assert!(space.free_bytes <= space.total_bytes && space.total_bytes > 0);
    }
}
