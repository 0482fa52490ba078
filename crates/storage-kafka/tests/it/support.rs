//! A topic of its own for each test, and what tests do with it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use tracewell_model::clock::SystemClock;
use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::{Ack, Consumer, Error, Record, SpanLog};
use tracewell_storage_kafka::{KafkaLog, Options};

/// How often a test asks before it gives up; each time it waits a tenth of a second.
const ROUNDS: usize = 600;

/// The broker, or why there is none.
pub(crate) fn brokers() -> Option<String> {
    let brokers = std::env::var("STACK_KAFKA").ok();
    if brokers.is_none() {
        // Past the test harness, which keeps what passing tests print to itself.
        let line = b"skipped: no Kafka (cargo xtask stack up kafka)\n";
        std::io::stdout().write_all(line).unwrap();
    }
    brokers
}

/// A topic that nobody else has.
pub(crate) fn options(brokers: String, partitions: u16) -> Options {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    Options {
        brokers,
        topic: format!("spans-{}-{number}", std::process::id()),
        partitions,
        replicas: 1,
        in_sync_replicas_min: 1,
        ..Options::default()
    }
}

pub(crate) fn open(options: &Options) -> Arc<KafkaLog> {
    let log = KafkaLog::open(options.clone(), Arc::new(SystemClock), &["storage"]);
    Arc::new(log.unwrap())
}

/// A batch of this many spans of one trace.
pub(crate) fn trace(number: u64, spans: u64) -> SpanBatch {
    let specs: Vec<_> = (1..=spans)
        .map(|span| SpanSpec::new(number, span, 1_700_000_000_000_000_000))
        .collect();
    batch(&specs)
}

pub(crate) fn append(log: &KafkaLog, batches: Vec<SpanBatch>) -> Result<(), Error> {
    append_at(log, batches, Ack::Logged)
}

pub(crate) fn append_at(log: &KafkaLog, batches: Vec<SpanBatch>, ack: Ack) -> Result<(), Error> {
    let (sender, receiver) = sync_channel(1);
    log.append(
        batches,
        ack,
        Box::new(move |outcome| sender.send(outcome).unwrap()),
    );
    receiver.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// Polls until so many spans came, or nothing comes any more.
pub(crate) fn take(consumer: &mut dyn Consumer, spans: usize) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for _ in 0..ROUNDS {
        if records
            .iter()
            .map(|record| record.batch.len())
            .sum::<usize>()
            >= spans
        {
            break;
        }
        match consumer.poll(1_000, Duration::from_millis(100)) {
            Ok(some) => records.extend(some),
            // What passes is polled over, as a worker does.
            Err(error) => println!("poll: {error}"),
        }
    }
    records
}

/// Polls a while, for records there should not be.
pub(crate) fn take_none(consumer: &mut dyn Consumer) {
    for _ in 0..5 {
        let records = consumer.poll(1_000, Duration::from_millis(100)).unwrap();
        assert_eq!(records.len(), 0, "{records:?}");
    }
}

/// Every span's ids, sorted.
pub(crate) fn ids<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<(TraceId, SpanId)> {
    let spans = records.into_iter().flat_map(|record| record.batch.spans());
    let mut ids: Vec<_> = spans
        .map(|span| (span.trace_id(), span.span_id()))
        .collect();
    ids.sort_unstable();
    ids
}

/// Waits until this holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..ROUNDS {
        if holds() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("never: {what}");
}

/// Somebody else's producer: puts a value into a partition as it is.
pub(crate) fn put(
    options: &Options,
    partition: i32,
    value: Option<&[u8]>,
    headers: Option<OwnedHeaders>,
) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers);
    let producer: ThreadedProducer<_> = config.create().unwrap();
    let mut record: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(&options.topic).partition(partition);
    record.payload = value;
    record.headers = headers;
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// The reasons of all dead letters so far, at least this many.
pub(crate) fn dead_letters(options: &Options, count: usize) -> Vec<(String, Option<Vec<u8>>)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers);
    config
        .set("group.id", "dead-letter-office")
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[&options.dead_letter_topic()]).unwrap();
    let mut letters = Vec::new();
    for _ in 0..ROUNDS {
        if letters.len() >= count {
            break;
        }
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let headers = message.headers().unwrap();
            let reason = headers
                .iter()
                .find(|header| header.key == "tracewell-reason")
                .unwrap();
            let reason = String::from_utf8(reason.value.unwrap().to_vec()).unwrap();
            letters.push((reason, message.payload().map(<[u8]>::to_vec)));
        }
    }
    letters
}
