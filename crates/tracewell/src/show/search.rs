//! `tracewell search`: hits as a table, one line each, ready for `tracewell get`.

use serde_json::Value;

use super::{Paint, count, duration, fit, line, safe, text, text_of};
use crate::cli::{Format, SearchArgs};
use crate::client::Client;

/// Searches and prints the hits.
pub(crate) fn run(args: &SearchArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server.url)?;
    let found = client.get("/api/traces", &query(args))?;
    if args.format != Format::Text {
        line!("{}", serde_json::to_string_pretty(&found)?);
        return Ok(());
    }
    print(&found)
}

fn query(args: &SearchArgs) -> Vec<(&'static str, String)> {
    let flag = |set: bool| set.then(|| "true".to_owned());
    let single = [
        ("service", args.service.clone()),
        ("operation", args.operation.clone()),
        ("error", flag(args.error)),
        ("span_error", flag(args.span_error)),
        ("status", args.status.clone()),
        ("min_duration_ms", args.min_duration_ms.clone()),
        ("max_duration_ms", args.max_duration_ms.clone()),
        ("min_span_duration_ms", args.min_span_duration_ms.clone()),
        ("start", args.start.clone()),
        ("end", args.end.clone()),
        ("order", args.order.clone()),
        ("limit", Some(args.limit.to_string())),
    ];
    let tags = args.tag.iter().map(|tag| ("tag", Some(tag.clone())));
    single
        .into_iter()
        .chain(tags)
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

fn print(found: &Value) -> anyhow::Result<()> {
    let paint = Paint::for_stdout();
    let hits = found["traces"].as_array().map_or(&[][..], Vec::as_slice);
    if hits.is_empty() {
        super::note("no trace matches");
    }
    for hit in hits {
        let root = match hit["root_service"].as_str() {
            Some(service) => format!("{} {}", safe(service), safe(text(hit, "root_operation"))),
            None => "(no root span)".to_owned(),
        };
        let status = match text(hit, "status") {
            "error" => paint.red("error  "),
            "partial" => paint.yellow("partial"),
            _ => "ok     ".to_owned(),
        };
        line!(
            "{}  {}  {:>7}  {:>5} spans  {status}  {}",
            text(hit, "trace_id"),
            paint.dim(&clock(count(hit, "start_time_unix_ns"))),
            duration(count(hit, "duration_ns")),
            count(hit, "span_count"),
            fit(&root, 60).trim_end(),
        );
    }
    // Beside the rows, so that these can go on to another command.
    if !found["next_cursor"].is_null() {
        super::note("there are more; raise --limit, or narrow the search");
    }
    for reason in found["incomplete_reasons"].as_array().into_iter().flatten() {
        super::note(&format!("incomplete: {}", safe(&text_of(reason))));
    }
    Ok(())
}

fn clock(unix_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns));
    time.map_or_else(|_| unix_ns.to_string(), |time| format!("{time:.3}"))
}
