//! The only decompressor of input: `Content-Encoding` to bytes, with caps on size and ratio.
//!
//! Anything but complete, undamaged data is refused: truncation, a wrong checksum, bytes after the
//! end. gzip may have several members and zstd several frames, as both formats say.
#![warn(clippy::indexing_slicing)]
// The ban on these types has its one exception here, where the caps are.
#![allow(clippy::disallowed_types)]

use std::io::Read;

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
/// Bytes decompressed between two looks at the caps.
const STEP_BYTES: usize = 64 * 1024;

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
    let ratio_limit = body
        .len()
        .saturating_mul(DECOMPRESS_RATIO_MAX)
        .max(RATIO_FREE_BYTES);
    let caps = Caps { limit, ratio_limit };
    match (encoding.first, encoding.second) {
        (only, Coding::Identity) => one(only, body, caps),
        // Listed in the order applied: the second one is the outer one.
        (first, second) => one(first, &one(second, body, caps)?, caps),
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
}

fn one(coding: Coding, body: &[u8], caps: Caps) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::new();
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
        }
        // Only this reader tells a clean end after a member from garbage behind it.
        Coding::Gzip => read(flate2::bufread::MultiGzDecoder::new(body), caps, &mut out)
            .map_err(|failure| failure.in_coding("gzip"))?,
        Coding::Zstd => zstd(body, caps, &mut out)?,
        Coding::Deflate => deflate(body, caps, &mut out)?,
    }
    Ok(out)
}

fn zstd(body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let damaged = |error| Failure::Damaged(error).in_coding("zstd");
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(damaged)?;
    decoder
        .window_log_max(ZSTD_WINDOW_LOG_MAX)
        .map_err(damaged)?;
    read(decoder, caps, out).map_err(|failure| failure.in_coding("zstd"))
}

/// "deflate" means zlib's format, but some senders leave its header away. A zlib header is
/// recognized by its check bits; raw deflate has them by chance once in a thousand, and is then
/// tried second.
fn deflate(body: &[u8], caps: Caps, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let looks_like_zlib = matches!(body, [first, second, ..]
        if first & 0x0f == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31));
    if looks_like_zlib {
        match inflate(body, true, caps, out) {
            Err(Failure::Damaged(error)) if inflate(body, false, caps, out).is_err() => {
                return Err(Failure::Damaged(error).in_coding("deflate"));
            }
            Err(failure @ Failure::TooLarge(_)) => return Err(failure.in_coding("deflate")),
            Ok(()) | Err(Failure::Damaged(_)) => return Ok(()),
        }
    }
    inflate(body, false, caps, out).map_err(|failure| failure.in_coding("deflate"))
}

/// Runs the decompressor by hand: flate2's readers take a truncated stream for a finished one.
fn inflate(body: &[u8], zlib: bool, caps: Caps, out: &mut Vec<u8>) -> Result<(), Failure> {
    let damaged = |text: &str| Failure::Damaged(std::io::Error::other(text));
    out.clear();
    let mut stream = flate2::Decompress::new(zlib);
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
            flate2::Status::StreamEnd if left.is_empty() => return Ok(()),
            flate2::Status::StreamEnd => return Err(damaged("bytes behind its end")),
            _ if used == 0 && out.len() == written => return Err(damaged("it ends too early")),
            _ => {}
        }
    }
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
