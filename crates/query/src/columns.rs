//! `view=columns`: a trace as columns, which is what the trace page fetches: 100,000 spans in 1.6 MB
//! gzipped (1 MB of it random ids), and nothing in it that a browser would have to sort or search.

use hashbrown::HashMap;
use tracewell_model::Trace;
use tracewell_model::trace::Row;
use tracewell_storage::Searched;
use tracewell_wire::rest::Rest;

use crate::api::sampling::kept_because;
use crate::api::traces::{Verdict, missing_parents, partial_reasons};
use crate::json::{Json, marks};

/// Bytes of one row, measured; only a first guess for the buffer.
const ROW_BYTES: usize = 64;

const ERROR: u32 = 1;
const ORPHAN: u32 = 2;
const EVENTS: u32 = 4;
const LINKS: u32 = 8;
const EXCEPTION: u32 = 16;
const MARKED: u32 = 32;
const CYCLE_CUT: u32 = 64;

/// Distinct names in the order of their first row.
#[derive(Default)]
struct Names<'a> {
    names: Vec<&'a str>,
    position: HashMap<&'a str, usize>,
}

impl<'a> Names<'a> {
    fn position(&mut self, name: &'a str) -> usize {
        *self.position.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len() - 1
        })
    }
}

/// The whole answer.
pub(crate) fn columns(trace: &Trace<'_>, verdict: &Verdict, searched: &Searched) -> String {
    let summary = &trace.summary;
    let (mut services, mut operations) = (Names::default(), Names::default());
    let rows = &trace.rows;
    let service: Vec<_> = rows
        .iter()
        .map(|row| services.position(row.span.service()))
        .collect();
    let operation: Vec<_> = rows
        .iter()
        .map(|row| operations.position(row.span.operation()))
        .collect();

    let mut json = Json::with_capacity(rows.len() * ROW_BYTES);
    json.object(|json| {
        json.key("trace_id").quoted(summary.trace_id);
        json.key("status").text(verdict.status.name());
        json.key("start_time_unix_ns").plain(summary.start_unix_ns);
        json.key("duration_ns").plain(summary.duration_ns);
        json.key("span_count").plain(summary.span_count);
        json.key("error_count").plain(summary.error_count);
        json.key("depth").plain(trace.depth);
        json.key("root").plain(trace.root.map_or(-1, i64::from));
        json.key("services").texts(&services.names);
        json.key("operations").texts(&operations.names);
        json.key("span_ids").quoted(SpanIds(rows));
        json.key("parent").array(rows, |json, row| {
            json.plain(row.parent.map_or(-1, i64::from))
        });
        json.key("missing_parent")
            .object(|json| missing_parent_by_row(json, rows));
        json.key("start_ns").array(rows, |json, row| {
            json.plain(row.span.start_unix_ns() - summary.start_unix_ns);
        });
        json.key("duration")
            .array(rows, |json, row| json.plain(row.span.duration_ns()));
        json.key("service").array(service, Json::plain);
        json.key("operation").array(operation, Json::plain);
        json.key("kind")
            .array(rows, |json, row| json.plain(row.span.kind() as u8));
        json.key("flags")
            .array(rows, |json, row| json.plain(flags(row)));
        partial_reasons(json, verdict);
        kept_because(json, verdict.why_kept);
        json.key("warnings").texts(&trace.warnings);
        missing_parents(json, trace);
        json.outcome(searched, &verdict.incomplete);
    });
    json.into_text()
}

/// The rows' span ids, end to end: random digits do not compress, so quotes and commas around each
/// would be a fifth of the whole answer.
struct SpanIds<'a>(&'a [Row<'a>]);

impl std::fmt::Display for SpanIds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|row| write!(f, "{}", row.span.span_id()))
    }
}

fn missing_parent_by_row(json: &mut Json, rows: &[Row<'_>]) {
    for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.orphan) {
        json.key(&at.to_string())
            .optional(row.span.parent(), Json::quoted);
    }
}

fn flags(row: &Row<'_>) -> u32 {
    let rest = Rest::parse(row.span.rest());
    let bits = [
        (row.span.is_error(), ERROR),
        (row.orphan, ORPHAN),
        (!rest.events.is_empty(), EVENTS),
        (!rest.links.is_empty(), LINKS),
        (
            rest.events.iter().any(|event| event.name == "exception"),
            EXCEPTION,
        ),
        (marks(row, false).next().is_some(), MARKED),
        (row.cycle_cut, CYCLE_CUT),
    ];
    bits.into_iter()
        .filter(|(set, _)| *set)
        .map(|(_, bit)| bit)
        .sum()
}
