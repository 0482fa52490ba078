//! What is known about a trace's missing parents, read as it is needed and once.

use hashbrown::{HashMap, HashSet};
use tracewell_model::trace::Row;
use tracewell_model::{Marks, SpanId, SpanKind, SpanRef, Trace};
use tracewell_storage::RefusedSpan;
use tracewell_storage::roll::RollCall;
use tracewell_storage::stats::{OTHER, Window};
use tracewell_wire::rest::Rest;

use super::is_within;
use crate::querier::Readers;

/// Callers are looked for so far around the trace, and failing that so far.
const AROUND_NS: [u64; 2] = [1_800_000_000_000, 86_400_000_000_000];
/// Callers that are named beside the likeliest.
const OTHERS_MAX: usize = 3;
/// W3C: this span's context was sampled. OTLP: whether the parent is remote is known, so flags were set at all.
const SAMPLED: u32 = 1;
const FLAGS_KNOWN: u32 = 0x100;

/// Who owed a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Service {
        name: String,
        /// It is the child's own process.
        within: bool,
        /// Others that it may as well have been.
        or: Vec<String>,
    },
    /// The child's service has figures, and nobody calls it.
    Nobody,
    /// There are no figures.
    Unclear,
}

impl Owed {
    pub(super) fn service(&self) -> Option<&str> {
        match self {
            Owed::Service { name, .. } => Some(name),
            Owed::Nobody | Owed::Unclear => None,
        }
    }

    /// Of those that are equally likely, one that something is known of.
    pub(super) fn prefer(&mut self, mut is_known: impl FnMut(&str, bool) -> bool) {
        let Owed::Service { name, within, or } = self else {
            return;
        };
        if or.is_empty() || is_known(name, *within) {
            return;
        }
        if let Some(other) = or.iter_mut().find(|other| is_known(other, *within)) {
            std::mem::swap(name, other);
        }
    }
}

/// Calls between services: (caller, callee, how many).
type Calls = Vec<(String, String, u64)>;

pub(super) struct Evidence<'a> {
    trace: &'a Trace<'a>,
    readers: &'a Readers,
    /// The earliest child of each missing parent.
    first_children: HashMap<SpanId, usize>,
    /// Spans that call somebody who is not in the trace.
    unanswered: Vec<usize>,
    services: HashSet<&'a str>,
    calls: [Option<Calls>; 2],
    rolls: HashMap<String, RollCall>,
    latest_unix_ns: u64,
}

