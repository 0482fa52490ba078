//! The external engines one by one: what the settings say of each in its own crate's words, what
//! `schema` makes in it, and what `doctor` sees of it.

use std::time::Duration;

use tracewell_model::clock::SystemClock;
use tracewell_storage::{Checkup, Error};
use tracewell_storage_cassandra as cassandra;
use tracewell_storage_cassandra::Cassandra;
use tracewell_storage_kafka as kafka;
use tracewell_storage_opensearch as opensearch;
use tracewell_storage_redis as redis;
use tracewell_storage_redis::Redis;

use crate::config::{Config, KafkaConfig};
use crate::role::Engine;

/// Cassandra's own bound, twenty years.
const KEPT_S_MAX: u64 = 630_720_000;
const DAY_S: u64 = 86_400;

pub(crate) fn kafka_options(config: &KafkaConfig) -> kafka::Options {
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

pub(crate) fn cassandra_settings(config: &Config) -> cassandra::Settings {
    let of = &config.cluster.cassandra;
    cassandra::Settings {
        nodes: of.nodes.clone(),
        credentials: of.credentials.pair(),
        datacenter: of.datacenter.clone(),
        keyspace: of.keyspace.clone(),
        replicas: u32::from(of.replicas),
        kept_s: config.retention_s.min(KEPT_S_MAX) as u32,
        ..cassandra::Settings::default()
    }
}

pub(crate) fn opensearch_settings(config: &Config) -> opensearch::Settings {
    let of = &config.cluster.opensearch;
    let kept_days = config.search_retention_s.div_ceil(DAY_S);
    opensearch::Settings {
        url: of.url.clone(),
        credentials: of.credentials.pair(),
        prefix: of.prefix.clone(),
        kept_days: u32::try_from(kept_days).unwrap_or(u32::MAX),
        shards: u32::from(of.shards),
        replicas: u32::from(of.replicas),
        attributes: match of.attributes.as_slice() {
            [all] if all == "all" => opensearch::Attributes::All,
            listed => opensearch::Attributes::Listed(listed.to_vec()),
        },
        ..opensearch::Settings::default()
    }
}

pub(crate) fn redis_settings(config: &Config) -> redis::Settings {
    redis::Settings {
        url: config.cluster.redis.url.clone(),
        prefix: config.cluster.redis.prefix.clone(),
        log: config.cluster.kafka.topic.clone(),
    }
}

/// Where an engine is, for people.
pub(crate) fn place(engine: Engine, config: &Config) -> String {
    let cluster = &config.cluster;
    match engine {
        Engine::Kafka => format!("Kafka at {}", cluster.kafka.brokers),
        Engine::Cassandra => format!("Cassandra at {}", cluster.cassandra.nodes.join(",")),
        Engine::OpenSearch => format!("OpenSearch at {}", cluster.opensearch.url),
        // Its URL may hold a password.
        Engine::Redis => match Redis::new(redis_settings(config), std::sync::Arc::new(SystemClock))
        {
            Ok(redis) => format!("Redis at {}", redis.address()),
            Err(_) => "Redis".to_owned(),
        },
    }
}

/// Makes what an engine has to have and has not; answers what was made.
pub(crate) fn make_schema(engine: Engine, config: &Config) -> Result<Vec<String>, Error> {
    match engine {
        Engine::Kafka => {
            let made = kafka::create(&kafka_options(&config.cluster.kafka))?;
            Ok(made
                .into_iter()
                .map(|topic| format!("topic {topic}"))
                .collect())
        }
        Engine::Cassandra => {
            let settings = cassandra_settings(config);
            let keyspace = settings.keyspace.clone();
            let steps = cassandra::schema::migrate(&Cassandra::connect(settings)?)?;
            let made = (steps > 0).then(|| format!("{steps} step(s) of the keyspace {keyspace}"));
            Ok(made.into_iter().collect())
        }
        Engine::OpenSearch => {
            let settings = opensearch_settings(config);
            opensearch::migrate(&settings)?;
            Ok(vec![format!("the template {}", settings.prefix)])
        }
        // Keys are made as they are written.
        Engine::Redis => Ok(Vec::new()),
    }
}

/// Looks whether an engine is as the roles need it.
pub(crate) fn check(engine: Engine, config: &Config) -> Result<Checkup, Error> {
    match engine {
        Engine::Kafka => {
            let checked = kafka::check(&kafka_options(&config.cluster.kafka))?;
            Ok(Checkup {
                seen: format!(
                    "topic {}: {} partitions, kept for {} s, acknowledged by {} replicas",
                    config.cluster.kafka.topic,
                    checked.partitions,
                    checked.retention.as_secs(),
                    checked.in_sync_replicas_min
                ),
                findings: checked.findings,
            })
        }
        Engine::Cassandra => cassandra::check(&Cassandra::connect(cassandra_settings(config))?),
        Engine::OpenSearch => opensearch::check(&opensearch_settings(config)),
        Engine::Redis => redis::check(&Redis::new(
            redis_settings(config),
            std::sync::Arc::new(SystemClock),
        )?),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Layers;

    use super::*;

    #[test]
    fn unset_attributes_are_those_that_the_index_lists_by_itself() {
        let config = Layers::defaults().parse().unwrap();
        let defaults = opensearch::Settings::default();
        let settings = opensearch_settings(&config);
        assert_eq!(settings.attributes, defaults.attributes);
        assert_eq!(settings.kept_days, defaults.kept_days);
        assert_eq!(cassandra_settings(&config).kept_s, 30 * 86_400);
        let all = [("opensearch_attributes", Some("all".to_owned()))];
        let config = Layers::defaults().flags(all).parse().unwrap();
        assert_eq!(
            opensearch_settings(&config).attributes,
            opensearch::Attributes::All
        );
    }
}
