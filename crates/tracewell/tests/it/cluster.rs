//! Roles apart, as processes of this build, around a real Kafka (`cargo xtask stack up kafka`). Stores
//! in memory stand where nothing but the way there is asked about.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tracewell_model::clock::SystemClock;
use tracewell_model::{BatchBuilder, SpanBatch, SpanId, Trace, TraceId};
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::{Ack, ReadContext, Sink, SpanLog, TraceReader};
use tracewell_storage_kafka::{KafkaLog, Options};
use tracewell_wire::{Report, otlp, spans_json};
use tracewell_workers::{Step, Stop, storage_writer};

use crate::server::{JSON, Server, command_of, eventually, get, span, try_post};

/// A topic of its own and the file of settings that all processes share.
pub(crate) struct Cluster {
    pub(crate) options: Options,
    dir: TempDir,
}

impl Cluster {
    /// None where there is no Kafka.
    pub(crate) fn new() -> Option<Cluster> {
        let Ok(brokers) = std::env::var("STACK_KAFKA") else {
            // Past the test harness, which keeps what passing tests print to itself.
            let line = b"skipped: no Kafka (cargo xtask stack up kafka)\n";
            std::io::stdout().write_all(line).unwrap();
            return None;
        };
        Some(Cluster::on(brokers))
    }

    /// On this Kafka.
    pub(crate) fn on(brokers: String) -> Cluster {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let options = Options {
            brokers,
            topic: format!("cluster-{}-{number}", std::process::id()),
            partitions: 4,
            replicas: 1,
            in_sync_replicas_min: 1,
            ..Options::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let settings = format!(
            "role = \"collector\"\n[kafka]\nbrokers = \"{}\"\ntopic = \"{}\"\npartitions = 4\nreplicas = 1\nin_sync_replicas_min = 1\n",
            options.brokers, options.topic
        );
        std::fs::write(dir.path().join("tracewell.toml"), settings).unwrap();
        Cluster { options, dir }
    }

    fn settings(&self) -> String {
        self.dir.path().join("tracewell.toml").display().to_string()
    }

    /// A collector, in a process of its own.
    pub(crate) fn collector(&self) -> Server {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Server::start_with(of_this_build(), dir, &["--config", &self.settings()])
    }

    /// Another process's end of the log.
    pub(crate) fn log(&self) -> Arc<KafkaLog> {
        let log = KafkaLog::open(
            self.options.clone(),
            Arc::new(SystemClock),
            &[storage_writer::GROUP],
        );
        Arc::new(log.unwrap())
    }

    /// Runs a command with the cluster's settings to its end.
    fn run(&self, arguments: &[&str]) -> Output {
        let settings = self.settings();
        of_this_build()
            .args(arguments)
            .args(["--config", &settings])
            .output()
            .unwrap()
    }
}

/// The binary with the cluster's features, whatever TRACEWELL_BIN is.
fn of_this_build() -> Command {
    command_of(env!("CARGO_BIN_EXE_tracewell").into())
}

/// A worker of the storage group, with a store that outlives it.
pub(crate) fn worker(log: &KafkaLog, store: &MemoryStore) -> tracewell_workers::Worker {
    let sink: Box<dyn Sink> = Box::new(store.clone());
    let worker = storage_writer::start(
        log,
        sink,
        Arc::new(SystemClock),
        tracewell_workers::Options::default(),
    );
    worker.unwrap()
}

/// Works until the store has so many spans.
pub(crate) fn work(worker: &mut tracewell_workers::Worker, spans: u64) {
    eventually("the spans are stored", || {
        if let Step::RetryIn { wait_ns } = worker.step(Duration::from_millis(50)) {
            crate::server::pause(Duration::from_nanos(wait_ns));
        }
        (worker.status().snapshot().applied_spans >= spans).then_some(())
    });
}

/// The trace's spans, as an answer would have them: repeats left out, all else shown.
pub(crate) fn spans_of(store: &MemoryStore, trace: u128) -> Vec<SpanId> {
    let context = ReadContext::new(Arc::new(SystemClock), 10_000_000_000);
    let found = store
        .get_trace(TraceId(trace.to_be_bytes()), &context)
        .unwrap();
    let rows = Trace::assemble(found.spans()).rows;
    rows.iter().map(|row| row.span.span_id()).collect()
}

#[test]
fn a_span_goes_from_a_collector_through_kafka_into_the_store() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let collector = cluster.collector();
    assert_eq!(get(&collector.url("admin", "/readyz")).status, 200);
    collector.send_patiently(&[span(7, 1, None, "checkout"), span(7, 2, Some(1), "payment")]);
    let (log, store) = (cluster.log(), MemoryStore::new());
    work(&mut worker(&log, &store), 2);
    assert_eq!(spans_of(&store, 7).len(), 2);
    // What one machine cannot promise is refused, in words.
    let body = json!([span(8, 1, None, "checkout")]).to_string();
    let replicated = ("tracewell-ack", "replicated");
    let answer = collector.post("/v1/spans", &[JSON, replicated], body.as_bytes());
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("min.insync.replicas"),
        "{}",
        answer.text()
    );
    // Anyone sees how far each group is.
    eventually("the metrics of the log", || {
        let page = get(&collector.url("admin", "/metrics")).text();
        let wanted = [
            "tracewell_log_group_time_to_loss_seconds{group=\"storage\"}",
            "tracewell_log_records 1",
        ];
        wanted.iter().all(|line| page.contains(line)).then_some(())
    });
    assert!(collector.terminate().success());
}

