//! Kafka stops, and is killed, under load (P15, P24): senders hear 503 and repeat, and all that was
//! acknowledged arrives. A Kafka of its own, since other tests need theirs.

use std::collections::BTreeSet;
use std::time::Duration;

use tracewell_storage::memory::MemoryStore;

use crate::cluster::{Cluster, body, spans_of, work, worker};
use crate::engines::OwnEngines;
use crate::server::{JSON, Server, eventually, try_post};

/// A sender that repeats what was turned away, as OTLP prescribes, and remembers what was taken.
struct Sender {
    collectors: [Server; 2],
    next: u128,
    acknowledged: BTreeSet<u128>,
    turned_away: u32,
}

impl Sender {
    fn try_once(&mut self) -> Option<()> {
        let to = &self.collectors[self.next as usize % 2];
        let answer = try_post(
            &to.url("ingest", "/v1/spans"),
            &[JSON],
            body(self.next).as_bytes(),
        );
        match answer.map(|answer| answer.status) {
            Ok(202) => {
                self.acknowledged.insert(self.next);
                self.next += 1;
                Some(())
            }
            Ok(429 | 503) | Err(_) => {
                self.turned_away += 1;
                None
            }
            Ok(other) => panic!("a sender gives up on {other}"),
        }
    }

    fn send(&mut self, count: u32) {
        for _ in 0..count {
            eventually("a span is taken", || self.try_once());
        }
    }

    /// Sends until it is turned away so often.
    fn send_in_vain(&mut self, times: u32) {
        let before = self.turned_away;
        eventually("the collectors say that they cannot", || {
            let _taken = self.try_once();
            (self.turned_away >= before + times).then_some(())
        });
    }
}

#[test]
fn kafka_may_stop_and_die_under_load() {
    let Some(engines) = OwnEngines::start(&["kafka"]) else {
        return;
    };
    let cluster = Cluster::on(engines.address("kafka"));
    let mut sender = Sender {
        collectors: [cluster.collector(), cluster.collector()],
        next: 1,
        acknowledged: BTreeSet::new(),
        turned_away: 0,
    };
    let (log, store) = (cluster.log(), MemoryStore::new());
    let mut worker = worker(&log, &store);
    sender.send(50);
    work(&mut worker, 100);

    engines.signal("kafka", "-STOP");
    sender.send_in_vain(3);
    engines.signal("kafka", "-CONT");
    sender.send(50);

    engines.signal("kafka", "-KILL");
    sender.send_in_vain(3);
    engines.up("kafka");
    sender.send(50);

    assert_eq!(sender.acknowledged.len(), 150);
    work(&mut worker, 300);
    eventually("all that was acknowledged is stored", || {
        worker.step(Duration::from_millis(50));
        let mut acknowledged = sender.acknowledged.iter();
        acknowledged
            .all(|number| !spans_of(&store, *number).is_empty())
            .then_some(())
    });
    for number in &sender.acknowledged {
        assert_eq!(spans_of(&store, *number).len(), 2, "trace {number}");
    }
}
