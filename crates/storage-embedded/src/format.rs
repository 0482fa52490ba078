//! What every file of ours begins with: magic, kind, version, checksum. A file of a newer version
//! is refused untouched (P22); one of another kind, or a foreign one, is never misread.
//!
//! The first 16 bytes, numbers little-endian:
//! `"TWEL"` · kind, 4 letters · version u32 · crc32 of the 12 bytes before it.
#![warn(clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use tracewell_storage::Class;

use crate::fs::{self, Fs};

/// Bytes of the beginning that all files share.
pub const HEADER_BYTES: usize = 16;

const MAGIC: &[u8; 4] = b"TWEL";

/// The kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of the span log.
    Log,
    /// How far the groups of the log have come.
    Groups,
    /// Spans of a segment.
    Segment,
    /// A segment's search index.
    Index,
    /// A segment's trace-id table.
    TraceIds,
    /// The list of segments.
    Manifest,
    /// Saved figures.
    Stats,
    /// Figures at rest.
    Shelf,
    /// Which instances were heard.
    Roll,
    /// What the sampler decided, as it decided it.
    Decisions,
    /// Why traces are kept, by trace.
    Kept,
}

impl Kind {
    const ALL: [Kind; 11] = [
        Kind::Log,
        Kind::Groups,
        Kind::Segment,
        Kind::Index,
        Kind::TraceIds,
        Kind::Manifest,
        Kind::Stats,
        Kind::Shelf,
        Kind::Roll,
        Kind::Decisions,
        Kind::Kept,
    ];

    /// The four letters in the file.
    pub fn letters(self) -> &'static [u8; 4] {
        match self {
            Kind::Log => b"log ",
            Kind::Groups => b"grps",
            Kind::Segment => b"seg ",
            Kind::Index => b"idx ",
            Kind::TraceIds => b"tid ",
            Kind::Manifest => b"mani",
            Kind::Stats => b"stat",
            Kind::Shelf => b"shlf",
            Kind::Roll => b"roll",
            Kind::Decisions => b"deci",
            Kind::Kept => b"kept",
        }
    }

    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Log => "span log",
            Kind::Groups => "log positions",
            Kind::Segment => "segment",
            Kind::Index => "index",
            Kind::TraceIds => "trace-id table",
            Kind::Manifest => "manifest",
            Kind::Stats => "statistics",
            Kind::Shelf => "statistics at rest",
            Kind::Roll => "roll of instances",
            Kind::Decisions => "decisions",
            Kind::Kept => "reasons of kept traces",
        }
    }

    /// The version that is written now. All before it that were released can be read.
    pub fn version(self) -> u32 {
        match self {
            // From 2 on it may name places on the shelf.
            Kind::Stats => 2,
            _ => 1,
        }
    }
}

/// Why a file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Made by a later release: do not touch it.
    #[error(
        "{path} is a {kind} file of version {found}; this tracewell reads versions up to {known}: start the newer release that wrote it"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its kind.
        kind: &'static str,
        /// Its version.
        found: u32,
        /// The newest version that can be read.
        known: u32,
    },
    /// Made by a build before the first release.
    #[error("{path} is a {kind} file of a version that was never released and cannot be read")]
    Unreleased {
        /// Which file.
        path: PathBuf,
        /// Its kind.
        kind: &'static str,
    },
    /// Something else lies under that name.
    #[error("{path} is no {kind} file of tracewell: {found}")]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// The kind that was expected.
        kind: &'static str,
        /// What it is instead.
        found: &'static str,
    },
    /// Checksums do not hold, or something is cut.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        what: &'static str,
    },
}

impl From<Error> for tracewell_storage::Error {
    fn from(error: Error) -> Self {
        let class = match error {
            Error::Newer { .. } | Error::Unreleased { .. } => Class::Invalid,
            Error::Foreign { .. } | Error::Damaged { .. } => Class::Corrupt,
        };
        tracewell_storage::Error::new(class, error.to_string())
    }
}

impl Error {
    /// A damaged file.
    pub fn damaged(path: &Path, what: &'static str) -> Self {
        Error::Damaged {
            path: path.to_owned(),
            what,
        }
    }
}

/// The one checksum of all files.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The beginning of a file of this kind.
pub fn header(kind: Kind) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let (front, crc) = bytes.split_at_mut(12);
    let parts = MAGIC
        .iter()
        .chain(kind.letters())
        .copied()
        .chain(kind.version().to_le_bytes());
    front
        .iter_mut()
        .zip(parts)
        .for_each(|(to, from)| *to = from);
    crc.copy_from_slice(&checksum(front).to_le_bytes());
    bytes
}