#[test]
fn nothing_acknowledged_is_lost_with_a_collector_that_is_killed() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let (first, second) = (cluster.collector(), cluster.collector());
    let mut acknowledged = BTreeSet::new();
    let mut first = Some(first);
    for number in 1..=200u128 {
        let to = match first.as_ref().filter(|_| number % 2 == 0) {
            Some(first) => first.url("ingest", "/v1/spans"),
            None => second.url("ingest", "/v1/spans"),
        };
        let answer = try_post(&to, &[JSON], body(number).as_bytes());
        if answer.is_ok_and(|answer| answer.status == 202) {
            acknowledged.insert(number);
        }
        if number == 101 {
            first.take().map(Server::kill);
        }
    }
    assert_eq!(acknowledged.len(), 200);
    let (log, store) = (cluster.log(), MemoryStore::new());
    work(&mut worker(&log, &store), 400);
    for number in acknowledged {
        assert_eq!(spans_of(&store, number).len(), 2, "trace {number}");
    }
}

#[test]
fn a_consumer_killed_between_write_and_commit_makes_no_span_twice() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let (log, store) = (cluster.log(), MemoryStore::new());
    append(&log, &spans(1..=50));
    let mut killed = worker(&log, &store);
    work(&mut killed, 50);
    // Its store has them all; nothing was flushed or committed. Another one comes.
    drop(killed);
    append(&log, &spans(51..=60));
    let mut next = worker(&log, &store);
    work(&mut next, 60);
    for number in 1..=60 {
        assert_eq!(spans_of(&store, number).len(), 1, "trace {number}");
    }
    next.finish();
    drop(next);
    // That one ended well: nothing comes again.
    let mut last = worker(&log, &store);
    append(&log, &spans(61..=61));
    work(&mut last, 1);
    assert_eq!(last.status().snapshot().applied_spans, 1);
}

#[test]
fn members_that_come_and_go_all_the_time_lose_nothing() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let (log, store) = (cluster.log(), MemoryStore::new());
    let mut members = std::collections::VecDeque::new();
    let mut applied = 0;
    let mut end = |(stop, thread, status): Member| {
        stop.set();
        thread.join().unwrap();
        applied += status.snapshot().applied_spans;
    };
    let mut number = 0;
    for round in 0..12u32 {
        members.push_back(member(&log, &store));
        if round % 3 == 2 {
            members.drain(..2).for_each(&mut end);
        }
        for _ in 0..20 {
            append(&log, &spans(number + 1..=number + 2));
            number += 2;
            crate::server::pause(Duration::from_millis(10));
        }
    }
    eventually("all are stored", || {
        (1..=number)
            .all(|number| !spans_of(&store, number).is_empty())
            .then_some(())
    });
    members.into_iter().for_each(&mut end);
    for number in 1..=number {
        assert_eq!(spans_of(&store, number).len(), 1, "trace {number}");
    }
    // Partitions are handed over with everything committed: hardly a record is done twice.
    assert!(
        applied < number as u64 * 11 / 10,
        "{applied} of {number} spans were applied"
    );
}

type Member = (
    Stop,
    std::thread::JoinHandle<()>,
    tracewell_workers::StatusHandle,
);

