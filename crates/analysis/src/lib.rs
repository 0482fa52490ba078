//! What matters in many spans: pure computation over the nouns, and over what the readers of
//! `storage` hand over. Knows no database, no clock and no wire format; `query` asks and answers.
#![warn(missing_docs)]

pub mod changes;
pub mod critical_path;
pub mod difference;
pub mod errors;
pub mod fingerprint;
pub mod forest;
pub mod heatmap;
pub mod hotspots;
pub mod sample;
pub mod shares;
pub mod spans;
