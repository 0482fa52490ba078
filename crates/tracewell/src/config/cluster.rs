//! Settings of the external engines: `[kafka] brokers = …` in the file is `kafka_brokers` elsewhere.
//! With brokers set, the log is Kafka and nothing is kept on this machine's disk.

use super::{Parser, Setting};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "kafka_brokers",
        default: "",
        meaning: "Kafka's brokers to begin with, `host:port,host:port`. Set, roles run apart, on external engines (a build with `--features cluster`).",
    },
    Setting {
        key: "kafka_topic",
        default: "spans",
        meaning: "The topic of the span log; consumer groups and dead letters are named after it. One tenant is one topic.",
    },
    Setting {
        key: "kafka_partitions",
        default: "12",
        meaning: "Partitions of a topic that is created: the most workers of one group that find work.",
    },
    Setting {
        key: "kafka_replicas",
        default: "3",
        meaning: "Replicas of a topic that is created.",
    },
    Setting {
        key: "kafka_in_sync_replicas_min",
        default: "2",
        meaning: "Replicas that must have a record before it is acknowledged; with fewer than 2, `durable` and `replicated` are refused.",
    },
    Setting {
        key: "kafka_retention_s",
        default: "3600",
        meaning: "How long the topic keeps records: a store may be down for so long without a loss.",
    },
    Setting {
        key: "kafka_properties",
        default: "",
        meaning: "More of librdkafka's settings, such as `security.protocol=sasl_ssl,sasl.mechanism=PLAIN`.",
    },
    Setting {
        key: "kafka_republish",
        default: "true",
        meaning: "Collectors publish again what others put into the topic; false spares them reading all of it where nobody else does.",
    },
    Setting {
        key: "cassandra_nodes",
        default: "",
        meaning: "Cassandra's (or ScyllaDB's) nodes to begin with, `host:port,host:port`.",
    },
    Setting {
        key: "opensearch_url",
        default: "",
        meaning: "OpenSearch or Elasticsearch, such as `http://host:9200`.",
    },
    Setting {
        key: "redis_url",
        default: "",
        meaning: "Redis, such as `redis://host:6379`.",
    },
];

/// Where the external engines are.
#[derive(Clone, Debug)]
pub(crate) struct ClusterConfig {
    pub(crate) kafka: KafkaConfig,
    pub(crate) cassandra_nodes: Vec<String>,
    pub(crate) opensearch_url: String,
    pub(crate) redis_url: String,
}

/// Where Kafka is and how the topic is to be.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // parsed and checked in every build
pub(crate) struct KafkaConfig {
    pub(crate) brokers: String,
    pub(crate) topic: String,
    pub(crate) partitions: u16,
    pub(crate) replicas: u16,
    pub(crate) in_sync_replicas_min: u16,
    pub(crate) retention_s: u64,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) republish: bool,
}

impl ClusterConfig {
    pub(super) fn parse(parser: &mut Parser<'_>) -> ClusterConfig {
        ClusterConfig {
            kafka: KafkaConfig {
                brokers: parser.get("kafka_brokers", "host:port,host:port", text),
                topic: parser.get(
                    "kafka_topic",
                    "letters, digits, `.`, `_` and `-`, 200 at most",
                    topic,
                ),
                partitions: parser
                    .get("kafka_partitions", "1 to 10000", |text| count(text, 10_000)),
                replicas: parser.get("kafka_replicas", "1 to 100", |text| count(text, 100)),
                in_sync_replicas_min: parser.get(
                    "kafka_in_sync_replicas_min",
                    "1 to 100",
                    |text| count(text, 100),
                ),
                retention_s: parser.seconds("kafka_retention_s"),
                properties: parser.get("kafka_properties", "key=value,key=value", properties),
                republish: parser.get("kafka_republish", "true or false", |text| text.parse().ok()),
            },
            cassandra_nodes: parser.get("cassandra_nodes", "host:port,host:port", |text| {
                Some(list(text))
            }),
            opensearch_url: parser.get("opensearch_url", "a URL", text),
            redis_url: parser.get("redis_url", "a URL", text),
        }
    }

    /// Whether the log and the stores are external engines.
    pub(crate) fn is_set(&self) -> bool {
        !self.kafka.brokers.is_empty()
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.trim().to_owned())
}

fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn count(text: &str, most: u16) -> Option<u16> {
    text.parse().ok().filter(|count| (1..=most).contains(count))
}

/// Kafka takes 249 characters; the names of groups and dead letters are longer.
fn topic(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let sound = (1..=200).contains(&text.len()) && text.chars().all(fits);
    sound.then(|| text.to_owned())
}

fn properties(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |part: String| {
        let (key, value) = part.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    list(text).into_iter().map(pair).collect()
}
