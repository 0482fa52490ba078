//! `tracewell get`: one trace as a tree, each span with its bar in time; what failed is told in full.

use serde_json::Value;

use super::{Paint, count, duration, fit, line, safe, text, text_of};
use crate::cli::{Format, GetArgs};
use crate::client::Client;

/// Columns of the bar that shows when a span ran.
const BAR_WIDTH: usize = 30;
/// Columns of the tree with service and operation.
const NAME_WIDTH: usize = 56;

/// Gets the trace and prints it.
pub(crate) fn run(args: &GetArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.server.url)?;
    let path = format!("/api/traces/{}", args.trace_id.trim());
    let query = match args.format {
        Format::Otlp => vec![("format", "otlp".to_owned())],
        Format::Text | Format::Json => vec![],
    };
    let trace = client.get(&path, &query)?;
    match args.format {
        Format::Text => print(&trace, args.all),
        Format::Json | Format::Otlp => {
            line!("{}", serde_json::to_string_pretty(&trace)?);
            Ok(())
        }
    }
}

fn print(trace: &Value, all: bool) -> anyhow::Result<()> {
    let paint = Paint::for_stdout();
    head(trace, paint)?;
    let start = count(trace, "start_time_unix_ns");
    let whole = count(trace, "duration_ns").max(1);
    for span in trace["spans"].as_array().into_iter().flatten() {
        row(span, start, whole, paint)?;
        if all || text(span, "status") == "error" {
            details(span, paint)?;
        }
    }
    Ok(())
}

fn head(trace: &Value, paint: Paint) -> anyhow::Result<()> {
    let root = &trace["root_span"];
    let name = match root.is_null() {
        true => "(no root span)".to_owned(),
        false => format!(
            "{} {}",
            safe(text(root, "service_name")),
            safe(text(root, "operation_name"))
        ),
    };
    let status = match text(trace, "status") {
        "error" => paint.red("error"),
        "partial" => paint.yellow("PARTIAL"),
        other => other.to_owned(),
    };
    line!(
        "{}  {}",
        paint.bold(&name),
        paint.dim(text(trace, "trace_id"))
    );
    line!(
        "{}  {} spans  {} services  {} errors  {status}",
        duration(count(trace, "duration_ns")),
        count(trace, "span_count"),
        count(trace, "service_count"),
        count(trace, "error_count"),
    );
    for reason in trace["partial_reasons"].as_array().into_iter().flatten() {
        line!(
            "{} {}",
            paint.yellow("┄"),
            safe(&text_of(&reason["detail"]))
        );
    }
    for reason in trace["warnings"].as_array().into_iter().flatten() {
        line!("{} {}", paint.yellow("!"), safe(&text_of(reason)));
    }
    line!("");
    Ok(())
}

fn row(span: &Value, start: u64, whole: u64, paint: Paint) -> anyhow::Result<()> {
    let depth = count(span, "depth") as usize;
    // A tree a thousand deep would leave no room for its names.
    let indent = "  ".repeat(depth.min(14)) + if depth > 14 { "… " } else { "" };
    let failed = text(span, "status") == "error";
    let mark = match (failed, span["orphan"].as_bool().unwrap_or(false)) {
        (true, _) => "!",
        (false, true) => "┄",
        (false, false) => " ",
    };
    let name = format!(
        "{indent}{} {}",
        safe(text(span, "service_name")),
        safe(text(span, "operation_name"))
    );
    let name = fit(&name, NAME_WIDTH);
    let name = if failed { paint.red(&name) } else { name };
    let took = count(span, "duration_ns");
    let bar = bar(
        count(span, "start_time_unix_ns").saturating_sub(start),
        took,
        whole,
    );
    line!(
        "{mark} {name} {bar} {:>7}  {}",
        duration(took),
        paint.dim(text(span, "span_id"))
    );
    Ok(())
}

/// Where in the trace's time the span ran.
fn bar(offset: u64, took: u64, whole: u64) -> String {
    let column = |ns: u64| (ns as u128 * BAR_WIDTH as u128 / whole as u128) as usize;
    let from = column(offset).min(BAR_WIDTH - 1);
    let to = column(offset.saturating_add(took)).clamp(from + 1, BAR_WIDTH);
    let cells = (0..BAR_WIDTH).map(|at| {
        if (from..to).contains(&at) {
            '█'
        } else {
            '·'
        }
    });
    cells.collect()
}

fn details(span: &Value, paint: Paint) -> anyhow::Result<()> {
    let margin = "    ".to_owned() + &"  ".repeat((count(span, "depth") as usize).min(14));
    let message = text(span, "status_message");
    if !message.is_empty() {
        line!("{margin}{}", paint.red(&safe(message)));
    }
    for (key, value) in span["tags"].as_object().into_iter().flatten() {
        line!(
            "{margin}{} = {}",
            paint.dim(&safe(key)),
            fit(&safe(&text_of(value)), 100).trim_end()
        );
    }
    for event in span["events"].as_array().into_iter().flatten() {
        line!(
            "{margin}{} {}",
            paint.dim("event"),
            safe(text(event, "name"))
        );
        for (key, value) in event["attributes"].as_object().into_iter().flatten() {
            for (i, part) in text_of(value).lines().take(12).enumerate() {
                let label = if i == 0 {
                    format!("{} = ", safe(key))
                } else {
                    "    ".to_owned()
                };
                line!("{margin}  {}{}", paint.dim(&label), safe(part));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_always_seen_and_never_too_wide() {
        for (offset, took) in [(0, 0), (0, 100), (99, 1), (100, 0), (500, 500)] {
            let bar = bar(offset, took, 100);
            assert_eq!(bar.chars().count(), BAR_WIDTH);
            assert!(bar.contains('█'), "{offset} {took}");
        }
    }
}
