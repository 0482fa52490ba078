//! The rooms we built: span log, segments and statistics on local disk. No other process, no
//! thread of its own (D14): every step is a plain call that the binary drives.

pub mod books;
pub mod codec;
pub mod engine;
pub mod failpoint;
pub mod format;
pub mod fs;
/// What fuzz targets reach of the inside.
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::segment::block::fuzz::block;
}
mod head;
pub mod log;
mod manifest;
mod query;
pub mod sampling;
mod segment;
pub mod stats;

pub use engine::{Engine, EngineOptions, EngineStatus, StorageSink};
pub use query::EmbeddedTraces;
pub use sampling::EmbeddedSampling;
