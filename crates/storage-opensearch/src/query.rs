//! A search as OpenSearch is asked for it: terms that a matching trace surely has, ranges, the order.

use serde_json::{Value, json};
use tracewell_storage::find::{Order, TagCondition};
use tracewell_storage::{Cursor, TraceQuery};

use crate::document::{encoded_id, shifted, term};

/// The request for the next page of documents.
pub(crate) fn body(query: &TraceQuery, size: usize, after: Option<&(u64, String)>) -> Value {
    let field = match query.order {
        Order::Newest => "s",
        Order::Slowest => "d",
    };
    let mut body = json!({
        "size": size,
        "timeout": "15s",
        "track_total_hits": false,
        "query": {"bool": {"filter": filters(query), "must_not": exclusions(query)}},
        "sort": [
            {field: {"order": "desc", "unmapped_type": "long"}},
            {"t": {"order": "asc", "unmapped_type": "keyword"}},
        ],
    });
    if let Some((key, id)) = after {
        body["search_after"] = json!([shifted(*key), id]);
    }
    body
}

/// Where a cursor stands among the documents.
pub(crate) fn after(cursor: &Cursor) -> (u64, String) {
    (cursor.key, encoded_id(cursor.trace_id))
}

fn filters(query: &TraceQuery) -> Vec<Value> {
    // Names are documents too.
    let mut filters = vec![json!({"exists": {"field": "s"}})];
    let mut narrow = |term: String| filters.push(json!({"term": {"k": term}}));
    match (&query.service, &query.operation) {
        (Some(service), Some(operation)) => narrow(term::both(service, operation)),
        (Some(service), None) => narrow(term::service(service)),
        (None, Some(operation)) => narrow(term::operation(operation)),
        (None, None) => {}
    }
    match (&query.service, query.span_error) {
        (Some(service), Some(true)) => narrow(term::service_error(service)),
        (None, Some(true)) => narrow(term::error()),
        _ => {}
    }
    if query.error == Some(true) {
        narrow(term::error());
    }
    if let Some(status) = query.status {
        narrow(term::status(status));
    }
    for filter in &query.tags {
        narrow(match &filter.condition {
            TagCondition::Equals(text) => term::tag(&filter.key, text),
            TagCondition::Exists | TagCondition::NotEquals(_) | TagCondition::Matches(_) => {
                term::key(&filter.key)
            }
        });
    }
    let mut range = |field: &str, bound: &str, number: u64| {
        filters.push(json!({"range": {field: {bound: shifted(number)}}}));
    };
    // A span lasts no longer than its trace.
    let leasts = [query.min_duration_ns, query.min_span_duration_ns];
    for least in leasts.into_iter().flatten() {
        range("d", "gte", least);
    }
    if let Some(most) = query.max_duration_ns {
        range("d", "lte", most);
    }
    if let Some(from) = query.start_unix_ns {
        range("s", "gte", from);
    }
    if let Some(to) = query.end_unix_ns {
        range("s", "lt", to);
    }
    filters
}

fn exclusions(query: &TraceQuery) -> Vec<Value> {
    match query.error {
        Some(false) => vec![json!({"term": {"k": term::error()}})],
        _ => Vec::new(),
    }
}
