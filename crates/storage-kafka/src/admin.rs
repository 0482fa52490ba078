//! The topics, made if they are absent and held against what the roles need. `tracewell schema` and
//! `tracewell doctor` call the same functions as a start does.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracewell_storage::{Error, Finding};

use crate::errors::of_kafka;
use crate::options::{Options, RECORD_BYTES_MAX};

const WAIT: Duration = Duration::from_secs(20);
/// Dead letters are for people, who take longer than an hour.
const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What the topic is like.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// Its partitions.
    pub partitions: u16,
    /// Replicas that must have a record before it is acknowledged.
    pub in_sync_replicas_min: u16,
    /// How long it keeps records.
    pub retention: Duration,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

/// Creates the topics that are not there; answers their names.
pub fn create(options: &Options) -> Result<Vec<String>, Error> {
    let admin = client(options)?;
    let kept = options.retention.as_millis().to_string();
    let (bytes, in_sync) = (
        RECORD_BYTES_MAX.to_string(),
        options.in_sync_replicas_min.to_string(),
    );
    let dead_kept = DEAD_LETTERS_KEPT.as_millis().to_string();
    let dead_letters = options.dead_letter_topic();
    let topic = |name, partitions, kept| {
        NewTopic::new(
            name,
            partitions,
            TopicReplication::Fixed(i32::from(options.replicas)),
        )
        .set("retention.ms", kept)
        .set("cleanup.policy", "delete")
        .set("max.message.bytes", &bytes)
        .set("min.insync.replicas", &in_sync)
        // Retention counts by the broker's clock: a collector's wrong one expires nothing.
        .set("message.timestamp.type", "LogAppendTime")
    };
    let topics = [
        topic(
            options.topic.as_str(),
            i32::from(options.partitions),
            kept.as_str(),
        ),
        topic(dead_letters.as_str(), 1, dead_kept.as_str()),
    ];
    let outcomes =
        block_on(admin.create_topics(&topics, &AdminOptions::new().operation_timeout(Some(WAIT))));
    let mut made = Vec::new();
    for outcome in outcomes.map_err(|error| of_kafka("creating topics", &error))? {
        match outcome {
            Ok(name) => made.push(name),
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(Error::retryable(format!(
                    "Kafka: cannot create the topic {name} with {} partitions and {} replicas: {code}",
                    options.partitions, options.replicas
                )));
            }
        }
    }
    Ok(made)
}

/// Looks at the topic of spans.
pub fn check(options: &Options) -> Result<Checked, Error> {
    let admin = client(options)?;
    let failed = |error: &KafkaError| of_kafka("looking at the topic", error);
    let metadata = admin.inner().fetch_metadata(Some(&options.topic), WAIT);
    let metadata = metadata.map_err(|error| failed(&error))?;
    let partitions = metadata
        .topics()
        .first()
        .map_or(0, |topic| topic.partitions().len());
    if partitions == 0 {
        return Err(absent(&options.topic));
    }
    let topic = ResourceSpecifier::Topic(&options.topic);
    let asked = AdminOptions::new().request_timeout(Some(WAIT));
    let described = block_on(admin.describe_configs([&topic], &asked));
    let described = described.map_err(|error| failed(&error))?;
    let config = match described.into_iter().next() {
        Some(Ok(config)) => config,
        Some(Err(_)) | None => return Err(absent(&options.topic)),
    };
    Ok(judge(
        options,
        &config,
        u16::try_from(partitions).unwrap_or(u16::MAX),
    ))
}

/// There is no such topic.
pub(crate) fn absent(topic: &str) -> Error {
    Error::retryable(format!(
        "Kafka: there is no topic {topic}; `tracewell schema` creates it"
    ))
}

fn judge(options: &Options, config: &ConfigResource, partitions: u16) -> Checked {
    let text = |key: &str| {
        config
            .get(key)
            .and_then(|entry| entry.value.clone())
            .unwrap_or_default()
    };
    let number = |key: &str| text(key).parse::<i64>().unwrap_or(0);
    let (topic, brokers) = (&options.topic, &options.brokers);
    let mut findings = Vec::new();
    let mut expect = |holds: bool, key: &str, wanted: String, why: &str| {
        if !holds {
            findings.push(Finding {
                problem: format!(
                    "Kafka topic {topic}: {key} is {}, {wanted} is wanted: {why}",
                    text(key)
                ),
                fix: format!(
                    "kafka-configs.sh --bootstrap-server {brokers} --alter --entity-type topics \
                     --entity-name {topic} --add-config {key}={wanted}"
                ),
            });
        }
    };
    let kept = options.retention.as_millis() as i64;
    let retention = number("retention.ms");
    expect(
        retention < 0 || retention >= kept,
        "retention.ms",
        kept.to_string(),
        "an outage of a store may last so long",
    );
    expect(
        text("cleanup.policy") == "delete",
        "cleanup.policy",
        "delete".to_owned(),
        "compaction would drop spans",
    );
    expect(
        text("message.timestamp.type") == "LogAppendTime",
        "message.timestamp.type",
        "LogAppendTime".to_owned(),
        "by a collector's clock spans could expire at once",
    );
    let bytes = number("max.message.bytes");
    expect(
        bytes >= RECORD_BYTES_MAX as i64,
        "max.message.bytes",
        RECORD_BYTES_MAX.to_string(),
        "a span may be as large as a request",
    );
    let in_sync = number("min.insync.replicas");
    let wanted = i64::from(options.in_sync_replicas_min);
    expect(
        in_sync >= wanted,
        "min.insync.replicas",
        wanted.to_string(),
        "a broker that is lost would take acknowledged spans along",
    );
    if partitions < options.partitions {
        findings.push(Finding {
            problem: format!("Kafka topic {topic} has {partitions} partitions, {} are set: no more workers of a group find work", options.partitions),
            fix: format!("kafka-topics.sh --bootstrap-server {brokers} --alter --topic {topic} --partitions {}", options.partitions),
        });
    }
    Checked {
        partitions,
        in_sync_replicas_min: u16::try_from(in_sync).unwrap_or(0),
        retention: u64::try_from(retention).map_or(Duration::MAX, Duration::from_millis),
        findings,
    }
}

fn client(options: &Options) -> Result<AdminClient<DefaultClientContext>, Error> {
    let client = options.client().create();
    client.map_err(|error| of_kafka("opening a client", &error))
}

/// Waits for a future of the admin client, whose own thread completes it.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return outcome;
        }
        std::thread::park();
    }
}