/// A worker on a thread of its own.
fn member(log: &KafkaLog, store: &MemoryStore) -> Member {
    let mut worker = worker(log, store);
    let (stop, status) = (Stop::new(), worker.status());
    let told = stop.clone();
    (stop, std::thread::spawn(move || worker.run(&told)), status)
}

#[test]
fn spans_that_others_put_into_the_topic_arrive_once() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let _collectors = (cluster.collector(), cluster.collector());
    let spans: Vec<Value> = (1..=40)
        .map(|number| span(number, 1, None, "foreign"))
        .collect();
    put(
        &cluster.options,
        &otlp::encode::encode(batch(&spans).spans()),
    );
    let (log, store) = (cluster.log(), MemoryStore::new());
    let mut worker = worker(&log, &store);
    work(&mut worker, 40);
    for _ in 0..20 {
        worker.step(Duration::from_millis(50));
    }
    assert_eq!(
        worker.status().snapshot().applied_spans,
        40,
        "and not twice"
    );
}

#[test]
fn the_doctor_names_what_is_wrong_and_what_sets_it_right() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let absent = cluster.run(&["doctor"]);
    assert!(!absent.status.success());
    assert!(
        text(&absent.stdout).contains("there is no topic"),
        "{absent:?}"
    );
    let made = text(&cluster.run(&["schema"]).stdout);
    assert!(
        made.contains(&format!("made topic {}", cluster.options.topic)),
        "{made}"
    );
    assert!(text(&cluster.run(&["schema"]).stdout).contains("nothing was missing"));
    let well = cluster.run(&["doctor"]);
    assert!(well.status.success(), "{well:?}");
    let environment = [
        ("TRACEWELL_KAFKA_RETENTION_S", "7200"),
        ("TRACEWELL_KAFKA_PARTITIONS", "8"),
        ("TRACEWELL_KAFKA_IN_SYNC_REPLICAS_MIN", "2"),
    ];
    let settings = cluster.settings();
    let wrong = of_this_build()
        .args(["doctor", "--config", &settings])
        .envs(environment)
        .output()
        .unwrap();
    assert!(!wrong.status.success());
    let words = text(&wrong.stdout);
    for fix in [
        "--add-config retention.ms=7200000",
        "--partitions 8",
        "--add-config min.insync.replicas=2",
    ] {
        assert!(words.contains(fix), "{fix} in {words}");
    }
}

#[test]
fn a_role_without_its_engine_is_refused_by_name() {
    let Some(cluster) = Cluster::new() else {
        return;
    };
    let refused = cluster.run(&["start", "--role", "indexer,aggregator"]);
    assert!(!refused.status.success());
    let words = text(&refused.stderr);
    assert!(
        words.contains("indexer needs a shared search index (OpenSearch): set opensearch_url"),
        "{words}"
    );
    assert!(
        words.contains("aggregator needs a shared statistics store (Redis): set redis_url"),
        "{words}"
    );
}

/// A request with this trace, of two spans.
pub(crate) fn body(trace: u128) -> String {
    json!([
        span(trace, 1, None, "shop"),
        span(trace, 2, Some(1), "cart")
    ])
    .to_string()
}

/// A trace of one span for each of these numbers.
fn spans(numbers: std::ops::RangeInclusive<u128>) -> Vec<Value> {
    numbers
        .map(|number| span(number, 1, None, "shop"))
        .collect()
}

/// Appends these in one request and waits for the answer.
fn append(log: &KafkaLog, spans: &[Value]) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let done = move |outcome| sender.send(outcome).unwrap();
    log.append(vec![batch(spans)], Ack::Logged, Box::new(done));
    receiver.recv().unwrap().unwrap();
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn batch(spans: &[Value]) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let body = json!(spans).to_string();
    spans_json::decode(body.as_bytes(), &mut builder, &mut Report::default()).unwrap();
    builder.finish_one()
}

/// Somebody else's producer: a bare OTLP request, in whatever partition.
fn put(options: &Options, value: &[u8]) {
    use tracewell_storage_kafka::rdkafka;
    use tracewell_storage_kafka::rdkafka::producer::{BaseProducer, BaseRecord, Producer};
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", &options.brokers);
    let producer: BaseProducer = config.create().unwrap();
    let record: BaseRecord<'_, [u8], [u8]> =
        BaseRecord::to(&options.topic).partition(1).payload(value);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}
