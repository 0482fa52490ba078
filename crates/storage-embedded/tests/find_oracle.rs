//! Search against the memory backend, which is brute force: random spans in random requests,
//! sealed and reopened at random, and random queries, page by page, while more arrives.

mod engine_support;

use engine_support::{Lab, MS, NOW, SECOND};
use fastrand::Rng;
use tracewell_model::TraceStatus;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::find::TagCondition;
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::{Names, Order, Sink, TagFilter, TraceFinder, TraceQuery};
use tracewell_storage_embedded::EngineOptions;

const TRACES: u64 = 150;

fn pick<'a>(random: &mut Rng, from: &[&'a str]) -> &'a str {
    from[random.usize(..from.len())]
}

fn random_span(random: &mut Rng) -> SpanSpec {
    let trace = 1 + random.u64(..TRACES);
    // A few span ids per trace: parents exist, are missing, and ids repeat.
    let number = 1 + random.u64(..8);
    let start = NOW + trace / 2 * 7 * MS + random.u64(..40) * MS;
    let service = pick(random, &["cart", "pay", "web"]);
    let operation = pick(random, &["GET /", "POST /", "SELECT"]);
    let mut span = SpanSpec::new(trace, number, start).named(service, operation);
    span = span.lasting(random.u64(..20) * MS);
    if number > 1 {
        span = span.child_of(1 + random.u64(..6));
    }
    // Of the few that fail in most runs, an index has copies; not of many.
    if random.u8(..25) == 0 {
        span = span.failed();
    }
    for _ in 0..random.u8(..3) {
        let key = pick(random, &["user", "code", "zone"]);
        span = match random.bool() {
            true => span.with(key, random.i64(..4)),
            false => span.with(key, pick(random, &["1", "a", "ab", "\0"])),
        };
    }
    match random.u8(..10) {
        0 => span.resource_attributes.push(("zone".into(), "r".into())),
        1 => span.scope_attributes.push(("code".into(), 1.into())),
        2 => span.event_attributes.push(("user".into(), "a".into())),
        3 => span = span.with("long", "x".repeat(2_000 + random.usize(..3)).as_str()),
        _ => {}
    }
    span
}

fn random_tag(random: &mut Rng) -> TagFilter {
    let key = pick(random, &["user", "code", "zone", "long", "none"]).to_owned();
    let value = match random.u8(..8) {
        0 => "x".repeat(2_001),
        _ => pick(random, &["1", "2", "a", "ab", "r", "\0"]).to_owned(),
    };
    let condition = match random.u8(..4) {
        0 => TagCondition::Exists,
        1 => TagCondition::Equals(value),
        2 => TagCondition::NotEquals(value),
        _ => TagCondition::Matches(
            pick(random, &["^a", "[12]", "x{9}$", "b"])
                .parse()
                .expect("answers"),
        ),
    };
    TagFilter { key, condition }
}

fn maybe<T>(random: &mut Rng, one_in: u8, make: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (random.u8(..one_in) == 0).then(|| make(random))
}

fn random_query(random: &mut Rng) -> TraceQuery {
    let tags = if random.u8(..3) == 0 {
        1 + random.usize(..2)
    } else {
        0
    };
    TraceQuery {
        service: maybe(random, 3, |r| {
            pick(r, &["cart", "pay", "web", "none"]).to_owned()
        }),
        operation: maybe(random, 5, |r| {
            pick(r, &["GET /", "SELECT", "none"]).to_owned()
        }),
        span_error: maybe(random, 3, Rng::bool),
        min_span_duration_ns: maybe(random, 6, |r| r.u64(..18) * MS),
        max_span_duration_ns: maybe(random, 6, |r| r.u64(..18) * MS),
        tags: (0..tags).map(|_| random_tag(random)).collect(),
        error: maybe(random, 8, Rng::bool),
        status: maybe(random, 6, |r| {
            [TraceStatus::Ok, TraceStatus::Error, TraceStatus::Partial][r.usize(..3)]
        }),
        min_duration_ns: maybe(random, 8, |r| r.u64(..60) * MS),
        max_duration_ns: maybe(random, 8, |r| r.u64(..60) * MS),
        start_unix_ns: maybe(random, 5, |r| NOW + r.u64(..600) * MS),
        end_unix_ns: maybe(random, 5, |r| NOW + r.u64(..600) * MS),
        order: if random.bool() {
            Order::Newest
        } else {
            Order::Slowest
        },
        limit: 1 + random.usize(..30),
        cursor: None,
    }
}

struct Pair {
    lab: Lab,
    memory: MemoryStore,
    random: Rng,
    merges: usize,
}

impl Pair {
    fn new(seed: u64, options: EngineOptions) -> Pair {
        Pair {
            lab: Lab::new(options),
            memory: MemoryStore::new(),
            random: Rng::with_seed(seed),
            merges: 0,
        }
    }

    fn push_some(&mut self) {
        let mut spans: Vec<SpanSpec> = (0..1 + self.random.usize(..12))
            .map(|_| random_span(&mut self.random))
            .collect();
        if self.random.u8(..4) == 0 {
            // Redelivered by a client: the same spans in another record.
            let repeat = spans[self.random.usize(..spans.len())].clone();
            spans.push(repeat);
        }
        self.lab.push(&spans);
        let last = self.lab.log.len() - 1;
        self.memory.apply(&self.lab.log[last..]).expect("answers");
    }

