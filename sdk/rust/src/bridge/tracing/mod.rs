//! `tracing`'s spans as ours, its events as theirs, and log lines that carry the join key.
//!
//! ```
//! use tracing_subscriber::{fmt, layer::SubscriberExt};
//! use tracewell_sdk::{Tracer, bridge::tracing::{JoinKey, SpanLayer}};
//!
//! # let tracer = Tracer::builder().build();
//! let subscriber = tracing_subscriber::registry()
//!     .with(SpanLayer::new(tracer))
//!     .with(fmt::layer().event_format(JoinKey::text(fmt::format())));
//! # let subscriber = tracing_subscriber::registry().with(SpanLayer::new(tracer));
//! tracing::subscriber::with_default(subscriber, || {
//!     let _charge = tracing::info_span!("charge", otel.kind = "client", amount = 1999).entered();
//!     tracing::info!("asking the bank"); // trace_id=4bf9… span_id=00f0… INFO … asking the bank
//! });
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```
//!
//! A span that is entered is the current one of its thread, so ours and `tracing`'s nest in each other
//! as they are begun. The fields `otel.name` and `otel.kind` say what else they say to OpenTelemetry;
//! an event of level `ERROR` makes its span an error.

mod format;
mod layer;
mod visit;

pub use format::JoinKey;
pub use layer::SpanLayer;