impl<'a> Evidence<'a> {
    pub(super) fn new(trace: &'a Trace<'a>, readers: &'a Readers) -> Self {
        let mut first_children: HashMap<SpanId, usize> = HashMap::new();
        let mut answered = vec![false; trace.rows.len()];
        for (at, row) in trace.rows.iter().enumerate() {
            if let Some(parent) = row.parent {
                answered[parent as usize] |= !is_within(row.span.kind());
            }
            if let Some(parent) = row.span.parent().filter(|_| row.orphan) {
                let first = first_children.entry(parent).or_insert(at);
                if row.span.start_unix_ns() < trace.rows[*first].span.start_unix_ns() {
                    *first = at;
                }
            }
        }
        let calls = |row: &Row<'_>| {
            matches!(
                row.span.kind(),
                SpanKind::Client | SpanKind::Producer | SpanKind::Unspecified
            )
        };
        let rows = || trace.rows.iter().enumerate();
        Evidence {
            trace,
            readers,
            first_children,
            unanswered: rows()
                .filter(|(at, row)| !answered[*at] && calls(row))
                .map(|(at, _)| at)
                .collect(),
            services: trace.rows.iter().map(|row| row.span.service()).collect(),
            calls: [None, None],
            rolls: HashMap::new(),
            latest_unix_ns: rows()
                .map(|(_, row)| row.span.end_unix_ns())
                .max()
                .unwrap_or(0),
        }
    }

    pub(super) fn start_unix_ns(&self) -> u64 {
        self.trace.summary.start_unix_ns
    }

    /// When the trace's last span ended.
    pub(super) fn latest_unix_ns(&self) -> u64 {
        self.latest_unix_ns
    }

    pub(super) fn first_child(&self, missing: SpanId) -> Option<&'a Row<'a>> {
        self.first_children
            .get(&missing)
            .map(|&at| &self.trace.rows[at])
    }

    /// Whether this process refused the span at its door.
    pub(super) fn refused(&self, span_id: SpanId) -> Option<RefusedSpan> {
        let trace_id = self.trace.summary.trace_id;
        self.readers.refusals.get(trace_id, span_id)
    }

    /// A roll that cannot be read has nobody on it: the reason is then not known.
    pub(super) fn roll(&mut self, service: &str) -> &RollCall {
        let stats = &self.readers.stats;
        self.rolls
            .entry_ref(service)
            .or_insert_with(|| stats.read_roll(service).unwrap_or_default())
    }

    /// Who owed the parent of this span.
    pub(super) fn owed(&mut self, child: &Row<'_>) -> Owed {
        let span = child.span;
        let own = |within| Owed::Service {
            name: span.service().to_owned(),
            within,
            or: Vec::new(),
        };
        let kind = span.kind();
        if is_within(kind) && !span.marks().has(Marks::SHARED_ID) {
            return own(true);
        }
        let callers = self.callers(span.service(), span.start_unix_ns());
        match callers.split_first() {
            Some(((name, _), others)) => Owed::Service {
                name: name.clone(),
                within: false,
                or: others.iter().map(|(name, _)| name.clone()).collect(),
            },
            // A span that does not say what it is may as well be a step of its own service's.
            None if kind == SpanKind::Unspecified && self.services.len() > 1 => own(false),
            None if self.has_figures(span.service()) => Owed::Nobody,
            None => Owed::Unclear,
        }
    }

    /// Who calls this service, the likeliest first, with the others that are just as likely: those in the trace,
    /// and those that a span of the trace called at that time without an answer of theirs being there.
    fn callers(&mut self, service: &str, at_unix_ns: u64) -> Vec<(String, u32)> {
        for reach in 0..AROUND_NS.len() {
            let calls = self.read_calls(reach);
            let mut callers: Vec<(String, u64)> = calls
                .iter()
                .filter(|(caller, callee, _)| {
                    callee == service && caller != service && caller != OTHER
                })
                .map(|(caller, _, count)| (caller.clone(), *count))
                .collect();
            callers.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let mut likely: Vec<(String, u32)> = callers
                .into_iter()
                .map(|(caller, _)| {
                    let likelihood = self.likelihood(&caller, reach, at_unix_ns);
                    (caller, likelihood)
                })
                .collect();
            likely.sort_by_key(|(_, likelihood)| std::cmp::Reverse(*likelihood));
            if let Some(best) = likely.first().map(|(_, likelihood)| *likelihood) {
                likely.retain(|(_, likelihood)| *likelihood == best);
                likely.truncate(1 + OTHERS_MAX);
                return likely;
            }
        }
        Vec::new()
    }

    /// How well a service fits between the trace and the orphan.
    fn likelihood(&self, caller: &str, reach: usize, at_unix_ns: u64) -> u32 {
        let calls = self.calls[reach].as_deref().unwrap_or_default();
        let was_called = self.unanswered.iter().any(|&at| {
            let span = self.trace.rows[at].span;
            let during = span.start_unix_ns() <= at_unix_ns && at_unix_ns <= span.end_unix_ns();
            let known =
                |(from, to, _): &(String, String, u64)| from == span.service() && to == caller;
            during && calls.iter().any(known)
        });
        2 * u32::from(was_called) + u32::from(self.services.contains(caller))
    }

    fn read_calls(&mut self, reach: usize) -> &Calls {
        let window = self.window(AROUND_NS[reach]);
        let stats = &self.readers.stats;
        self.calls[reach].get_or_insert_with(|| {
            let answer = stats.read_graph(&window).unwrap_or_default();
            let calls = answer.rows.into_iter();
            calls
                .map(|edge| (edge.parent, edge.child, edge.figures.count))
                .collect()
        })
    }

    fn has_figures(&self, service: &str) -> bool {
        let window = self.window(AROUND_NS[1]);
        let answer = self.readers.stats.read_operations(service, &window);
        answer.is_ok_and(|answer| !answer.rows.is_empty())
    }

    fn window(&self, around_ns: u64) -> Window {
        Window {
            from_unix_ns: self.start_unix_ns().saturating_sub(around_ns),
            to_unix_ns: self.latest_unix_ns.saturating_add(around_ns),
            steps: 0,
        }
    }
}

/// True for a span whose own context was not sampled, or was sampled with a probability: its service keeps what
/// its caller may not have kept.
pub(super) fn unsampled(span: SpanRef<'_>) -> bool {
    if span.flags() & FLAGS_KNOWN != 0 && span.flags() & SAMPLED == 0 {
        return true;
    }
    // W3C's `ot` entry: `th` is the threshold below which spans are left out; "0" leaves out none.
    let rest = Rest::parse(span.rest());
    let entries = rest
        .trace_state
        .split(',')
        .filter_map(|entry| entry.trim().strip_prefix("ot="));
    let mut fields = entries.flat_map(|entry| entry.split(';'));
    fields.any(|field| {
        field
            .strip_prefix("th:")
            .is_some_and(|threshold| threshold != "0")
    })
}
