//! A member's side of its group's rebalances: where delivery of a partition starts, and that it is
//! given up only when what was delivered is committed. Called by librdkafka from within `poll`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use tracewell_storage::Position;

use crate::log::Counts;
use crate::partition::Partition;

/// How long the group's coordinator may take to say what is committed.
const COMMITTED_WAIT: Duration = Duration::from_secs(10);

/// One member of a group.
pub(crate) struct Member {
    topic: String,
    /// What the sink says it has: read when a partition comes.
    durable: Vec<Position>,
    /// True while the consumer is dropped: nobody will poll again.
    closing: AtomicBool,
    state: Mutex<Owned>,
    pub(crate) counts: Arc<Counts>,
}

/// What it owns.
#[derive(Default)]
pub(crate) struct Owned {
    pub(crate) partitions: BTreeMap<u32, Partition>,
    /// Those it owned once.
    lost: BTreeMap<u32, Partition>,
    /// Partitions that another member is to have, as soon as we are done with them.
    pub(crate) leaving: Vec<u32>,
}

impl Member {
    pub(crate) fn new(topic: &str, durable: &[Position], counts: Arc<Counts>) -> Member {
        Member {
            topic: topic.to_owned(),
            durable: durable.to_vec(),
            closing: AtomicBool::new(false),
            state: Mutex::default(),
            counts,
        }
    }

    pub(crate) fn owned(&self) -> MutexGuard<'_, Owned> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on partitions are given up at once.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// A list of these partitions.
    pub(crate) fn list(&self, partitions: impl IntoIterator<Item = u32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition as i32);
        }
        list
    }

    /// Gives these partitions up.
    pub(crate) fn give_up(&self, consumer: &BaseConsumer<Member>, partitions: &[u32]) {
        let mut owned = self.owned();
        owned.leaving.clear();
        for number in partitions {
            if let Some(partition) = owned.partitions.remove(number) {
                owned.lost.insert(*number, partition);
            }
        }
        drop(owned);
        let list = self.list(partitions.iter().copied());
        told("giving partitions up", consumer.incremental_unassign(&list));
    }

    fn take(&self, consumer: &BaseConsumer<Member>, list: &TopicPartitionList) {
        let partitions: Vec<u32> = numbers(list);
        let asked = self.list(partitions.iter().copied());
        let mut starts = self.list(partitions.iter().copied());
        match consumer.committed_offsets(asked, COMMITTED_WAIT) {
            Ok(committed) => {
                let mut begun = TopicPartitionList::new();
                for element in committed.elements() {
                    let number = element.partition() as u32;
                    let mut partition = self.place(consumer, number, committed_at(&element));
                    if element.offset() == Offset::Invalid && partition.next_offset.is_none() {
                        partition.next_offset = self.begin(consumer, number, &mut begun);
                    }
                    let start = match partition.next_offset {
                        Some(offset) => Offset::Offset(offset as i64),
                        None => Offset::Beginning,
                    };
                    told(
                        "placing a partition",
                        starts.set_partition_offset(&self.topic, element.partition(), start),
                    );
                    self.owned().partitions.insert(number, partition);
                }
                if begun.count() > 0 {
                    told("beginning", consumer.commit(&begun, CommitMode::Async));
                }
            }
            // librdkafka asks again, for as long as it takes.
            Err(error) => {
                tracing::warn!(%error, "Kafka does not say what the group has committed");
                told("placing partitions", starts.set_all_offsets(Offset::Stored));
            }
        }
        told("taking partitions", consumer.incremental_assign(&starts));
    }

    /// Where a group begins that has committed nothing: it commits that, so that what expires from
    /// there on without having come to it is known to be lost (P13).
    fn begin(
        &self,
        consumer: &BaseConsumer<Member>,
        number: u32,
        begun: &mut TopicPartitionList,
    ) -> Option<u64> {
        let held = consumer.fetch_watermarks(&self.topic, number as i32, COMMITTED_WAIT);
        let (low, _end) = held.ok()?;
        let mut element = begun.add_partition(&self.topic, number as i32);
        element.set_offset(Offset::Offset(low)).ok()?;
        element.set_metadata(commit_metadata(0));
        u64::try_from(low).ok()
    }

    /// A topic that is made anew, and at once reaches as far as the old one did, looks like the old one to whoever
    /// waits at its end. But what a group committed goes with its topic: where that is gone, delivery begins anew.
    pub(crate) fn notice_renewal(&self, consumer: &BaseConsumer<Member>) {
        let known: Vec<u32> = {
            let owned = self.owned();
            let known = owned
                .partitions
                .iter()
                .filter(|(_, one)| one.has_committed());
            known.map(|(number, _)| *number).collect()
        };
        if known.is_empty() {
            return;
        }
        let committed = consumer.committed_offsets(self.list(known), COMMITTED_WAIT);
        let Ok(committed) = committed else {
            return; // it is asked again
        };
        let mut begun = TopicPartitionList::new();
        for element in committed.elements() {
            let number = element.partition() as u32;
            if element.offset() != Offset::Invalid {
                continue;
            }
            let Some(low) = self.begin(consumer, number, &mut begun) else {
                continue;
            };
            tracing::warn!(
                topic = self.topic,
                number,
                "the topic was made anew: it is read from its beginning"
            );
            if let Some(partition) = self.owned().partitions.get_mut(&number) {
                partition.begin_anew(low);
            }
            let start = Offset::Offset(low as i64);
            let sought = consumer.seek(&self.topic, number as i32, start, COMMITTED_WAIT);
            told("going to the beginning", sought);
        }
        if begun.count() > 0 {
            told("beginning", consumer.commit(&begun, CommitMode::Async));
        }
    }

    /// A partition that comes: delivery goes on after the latest of what the group committed, what
    /// the sink says it has, and what it was given before the partition was lost, in an outage of Kafka
    /// say: this process still has it. A place that Kafka has not reached is in a topic that was made
    /// anew since, and says nothing; so do all where nothing is committed, for a group commits where it
    /// begins, and what it committed goes with the topic.
    fn place(
        &self,
        consumer: &BaseConsumer<Member>,
        number: u32,
        committed: Option<(u64, u64)>,
    ) -> Partition {
        let lost = self.owned().lost.remove(&number);
        let of = |position: &&Position| position.partition == number;
        let durable = self.durable.iter().filter(of);
        let durable = durable.map(|position| position.offset).max().unwrap_or(0);
        if lost.is_none() && durable == 0 {
            return Partition::starting(committed, 0);
        }
        let held = consumer.fetch_watermarks(&self.topic, number as i32, COMMITTED_WAIT);
        let end = held.map_or(u64::MAX, |(_low, end)| u64::try_from(end).unwrap_or(0));
        let is_anew = committed.is_none() || durable > end;
        let durable = if is_anew { 0 } else { durable };
        let lost = lost.and_then(|lost| lost.going_on(committed.map(|(offset, _)| offset), end));
        lost.unwrap_or_else(|| Partition::starting(committed, durable))
    }

    /// Whether something delivered from these partitions is not committed.
    fn owes(&self, partitions: &[u32]) -> bool {
        let owned = self.owned();
        let owes = |number| {
            owned
                .partitions
                .get(number)
                .is_some_and(|p: &Partition| p.uncommitted_records() > 0)
        };
        partitions.iter().any(owes)
    }
}

