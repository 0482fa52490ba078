//! Figures in Redis (R52–R54): any number of aggregators write, every query process reads.
//!
//! What is kept, under a prefix:
//!
//! * `service:{service}:{operation}`, a hash for people and dashboards: the figures of the last five
//!   minutes (Q5; `:` in names is `%3A`).
//! * `tracewell:slot:{rung}:{number}`, a hash with one field per writer: what it counted in that slot
//!   of time. Writers never touch each other's fields, readers add them all up: three aggregators
//!   give the figures of one (Q6). Redis lets slots expire, so nothing is ever rolled or rewritten.
//! * `tracewell:positions:{log}`: how far each partition is counted, saved in the transaction that
//!   saves the figures, so that a killed aggregator's spans are counted again, once (P9).
//! * `tracewell:packed:…`: what the overview shows, a key per service, read by one MGET (R30).
#![warn(missing_docs)]

mod checkup;
mod connection;
mod flags;
mod keys;
mod last;
mod publish;
mod reader;
mod roll;
mod slots;
mod writer;

pub use checkup::check;
pub use connection::{Redis, Settings};
pub use flags::{ErrorFlags, Flagging};
pub use reader::RedisReader;
pub use writer::RedisWriter;
