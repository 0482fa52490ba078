//! What each span of a sample says: where its own time belongs, and whether a failure began in it.

use hashbrown::{HashMap, HashSet};
use tracewell_model::SpanKind;

use crate::critical_path;
use crate::forest::Forest;
use crate::sample::{NONE, Names, Op, Sample, Service, Span};

/// A child that a span of an operation has this often is missed when it is not there.
const ALWAYS: f64 = 0.95;
/// Spans that it takes to say "always".
const ALWAYS_SPANS_MIN: u64 = 20;
/// A call went to this operation this often: then it is where it goes also when nobody answers.
const MAJORITY: f64 = 0.8;
/// With less than this part of its usual spans, a service is gone.
const GONE: f64 = 0.1;

/// Where time is spent, or a failure seen: in an operation itself, or on its call of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) op: Op,
    /// The operation of another service that it calls and waits for, and does nothing else.
    pub(super) callee: Option<Op>,
}

/// Why a failure is said to have begun in a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It failed, and nothing that it waited for did.
    Error,
    /// No span failed, but one that is always there beneath this one is not.
    Missing,
}

/// One span of a sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed<'a> {
    pub(super) span: &'a Span,
    /// The position of its parent among all that was observed.
    pub(super) parent: u32,
    pub(super) place: Place,
    /// Its own time on the critical path.
    pub(super) exclusive_ns: u64,
    /// Whether a failure began in it, and where that is counted.
    pub(super) failure: Option<(Failure, Place)>,
    /// How long its trace took.
    pub(super) trace_ns: u64,
    /// The trace has a root, and no orphans.
    pub(super) whole: bool,
}

/// What calls look like when all is well.
#[derive(Debug, Default)]
pub(super) struct Habits {
    /// Spans of an operation.
    spans: HashMap<Op, u64>,
    /// Those of them with a child of another operation.
    with_child: HashMap<(Op, Op), u64>,
    /// Where calls of an operation go, by whom they say they call.
    callees: HashMap<(Op, u32), HashMap<Option<Op>, u64>>,
    /// Spans per service.
    services: HashMap<Service, u64>,
    traces: u64,
}

impl Habits {
    /// Learns from a sample.
    pub(super) fn learn(&mut self, sample: &Sample, names: &Names) {
        for trace in sample.traces() {
            self.traces += 1;
            let forest = Forest::of(trace, names);
            for (at, span) in forest.spans.iter().enumerate() {
                *self.spans.entry(span.op).or_default() += 1;
                *self.services.entry(names.service_of(span.op)).or_default() += 1;
                let mut children: Vec<Op> = forest
                    .waited_for(at)
                    .map(|child| forest.spans[child].op)
                    .collect();
                children.sort_unstable();
                children.dedup();
                for child in children {
                    *self.with_child.entry((span.op, child)).or_default() += 1;
                }
                if let Some(callee) = call(&forest, at, names) {
                    let callees = self.callees.entry((span.op, span.peer)).or_default();
                    *callees.entry(callee).or_default() += 1;
                }
            }
        }
    }

    /// Children that every span of an operation has.
    fn always(&self) -> HashMap<Op, Vec<Op>> {
        let mut always: HashMap<Op, Vec<Op>> = HashMap::new();
        for (&(op, child), &with) in &self.with_child {
            let spans = self.spans.get(&op).copied().unwrap_or(0);
            if spans >= ALWAYS_SPANS_MIN && with as f64 >= ALWAYS * spans as f64 {
                always.entry(op).or_default().push(child);
            }
        }
        always
    }

    /// Whom a call reaches that nobody answered.
    fn callee(&self, op: Op, peer: u32) -> Option<Op> {
        let callees = self.callees.get(&(op, peer))?;
        let answered: u64 = callees
            .iter()
            .filter(|(to, _)| to.is_some())
            .map(|(_, n)| n)
            .sum();
        let (to, most) = callees
            .iter()
            .filter_map(|(to, n)| Some(((*to)?, *n)))
            .max_by_key(|&(to, n)| (n, to))?;
        (most as f64 >= MAJORITY * answered as f64).then_some(to)
    }

    /// Services that have less than a tenth of the spans in these habits for each trace.
    pub(super) fn gone_since(&self, before: &Habits) -> HashSet<Service> {
        let each = |habits: &Habits, service: &Service| {
            let spans = habits.services.get(service).copied().unwrap_or(0);
            spans as f64 / habits.traces.max(1) as f64
        };
        let services = before.services.keys();
        let is_gone = |service: &&Service| each(self, service) < GONE * each(before, service);
        services.filter(is_gone).copied().collect()
    }
}

