//! `GET /api/sampling` and `…/what-if`: what the sampler kept and dropped, and what it would.

use std::sync::Arc;

use tracewell_model::TraceSummary;
use tracewell_storage::sampling::{Books, Dropped, Kept};
use tracewell_storage::{SamplingReader, Searched};

use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;

pub(crate) fn get_sampling(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let report = ask.sampling().map(|sampling| sampling.report());
    let is_enabled = report.is_some();
    let report = report.unwrap_or_default();
    let mut json = Json::default();
    json.object(|json| {
        json.key("enabled").plain(is_enabled);
        books(json, &report.books);
        json.key("live_window_s")
            .double(report.live_window_ns as f64 / 1e9);
        json.key("decided_through_unix_ns")
            .plain(report.decided_through_unix_ns);
        json.key("waiting")
            .optional(report.waiting.as_deref(), Json::text);
        json.key("problems").texts(&report.problems);
    });
    Ok(Answer::new(json.into_text(), &Searched::default(), &[]))
}

pub(crate) fn get_what_if(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let Some(sampling) = &ask.readers.sampling else {
        return Err(Failure::not_found("no sampler belongs to this server"));
    };
    let what_if = sampling.what_if(ask.context)?;
    let lost = what_if.error_traces_lost_by_head as f64 / what_if.error_traces.max(1) as f64;
    let mut json = Json::default();
    json.object(|json| {
        books(json, &what_if.books);
        json.key("error_traces").plain(what_if.error_traces);
        json.key("error_traces_lost_by_head_sampling")
            .plain(what_if.error_traces_lost_by_head);
        json.key("error_share_lost_by_head_sampling").double(lost);
    });
    Ok(Answer::new(json.into_text(), &Searched::default(), &[]))
}

/// The members that both answers have.
fn books(json: &mut Json, books: &Books) {
    let kept = Kept::ALL.map(Kept::name).into_iter().zip(books.kept);
    let dropped = Dropped::ALL
        .map(Dropped::name)
        .into_iter()
        .zip(books.dropped);
    json.key("kept").object(|json| counts(json, kept));
    json.key("dropped").object(|json| counts(json, dropped));
    let (healthy_kept, healthy) = books.healthy();
    json.key("share")
        .double(healthy_kept as f64 / healthy.max(1) as f64);
    json.key("healthy_traces").plain(healthy);
    json.key("healthy_kept").plain(healthy_kept);
    json.key("kept_spans").plain(books.kept_spans);
    json.key("dropped_spans").plain(books.dropped_spans);
}

/// Those that ever happened.
fn counts(json: &mut Json, counts: impl Iterator<Item = (&'static str, u64)>) {
    for (reason, count) in counts.filter(|(_, count)| *count > 0) {
        json.key(reason).plain(count);
    }
}

impl Ask<'_> {
    /// The sampler, if it is on.
    pub(crate) fn sampling(&self) -> Option<&Arc<dyn SamplingReader>> {
        let sampling = self.readers.sampling.as_ref();
        sampling.filter(|sampling| sampling.is_on())
    }

    /// Why this trace is kept, where anyone samples. Where that cannot be read, the reason is noted.
    pub(crate) fn why_kept(
        &self,
        trace: &TraceSummary,
        incomplete: &mut Vec<String>,
    ) -> Option<Option<Kept>> {
        self.why_all_kept(std::iter::once(trace), incomplete).next()
    }

    /// The same of many, asked at once.
    pub(crate) fn why_all_kept<'t>(
        &self,
        traces: impl Iterator<Item = &'t TraceSummary>,
        incomplete: &mut Vec<String>,
    ) -> std::vec::IntoIter<Option<Kept>> {
        let asked = traces.map(|trace| (trace.trace_id, trace.start_unix_ns));
        let why =
            |sampling: &Arc<dyn SamplingReader>| sampling.why_kept(&asked.collect::<Vec<_>>());
        let known = self.sampling().map_or_else(|| Ok(Vec::new()), why);
        let known = known.unwrap_or_else(|error| {
            incomplete.push(format!("why traces are kept cannot be read now: {error}"));
            Vec::new()
        });
        known.into_iter()
    }
}

/// The member `kept_because`, where anyone samples: null until it is decided, left out where it cannot be read.
pub(crate) fn kept_because(json: &mut Json, why: Option<Option<Kept>>) {
    if let Some(why) = why {
        json.key("kept_because")
            .optional(why, |json, why| json.text(why.name()));
    }
}
