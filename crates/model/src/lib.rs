//! The nouns of Tracewell: ids, attributes, spans, batches, traces.
//!
//! Nothing here opens a file or a socket, knows a wire format, or learns the time by itself.
//! Every other crate speaks in these types; `SpanBatch` is the one that crosses every seam.
#![warn(missing_docs)]

pub mod any;
pub mod attribute;
pub mod batch;
pub mod builder;
pub mod clock;
mod copy;
pub mod dictionary;
mod distinct;
pub mod histogram;
pub mod id;
pub mod identity;
mod intern;
pub mod limits;
pub mod order;
mod origins;
pub mod row;
mod shapes;
mod shard;
pub mod span;
pub mod summary;
pub mod trace;

pub use attribute::{Attribute, Value};
pub use batch::SpanBatch;
pub use builder::{BatchBuilder, ResourceInput, ScopeInput, SpanInput};
pub use clock::Clock;
pub use copy::CopyScratch;
pub use id::{SpanId, TraceId};
pub use row::{RawAttribute, RawValue, Row, RowInput};
pub use span::{Marks, ResourceRef, ScopeRef, SpanKind, SpanRef, StatusCode};
pub use summary::{TraceStatus, TraceSummary};
pub use trace::Trace;
