//! What a search must answer, worked out from the plain spans: a second reading of D17, apart from
//! the one in `find`, so that a mistake there is noticed too.

use std::collections::BTreeMap;

use tracewell_model::{SpanId, TraceId, TraceStatus, TraceSummary};

use super::spans::{Attributes, SpanSpec, batch};
use crate::find::{Order, TagCondition, TagFilter, TraceQuery};

/// Every span pushed so far, repeats left out.
#[derive(Default)]
pub(super) struct Oracle {
    traces: BTreeMap<TraceId, (Vec<SpanSpec>, Option<TraceSummary>)>,
}

/// A hit as it must be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) key: u64,
    pub(super) summary: TraceSummary,
    pub(super) matched_span_id: SpanId,
}

impl Oracle {
    pub(super) fn add(&mut self, spans: &[SpanSpec]) {
        for span in spans {
            let (of_trace, summary) = self.traces.entry(span.trace_id).or_default();
            if !of_trace.contains(span) {
                of_trace.push(span.clone());
                *summary = None;
            }
        }
        for (spans, summary) in self.traces.values_mut() {
            if summary.is_none() {
                *summary = TraceSummary::of(batch(spans).spans());
            }
        }
    }

    /// Every hit, in order, whatever the limit and the cursor.
    pub(super) fn find(&self, query: &TraceQuery) -> Vec<Expected> {
        let mut hits: Vec<Expected> = Vec::new();
        for (spans, summary) in self.traces.values() {
            let Some(summary) = summary.as_ref().filter(|trace| trace_holds(query, trace)) else {
                continue;
            };
            let matching = spans.iter().filter(|span| span_holds(query, span));
            let Some(matched) = matching.min_by_key(|span| (span.start_unix_ns, span.span_id))
            else {
                continue;
            };
            let key = match query.order {
                Order::Newest => summary.start_unix_ns,
                Order::Slowest => summary.duration_ns,
            };
            let matched_span_id = matched.span_id;
            hits.push(Expected {
                key,
                summary: summary.clone(),
                matched_span_id,
            });
        }
        // Traces come by id; the sort keeps that among equal keys.
        hits.sort_by_key(|hit| std::cmp::Reverse(hit.key));
        hits
    }
}

fn span_holds(query: &TraceQuery, span: &SpanSpec) -> bool {
    let failed = span.status == tracewell_model::StatusCode::Error;
    let wrong = [
        query
            .service
            .as_ref()
            .is_some_and(|service| *service != span.service),
        query
            .operation
            .as_ref()
            .is_some_and(|operation| *operation != span.operation),
        query.span_error.is_some_and(|error| error != failed),
        query
            .min_span_duration_ns
            .is_some_and(|least| span.duration_ns < least),
        query
            .max_span_duration_ns
            .is_some_and(|most| span.duration_ns > most),
        query.tags.iter().any(|filter| !tag_holds(filter, span)),
    ];
    !wrong.contains(&true)
}

fn trace_holds(query: &TraceQuery, trace: &TraceSummary) -> bool {
    let status = match (
        trace.root.is_none() || trace.orphan_count > 0,
        trace.error_count,
    ) {
        (true, _) => TraceStatus::Partial,
        (false, 0) => TraceStatus::Ok,
        (false, _) => TraceStatus::Error,
    };
    let wrong = [
        query
            .error
            .is_some_and(|error| error != (trace.error_count != 0)),
        query.status.is_some_and(|wanted| wanted != status),
        query
            .min_duration_ns
            .is_some_and(|least| trace.duration_ns < least),
        query
            .max_duration_ns
            .is_some_and(|most| trace.duration_ns > most),
        query
            .start_unix_ns
            .is_some_and(|from| trace.start_unix_ns < from),
        query
            .end_unix_ns
            .is_some_and(|to| trace.start_unix_ns >= to),
    ];
    !wrong.contains(&true)
}

/// The first place that has the key decides; there, any of its values may satisfy the condition.
fn tag_holds(filter: &TagFilter, span: &SpanSpec) -> bool {
    let places = [
        &span.attributes,
        &span.resource_attributes,
        &span.scope_attributes,
        &span.event_attributes,
    ];
    let has = |place: &&&Attributes| place.iter().any(|(key, _)| *key == filter.key);
    let Some(place) = places.iter().find(has) else {
        return false;
    };
    let texts = place.iter().filter(|(key, _)| *key == filter.key);
    let mut texts = texts.map(|(_, value)| value.as_value().text().into_owned());
    texts.any(|text| match &filter.condition {
        TagCondition::Exists => true,
        TagCondition::Equals(wanted) => text == *wanted,
        TagCondition::NotEquals(unwanted) => text != *unwanted,
        TagCondition::Matches(regex) => regex.is_match(&text),
    })
}
