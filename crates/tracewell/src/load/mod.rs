//! `tracewell load`: files of traces, recognized by content, sent to a server as OTLP. Says what it
//! refused and why; fails only when nothing was usable.

mod shift;

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use tracewell_model::SpanBatch;
use tracewell_model::clock::{Clock, SystemClock};
use tracewell_wire::decompress::decompress;
use tracewell_wire::{Report, import, otlp};

use crate::cli::LoadArgs;
use crate::client::Client;
use crate::show::line;

/// A compressed file may unpack to this much; it is held in memory while it is read.
const FILE_BYTES_MAX: usize = 4 << 30;

/// What became of all files.
#[derive(Debug, Default)]
struct Tally {
    sent: u64,
    refused: BTreeMap<String, u64>,
    examples: Vec<String>,
    unusable: Vec<String>,
}

/// Loads all files.
pub(crate) fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let client = Client::new(&args.to)?;
    let target = args.shift_to.as_deref().map(parse_moment).transpose()?;
    let bar = progress(&args.files);
    let mut tally = Tally::default();
    // To move spans in time, the latest must be known first: then all files are held back.
    let mut held = Vec::new();
    for file in &args.files {
        bar.set_message(
            file.file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into()),
        );
        let outcome = read(file, &mut tally, |batch, tally| match target {
            Some(_) => {
                held.push(batch);
                Ok(())
            }
            None => send(&client, &batch, tally),
        });
        match outcome {
            Ok(Some(why)) => tally.unusable.push(format!("{}: {why}", file.display())),
            Ok(None) => {}
            // The server is gone: the other files would fare no better.
            Err(error) => return Err(error),
        }
        bar.inc(std::fs::metadata(file).map_or(0, |metadata| metadata.len()));
    }
    if let Some(target) = target {
        for batch in shift::to(&held, target) {
            send(&client, &batch, &mut tally)?;
        }
    }
    bar.finish_and_clear();
    report(&tally, args)
}

/// Reads one file and hands its batches over; answers why it is not usable, if so.
fn read(
    file: &Path,
    tally: &mut Tally,
    mut take: impl FnMut(SpanBatch, &mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<Option<String>> {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Some(format!("cannot read it: {error}"))),
    };
    let bytes = match import::compression(&bytes) {
        None => bytes,
        Some(encoding) => match decompress(encoding, &bytes, FILE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) => return Ok(Some(error.to_string())),
        },
    };
    let mut failure = None;
    let decoded = import::decode_file(&bytes, 1, &mut |builder, report| {
        tally.refuse(file, &report);
        if failure.is_none() && !builder.is_empty() {
            failure = take(builder.finish_one(), tally).err();
        }
    });
    match failure {
        Some(error) => Err(error),
        None => Ok(decoded.err().map(|error| error.to_string())),
    }
}

fn send(client: &Client, batch: &SpanBatch, tally: &mut Tally) -> anyhow::Result<()> {
    let body = otlp::encode::encode(batch.spans());
    let answer = client.send_otlp(&body)?;
    tally.sent += (batch.len() as u64).saturating_sub(answer.refused);
    if answer.refused > 0 {
        *tally
            .refused
            .entry("refused by the server".to_owned())
            .or_default() += answer.refused;
        tally.examples.push(answer.reason);
    }
    Ok(())
}

impl Tally {
    fn refuse(&mut self, file: &Path, report: &Report) {
        for (reason, count) in &report.refused {
            *self.refused.entry(reason.name().to_owned()).or_default() += *count as u64;
        }
        if report.refused_count() > 0 && self.examples.len() < 10 {
            self.examples
                .push(format!("{}: {}", file.display(), report.refusals()));
        }
    }
}

fn report(tally: &Tally, args: &LoadArgs) -> anyhow::Result<()> {
    let refused: u64 = tally.refused.values().sum();
    line!(
        "{} spans sent to {}, {refused} refused",
        tally.sent,
        args.to
    );
    for (reason, count) in &tally.refused {
        line!("  {count} refused: {reason}");
    }
    for example in &tally.examples {
        line!("  {}", crate::show::safe(example));
    }
    for file in &tally.unusable {
        line!("  not usable: {}", crate::show::safe(file));
    }
    if tally.sent == 0 {
        bail!("nothing was usable");
    }
    Ok(())
}

fn progress(files: &[PathBuf]) -> ProgressBar {
    let bytes = files
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|m| m.len())
        .sum();
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(bytes)
    } else {
        ProgressBar::hidden()
    };
    let style = "{bar:30} {bytes}/{total_bytes} {msg} {eta}";
    bar.set_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// `now`, RFC 3339, or Unix nanoseconds.
fn parse_moment(text: &str) -> anyhow::Result<u64> {
    if text == "now" {
        return Ok(SystemClock.unix_ns());
    }
    if let Ok(nanoseconds) = text.parse() {
        return Ok(nanoseconds);
    }
    let time: jiff::Timestamp = text.parse().with_context(|| {
        format!("--shift-to {text}: now, RFC 3339 or Unix nanoseconds are accepted")
    })?;
    u64::try_from(time.as_nanosecond())
        .with_context(|| format!("--shift-to {text} lies before 1970"))
}
