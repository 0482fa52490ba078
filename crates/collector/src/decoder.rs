//! Where bodies become batches. A decoder's room (tables, columns) stays warm from body to body:
//! fresh memory for every request costs more than the decoding.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::decompress::{Decompressor, Encoding};
use tracewell_wire::{DecodeError, Report};

use crate::buffer::Buffers;
use crate::pool::Pool;

/// A decoder of `wire`.
pub(crate) type Decode = fn(&[u8], &mut BatchBuilder, &mut Report) -> Result<(), DecodeError>;

/// A body that was decoded.
pub(crate) struct Decoded {
    pub(crate) batches: Vec<SpanBatch>,
    pub(crate) report: Report,
    pub(crate) bytes: usize,
}

/// Why a body was not decoded.
pub(crate) enum Stopped {
    /// The body's own fault.
    Body(DecodeError),
    /// No decoding thread came free.
    Busy,
    /// The decoder panicked: ours.
    Defect,
}

/// The decoders that are not at work.
pub(crate) struct Decoders {
    shards: u16,
    pool: Pool<Decoder>,
    buffers: Buffers,
}

/// The room that decoding takes.
struct Decoder {
    builder: BatchBuilder,
    decompressor: Decompressor,
}

/// Decoders kept idle: more than threads that ever decode at once on the machines we know. Each keeps
/// a few megabytes at most, and most a few hundred kilobytes.
const IDLE_MAX: usize = 16;

impl Decoders {
    pub(crate) fn new(shards: u16, buffers: Buffers) -> Decoders {
        Decoders {
            shards,
            pool: Pool::new(IDLE_MAX),
            buffers,
        }
    }

    /// Decompresses and decodes a body. A decoder that panics is a defect, but one that must cost
    /// its own request only; its room goes with it.
    pub(crate) fn decode(
        &self,
        body: &[u8],
        encoding: Encoding,
        bytes_max: usize,
        decode: Decode,
    ) -> Result<Decoded, Stopped> {
        let work = || {
            let mut decoder = self.pool.take().unwrap_or_else(|| Decoder {
                builder: BatchBuilder::new(self.shards),
                decompressor: Decompressor::default(),
            });
            let decoded = if encoding.is_identity() {
                decoder.decode(body, decode)
            } else {
                let mut plain = self.buffers.take();
                let out = &mut plain.bytes;
                let decompressed = decoder
                    .decompressor
                    .decompress(encoding, body, bytes_max, out);
                decompressed.and_then(|()| decoder.decode(out, decode))
            };
            self.pool.give_back(decoder);
            decoded.map_err(Stopped::Body)
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Stopped::Defect))
    }
}

impl Decoder {
    fn decode(&mut self, plain: &[u8], decode: Decode) -> Result<Decoded, DecodeError> {
        let mut report = Report::default();
        let outcome = decode(plain, &mut self.builder, &mut report);
        debug_assert_eq!(self.builder.len(), report.accepted);
        // Emptied whatever came of it: the next body must not find what this one left.
        let batches = self.builder.finish();
        outcome.map(|()| Decoded {
            batches,
            report,
            bytes: plain.len(),
        })
    }
}
