//! The sampler on external backends: decisions and what is kept in Cassandra, erasing in OpenSearch and
//! Cassandra, flags of failed traces in Redis, how far all are in Kafka.

use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_storage::{Error, Ledger, SamplingReader, SpanScanner, StatsReader};
use tracewell_storage_cassandra::{Cassandra, CassandraEraser, CassandraLedger};
use tracewell_storage_kafka::{KafkaLog, KafkaReach};
use tracewell_storage_opensearch::OpenSearchEraser;
use tracewell_storage_redis::{ErrorFlags, Redis, RedisReader};
use tracewell_workers::sampler::policy::Policy;
use tracewell_workers::sampler::{GROUP, Parts, SharedSampling, StreamSampler};
use tracewell_workers::{Opening, Options, Worker, indexer, storage_writer};

use super::cluster::{FLAGS_KEPT_S, Sinks};
use super::engines::{cassandra_settings, opensearch_settings, redis_settings};
use super::late::Late;
use crate::config::Config;

/// A member of the samplers' group, once its engines are there.
pub(super) fn worker(
    config: &Config,
    log: &Arc<KafkaLog>,
    clock: &Arc<dyn Clock>,
    sinks: &Sinks,
) -> Result<Opening, Error> {
    let policy = Policy {
        judges: u64::from(log.partitions()),
        ..config.sampling.policy.clone()
    };
    let cassandra = cassandra_settings(config);
    let index: Arc<OpenSearchEraser> =
        Arc::new(OpenSearchEraser::new(opensearch_settings(config))?);
    let redis = Redis::new(redis_settings(config), clock.clone())?;
    // The rest is for records on their way, and for what tables take beside what is in them.
    let bytes_max = config.memory_bytes_max / 3;
    let (log, clock, sinks) = (log.clone(), clock.clone(), sinks.clone());
    let open = move || {
        let cassandra = Cassandra::connect(cassandra.clone())?;
        let ledger = CassandraLedger::open(cassandra.clone(), remember_s(&policy))?;
        let awaited = [storage_writer::GROUP, indexer::GROUP];
        let sampler = StreamSampler::new(Parts {
            policy: policy.clone(),
            ledger: Arc::new(ledger),
            erasers: vec![index.clone(), Arc::new(CassandraEraser::open(cassandra)?)],
            reach: Arc::new(KafkaReach::new(log.clone(), GROUP, &awaited)?),
            known_errors: Arc::new(ErrorFlags::new(redis.clone(), FLAGS_KEPT_S)),
            stats: Arc::new(RedisReader::new(redis.clone())),
            clock: clock.clone(),
            bytes_max,
        });
        let (member, sink) = (sampler.member(), Box::new(sampler));
        let worker = Worker::join(GROUP, &*log, sink, clock.clone(), Options::default())?;
        sinks.sampler.get_or_init(|| member);
        Ok(worker)
    };
    Ok(Opening::new(GROUP, open))
}

/// What is known of all samplers; what would be decided even where there is none.
pub(super) fn reader(
    config: &Config,
    scanner: Arc<dyn SpanScanner>,
    stats: Arc<dyn StatsReader>,
    clock: &Arc<dyn Clock>,
) -> Arc<dyn SamplingReader> {
    let policy = config.sampling.policy.clone();
    let (cassandra, remember_s) = (cassandra_settings(config), remember_s(&policy));
    let ledger = config.sampling.is_enabled.then(|| {
        let open =
            move || CassandraLedger::open(Cassandra::connect(cassandra.clone())?, remember_s);
        Arc::new(Late::new(clock.clone(), open)) as Arc<dyn Ledger>
    });
    let clock = clock.clone();
    Arc::new(SharedSampling::new(policy, ledger, scanner, stats, clock))
}

fn remember_s(policy: &Policy) -> u64 {
    policy.remember_ns() / 1_000_000_000
}
