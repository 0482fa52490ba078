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
        key: "cassandra_keyspace",
        default: "tracewell",
        meaning: "The keyspace, made by `tracewell schema`. One tenant is one keyspace.",
    },
    Setting {
        key: "cassandra_replicas",
        default: "3",
        meaning: "Replicas of a keyspace that is made; a write is done when most of them have it.",
    },
    Setting {
        key: "cassandra_datacenter",
        default: "",
        meaning: "The datacenter to talk to; empty for any.",
    },
    Setting {
        key: "cassandra_user",
        default: "",
        meaning: "Cassandra's user, if it asks for one.",
    },
    Setting {
        key: "cassandra_password",
        default: "",
        meaning: "And the password.",
    },
    Setting {
        key: "opensearch_url",
        default: "",
        meaning: "OpenSearch or Elasticsearch, such as `http://host:9200`.",
    },
    Setting {
        key: "opensearch_prefix",
        default: "tracewell",
        meaning: "What the names of indices begin with, lower-case letters and digits. One tenant is one prefix.",
    },
    Setting {
        key: "opensearch_shards",
        default: "1",
        meaning: "Shards of each day's index.",
    },
    Setting {
        key: "opensearch_replicas",
        default: "1",
        meaning: "Copies of each shard beside the first.",
    },
    Setting {
        key: "opensearch_attributes",
        default: "http.method,http.request.method,http.route,http.status_code,http.response.status_code,rpc.*,db.system,db.system.name,user_id,request_id,exception.type",
        meaning: "Attributes by which spans are found: a list of keys, `x.*` for all that begin so, or `all`, which takes several times the room. Those of failed spans all are.",
    },
    Setting {
        key: "opensearch_user",
        default: "",
        meaning: "OpenSearch's user, if it asks for one.",
    },
    Setting {
        key: "opensearch_password",
        default: "",
        meaning: "And the password.",
    },
    Setting {
        key: "redis_url",
        default: "",
        meaning: "Redis, such as `redis://host:6379`.",
    },
    Setting {
        key: "redis_prefix",
        default: "",
        meaning: "What all keys in Redis begin with. One tenant is one prefix.",
    },
];

/// Where the external engines are.
#[derive(Clone, Debug)]
pub(crate) struct ClusterConfig {
    pub(crate) kafka: KafkaConfig,
    pub(crate) cassandra: CassandraConfig,
    pub(crate) opensearch: OpenSearchConfig,
    pub(crate) redis: RedisConfig,
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

/// Where Cassandra is and how the keyspace is to be.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // as above
pub(crate) struct CassandraConfig {
    pub(crate) nodes: Vec<String>,
    pub(crate) keyspace: String,
    pub(crate) replicas: u16,
    pub(crate) datacenter: Option<String>,
    pub(crate) credentials: Credentials,
}

/// Where OpenSearch is and how the indices are to be.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // as above
pub(crate) struct OpenSearchConfig {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) shards: u16,
    pub(crate) replicas: u16,
    pub(crate) attributes: Vec<String>,
    pub(crate) credentials: Credentials,
}

/// Where Redis is.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // as above
pub(crate) struct RedisConfig {
    pub(crate) url: String,
    pub(crate) prefix: String,
}

/// User and password, if an engine asks for them.
#[derive(Clone)]
#[cfg_attr(not(feature = "cluster"), allow(dead_code))] // as above
pub(crate) struct Credentials {
    user: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    fn parse(parser: &mut Parser<'_>, user: &str, password: &str) -> Credentials {
        // A password may begin or end with anything.
        let verbatim = |text: &str| Some(text.to_owned());
        Credentials {
            user: parser.get(user, "a name", text),
            password: parser.get(password, "a password", verbatim),
        }
    }

    /// None where no user is set.
    #[cfg(feature = "cluster")]
    pub(crate) fn pair(&self) -> Option<(String, String)> {
        let pair = (self.user.clone(), self.password.clone());
        (!self.user.is_empty()).then_some(pair)
    }
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
            cassandra: CassandraConfig {
                nodes: parser.get("cassandra_nodes", "host:port,host:port", |text| {
                    Some(list(text))
                }),
                keyspace: parser.get(
                    "cassandra_keyspace",
                    "letters, digits and `_`, 48 at most",
                    keyspace,
                ),
                replicas: parser.get("cassandra_replicas", "1 to 100", |text| count(text, 100)),
                datacenter: parser.get("cassandra_datacenter", "a name", |name| {
                    Some(text(name).filter(|name| !name.is_empty()))
                }),
                credentials: Credentials::parse(parser, "cassandra_user", "cassandra_password"),
            },
            opensearch: OpenSearchConfig {
                url: parser.get(
                    "opensearch_url",
                    "http://host:port, without user and password",
                    url_of_http,
                ),
                prefix: parser.get("opensearch_prefix", "lower-case letters and digits", prefix),
                shards: parser.get("opensearch_shards", "1 to 1000", |text| count(text, 1_000)),
                replicas: parser.get("opensearch_replicas", "0 to 100", |text| {
                    text.parse().ok().filter(|count| *count <= 100)
                }),
                attributes: parser.get("opensearch_attributes", "keys, or `all`", |text| {
                    Some(list(text))
                }),
                credentials: Credentials::parse(parser, "opensearch_user", "opensearch_password"),
            },
            redis: RedisConfig {
                url: parser.get("redis_url", "a URL", text),
                prefix: parser.get("redis_prefix", "a text", text),
            },
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

/// Cassandra takes 48 characters.
fn keyspace(text: &str) -> Option<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let sound = (1..=48).contains(&text.len()) && text.chars().all(word);
    sound.then(|| text.to_owned())
}

/// Without a hyphen, no tenant's pattern matches the indices of another.
fn prefix(text: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let sound = (1..=100).contains(&text.len()) && text.chars().all(fits);
    sound.then(|| text.to_owned())
}

/// The client of the index has no TLS: whoever wants it puts a proxy beside. User and password are
/// settings of their own, since the URL is shown.
fn url_of_http(text: &str) -> Option<String> {
    let url = text.trim();
    let sound = url.is_empty() || (url.starts_with("http://") && !url.contains('@'));
    sound.then(|| url.to_owned())
}

fn properties(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |part: String| {
        let (key, value) = part.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    };
    list(text).into_iter().map(pair).collect()
}
