//! Damaged bytes are kept in `log/damaged/`, once each, for whoever wants to know what happened.

use std::io;
use std::path::Path;

use super::Shared;
use crate::fs::{self, File, Fs, read_full_at};

/// A file of the log is rarely larger; nobody studies more.
const REGION_BYTES_MAX: u64 = 256 << 20;
/// Regions kept; a dying disk makes more, and they would fill it.
const REGIONS_MAX: usize = 1_000;
const CHUNK_BYTES: usize = 256 * 1024;

impl Shared {
    /// Keeps these bytes of a file. Best effort: a full disk must not stop the log from going on.
    pub(super) fn keep_aside(&self, path: &Path, from: u64, to: u64) {
        if let Err(error) = keep(self.fs.as_ref(), &self.dir, path, from, to) {
            tracing::warn!(%error, file = %path.display(), from, to, "damaged bytes could not be kept aside");
        }
    }
}

/// Copies a region into `dir/damaged`, unless it is there or all zero.
pub(super) fn keep(fs: &dyn Fs, dir: &Path, path: &Path, from: u64, to: u64) -> io::Result<()> {
    let dir = dir.join("damaged");
    fs.create_dir_all(&dir)?;
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("unnamed");
    let name = format!("{stem}-{from}-{to}.bytes");
    let kept = fs.list(&dir)?;
    if kept.contains(&name) || kept.len() >= REGIONS_MAX || to - from > REGION_BYTES_MAX {
        return Ok(());
    }
    let file = fs.open(path)?;
    if is_zero(file.as_ref(), from, to)? {
        return Ok(());
    }
    let copy = fs.create(&dir.join(name))?;
    each_chunk(file.as_ref(), from, to, |chunk| {
        fs::append_all(copy.as_ref(), chunk).map(|()| true)
    })
}

/// True when every byte is zero: what ext4 leaves of a write that never reached the disk.
fn is_zero(file: &dyn File, from: u64, to: u64) -> io::Result<bool> {
    let mut zero = true;
    each_chunk(file, from, to, |chunk| {
        zero = chunk.iter().all(|&byte| byte == 0);
        Ok(zero)
    })?;
    Ok(zero)
}

fn each_chunk(
    file: &dyn File,
    mut from: u64,
    to: u64,
    mut visit: impl FnMut(&[u8]) -> io::Result<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES.min((to - from) as usize)];
    while from < to {
        let length = buffer.len().min((to - from) as usize);
        let room = buffer.get_mut(..length).unwrap_or_default();
        let got = read_full_at(file, room, from)?;
        if got == 0 || !visit(room.get(..got).unwrap_or(&[]))? {
            break;
        }
        from += got as u64;
    }
    Ok(())
}
