//! The staff: one file a consumer group, one loop for all. Records come from the span log, go into
//! the group's sink, and are committed once the sink has them safe. What a sink cannot take is
//! retried, or set aside and counted; nothing here stops the log.
//!
//! Each group runs on a thread of its own (D14), so groups fail apart (P15): the binary spawns
//! [`Worker::run`]; the simulator calls [`Worker::step`] itself.

pub mod aggregator;
pub mod consume;
pub mod indexer;
pub mod metrics;
mod opening;
mod roll_call;
pub mod sampler;
pub mod sdk_losses;
pub mod stop;
pub mod storage_writer;
mod table;
mod tally;
mod window;

pub use aggregator::Aggregator;
pub use consume::{Options, StatusHandle, Step, Worker, WorkerStatus};
pub use metrics::WorkersCollector;
pub use opening::Opening;
pub use sampler::Sampling;
pub use sdk_losses::SdkLosses;
pub use stop::Stop;
