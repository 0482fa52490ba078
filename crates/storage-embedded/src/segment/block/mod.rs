//! Blocks: about 4,096 spans of whole traces, with dictionaries of their own, so that a damaged
//! block costs only itself, a read by id needs nothing else, and compaction copies one byte for
//! byte. Byte by byte: docs/formats/block.md.

mod encode;
mod ids;
mod open;
mod parts;
#[cfg(test)]
mod tests;

pub(crate) use encode::{BlockRow, BlockWriter};
pub(crate) use ids::{IDS_PER_CHUNK, ids_of_chunks};
pub(crate) use open::{Block, BlockTrace};
pub(crate) use parts::BlockParts;
