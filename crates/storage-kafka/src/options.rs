//! What there is to set, and what becomes of it in librdkafka's own words.

use std::time::Duration;

use rdkafka::ClientConfig;
use tracewell_model::limits;

/// A record holds about so many bytes of spans: large enough to compress well, small enough that
/// brokers and consumers never wait for one.
pub(crate) const RECORD_BYTES: usize = 1 << 20;
/// The largest record that the topic must take. One span may be as large as a whole request.
pub(crate) const RECORD_BYTES_MAX: usize = limits::BODY_BYTES_MAX + RECORD_BYTES;
/// How long a record may wait in the queue: senders have given up long before.
const DELIVERY_MS: u32 = 30_000;
/// How long a member of a group may be silent before its partitions go to others.
const SESSION_MS: u32 = 10_000;
/// How long a worker may take between two polls: it retries while its store is down, and holds its
/// records meanwhile. Beyond it others try.
const POLL_MS: u32 = 15 * 60 * 1_000;
/// How long a request to a broker may take.
const REQUEST_MS: u32 = 10_000;

/// Where Kafka is and how the topic is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Brokers to begin with, `host:port,host:port`.
    pub brokers: String,
    /// The topic of spans. Dead letters and consumer groups are named after it.
    pub topic: String,
    /// Partitions of a topic that is created: the most workers of one group that find work.
    pub partitions: u16,
    /// Replicas of a topic that is created.
    pub replicas: u16,
    /// Replicas that must have a record before it is acknowledged.
    pub in_sync_replicas_min: u16,
    /// How long the topic keeps records (R42): the whole budget of an outage (Q16).
    pub retention: Duration,
    /// Bytes that wait in this process for Kafka; beyond them appends are refused as overload.
    pub queue_bytes_max: usize,
    /// More of librdkafka's settings, such as `security.protocol` and `sasl.mechanism`.
    pub properties: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            brokers: "127.0.0.1:9092".to_owned(),
            topic: "spans".to_owned(),
            partitions: 12,
            replicas: 3,
            in_sync_replicas_min: 2,
            retention: Duration::from_secs(3_600),
            queue_bytes_max: 128 << 20,
            properties: Vec::new(),
        }
    }
}

impl Options {
    /// Where records go that nobody can use.
    pub fn dead_letter_topic(&self) -> String {
        format!("{}.dead-letters", self.topic)
    }

    /// A consumer group's name in Kafka, where all topics share one room.
    pub fn group_id(&self, group: &str) -> String {
        format!("{}.{group}", self.topic)
    }

    /// What every client sets.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "tracewell")
            .set("socket.timeout.ms", REQUEST_MS.to_string())
            // Back within a second of a broker that is back.
            .set("reconnect.backoff.max.ms", "1000")
            // A broker that stood still has a full backlog: who waits there for half a minute misses its return.
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("topic.metadata.refresh.interval.ms", "30000");
        for (key, value) in &self.properties {
            config.set(key, value);
        }
        config
    }

    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            // Read by three groups within the hour that it is kept: cheap to open counts more than small.
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("message.max.bytes", RECORD_BYTES_MAX.to_string())
            .set("message.timeout.ms", DELIVERY_MS.to_string())
            .set("queue.buffering.max.messages", "0")
            .set(
                "queue.buffering.max.kbytes",
                (self.queue_bytes_max / 1024).max(1).to_string(),
            );
        config
    }

    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", self.group_id(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", SESSION_MS.to_string())
            .set("max.poll.interval.ms", POLL_MS.to_string())
            .set("fetch.message.max.bytes", RECORD_BYTES.to_string())
            // Records wait in the broker rather than here.
            .set("queued.max.messages.kbytes", "16384")
            .set("fetch.wait.max.ms", "100");
        config
    }
}
