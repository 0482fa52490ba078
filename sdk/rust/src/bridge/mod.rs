//! Spans of others, over our ring: of `tracing`, and of OpenTelemetry's SDK.

#[cfg(feature = "opentelemetry")]
pub mod opentelemetry;
#[cfg(feature = "tracing")]
pub mod tracing;
