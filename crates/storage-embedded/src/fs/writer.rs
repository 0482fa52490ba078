//! A file that is being written: under another name until it is whole and safe, so that a crash
//! leaves all of it or nothing that anybody reads. Bytes are gathered and written in large pieces,
//! so that no file is ever in memory as a whole.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{File, Fs, append_all};
use crate::failpoint;

/// Bytes gathered before a `write(2)`: a call for each part of a segment would cost more than the
/// bytes do.
const BUFFER_BYTES: usize = 256 << 10;

/// See the module. Dropped before [`FileWriter::finish`], it takes its unfinished file away: on a
/// full disk that would be in the way.
#[derive(Debug)]
pub struct FileWriter<'a> {
    fs: &'a dyn Fs,
    dir: PathBuf,
    path: PathBuf,
    tmp: PathBuf,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    /// Bytes given to the file system; the buffer follows them.
    written: u64,
    is_renamed: bool,
}

impl<'a> FileWriter<'a> {
    /// Begins the file `dir/name`, as `dir/name.tmp`; one that was left unfinished goes.
    pub fn create(fs: &'a dyn Fs, dir: &Path, name: &str) -> io::Result<Self> {
        let tmp = dir.join(format!("{name}.tmp"));
        match fs.unlink(&tmp) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(FileWriter {
            fs,
            dir: dir.to_owned(),
            path: dir.join(name),
            file: fs.create(&tmp)?,
            tmp,
            buffer: Vec::new(),
            written: 0,
            is_renamed: false,
        })
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes appended so far: the offset of the next one.
    pub fn len(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// True when nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends these bytes. After an error nothing of the file can be used.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.write_buffer()?;
        }
        if bytes.len() >= BUFFER_BYTES {
            append_all(self.file.as_ref(), bytes)?;
            self.written += bytes.len() as u64;
            return Ok(());
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        append_all(self.file.as_ref(), &self.buffer)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file safe under its name: fsync → rename → fsync of the directory. Answers its
    /// length.
    pub fn finish(mut self) -> io::Result<u64> {
        self.write_buffer()?;
        failpoint::hit("atomic-before-sync");
        self.file.sync_data()?;
        failpoint::hit("atomic-before-rename");
        self.fs.rename(&self.tmp, &self.path)?;
        self.is_renamed = true;
        failpoint::hit("atomic-after-rename");
        self.fs.sync_dir(&self.dir)?;
        Ok(self.written)
    }

    /// Gives the file to whoever wrote it, to be read; nobody else will, so it has no name any more
    /// and goes when it is closed.
    pub fn finish_unnamed(mut self) -> io::Result<Arc<dyn File>> {
        self.write_buffer()?;
        Ok(Arc::clone(&self.file))
    }
}

impl Drop for FileWriter<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            // What cannot be removed now is removed at the next start.
            let _kept_until_start = self.fs.unlink(&self.tmp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::fault::{ENOSPC, Fault, FaultFs, Op, Outcome};
    use crate::fs::{StdFs, read_all};

    #[test]
    fn a_file_is_written_in_large_pieces_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let fs = FaultFs::new(StdFs::shared());
        let mut random = fastrand::Rng::with_seed(1);
        let mut expected = Vec::new();
        let mut file = FileWriter::create(&fs, dir.path(), "a").unwrap();
        while expected.len() < 8 << 20 {
            let length = [random.usize(..100), random.usize(..3 * BUFFER_BYTES)];
            let piece = vec![random.u8(..); length[usize::from(random.u8(..40) == 0)]];
            assert_eq!(file.len(), expected.len() as u64);
            expected.extend_from_slice(&piece);
            file.append(&piece).unwrap();
        }
        assert_eq!(fs.list(dir.path()).unwrap(), ["a.tmp"]);
        assert_eq!(file.finish().unwrap(), expected.len() as u64);
        assert_eq!(fs.list(dir.path()).unwrap(), ["a"]);
        let written = read_all(&fs, &dir.path().join("a"), u64::MAX).unwrap();
        assert!(written == expected);
        let pieces = (expected.len() / BUFFER_BYTES) as u64;
        assert!(fs.count(Op::Write) <= 2 * pieces + 1);
    }

    #[test]
    fn an_unfinished_file_goes_and_the_old_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let fs = FaultFs::new(StdFs::shared());
        super::super::write_atomic(&fs, dir.path(), "a", b"old").unwrap();
        let mut file = FileWriter::create(&fs, dir.path(), "a").unwrap();
        fs.fail(Fault {
            op: Op::Write,
            nth: 1,
            times: 1,
            outcome: Outcome::Errno(ENOSPC),
        });
        file.append(&vec![0; 2 * BUFFER_BYTES]).unwrap_err();
        drop(file);
        assert_eq!(fs.list(dir.path()).unwrap(), ["a"]);
        assert_eq!(read_all(&fs, &dir.path().join("a"), 10).unwrap(), b"old");
    }
}
