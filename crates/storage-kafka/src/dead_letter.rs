//! The topic of dead letters (P14): what no group can use, as it came, with the reason in headers, for
//! whoever looks after it. `kafka-console-consumer --property print.headers=true` shows them.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rdkafka::message::OwnedHeaders;
use tracewell_model::SpanBatch;
use tracewell_storage::{DeadLetters, Error};

use crate::log::Counts;
use crate::produce::{Append, Producer, Sending};
use crate::record::{self, header};

/// How long Kafka may take to have one; until then the group does not go on.
const WAIT: Duration = Duration::from_secs(30);

/// Spans that their group can never use.
pub(crate) struct DeadLetter<'a> {
    pub(crate) group: &'a str,
    pub(crate) reason: &'a str,
    /// Partition and Kafka's own offset, from 0, of the record they came in, where that is known.
    pub(crate) at: Option<(u32, u64)>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

impl Producer {
    /// Writes a dead letter and waits until Kafka has it: only then may the group go on.
    pub(crate) fn write_dead_letter(&self, letter: &DeadLetter<'_>) -> Result<(), Error> {
        let mut headers = OwnedHeaders::new()
            .insert(header("tracewell-reason", letter.reason))
            .insert(header("tracewell-group", letter.group));
        if let Some((partition, offset)) = letter.at {
            headers = headers
                .insert(header("tracewell-partition", &partition.to_string()))
                .insert(header("tracewell-offset", &offset.to_string()));
        }
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

/// Where a group's sink sets aside spans that its store refuses, one by one (P14).
pub(crate) struct GroupDeadLetters {
    pub(crate) producer: Arc<Producer>,
    pub(crate) group: String,
    pub(crate) counts: Arc<Counts>,
}

impl GroupDeadLetters {
    /// Writes these, of the record at this place, if it is known.
    pub(crate) fn write(
        &self,
        spans: &SpanBatch,
        at: Option<(u32, u64)>,
        reason: &str,
    ) -> Result<(), Error> {
        let mut encoded = Vec::new();
        record::encode(spans, 1, &mut encoded);
        for part in &encoded {
            self.producer.write_dead_letter(&DeadLetter {
                group: &self.group,
                reason,
                at,
                key: None,
                value: Some(&part.value),
            })?;
        }
        self.counts.note_dead_lettered(spans.len() as u64);
        Ok(())
    }
}

impl DeadLetters for GroupDeadLetters {
    fn set_aside(&self, spans: SpanBatch, reason: &str) -> Result<(), Error> {
        tracing::error!(
            group = self.group,
            spans = spans.len(),
            reason,
            "spans set aside"
        );
        self.write(&spans, None, reason)
    }
}
