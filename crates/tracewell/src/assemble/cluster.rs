//! External backends: which engine each role works with, opened and handed down as seams; and what
//! `schema` and `doctor` do about each engine.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use tracewell_model::Clock;
use tracewell_storage::{Error, Sink};
use tracewell_storage_kafka as kafka;
use tracewell_storage_kafka::{KafkaLog, REPUBLISH_GROUP, Republisher};
use tracewell_workers::{Options, Worker, aggregator, storage_writer};

use super::said;
use crate::config::{Config, KafkaConfig};
use crate::role::{Engine, Role};

/// The engines that this build speaks to.
const SPOKEN: &[Engine] = &[Engine::Kafka];

/// What the roles of this process work with.
pub(crate) struct Cluster {
    pub(crate) log: Arc<KafkaLog>,
    pub(crate) workers: Vec<Worker>,
}

impl Cluster {
    /// Opens what these roles need, or says what cannot be reached.
    pub(crate) fn open(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Cluster> {
        for (role, name, needs) in Role::TABLE {
            let unknown = needs.iter().find(|engine| !SPOKEN.contains(engine));
            if let Some(engine) = unknown.filter(|_| config.roles.contains(&role)) {
                bail!("role = {name}: this build does not speak to {engine:?}");
            }
        }
        // Figures of these are kept even where none of their members runs: a collector sees that
        // nobody stores what it takes in.
        let groups = [storage_writer::GROUP, aggregator::GROUP];
        let log = KafkaLog::open(kafka_options(&config.cluster.kafka), clock.clone(), &groups);
        let log = Arc::new(log.map_err(said)?);
        log.can_promise(config.ack).map_err(said)?;
        let workers = config
            .roles
            .iter()
            .filter_map(|role| worker(*role, config, &log, clock));
        let workers = workers.collect::<Result<_, _>>().map_err(said)?;
        log.keep_watch();
        Ok(Cluster { log, workers })
    }
}

/// A role's part in the log; none for a role that takes nothing from it.
fn worker(
    role: Role,
    config: &Config,
    log: &Arc<KafkaLog>,
    clock: &Arc<dyn Clock>,
) -> Option<Result<Worker, Error>> {
    let (group, sink): (&str, Box<dyn Sink>) = match role {
        Role::Collector if config.cluster.kafka.republish => {
            (REPUBLISH_GROUP, Box::new(Republisher::new(log.clone())))
        }
        Role::Collector | Role::StorageWriter | Role::Indexer | Role::Aggregator | Role::Query => {
            return None;
        }
    };
    let options = Options::default();
    Some(Worker::join(
        group,
        log.as_ref(),
        sink,
        clock.clone(),
        options,
    ))
}

/// What an engine turned out to be like.
pub(crate) struct Checkup {
    /// The engine and where it is.
    pub(crate) name: String,
    /// What was seen, if all is well; or why it cannot be seen.
    pub(crate) seen: Result<String, String>,
    /// What is not as it should be, each with what sets it right.
    pub(crate) findings: Vec<(String, String)>,
}

/// Makes what an engine has to have and has not; answers what was made.
pub(crate) fn make_schema(engine: Engine, config: &Config) -> anyhow::Result<Vec<String>> {
    match engine {
        Engine::Kafka => {
            let made = kafka::create(&kafka_options(&config.cluster.kafka)).map_err(said)?;
            Ok(made
                .into_iter()
                .map(|topic| format!("topic {topic}"))
                .collect())
        }
        Engine::Cassandra | Engine::OpenSearch | Engine::Redis => Ok(Vec::new()),
    }
}

/// Looks whether an engine is as the roles need it.
pub(crate) fn check(engine: Engine, config: &Config) -> Option<Checkup> {
    match engine {
        Engine::Kafka => Some(check_kafka(&config.cluster.kafka)),
        Engine::Cassandra | Engine::OpenSearch | Engine::Redis => None,
    }
}

fn check_kafka(config: &KafkaConfig) -> Checkup {
    let name = format!("Kafka at {}", config.brokers);
    match kafka::check(&kafka_options(config)) {
        Err(error) => Checkup {
            name,
            seen: Err(error.message),
            findings: Vec::new(),
        },
        Ok(checked) => Checkup {
            name,
            seen: Ok(format!(
                "topic {}: {} partitions, kept for {} s, acknowledged by {} replicas",
                config.topic,
                checked.partitions,
                checked.retention.as_secs(),
                checked.in_sync_replicas_min
            )),
            findings: checked
                .findings
                .into_iter()
                .map(|finding| (finding.problem, finding.fix))
                .collect(),
        },
    }
}

fn kafka_options(config: &KafkaConfig) -> kafka::Options {
    kafka::Options {
        brokers: config.brokers.clone(),
        topic: config.topic.clone(),
        partitions: config.partitions,
        replicas: config.replicas,
        in_sync_replicas_min: config.in_sync_replicas_min,
        retention: Duration::from_secs(config.retention_s),
        properties: config.properties.clone(),
        ..kafka::Options::default()
    }
}
