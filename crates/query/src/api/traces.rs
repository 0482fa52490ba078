//! `GET /api/traces/{trace_id}` and `…/spans`: a trace by its id, never bounded by a time range (Q17).

use hashbrown::HashSet;
use tracewell_model::trace::Row;
use tracewell_model::{SpanId, Trace, TraceStatus};
use tracewell_storage::sampling::Kept;
use tracewell_storage::{FoundTrace, Searched};
use tracewell_wire::json::excerpt;

use super::{Answer, Ask};
use crate::columns::columns;
use crate::errors::Failure;
use crate::json::Json;
use crate::missing::{self, PartialReason};
use crate::values;

/// Spans of one `…/spans` request: a page of an opened trace, not a trace.
const SPANS_MAX: usize = 500;
/// An answer's bytes: 100,000 spans of the usual size twice over. Beyond, no client wants it in one
/// piece, and a few such answers at once would be the server's memory.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of one span, measured; only a first guess for the buffer.
const SPAN_BYTES: usize = 900;

/// Why a trace is partial that was kept too late.
const DROPPED_BEFORE: &str = "the sampler had dropped this trace as healthy before a late span failed or took too long; what had come until then may be gone";

/// What a trace's spans and its store together say.
pub(crate) struct Verdict {
    pub(crate) status: TraceStatus,
    pub(crate) partial_reasons: Vec<PartialReason>,
    /// What the store says may be missing.
    pub(crate) incomplete: Vec<String>,
    /// What the sampler says, where there is one.
    pub(crate) why_kept: Option<Option<Kept>>,
}

impl Verdict {
    fn of(
        ask: &Ask<'_>,
        trace: &Trace<'_>,
        incomplete: Vec<String>,
        why_kept: Option<Option<Kept>>,
    ) -> Verdict {
        let mut partial_reasons = missing::explain(trace, ask.readers, ask.now_unix_ns);
        partial_reasons.extend(incomplete.iter().map(PartialReason::said));
        let is_late = why_kept.flatten().is_some_and(Kept::is_late);
        if is_late {
            partial_reasons.push(PartialReason::sampled(DROPPED_BEFORE));
        }
        let partial =
            trace.summary.status == TraceStatus::Partial || !incomplete.is_empty() || is_late;
        let status = TraceStatus::from_parts(partial, trace.summary.error_count > 0);
        Verdict {
            status,
            partial_reasons,
            incomplete,
            why_kept,
        }
    }
}

pub(crate) fn get_trace(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let only = |accepted: &'static str| {
        move |name, text: &str| match text == accepted {
            true => Ok(()),
            false => Err(Failure::parameter(name, text, accepted)),
        }
    };
    let as_otlp = ask.params.read("format", only("otlp"))?.is_some();
    let as_columns = ask.params.read("view", only("columns"))?.is_some();
    if as_otlp && as_columns {
        return Err(Failure::about(
            "view",
            "view and format exclude each other; accepted: one of them",
        ));
    }
    let is_pinned = ask.params.read("pin", values::boolean)?.unwrap_or(true);
    let found = read(ask)?;
    let trace = Trace::assemble(found.spans());
    ask.context.check()?;
    let summary = &trace.summary;
    if let (true, Some(sampling)) = (is_pinned, ask.sampling()) {
        sampling.pin(summary.trace_id, summary.start_unix_ns);
    }
    if as_otlp {
        return Ok(Answer::new(
            otlp(&trace),
            &found.searched,
            &found.incomplete,
        ));
    }
    let mut incomplete = found.incomplete.clone();
    let why_kept = ask.why_kept(summary, &mut incomplete);
    let (json, verdict) = if as_columns {
        let verdict = Verdict::of(ask, &trace, incomplete, why_kept);
        (columns(&trace, &verdict, &found.searched), verdict)
    } else {
        whole(ask, &trace, &found.searched, incomplete, why_kept)
    };
    Ok(Answer::new(json, &found.searched, &verdict.incomplete))
}

/// The spans of the trace in the path; not one is a 404, unless some may be there and unreadable.
pub(super) fn read(ask: &Ask<'_>) -> Result<FoundTrace, Failure> {
    let id = values::trace_id(ask.segment(0))?;
    let found = ask.readers.traces.get_trace(id, ask.context)?;
    if found.is_empty() {
        let nothing = format!("no span of trace {id} is stored");
        return Err(Failure::not_seen(&nothing, &found.incomplete));
    }
    Ok(found)
}

fn otlp(trace: &Trace<'_>) -> String {
    tracewell_wire::otlp::json_encode::encode(trace.rows.iter().map(|row| row.span))
}

