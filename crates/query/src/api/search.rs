//! `GET /api/traces`: search (D17, D18).

use tracewell_model::limits::{SEARCH_LIMIT_DEFAULT, SEARCH_LIMIT_MAX, SEARCH_TAGS_MAX};
use tracewell_model::{TraceStatus, TraceSummary};
use tracewell_storage::sampling::Kept;
use tracewell_storage::{Order, TraceHit, TraceQuery};

use super::{Answer, Ask};
use crate::cursor::{self, Bookmark};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, Params, many, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[
    once("service"),
    once("operation"),
    once("span_error"),
    once("min_span_duration_ms"),
    once("max_span_duration_ms"),
    many("tag"),
    once("error"),
    once("status"),
    once("min_duration_ms"),
    once("max_duration_ms"),
    once("start"),
    once("end"),
    once("order"),
    once("limit"),
    once("cursor"),
];

pub(crate) fn find_traces(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let order = ask.params.read("order", order)?.unwrap_or_default();
    let query_hash = cursor::query_hash(&ask.params.canonical(&["cursor", "limit", "order"]));
    let cursor = |_, text: &str| cursor::decode(text, order, query_hash);
    let bookmark = ask.params.read("cursor", cursor)?;
    let now_unix_ns = bookmark.map_or(ask.now_unix_ns, |bookmark| bookmark.now_unix_ns);
    let mut query = read(ask.params, now_unix_ns)?;
    query.order = order;
    query.cursor = bookmark.map(|bookmark| bookmark.cursor);

    let mut found = ask.readers.finder.find_traces(&query, ask.context)?;
    let next = found.next.map(|cursor| Bookmark {
        cursor,
        order,
        now_unix_ns,
        query_hash,
    });
    let summaries = found.hits.iter().map(|hit| &hit.summary);
    let mut whys = ask.why_all_kept(summaries, &mut found.incomplete);
    let mut json = Json::default();
    json.object(|json| {
        json.key("traces").array(&found.hits, |json, this| {
            hit(json, this, whys.next());
        });
        json.key("next_cursor")
            .optional(next, |json, next| json.text(&cursor::encode(&next)));
        json.outcome(&found.searched, &found.incomplete);
    });
    Ok(Answer::new(
        json.into_text(),
        &found.searched,
        &found.incomplete,
    ))
}

/// The conditions of a search; those that an endpoint does not take are absent.
pub(super) fn read(params: &Params, now_unix_ns: u64) -> Result<TraceQuery, Failure> {
    let text = |name| params.one(name).map(str::to_owned);
    let time = |name, text: &str| values::time(name, text, now_unix_ns);
    let limit = |name, text: &str| values::count(name, text, SEARCH_LIMIT_MAX);
    let query = TraceQuery {
        service: text("service"),
        operation: text("operation"),
        span_error: params.read("span_error", values::boolean)?,
        min_span_duration_ns: params.read("min_span_duration_ms", values::milliseconds)?,
        max_span_duration_ns: params.read("max_span_duration_ms", values::milliseconds)?,
        tags: tags(params)?,
        error: params.read("error", values::boolean)?,
        status: params.read("status", status)?,
        min_duration_ns: params.read("min_duration_ms", values::milliseconds)?,
        max_duration_ns: params.read("max_duration_ms", values::milliseconds)?,
        start_unix_ns: params.read("start", time)?,
        end_unix_ns: params.read("end", time)?,
        limit: params.read("limit", limit)?.unwrap_or(SEARCH_LIMIT_DEFAULT),
        ..TraceQuery::default()
    };
    let above = |least: Option<u64>, most: Option<u64>| least.zip(most).is_some_and(|(l, m)| l > m);
    if above(query.min_span_duration_ns, query.max_span_duration_ns) {
        return Err(reversed(
            "max_span_duration_ms",
            "not less than min_span_duration_ms",
        ));
    }
    if above(query.min_duration_ns, query.max_duration_ns) {
        return Err(reversed("max_duration_ms", "not less than min_duration_ms"));
    }
    if query
        .start_unix_ns
        .zip(query.end_unix_ns)
        .is_some_and(|(start, end)| start >= end)
    {
        return Err(reversed("end", "a time after start"));
    }
    Ok(query)
}

fn reversed(name: &str, accepted: &str) -> Failure {
    Failure::about(
        name,
        format!("nothing can lie in this range; accepted for {name}: {accepted}"),
    )
}

fn tags(params: &Params) -> Result<Vec<tracewell_storage::TagFilter>, Failure> {
    let given = params.all("tag").count();
    if given > SEARCH_TAGS_MAX {
        let message = format!("tag is given {given} times; accepted: up to {SEARCH_TAGS_MAX}");
        return Err(Failure::about("tag", message));
    }
    params
        .all("tag")
        .map(|text| values::tag("tag", text))
        .collect()
}

fn order(name: &str, text: &str) -> Result<Order, Failure> {
    match text {
        "newest" => Ok(Order::Newest),
        "slowest" => Ok(Order::Slowest),
        _ => Err(Failure::parameter(name, text, "newest, slowest")),
    }
}

fn status(name: &str, text: &str) -> Result<TraceStatus, Failure> {
    let status = TraceStatus::from_name(text);
    status.ok_or_else(|| Failure::parameter(name, text, "ok, error, partial"))
}

fn hit(json: &mut Json, hit: &TraceHit, why_kept: Option<Option<Kept>>) {
    let summary = &hit.summary;
    let (service, operation) = match &summary.root {
        Some((service, operation)) => (Some(service.as_str()), Some(operation.as_str())),
        None => (None, None),
    };
    json.object(|json| {
        json.key("trace_id").quoted(summary.trace_id);
        json.key("root_service").optional(service, Json::text);
        json.key("root_operation").optional(operation, Json::text);
        json.key("start_time_unix_ns").plain(summary.start_unix_ns);
        json.key("duration_ms").milliseconds(summary.duration_ns);
        json.key("duration_ns").plain(summary.duration_ns);
        json.key("span_count").plain(summary.span_count);
        json.key("error_count").plain(summary.error_count);
        services(json, summary);
        json.key("status").text(summary.status.name());
        json.key("matched_span_id").quoted(hit.matched_span_id);
        super::sampling::kept_because(json, why_kept);
    });
}

/// The member `services` of a trace.
pub(super) fn services(json: &mut Json, summary: &TraceSummary) {
    json.key("services")
        .array(&summary.services, |json, share| {
            json.object(|json| {
                json.key("name").text(&share.name);
                json.key("span_count").plain(share.span_count);
                json.key("error_count").plain(share.error_count);
            });
        });
}
