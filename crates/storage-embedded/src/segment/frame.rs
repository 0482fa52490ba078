//! Frames: stretches of a file with their own checksum, compressed where that helps. All parts of
//! a segment but the span ids are frames; who reads one knows its place from a directory.
#![warn(clippy::indexing_slicing)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::{Damaged, Reader, put_varint};
use crate::format;
use crate::fs::{self, File, FileWriter, Fs};
use tracewell_storage::{Class, Error};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// zstd's level: 1 costs a third of 3 for 3 % more bytes (STORAGE.md, measured).
const LEVEL: i32 = 1;
/// Shortest repeat that zstd refers to. What lies in frames repeats long or hardly: 7 bytes save an
/// eighth of the instructions that the level's 5 or 6 take, and a little space.
const REPEAT_BYTES_MIN: u32 = 7;
/// Before the columns of a frame, for each: bytes in the file and decompressed, u32 both.
const LENGTHS_BYTES: usize = 8;
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
    compressor: Compressor<'static>,
    packed: Vec<u8>,
    gathered: Vec<u8>,
}

impl<'a> FrameWriter<'a> {
    /// Begins a file of this kind.
    pub(crate) fn create(
        fs: &'a dyn Fs,
        dir: &Path,
        name: &str,
        kind: format::Kind,
    ) -> Result<Self, Error> {
        let mut compressor = Compressor::new(LEVEL)
            .map_err(|error| Error::retryable(format!("make a compressor: {error}")))?;
        compressor
            .set_parameter(CParameter::MinMatch(REPEAT_BYTES_MIN))
            .map_err(|error| Error::retryable(format!("set up a compressor: {error}")))?;
        let file = FileWriter::create(fs, dir, name)
            .map_err(|error| fs::io_error("create", &dir.join(name), &error))?;
        let mut out = FrameWriter {
            file,
            compressor,
            packed: Vec::new(),
            gathered: Vec::new(),
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
        let shorter = self.compress(raw, &mut packed)?;
        let frame = self.store(raw.len(), if shorter { &packed } else { raw });
        self.packed = packed;
        frame
    }

    /// Appends a frame of several columns, each compressed on its own: columns that differ in kind
    /// would spoil each other's statistics.
    pub(crate) fn put_columns(&mut self, columns: &[&[u8]]) -> Result<FrameRef, Error> {
        let (mut packed, mut body) = (
            std::mem::take(&mut self.packed),
            std::mem::take(&mut self.gathered),
        );
        body.clear();
        body.resize(columns.len() * LENGTHS_BYTES, 0);
        for (number, raw) in columns.iter().enumerate() {
            packed.clear();
            let shorter = self.compress(raw, &mut packed)?;
            let stored = if shorter { packed.as_slice() } else { raw };
            body.extend_from_slice(stored);
            let lengths = [stored.len() as u32, raw.len() as u32].map(u32::to_le_bytes);
            let places = body.as_chunks_mut::<LENGTHS_BYTES>().0;
            if let Some(place) = places.get_mut(number) {
                place.copy_from_slice(lengths.as_flattened());
            }
        }
        let raw_bytes = columns.iter().map(|raw| raw.len()).sum();
        let frame = self.store(raw_bytes, &body);
        (self.packed, self.gathered) = (packed, body);
        frame
    }

    /// Compresses into the empty vector; true when that is shorter.
    fn compress(&mut self, raw: &[u8], packed: &mut Vec<u8>) -> Result<bool, Error> {
        packed.reserve(zstd::zstd_safe::compress_bound(raw.len()));
        let compressed = self.compressor.compress_to_buffer(raw, packed);
        compressed.map_err(|error| Error::retryable(format!("compress a frame: {error}")))?;
        Ok(packed.len() < raw.len())
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

    /// Ends the file for whoever wrote it, without a footer: it has no name any more.
    pub(crate) fn finish_unnamed(self) -> Result<(Arc<dyn File>, PathBuf), Error> {
        let path = self.file.path().to_owned();
        let file = self.file.finish_unnamed();
        let file = file.map_err(|error| fs::io_error("write", &path, &error))?;
        Ok((file, path))
    }
}

impl std::fmt::Debug for FrameWriter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What a checksum and its bytes were, decompressed to this length.
pub(super) fn open_stored(bytes: &[u8], raw_bytes: u32) -> Result<Vec<u8>, Error> {
    decompress(checked(bytes)?, raw_bytes)
}

/// What follows the checksum, if it holds.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8], Error> {
    let (crc, stored) = bytes
        .split_first_chunk::<4>()
        .ok_or_else(|| Error::corrupt("the frame is cut"))?;
    if u32::from_le_bytes(*crc) == format::checksum(stored) {
        Ok(stored)
    } else {
        Err(Error::corrupt("its checksum does not hold"))
    }
}

thread_local! {
    /// Making one asks the processor what it can, which takes longer than most frames do.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Bytes as they were; those of their own length were not compressed.
fn decompress(stored: &[u8], raw_bytes: u32) -> Result<Vec<u8>, Error> {
    if stored.len() == raw_bytes as usize {
        return Ok(stored.to_vec());
    }
    let raw = DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(decompressor) => decompressor.decompress(stored, raw_bytes as usize),
        None => decompressor
            .insert(Decompressor::new()?)
            .decompress(stored, raw_bytes as usize),
    });
    let raw = raw.map_err(|_| Error::corrupt("it does not decompress"))?;
    if raw.len() == raw_bytes as usize {
        Ok(raw)
    } else {
        Err(Error::corrupt("it decompresses to another length"))
    }
}

