//! A place of a test's own in the shared Redis, a stream of records, and what readers say of it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracewell_model::Clock;
use tracewell_model::clock::ManualClock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::stats::{Figures, StatsReader, Window};
use tracewell_storage::{Position, Record};
use tracewell_storage_redis::{Redis, RedisReader, RedisWriter, Settings};
use tracewell_workers::aggregator::Aggregator;

pub(crate) const SECOND: u64 = 1_000_000_000;
/// A Tuesday in November 2023, at the beginning of a slot of every rung.
pub(crate) const NOW: u64 = 1_700_000_400 * SECOND;

/// A prefix in the Redis under test, and a clock.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) clock: Arc<ManualClock>,
    url: String,
    prefix: String,
}

/// A new place; none, said aloud, without a Redis.
#[allow(clippy::print_stdout)] // how a test says that it was skipped
pub(crate) fn place(clock: Arc<ManualClock>) -> Option<Place> {
    let Ok(url) = std::env::var("STACK_REDIS") else {
        println!("skipped: STACK_REDIS does not say where a Redis is");
        return None;
    };
    let prefix = format!("test-{:016x}:", fastrand::u64(..));
    Some(Place { clock, url, prefix })
}

impl Place {
    pub(crate) fn redis(&self) -> Redis {
        let settings = Settings {
            url: self.url.clone(),
            prefix: self.prefix.clone(),
            log: "topic".to_owned(),
        };
        Redis::new(settings, self.clock.clone()).expect("the address is one")
    }

    pub(crate) fn clock_now(&self) -> u64 {
        self.clock.unix_ns()
    }

    fn ask<T: redis::FromRedisValue>(&self, command: &str, key: &str, field: &[&str]) -> T {
        let client = redis::Client::open(self.url.as_str()).expect("the address is one");
        let mut connection = client.get_connection().expect("Redis is there");
        let mut command = redis::cmd(command);
        command.arg(format!("{}{key}", self.prefix)).arg(field);
        command.query(&mut connection).expect("Redis answers")
    }

    pub(crate) fn hget(&self, key: &str, field: &str) -> Option<String> {
        self.ask("HGET", key, &[field])
    }

    pub(crate) fn del(&self, key: &str) {
        let gone: u32 = self.ask("DEL", key, &[]);
        assert_eq!(gone, 1, "{key} was not there");
    }

    pub(crate) fn ttl_s(&self, key: &str) -> i64 {
        self.ask("TTL", key, &[])
    }
}

/// An aggregator as a process has it.
pub(crate) fn aggregator(place: &Place) -> Aggregator {
    let writer = RedisWriter::open(place.redis()).expect("Redis answers");
    Aggregator::new(Arc::new(writer))
}

/// Some hundred traces in six partitions, twelve of each a second, for a bit more than a minute.
pub(crate) fn records() -> Vec<Record> {
    let mut rng = fastrand::Rng::with_seed(5);
    let mut offsets = [0u64; 6];
    let record = |number: u64| {
        let arrived_unix_ns = NOW + number * SECOND / 24;
        let start = arrived_unix_ns - rng.u64(0..20 * SECOND);
        let web = SpanSpec::new(number, 1, start).named("web", "GET /");
        let pay = SpanSpec::new(number, 2, start).named("payment-service", "checkout");
        let mut spans = vec![web, pay.child_of(1).lasting(rng.u64(1..5 * SECOND))];
        for child in 0..rng.u64(0..6) {
            let operation = ["read", "write", "é%"][rng.usize(0..3)];
            let span = SpanSpec::new(number, 10 + child, start).named("a:b", operation);
            let span = span.child_of(2).lasting(rng.u64(1..SECOND));
            spans.push(if rng.u8(0..9) == 0 {
                span.failed()
            } else {
                span
            });
        }
        let partition = rng.u32(0..6);
        offsets[partition as usize] += 1;
        Record {
            position: Position {
                partition,
                offset: offsets[partition as usize],
            },
            arrived_unix_ns,
            batch: Arc::new(batch(&spans)),
        }
    };
    (1..=1_600).map(record).collect()
}

pub(crate) type Rows = BTreeMap<(String, String), Figures>;

/// Every row of the last minutes, edges as ("→" caller, callee).
pub(crate) fn minutes(place: &Place, minutes: u64) -> Rows {
    let now = place.clock_now();
    let window = Window {
        from_unix_ns: now - minutes * 60 * SECOND,
        to_unix_ns: now,
        steps: 6,
    };
    let reader = RedisReader::new(place.redis());
    let mut rows = Rows::new();
    for row in reader.read_services(&window).expect("Redis answers").rows {
        for (at, figures) in row.series {
            rows.insert((row.service.clone(), format!("@{at}")), figures);
        }
        let operations = reader
            .read_operations(&row.service, &window)
            .expect("Redis answers")
            .rows;
        for operation in operations {
            let name = (row.service.clone(), operation.operation);
            rows.insert(name, operation.figures);
        }
        rows.insert((row.service, String::new()), row.figures);
    }
    for edge in reader.read_graph(&window).expect("Redis answers").rows {
        rows.insert((format!("→{}", edge.parent), edge.child), edge.figures);
    }
    rows
}

/// The rows of a window that was published, and of one that was not.
pub(crate) fn figures_of(place: &Place) -> Rows {
    let mut rows = minutes(place, 5);
    let longer = minutes(place, 30);
    let renamed = longer
        .into_iter()
        .map(|((a, b), figures)| ((a, format!("{b} of 30 min")), figures));
    rows.extend(renamed);
    rows
}

/// A way to the same Redis that can be shut: to be without it while others are not.
pub(crate) struct Door {
    pub(crate) place: Place,
    shut: Arc<AtomicBool>,
}

impl Door {
    pub(crate) fn before(place: &Place) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let to = place.url.trim_start_matches("redis://").to_owned();
        let shut = Arc::new(AtomicBool::new(false));
        let is_shut = shut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to, is_shut) = (to.clone(), is_shut.clone());
                std::thread::spawn(move || pass(client, &to, &is_shut));
            }
        });
        let place = Place {
            url: format!("redis://{address}"),
            ..place.clone()
        };
        Door { place, shut }
    }

    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
    }
}

/// Passes requests and answers on, one after the other, until the door is shut.
fn pass(mut client: TcpStream, to: &str, is_shut: &AtomicBool) {
    let Ok(mut server) = TcpStream::connect(to) else {
        return;
    };
    let (Ok(mut back), Ok(mut answers)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
    let mut bytes = [0; 65_536];
    while let Ok(count) = client.read(&mut bytes) {
        if count == 0
            || is_shut.load(Ordering::SeqCst)
            || server.write_all(&bytes[..count]).is_err()
        {
            break;
        }
    }
    for end in [client, server] {
        if end.shutdown(std::net::Shutdown::Both).is_err() {
            return;
        }
    }
}
