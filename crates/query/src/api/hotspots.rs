//! `GET /api/hotspots`: what is worst now and was not before, causes before victims, and what is bad as ever.

use std::collections::BTreeSet;

use tracewell_analysis::hotspots::{self, Change, Hotspot, Kind};
use tracewell_analysis::sample::{Names, Op, Sample};
use tracewell_storage::stats::{self, Figures};
use tracewell_storage::{Searched, Window};

use super::past::Past;
use super::scan::{self, HOUR_NS};
use super::services::{percentiles, rates};
use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[
    once("start"),
    once("end"),
    once("against_start"),
    once("against_end"),
];

const SECOND_NS: u64 = 1_000_000_000;
const WINDOW_NS: u64 = 300 * SECOND_NS;
/// What is not yet here of a trace would be missed: the last spans are on their way.
const SETTLE_NS: u64 = 10 * SECOND_NS;

/// The two ranges of time.
#[derive(Clone, Copy, Debug)]
struct Ranges {
    now: Window,
    before: Window,
    /// The present is asked for.
    live: bool,
    /// And nothing else is said.
    usual: bool,
}

impl Ranges {
    fn read(ask: &Ask<'_>) -> Result<Ranges, Failure> {
        let time = |name: &'static str| {
            let read = |name, text: &str| values::time(name, text, ask.now_unix_ns);
            ask.params.read(name, read)
        };
        let (start, end) = (time("start")?, time("end")?);
        let (against_start, against_end) = (time("against_start")?, time("against_end")?);
        let live = start.is_none() && end.is_none();
        let usual = live && against_start.is_none() && against_end.is_none();
        let end_unix_ns = end.unwrap_or_else(|| match start {
            None => ask.now_unix_ns.saturating_sub(SETTLE_NS),
            Some(_) => ask.now_unix_ns,
        });
        let now = range("end", start, end_unix_ns, WINDOW_NS)?;
        let before_end = against_end.unwrap_or(now.from_unix_ns);
        let before = range("against_end", against_start, before_end, HOUR_NS)?;
        Ok(Ranges {
            now,
            before,
            live,
            usual,
        })
    }
}

fn range(
    end_name: &str,
    start: Option<u64>,
    to_unix_ns: u64,
    usual_ns: u64,
) -> Result<Window, Failure> {
    let from_unix_ns = start.unwrap_or_else(|| to_unix_ns.saturating_sub(usual_ns));
    if from_unix_ns >= to_unix_ns {
        let message = format!(
            "nothing can lie in this range; accepted for {end_name}: a time after its start"
        );
        return Err(Failure::about(end_name, message));
    }
    Ok(Window {
        from_unix_ns,
        to_unix_ns,
        steps: 0,
    })
}

pub(crate) fn find_hotspots(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let ranges = Ranges::read(ask)?;
    match ranges.usual {
        true => ask.live.or_make(ask.now_unix_ns, || find_in(ask, &ranges)),
        false => find_in(ask, &ranges),
    }
}

fn find_in(ask: &Ask<'_>, ranges: &Ranges) -> Result<Answer, Failure> {
    let mut names = Names::default();
    let windows = [ranges.now, ranges.before].map(|one| (one.from_unix_ns, one.to_unix_ns));
    let [now, before] = scan::two_samples(ask, &mut names, windows)?;
    let found = hotspots::find(&now, &before, &names);

    let mut searched = now.scanned.searched.clone();
    searched.add(&before.scanned.searched);
    let mut incomplete = now.scanned.incomplete.clone();
    let reasons = before.scanned.incomplete.iter();
    incomplete.extend(reasons.map(|reason| format!("of what was before: {reason}")));
    let past = match ranges.live {
        true => past(
            ask,
            &found,
            &names,
            &ranges.now,
            (&mut searched, &mut incomplete),
        )?,
        false => Past::default(),
    };

    let mut json = Json::default();
    json.object(|json| {
        json.key("hotspots")
            .array(found.iter().enumerate(), |json, (at, spot)| {
                let sides = [(&now, &ranges.now), (&before, &ranges.before)];
                hotspot(json, at + 1, spot, sides, &names, &past);
            });
        for (name, window, sample) in [
            ("now", &ranges.now, &now),
            ("against", &ranges.before, &before),
        ] {
            json.key(name).object(|json| {
                json.key("start_unix_ns").plain(window.from_unix_ns);
                json.key("end_unix_ns").plain(window.to_unix_ns);
                json.key("spans").plain(sample.spans());
                json.key("sampled").double(sample.share());
            });
        }
        json.outcome(&searched, &incomplete);
    });
    Ok(Answer::new(json.into_text(), &searched, &incomplete))
}

fn hotspot(
    json: &mut Json,
    rank: usize,
    spot: &Hotspot,
    [(now, now_window), (before, before_window)]: [(&Sample, &Window); 2],
    names: &Names,
    past: &Past<Op>,
) {
    json.object(|json| {
        json.key("rank").plain(rank);
        operation(json, names, spot.op);
        json.key("kind").text(match spot.kind {
            Kind::Error => "error",
            Kind::Latency => "latency",
        });
        json.key("change").text(match spot.change {
            Change::New => "new",
            Change::Worse => "worse",
            Change::Steady => "steady",
        });
        json.key("charged_ms").double(spot.charged_ms / now.share());
        json.key("share").double(spot.share);
        figures(json, &spot.now, now_window, now.share());
        json.key("was").object(|json| {
            figures(json, &spot.was, before_window, before.share());
            past.write(json, &spot.op);
        });
        json.key("victims")
            .array(&spot.victims, |json, &(op, traces)| {
                json.object(|json| {
                    operation(json, names, op);
                    json.key("traces").plain(traces);
                });
            });
        json.key("sample_trace_id")
            .optional(spot.sample, |json, (trace, _)| json.quoted(trace));
        json.key("span_id")
            .optional(spot.sample, |json, (_, span)| json.quoted(span));
    });
}

fn operation(json: &mut Json, names: &Names, op: Op) {
    json.key("service")
        .text(names.service(names.service_of(op)));
    json.key("operation").text(names.operation_name(op));
}

/// Of a sample: its rate is that of all.
fn figures(json: &mut Json, figures: &Figures, window: &Window, share: f64) {
    let seconds = window.seconds() * share;
    let window = Window {
        from_unix_ns: 0,
        to_unix_ns: (seconds * SECOND_NS as f64) as u64,
        steps: 0,
    };
    rates(json, figures, &window);
    percentiles(json, figures);
}

/// The figures of the operations that were found, an hour, a day and a week before.
fn past(
    ask: &Ask<'_>,
    found: &[Hotspot],
    names: &Names,
    now: &Window,
    outcome: (&mut Searched, &mut Vec<String>),
) -> Result<Past<Op>, Failure> {
    let services = found.iter().map(|spot| names.service_of(spot.op));
    let services: BTreeSet<_> = services.collect();
    // Operations are names' own: one of another service is another one.
    let read = |window: &Window| {
        let of_service = |&service| {
            let service = names.service(service);
            let mut answer = ask.readers.stats.read_operations(service, window)?;
            let rows = std::mem::take(&mut answer.rows).into_iter();
            let rows =
                rows.filter_map(|row| Some((names.find(service, &row.operation)?, row.figures)));
            Ok(stats::Answer {
                rows: rows.collect(),
                capped: answer.capped,
                unjoined: answer.unjoined,
                searched: answer.searched,
                incomplete: answer.incomplete,
            })
        };
        services.iter().map(of_service).collect()
    };
    Past::read(now, outcome, read, Some)
}
