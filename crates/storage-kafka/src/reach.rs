//! How far a member has come in the partitions that it owns, and how far other groups have: asked of
//! Kafka at that moment, partition by partition, where figures of a whole group do not say enough.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};
use tracewell_storage::sampling::ledger::Reached;
use tracewell_storage::{Error, Reach};

use crate::errors::of_kafka;
use crate::log::KafkaLog;
use crate::member::committed_at;

const WAIT: Duration = Duration::from_secs(5);

/// A group whose member in this process is asked about, and groups that it waits for.
pub struct KafkaReach {
    log: Arc<KafkaLog>,
    group: String,
    awaited: Vec<BaseConsumer>,
}

impl std::fmt::Debug for KafkaReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaReach")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

impl KafkaReach {
    /// Nothing is asked yet. Clients that ask join no group.
    pub fn new(log: Arc<KafkaLog>, group: &str, awaited: &[&str]) -> Result<KafkaReach, Error> {
        let client = |group: &&str| {
            let config = log.shared.options.consumer(group);
            let created: Result<BaseConsumer, KafkaError> = config.create();
            created.map_err(|error| of_kafka("opening a client", &error))
        };
        Ok(KafkaReach {
            awaited: awaited.iter().map(client).collect::<Result<_, _>>()?,
            group: group.to_owned(),
            log,
        })
    }

    /// The offsets that come after what each awaited group has committed, the least of them.
    fn committed(&self, list: &TopicPartitionList) -> Result<Vec<u64>, Error> {
        let mut least = vec![u64::MAX; list.count()];
        for client in &self.awaited {
            let committed = client.committed_offsets(list.clone(), WAIT);
            let committed =
                committed.map_err(|error| of_kafka("asking what a group has committed", &error))?;
            for (least, element) in least.iter_mut().zip(committed.elements()) {
                let (offset, _spans) = committed_at(&element).unwrap_or_default();
                *least = offset.min(*least);
            }
        }
        Ok(least)
    }

    /// The offsets that come next.
    fn ends(&self, list: &TopicPartitionList) -> Result<Vec<u64>, Error> {
        let failed = |error| of_kafka("asking where the topic ends", &error);
        let Some(client) = self.awaited.first() else {
            return Ok(Vec::new());
        };
        let mut list = list.clone();
        list.set_all_offsets(Offset::End).map_err(failed)?;
        let ends = client.offsets_for_times(list, WAIT).map_err(failed)?;
        let end = |offset| match offset {
            Offset::Offset(offset) => u64::try_from(offset).unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        Ok(ends
            .elements()
            .iter()
            .map(|one| end(one.offset()))
            .collect())
    }
}

impl Reach for KafkaReach {
    fn partitions(&self) -> u64 {
        u64::from(self.log.partitions())
    }

    fn look(&self) -> Result<(Vec<Reached>, u64), Error> {
        let shared = &self.log.shared;
        let group = shared
            .groups()
            .get(&self.group)
            .cloned()
            .unwrap_or_default();
        let lost = group.counts.lost_records.load(Ordering::Relaxed);
        let Some(member) = group.member.upgrade() else {
            return Ok((Vec::new(), lost));
        };
        let owned: Vec<u32> = member.owned().partitions.keys().copied().collect();
        if owned.is_empty() {
            return Ok((Vec::new(), lost));
        }
        let list = member.list(owned);
        let (ends, committed) = (self.ends(&list)?, self.committed(&list)?);
        let elements = list.elements();
        let owned = member.owned();
        let reached = elements.iter().zip(ends.iter().zip(&committed));
        let reached = reached.filter_map(|(element, (&end, &committed))| {
            let number = element.partition() as u32;
            let partition = owned.partitions.get(&number)?;
            Some(Reached {
                partition: number,
                is_at_end: partition.next_offset.is_some_and(|next| next >= end),
                stored: partition.position_of(committed),
                end: partition.position_of(end),
            })
        });
        Ok((reached.collect(), lost))
    }
}
