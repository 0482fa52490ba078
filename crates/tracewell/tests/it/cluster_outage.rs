//! Kafka stops, and is killed, under load (P15, P24): senders hear 503 and repeat, and all that was
//! acknowledged arrives. A Kafka of its own, since other tests need theirs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tracewell_storage::memory::MemoryStore;

use crate::cluster::{Cluster, body, spans_of, work, worker};
use crate::server::{JSON, Server, eventually, try_post};

/// An engine that a test may ill-treat; stopped when dropped.
struct Engine {
    xtask: String,
    dir: TempDir,
}

impl Engine {
    /// None where engines cannot be started.
    fn start() -> Option<Engine> {
        let Ok(xtask) = std::env::var("STACK_XTASK") else {
            let line = b"skipped: no way to start a Kafka (cargo xtask stack up kafka)\n";
            std::io::stdout().write_all(line).unwrap();
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine { xtask, dir };
        engine.up();
        Some(engine)
    }

    fn stack(&self, word: &str, more: &[&str]) {
        let mut stack = Command::new(&self.xtask);
        stack
            .args(["stack", word, "--dir"])
            .arg(self.place())
            .args(more);
        let output = stack.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("stack")
    }

    /// Started, or started again: same port, same data.
    fn up(&self) {
        self.stack("up", &["kafka"]);
    }

    fn noted(&self) -> Value {
        let noted = std::fs::read(self.place().join("addresses.json")).unwrap();
        let noted: Value = serde_json::from_slice(&noted).unwrap();
        noted["kafka"].clone()
    }

    fn brokers(&self) -> String {
        self.noted()["address"].as_str().unwrap().to_owned()
    }

    fn signal(&self, signal: &str) {
        let pid = self.noted()["pid"].to_string();
        assert!(Path::new("/proc").join(&pid).exists());
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stack("down", &[]);
    }
}

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
    let Some(engine) = Engine::start() else {
        return;
    };
    let cluster = Cluster::on(engine.brokers());
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

    engine.signal("-STOP");
    sender.send_in_vain(3);
    engine.signal("-CONT");
    sender.send(50);

    engine.signal("-KILL");
    sender.send_in_vain(3);
    engine.up();
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
