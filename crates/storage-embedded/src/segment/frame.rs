//! Frames: stretches of a file with their own checksum, compressed where that helps. All parts of
//! a segment but the span ids are frames; who reads one knows its place from a directory.
#![warn(clippy::indexing_slicing)]

use std::path::Path;

use crate::codec::{Damaged, Reader, put_varint};
use crate::format;
use crate::fs::{self, File, FileWriter, Fs};
use tracewell_storage::{Class, Error};

/// zstd's level: 1 costs a third of 3 for 3 % more bytes (STORAGE.md, measured).
const LEVEL: i32 = 1;
/// No frame of ours is larger; a directory that says so is damaged.
const RAW_BYTES_MAX: u32 = 1 << 30;

/// Where a frame lies: crc32 of what follows (4 bytes), then its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameRef {
    pub(crate) offset: u64,
    /// Bytes in the file, the checksum included.
    pub(crate) bytes: u32,
    /// Bytes after decompression; equal to `bytes - 4` when it is not compressed.
    pub(crate) raw_bytes: u32,
}

impl FrameRef {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.offset);
        put_varint(out, u64::from(self.bytes));
        put_varint(out, u64::from(self.raw_bytes));
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<FrameRef, Damaged> {
        let frame = FrameRef {
            offset: r.varint()?,
            bytes: r.u32()?,
            raw_bytes: r.u32()?,
        };
        if frame.raw_bytes > RAW_BYTES_MAX || frame.bytes < 4 {
            return Err(Damaged("size of a frame"));
        }
        Ok(frame)
    }
}

/// A file that is being written from frames, as they come.
pub(crate) struct FrameWriter<'a> {
    file: FileWriter<'a>,
    compressor: zstd::bulk::Compressor<'static>,
    packed: Vec<u8>,
}

impl<'a> FrameWriter<'a> {
    /// Begins a file of this kind.
    pub(crate) fn create(
        fs: &'a dyn Fs,
        dir: &Path,
        name: &str,
        kind: format::Kind,
    ) -> Result<Self, Error> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)
            .map_err(|error| Error::retryable(format!("make a compressor: {error}")))?;
        let file = FileWriter::create(fs, dir, name)
            .map_err(|error| fs::io_error("create", &dir.join(name), &error))?;
        let mut out = FrameWriter {
            file,
            compressor,
            packed: Vec::new(),
        };
        out.append(&format::header(kind))?;
        Ok(out)
    }

    /// Where the next byte will lie.
    pub(crate) fn offset(&self) -> u64 {
        self.file.len()
    }

    /// Appends bytes that are no frame.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.append(bytes);
        written.map_err(|error| fs::io_error("write", self.file.path(), &error))
    }

    /// Appends a frame.
    pub(crate) fn put(&mut self, raw: &[u8]) -> Result<FrameRef, Error> {
        let mut packed = std::mem::take(&mut self.packed);
        packed.clear();
        packed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        self.compressor
            .compress_to_buffer(raw, &mut packed)
            .map_err(|error| Error::retryable(format!("compress a frame: {error}")))?;
        let shorter = if packed.len() < raw.len() {
            packed.as_slice()
        } else {
            raw
        };
        let frame = self.store(raw.len(), shorter);
        self.packed = packed;
        frame
    }

    /// Appends a frame of what does not compress.
    pub(crate) fn put_raw(&mut self, raw: &[u8]) -> Result<FrameRef, Error> {
        self.store(raw.len(), raw)
    }

    fn store(&mut self, raw_bytes: usize, stored: &[u8]) -> Result<FrameRef, Error> {
        let offset = self.offset();
        let within = |bytes: usize| {
            let bytes = u32::try_from(bytes).ok();
            bytes.filter(|&bytes| bytes <= RAW_BYTES_MAX)
        };
        let (Some(bytes), Some(raw_bytes)) = (within(stored.len() + 4), within(raw_bytes)) else {
            return Err(Error::invalid("a frame is larger than 1 GiB"));
        };
        self.append(&format::checksum(stored).to_le_bytes())?;
        self.append(stored)?;
        Ok(FrameRef {
            offset,
            bytes,
            raw_bytes,
        })
    }

    /// Ends the file with its footer as a frame, then where that is (20 bytes), and makes it safe
    /// under its name. Answers its length.
    pub(crate) fn finish(mut self, footer: &[u8]) -> Result<u64, Error> {
        let frame = self.put(footer)?;
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.extend_from_slice(&frame.offset.to_le_bytes());
        trailer.extend_from_slice(&frame.bytes.to_le_bytes());
        trailer.extend_from_slice(&frame.raw_bytes.to_le_bytes());
        let crc = format::checksum(&trailer);
        trailer.extend_from_slice(&crc.to_le_bytes());
        self.append(&trailer)?;
        let path = self.file.path().to_owned();
        let finished = self.file.finish();
        finished.map_err(|error| fs::io_error("write", &path, &error))
    }
}

