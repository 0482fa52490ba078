//! The suite that every log passes, on a topic of one partition: what holds there holds in each.

use std::sync::Arc;
use std::time::Duration;

use tracewell_model::SpanBatch;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::{
    Durability, LogFixture, OpenLog, Restart, expect_passed, log_suite,
};
use tracewell_storage::{Ack, Completion, Consumer, Error, LogStatus, Position, SpanLog};
use tracewell_storage_kafka::{KafkaLog, Options};

use crate::support::{brokers, options};

struct KafkaFixture(String);

struct Open {
    options: Options,
    clock: Arc<ManualClock>,
    log: Looked,
}

/// The suite asks for figures right after it did something: they are made at once.
struct Looked(KafkaLog);

impl SpanLog for Looked {
    fn append(&self, batches: Vec<SpanBatch>, ack: Ack, done: Completion) {
        self.0.append(batches, ack, done);
    }

    fn subscribe(&self, group: &str, durable: &[Position]) -> Result<Box<dyn Consumer>, Error> {
        self.0.subscribe(group, durable)
    }

    fn status(&self) -> LogStatus {
        self.0.look();
        self.0.status()
    }
}

fn open(options: Options, clock: Arc<ManualClock>) -> Box<dyn OpenLog> {
    let log = KafkaLog::open(options.clone(), clock.clone(), &["storage"]).unwrap();
    Box::new(Open {
        options,
        clock,
        log: Looked(log),
    })
}

impl LogFixture for KafkaFixture {
    fn durability(&self) -> Durability {
        Durability::Crash
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn may_refuse(&self) -> &'static [Ack] {
        // The test's broker is the only one.
        &[Ack::Durable, Ack::Replicated]
    }

    fn open_new(&self, clock: Arc<ManualClock>) -> Box<dyn OpenLog> {
        open(options(self.0.clone(), 1), clock)
    }
}

impl OpenLog for Open {
    fn log(&self) -> &dyn SpanLog {
        &self.log
    }

    fn restart(self: Box<Self>, how: Restart) -> Box<dyn OpenLog> {
        let Open {
            options,
            clock,
            log,
        } = *self;
        if how == Restart::CleanStop {
            log.0.close().unwrap();
        }
        drop(log);
        open(options, clock)
    }
}

#[test]
fn kafka_passes_the_suite() {
    let Some(brokers) = brokers() else { return };
    let passed = expect_passed(log_suite(&KafkaFixture(brokers)));
    assert!(passed.left_out.is_empty());
}
