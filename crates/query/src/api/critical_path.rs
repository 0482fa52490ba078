//! `GET /api/traces/{trace_id}/critical-path`: the spans that the trace's time was spent in.

use hashbrown::HashMap;
use tracewell_analysis::critical_path;
use tracewell_model::Trace;

use super::{Answer, Ask, traces};
use crate::errors::Failure;
use crate::json::Json;

pub(crate) fn get_critical_path(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let found = traces::read(ask)?;
    let trace = Trace::assemble(found.spans());
    let path = critical_path::of_trace(&trace);
    ask.context.check()?;

    let on_path = || {
        let rows = trace.rows.iter().zip(&path);
        rows.filter_map(|(row, &exclusive_ns)| Some((row.span, exclusive_ns?)))
    };
    let mut operations: HashMap<(&str, &str), u64> = HashMap::new();
    for (span, exclusive_ns) in on_path() {
        let key = (span.service(), span.operation());
        *operations.entry(key).or_default() += exclusive_ns;
    }
    let mut operations: Vec<_> = operations.into_iter().collect();
    operations.sort_unstable_by_key(|&(key, ns)| (std::cmp::Reverse(ns), key));

    let mut json = Json::default();
    json.object(|json| {
        json.key("trace_id").quoted(trace.summary.trace_id);
        json.key("total_ms")
            .milliseconds(on_path().map(|(_, ns)| ns).sum());
        json.key("spans").array(on_path(), |json, (span, ns)| {
            json.object(|json| {
                json.key("span_id").quoted(span.span_id());
                json.key("exclusive_ms").milliseconds(ns);
            });
        });
        json.key("operations")
            .array(&operations, |json, ((service, operation), ns)| {
                json.object(|json| {
                    json.key("service").text(service);
                    json.key("operation").text(operation);
                    json.key("exclusive_ms").milliseconds(*ns);
                });
            });
        json.outcome(&found.searched, &found.incomplete);
    });
    Ok(Answer::new(
        json.into_text(),
        &found.searched,
        &found.incomplete,
    ))
}
