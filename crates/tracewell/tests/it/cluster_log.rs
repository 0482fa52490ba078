//! What can happen to the log beneath every group at once: records that nobody can use, a topic made
//! anew, a retention that passed (P13, P14).

use std::time::Duration;

use serde_json::{Value, json};
use tracewell_storage_kafka::rdkafka::admin::{AdminClient, AdminOptions};
use tracewell_storage_kafka::rdkafka::client::DefaultClientContext;
use tracewell_storage_kafka::rdkafka::message::{Header, OwnedHeaders};
use tracewell_storage_kafka::rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tracewell_storage_kafka::rdkafka::{ClientConfig, Message};

use crate::server::{Server, eventually, eventually_within, get, span};
use crate::stack::{Stack, answer_when};

/// A client of the broker that a stack's processes use.
fn client(stack: &Stack) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &stack.kafka);
    config
}

/// Puts this into the topic as if Tracewell had written it.
fn put(stack: &Stack, value: &[u8]) {
    let producer: BaseProducer = client(stack).create().unwrap();
    let version = Header {
        key: "tracewell-version",
        value: Some("1"),
    };
    let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&stack.topic)
        .partition(0)
        .payload(value)
        .headers(OwnedHeaders::new().insert(version));
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// The reasons in the topic of dead letters, by group.
fn dead_letters(stack: &Stack) -> Vec<(String, String)> {
    use tracewell_storage_kafka::rdkafka::consumer::{BaseConsumer, Consumer};
    use tracewell_storage_kafka::rdkafka::message::Headers;
    let mut config = client(stack);
    config.set("group.id", format!("{}.test", stack.topic));
    config.set("auto.offset.reset", "earliest");
    config.set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().unwrap();
    let topic = format!("{}.dead-letters", stack.topic);
    consumer.subscribe(&[&topic]).unwrap();
    let mut letters = Vec::new();
    while letters.is_empty() {
        while let Some(message) = consumer.poll(Duration::from_secs(2)) {
            let message = message.unwrap();
            let headers = message.headers().unwrap();
            let text = |key: &str| {
                let header = headers.iter().find(|header| header.key == key);
                String::from_utf8_lossy(header.unwrap().value.unwrap()).into_owned()
            };
            letters.push((text("tracewell-group"), text("tracewell-reason")));
        }
    }
    letters.sort();
    letters
}

/// Waits until every store has this trace.
fn is_everywhere(query: &Server, trace: u128, service: &str) {
    // Consumers notice a topic that was made anew when they next ask for its partitions.
    let path = format!("/api/traces/{trace:032x}");
    eventually_within(4, &path, || (query.get(&path).status == 200).then_some(()));
    let found = |page: &Value| page["traces"].as_array().is_some_and(|all| !all.is_empty());
    answer_when(query, &format!("/api/traces?service={service}"), found);
}

fn problem<'a>(status: &'a Value, words: &str) -> Option<&'a str> {
    let mut problems = status["problems"].as_array().unwrap().iter();
    problems.find_map(|problem| problem.as_str().filter(|text| text.contains(words)))
}

#[test]
fn a_record_that_no_group_can_use_is_set_aside_by_each_and_holds_up_none() {
    let Some(stack) = Stack::new() else { return };
    let one = stack.start("all");
    put(&stack, b"\x0a\xffgarbage");
    one.send_patiently(&[span(1, 1, None, "after")]);
    is_everywhere(&one, 1, "after");
    let letters = eventually("three dead letters", || {
        Some(dead_letters(&stack)).filter(|letters| letters.len() == 3)
    });
    let groups: Vec<&str> = letters.iter().map(|(group, _)| group.as_str()).collect();
    assert_eq!(groups, ["search", "stats", "storage"]);
    assert!(
        letters
            .iter()
            .all(|(_, reason)| reason.contains("protobuf")),
        "{letters:?}"
    );
    let told =
        |status: &Value| problem(status, "holds 3 records that a group could not use").is_some();
    answer_when(&one, "/api/status", told);
}

#[test]
fn a_topic_that_is_made_anew_is_gone_on_with() {
    let Some(stack) = Stack::new() else { return };
    let one = stack.start("all");
    let before: Vec<Value> = (1..=40)
        .map(|trace| span(trace, 1, None, "before"))
        .collect();
    one.send_patiently(&before);
    is_everywhere(&one, 40, "before");
    let admin: AdminClient<DefaultClientContext> = client(&stack).create().unwrap();
    let topic = [stack.topic.as_str()];
    let deleted = admin.delete_topics(&topic, &AdminOptions::new());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(deleted).unwrap();
    eventually("the topic is made anew", || {
        let made = stack.run(&["schema"]);
        String::from_utf8_lossy(&made.stdout)
            .contains("made topic")
            .then_some(())
    });
    eventually("a span is taken", || {
        let body = json!([span(77, 1, None, "afterwards")]).to_string();
        let answer = one.post("/v1/spans", &[crate::server::JSON], body.as_bytes());
        (answer.status == 202).then_some(())
    });
    is_everywhere(&one, 77, "afterwards");
    assert_eq!(
        one.trace(&format!("{:032x}", 1))["spans"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(one.terminate().success());
    // And by processes that know nothing of the topic before.
    let next = stack.start("all");
    next.send_patiently(&[span(78, 1, None, "later")]);
    is_everywhere(&next, 78, "later");
}

#[test]
fn what_retention_takes_from_a_group_is_told_before_and_counted_after() {
    let Some(stack) = Stack::with("retention_s = 20") else {
        return;
    };
    let (collector, query) = (stack.start("collector"), stack.start("query"));
    let writer = stack.start("storage-writer");
    collector.send_patiently(&[span(1, 1, None, "first")]);
    query.trace(&format!("{:032x}", 1));
    // Stopped with everything committed; what comes now waits for a writer.
    assert!(writer.terminate().success());
    for trace in 2..=4 {
        collector.send_patiently(&[span(trace, 1, None, "lost")]);
    }
    let warned = |status: &Value| problem(status, "the storage group is").is_some();
    // The last half of the retention is time enough for two looks.
    answer_when(&query, "/api/status", warned);
    let lost = |status: &Value| problem(status, "the storage group lost 3 records").is_some();
    answer_when(&query, "/api/status", lost);
    let page = get(&query.url("admin", "/metrics")).text();
    let line = "tracewell_log_group_lost_records{group=\"storage\"} 3";
    assert!(page.contains(line), "{page}");
    // The group goes on with what comes.
    let writer = stack.start("storage-writer");
    collector.send_patiently(&[span(5, 1, None, "kept")]);
    query.trace(&format!("{:032x}", 5));
    assert_eq!(query.get(&format!("/api/traces/{:032x}", 2)).status, 404);
    assert!(writer.terminate().success());
}
