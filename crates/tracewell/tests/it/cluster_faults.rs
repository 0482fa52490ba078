//! Everything apart, under load, while one thing after the other fails (P15, P24): each engine stops
//! and is killed, each role is restarted and killed. Senders repeat what was turned away, as OTLP
//! prescribes; at the end all that was acknowledged is there, in every store, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::engines::OwnEngines;
use crate::server::{JSON, Server, eventually, pause, rounds, try_post};
use crate::stack::{Engines, Stack, now_ns};

/// How long each engine is away, in seconds, unless STACK_OUTAGE_S says otherwise: longer than a
/// member of a group may be silent.
const OUTAGE_S: u64 = 12;
/// A call fails for good when it was turned away for this long: what SDKs give up after.
const PATIENCE: Duration = Duration::from_secs(300);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(40);

/// A trace of two spans, now.
fn body(number: u128) -> String {
    let start = now_ns() - 10_000_000;
    let span = |id: u64, parent: Option<&str>, service: &str, at: u64| {
        json!({
            "trace_id": format!("{number:032x}"), "span_id": format!("{id:016x}"), "parent_span_id": parent,
            "service_name": service, "operation_name": format!("{service} works"),
            "start_time_unix_ns": start + at, "duration_ms": 2.5, "status": "ok",
        })
    };
    json!([
        span(1, None, "shop", 0),
        span(2, Some("0000000000000001"), "cart", 1_000)
    ])
    .to_string()
}

/// The two collectors, and what senders heard from them.
struct Traffic {
    collectors: [Mutex<Option<Server>>; 2],
    acknowledged: Mutex<BTreeSet<u128>>,
    failed: AtomicU32,
    turned_away: AtomicU32,
    stop: AtomicBool,
}

impl Traffic {
    /// Sends until it is told to stop.
    fn send(&self) {
        for number in 1u128.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            // What is repeated is the same request, byte by byte.
            let body = body(number);
            let begun = now_ns();
            let mut at = number as usize;
            while !self.try_once(at, &body) {
                self.turned_away.fetch_add(1, Ordering::Relaxed);
                at += 1;
                if now_ns() - begun > PATIENCE.as_nanos() as u64 {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                pause(BETWEEN_REQUESTS);
            }
            self.acknowledged.lock().unwrap().insert(number);
            pause(BETWEEN_REQUESTS);
        }
    }

    fn try_once(&self, at: usize, body: &str) -> bool {
        let url = self.collectors[at % 2].lock().unwrap();
        let Some(url) = url.as_ref().map(|server| server.url("ingest", "/v1/spans")) else {
            return false;
        };
        match try_post(&url, &[JSON], body.as_bytes()).map(|answer| answer.status) {
            Ok(202) => true,
            Ok(429 | 503) | Err(_) => false,
            Ok(other) => panic!("a sender gives up on {other}"),
        }
    }

    fn last(&self) -> u128 {
        let acknowledged = self.acknowledged.lock().unwrap();
        acknowledged.last().copied().unwrap_or(0)
    }

    /// The number of a trace that was acknowledged after this call.
    fn next(&self) -> u128 {
        let before = self.last();
        eventually("a span is acknowledged", || {
            Some(self.last()).filter(|last| *last > before)
        })
    }
}

/// What a query process answers about single traces.
struct Asker<'a>(&'a Server);

impl Asker<'_> {
    fn has(&self, number: u128) -> bool {
        let answer = self.0.get(&format!("/api/traces/{number:032x}"));
        answer.status == 200
    }

    fn finds(&self, from_unix_ns: u64) -> bool {
        let answer = self.0.get(&format!(
            "/api/traces?service=shop&limit=1&start={from_unix_ns}"
        ));
        answer.status == 200 && !answer.json()["traces"].as_array().unwrap().is_empty()
    }

    fn counts(&self) -> bool {
        let answer = self.0.get("/api/services");
        answer.status == 200 && answer.json()["complete"] == true
    }

    /// What the rest does while this engine is away.
    fn check_without(&self, engine: &str, killed: bool, traffic: &Traffic) {
        let begun = now_ns();
        if engine == "kafka" {
            let turned_away = traffic.turned_away.load(Ordering::Relaxed);
            eventually("senders are turned away", || {
                (traffic.turned_away.load(Ordering::Relaxed) > turned_away).then_some(())
            });
            eventually("what is stored is answered", || self.has(1).then_some(()));
            return eventually("and found", || self.finds(0).then_some(()));
        }
        let number = traffic.next();
        if engine != "cassandra" {
            eventually("a new trace by its id", || self.has(number).then_some(()));
        }
        if engine != "opensearch" {
            eventually("a new trace by a search", || {
                self.finds(begun).then_some(())
            });
        }
        if !killed {
            return;
        }
        // Whoever asks hears what is missing.
        let (path, name) = match engine {
            "cassandra" => ("/api/traces/1", "Cassandra"),
            "opensearch" => ("/api/traces", "OpenSearch"),
            _ => ("/api/services", "Redis"),
        };
        eventually(&format!("{path} says that {name} is away"), || {
            let answer = self.0.get(path);
            let said = answer.text().contains(name);
            (said && (answer.status == 503 || answer.json()["complete"] == false)).then_some(())
        });
    }
}

