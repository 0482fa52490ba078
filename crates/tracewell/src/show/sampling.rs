//! `tracewell sampling`: what the sampler kept and dropped. `tracewell sampling what-if`: what it
//! would, of what it has not decided about, beside what sampling at the head would have lost (R59).

use serde_json::Value;

use super::{Paint, count, line, safe, text_of};
use crate::cli::{SamplingArgs, SamplingCommand};
use crate::client::Client;

/// Asks the server and prints its answer.
pub(crate) fn run(args: &SamplingArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(SamplingCommand::WhatIf(server)) => {
            what_if(&Client::new(&server.url)?.get("/api/sampling/what-if", &[])?)
        }
        None => print(&Client::new(&args.server.url)?.get("/api/sampling", &[])?),
    }
}

fn print(report: &Value) -> anyhow::Result<()> {
    let paint = Paint::for_stdout();
    if report["enabled"] != true {
        line!("nothing is sampled: every trace is kept (sampling_enabled = true changes that)");
        return Ok(());
    }
    books(report)?;
    if let Some(why) = report["waiting"].as_str() {
        line!("{} {}", paint.yellow("waiting:"), safe(why));
    }
    for problem in report["problems"].as_array().into_iter().flatten() {
        line!("{} {}", paint.red("problem:"), safe(&text_of(problem)));
    }
    Ok(())
}

fn what_if(report: &Value) -> anyhow::Result<()> {
    books(report)?;
    let (errors, lost) = (
        count(report, "error_traces"),
        count(report, "error_traces_lost_by_head_sampling"),
    );
    line!(
        "of {errors} traces with errors, sampling at the head that keeps as many spans would have lost {lost} ({:.1} %); this loses none",
        100.0 * lost as f64 / errors.max(1) as f64
    );
    Ok(())
}

fn books(report: &Value) -> anyhow::Result<()> {
    for (word, member, spans) in [
        ("kept", "kept", "kept_spans"),
        ("dropped", "dropped", "dropped_spans"),
    ] {
        let reasons = report[member].as_object();
        let total: u64 = reasons
            .into_iter()
            .flat_map(|reasons| reasons.values())
            .filter_map(Value::as_u64)
            .sum();
        line!(
            "{word:8}{total:>12} traces with {} spans",
            count(report, spans)
        );
        for (reason, traces) in reasons.into_iter().flatten() {
            line!("  {:18}{traces:>12}", safe(reason));
        }
    }
    line!(
        "of {} healthy traces {} are kept: {:.2} %",
        count(report, "healthy_traces"),
        count(report, "healthy_kept"),
        100.0 * report["share"].as_f64().unwrap_or(0.0)
    );
    Ok(())
}
