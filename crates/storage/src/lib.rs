//! The seams: where collector, workers and query end and a backend begins. Knows no database.
//!
//! One log, one sink per consumer group, four readers, one statistics writer. Every seam is a
//! plain synchronous call (D14): async lives at sockets. A backend with an async client keeps its
//! own runtime and blocks the caller's thread, which is a worker's or a query pool's, never a socket's.
//! The docs of a trait are its contract; `conformance` holds every backend to it.
#![warn(missing_docs)]

pub mod account;
pub mod checkup;
pub mod context;
pub mod dead_letters;
pub mod error;
pub mod find;
pub mod indexed;
pub mod ladder;
pub mod log;
pub mod memory;
pub mod refusals;
pub mod roll;
pub mod row;
pub mod sampling;
pub mod scan;
pub mod sink;
pub mod span_query;
pub mod stats;
pub mod traces;
pub mod value_counts;
pub mod varint;

#[cfg(feature = "conformance")]
pub mod conformance;

pub use account::Account;
pub use checkup::{Checkup, Finding};
pub use context::{ReadContext, Searched};
pub use dead_letters::DeadLetters;
pub use error::{Class, Error};
pub use find::{Cursor, Found, Names, Order, TagFilter, TraceFinder, TraceHit, TraceQuery};
pub use log::{Ack, Completion, Consumer, GroupStatus, LogStatus, Position, Record, SpanLog};
pub use refusals::{Refusals, RefusedSpan};
pub use sampling::ledger::{Eraser, KnownErrors, Ledger, Reach};
pub use sampling::{SampledStore, SamplingReader};
pub use scan::{ScanQuery, Scanned, SpanScanner};
pub use sink::Sink;
pub use span_query::SpanQuery;
pub use stats::{StatsDelta, StatsReader, StatsWriter, Window};
pub use traces::{FoundTrace, TraceReader};
pub use value_counts::{Sets, ValueCounts};
