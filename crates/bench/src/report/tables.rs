//! The tables of the page: runs made alike are a row, with their median and how far they are apart.

use std::collections::BTreeMap;

use crate::body::{Encoding, Format, Layout};
use crate::questions::BY_ID;
use crate::record::{Figures, Ingest, Run, Settings};
use crate::table::count;
use crate::traffic::Dataset;

/// Adds a line; writing to a string cannot fail.
macro_rules! line {
    ($text:expr, $($part:tt)*) => {{
        use std::fmt::Write as _;
        let _ok = writeln!($text, $($part)*);
    }};
}
pub(super) use line;

pub(super) fn machine(runs: &[Run]) -> String {
    let mut machines: BTreeMap<String, usize> = BTreeMap::new();
    for run in runs {
        *machines
            .entry(format!("{}; version {}", run.machine.words(), run.version))
            .or_default() += 1;
    }
    let mut text = String::new();
    for (machine, runs) in machines {
        line!(text, "* {machine}: {runs} runs");
    }
    text
}

/// Ingest runs of our own servers, those made alike together, in the order of the first of each.
fn own_ingest(runs: &[Run]) -> Vec<(String, Vec<&Ingest>)> {
    let mut groups: Vec<(String, Vec<&Ingest>)> = Vec::new();
    for run in runs {
        let (Figures::Ingest(ingest), None) = (&run.figures, &run.settings.url) else {
            continue;
        };
        let words = words(&run.settings, run.label.as_deref(), ingest.spans);
        match groups.iter_mut().find(|(known, _)| *known == words) {
            Some((_, group)) => group.push(ingest),
            None => groups.push((words, vec![ingest])),
        }
    }
    groups
}

/// What a run was made with, as far as it is not the default.
fn words(settings: &Settings, label: Option<&str>, spans: u64) -> String {
    let mut words = vec![match settings.format {
        Format::OtlpHttp => "OTLP/HTTP".to_owned(),
        Format::OtlpGrpc => "OTLP/gRPC".to_owned(),
        Format::SpansJson => "`/v1/spans` JSON".to_owned(),
        Format::Zipkin => "Zipkin protobuf".to_owned(),
    }];
    let mut add = |differs: bool, said: String| {
        if differs {
            words.push(said);
        }
    };
    add(
        settings.layout == Layout::Service,
        "a service's spans a request".to_owned(),
    );
    add(
        settings.encoding != Encoding::Identity,
        settings.encoding.name().unwrap_or_default().to_owned(),
    );
    add(
        settings.batch != 500,
        format!("{} spans a request", settings.batch),
    );
    add(
        settings.services != 50,
        format!("{} services", settings.services),
    );
    add(
        settings.connections != 4,
        format!("{} connections", settings.connections),
    );
    add(
        settings.dataset == Dataset::LowEntropy,
        "low entropy".to_owned(),
    );
    add(
        settings.dataset == Dataset::Adversarial,
        "adversarial".to_owned(),
    );
    add(
        settings.rate.is_some(),
        format!("{} spans/s", count(settings.rate.unwrap_or(0))),
    );
    for argument in &settings.server {
        add(true, format!("`{argument}`"));
    }
    // To one digit: runs that end with the body that reaches a number are made alike.
    let digit = 10u64.pow((spans.max(1) as f64).log10() as u32);
    let spans = (spans as f64 / digit as f64).round() as u64 * digit;
    add(spans != 1_000_000, format!("{} spans", count(spans)));
    add(label.is_some(), label.unwrap_or_default().to_owned());
    words.join(", ")
}

/// The median, and how far runs are apart: `5.81 (5.60–6.02)`; only the number when all agree.
pub(super) fn spread<'a, T: 'a>(
    of: impl IntoIterator<Item = &'a T>,
    figure: impl Fn(&T) -> Option<f64>,
    digits: usize,
) -> String {
    let mut figures: Vec<f64> = of.into_iter().filter_map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (figures.first(), figures.last()) else {
        return "–".to_owned();
    };
    let say = |figure: f64| {
        if digits == 0 {
            count(figure.round() as u64)
        } else {
            format!("{figure:.digits$}")
        }
    };
    let (median, least, most) = (say(figures[figures.len() / 2]), say(*least), say(*most));
    if least == most {
        median
    } else {
        format!("{median} ({least}–{most})")
    }
}

