//! External backends: which engine each role works with, handed down as seams. What is away when
//! the process starts is opened when it is there: it holds up its own role and no other (P15).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use tracewell_model::Clock;
use tracewell_query::Readers;
use tracewell_storage::indexed::Indexed;
use tracewell_storage::{Error, Refusals, SpanLog, SpanScanner, StatsReader};
use tracewell_storage_cassandra::{Cassandra, CassandraReader, CassandraSink};
use tracewell_storage_kafka::{KafkaLog, REPUBLISH_GROUP, Republisher};
use tracewell_storage_opensearch::{OpenSearchFinder, OpenSearchSink};
use tracewell_storage_redis::{ErrorFlags, Flagging, Redis, RedisReader, RedisWriter};
use tracewell_workers::{
    Aggregator, Opening, Options, SdkLosses, Worker, aggregator, indexer, sampler, storage_writer,
};

use super::engines::{cassandra_settings, kafka_options, opensearch_settings, redis_settings};
use super::late::Late;
use super::{said, sampled};
use crate::backlog::Behind;
use crate::config::Config;
use crate::role::Role;

/// The groups that keep spans, each in its engine. Figures of these are kept even where none of
/// their members runs: a collector sees that nobody stores what it takes in.
const GROUPS: [&str; 3] = [storage_writer::GROUP, indexer::GROUP, aggregator::GROUP];

/// A trace's error flag outlives what the log holds of it.
pub(super) const FLAGS_KEPT_S: u64 = 7_200;

/// What the roles of this process work with.
pub(crate) struct Cluster {
    pub(crate) log: Arc<KafkaLog>,
    pub(crate) workers: Vec<Opening>,
    pub(crate) readers: Option<Readers>,
    pub(crate) sinks: Sinks,
}

/// What the sinks of this process count, once they are open.
#[derive(Clone, Default)]
pub(crate) struct Sinks {
    pub(crate) cassandra_retries: Arc<OnceLock<Arc<AtomicU64>>>,
    pub(crate) figures: Arc<OnceLock<Arc<RedisWriter>>>,
    pub(crate) losses: SdkLosses,
    pub(crate) sampler: Arc<OnceLock<Arc<sampler::Member>>>,
}

impl Sinks {
    /// Name, meaning and number of each.
    pub(crate) fn counts(&self) -> Vec<(&'static str, &'static str, u64)> {
        let mut counts = Vec::new();
        if let Some(retries) = self.cassandra_retries.get() {
            counts.push((
                "tracewell_cassandra_retries",
                "Writes to Cassandra that were tried again",
                retries.load(Ordering::Relaxed),
            ));
        }
        if let Some(figures) = self.figures.get() {
            let counted = figures.counts();
            counts.push((
                "tracewell_stats_too_old_spans",
                "Spans that started too long ago to be in any figure",
                counted.too_old,
            ));
            counts.push((
                "tracewell_stats_future_spans",
                "Spans that start too far in the future to be in any figure",
                counted.future,
            ));
        }
        if let Some(sampler) = self.sampler.get() {
            counts.push((
                "tracewell_sampler_crowded_out_traces",
                "Traces that were kept because there was no room to wait for the rest of them",
                sampler.crowded_out(),
            ));
        }
        counts
    }

    /// What an operator should look at, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let figures = self.figures.get().map(|figures| figures.problems());
        let sampler = self.sampler.get().map(|sampler| sampler.problems());
        figures.into_iter().chain(sampler).flatten().collect()
    }
}

impl Cluster {
    /// Opens the log and prepares the rest, or says what is wrong with the settings.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Cluster> {
        let log = KafkaLog::open(kafka_options(&config.cluster.kafka), clock.clone(), &GROUPS);
        let log = Arc::new(log.map_err(said)?);
        log.can_promise(config.ack).map_err(said)?;
        let sinks = Sinks::default();
        let mut workers = Vec::new();
        for role in &config.roles {
            let worker = worker(*role, config, &log, clock, &sinks);
            workers.extend(worker.map_err(said)?);
        }
        let readers = config.roles.contains(&Role::Query);
        let readers = readers.then(|| readers_of(config, &log, clock));
        let readers = readers.transpose().map_err(said)?;
        log.keep_watch();
        Ok(Cluster {
            log,
            workers,
            readers,
            sinks,
        })
    }
}

