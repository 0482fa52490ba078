//! A trace in one line: what a search result shows, and what decides whether a trace matches.
//! `TraceSummary::of` is the readable definition of a trace's status (D4).

use hashbrown::{HashMap, HashSet};

use crate::id::TraceId;
use crate::identity;
use crate::order;
use crate::span::SpanRef;

/// The computed status of a trace: partial wins over error, error over ok (D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraceStatus {
    /// Complete and without error.
    Ok,
    /// Complete, and a span failed.
    Error,
    /// A parent is not stored, or there is no root, or a part was cut, dropped or damaged.
    Partial,
}

impl TraceStatus {
    /// Lower-case name, as the API shows it.
    pub fn name(self) -> &'static str {
        match self {
            TraceStatus::Ok => "ok",
            TraceStatus::Error => "error",
            TraceStatus::Partial => "partial",
        }
    }

    /// The status with this name.
    pub fn from_name(name: &str) -> Option<TraceStatus> {
        [TraceStatus::Ok, TraceStatus::Error, TraceStatus::Partial]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// The one rule of precedence.
    pub fn from_parts(partial: bool, error: bool) -> TraceStatus {
        match (partial, error) {
            (true, _) => TraceStatus::Partial,
            (false, true) => TraceStatus::Error,
            (false, false) => TraceStatus::Ok,
        }
    }
}

/// One service's part in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceShare {
    /// The service.
    pub name: String,
    /// Its spans.
    pub span_count: u64,
    /// Those that failed.
    pub error_count: u64,
}

/// A trace in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceSummary {
    /// The trace.
    pub trace_id: TraceId,
    /// Service and operation of the root (the earliest, if several); none without a root.
    pub root: Option<(String, String)>,
    /// The earliest start of any span.
    pub start_unix_ns: u64,
    /// From the earliest start to the latest end.
    pub duration_ns: u64,
    /// Spans, equal ones counted once.
    pub span_count: u64,
    /// Spans that failed.
    pub error_count: u64,
    /// Spans whose parent is named but not stored.
    pub orphan_count: u64,
    /// The services, by name.
    pub services: Vec<ServiceShare>,
    /// The computed status.
    pub status: TraceStatus,
}

impl TraceSummary {
    /// Sums up the spans of one trace, repeats left out; `None` without any span. Linear.
    pub fn of<'a>(spans: impl IntoIterator<Item = SpanRef<'a>>) -> Option<TraceSummary> {
        let (spans, _duplicates) = identity::distinct(spans);
        TraceSummary::of_distinct(&spans)
    }

    /// As [`TraceSummary::of`], of spans that were told apart already.
    pub fn of_distinct(spans: &[SpanRef<'_>]) -> Option<TraceSummary> {
        let first = spans.first()?;
        let ids: HashSet<_> = spans.iter().map(|span| span.span_id()).collect();
        let start_unix_ns = spans.iter().map(|span| span.start_unix_ns()).min()?;
        let end_unix_ns = spans.iter().map(|span| span.end_unix_ns()).max()?;
        let orphan = |span: &&SpanRef<'_>| span.parent().is_some_and(|id| !ids.contains(&id));
        let orphan_count = spans.iter().filter(orphan).count() as u64;
        let error_count = spans.iter().filter(|span| span.is_error()).count() as u64;
        let root = spans
            .iter()
            .filter(|span| span.parent().is_none())
            .min_by(|a, b| order::by_start(**a, **b));
        Some(TraceSummary {
            trace_id: first.trace_id(),
            root: root.map(|root| (root.service().to_owned(), root.operation().to_owned())),
            start_unix_ns,
            duration_ns: end_unix_ns - start_unix_ns,
            span_count: spans.len() as u64,
            error_count,
            orphan_count,
            services: shares(spans),
            status: TraceStatus::from_parts(orphan_count > 0 || root.is_none(), error_count > 0),
        })
    }
}

fn shares(spans: &[SpanRef<'_>]) -> Vec<ServiceShare> {
    let mut by_name: HashMap<&str, (u64, u64)> = HashMap::new();
    for span in spans {
        let share = by_name.entry(span.service()).or_default();
        share.0 += 1;
        share.1 += u64::from(span.is_error());
    }
    let mut shares: Vec<_> = by_name
        .into_iter()
        .map(|(name, (span_count, error_count))| ServiceShare {
            name: name.to_owned(),
            span_count,
            error_count,
        })
        .collect();
    shares.sort_by(|a, b| a.name.cmp(&b.name));
    shares
}
