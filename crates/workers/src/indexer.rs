//! The search group: spans into an index apart from the store (a cluster has one; the embedded
//! store is its own index). All of it is the sink's doing, as with the storage group.

use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_storage::{Error, Sink, SpanLog};

use crate::consume::{Options, Worker};

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "search";

/// Joins the log where the sink's durable state ends.
pub fn start(
    log: &dyn SpanLog,
    sink: Box<dyn Sink>,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Worker, Error> {
    Worker::join(GROUP, log, sink, clock, options)
}
