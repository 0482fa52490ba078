//! Searching for traces, and the names that exist. The semantics (D17) are written here once, as
//! plain predicates over a span and over a summary; backends may be cleverer, never different.

use regex::Regex;
use tracewell_model::{SpanId, SpanRef, TraceId, TraceStatus, TraceSummary, Value};

use crate::context::{ReadContext, Searched};
use crate::error::Error;

/// Finds traces and lists names.
///
/// Contract: a trace is a hit when ONE of its spans satisfies all span predicates and the whole
/// trace (fragments united, repeats left out) satisfies all trace predicates. Hits come in the
/// order asked, keys descending, trace ids ascending among equals; `next` continues exactly after
/// the last hit among the traces that existed at the cursor's horizon (D18). A deadline gives what
/// was found so far, named in `incomplete`.
///
/// The horizon is the latest arrival (`Record::arrived_unix_ns`, never this machine's clock) that
/// the first page could see. On later pages a trace is there only if one of its spans had arrived by
/// then; its key is the one it had then, from the spans arrived by then; its predicates and its
/// summary are of everything that is stored now. A page with `next` has at least one hit; the page
/// after the last hit may be empty.
pub trait TraceFinder: Send + Sync {
    /// One page of hits.
    fn find_traces(&self, query: &TraceQuery, context: &ReadContext) -> Result<Found, Error>;

    /// Every service that has a stored span, sorted.
    fn list_services(&self, context: &ReadContext) -> Result<Names, Error>;

    /// Every operation of a service, sorted; none for an unknown one.
    fn list_operations(&self, service: &str, context: &ReadContext) -> Result<Names, Error>;

    /// Attribute keys that begin with `prefix`, sorted, at most `limit`.
    fn list_tag_keys(
        &self,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error>;

    /// Texts of the values of a key that begin with `prefix`, sorted, at most `limit`.
    fn list_tag_values(
        &self,
        key: &str,
        prefix: &str,
        limit: usize,
        context: &ReadContext,
    ) -> Result<Names, Error>;
}

/// What to search for.
#[derive(Clone, Debug, Default)]
pub struct TraceQuery {
    /// The matching span's service.
    pub service: Option<String>,
    /// The matching span's operation.
    pub operation: Option<String>,
    /// The matching span's own status.
    pub span_error: Option<bool>,
    /// The matching span's duration, at least.
    pub min_span_duration_ns: Option<u64>,
    /// The matching span's duration, at most.
    pub max_span_duration_ns: Option<u64>,
    /// Attributes of the matching span.
    pub tags: Vec<TagFilter>,

    /// Whether any span of the trace failed.
    pub error: Option<bool>,
    /// The trace's status.
    pub status: Option<TraceStatus>,
    /// The trace's duration, at least.
    pub min_duration_ns: Option<u64>,
    /// The trace's duration, at most.
    pub max_duration_ns: Option<u64>,
    /// The trace's start, at or after.
    pub start_unix_ns: Option<u64>,
    /// The trace's start, before.
    pub end_unix_ns: Option<u64>,

    /// In which order.
    pub order: Order,
    /// How many at most.
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

/// The order of hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the trace's start, latest first.
    #[default]
    Newest,
    /// By the trace's duration, longest first.
    Slowest,
}

/// Where a page ended (D18).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last hit's key: its start or its duration, as of the horizon.
    pub key: u64,
    /// The last hit.
    pub trace_id: TraceId,
    /// The log time of the first page: later pages see only traces whose first span arrived by then.
    pub horizon_unix_ns: u64,
}

impl Cursor {
    /// True when a trace with this key comes after this cursor.
    pub fn is_before(&self, key: u64, trace_id: TraceId) -> bool {
        (std::cmp::Reverse(key), trace_id) > (std::cmp::Reverse(self.key), self.trace_id)
    }
}

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The hits, in order.
    pub hits: Vec<TraceHit>,
    /// Where the next page begins; none at the end.
    pub next: Option<Cursor>,
    /// What was looked at.
    pub searched: Searched,
    /// Why hits may be missing; sentences.
    pub incomplete: Vec<String>,
}

