//! Questions whose answers are known: what to ask of stored traffic, and what must come back, found by
//! looking at every span of it.

mod wanted;

use std::collections::BTreeMap;

use crate::body::Plan;
use crate::traffic::random::Random;
use crate::traffic::{Cycle, Form, Span, Trace, Value};
use crate::verify::hex;
use wanted::{Test, Wanted, escaped};

/// Hits of a page.
const LIMIT: usize = 20;
/// Variants of a search; more questions ask them again.
const VARIANTS: usize = 40;
/// Tags with few values, which many spans have.
const COMMON_TAGS: [&str; 4] = [
    "tenant.id",
    "http.response.status_code",
    "rpc.grpc.status_code",
    "db.operation.name",
];
/// Windows a search looks at, in turn; all of what is stored lies in each.
const WINDOWS: [&str; 3] = ["&start=now-1h", "&start=now-24h", ""];

/// Names of questions, in the order they are shown.
pub(crate) const BY_ID: &str = "trace by id";
pub(crate) const FRESH: &str = "trace by id, 1 to 10 s old";
pub(crate) const MISSING: &str = "trace by id, not stored";
pub(crate) const GIANT: &str = "trace by id, 10,000 spans (columns)";
pub(crate) const SEARCH: &str = "service, error, duration, tag";
pub(crate) const HUGE: &str = "huge trace by id (columns)";
pub(crate) const NEWEST: &str = "newest";
pub(crate) const SERVICE: &str = "service";
pub(crate) const SERVICE_ERROR: &str = "service, error";
pub(crate) const SERVICE_ERROR_DURATION: &str = "service, error, duration";
pub(crate) const SLOWEST_OF_SERVICE: &str = "slowest of a service";
const REQUEST_ID: &str = "tag that one trace has";
pub(crate) const SERVICES: &str = "services with their figures";

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) path: String,
    pub(crate) expect: Expect,
}

/// Its answer.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// A trace of so many spans; some at least while it is being sent.
    Spans(u64),
    /// 404.
    Nothing,
    /// These traces in this order; as many at least while others are being sent.
    Hits(Vec<[u8; 16]>),
    /// Traces of these durations.
    Durations(Vec<u64>),
    /// An answer.
    Any,
}

/// Everything asked of traffic that is stored in whole cycles.
#[derive(Debug)]
pub(crate) struct Questions {
    pub(crate) by_name: Vec<(&'static str, Vec<Question>)>,
}

/// Makes questions.
struct Asker<'a> {
    plan: &'a Plan,
    cycles: u64,
    began_unix_ns: u64,
    random: Random,
}

impl Questions {
    /// The questions of `cycles` whole cycles.
    pub(crate) fn new(plan: &Plan, cycles: u64, began_unix_ns: u64, count: usize) -> Questions {
        let mut asker = Asker {
            plan,
            cycles,
            began_unix_ns,
            random: Random::new(cycles),
        };
        let mut by_name = vec![
            (BY_ID, (0..count).map(|_| asker.by_id()).collect()),
            (MISSING, (0..count).map(|_| asker.missing()).collect()),
            (
                GIANT,
                (0..count.div_ceil(10)).map(|_| asker.giant()).collect(),
            ),
        ];
        by_name.extend(asker.searches());
        by_name.push((
            REQUEST_ID,
            (0..VARIANTS).map(|_| asker.request_id()).collect(),
        ));
        by_name.push((
            SERVICES,
            vec![Question {
                path: "/api/services".to_owned(),
                expect: Expect::Any,
            }],
        ));
        for (_, questions) in &mut by_name {
            let variants = questions.len();
            let more = count.saturating_sub(variants);
            let again: Vec<Question> = questions.iter().cycle().take(more).cloned().collect();
            questions.extend(again);
            if variants < count {
                questions.truncate(count);
            }
        }
        Questions { by_name }
    }

    /// The questions of a name.
    pub(crate) fn of(&self, name: &str) -> &[Question] {
        self.by_name
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(&[], |(_, questions)| questions)
    }
}

