//! The manifest: which segments there are, up to which record of the log they reach, and what has
//! left them. An append-only file of edits; long ones are written anew. A segment exists from the
//! moment its edit is safe here. Byte by byte: docs/formats/manifest.md.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracewell_storage::Error;

use crate::codec::{Damaged, Reader, put_varint};
use crate::engine::retention::{Believed, Doubt};
use crate::failpoint;
use crate::format::{self, Kind};
use crate::fs::{self, File, Fs};
use crate::segment::meta::SegmentMeta;

const NAME: &str = "manifest";
/// A manifest is a hundred bytes a segment; what is larger is not ours.
const BYTES_MAX: u64 = 1 << 30;
/// Edits beside the live ones after which the file is written anew.
const STALE_EDITS_MAX: usize = 256;

/// What the manifest says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) segments: BTreeMap<u64, SegmentMeta>,
    /// Per partition, the last record that is in a segment, as is every one before it.
    pub(crate) positions: BTreeMap<u32, u64>,
    pub(crate) gone: Gone,
    /// The time by which segments age; none before it was saved for the first time.
    pub(crate) believed: Option<Believed>,
}

/// Spans that were in segments and are in none any more, under the names of the account (D9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) expired: u64,
    pub(crate) sampled_out: u64,
    /// Repeats that segments had counted which are gone.
    pub(crate) duplicates: u64,
}

impl Gone {
    fn add(&mut self, more: Gone) {
        let sum = |to: &mut u64, count: u64| *to = to.saturating_add(count);
        sum(&mut self.expired, more.expired);
        sum(&mut self.sampled_out, more.sampled_out);
        sum(&mut self.duplicates, more.duplicates);
    }
}

/// One change, applied whole or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) added: Vec<SegmentMeta>,
    pub(crate) removed: Vec<u64>,
    pub(crate) positions: Vec<(u32, u64)>,
    /// To be added to what had gone before.
    pub(crate) gone: Gone,
    pub(crate) believed: Option<Believed>,
}

impl State {
    pub(crate) fn apply(&mut self, edit: Edit) {
        for id in edit.removed {
            self.segments.remove(&id);
        }
        self.segments
            .extend(edit.added.into_iter().map(|meta| (meta.id, meta)));
        for (partition, offset) in edit.positions {
            self.advance(partition, offset);
        }
        self.gone.add(edit.gone);
        self.believed = edit.believed.or(self.believed);
    }

    /// Positions never go back.
    pub(crate) fn advance(&mut self, partition: u32, offset: u64) {
        let position = self.positions.entry(partition).or_default();
        *position = offset.max(*position);
    }

    fn as_edit(&self) -> Edit {
        Edit {
            added: self.segments.values().cloned().collect(),
            removed: Vec::new(),
            positions: self
                .positions
                .iter()
                .map(|(&partition, &offset)| (partition, offset))
                .collect(),
            gone: self.gone,
            believed: self.believed,
        }
    }
}

impl Edit {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.added.len() as u64);
        self.added.iter().for_each(|meta| meta.put(out));
        put_varint(out, self.removed.len() as u64);
        self.removed.iter().for_each(|&id| put_varint(out, id));
        put_varint(out, self.positions.len() as u64);
        for &(partition, offset) in &self.positions {
            put_varint(out, u64::from(partition));
            put_varint(out, offset);
        }
        let Gone {
            expired,
            sampled_out,
            duplicates,
        } = self.gone;
        [expired, sampled_out, duplicates]
            .iter()
            .for_each(|&count| put_varint(out, count));
        let doubt = self.believed.and_then(|believed| believed.doubt);
        put_varint(out, self.believed.map_or(0, |believed| believed.unix_ns));
        put_varint(out, doubt.map_or(0, |doubt| doubt.since_unix_ns));
        put_varint(out, doubt.map_or(0, |doubt| doubt.ahead_ns));
    }

    fn read(bytes: &[u8]) -> Result<Edit, Damaged> {
        let mut r = Reader::new(bytes);
        let mut edit = Edit::default();
        for _ in 0..r.count(13)? {
            edit.added.push(SegmentMeta::read(&mut r)?);
        }
        for _ in 0..r.count(1)? {
            edit.removed.push(r.varint()?);
        }
        for _ in 0..r.count(2)? {
            edit.positions.push((r.u32()?, r.varint()?));
        }
        edit.gone = Gone {
            expired: r.varint()?,
            sampled_out: r.varint()?,
            duplicates: r.varint()?,
        };
        edit.believed = read_believed(&mut r)?;
        if r.remaining() > 0 {
            return Err(Damaged("bytes after an edit"));
        }
        Ok(edit)
    }

    /// length u32 · crc32 of the body · body
    fn put_framed(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        self.put(&mut body);
        out.extend_from_slice(&(body.len() as u32).to_le_bytes());
        out.extend_from_slice(&format::checksum(&body).to_le_bytes());
        out.extend_from_slice(&body);
    }
}