/// A trace that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceHit {
    /// The trace in one line.
    pub summary: TraceSummary,
    /// The earliest span that satisfies all span predicates.
    pub matched_span_id: SpanId,
}

/// A sorted list of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The names.
    pub names: Vec<String>,
    /// True when there are more than the cap allows to list.
    pub capped: bool,
    /// What was looked at.
    pub searched: Searched,
    /// Why names may be missing; sentences.
    pub incomplete: Vec<String>,
}

/// A condition on an attribute, written `key=value`, `key!=value`, `key~=regex` or `key`.
#[derive(Clone, Debug)]
pub struct TagFilter {
    /// The key, exact.
    pub key: String,
    /// The condition on its value's text.
    pub condition: TagCondition,
}

/// A condition on a value's text form.
#[derive(Clone, Debug)]
pub enum TagCondition {
    /// The key is there.
    Exists,
    /// A value is this.
    Equals(String),
    /// The key is there, and a value is not this.
    NotEquals(String),
    /// A value matches (unanchored).
    Matches(Regex),
}

impl TagCondition {
    /// True when this value satisfies the condition.
    pub fn holds(&self, value: &Value<'_>) -> bool {
        match self {
            TagCondition::Exists => true,
            TagCondition::Equals(text) => value.text_is(text),
            TagCondition::NotEquals(text) => !value.text_is(text),
            TagCondition::Matches(regex) => regex.is_match(&value.text()),
        }
    }
}

impl TagFilter {
    /// True when the span satisfies the condition. The first of span, resource, scope and event
    /// attributes that has the key decides; where it has the key several times, any value may.
    pub fn holds(&self, span: SpanRef<'_>) -> bool {
        self.decide(span.attributes())
            .or_else(|| self.decide(span.resource().attributes()))
            .or_else(|| self.decide(span.scope().attributes()))
            .or_else(|| self.decide(span.event_attributes()))
            .unwrap_or(false)
    }

    /// None when the key is not among these attributes.
    fn decide<'a>(
        &self,
        attributes: impl Iterator<Item = tracewell_model::Attribute<'a>>,
    ) -> Option<bool> {
        let mut found = None;
        for attribute in attributes.filter(|attribute| attribute.key == self.key) {
            found = Some(found == Some(true) || self.condition.holds(&attribute.value));
        }
        found
    }
}

impl TraceQuery {
    /// True when this one span satisfies all span predicates.
    pub fn matches_span(&self, span: SpanRef<'_>) -> bool {
        self.matches_span_columns(
            span.service(),
            span.operation(),
            span.is_error(),
            span.duration_ns(),
        ) && self.tags.iter().all(|filter| filter.holds(span))
    }

    /// The span predicates other than tags.
    pub fn matches_span_columns(
        &self,
        service: &str,
        operation: &str,
        error: bool,
        duration_ns: u64,
    ) -> bool {
        self.service
            .as_deref()
            .is_none_or(|wanted| wanted == service)
            && self
                .operation
                .as_deref()
                .is_none_or(|wanted| wanted == operation)
            && self.span_error.is_none_or(|wanted| wanted == error)
            && self
                .min_span_duration_ns
                .is_none_or(|least| duration_ns >= least)
            && self
                .max_span_duration_ns
                .is_none_or(|most| duration_ns <= most)
    }

    /// True when any span predicate is set.
    pub fn has_span_predicates(&self) -> bool {
        self.service.is_some()
            || self.operation.is_some()
            || self.span_error.is_some()
            || self.min_span_duration_ns.is_some()
            || self.max_span_duration_ns.is_some()
            || !self.tags.is_empty()
    }

    /// True when the whole trace satisfies all trace predicates.
    pub fn matches_trace(&self, trace: &TraceSummary) -> bool {
        self.error
            .is_none_or(|wanted| wanted == (trace.error_count > 0))
            && self.status.is_none_or(|wanted| wanted == trace.status)
            && self
                .min_duration_ns
                .is_none_or(|least| trace.duration_ns >= least)
            && self
                .max_duration_ns
                .is_none_or(|most| trace.duration_ns <= most)
            && self
                .start_unix_ns
                .is_none_or(|from| trace.start_unix_ns >= from)
            && self.end_unix_ns.is_none_or(|to| trace.start_unix_ns < to)
    }
}
