//! The trace store in Cassandra, or ScyllaDB (R46–R48): one row per span under its trace's id, so
//! that a trace is one partition and one read. Written by a group's sink, read by id and as a whole.
//!
//! A row's key holds the hash of its bytes (D2): a span delivered twice is written over itself, a
//! namesake with other content lies beside it. So a write may be repeated at will, and is.
#![warn(missing_docs)]

mod checkup;
mod eraser;
mod ledger;
mod reader;
pub mod schema;
mod session;
mod sink;

pub use checkup::check;
pub use eraser::CassandraEraser;
pub use ledger::CassandraLedger;
pub use reader::CassandraReader;
pub use session::{Cassandra, Settings};
pub use sink::CassandraSink;