/// Checks the beginning of a file; answers its version and what follows.
pub fn check_header<'a>(
    kind: Kind,
    path: &Path,
    bytes: &'a [u8],
) -> Result<(u32, &'a [u8]), Error> {
    let damaged = |what| Error::damaged(path, what);
    let (front, rest) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("it is shorter than its header"))?;
    let (front, crc) = front
        .split_at_checked(12)
        .ok_or_else(|| damaged("header"))?;
    let foreign = |found| Error::Foreign {
        path: path.to_owned(),
        kind: kind.name(),
        found,
    };
    if !front.starts_with(MAGIC) {
        return Err(foreign("its first bytes are not ours"));
    }
    if crc != checksum(front).to_le_bytes() {
        return Err(damaged("the checksum of its header does not hold"));
    }
    let letters = front.get(4..8).unwrap_or(&[]);
    if letters != kind.letters() {
        let other = Kind::ALL.into_iter().find(|kind| kind.letters() == letters);
        return Err(foreign(other.map_or("its kind is unknown", Kind::name)));
    }
    let found = front
        .get(8..12)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_le_bytes);
    let found = found.ok_or_else(|| damaged("header"))?;
    if found == 0 {
        return Err(Error::Unreleased {
            path: path.to_owned(),
            kind: kind.name(),
        });
    }
    if found > kind.version() {
        let (kind, known) = (kind.name(), kind.version());
        return Err(Error::Newer {
            path: path.to_owned(),
            kind,
            found,
            known,
        });
    }
    Ok((found, rest))
}

/// A small file in one piece: header · body's length u64 · body · crc32 of the body.
pub fn seal_file(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 12 + body.len());
    bytes.extend_from_slice(&header(kind));
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&checksum(body).to_le_bytes());
    bytes
}

/// Fails for a file of a release that this one does not know, which nobody else may touch (P22). What
/// cannot be read, or is damaged, is named when it is opened.
pub fn refuse_other_version(fs: &dyn Fs, kind: Kind, path: &Path) -> Result<(), Error> {
    let read = fs
        .open(path)
        .and_then(|file| fs::read_exact_at(file.as_ref(), 0, HEADER_BYTES));
    let Ok(header) = read else { return Ok(()) };
    match check_header(kind, path, &header) {
        Err(error @ (Error::Newer { .. } | Error::Unreleased { .. })) => Err(error),
        _ => Ok(()),
    }
}

/// The version and body of a file that [`seal_file`] made.
pub fn open_file<'a>(kind: Kind, path: &Path, bytes: &'a [u8]) -> Result<(u32, &'a [u8]), Error> {
    let (version, rest) = check_header(kind, path, bytes)?;
    let (length, rest) = rest
        .split_first_chunk::<8>()
        .ok_or_else(|| Error::damaged(path, "its length is cut"))?;
    let (body, crc) = rest
        .split_last_chunk::<4>()
        .ok_or_else(|| Error::damaged(path, "its checksum is cut"))?;
    if u64::from_le_bytes(*length) != body.len() as u64 {
        return Err(Error::damaged(path, "its length is another than it says"));
    }
    if u32::from_le_bytes(*crc) != checksum(body) {
        return Err(Error::damaged(path, "its checksum does not hold"));
    }
    Ok((version, body))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_in_and_out() {
        let file = seal_file(Kind::Stats, b"body");
        assert_eq!(
            open_file(Kind::Stats, Path::new("x"), &file),
            Ok((Kind::Stats.version(), &b"body"[..]))
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let file = seal_file(Kind::Stats, b"body");
        for bit in 0..file.len() * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                open_file(Kind::Stats, Path::new("x"), &flipped).is_err(),
                "bit {bit}"
            );
        }
        for cut in 0..file.len() {
            assert!(
                open_file(Kind::Stats, Path::new("x"), &file[..cut]).is_err(),
                "cut {cut}"
            );
        }
    }

    #[test]
    fn a_newer_version_and_another_kind_are_named() {
        let mut newer = header(Kind::Log);
        newer[8] = 7;
        let crc = checksum(&newer[..12]).to_le_bytes();
        newer[12..].copy_from_slice(&crc);
        let said = check_header(Kind::Log, Path::new("d/1.log"), &newer)
            .unwrap_err()
            .to_string();
        assert!(said.starts_with(
            "d/1.log is a span log file of version 7; this tracewell reads versions up to 1"
        ));
        let mut old = header(Kind::Segment);
        old[8] = 0;
        let crc = checksum(&old[..12]).to_le_bytes();
        old[12..].copy_from_slice(&crc);
        let said = check_header(Kind::Segment, Path::new("d/1.seg"), &old).unwrap_err();
        assert_eq!(
            said.to_string(),
            "d/1.seg is a segment file of a version that was never released and cannot be read"
        );
        let said = check_header(Kind::Index, Path::new("x"), &header(Kind::Log)).unwrap_err();
        assert_eq!(
            said.to_string(),
            "x is no index file of tracewell: span log"
        );
    }
}
