//! Blocks: about 4,096 spans of whole traces, with dictionaries of their own, so that a damaged
//! block costs only itself, a read by id needs nothing else, and compaction copies one byte for
//! byte. Byte by byte: docs/formats/block.md.

mod bits;
mod chosen;
mod classes;
mod column_reader;
mod column_values;
mod columns;
mod count;
mod counted;
mod decode;
mod encode;
mod filter;
pub(crate) mod fuzz;
mod gather;
mod groups;
mod ids;
mod layout;
mod locals;
mod open;
mod parents;
mod parts;
mod points;
mod section;
mod sequences;
mod stamped;
mod structure;
mod symbols;
mod tails;
mod templates;
#[cfg(test)]
mod tests;
mod verbatim;
mod wide;

pub(crate) use count::count_values;
pub(crate) use encode::BlockWriter;
pub(crate) use ids::{IDS_PER_CHUNK, ids_of_chunks};
pub(crate) use open::{Block, BlockTrace, Body};
pub(crate) use parents::ParentRow;
pub(crate) use parts::BlockParts;
pub(crate) use points::points;
pub(crate) use verbatim::checked_trace_ids;