    fn disturb(&mut self) {
        match self.random.u8(..30) {
            0 => self.lab.seal(),
            2..6 => self.merges += self.lab.compact(),
            1 => {
                self.lab.reopen();
                self.lab.replay();
            }
            _ => {}
        }
    }

    fn compare_pages(&mut self, arriving: bool) {
        let mut query = random_query(&mut self.random);
        for page in 0..4 {
            let context = self.lab.context();
            let ours = self.lab.find(&query);
            let theirs = self.memory.find_traces(&query, &context).expect("answers");
            let what = format!("page {page} of {query:?}");
            assert_eq!(ours.incomplete, [""; 0], "{what}");
            assert_eq!(ours.hits, theirs.hits, "{what}");
            assert_eq!(ours.next, theirs.next, "{what}");
            let Some(cursor) = ours.next else { break };
            query.cursor = Some(cursor);
            if arriving {
                self.push_some();
                self.disturb();
            }
        }
    }

    /// Many short pages, much arriving between them: keys move, and each page orders by those as
    /// of the first one.
    fn compare_moving_pages(&mut self) {
        let mut query = TraceQuery {
            limit: 2 + self.random.usize(..8),
            service: maybe(&mut self.random, 3, |_| "web".to_owned()),
            ..TraceQuery::default()
        };
        for page in 0..12 {
            let ours = self.lab.find(&query);
            let context = self.lab.context();
            let theirs = self.memory.find_traces(&query, &context).expect("answers");
            assert_eq!(ours.hits, theirs.hits, "page {page} of {query:?}");
            assert_eq!(ours.next, theirs.next, "page {page} of {query:?}");
            query.cursor = ours.next;
            if query.cursor.is_none() {
                break;
            }
            for _ in 0..4 {
                self.push_some();
            }
            self.disturb();
        }
    }

    fn compare_names(&mut self) {
        let context = self.lab.context();
        let engine = self.lab.engine.traces();
        let same = |ours: Names, theirs: Names| {
            assert_eq!((ours.names, ours.capped), (theirs.names, theirs.capped));
        };
        let memory = &self.memory;
        same(
            engine.list_services(&context).expect("answers"),
            memory.list_services(&context).expect("answers"),
        );
        for service in ["cart", "none"] {
            let ours = engine.list_operations(service, &context).expect("answers");
            same(
                ours,
                memory.list_operations(service, &context).expect("answers"),
            );
        }
        for (prefix, limit) in [("", 2), ("", 100), ("z", 10), ("zz", 10)] {
            let ours = engine
                .list_tag_keys(prefix, limit, &context)
                .expect("answers");
            same(
                ours,
                memory
                    .list_tag_keys(prefix, limit, &context)
                    .expect("answers"),
            );
        }
        let long = "x".repeat(2_001);
        for key in ["user", "zone", "long", "none"] {
            for (prefix, limit) in [("", 2), ("", 100), ("a", 10), ("x", 1), (long.as_str(), 10)] {
                let ours = engine
                    .list_tag_values(key, prefix, limit, &context)
                    .expect("answers");
                same(
                    ours,
                    memory
                        .list_tag_values(key, prefix, limit, &context)
                        .expect("answers"),
                );
            }
        }
    }
}

/// Answers how many merges there were.
fn play(seed: u64, options: EngineOptions) -> usize {
    let mut pair = Pair::new(seed, options);
    for round in 0..60 {
        pair.push_some();
        pair.disturb();
        if round == 30 {
            // While traces are young and their starts still move.
            pair.compare_moving_pages();
        }
    }
    for round in 0..50 {
        pair.compare_pages(round % 2 == 0);
    }
    pair.compare_names();
    pair.lab.seal();
    pair.lab.compact();
    pair.compare_names();
    pair.lab.assert_account(pair.lab.logged_spans());
    pair.merges
}

#[test]
fn five_hundred_random_queries_answer_as_the_memory_backend_does() {
    let mut merges = 0;
    for seed in 0..10 {
        let small = EngineOptions {
            head_spans_max: 40 + seed * 30,
            block_spans: 5 + seed as usize * 9,
            cache_bytes_max: if seed % 2 == 0 { 0 } else { 1 << 20 },
            // Then a frozen head stands between the growing one and the segments.
            seal_inline: seed % 3 != 0,
            merge_segments_min: 2 + seed as usize % 4,
            ..EngineOptions::default()
        };
        merges += play(seed, small);
    }
    assert!(merges > 20, "only {merges} merges");
}

#[test]
fn a_search_without_time_answers_what_it_proved() {
    let mut pair = Pair::new(
        99,
        EngineOptions {
            head_spans_max: 50,
            ..EngineOptions::default()
        },
    );
    for _ in 0..60 {
        pair.push_some();
    }
    let context = pair.lab.context();
    pair.lab.clock.advance(61 * SECOND);
    for order in [Order::Newest, Order::Slowest] {
        let query = TraceQuery {
            order,
            limit: 10,
            ..TraceQuery::default()
        };
        let found = pair
            .lab
            .engine
            .traces()
            .find_traces(&query, &context)
            .expect("answers");
        assert_eq!(found.incomplete.len(), 1, "{:?}", found.incomplete);
    }
}
