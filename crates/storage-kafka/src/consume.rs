//! A member of a consumer group: Kafka's messages become records, what cannot be read goes to the
//! dead letters, and commits follow the sink.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tracewell_model::BatchBuilder;
use tracewell_storage::{Consumer, Error, Position, Record};

use crate::dead_letter::{DeadLetter, GroupDeadLetters};
use crate::errors::of_kafka;
use crate::member::{Member, commit_metadata};
use crate::partition::Commit;
use crate::produce::Producer;
use crate::record::{self, Envelope};

/// How long a broker may take to say what it still has.
const WATERMARKS_WAIT: Duration = Duration::from_secs(5);

/// After so many polls that bring nothing, some seconds, a member looks whether its topic is still the same.
const IDLE_POLLS: u32 = 50;
/// And after so many that bring something.
const BUSY_POLLS: u32 = 1_000;

/// How often a commit is tried that a rebalance came in between of.
const COMMIT_TRIES_MAX: u32 = 5;

/// Which records a group gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    /// Those that Tracewell wrote.
    Ours,
    /// Those of others: they are published again, and reach everyone that way.
    Foreign,
}

/// A member of a group.
pub(crate) struct KafkaConsumer {
    consumer: BaseConsumer<Member>,
    reader: Reader,
    /// A message whose dead letter could not be written yet.
    held: Option<rdkafka::message::OwnedMessage>,
    /// Polls since it was looked whether the topic is the same.
    polls: u32,
}

/// Turns messages into records.
struct Reader {
    topic: String,
    group: String,
    wanted: Wanted,
    builder: BatchBuilder,
    producer: Arc<Producer>,
}

impl KafkaConsumer {
    pub(crate) fn join(
        config: &ClientConfig,
        member: Member,
        (topic, group): (&str, &str),
        wanted: Wanted,
        producer: Arc<Producer>,
    ) -> Result<KafkaConsumer, Error> {
        let failed = |error| of_kafka("joining a group", &error);
        let consumer: BaseConsumer<Member> = config.create_with_context(member).map_err(failed)?;
        consumer.subscribe(&[topic]).map_err(failed)?;
        let reader = Reader {
            topic: topic.to_owned(),
            group: group.to_owned(),
            wanted,
            builder: BatchBuilder::new(1),
            producer,
        };
        Ok(KafkaConsumer {
            consumer,
            reader,
            held: None,
            polls: 0,
        })
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        self.consumer.context()
    }

    /// Commits these, and notes that they are.
    fn commit_all(&self, commits: Vec<(u32, Commit)>, mode: CommitMode) -> Result<(), Error> {
        if commits.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::new();
        for (partition, commit) in &commits {
            let mut element = list.add_partition(&self.reader.topic, *partition as i32);
            let placed = element.set_offset(Offset::Offset(commit.offset as i64));
            placed.map_err(|error| of_kafka("committing", &error))?;
            element.set_metadata(commit_metadata(commit.spans));
        }
        let mut committed = self.consumer.commit(&list, mode);
        for _ in 1..COMMIT_TRIES_MAX {
            let Err(error) = &committed else { break };
            // The group moved on between question and answer: librdkafka knows the new generation.
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::IllegalGeneration) {
                break;
            }
            committed = self.consumer.commit(&list, mode);
        }
        committed.map_err(|error| of_kafka("committing", &error))?;
        let mut owned = self.member().owned();
        for (partition, commit) in &commits {
            if let Some(partition) = owned.partitions.get_mut(partition) {
                partition.committed(commit);
            }
        }
        Ok(())
    }

    /// Commits over records that the sink never gets, or they would be passed over again.
    fn commit_passed_over(&self) {
        let owned = self.member().owned();
        let commits = owned.partitions.iter();
        let commits = commits
            .filter_map(|(number, partition)| Some((*number, partition.commit_passed_over()?)));
        let commits = commits.collect();
        drop(owned);
        // Nothing is lost when it fails: the next poll says it again.
        if let Err(error) = self.commit_all(commits, CommitMode::Async) {
            tracing::debug!(%error, "committing over records of others");
        }
    }
}

impl Consumer for KafkaConsumer {
    fn poll(&mut self, spans_max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
        let leaving = std::mem::take(&mut self.member().owned().leaving);
        if !leaving.is_empty() {
            self.member().give_up(&self.consumer, &leaving);
        }
        let (mut records, mut spans, mut wait) = (Vec::new(), 0, wait);
        if let Some(held) = self.held.take() {
            match self.reader.read(&held, &self.consumer) {
                Ok(record) => records.extend(record),
                Err(error) => {
                    self.held = Some(held);
                    return Err(error);
                }
            }
        }
        let mut failure = None;
        while spans < spans_max && !self.leaving() {
            let Some(polled) = self.consumer.poll(wait) else {
                break;
            };
            wait = Duration::ZERO;
            let message = match polled {
                Ok(message) => message,
                // While brokers are away librdkafka queues an error a second and broker, and behind
                // them all what is to be done when they are back: none may cost its caller a wait.
                Err(error) => {
                    failure = Some(of_poll(&error));
                    continue;
                }
            };
            match self.reader.read(&message, &self.consumer) {
                Ok(record) => {
                    spans += record.as_ref().map_or(0, |record| record.batch.len());
                    records.extend(record);
                }
                Err(error) => {
                    self.held = Some(message.detach());
                    failure = Some(error);
                    break;
                }
            }
        }
        if let Some(failure) = failure.filter(|_| records.is_empty()) {
            return Err(failure);
        }
        self.commit_passed_over();
        self.polls += 1;
        let due = match records.is_empty() {
            true => IDLE_POLLS,
            false => BUSY_POLLS,
        };
        if self.polls >= due {
            self.polls = 0;
            self.member().notice_renewal(&self.consumer);
        }
        Ok(records)
    }

