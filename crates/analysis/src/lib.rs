//! What matters in many spans: pure computation over the nouns, and over what the readers of
//! `storage` hand over. Knows no database, no clock and no wire format; `query` asks and answers.
#![warn(missing_docs)]

pub mod critical_path;
pub mod forest;
pub mod hotspots;
pub mod sample;