pub(super) fn ingest(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| sent | runs | CPU-s per M spans, settled | at the last answer | spans/s | bytes a span, sent | on disk | written | peak RSS, MB | turned away |"
    );
    line!(text, "|---|---|---|---|---|---|---|---|---|---|");
    for (words, group) in own_ingest(runs) {
        let group = || group.iter().copied();
        let server = |of: fn(&crate::record::ServerUse) -> f64| {
            move |ingest: &Ingest| ingest.server.as_ref().map(of)
        };
        let disk = |of: fn(&crate::record::Disk) -> f64| {
            move |ingest: &Ingest| ingest.disk.as_ref().map(of)
        };
        line!(
            text,
            "| {words} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            group().count(),
            spread(group(), server(|server| server.cpu_s_per_m), 2),
            spread(group(), server(|server| server.cpu_s_per_m_end), 2),
            spread(group(), |ingest| Some(ingest.spans_per_s), 0),
            spread(group(), |ingest| Some(ingest.body_bytes_per_span), 0),
            spread(group(), disk(|disk| disk.bytes_per_span), 1),
            spread(group(), disk(|disk| disk.written_per_span), 0),
            spread(group(), server(|server| server.peak_rss_mb), 0),
            spread(group(), |ingest| Some(ingest.overloaded as f64), 0),
        );
    }
    text
}

/// Where the CPU of the first kind of runs went.
pub(super) fn threads(runs: &[Run]) -> String {
    let groups = own_ingest(runs);
    let mut text = String::new();
    let Some((words, group)) = groups.first() else {
        return text;
    };
    let mut names: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for server in group.iter().filter_map(|ingest| ingest.server.as_ref()) {
        for (name, &s) in &server.by_thread {
            names.entry(name).or_default().push(s);
        }
    }
    line!(text, "| threads, {words} | CPU-s per M spans |");
    line!(text, "|---|---|");
    for (name, figures) in names {
        line!(
            text,
            "| {name} | {} |",
            spread(&figures, |figure| Some(*figure), 2)
        );
    }
    text
}

/// This system's row in a table of systems, of the first runs of each kind.
pub(super) fn row(runs: &[Run]) -> String {
    let figures = runs.iter().map(|run| &run.figures);
    let groups = own_ingest(runs);
    let group = || {
        groups
            .first()
            .into_iter()
            .flat_map(|(_, group)| group.iter().copied())
    };
    let query = figures.clone().find_map(|figures| match figures {
        Figures::Query(query) => Some(query),
        _ => None,
    });
    let latency = |question: &str| {
        let row = query.and_then(|query| {
            query
                .rows
                .iter()
                .find(|row| row.load == "0 %" && row.question == question)
        });
        row.map_or_else(
            || "–".to_owned(),
            |row| format!("{}/{}", ms(row.latency.p50_ms), ms(row.latency.p99_ms)),
        )
    };
    let lost: u64 = figures
        .map(|figures| match figures {
            Figures::Recovery(recovery) => recovery.lost.max(recovery.verified_lost),
            _ => 0,
        })
        .sum();
    format!(
        "| **Tracewell**, traffic as above | **{}** | {} | **{}** | {} | {} | {} MB | **{}** |\n",
        spread(
            group(),
            |ingest| ingest.server.as_ref().map(|server| server.cpu_s_per_m),
            1
        ),
        spread(group(), |ingest| Some(ingest.spans_per_s), 0),
        spread(
            group(),
            |ingest| ingest.disk.as_ref().map(|disk| disk.bytes_per_span),
            1
        ),
        latency(BY_ID),
        latency("service, error, duration"),
        spread(
            group(),
            |ingest| ingest.server.as_ref().map(|server| server.peak_rss_mb),
            0
        ),
        lost,
    )
}

/// Rows of a table of systems: one for each label of runs that drove a URL.
pub(super) fn peers(runs: &[Run]) -> String {
    let mut groups: BTreeMap<String, Vec<&Ingest>> = BTreeMap::new();
    for run in runs {
        if let (Figures::Ingest(ingest), Some(url)) = (&run.figures, &run.settings.url) {
            groups
                .entry(run.label.clone().unwrap_or_else(|| url.clone()))
                .or_default()
                .push(ingest);
        }
    }
    let mut text = String::new();
    for (label, group) in groups {
        let group = || group.iter().copied();
        line!(
            text,
            "| {label} | {} | {} | {} | {} |",
            spread(
                group(),
                |ingest| ingest.server.as_ref().map(|server| server.cpu_s_per_m),
                1
            ),
            spread(group(), |ingest| Some(ingest.spans_per_s), 0),
            spread(
                group(),
                |ingest| ingest.disk.as_ref().map(|disk| disk.bytes_per_span),
                0
            ),
            spread(
                group(),
                |ingest| ingest.server.as_ref().map(|server| server.peak_rss_mb),
                0
            ),
        );
    }
    text
}

