//! Spans and queries by chance, from a seed: small vocabularies, so that predicates meet, and
//! times on a coarse grid, so that keys tie.

use std::ops::RangeInclusive;

use regex::Regex;
use tracewell_model::{SpanKind, StatusCode, TraceStatus};

use super::spans::{Attributes, OwnedValue, SpanSpec};
use super::store_bench::MS;
use crate::find::{Order, TagCondition, TagFilter, TraceQuery};

const SERVICES: [&str; 5] = ["shop", "cart", "pay", "mail", "Shop"];
const OPERATIONS: [&str; 5] = ["GET /", "POST /order", "SELECT", "send", ""];
const KEYS: [&str; 5] = ["http.status_code", "user", "retry", "payload", "host"];
const TEXTS: [&str; 6] = ["500", "200", "true", "ann", "", "0a"];
const REGEXES: [&str; 5] = ["^5", "a", "^$", "0$", "(?i)ANN|true"];

pub(super) struct Random {
    rng: fastrand::Rng,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random {
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.rng.u64(0..most)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.usize(0..of.len())]
    }

    fn sometimes(&mut self, percent: u8) -> bool {
        self.rng.u8(0..100) < percent
    }

    /// Traces of these numbers, within the minute before `now`.
    pub(super) fn traces(
        &mut self,
        numbers: RangeInclusive<u64>,
        now_unix_ns: u64,
    ) -> Vec<SpanSpec> {
        numbers
            .flat_map(|number| self.trace(number, now_unix_ns))
            .collect()
    }

    /// One trace: 1 to 12 spans, sometimes with an orphan, sometimes without a root.
    pub(super) fn trace(&mut self, number: u64, now_unix_ns: u64) -> Vec<SpanSpec> {
        let start = now_unix_ns - (1 + self.below(600)) * 100 * MS;
        let count = 1 + self.below(12);
        let rootless = self.sometimes(8);
        (1..=count)
            .map(|span| self.span(number, span, rootless, start))
            .collect()
    }

    fn span(&mut self, trace: u64, number: u64, rootless: bool, start: u64) -> SpanSpec {
        let later = if number == 1 {
            0
        } else {
            self.below(10) * 10 * MS
        };
        let duration = self.below(8) * 25 * MS;
        let mut span = SpanSpec::new(trace, number, start + later).lasting(duration);
        if number > 1 || rootless {
            let orphan = rootless && number == 1 || self.sometimes(2);
            let parent = if orphan {
                999
            } else {
                1 + self.below(number - 1)
            };
            span = span.child_of(parent);
        }
        span.service = self.one(&SERVICES).to_owned();
        span.operation = self.one(&OPERATIONS).to_owned();
        span.kind = SpanKind::from_u8(self.rng.u8(0..6)).unwrap_or_default();
        span.status = self.one(&[StatusCode::Unset, StatusCode::Ok, StatusCode::Unset]);
        if self.sometimes(5) {
            span.status = StatusCode::Error;
        }
        span.attributes = self.attributes(4);
        if self.sometimes(30) {
            span.resource_attributes = self.attributes(2);
        }
        if self.sometimes(20) {
            span.scope_attributes = self.attributes(2);
        }
        if self.sometimes(20) {
            span.event_attributes = self.attributes(2);
        }
        span
    }

    fn attributes(&mut self, most: usize) -> Attributes {
        let count = self.rng.usize(0..=most);
        (0..count)
            .map(|_| (self.one(&KEYS).to_owned(), self.value()))
            .collect()
    }

    fn value(&mut self) -> OwnedValue {
        match self.below(8) {
            0 => OwnedValue::Int(self.one(&[500, 200, i64::MIN, i64::MAX])),
            1 => OwnedValue::Bool(self.rng.bool()),
            2 => OwnedValue::Double(self.one(&[0.5, 500.0, f64::NAN])),
            3 => OwnedValue::Bytes(vec![10; self.rng.usize(0..3)]),
            4 => OwnedValue::Any(self.one(&[&[][..], &[0x18, 200, 1]]).to_vec()),
            _ => OwnedValue::from(self.one(&TEXTS)),
        }
    }

    /// The same spans in shuffled requests, some spans twice.
    pub(super) fn requests(&mut self, spans: &[SpanSpec]) -> Vec<Vec<SpanSpec>> {
        let mut order: Vec<&SpanSpec> = spans.iter().collect();
        let again: Vec<&SpanSpec> = spans.iter().filter(|_| self.sometimes(4)).collect();
        order.extend(again);
        self.rng.shuffle(&mut order);
        order
            .chunks(60)
            .map(|request| request.iter().copied().cloned().collect())
            .collect()
    }

    /// A query of one to four predicates, mostly.
    pub(super) fn query(&mut self, now_unix_ns: u64) -> TraceQuery {
        let mut query = TraceQuery {
            limit: 1 + self.rng.usize(0..40),
            ..TraceQuery::default()
        };
        query.order = self.one(&[Order::Newest, Order::Slowest]);
        for _ in 0..self.below(5) {
            self.predicate(&mut query, now_unix_ns);
        }
        query
    }

    fn predicate(&mut self, query: &mut TraceQuery, now_unix_ns: u64) {
        let duration = self.below(9) * 25 * MS;
        match self.below(14) {
            0 => query.service = Some(self.one(&SERVICES).to_owned()),
            1 => query.operation = Some(self.one(&OPERATIONS).to_owned()),
            2 => query.span_error = Some(self.rng.bool()),
            3 => query.min_span_duration_ns = Some(duration),
            4 => query.max_span_duration_ns = Some(duration),
            5 => query.error = Some(self.rng.bool()),
            6 => {
                let all = [TraceStatus::Ok, TraceStatus::Error, TraceStatus::Partial];
                query.status = Some(self.one(&all));
            }
            7 => query.min_duration_ns = Some(duration),
            8 => query.max_duration_ns = Some(duration),
            9 => query.start_unix_ns = Some(now_unix_ns - self.below(600) * 100 * MS),
            10 => query.end_unix_ns = Some(now_unix_ns - self.below(600) * 100 * MS),
            _ => {
                let filter = self.tag_filter();
                query.tags.push(filter);
            }
        }
    }

    fn tag_filter(&mut self) -> TagFilter {
        let text = || -> [&str; 9] {
            let mut texts = ["9223372036854775807"; 9];
            texts[..6].copy_from_slice(&TEXTS);
            texts[6] = "NaN";
            texts[7] = "0.5";
            texts
        };
        let condition = match self.below(5) {
            0 => TagCondition::Exists,
            1 => TagCondition::NotEquals(self.one(&text()).to_owned()),
            2 => {
                let regex = Regex::new(self.one(&REGEXES));
                TagCondition::Matches(regex.expect("the expressions above are sound"))
            }
            _ => TagCondition::Equals(self.one(&text()).to_owned()),
        };
        TagFilter {
            key: self.one(&KEYS).to_owned(),
            condition,
        }
    }
}
