//! `GET /api/heatmap`: how the durations of spans lie over time.

use tracewell_analysis::heatmap::{self, band_from_ns};
use tracewell_analysis::spans::SpanQuery;

use super::{Answer, Ask, scan, search};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, many, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[
    once("service"),
    once("operation"),
    once("span_error"),
    once("min_span_duration_ms"),
    once("max_span_duration_ms"),
    many("tag"),
    once("start"),
    once("end"),
    once("steps"),
    once("sample"),
];

const STEPS_DEFAULT: usize = 60;
const STEPS_MAX: usize = 500;

pub(crate) fn get_heatmap(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let asked = search::read(ask.params, ask.now_unix_ns)?;
    let (from_unix_ns, to_unix_ns) = scan::range(ask)?;
    let count = |max| move |name, text: &str| values::count(name, text, max);
    let steps = ask
        .params
        .read("steps", count(STEPS_MAX))?
        .unwrap_or(STEPS_DEFAULT);
    let sample = ask
        .params
        .read("sample", count(scan::SAMPLE_MAX))?
        .unwrap_or(1);
    let step_ns = (to_unix_ns - from_unix_ns).div_ceil(steps as u64);
    let query = SpanQuery {
        service: asked.service,
        operation: asked.operation,
        error: asked.span_error,
        min_duration_ns: asked.min_span_duration_ns,
        max_duration_ns: asked.max_span_duration_ns,
        tags: asked.tags,
        start_unix_ns: Some(from_unix_ns),
        end_unix_ns: Some(to_unix_ns),
    };
    let scanner = ask.readers.scanner.as_ref();
    let mut map = heatmap::map(
        scanner,
        &query,
        (from_unix_ns, step_ns),
        sample as u32,
        &scan::bounds(ask),
    )?;
    let scanned = &mut map.scanned;
    scan::name_sample(scanned);

    let mut json = Json::default();
    json.object(|json| {
        json.key("start_unix_ns").plain(from_unix_ns);
        json.key("step_ns").plain(step_ns);
        json.key("steps").plain(steps);
        json.key("cells")
            .array(&map.cells, |json, &((step, band), cell)| {
                json.object(|json| {
                    json.key("step").plain(step);
                    json.key("from_ms").milliseconds(band_from_ns(band));
                    json.key("to_ms").milliseconds(band_from_ns(band + 1));
                    json.key("count").plain(cell.count);
                    json.key("errors").plain(cell.errors);
                });
            });
        scan::sampled(json, scanned);
        json.outcome(&scanned.searched, &scanned.incomplete);
    });
    Ok(Answer::of_scan(json, scanned))
}