/// The latest run of questions: a row a question, a column a load.
pub(super) fn query(runs: &[Run]) -> String {
    let mut text = String::new();
    for run in runs {
        let Figures::Query(query) = &run.figures else {
            continue;
        };
        let mut loads: Vec<&str> = Vec::new();
        let mut questions: Vec<&str> = Vec::new();
        for row in &query.rows {
            for (known, name) in [
                (&mut loads, row.load.as_str()),
                (&mut questions, row.question.as_str()),
            ] {
                if !known.contains(&name) {
                    known.push(name);
                }
            }
        }
        let wrong: u64 = query.rows.iter().map(|row| row.wrong).sum();
        let asked: u64 = query.rows.iter().map(|row| row.asked).sum();
        line!(
            text,
            "{} spans stored; 100 % of ingest is {} spans/s. {asked} answers, {wrong} wrong; {} traces read back field by field; {} MB at the peak.\n",
            count(query.spans),
            count(query.full_rate as u64),
            query.verified_traces,
            query.peak_rss_mb.round()
        );
        line!(text, "| p50/p99/max, ms | {} |", loads.join(" | "));
        line!(text, "|---|{}", "---|".repeat(loads.len()));
        for question in questions {
            let cells = loads.iter().map(|load| {
                let row = query
                    .rows
                    .iter()
                    .find(|row| row.load == *load && row.question == question);
                row.map_or_else(
                    || "–".to_owned(),
                    |row| {
                        format!(
                            "{}/{}/{}",
                            ms(row.latency.p50_ms),
                            ms(row.latency.p99_ms),
                            ms(row.latency.max_ms)
                        )
                    },
                )
            });
            line!(
                text,
                "| {question} | {} |",
                cells.collect::<Vec<_>>().join(" | ")
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Two digits that matter.
pub(super) fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1}"),
        ms => format!("{ms:.0}"),
    }
}

pub(super) fn beside(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| questions/s asked | answered | spans/s beside | answers p50/p99/max, ms | ingest µs a span without | with | more | query ms each | wrong |"
    );
    line!(text, "|---|---|---|---|---|---|---|---|---|");
    for run in runs {
        let Figures::Query(query) = &run.figures else {
            continue;
        };
        let Some(beside) = &query.beside else {
            continue;
        };
        let answer = beside.answer;
        line!(
            text,
            "| {} | {} | {} | {}/{}/{} | {:.2} | {:.2} | {:+.1} % | {:.2} | {} |",
            beside.qps,
            beside.answered_per_s,
            count(beside.spans_per_s),
            ms(answer.p50_ms),
            ms(answer.p99_ms),
            ms(answer.max_ms),
            beside.ingest_us_per_span_without,
            beside.ingest_us_per_span_with,
            (beside.ingest_us_per_span_with / beside.ingest_us_per_span_without - 1.0) * 100.0,
            beside.query_ms_per_question,
            beside.wrong
        );
    }
    text
}

pub(super) fn growth(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| spans stored | CPU-s per M spans of the step | spans/s | bytes a span on disk | by id p50/p99, ms | search p50/p99, ms | peak RSS, MB | open files | segments | restart, s | wrong |"
    );
    line!(text, "|---|---|---|---|---|---|---|---|---|---|---|");
    for run in runs {
        let Figures::Growth(growth) = &run.figures else {
            continue;
        };
        line!(
            text,
            "| {} | {:.2} | {} | {:.1} | {}/{} | {}/{} | {} | {} | {} | {:.2} | {} |",
            count(growth.spans),
            growth.cpu_s_per_m,
            count(growth.spans_per_s as u64),
            growth.disk_bytes_per_span,
            ms(growth.by_id.p50_ms),
            ms(growth.by_id.p99_ms),
            ms(growth.search.p50_ms),
            ms(growth.search.p99_ms),
            growth.peak_rss_mb.round(),
            growth.open_files,
            growth.segments,
            growth.ready_s,
            growth.wrong
        );
    }
    text
}

pub(super) fn recovery(runs: &[Run]) -> String {
    let mut text = String::new();
    line!(
        text,
        "| spans acknowledged so far | lost by the account | traces read back | acknowledged spans missing in them | log, MiB | ready, s | s per GiB of log |"
    );
    line!(text, "|---|---|---|---|---|---|---|");
    for run in runs {
        let Figures::Recovery(recovery) = &run.figures else {
            continue;
        };
        line!(
            text,
            "| {} | {} | {} | {} | {:.0} | {:.2} | {:.1} |",
            count(recovery.acknowledged),
            recovery.lost,
            count(recovery.verified_traces),
            recovery.verified_lost,
            recovery.log_mib,
            recovery.ready_s,
            recovery.ready_s_per_gib
        );
    }
    text
}