impl ClientContext for Member {
    fn error(&self, error: KafkaError, reason: &str) {
        // Polls answer it, too, and the worker says it once.
        tracing::debug!(%error, reason, "Kafka consumer");
    }
}

impl ConsumerContext for Member {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Member>,
        what: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let partitions = numbers(list);
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                tracing::info!(?partitions, "partitions come");
                self.take(consumer, list);
            }
            // The worker is asked to commit first, unless it cannot any more.
            _ if self.owes(&partitions)
                && !self.closing.load(Ordering::Relaxed)
                && !consumer.assignment_lost() =>
            {
                tracing::info!(?partitions, "partitions are to go");
                self.owned().leaving = partitions;
            }
            _ => {
                tracing::info!(?partitions, "partitions go");
                self.give_up(consumer, &partitions);
            }
        }
    }
}

/// The offset that a group goes on from, with the spans before it.
pub(crate) fn committed_at(
    element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>,
) -> Option<(u64, u64)> {
    let Offset::Offset(offset) = element.offset() else {
        return None;
    };
    let spans = element
        .metadata()
        .strip_prefix(SPANS)
        .and_then(|spans| spans.parse().ok());
    Some((u64::try_from(offset).ok()?, spans.unwrap_or(0)))
}

/// What a commit says beside its offset: the spans before it (D9).
pub(crate) fn commit_metadata(spans: u64) -> String {
    format!("{SPANS}{spans}")
}

const SPANS: &str = "spans=";

fn numbers(list: &TopicPartitionList) -> Vec<u32> {
    list.elements()
        .iter()
        .map(|element| element.partition() as u32)
        .collect()
}

/// What librdkafka refuses here it says again to the next poll.
fn told(doing: &str, outcome: KafkaResult<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, doing, "rebalance");
    }
}
