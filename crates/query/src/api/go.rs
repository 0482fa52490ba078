//! `GET /go`: to the trace that best stands for a trouble, opened at its guilty span. For links in
//! alerts: they name a service and a time, and never where the browser goes next.

use tracewell_analysis::hotspots;
use tracewell_analysis::sample::{Names, Sample, Span};
use tracewell_model::{SpanId, TraceId};

use super::{Answer, Ask, scan};
use crate::errors::Failure;
use crate::params::{Param, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[once("service"), once("operation"), once("at")];

const MINUTE_NS: u64 = 60_000_000_000;
/// An alert fires some minutes after its trouble began, and may be read while it goes on.
const BEFORE_NS: u64 = 10 * MINUTE_NS;
const AFTER_NS: u64 = 2 * MINUTE_NS;
/// What was normal.
const NORMAL_NS: u64 = 60 * MINUTE_NS;

/// The answer is a place of this server, and no JSON.
pub(crate) fn find_place(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let (service, operation) = (ask.params.one("service"), ask.params.one("operation"));
    let time = |name, text: &str| values::time(name, text, ask.now_unix_ns);
    let at = ask.params.read("at", time)?.unwrap_or(ask.now_unix_ns);
    let start = at.saturating_sub(BEFORE_NS);
    let ranges = [
        (start, at.saturating_add(AFTER_NS)),
        (start.saturating_sub(NORMAL_NS), start),
    ];
    let mut names = Names::default();
    let [mut now, mut before] = scan::two_samples(ask, &mut names, ranges)?;
    let is_asked = |span: &Span| {
        let of = names.service(names.service_of(span.op));
        service.is_none_or(|service| service == of)
            && operation.is_none_or(|operation| operation == names.operation_name(span.op))
    };
    for sample in [&mut now, &mut before] {
        sample.retain_traces(|trace| trace.iter().any(is_asked));
    }
    let guilty = hotspots::find(&now, &before, &names)
        .into_iter()
        .find_map(|spot| spot.sample);
    let Some((trace, span)) = guilty.or_else(|| worst(&now, is_asked)) else {
        return Err(Failure::not_found(
            "no span of this kind is stored around this time",
        ));
    };
    let mut searched = now.scanned.searched.clone();
    searched.add(&before.scanned.searched);
    let incomplete = [now.scanned.incomplete, before.scanned.incomplete].concat();
    Ok(Answer::new(
        format!("/trace/{trace}?span={span}"),
        &searched,
        &incomplete,
    ))
}

/// Without a trouble: the failed or else the slowest of what was asked for.
fn worst(now: &Sample, is_asked: impl Fn(&Span) -> bool) -> Option<(TraceId, SpanId)> {
    let asked = now.traces().flatten().filter(|span| is_asked(span));
    let worst = asked.max_by_key(|span| (span.error, span.duration_ns))?;
    Some((worst.trace, worst.id))
}
