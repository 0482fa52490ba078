//! A `SpanBatch` as bytes and back: what log records carry. Self-contained, so that a damaged
//! record costs only itself. Byte by byte: docs/formats/log.md.
//!
//! Decoding trusts nothing: lengths are held against the input that is left before anything is
//! allocated, so memory stays a small multiple of the input, and every position against what it
//! points into, a column at a time.

mod bits;
mod copies;
mod decode;
mod encode;
mod primitive;
#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::encode;
pub use primitive::{Damaged, Reader, put_text, put_varint, put_zigzag};

/// Words that a batch of so many rows may have when some of them take less than a byte.
fn narrow_words_max(rows: usize) -> usize {
    rows.saturating_mul(8).saturating_add(1 << 17)
}

/// What a row says of its parent.
mod parent {
    /// It has none.
    pub(super) const NONE: u32 = 0;
    /// Its id is written among those that are no span of the batch.
    pub(super) const ELSEWHERE: u32 = 1;
    /// It is the span of this row, counted from here.
    pub(super) const FIRST_ROW: u32 = 2;
}

/// How the slots of a shape are written.
mod slots {
    /// No row has the shape.
    pub(super) const NO_ROWS: u8 = 0;
    /// All rows have the same values.
    pub(super) const ALL_EQUAL: u8 = 1;
    /// With each slot's bits.
    pub(super) const WIDTHS: u8 = 2;
}
