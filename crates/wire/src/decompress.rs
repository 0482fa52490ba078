//! The only decompressor of input: `Content-Encoding` to bytes, with caps on size and ratio.
//!
//! Anything but complete, undamaged data is refused: truncation, a wrong checksum, bytes after the
//! end. gzip may have several members and zstd several frames, as both formats say.
#![warn(clippy::indexing_slicing)]
// The ban on these types has its one exception here, where the caps are.
#![allow(clippy::disallowed_types)]

use std::io::Read;

use flate2::Decompress;
use zstd::zstd_safe::{self, DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use tracewell_model::limits::{DECOMPRESS_RATIO_MAX, RATIO_FREE_BYTES};

use crate::json::excerpt;
use crate::report::DecodeError;

/// How a body is encoded: up to two codings, in the order they were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoding {
    first: Coding,
    second: Coding,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Coding {
    #[default]
    Identity,
    Gzip,
    Zstd,
    Deflate,
}

/// A `Content-Encoding` this server does not take; it answers 415.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "content encoding \"{0}\"; accepted are gzip, zstd, deflate, identity, at most two in a row"
)]
pub struct UnknownEncoding(pub String);

/// Largest zstd window, 2^23 bytes: what zstd's own levels up to 19 use, and RFC 9659's limit for
/// HTTP. A frame may ask for 2^31.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Bytes decompressed between two looks at the caps, unless the buffer has room for more anyway.
const STEP_BYTES: usize = 64 * 1024;
/// Room is made in advance for what this ratio, that of well compressed spans, can account for.
const USUAL_RATIO_MAX: usize = 16;
/// The window that every gzip may have.
const WINDOW_BITS_MAX: u8 = 15;

impl Encoding {
    /// No compression.
    pub const IDENTITY: Encoding = Encoding {
        first: Coding::Identity,
        second: Coding::Identity,
    };
    /// gzip, as most senders use.
    pub const GZIP: Encoding = Encoding {
        first: Coding::Gzip,
        second: Coding::Identity,
    };
    /// zstd.
    pub const ZSTD: Encoding = Encoding {
        first: Coding::Zstd,
        second: Coding::Identity,
    };

    /// Reads a `Content-Encoding` header; an empty one is identity.
    pub fn parse(header: &str) -> Result<Encoding, UnknownEncoding> {
        let unknown = || UnknownEncoding(excerpt(header));
        let mut encoding = Encoding::default();
        for name in header.split(',').map(str::trim) {
            let coding = match name.to_ascii_lowercase().as_str() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "zstd" => Coding::Zstd,
                "deflate" => Coding::Deflate,
                _ => return Err(unknown()),
            };
            if encoding.first == Coding::Identity {
                encoding.first = coding;
            } else if encoding.second == Coding::Identity {
                encoding.second = coding;
            } else {
                return Err(unknown());
            }
        }
        Ok(encoding)
    }

    /// True when bodies need no decompression.
    pub fn is_identity(self) -> bool {
        self == Encoding::IDENTITY
    }
}

/// Decompresses a body to at most `limit` bytes. The ratio cap applies to the whole of it, so nesting
/// cannot multiply it.
pub fn decompress(encoding: Encoding, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
    Decompressor::default().decompress(encoding, body, limit, &mut out)?;
    Ok(out)
}

/// What decompressing needs, to be used again.
#[derive(Default)]
pub struct Decompressor {
    zstd: Option<DCtx<'static>>,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decompressor").finish_non_exhaustive()
    }
}

impl Decompressor {
    /// [`decompress`] into a buffer, whose memory is used and whose content is replaced.
    pub fn decompress(
        &mut self,
        encoding: Encoding,
        body: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let ratio_limit = body
            .len()
            .saturating_mul(DECOMPRESS_RATIO_MAX)
            .max(RATIO_FREE_BYTES);
        let caps = Caps { limit, ratio_limit };
        match (encoding.first, encoding.second) {
            (only, Coding::Identity) => self.one(only, body, caps, out),
            // Listed in the order applied: the second one is the outer one.
            (first, second) => {
                let mut between = Vec::new();
                self.one(second, body, caps, &mut between)?;
                self.one(first, &between, caps, out)
            }
        }
    }

    fn one(
        &mut self,
        coding: Coding,
        body: &[u8],
        caps: Caps,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        out.clear();
        if body.is_empty() && coding != Coding::Identity {
            return Err(DecodeError::Malformed(
                "the body is empty, which no compressed data is".to_owned(),
            ));
        }
        match coding {
            Coding::Identity => {
                if body.len() > caps.limit {
                    return Err(DecodeError::TooLarge { limit: caps.limit });
                }
                out.extend_from_slice(body);
                Ok(())
            }
            Coding::Gzip => gzip(body, caps, out).map_err(|failure| failure.in_coding("gzip")),
            Coding::Zstd => {
                let read = self.zstd(body, caps, out);
                read.map_err(|failure| failure.in_coding("zstd"))
            }
            Coding::Deflate => deflate(body, caps, out),
        }
    }