impl std::fmt::Debug for FrameWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What lay in the frame, given its bytes of the file.
pub(crate) fn open_frame(frame: &FrameRef, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let damaged = |what: &str| Error::corrupt(what.to_owned());
    let (crc, stored) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("the frame is cut"))?;
    if u32::from_le_bytes(*crc) != format::checksum(stored) {
        return Err(damaged("its checksum does not hold"));
    }
    if stored.len() == frame.raw_bytes as usize {
        return Ok(stored.to_vec());
    }
    let raw = zstd::bulk::decompress(stored, frame.raw_bytes as usize)
        .map_err(|_| damaged("it does not decompress"))?;
    if raw.len() == frame.raw_bytes as usize {
        Ok(raw)
    } else {
        Err(damaged("it decompresses to another length"))
    }
}

/// Reads a frame from the disk.
pub(crate) fn read_frame(file: &dyn File, path: &Path, frame: &FrameRef) -> Result<Vec<u8>, Error> {
    let bytes = read(file, path, frame.offset, frame.bytes as usize)?;
    open_frame(frame, &bytes)
}

/// Reads so many bytes at an offset that a directory gave.
pub(crate) fn read(
    file: &dyn File,
    path: &Path,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, Error> {
    fs::read_exact_at(file, offset, length).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => Error::corrupt("the file ends before it"),
        _ => fs::io_error("read", path, &error),
    })
}

const TRAILER_BYTES: usize = 20;

/// Opens a file of this kind: checks its header and gives its footer.
pub(crate) fn read_footer(
    file: &dyn File,
    path: &Path,
    kind: format::Kind,
) -> Result<Vec<u8>, Error> {
    let head = read(file, path, 0, format::HEADER_BYTES)?;
    format::check_header(kind, path, &head)?;
    let length = file
        .len()
        .map_err(|error| fs::io_error("stat", path, &error))?;
    let at = length
        .checked_sub(TRAILER_BYTES as u64)
        .ok_or_else(|| Error::corrupt("the file is cut"))?;
    let trailer = read(file, path, at, TRAILER_BYTES)?;
    let frame =
        parse_trailer(&trailer).ok_or_else(|| Error::corrupt("its last bytes do not hold"))?;
    read_frame(file, path, &frame)
}

fn parse_trailer(trailer: &[u8]) -> Option<FrameRef> {
    let (front, crc) = trailer.split_last_chunk::<4>()?;
    if u32::from_le_bytes(*crc) != format::checksum(front) {
        return None;
    }
    let mut r = Reader::new(front);
    let offset = u64::from_le_bytes(r.array().ok()?);
    let bytes = u32::from_le_bytes(r.array().ok()?);
    let raw_bytes = u32::from_le_bytes(r.array().ok()?);
    (raw_bytes <= RAW_BYTES_MAX).then_some(FrameRef {
        offset,
        bytes,
        raw_bytes,
    })
}

/// A coded part that does not make sense, though its checksum holds.
pub(crate) fn senseless(Damaged(what): Damaged) -> Error {
    Error::new(Class::Corrupt, what)
}
