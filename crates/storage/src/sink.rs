//! A sink: what one consumer group does with the log. A worker is a loop around a sink, nothing more (D10).

use crate::error::Error;
use crate::log::{Position, Record};

/// Takes records in and says how far they are safe.
///
/// Contract:
/// * `apply` may be called again with records it has seen (redelivery after a crash): no span shows
///   twice in any answer.
/// * After `apply` returns Ok, readers of the same backend see the spans (D8: within 1 s).
/// * `durable` answers, per partition, the last position such that it and everything before it
///   survives a crash. It never goes back. Effects and position are saved together.
/// * On an error of class `Retryable` or `Overloaded` the caller repeats the same `apply`; the sink
///   stays as if the failed call had not been made, or such that repeating it does no harm.
pub trait Sink: Send {
    /// Takes records in, in offset order per partition.
    fn apply(&mut self, records: &[Record]) -> Result<(), Error>;

    /// How far everything is safe, per partition; empty when nothing is yet.
    fn durable(&self) -> Vec<Position>;

    /// Called about once a second with the wall clock: seal, flush, roll windows.
    fn tick(&mut self, now_unix_ns: u64) -> Result<(), Error>;

    /// Makes all that was applied durable: before a clean stop.
    fn flush(&mut self) -> Result<(), Error>;
}