/// A time of 0 is none.
fn read_believed(r: &mut Reader<'_>) -> Result<Option<Believed>, Damaged> {
    let unix_ns = r.varint()?;
    let (since_unix_ns, ahead_ns) = (r.varint()?, r.varint()?);
    let doubt = (since_unix_ns > 0).then_some(Doubt {
        since_unix_ns,
        ahead_ns,
    });
    Ok((unix_ns > 0).then_some(Believed { unix_ns, doubt }))
}

/// The open manifest.
#[derive(Debug)]
pub(crate) struct Manifest {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    pub(crate) state: State,
    /// None when the file must be written anew: after damage, or after a failed write or sync,
    /// whose bytes may or may not be there (P6).
    file: Option<Arc<dyn File>>,
    edits: usize,
}

/// What was found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Whole,
    /// There was none.
    Absent,
    /// It was cut at the first edit that does not hold.
    Cut,
}

impl Manifest {
    /// Reads the manifest of this directory; a torn tail is left out. A newer version is refused.
    pub(crate) fn open(fs: Arc<dyn Fs>, dir: &Path) -> Result<(Manifest, Health), Error> {
        let path = dir.join(NAME);
        let (fs_, dir_) = (Arc::clone(&fs), dir.to_owned());
        let manifest = move |state, edits, file| Manifest {
            fs: fs_,
            dir: dir_,
            state,
            file,
            edits,
        };
        let bytes = match fs::read_all(fs.as_ref(), &path, BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((manifest(State::default(), 0, None), Health::Absent));
            }
            Err(error) => return Err(fs::io_error("read", &path, &error)),
        };
        let body = match format::check_header(Kind::Manifest, &path, &bytes) {
            Ok((_version, body)) => body,
            Err(error @ (format::Error::Newer { .. } | format::Error::Unreleased { .. })) => {
                return Err(error.into());
            }
            Err(format::Error::Foreign { .. } | format::Error::Damaged { .. }) => {
                return Ok((manifest(State::default(), 0, None), Health::Cut));
            }
        };
        let (state, edits, whole) = replay(body);
        if !whole {
            return Ok((manifest(state, edits, None), Health::Cut));
        }
        let file = fs
            .open_append(&path)
            .map_err(|error| fs::io_error("open", &path, &error))?;
        Ok((manifest(state, edits, Some(file)), Health::Whole))
    }

    /// Makes a change safe; on an error it may be safe or not, and the caller must not undo what
    /// it stands for.
    pub(crate) fn commit(&mut self, edit: Edit) -> Result<(), Error> {
        let mut next = self.state.clone();
        next.apply(edit.clone());
        let stale = self.edits.saturating_sub(next.segments.len());
        match self.file.take() {
            Some(file) if stale <= STALE_EDITS_MAX => {
                let mut bytes = Vec::new();
                edit.put_framed(&mut bytes);
                let path = self.dir.join(NAME);
                let appended =
                    fs::append_all(file.as_ref(), &bytes).and_then(|()| file.sync_data());
                // The file is not put back: after an error the next commit writes it anew.
                appended.map_err(|error| fs::io_error("append to", &path, &error))?;
                failpoint::hit("manifest-after-append");
                self.file = Some(file);
                self.edits += 1;
            }
            Some(_) | None => self.write_anew(&next)?,
        }
        self.state = next;
        Ok(())
    }

    fn write_anew(&mut self, state: &State) -> Result<(), Error> {
        let path = self.dir.join(NAME);
        let mut bytes = format::header(Kind::Manifest).to_vec();
        state.as_edit().put_framed(&mut bytes);
        let write = || -> std::io::Result<Arc<dyn File>> {
            fs::write_atomic(self.fs.as_ref(), &self.dir, NAME, &bytes)?;
            self.fs.open_append(&path)
        };
        self.file = Some(write().map_err(|error| fs::io_error("write", &path, &error))?);
        self.edits = state.segments.len();
        Ok(())
    }
}

/// Applies edits until the end, or until one does not hold: what follows it cannot be trusted to
/// begin where it seems to.
fn replay(mut body: &[u8]) -> (State, usize, bool) {
    let mut state = State::default();
    let mut edits = 0;
    while !body.is_empty() {
        let Some((edit, rest)) = next_edit(body) else {
            return (state, edits, false);
        };
        state.apply(edit);
        edits += 1;
        body = rest;
    }
    (state, edits, true)
}

fn next_edit(bytes: &[u8]) -> Option<(Edit, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    if u32::from_le_bytes(*crc) != format::checksum(body) {
        return None;
    }
    Some((Edit::read(body).ok()?, rest))
}