/// Reads a frame from the disk.
pub(crate) fn read_frame(file: &dyn File, path: &Path, frame: &FrameRef) -> Result<Vec<u8>, Error> {
    let bytes = read(file, path, frame.offset, frame.bytes as usize)?;
    open_stored(&bytes, frame.raw_bytes)
}

/// Reads the columns of a frame from the disk.
pub(crate) fn read_columns<const N: usize>(
    file: &dyn File,
    path: &Path,
    frame: &FrameRef,
) -> Result<[Vec<u8>; N], Error> {
    let bytes = read(file, path, frame.offset, frame.bytes as usize)?;
    let mut r = Reader::new(checked(&bytes)?);
    let mut lengths = [(0, 0); N];
    let mut left = u64::from(frame.raw_bytes);
    for (stored, raw) in &mut lengths {
        *stored = u32::from_le_bytes(r.array().map_err(senseless)?);
        *raw = u32::from_le_bytes(r.array().map_err(senseless)?);
        // No more is made room for than the directory says.
        left = left
            .checked_sub(u64::from(*raw))
            .ok_or_else(|| Error::corrupt("the lengths of its columns"))?;
    }
    let mut columns = [const { Vec::new() }; N];
    for (column, (stored, raw)) in columns.iter_mut().zip(lengths) {
        let stored = r.take(stored as usize).map_err(senseless)?;
        *column = decompress(stored, raw)?;
    }
    if r.remaining() > 0 || left > 0 {
        return Err(Error::corrupt("bytes after its columns"));
    }
    Ok(columns)
}

/// The same, into room that is there.
pub(crate) fn read_into(
    file: &dyn File,
    path: &Path,
    offset: u64,
    length: usize,
    bytes: &mut Vec<u8>,
) -> Result<(), Error> {
    let is_there = file
        .len()
        .map(|have| offset.saturating_add(length as u64) <= have);
    match is_there {
        Ok(true) => bytes.resize(length, 0),
        Ok(false) => return Err(Error::corrupt("the file ends before it")),
        Err(error) => return Err(fs::io_error("stat", path, &error)),
    }
    match fs::read_full_at(file, bytes, offset) {
        Ok(read) if read == length => Ok(()),
        Ok(_) => Err(Error::corrupt("the file ends before it")),
        Err(error) => Err(fs::io_error("read", path, &error)),
    }
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
