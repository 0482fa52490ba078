//! Records that others put into the topic are published again as ours: split by partition, with the
//! headers that tell span count and arrival (D12). Every group then finds all spans of a trace in one
//! partition, and whoever passes a foreign record over needs no second look at it.
//!
//! All foreign records are published again, wherever their spans belong: a rule that depends on the
//! number of partitions would lose spans while that number changes. It is a sink like any other, of a
//! group that the collector role runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tracewell_storage::{Ack, Error, Position, Record, Sink};

use crate::log::KafkaLog;

/// The group of records that others wrote.
pub const GROUP: &str = "republish";

/// How long Kafka may take to have them; then they are sent again.
const WAIT: Duration = Duration::from_secs(40);

/// Publishes foreign records again.
#[derive(Debug)]
pub struct Republisher {
    log: Arc<KafkaLog>,
    durable: BTreeMap<u32, u64>,
}

impl Republisher {
    /// Publishes into this log what comes from it.
    pub fn new(log: Arc<KafkaLog>) -> Republisher {
        Republisher {
            log,
            durable: BTreeMap::new(),
        }
    }
}

impl Sink for Republisher {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        let (sender, receiver) = sync_channel(1);
        let batches = records.iter().map(|record| &*record.batch);
        // Nobody listens any more if the answer comes after the wait.
        let done = Box::new(move |outcome| drop(sender.try_send(outcome)));
        self.log.publish(batches, Ack::Logged, done);
        let late = |_elapsed| Err(Error::retryable("Kafka did not take the records in time"));
        receiver.recv_timeout(WAIT).unwrap_or_else(late)?;
        for Record { position, .. } in records {
            self.durable.insert(position.partition, position.offset);
        }
        Ok(())
    }

    fn durable(&self) -> Vec<Position> {
        let position = |(&partition, &offset): (&u32, &u64)| Position { partition, offset };
        self.durable.iter().map(position).collect()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }
}