/// A role's part in the log; none for a role that takes nothing from it.
fn worker(
    role: Role,
    config: &Config,
    log: &Arc<KafkaLog>,
    clock: &Arc<dyn Clock>,
    sinks: &Sinks,
) -> Result<Option<Opening>, Error> {
    let (log, clock, sinks) = (log.clone(), clock.clone(), sinks.clone());
    let options = Options::default;
    Ok(Some(match role {
        Role::Collector if config.cluster.kafka.republish => {
            Opening::new(REPUBLISH_GROUP, move || {
                let sink = Box::new(Republisher::new(log.clone()));
                Worker::join(REPUBLISH_GROUP, &*log, sink, clock.clone(), options())
            })
        }
        Role::StorageWriter => {
            let settings = cassandra_settings(config);
            let dead_letters = log.dead_letters(storage_writer::GROUP);
            Opening::new(storage_writer::GROUP, move || {
                let cassandra = Cassandra::connect(settings.clone())?;
                let sink = CassandraSink::open(cassandra, dead_letters.clone())?;
                sinks.cassandra_retries.get_or_init(|| sink.retries());
                storage_writer::start(&*log, Box::new(sink), clock.clone(), options())
            })
        }
        Role::Indexer => {
            let settings = opensearch_settings(config);
            let dead_letters = log.dead_letters(indexer::GROUP);
            // Nothing is sent yet: an error is one of the settings.
            drop(OpenSearchSink::new(settings.clone(), dead_letters.clone())?);
            Opening::new(indexer::GROUP, move || {
                let sink = OpenSearchSink::new(settings.clone(), dead_letters.clone())?;
                let sink = Box::new(sink);
                Worker::join(indexer::GROUP, &*log, sink, clock.clone(), options())
            })
        }
        Role::Aggregator => {
            let redis = Redis::new(redis_settings(config), clock.clone())?;
            Opening::new(aggregator::GROUP, move || {
                let writer = Arc::new(RedisWriter::open(redis.clone())?);
                sinks.figures.get_or_init(|| writer.clone());
                let sink = Flagging {
                    sink: Aggregator::noting(sinks.losses.clone(), writer),
                    flags: ErrorFlags::new(redis.clone(), FLAGS_KEPT_S),
                };
                let sink = Box::new(sink);
                Worker::join(aggregator::GROUP, &*log, sink, clock.clone(), options())
            })
        }
        Role::Sampler if config.sampling.is_enabled => {
            return sampled::worker(config, &log, &clock, &sinks).map(Some);
        }
        Role::Collector | Role::Sampler | Role::Query => return Ok(None),
    }))
}

/// By id and whole from Cassandra, search and names from OpenSearch, figures from Redis.
fn readers_of(
    config: &Config,
    log: &Arc<KafkaLog>,
    clock: &Arc<dyn Clock>,
) -> Result<Readers, Error> {
    let settings = cassandra_settings(config);
    let spans = Arc::new(Late::new(clock.clone(), move || {
        CassandraReader::open(Cassandra::connect(settings.clone())?)
    }));
    if let Err(error) = spans.try_open() {
        tracing::warn!(%error, "no traces by id for now");
    }
    let settings = opensearch_settings(config);
    let finder = Arc::new(Late::new(clock.clone(), move || {
        OpenSearchFinder::new(settings.clone())
    }));
    let indexed: Arc<dyn SpanScanner> = Arc::new(Indexed {
        finder: finder.clone(),
        store: spans.clone(),
    });
    let redis = Redis::new(redis_settings(config), clock.clone())?;
    let stats: Arc<dyn StatsReader> = Arc::new(RedisReader::new(redis));
    let sampling = sampled::reader(config, indexed.clone(), stats.clone(), clock);
    let log: Arc<dyn SpanLog> = log.clone();
    Ok(Readers {
        traces: Arc::new(Behind {
            reader: spans.clone(),
            log: log.clone(),
            group: storage_writer::GROUP,
        }),
        finder: Arc::new(Behind {
            reader: finder,
            log,
            group: indexer::GROUP,
        }),
        scanner: indexed,
        exporter: spans,
        stats,
        refusals: Refusals::default(),
        sampling: Some(sampling),
    })
}