    fn zstd(&mut self, body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), Failure> {
        let failed = |code| damaged(zstd_safe::get_error_name(code));
        let context = match &mut self.zstd {
            Some(context) => {
                context.reset(ResetDirective::SessionOnly).map_err(failed)?;
                context
            }
            none => {
                let mut context = DCtx::try_create().ok_or_else(|| damaged("no memory"))?;
                let window = DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX);
                context.set_parameter(window).map_err(failed)?;
                none.insert(context)
            }
        };
        // With room for all of it, zstd writes a frame straight to its place.
        let size = zstd_safe::get_frame_content_size(body).ok().flatten();
        caps.reserve(out, body, size.unwrap_or(0));
        let mut input = InBuffer::around(body);
        loop {
            let (read, written) = (input.pos(), out.len());
            out.reserve(STEP_BYTES);
            let mut output = OutBuffer::around_pos(out, written);
            let wanted = context.decompress_stream(&mut output, &mut input);
            let wanted = wanted.map_err(failed)?;
            caps.check(out)?;
            if wanted == 0 && input.pos() == body.len() {
                return Ok(());
            }
            if input.pos() == read && out.len() == written {
                return Err(damaged("it ends too early"));
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Caps {
    limit: usize,
    ratio_limit: usize,
}

impl Caps {
    fn check(self, out: &[u8]) -> Result<(), Failure> {
        let limit = self.limit.min(self.ratio_limit);
        if out.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        Ok(())
    }

    /// Makes room for what the data say they are, as far as that is usual.
    fn reserve(self, out: &mut Vec<u8>, body: &[u8], announced: u64) {
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let usual = body.len().saturating_mul(USUAL_RATIO_MAX);
        out.reserve(announced.min(usual).min(self.limit) + STEP_BYTES);
    }
}

/// gzip. A second member is rare, and left to a reader of members.
fn gzip(body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), Failure> {
    // The last four bytes are the size, modulo 2^32.
    let size = body
        .last_chunk()
        .map_or(0, |size| u32::from_le_bytes(*size));
    caps.reserve(out, body, size.into());
    let more = inflate(Decompress::new_gzip(WINDOW_BITS_MAX), body, caps, out)?;
    if more.is_empty() {
        return Ok(());
    }
    // Only this reader tells a clean end after a member from garbage behind it.
    read(flate2::bufread::MultiGzDecoder::new(more), caps, out)
}

/// "deflate" means zlib's format, but some senders leave its header away. A zlib header is
/// recognized by its check bits; raw deflate has them by chance once in a thousand, and is then
/// tried second.
fn deflate(body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let looks_like_zlib = matches!(body, [first, second, ..]
        if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31));
    if looks_like_zlib {
        match inflate_whole(true, body, caps, out) {
            Err(Failure::Damaged(error)) if inflate_whole(false, body, caps, out).is_err() => {
                return Err(Failure::Damaged(error).in_coding("deflate"));
            }
            Err(failure @ Failure::TooLarge(_)) => return Err(failure.in_coding("deflate")),
            Ok(()) | Err(Failure::Damaged(_)) => return Ok(()),
        }
    }
    inflate_whole(false, body, caps, out).map_err(|failure| failure.in_coding("deflate"))
}

fn inflate_whole(zlib: bool, body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), Failure> {
    out.clear();
    let more = inflate(Decompress::new(zlib), body, caps, out)?;
    if more.is_empty() {
        return Ok(());
    }
    Err(damaged("bytes behind its end"))
}

/// Runs the decompressor by hand, up to the end of its stream, and answers what is behind it: flate2's
/// readers take a truncated stream for a finished one.
fn inflate<'b>(
    mut stream: Decompress,
    body: &'b [u8],
    caps: Caps,
    out: &mut Vec<u8>,
) -> Result<&'b [u8], Failure> {
    let mut left = body;
    loop {
        let (read, written) = (stream.total_in(), out.len());
        out.reserve(STEP_BYTES);
        let status = stream
            .decompress_vec(left, out, flate2::FlushDecompress::None)
            .map_err(|error| damaged(&error.to_string()))?;
        caps.check(out)?;
        let used = usize::try_from(stream.total_in() - read).unwrap_or(usize::MAX);
        left = left.get(used..).unwrap_or(&[]);
        match status {
            flate2::Status::StreamEnd => return Ok(left),
            _ if used == 0 && out.len() == written => return Err(damaged("it ends too early")),
            _ => {}
        }
    }
}

fn damaged(text: &str) -> Failure {
    Failure::Damaged(std::io::Error::other(text))
}

enum Failure {
    Damaged(std::io::Error),
    TooLarge(usize),
}

impl Failure {
    fn in_coding(self, coding: &str) -> DecodeError {
        match self {
            Failure::Damaged(error) => DecodeError::Malformed(format!(
                "the body is no complete, undamaged {coding} data: {error}"
            )),
            Failure::TooLarge(limit) => DecodeError::TooLarge { limit },
        }
    }
}

/// Reads to the end in steps; memory grows with what really comes out.
fn read(mut decoder: impl Read, caps: Caps, out: &mut Vec<u8>) -> Result<(), Failure> {
    loop {
        let step = decoder
            .by_ref()
            .take(STEP_BYTES as u64)
            .read_to_end(out)
            .map_err(Failure::Damaged)?;
        caps.check(out)?;
        if step == 0 {
            return Ok(());
        }
    }
}
