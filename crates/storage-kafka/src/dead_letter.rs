//! The topic of dead letters (P14): what no group can use, as it came, with the reason in headers, for
//! whoever looks after it. `kafka-console-consumer --property print.headers=true` shows them.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rdkafka::message::OwnedHeaders;
use tracewell_storage::Error;

use crate::produce::{Append, Producer, Sending};
use crate::record::header;

/// How long Kafka may take to have one; until then the group does not go on.
const WAIT: Duration = Duration::from_secs(30);

/// A record that its group can never use.
pub(crate) struct DeadLetter<'a> {
    pub(crate) group: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) partition: u32,
    /// Kafka's own, from 0.
    pub(crate) offset: u64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

impl Producer {
    /// Writes a dead letter and waits until Kafka has it: only then may the group go on.
    pub(crate) fn write_dead_letter(&self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let headers = OwnedHeaders::new()
            .insert(header("tracewell-reason", letter.reason))
            .insert(header("tracewell-group", letter.group))
            .insert(header("tracewell-partition", &letter.partition.to_string()))
            .insert(header("tracewell-offset", &letter.offset.to_string()));
        let (sender, receiver) = sync_channel(1);
        // Nobody listens any more if it comes after the wait.
        let append = Append::new(Box::new(move |outcome| drop(sender.try_send(outcome))));
        self.send(
            Sending {
                topic: &self.dead_letter_topic,
                partition: None,
                key: letter.key,
                value: letter.value,
                headers,
                spans: 0,
            },
            &append,
        );
        append.all_sent();
        let outcome = receiver.recv_timeout(WAIT);
        outcome.unwrap_or_else(|_elapsed| {
            Err(Error::retryable("Kafka did not take a dead letter in time"))
        })
    }
}
