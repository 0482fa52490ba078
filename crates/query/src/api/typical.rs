//! `GET /api/typical`: the median trace of a root, operation by operation, and how a trace differs
//! from it.

use std::collections::BTreeMap;

use tracewell_analysis::critical_path;
use tracewell_model::Trace;
use tracewell_storage::TraceQuery;

use super::{Answer, Ask, scan};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[
    once("service"),
    once("operation"),
    once("trace_id"),
    once("start"),
    once("end"),
];

/// Traces that are searched for, and those of them that are read: the median needs no more.
const SEARCHED_MAX: usize = 500;
const READ_MAX: usize = 100;

/// An operation's part in one trace.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    calls: u64,
    duration_ns: u64,
    exclusive_ns: u64,
}

type Parts = BTreeMap<(String, String), Part>;

fn parts(trace: &Trace<'_>) -> Parts {
    let path = critical_path::of_trace(trace);
    let mut parts = Parts::new();
    for (row, exclusive_ns) in trace.rows.iter().zip(path) {
        let key = (
            row.span.service().to_owned(),
            row.span.operation().to_owned(),
        );
        let part = parts.entry(key).or_default();
        part.calls += 1;
        part.duration_ns = part.duration_ns.saturating_add(row.span.duration_ns());
        part.exclusive_ns += exclusive_ns.unwrap_or(0);
    }
    parts
}

pub(crate) fn get_typical(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let trace_id = |_, text: &str| values::trace_id(text);
    let wanted = ask.params.read("trace_id", trace_id)?;
    let (mut start, mut end) = scan::range(ask)?;
    let mut compared = None;
    let (service, operation) = match wanted {
        None => (
            ask.params.one("service").map(str::to_owned),
            ask.params.one("operation").map(str::to_owned),
        ),
        Some(id) => {
            let found = ask.readers.traces.get_trace(id, ask.context)?;
            let trace = Trace::assemble(found.spans());
            let Some((service, operation)) = trace.summary.root.clone() else {
                return Err(Failure::not_found(
                    "the trace is not stored, or has no root",
                ));
            };
            if ask.params.one("start").is_none() && ask.params.one("end").is_none() {
                end = trace.summary.start_unix_ns;
                start = end.saturating_sub(scan::HOUR_NS);
            }
            compared = Some((id, trace.summary.duration_ns, parts(&trace)));
            (Some(service), Some(operation))
        }
    };
    let (Some(service), Some(operation)) = (service, operation) else {
        return Err(Failure::about(
            "trace_id",
            "accepted: either trace_id, or service and operation of a root",
        ));
    };
    let query = TraceQuery {
        service: Some(service.clone()),
        operation: Some(operation.clone()),
        start_unix_ns: Some(start),
        end_unix_ns: Some(end),
        limit: SEARCHED_MAX,
        ..TraceQuery::default()
    };
    let mut found = ask.readers.finder.find_traces(&query, ask.context)?;
    let root = Some((service.clone(), operation.clone()));
    found.hits.retain(|hit| hit.summary.root == root);
    found.hits.truncate(READ_MAX);
    found
        .hits
        .sort_unstable_by_key(|hit| (hit.summary.duration_ns, hit.summary.trace_id));
    let median = found.hits.get(found.hits.len() / 2).map(|hit| &hit.summary);

    let mut all: BTreeMap<(String, String), Vec<Part>> = BTreeMap::new();
    let (mut searched, mut incomplete) = (found.searched.clone(), found.incomplete.clone());
    for hit in &found.hits {
        let read = ask
            .readers
            .traces
            .get_trace(hit.summary.trace_id, ask.context)?;
        searched.add(&read.searched);
        incomplete.extend_from_slice(&read.incomplete);
        for (key, part) in parts(&Trace::assemble(read.spans())) {
            all.entry(key).or_default().push(part);
        }
    }
    let mut json = Json::default();
    json.object(|json| {
        json.key("service").text(&service);
        json.key("operation").text(&operation);
        json.key("traces").plain(found.hits.len());
        json.key("trace_id")
            .optional(median, |json, median| json.quoted(median.trace_id));
        json.key("duration_ms")
            .optional(median, |json, median| json.milliseconds(median.duration_ns));
        let own = compared.as_ref().map(|(_, _, parts)| parts);
        for key in own.into_iter().flat_map(Parts::keys) {
            all.entry(key.clone()).or_default();
        }
        json.key("operations").array(&all, |json, (key, parts)| {
            json.object(|json| {
                json.key("service").text(&key.0);
                json.key("operation").text(&key.1);
                part(json, &middle(parts, found.hits.len()));
                if let Some(own) = own {
                    let own = own.get(key).copied().unwrap_or_default();
                    json.key("this").object(|json| part(json, &own));
                }
            });
        });
        json.key("compared")
            .optional(compared.as_ref(), |json, (id, duration_ns, _)| {
                json.object(|json| {
                    json.key("trace_id").quoted(id);
                    json.key("duration_ms").milliseconds(*duration_ns);
                });
            });
        json.outcome(&searched, &incomplete);
    });
    Ok(Answer::new(json.into_text(), &searched, &incomplete))
}

fn part(json: &mut Json, part: &Part) {
    json.key("calls").plain(part.calls);
    json.key("duration_ms").milliseconds(part.duration_ns);
    json.key("exclusive_ms").milliseconds(part.exclusive_ns);
}

/// The median of each figure; traces without the operation have none of it.
fn middle(parts: &[Part], traces: usize) -> Part {
    let median = |of: fn(&Part) -> u64| {
        let mut values: Vec<u64> = parts.iter().map(of).collect();
        values.resize(traces.max(values.len()), 0);
        values.sort_unstable();
        values.get(values.len() / 2).copied().unwrap_or(0)
    };
    Part {
        calls: median(|part| part.calls),
        duration_ns: median(|part| part.duration_ns),
        exclusive_ns: median(|part| part.exclusive_ns),
    }
}