/// The trace with its spans in full, as many as there is room for; a cut is said in the head.
fn whole(
    ask: &Ask<'_>,
    trace: &Trace<'_>,
    searched: &Searched,
    mut incomplete: Vec<String>,
    why_kept: Option<Option<Kept>>,
) -> (String, Verdict) {
    let mut json = Json::with_capacity((trace.rows.len() * SPAN_BYTES).min(ANSWER_BYTES_MAX));
    let shown = json
        .key("spans")
        .array_until(ANSWER_BYTES_MAX, &trace.rows, Json::span);
    if shown < trace.rows.len() {
        let all = trace.rows.len();
        incomplete.push(format!("the answer is cut after {shown} of {all} spans; view=columns has all, and spans?rows= the others in full"));
    }
    let verdict = Verdict::of(ask, trace, incomplete, why_kept);
    json.outcome(searched, &verdict.incomplete);
    (json.headed(|json| head(json, trace, &verdict)), verdict)
}

fn head(json: &mut Json, trace: &Trace<'_>, verdict: &Verdict) {
    let summary = &trace.summary;
    let root = trace.root.and_then(|root| trace.rows.get(root as usize));
    let mut seen = HashSet::new();
    let orphans = trace.rows.iter().filter(|row| row.orphan);
    let orphans = orphans
        .map(|row| row.span.span_id())
        .filter(|id| seen.insert(*id));

    json.key("trace_id").quoted(summary.trace_id);
    json.key("root_span").optional(root, Json::span);
    json.key("status").text(verdict.status.name());
    json.key("start_time_unix_ns").plain(summary.start_unix_ns);
    json.key("duration_ms").milliseconds(summary.duration_ns);
    json.key("duration_ns").plain(summary.duration_ns);
    json.key("span_count").plain(summary.span_count);
    json.key("service_count").plain(summary.services.len());
    json.key("error_count").plain(summary.error_count);
    json.key("depth").plain(trace.depth);
    super::search::services(json, summary);
    json.key("orphans").array(orphans, Json::quoted);
    partial_reasons(json, verdict);
    super::sampling::kept_because(json, verdict.why_kept);
    missing_parents(json, trace);
    json.key("warnings").texts(&trace.warnings);
}

/// The member `partial_reasons`.
pub(crate) fn partial_reasons(json: &mut Json, verdict: &Verdict) {
    json.key("partial_reasons")
        .array(&verdict.partial_reasons, |json, reason| reason.write(json));
}

/// The member `missing_parents`.
pub(crate) fn missing_parents(json: &mut Json, trace: &Trace<'_>) {
    json.key("missing_parents")
        .array(&trace.missing_parents, |json, missing| {
            json.object(|json| {
                json.key("span_id").quoted(missing.span_id);
                json.key("children").plain(missing.children);
                json.key("child_services").texts(&missing.child_services);
            });
        });
}

/// Which spans of a trace.
enum Wanted {
    Ids(HashSet<SpanId>),
    Rows(HashSet<u64>),
}

impl Wanted {
    fn read(ask: &Ask<'_>) -> Result<Wanted, Failure> {
        match (ask.params.one("ids"), ask.params.one("rows")) {
            (Some(ids), None) => {
                list("ids", ids, |text| values::span_id("ids", text)).map(Wanted::Ids)
            }
            (None, Some(rows)) => list("rows", rows, |text| {
                let row = values::whole(text);
                row.ok_or_else(|| Failure::parameter("rows", text, "rows of the trace, as in 0,17"))
            })
            .map(Wanted::Rows),
            _ => Err(Failure::about(
                "ids",
                "accepted: either ids=a,b,… or rows=0,17,…",
            )),
        }
    }

    fn has(&self, at: usize, row: &Row<'_>) -> bool {
        match self {
            Wanted::Ids(ids) => ids.contains(&row.span.span_id()),
            Wanted::Rows(rows) => rows.contains(&(at as u64)),
        }
    }
}

fn list<T: Eq + std::hash::Hash>(
    name: &str,
    text: &str,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Result<HashSet<T>, Failure> {
    let parts = text.split(',').count();
    if parts > SPANS_MAX {
        let message = format!(
            "{} has {parts} members; accepted: 1 to {SPANS_MAX}",
            excerpt(name)
        );
        return Err(Failure::about(name, message));
    }
    text.split(',').map(read).collect()
}

pub(crate) fn get_spans(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let wanted = Wanted::read(ask)?;
    let found = read(ask)?;
    let trace = Trace::assemble(found.spans());
    ask.context.check()?;
    // One id may name many spans; the cap is of what is answered.
    let rows = trace
        .rows
        .iter()
        .enumerate()
        .filter(|(at, row)| wanted.has(*at, row));
    let rows = rows.map(|(_, row)| row).take(SPANS_MAX);

    let mut json = Json::default();
    json.object(|json| {
        json.key("trace_id").quoted(trace.summary.trace_id);
        json.key("spans").array(rows, Json::span);
        json.outcome(&found.searched, &found.incomplete);
    });
    Ok(Answer::new(
        json.into_text(),
        &found.searched,
        &found.incomplete,
    ))
}
