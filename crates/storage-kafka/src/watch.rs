//! The log's figures, asked of Kafka: what it holds, how far each group is behind, and how long until
//! a group that stands still loses spans to retention (Q16, P13). A group is looked at as a whole,
//! whoever its members are, so that a group without any is seen, too.
//!
//! Kafka counts records. Spans not yet delivered are reckoned from the mean of those that were; at a
//! quiet moment, when nothing is behind, all figures of spans are exact: each commit carries their sum.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracewell_storage::{Error, GroupStatus, LogStatus};

use crate::errors::of_kafka;
use crate::log::{Group, Shared};
use crate::member::committed_at;
use crate::record::Envelope;
use crate::republish;

const WAIT: Duration = Duration::from_secs(5);
/// How long a look at the oldest records of a group may take.
const PEEK_WAIT: Duration = Duration::from_secs(2);
/// An age is known to so much: to look at a record anew each time would cost its bytes.
const PEEK_EVERY_NS: u64 = 10_000_000_000;
/// Half of an outage's budget: time to act (Q16).
const ALARM_SHARE: u32 = 2;

/// Makes the figures.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Looks at the topic.
    topic: Option<BaseConsumer<Quiet>>,
    /// Asks what a group has committed; members of none.
    groups: BTreeMap<String, BaseConsumer<Quiet>>,
    /// When the record arrived that a group is to get next, by group and partition.
    peeked: HashMap<(String, u32), Peek>,
}

#[derive(Clone, Copy)]
struct Peek {
    offset: u64,
    arrived_unix_ns: u64,
    at_monotonic_ns: u64,
}

/// A partition: the first offset that Kafka has, and the next it will give.
#[derive(Clone, Copy, Default)]
struct Held {
    low: u64,
    end: u64,
}

