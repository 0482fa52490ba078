//! Tracewell's SDK: what runs inside your services. See the crate's README for the whole picture.
//!
//! It is built to be invisible: ending a span never blocks, never allocates once warm, makes no system
//! call, and never panics; a full ring drops its *oldest* spans and says so; a collector that hangs,
//! refuses, resets or does not exist costs a thread of ours some patience and your service nothing.
//!
//! ```
//! use tracewell_sdk::{Kind, Tracer};
//!
//! let tracer = Tracer::builder().service_name("checkout").build();
//!
//! let mut request = tracer.span("POST /checkout").kind(Kind::Server).start();
//! request.set_attribute("http.request.method", "POST");
//! {
//!     let _current = request.enter(); // spans started on this thread are now its children
//!     let mut charge = tracer.start("charge card");
//!     charge.set_attribute("amount_cents", 1999);
//!     charge.end();
//! }
//! request.end();
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```
//!
//! Across services the context travels in headers:
//!
//! ```
//! use std::collections::HashMap;
//! use tracewell_sdk::{Kind, Tracer};
//!
//! # let tracer = Tracer::disabled();
//! // The caller: write the context of the current span.
//! let call = tracer.span("GET /stock").kind(Kind::Client).start();
//! let mut headers: HashMap<String, String> = HashMap::new();
//! tracer.propagator().inject(&call.context(), &mut headers);
//!
//! // The callee: continue from what arrived.
//! let arrived = tracer.propagator().extract(&headers);
//! let handler = tracer.span("GET /stock").kind(Kind::Server).parent(&arrived).start();
//! assert_eq!(handler.span_context().trace_id(), call.span_context().trace_id());
//! ```
#![deny(missing_docs)]

#[cfg(any(feature = "opentelemetry", feature = "tracing"))]
pub mod bridge;
mod buffers;
mod bytes;
pub mod carrier;
mod clock;
mod context;
mod core;
mod drops;
mod encode;
#[cfg(any(feature = "reqwest", feature = "tower"))]
mod exchange;
mod flush;
mod fork;
pub mod handoff;
mod id;
#[cfg(feature = "tower")]
pub mod layer;
mod panic;
pub mod propagation;
mod queue;
mod random;
mod ring;
mod sampler;
pub mod settings;
mod span;
mod sync;
mod thread;
mod tracer;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod tsc;
mod value;

pub use context::{Context, CurrentGuard, SpanContext};
pub use drops::{Account, DropReason};
pub use flush::transport::{Reply, Request, SendError, Transport};
pub use id::{SpanId, TraceFlags, TraceId};
pub use propagation::Propagator;
pub use propagation::baggage::Baggage;
pub use propagation::tracestate::TraceState;
pub use sampler::{Sample, Sampler, Sampling};
pub use settings::Settings;
pub use span::{Kind, Span, SpanBuilder, Status};
pub use tracer::{ShutdownGuard, Tracer, TracerBuilder};
pub use value::Value;

/// What the benches and the model tests reach; no part of the API.
#[doc(hidden)]
pub mod internals {
    pub use crate::span::Finished;
}