/// If a span does nothing but call: the operation of another service that answered, if one did.
fn call(forest: &Forest<'_>, at: usize, names: &Names) -> Option<Option<Op>> {
    let span = forest.spans[at];
    let service = names.service_of(span.op);
    let is_foreign = |&child: &usize| names.service_of(forest.spans[child].op) != service;
    let answer = forest.waited_for(at).find(is_foreign);
    let answer = answer.map(|child| forest.spans[child].op);
    match span.kind() {
        SpanKind::Client | SpanKind::Producer => Some(answer),
        // Who names no kinds names no calls: a span between a service's own and another's is one.
        SpanKind::Unspecified => {
            let parent = forest.parent(at)?;
            let inside = names.service_of(forest.spans[parent].op) == service;
            let only = forest.waited_for(at).count() == 1;
            (inside && only && answer.is_some()).then_some(answer)
        }
        _ => None,
    }
}

/// Observes the spans of traces, one trace at a time.
#[derive(Debug)]
pub(super) struct Observer<'n> {
    names: &'n Names,
    habits: &'n Habits,
    gone: HashSet<Service>,
    always: HashMap<Op, Vec<Op>>,
}

impl<'n> Observer<'n> {
    /// An observer that knows what is normal, and which services are gone since.
    pub(super) fn new(names: &'n Names, habits: &'n Habits, gone: HashSet<Service>) -> Self {
        Observer {
            names,
            habits,
            gone,
            always: habits.always(),
        }
    }

    /// Every span of a sample; those of a trace stand together.
    pub(super) fn observe<'a>(&self, sample: &'a Sample) -> Vec<Observed<'a>> {
        let mut all = Vec::with_capacity(sample.spans());
        for trace in sample.traces() {
            self.trace(&Forest::of(trace, self.names), &mut all);
        }
        all
    }

    fn trace<'a>(&self, forest: &Forest<'a>, all: &mut Vec<Observed<'a>>) {
        let first = all.len() as u32;
        let path = critical_path::of_nodes(&forest.nodes);
        let mut tops = forest.nodes.iter().filter(|node| node.parent.is_none());
        let whole = tops.next().is_some_and(|top| !top.orphan) && tops.next().is_none();
        let trace_ns = forest.duration_ns();
        for (at, &span) in forest.spans.iter().enumerate() {
            // A call that nobody answered goes where such calls go.
            let usual = || self.habits.callee(span.op, span.peer);
            let callee = match call(forest, at, self.names) {
                Some(answer) => answer.or_else(usual),
                None if forest.children[at].is_empty() => usual(),
                None => None,
            };
            all.push(Observed {
                span,
                parent: forest.nodes[at]
                    .parent
                    .map_or(NONE, |parent| first + parent),
                place: Place {
                    op: span.op,
                    callee,
                },
                exclusive_ns: path[at].unwrap_or(0),
                failure: None,
                trace_ns,
                whole,
            });
        }
        self.failures(forest, &mut all[first as usize..]);
    }

    /// Failures begin in the deepest span that has one. A span that is missing says something only
    /// where none failed.
    fn failures(&self, forest: &Forest<'_>, seen: &mut [Observed<'_>]) {
        let failed = forest.spans.iter().any(|span| span.error);
        let mut below = vec![false; seen.len()];
        // A span's children come after it, so all below is known when it is looked at.
        for at in (0..seen.len()).rev() {
            let failure = match failed {
                true => forest.spans[at]
                    .error
                    .then_some((Failure::Error, seen[at].place)),
                false => self
                    .missing(forest, at, seen[at].place)
                    .map(|place| (Failure::Missing, place)),
            };
            let beneath = forest.waited_for(at).any(|child| below[child]);
            below[at] = beneath || failure.is_some();
            seen[at].failure = failure.filter(|_| !beneath);
        }
    }

    /// Where it counts that something which is always beneath such a span is not there.
    fn missing(&self, forest: &Forest<'_>, at: usize, place: Place) -> Option<Place> {
        let op = forest.spans[at].op;
        let is_there = |child: &Op| {
            forest
                .waited_for(at)
                .any(|own| forest.spans[own].op == *child)
        };
        let mut expected = self.always.get(&op).into_iter().flatten();
        let missing = *expected.find(|child| !is_there(child))?;
        let service = self.names.service_of(missing);
        let is_gone = service != self.names.service_of(op) && self.gone.contains(&service);
        Some(match is_gone {
            true => Place {
                op,
                callee: Some(missing),
            },
            false => place,
        })
    }
}