    fn commit(&mut self, positions: &[Position]) -> Result<(), Error> {
        let owned = self.member().owned();
        let commit = |position: &Position| {
            // Another member's by now: it says itself how far it is.
            let partition = owned.partitions.get(&position.partition)?;
            Some((position.partition, partition.commit_at(position.offset)?))
        };
        let commits = positions.iter().filter_map(commit).collect();
        drop(owned);
        self.commit_all(commits, CommitMode::Sync)
    }

    fn leaving(&self) -> bool {
        !self.member().owned().leaving.is_empty()
    }

    fn set_aside(&mut self, record: &Record, reason: &str) -> Result<(), Error> {
        let Position { partition, offset } = record.position;
        let at = Some((partition, offset.saturating_sub(1)));
        let dead_letters = GroupDeadLetters {
            producer: Arc::clone(&self.reader.producer),
            group: self.reader.group.clone(),
            counts: Arc::clone(&self.member().counts),
        };
        dead_letters.write(&record.batch, at, reason)
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        // librdkafka polls until all is given up: nobody is there any more to commit first.
        self.member().close();
        let leaving = std::mem::take(&mut self.member().owned().leaving);
        if !leaving.is_empty() {
            self.member().give_up(&self.consumer, &leaving);
        }
    }
}

impl Reader {
    /// The message's record; none if it is not for this group, or can never be read.
    fn read(
        &mut self,
        message: &impl Message,
        consumer: &BaseConsumer<Member>,
    ) -> Result<Option<Record>, Error> {
        let (number, offset) = (message.partition() as u32, message.offset() as u64);
        let envelope = Envelope::of(message);
        let (mut batch, mut spans) = (None, 0);
        if envelope.is_foreign() == (self.wanted == Wanted::Foreign) {
            let (readable, unusable) =
                record::decode(&envelope, message.payload(), &mut self.builder);
            if let Some(unusable) = unusable {
                self.producer.write_dead_letter(&DeadLetter {
                    group: &self.group,
                    reason: &unusable.reason,
                    at: Some((number, offset)),
                    key: message.key(),
                    value: message.payload(),
                })?;
                consumer.context().counts.note_damaged(unusable.spans);
                spans += unusable.spans;
            }
            spans += readable.as_ref().map_or(0, |batch| batch.len() as u64);
            batch = readable;
        }
        self.note_gap(number, offset, consumer);
        let mut owned = consumer.context().owned();
        let partition = owned.partitions.entry(number).or_default();
        let (position, renewed) = partition.place(offset);
        if renewed {
            let (topic, group) = (self.topic.as_str(), self.group.as_str());
            tracing::warn!(
                topic,
                group,
                number,
                "the topic was made anew: its offsets begin again"
            );
        }
        let arrived_unix_ns = partition.arrive(envelope.arrived_unix_ns(message));
        partition.pass(position, spans, batch.is_some());
        Ok(batch.map(|batch| Record {
            position: Position {
                partition: number,
                offset: position,
            },
            arrived_unix_ns,
            batch: Arc::new(batch),
        }))
    }

    /// Counts what Kafka forgot before it came (P13). Offsets may also have holes that nobody filled.
    fn note_gap(&self, number: u32, offset: u64, consumer: &BaseConsumer<Member>) {
        let expected = consumer
            .context()
            .owned()
            .partitions
            .get(&number)
            .and_then(|p| p.next_offset);
        let Some(expected) = expected.filter(|expected| offset > *expected) else {
            return;
        };
        let kept = consumer.fetch_watermarks(&self.topic, number as i32, WATERMARKS_WAIT);
        // If the broker does not say what it still has, all is held for lost.
        let low = kept.map_or(offset, |(low, _high)| (low.max(0) as u64).min(offset));
        let lost = low.saturating_sub(expected);
        if lost > 0 {
            consumer.context().counts.note_lost(lost);
            tracing::error!(
                group = self.group,
                number,
                lost,
                "records expired before the group came to them"
            );
        }
    }
}

fn of_poll(error: &KafkaError) -> Error {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::PollExceeded) => {
            of_kafka("the worker was silent for too long and joins again", error)
        }
        // Two words for one thing, which alternate while it lasts: told as one, it is said once.
        Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure) => {
            Error::retryable("Kafka: no broker can be reached")
        }
        _ => of_kafka("reading", error),
    }
}