/// Every hit of a search.
fn all_hits(query: &Server) -> Vec<Value> {
    let (mut hits, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = query.get_json(&format!("/api/traces?limit=1000{cursor}"));
        hits.extend(page["traces"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={}", crate::stack::encoded(next)),
            None => return hits,
        }
    }
}

/// How many spans of each trace Cassandra has.
fn stored_spans(query: &Server) -> BTreeMap<String, usize> {
    let mut spans = BTreeMap::new();
    let lines = query.get("/api/export").text();
    for line in lines.lines() {
        let request: Value = serde_json::from_str(line).unwrap();
        let resources = request["resourceSpans"].as_array().into_iter().flatten();
        let scopes = resources.flat_map(|of| of["scopeSpans"].as_array().unwrap());
        for span in scopes.flat_map(|of| of["spans"].as_array().unwrap()) {
            let id = span["traceId"].as_str().unwrap().to_lowercase();
            *spans.entry(id).or_default() += 1;
        }
    }
    spans
}

/// At the end: received is stored, none is missing, none is there twice.
fn check_all(query: &Server, acknowledged: &BTreeSet<u128>) {
    eventually("the backlog is gone", || {
        let hits = all_hits(query);
        let whole = hits.iter().filter(|hit| hit["span_count"] == 2).count();
        (whole >= acknowledged.len()).then_some(())
    });
    let hits = all_hits(query);
    let ids: BTreeSet<&str> = hits
        .iter()
        .filter_map(|hit| hit["trace_id"].as_str())
        .collect();
    assert_eq!(ids.len(), hits.len(), "a search shows a trace twice");
    let stored = stored_spans(query);
    for number in acknowledged {
        let id = format!("{number:032x}");
        assert!(ids.contains(id.as_str()), "search does not find {id}");
        assert_eq!(stored.get(&id), Some(&2), "spans of {id} in the store");
    }
    let settled = |status: &Value| {
        let log = &status["account"]["log"];
        log["in_flight"] == 0 && log["accepted"].as_u64() >= Some(acknowledged.len() as u64 * 2)
    };
    let status = crate::stack::answer_when(query, "/api/status", settled);
    assert_eq!(status["account"]["balances"], true, "{status}");
}

/// Requests of the shop, as the figures have them.
fn counted(query: &Server) -> u64 {
    let services = query.get_json("/api/services?window=1h");
    let mut rows = services["metrics"].as_array().unwrap().iter();
    let shop = rows.find(|row| row["service"] == "shop").unwrap();
    shop["request_count"].as_u64().unwrap()
}

#[test]
fn engines_and_roles_fail_one_after_the_other_and_nothing_is_lost() {
    let Some(engines) = OwnEngines::start(&[]) else {
        return;
    };
    let at = |name| engines.address(name);
    let addresses = Engines {
        kafka: at("kafka"),
        cassandra: at("cassandra"),
        opensearch: at("opensearch"),
        redis: at("redis"),
    };
    let stack = Stack::on(&addresses, "");
    let names = ["storage-writer", "indexer", "aggregator"];
    let mut workers = names.map(|role| Some(stack.start(role)));
    let traffic = Traffic {
        collectors: [0, 1].map(|_| Mutex::new(Some(stack.start("collector")))),
        acknowledged: Mutex::default(),
        failed: AtomicU32::new(0),
        turned_away: AtomicU32::new(0),
        stop: AtomicBool::new(false),
    };
    let mut query = stack.start("query");
    let outage = Duration::from_secs(rounds("STACK_OUTAGE_S", OUTAGE_S));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| traffic.send());
        let first = traffic.next();
        eventually("the first trace", || Asker(&query).has(first).then_some(()));

        for engine in ["redis", "opensearch", "cassandra", "kafka"] {
            for signal in ["-STOP", "-KILL"] {
                let begun = now_ns();
                engines.signal(engine, signal);
                Asker(&query).check_without(engine, signal == "-KILL", &traffic);
                let over = Duration::from_nanos(now_ns() - begun);
                pause(outage.saturating_sub(over));
                match signal {
                    "-STOP" => engines.signal(engine, "-CONT"),
                    _ => engines.up(engine),
                }
                let (next, begun) = (traffic.next(), now_ns());
                let asker = Asker(&query);
                eventually("everything goes on", || {
                    (asker.has(next) && asker.finds(begun) && asker.counts()).then_some(())
                });
            }
        }

        // Each role is restarted, and its workers are killed, between write and commit or not.
        for (role, worker) in names.iter().zip(&mut workers) {
            assert!(worker.take().unwrap().terminate().success());
            *worker = Some(stack.start(role));
            traffic.next();
            worker.take().unwrap().kill();
            *worker = Some(stack.start(role));
        }
        for collector in &traffic.collectors {
            let stopped = collector.lock().unwrap().take().unwrap();
            assert!(stopped.terminate().success());
            traffic.next();
            *collector.lock().unwrap() = Some(stack.start("collector"));
        }
        let killed = traffic.collectors[0].lock().unwrap().take().unwrap();
        killed.kill();
        traffic.next();
        traffic.stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
    });
    assert!(query.terminate().success());
    query = stack.start("query");

    let acknowledged = traffic.acknowledged.into_inner().unwrap();
    check_all(&query, &acknowledged);
    // P24, of all calls with their repetitions: not one was given up.
    assert_eq!(
        traffic.failed.into_inner(),
        0,
        "of {} calls",
        acknowledged.len()
    );
    // A request that was repeated counts again, and so do ten seconds before the kill (R16).
    let status = query.get_json("/api/status");
    let accepted = status["account"]["log"]["accepted"].as_u64().unwrap() / 2;
    let figures = crate::stack::answer_when(&query, "/api/services?window=1h", |_| {
        counted(&query) >= accepted
    });
    assert!(counted(&query) <= accepted + 300, "{accepted}: {figures}");
}