/// How far a group is in one partition.
#[derive(Clone, Copy, Default)]
struct Progress {
    next: u64,
    spans: u64,
    uncommitted_records: u64,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>) -> Watch {
        Watch {
            shared,
            topic: None,
            groups: BTreeMap::new(),
            peeked: HashMap::new(),
        }
    }

    /// The figures of this moment.
    pub(crate) fn look(&mut self) -> Result<LogStatus, Error> {
        let shared = Arc::clone(&self.shared);
        let partitions = shared.producer.partitions(&shared.options.topic, WAIT)?;
        shared
            .topic
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .partitions = partitions;
        let held = self.held(partitions)?;
        let groups: Vec<(String, Group)> = shared
            .groups()
            .iter()
            .map(|(name, group)| (name.clone(), group.clone()))
            .collect();
        let taken = &shared.producer.taken;
        let mut status = LogStatus {
            accepted_spans: taken.spans.load(Ordering::Relaxed),
            records: held.iter().map(|held| held.end - held.low).sum(),
            ..LogStatus::default()
        };
        for (name, group) in &groups {
            let (figures, accepted_spans) = self.group(name, group, &held)?;
            if name != republish::GROUP {
                status.accepted_spans = status.accepted_spans.max(accepted_spans);
            }
            status.damaged_records += group.counts.damaged_records.load(Ordering::Relaxed);
            status.damaged_spans += group.counts.damaged_spans.load(Ordering::Relaxed);
            status.problems.extend(self.complaints(&figures));
            status.groups.push(figures);
        }
        status.problems.extend(
            shared
                .topic()
                .findings
                .iter()
                .map(|finding| finding.problem.clone()),
        );
        let dead_letters = self.dead_letters()?;
        if dead_letters > 0 {
            let topic = &shared.producer.dead_letter_topic;
            status.problems.push(format!(
                "the topic {topic} holds {dead_letters} records that a group could not use"
            ));
        }
        let lost_spans = taken.lost_spans.load(Ordering::Relaxed);
        if lost_spans > 0 {
            status.problems.push(format!(
                "{lost_spans} spans that were answered at the level received never reached Kafka"
            ));
        }
        Ok(status)
    }

    /// A group's figures, and the spans that the log took in as far as it can tell.
    fn group(
        &mut self,
        name: &str,
        group: &Group,
        held: &[Held],
    ) -> Result<(GroupStatus, u64), Error> {
        let progress = self.progress(name, group, held)?;
        let mut figures = GroupStatus {
            group: name.to_owned(),
            lost_records: group.counts.lost_records.load(Ordering::Relaxed),
            dead_lettered_spans: group.counts.dead_lettered_spans(),
            ..GroupStatus::default()
        };
        let (mut spans, mut records, mut behind) = (0, 0, Vec::new());
        for (number, (progress, held)) in progress.iter().zip(held).enumerate() {
            let next = progress.next.max(held.low);
            figures.lost_records += next - progress.next;
            figures.lag_records += held.end.saturating_sub(next);
            figures.uncommitted_records += progress.uncommitted_records;
            spans += progress.spans;
            records += if progress.spans > 0 { progress.next } else { 0 };
            if held.end > next {
                behind.push((number as u32, next));
            }
        }
        let taken = &self.shared.producer.taken;
        let mean_spans = spans + taken.spans.load(Ordering::Relaxed);
        let mean_records = records + taken.records.load(Ordering::Relaxed);
        figures.lag_spans = match figures.lag_records {
            0 => 0,
            lag => (lag * mean_spans).div_ceil(mean_records.max(1)).max(lag),
        };
        figures.lag_ns = self.age(name, &behind)?;
        let kept_ns = self.shared.topic().retention.as_nanos();
        figures.time_to_loss_ns = u64::try_from(kept_ns)
            .ok()
            .map(|kept| kept.saturating_sub(figures.lag_ns));
        figures.taken_spans = spans;
        let accepted_spans = spans + figures.lag_spans;
        Ok((figures, accepted_spans))
    }

    /// How far the group is: by our own member where it owns the partition, else by its commit.
    fn progress(
        &mut self,
        name: &str,
        group: &Group,
        held: &[Held],
    ) -> Result<Vec<Progress>, Error> {
        let list = self.list(held.len());
        let asker = match self.groups.get(name) {
            Some(asker) => asker,
            None => {
                let asker = asker(&self.shared, name)?;
                self.groups.entry(name.to_owned()).or_insert(asker)
            }
        };
        let committed = asker.committed_offsets(list, WAIT);
        let committed =
            committed.map_err(|error| of_kafka("asking what a group has committed", &error))?;
        let mut progress: Vec<Progress> = committed
            .elements()
            .iter()
            .zip(held)
            .map(|(element, held)| {
                // A group that has committed nothing begins with what there is.
                let (next, spans) = committed_at(element).unwrap_or((held.low, 0));
                Progress {
                    next,
                    spans,
                    uncommitted_records: 0,
                }
            })
            .collect();
        let Some(member) = group.member.upgrade() else {
            return Ok(progress);
        };
        for (number, partition) in &member.owned().partitions {
            let Some(progress) = progress.get_mut(*number as usize) else {
                continue;
            };
            progress.next = partition.next_offset.unwrap_or(progress.next);
            progress.spans = partition.spans;
            progress.uncommitted_records = partition.uncommitted_records();
        }
        Ok(progress)
    }

    /// Age of the oldest record that the group is still to get.
    fn age(&mut self, name: &str, behind: &[(u32, u64)]) -> Result<u64, Error> {
        let now_monotonic_ns = self.shared.clock.monotonic_ns();
        let key = |number: u32| (name.to_owned(), number);
        let fresh = |peek: &Peek, offset: u64| {
            peek.offset == offset
                || (peek.offset < offset
                    && now_monotonic_ns.saturating_sub(peek.at_monotonic_ns) < PEEK_EVERY_NS)
        };
        self.peeked
            .retain(|(group, number), _| group != name || behind.iter().any(|(n, _)| n == number));
        let unseen: Vec<(u32, u64)> = behind
            .iter()
            .filter(|(number, offset)| {
                !self
                    .peeked
                    .get(&key(*number))
                    .is_some_and(|peek| fresh(peek, *offset))
            })
            .copied()
            .collect();
        if !unseen.is_empty() {
            for (number, offset, arrived_unix_ns) in self.peek(&unseen)? {
                let peek = Peek {
                    offset,
                    arrived_unix_ns,
                    at_monotonic_ns: now_monotonic_ns,
                };
                self.peeked.insert(key(number), peek);
            }
        }
        let now = self.shared.clock.unix_ns();
        let ages = behind
            .iter()
            .filter_map(|(number, _)| self.peeked.get(&key(*number)));
        Ok(ages
            .map(|peek| now.saturating_sub(peek.arrived_unix_ns))
            .max()
            .unwrap_or(0))
    }

    /// When the records at these offsets arrived.
    fn peek(&mut self, at: &[(u32, u64)]) -> Result<Vec<(u32, u64, u64)>, Error> {
        let failed = |error| of_kafka("looking at the oldest records", &error);
        let topic = self.shared.options.topic.clone();
        let mut list = TopicPartitionList::new();
        for (number, offset) in at {
            let placed =
                list.add_partition_offset(&topic, *number as i32, Offset::Offset(*offset as i64));
            placed.map_err(failed)?;
        }
        let looker = self.topic()?;
        looker.assign(&list).map_err(failed)?;
        let mut seen: Vec<(u32, u64, u64)> = Vec::new();
        // The clock that ages are told by may stand still in a test: polls are counted instead.
        for _ in 0..PEEK_WAIT.as_millis() / 100 {
            let Some(Ok(message)) = looker.poll(Duration::from_millis(100)) else {
                continue;
            };
            let (number, offset) = (message.partition() as u32, message.offset() as u64);
            if !seen.iter().any(|(known, ..)| *known == number) {
                seen.push((
                    number,
                    offset,
                    Envelope::of(&message).arrived_unix_ns(&message),
                ));
            }
            if seen.len() == at.len() {
                break;
            }
        }
        looker.unassign().map_err(failed)?;
        Ok(seen)
    }

    /// Records in the topic of dead letters, whoever put them there.
    fn dead_letters(&mut self) -> Result<u64, Error> {
        let topic = self.shared.producer.dead_letter_topic.clone();
        let held = self.topic()?.fetch_watermarks(&topic, 0, WAIT);
        let (low, end) = held.map_err(|error| of_kafka("counting dead letters", &error))?;
        Ok(u64::try_from(end - low).unwrap_or(0))
    }

    /// What the topic holds.
    fn held(&mut self, partitions: u16) -> Result<Vec<Held>, Error> {
        let mut held = vec![Held::default(); usize::from(partitions)];
        for place in [Offset::Beginning, Offset::End] {
            let mut list = self.list(held.len());
            let failed = |error| of_kafka("asking what the topic holds", &error);
            list.set_all_offsets(place).map_err(failed)?;
            let found = self
                .topic()?
                .offsets_for_times(list, WAIT)
                .map_err(failed)?;
            for element in found.elements() {
                let Some(held) = held.get_mut(element.partition() as usize) else {
                    continue;
                };
                let Offset::Offset(offset) = element.offset() else {
                    continue;
                };
                match place {
                    Offset::Beginning => held.low = offset as u64,
                    _ => held.end = offset as u64,
                }
            }
        }
        Ok(held)
    }

    fn topic(&mut self) -> Result<&BaseConsumer<Quiet>, Error> {
        let looker = match self.topic.take() {
            Some(looker) => looker,
            None => asker(&self.shared, "watch")?,
        };
        Ok(self.topic.insert(looker))
    }

    fn list(&self, partitions: usize) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for number in 0..partitions {
            list.add_partition(&self.shared.options.topic, number as i32);
        }
        list
    }

    /// What an operator should look at.
    fn complaints(&self, group: &GroupStatus) -> Vec<String> {
        let mut complaints = Vec::new();
        let name = &group.group;
        if group.lost_records > 0 {
            complaints.push(format!(
                "the {name} group lost {} records: Kafka's retention passed before it came to them",
                group.lost_records
            ));
        }
        let kept = self.shared.topic().retention;
        let left = group.time_to_loss_ns.map(Duration::from_nanos);
        if let Some(left) = left.filter(|left| group.lag_records > 0 && *left < kept / ALARM_SHARE)
        {
            complaints.push(format!(
                "the {name} group is {} records behind and loses spans in {} s: Kafka keeps them for {} s",
                group.lag_records,
                left.as_secs(),
                kept.as_secs()
            ));
        }
        complaints
    }
}

/// Each question answers its own errors; librdkafka need not say them again.
struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "looking at Kafka");
    }
}

impl ConsumerContext for Quiet {}

/// A consumer that joins no group: it asks, and looks at single records.
fn asker(shared: &Shared, group: &str) -> Result<BaseConsumer<Quiet>, Error> {
    let mut config = shared.options.consumer(group);
    config
        .set("fetch.message.max.bytes", "1")
        .set("queued.min.messages", "1");
    config
        .create_with_context(Quiet)
        .map_err(|error| of_kafka("opening a client", &error))
}
