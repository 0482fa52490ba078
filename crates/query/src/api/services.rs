//! `GET /api/services` and `GET /api/services/{service}/operations`: names from the index, figures
//! from the stats store in one read, the trace store never (R30, R31, R55, D19).

use hashbrown::HashMap;
use tracewell_storage::stats::{self, Basis, Figures, ServiceFigures};
use tracewell_storage::{Class, Error, Names, Searched, Window};

use super::past::Past;
use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;
use crate::values;

const WINDOW_DEFAULT_NS: u64 = 300_000_000_000;
/// Points of a service's small chart.
const SERIES_STEPS: usize = 30;

pub(crate) fn list_services(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let window = window(ask, SERIES_STEPS)?;
    let names = ask.readers.finder.list_services(ask.context);
    let stats = ask.readers.stats.read_services(&window);
    let (names, stats) = both(names, stats, |row| &row.service)?;
    let (searched, incomplete) = together(&names, &stats);
    let by_name: HashMap<_, _> = stats
        .rows
        .iter()
        .map(|row| (row.service.as_str(), row))
        .collect();
    let empty = ServiceFigures::default();

    let mut json = Json::default();
    json.object(|json| {
        json.key("services").texts(&names.names);
        json.key("metrics").array(&names.names, |json, name| {
            let row = by_name.get(name.as_str()).copied().unwrap_or(&empty);
            service(json, name, row, &window);
        });
        json.key("window_s").plain(window.seconds());
        json.key("capped").plain(names.capped || stats.capped);
        json.outcome(&searched, &incomplete);
    });
    Ok(Answer::new(json.into_text(), &searched, &incomplete))
}

/// Names and figures are of two stores in a cluster. Where one is away there is what the other has,
/// and a word about it (P15).
fn both<T: Default>(
    names: Result<Names, Error>,
    stats: Result<stats::Answer<T>, Error>,
    name: fn(&T) -> &String,
) -> Result<(Names, stats::Answer<T>), Failure> {
    match (names, stats) {
        (Err(error), Ok(stats)) if is_away(&error) => {
            let names = Names {
                names: stats.rows.iter().map(name).cloned().collect(),
                incomplete: vec![format!("only names that have figures: {error}")],
                ..Names::default()
            };
            Ok((names, stats))
        }
        (Ok(names), Err(error)) if is_away(&error) => {
            let stats = stats::Answer {
                incomplete: vec![format!("no figures: {error}")],
                ..stats::Answer::default()
            };
            Ok((names, stats))
        }
        (names, stats) => Ok((names?, stats?)),
    }
}

/// The store may be back when it is asked again.
pub(super) fn is_away(error: &Error) -> bool {
    matches!(error.class, Class::Retryable | Class::Overloaded)
}

/// What both reads looked at, and what either may lack.
fn together<T>(names: &Names, stats: &stats::Answer<T>) -> (Searched, Vec<String>) {
    let mut searched = names.searched.clone();
    searched.add(&stats.searched);
    let incomplete = [&names.incomplete[..], &stats.incomplete].concat();
    (searched, incomplete)
}

pub(crate) fn list_operations(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let window = window(ask, 0)?;
    let service = ask.segment(0);
    let names = ask.readers.finder.list_operations(service, ask.context);
    let stats = ask.readers.stats.read_operations(service, &window);
    let (names, stats) = both(names, stats, |row| &row.operation)?;
    let (mut searched, mut incomplete) = together(&names, &stats);
    let past = Past::read(
        &window,
        (&mut searched, &mut incomplete),
        |window| Ok(vec![ask.readers.stats.read_operations(service, window)?]),
        |row| Some((row.operation, row.figures)),
    )?;
    let by_name: HashMap<_, _> = stats
        .rows
        .iter()
        .map(|row| (row.operation.as_str(), &row.figures))
        .collect();
    let empty = Figures::default();

    let mut json = Json::default();
    json.object(|json| {
        json.key("service").text(service);
        json.key("operations").texts(&names.names);
        json.key("metrics").array(&names.names, |json, name| {
            json.object(|json| {
                json.key("operation").text(name);
                let of_name = by_name.get(name.as_str()).copied().unwrap_or(&empty);
                requests(json, of_name, &window);
                json.key("was")
                    .object(|json| past.write(json, name.as_str()));
            });
        });
        json.key("window_s").plain(window.seconds());
        json.key("capped").plain(names.capped || stats.capped);
        json.outcome(&searched, &incomplete);
    });
    Ok(Answer::new(json.into_text(), &searched, &incomplete))
}

/// The window that was asked for, up to now.
pub(super) fn window(ask: &Ask<'_>, steps: usize) -> Result<Window, Failure> {
    let length_ns = ask
        .params
        .read("window", values::window)?
        .unwrap_or(WINDOW_DEFAULT_NS);
    let to_unix_ns = ask.now_unix_ns;
    Ok(Window {
        from_unix_ns: to_unix_ns.saturating_sub(length_ns),
        to_unix_ns,
        steps,
    })
}

fn service(json: &mut Json, name: &str, row: &ServiceFigures, window: &Window) {
    json.object(|json| {
        json.key("service").text(name);
        requests(json, &row.figures, window);
        json.key("basis").text(match row.basis {
            Basis::EntrySpans => "entry_spans",
            Basis::AllSpans => "all_spans",
        });
        json.key("series")
            .array(series(row, window), |json, (at, figures)| {
                json.object(|json| {
                    json.key("t_unix_ns").plain(at);
                    json.key("count").plain(figures.count);
                    json.key("errors").plain(figures.error_count);
                    percentiles(json, &figures);
                });
            });
    });
}

/// The steps of a service; all of them also where nothing came.
fn series(row: &ServiceFigures, window: &Window) -> Vec<(u64, Figures)> {
    if !row.series.is_empty() {
        return row.series.clone();
    }
    let step_ns = (window.to_unix_ns - window.from_unix_ns) / SERIES_STEPS as u64;
    let starts = (0..SERIES_STEPS as u64).map(|step| window.from_unix_ns + step * step_ns);
    starts.map(|start| (start, Figures::default())).collect()
}

fn requests(json: &mut Json, figures: &Figures, window: &Window) {
    rates(json, figures, window);
    json.key("request_count").plain(figures.count);
    json.key("error_count").plain(figures.error_count);
    percentiles(json, figures);
}

/// Null where nothing was counted: no requests is not a rate of errors.
pub(super) fn rates(json: &mut Json, figures: &Figures, window: &Window) {
    let some = |number: f64| (figures.count > 0).then_some(number);
    let rate = figures.count as f64 / window.seconds();
    let errors = figures.error_count as f64 / figures.count as f64;
    json.key("rate_per_s").optional(some(rate), Json::double);
    json.key("error_rate").optional(some(errors), Json::double);
}

pub(super) fn percentiles(json: &mut Json, figures: &Figures) {
    for (name, q) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
        json.key(name)
            .optional(figures.latency.quantile(q), Json::milliseconds);
    }
}