impl Asker<'_> {
    fn cycle(&self, number: u64) -> Cycle {
        self.plan.cycle(number, self.began_unix_ns)
    }

    /// A trace, but not the giant.
    fn any_trace(&mut self) -> u64 {
        let others = self.plan.traces() - 1;
        others.min(1 + self.random.below(others as usize) as u64)
    }

    fn any_cycle(&mut self) -> Cycle {
        let number = self.random.below(self.cycles as usize) as u64;
        self.cycle(number)
    }

    fn by_id(&mut self) -> Question {
        let (trace, cycle) = (self.any_trace(), self.any_cycle());
        let path = format!("/api/traces/{}", hex(&cycle.trace_id(trace)));
        Question {
            path,
            expect: Expect::Spans(self.plan.spans_of(trace)),
        }
    }

    fn missing(&mut self) -> Question {
        let path = format!(
            "/api/traces/{:016x}{:016x}",
            self.random.any(),
            self.random.any()
        );
        Question {
            path,
            expect: Expect::Nothing,
        }
    }

    fn giant(&mut self) -> Question {
        let cycle = self.any_cycle();
        let path = format!("/api/traces/{}?view=columns", hex(&cycle.trace_id(0)));
        Question {
            path,
            expect: Expect::Spans(self.plan.spans_of(0)),
        }
    }

    /// A value drawn in one request only: all spans that have it are of one trace.
    fn request_id(&mut self) -> Question {
        let (number, cycle) = (self.any_trace(), self.any_cycle());
        let trace = self.plan.trace(number);
        let mut attributes = trace.spans.iter().flat_map(|span| &span.attributes);
        let drawn = attributes.find(
            |(_, value)| matches!(value, Value::Drawn(drawn) if drawn.form == Form::RequestId),
        );
        let (tag, hits) = match drawn {
            Some((key, value)) => (
                format!("{}={}", &**key, cycle.text(value)),
                vec![cycle.trace_id(number)],
            ),
            // A demo draws nothing: then this asks for what nobody has.
            None => ("request.id=none".to_owned(), Vec::new()),
        };
        let path = format!("/api/traces?limit={LIMIT}&tag={}", escaped(&tag));
        Question {
            path,
            expect: Expect::Hits(hits),
        }
    }

    /// A span like those that will be asked for; one that failed, when that is wanted.
    fn any_span(&mut self, failed: bool) -> (String, Span) {
        for _ in 0..20_000 {
            let number = self.any_trace();
            let trace = self.plan.trace(number);
            let spans: Vec<&Span> = trace
                .spans
                .iter()
                .filter(|span| !failed || span.failure.is_some())
                .collect();
            if !spans.is_empty() {
                let span = (*self.random.pick(&spans)).clone();
                return (
                    self.plan.landscape.origins[span.origin as usize]
                        .service
                        .to_string(),
                    span,
                );
            }
        }
        let span = self.plan.trace(0).spans.swap_remove(0);
        (
            self.plan.landscape.origins[span.origin as usize]
                .service
                .to_string(),
            span,
        )
    }

    /// All searches: made like random spans, answered by looking at every span.
    fn searches(&mut self) -> Vec<(&'static str, Vec<Question>)> {
        let mut wanted: Vec<(&'static str, Wanted)> = Vec::new();
        for _ in 0..VARIANTS {
            wanted.extend(self.like(false));
            let (service, span) = self.any_span(true);
            let ms = span.duration_ns / 1_000_000 / 2;
            let cycle = self.cycle(0);
            let like_it = Wanted {
                service: Some(service),
                error: true,
                min_duration_ms: Some(ms),
                ..Wanted::default()
            };
            wanted.push((SERVICE_ERROR_DURATION, like_it.clone()));
            let all = Wanted {
                operation: Some(span.name.to_string()),
                tag: common_tag(&span, cycle),
                ..like_it.clone()
            };
            wanted.push((
                SEARCH,
                Wanted {
                    tag: common_tag(&span, cycle),
                    ..like_it
                },
            ));
            wanted.push(("service, operation, error, duration, tag", all));
        }
        let found = self.find(&wanted);
        let mut by_name: BTreeMap<usize, (&'static str, Vec<Question>)> = BTreeMap::new();
        for (nth, ((name, wanted), expect)) in wanted.iter().zip(found).enumerate() {
            let order = ORDER
                .iter()
                .position(|known| known == name)
                .unwrap_or(usize::MAX);
            let path = wanted.path() + WINDOWS[nth % WINDOWS.len()];
            by_name
                .entry(order)
                .or_insert((name, Vec::new()))
                .1
                .push(Question { path, expect });
        }
        by_name.into_values().collect()
    }

    /// Searches made like one span.
    fn like(&mut self, failed: bool) -> Vec<(&'static str, Wanted)> {
        let (service, span) = self.any_span(failed);
        let cycle = self.cycle(0);
        let of_service = Wanted {
            service: Some(service),
            ..Wanted::default()
        };
        let route = |text: &str| Some(("http.route".to_owned(), Test::EndsWith(text.to_owned())));
        vec![
            (NEWEST, Wanted::default()),
            (SERVICE, of_service.clone()),
            (
                "service, operation",
                Wanted {
                    operation: Some(span.name.to_string()),
                    ..of_service.clone()
                },
            ),
            (
                "service, duration",
                Wanted {
                    min_duration_ms: Some(span.duration_ns / 1_000_000),
                    ..of_service.clone()
                },
            ),
            (
                "service, tag",
                Wanted {
                    tag: common_tag(&span, cycle),
                    ..of_service.clone()
                },
            ),
            (
                SERVICE_ERROR,
                Wanted {
                    error: true,
                    ..of_service.clone()
                },
            ),
            (
                SLOWEST_OF_SERVICE,
                Wanted {
                    slowest: true,
                    ..of_service
                },
            ),
            (
                "slowest",
                Wanted {
                    slowest: true,
                    ..Wanted::default()
                },
            ),
            (
                "regular expression",
                Wanted {
                    tag: route("/details"),
                    ..Wanted::default()
                },
            ),
            (
                "regular expression, no match",
                Wanted {
                    tag: route("/nowhere"),
                    ..Wanted::default()
                },
            ),
            (
                "tag, no match",
                Wanted {
                    tag: Some(("tenant.id".to_owned(), Test::Equals("nobody".to_owned()))),
                    ..Wanted::default()
                },
            ),
            (
                "duration, no match",
                Wanted {
                    min_duration_ms: Some(100_000_000),
                    ..Wanted::default()
                },
            ),
        ]
    }

    /// The answers of all searches, in one walk over all traces.
    fn find(&self, wanted: &[(&'static str, Wanted)]) -> Vec<Expect> {
        let first = self.cycle(0);
        let mut newest: Vec<Vec<u64>> = vec![Vec::new(); wanted.len()];
        let mut slowest: Vec<Vec<u64>> = vec![Vec::new(); wanted.len()];
        for number in (0..self.plan.traces()).rev() {
            let trace = self.plan.trace(number);
            for (at, (_, wanted)) in wanted.iter().enumerate() {
                let enough = newest[at].len() == LIMIT && !wanted.slowest;
                if !enough
                    && trace
                        .spans
                        .iter()
                        .any(|span| wanted.holds(span, self.plan, first))
                {
                    newest[at].push(number);
                    slowest[at].push(duration_ns(&trace));
                }
            }
        }
        wanted
            .iter()
            .zip(newest)
            .zip(slowest)
            .map(|(((_, wanted), newest), slowest)| self.expect(wanted, &newest, slowest))
            .collect()
    }

    /// The first page over all cycles, given what one cycle has: newest traces first.
    fn expect(&self, wanted: &Wanted, newest: &[u64], mut slowest: Vec<u64>) -> Expect {
        if wanted.slowest {
            slowest.sort_unstable_by(|a, b| b.cmp(a));
            let each = slowest
                .iter()
                .flat_map(|&ns| std::iter::repeat_n(ns, self.cycles as usize));
            return Expect::Durations(each.take(LIMIT).collect());
        }
        let cycles = (0..self.cycles).rev().map(|cycle| self.cycle(cycle));
        let hits = cycles.flat_map(|cycle| newest.iter().map(move |&trace| cycle.trace_id(trace)));
        Expect::Hits(hits.take(LIMIT).collect())
    }
}

/// The order in which searches are shown.
const ORDER: [&str; 15] = [
    NEWEST,
    SERVICE,
    "service, operation",
    SERVICE_ERROR,
    "service, duration",
    "service, tag",
    SERVICE_ERROR_DURATION,
    SEARCH,
    "service, operation, error, duration, tag",
    SLOWEST_OF_SERVICE,
    "slowest",
    "regular expression",
    "regular expression, no match",
    "tag, no match",
    "duration, no match",
];

fn duration_ns(trace: &Trace) -> u64 {
    trace
        .spans
        .iter()
        .map(|span| span.start_ns + span.duration_ns)
        .max()
        .unwrap_or(0)
}

fn common_tag(span: &Span, cycle: Cycle) -> Option<(String, Test)> {
    let tag = span
        .attributes
        .iter()
        .find(|(key, _)| COMMON_TAGS.contains(&&**key));
    let (key, value) = tag.or_else(|| {
        span.attributes
            .iter()
            .find(|(_, value)| matches!(value, Value::Text(_)))
    })?;
    Some((key.to_string(), Test::Equals(cycle.text(value))))
}
