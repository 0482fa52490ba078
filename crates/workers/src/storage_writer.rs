//! The storage group: spans into the store, with their index. All of it is the sink's doing; what
//! is here is the group's name and how it joins the log.

use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_storage::{Error, Sink, SpanLog};

use crate::consume::{Options, Worker};

/// The group's name, in the log and in metrics.
pub const GROUP: &str = "storage";

/// Joins the log where the sink's durable state ends.
pub fn start(
    log: &dyn SpanLog,
    sink: Box<dyn Sink>,
    clock: Arc<dyn Clock>,
    options: Options,
) -> Result<Worker, Error> {
    Worker::join(GROUP, log, sink, clock, options)
}
