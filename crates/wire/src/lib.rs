//! Bytes to nouns and back. Pure functions: no socket, no file, no clock; every decoder is fuzzed
//! and capped (`model::limits`). Each module is one format; D5 is the table of what becomes what.

#[cfg(feature = "decode")]
pub mod caps;
#[cfg(feature = "decode")]
mod decimal;
#[cfg(feature = "decode")]
pub mod decompress;
#[cfg(feature = "decode")]
mod elements;
#[cfg(feature = "decode")]
pub mod import;
#[cfg(feature = "decode")]
pub mod json;
#[cfg(feature = "decode")]
pub mod named;
pub mod otlp;
pub mod proto;
#[cfg(feature = "decode")]
pub mod report;
pub mod rest;
#[cfg(feature = "decode")]
mod scan;
#[cfg(feature = "decode")]
pub mod spans_json;
#[cfg(feature = "decode")]
pub mod zipkin;

#[cfg(feature = "decode")]
pub use report::{DecodeError, Reason, Report};
