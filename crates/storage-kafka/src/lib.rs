//! The span log on Kafka (D12): any number of processes append to one topic and share its consumer
//! groups. A value is a bare OTLP `ExportTraceServiceRequest`, so that others can read it; what else
//! the log needs to know of it is in the record's headers. docs/formats/kafka.md describes both.
//!
//! | asked for | answered when |
//! |---|---|
//! | `received` | the record is in this process's bounded queue |
//! | `logged` | every in-sync replica has it (acks=all, idempotent): survives kill -9 of this process and, with two replicas, the loss of a broker |
//! | `durable`, `replicated` | the same, and refused unless the topic demands two in-sync replicas |
#![warn(missing_docs)]

mod admin;
mod consume;
mod dead_letter;
mod errors;
mod log;
mod member;
mod options;
mod partition;
mod produce;
mod reach;
mod record;
mod republish;
mod watch;

/// The client beneath, for tools and tests that speak to the same brokers.
pub use rdkafka;

pub use admin::{Checked, check, create};
pub use log::KafkaLog;
pub use options::Options;
pub use reach::KafkaReach;
pub use republish::{GROUP as REPUBLISH_GROUP, Republisher};
