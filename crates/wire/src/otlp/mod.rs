//! OTLP, the format this system speaks inside and out: `ExportTraceServiceRequest` in protobuf and in
//! JSON, to batches and back, and the answers its clients expect.
//!
//! JSON is turned into protobuf one message at a time (`transcode`) and then takes the same path,
//! so both obey one set of rules (D5, D6), those of `span` and `origin`.

pub mod encode;
#[cfg(feature = "decode")]
pub mod json;
#[cfg(feature = "decode")]
pub mod json_encode;
#[cfg(feature = "decode")]
mod key_value;
#[cfg(feature = "decode")]
mod origin;
#[cfg(feature = "decode")]
pub mod protobuf;
#[cfg(feature = "decode")]
mod remembered;
#[cfg(feature = "decode")]
pub mod response;
#[cfg(feature = "decode")]
mod scalar;
#[cfg(feature = "decode")]
mod schema;
#[cfg(feature = "decode")]
mod span;
#[cfg(feature = "decode")]
mod transcode;

/// What a span belongs to when its resource does not say (D5).
pub const UNKNOWN_SERVICE: &str = "unknown_service";
