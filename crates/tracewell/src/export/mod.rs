//! `tracewell export`: everything that is stored, or a part of it, into a file; from a running
//! server, or from the directory of one that is stopped. Says at its end how many spans that were
//! and what was missing, and leaves no part of a file under the final name.

mod file;
mod local;
mod remote;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use tracewell_export::{Error, Format, Summary};

use crate::cli::ExportArgs;
use crate::show::{note, safe};
use file::Target;

/// The file is whole, but spans that should be in it could not be read.
const MISSING: u8 = 3;

/// Exports.
pub(crate) fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let to_terminal = args.out == "-" && std::io::stdout().is_terminal();
    if to_terminal && args.format == Format::Parquet {
        bail!("Parquet is nothing for a terminal: name a file with --out");
    }
    if args.data.is_some() && !args.format.is_built() {
        bail!("{}", Error::NotBuilt);
    }
    let progress = progress(args);
    let mut target = Target::open(&args.out)?;
    let mut out = progress.wrap_write(&mut target);
    let outcome = match &args.data {
        Some(dir) => local::export(args, dir, &mut out, &progress),
        None => remote::export(args, &mut out),
    };
    progress.finish_and_clear();
    let summary = match outcome {
        // `| head` has what it wanted.
        Err(_) if target.is_closed_pipe() => return Ok(ExitCode::SUCCESS),
        outcome => outcome?,
    };
    target.finish()?;
    Ok(report(args, &summary, progress.position()))
}

fn report(args: &ExportArgs, summary: &Summary, bytes: u64) -> ExitCode {
    let name = match args.out.as_str() {
        "-" => "standard output",
        name => name,
    };
    let bytes = indicatif::BinaryBytes(bytes);
    for reason in &summary.incomplete_reasons {
        note(&format!("incomplete: {}", safe(reason)));
    }
    let missing = match summary.spans_missing {
        0 if summary.complete => "nothing is missing".to_owned(),
        0 => "some may be missing".to_owned(),
        missing => format!("{missing} spans are MISSING"),
    };
    let spans = summary.spans;
    note(&format!(
        "{spans} spans exported to {} ({bytes}); {missing}",
        safe(name)
    ));
    match summary.complete {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(MISSING),
    }
}

fn progress(args: &ExportArgs) -> ProgressBar {
    // With the rows on the same terminal it would only be in their way.
    let hidden = args.out == "-" && std::io::stdout().is_terminal();
    if hidden || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// A writer that is asked for often and in small pieces, as encoders do.
type Out<'a> = &'a mut (dyn Write + Send);
