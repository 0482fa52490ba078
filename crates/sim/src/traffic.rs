//! What the storm's services send, and what its people ask: from a seed, with small vocabularies so
//! that everything meets. Every span is told apart by its ids; times lie on a coarse grid, so that
//! keys tie; values are hostile now and then.

use fastrand::Rng;
use tracewell_model::TraceId;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::trace_id;
use tracewell_storage::find::TagCondition;
use tracewell_storage::{Ack, Order, TagFilter, TraceQuery};

const MS: u64 = 1_000_000;
const SERVICES: [&str; 4] = ["shop", "cart", "pay", "mail"];
const OPERATIONS: [&str; 4] = ["GET /", "POST /order", "SELECT", "send"];
const KEYS: [&str; 4] = ["user", "code", "zone", "note"];
const TEXTS: [&str; 5] = ["1", "ann", "", "\0", "500"];
/// Traces that are alive at a time: late spans come to some of them.
const OPEN_TRACES: u64 = 24;

/// Sends requests.
#[derive(Debug)]
pub struct Traffic {
    random: Rng,
    next_span: u64,
    newest_trace: u64,
}

impl Traffic {
    /// Traffic of this seed.
    pub fn new(seed: u64) -> Traffic {
        Traffic {
            random: Rng::with_seed(seed),
            next_span: 1,
            newest_trace: OPEN_TRACES,
        }
    }

    /// The spans of one request, none of which was sent before.
    pub fn request(&mut self, now_unix_ns: u64) -> Vec<SpanSpec> {
        self.newest_trace += self.random.u64(..3);
        let spans = 1 + self.random.usize(..20);
        (0..spans).map(|_| self.span(now_unix_ns)).collect()
    }

    /// The level of acknowledgement it asks for.
    pub fn ack(&mut self) -> Ack {
        [Ack::Logged, Ack::Logged, Ack::Durable, Ack::Received][self.random.usize(..4)]
    }

    /// Any trace that was sent to, or may have been.
    pub fn trace(&mut self) -> TraceId {
        trace_id(1 + self.random.u64(..self.newest_trace))
    }

    fn span(&mut self, now_unix_ns: u64) -> SpanSpec {
        let trace = self.newest_trace - self.random.u64(..OPEN_TRACES);
        let start = now_unix_ns - self.random.u64(..100) * 10 * MS;
        let mut span = SpanSpec::new(trace, self.next_span, start);
        self.next_span += 1;
        span = span.named(self.one(&SERVICES), self.one(&OPERATIONS));
        span = span.lasting(self.random.u64(..50) * MS);
        if self.random.u8(..4) > 0 {
            span = span.child_of(1 + self.random.u64(..self.next_span));
        }
        if self.random.u8(..10) == 0 {
            span = span.failed();
        }
        for _ in 0..self.random.u8(..4) {
            let key = self.one(&KEYS);
            span = match self.random.u8(..4) {
                0 => span.with(key, self.random.i64(-2..3)),
                1 => span.with(key, format!("u-{}", self.random.u32(..)).as_str()),
                2 => span.with(key, "x".repeat(self.random.usize(..2_000)).as_str()),
                _ => span.with(key, self.one(&TEXTS)),
            };
        }
        if self.random.u8(..8) == 0 {
            span.event_attributes.push(("user".into(), "ann".into()));
            span.rest = vec![0x5a, 1, self.random.u8(..)];
        }
        span
    }

    /// A question.
    pub fn query(&mut self, now_unix_ns: u64) -> TraceQuery {
        let mut query = TraceQuery {
            limit: 1 + self.random.usize(..20),
            order: [Order::Newest, Order::Slowest][self.random.usize(..2)],
            ..TraceQuery::default()
        };
        for _ in 0..self.random.u8(..4) {
            match self.random.u8(..7) {
                0 => query.service = Some(self.one(&SERVICES).to_owned()),
                1 => query.operation = Some(self.one(&OPERATIONS).to_owned()),
                2 => query.span_error = Some(self.random.bool()),
                3 => query.min_span_duration_ns = Some(self.random.u64(..50) * MS),
                4 => query.error = Some(self.random.bool()),
                5 => query.start_unix_ns = Some(now_unix_ns - self.random.u64(..10_000) * MS),
                _ => query.tags.push(self.tag()),
            }
        }
        query
    }

    fn tag(&mut self) -> TagFilter {
        let condition = match self.random.u8(..4) {
            0 => TagCondition::Exists,
            1 => TagCondition::NotEquals(self.one(&TEXTS).to_owned()),
            _ => TagCondition::Equals(self.one(&TEXTS).to_owned()),
        };
        TagFilter {
            key: self.one(&KEYS).to_owned(),
            condition,
        }
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.random.usize(..of.len())]
    }
}
