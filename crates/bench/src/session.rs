//! What all runs share: traffic made of arguments, a server to send it to, a bar while it is sent, a
//! record at the end.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use tracewell_model::clock::{Clock, SystemClock};

use crate::body::{Format, Plan, Pool, PoolOptions};
use crate::cli::{OutputArgs, ServerArgs, TrafficArgs};
use crate::drive::{Driver, Load, Sent, Target};
use crate::machine::Machine;
use crate::pause;
use crate::record::{Figures, Run, Settings};
use crate::server::{Recipe, Server};
use crate::table;
use crate::traffic::Landscape;

/// Spans of the trace that questions find out of all proportion.
const GIANT_SPANS: u64 = 10_000;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Spans of the giant trace of a pool, as far as it has room for one.
pub(crate) fn giant_spans(pool: u64) -> usize {
    GIANT_SPANS.min(pool / 4) as usize
}

/// A pool and its bodies, which go from load to load.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) plan: Arc<Plan>,
    templates: Vec<Bytes>,
    args: TrafficArgs,
    /// Where the sequence of bodies goes on.
    next: u64,
    /// When the first cycle began, once anything was sent.
    pub(crate) began_unix_ns: u64,
}

/// How much of it is sent, and how.
#[derive(Clone, Debug)]
pub(crate) struct Portion {
    pub(crate) spans: u64,
    pub(crate) rate: Option<u64>,
    pub(crate) retry: bool,
}

impl Portion {
    /// So many spans as fast as they are answered.
    pub(crate) fn full(spans: u64) -> Portion {
        Portion {
            spans,
            rate: None,
            retry: true,
        }
    }
}

impl Traffic {
    /// Encodes a pool, no larger than what will be sent, whose first cycle begins `ago_s` ago.
    pub(crate) fn new(args: &TrafficArgs, pool: u64, giant_spans: usize, ago_s: u64) -> Traffic {
        let working = busy("encoding bodies");
        let landscape = Landscape::new(
            args.dataset,
            args.services as usize,
            args.seed,
            args.density,
        );
        let options = PoolOptions {
            format: args.format,
            layout: args.layout,
            batch: args.batch as usize,
            spans: pool,
            giant_spans,
        };
        let Pool { plan, templates } = Pool::new(landscape, args.seed, options);
        working.finish_and_clear();
        Traffic {
            plan: Arc::new(plan),
            templates,
            args: args.clone(),
            next: 0,
            began_unix_ns: SystemClock.unix_ns() - ago_s * 1_000_000_000,
        }
    }

    /// The format it is encoded in.
    pub(crate) fn format(&self) -> Format {
        self.args.format
    }

    /// Begins anew, `ago_s` ago: for an empty server.
    pub(crate) fn rewind(&mut self, ago_s: u64) {
        self.next = 0;
        self.began_unix_ns = SystemClock.unix_ns() - ago_s * 1_000_000_000;
    }

    /// Starts to send the next bodies of the sequence. [`Traffic::take_back`] them.
    pub(crate) fn start(&mut self, url: &str, portion: &Portion) -> anyhow::Result<Driver> {
        let load = Load {
            target: Target::new(url, self.args.format, self.args.encoding)?,
            connections: self.args.connections as usize,
            spans: portion.spans,
            rate: portion.rate,
            retry: portion.retry,
            began_unix_ns: self.began_unix_ns,
            first: self.next,
        };
        Driver::start(
            Arc::clone(&self.plan),
            std::mem::take(&mut self.templates),
            load,
        )
    }

    /// The bodies of a load that has ended.
    pub(crate) fn take_back(&mut self, sent: &mut Sent) {
        self.templates = std::mem::take(&mut sent.templates);
        self.next = sent.next;
    }

    /// Sends a portion to its end, or for so many seconds; fails when the load did.
    pub(crate) fn send(
        &mut self,
        url: &str,
        portion: &Portion,
        seconds: Option<u64>,
    ) -> anyhow::Result<Sent> {
        if self.args.encoding.name().is_some() {
            note("compressing bodies ahead");
        }
        let driver = self.start(url, portion)?;
        let began_ns = SystemClock.monotonic_ns();
        let bar = bar(portion.spans);
        while !driver.is_finished() {
            bar.set_position(driver.progress.spans.load(Ordering::Relaxed));
            pause(LOOK_EVERY);
            if seconds
                .is_some_and(|most| SystemClock.monotonic_ns() - began_ns > most * 1_000_000_000)
            {
                driver.progress.stop.store(true, Ordering::Relaxed);
            }
        }
        bar.finish_and_clear();
        let mut sent = driver.finish()?;
        self.take_back(&mut sent);
        match &sent.failure {
            Some(failure) => anyhow::bail!("{failure}"),
            None => Ok(sent),
        }
    }

    /// The settings of a run with it.
    pub(crate) fn settings(&self, server: &ServerArgs) -> Settings {
        let args = &self.args;
        Settings {
            format: args.format,
            layout: args.layout,
            encoding: args.encoding,
            dataset: args.dataset,
            services: args.services as usize,
            seed: args.seed,
            batch: args.batch as usize,
            connections: args.connections as usize,
            pool: self.plan.spans(),
            rate: None,
            server: server.arguments.clone(),
            url: None,
        }
    }
}

/// Where data directories are made.
pub(crate) fn parent(args: &ServerArgs) -> PathBuf {
    args.dir.clone().unwrap_or_else(std::env::temp_dir)
}

/// How servers are started.
pub(crate) fn recipe(args: &ServerArgs) -> anyhow::Result<Recipe> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().context("find this binary")?,
    };
    Ok(Recipe {
        binary,
        arguments: args.arguments.clone(),
    })
}

/// Where a server takes this format.
pub(crate) fn ingest_url(server: &Server, format: Format) -> String {
    let listener = if format == Format::OtlpGrpc {
        "otlp_grpc"
    } else {
        "ingest"
    };
    format!("http://{}", server.address(listener))
}

/// Says what a run found.
pub(crate) fn tell(
    output: &OutputArgs,
    dir: &Path,
    settings: Settings,
    figures: Figures,
) -> anyhow::Result<()> {
    let run = Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at_unix_s: SystemClock.unix_ns() / 1_000_000_000,
        label: output.label.clone(),
        machine: Machine::this(dir),
        settings,
        figures,
    };
    let text = if output.json {
        serde_json::to_string(&run)? + "\n"
    } else {
        table::of(&run)
    };
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .context("write the figures")
}

/// Says on standard error what is being done.
#[allow(clippy::print_stderr)] // standard output is for figures
pub(crate) fn note(words: &str) {
    eprintln!("bench: {words}");
}

/// A bar of spans; hidden where standard error is no terminal.
fn bar(spans: u64) -> ProgressBar {
    let style = "{elapsed:>5} {wide_bar} {human_pos} of {human_len} spans, {per_sec}";
    let bar = if std::io::stderr().is_terminal() {
        ProgressBar::new(spans)
    } else {
        ProgressBar::hidden()
    };
    bar.with_style(
        ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}

/// Says that something takes its time.
pub(crate) fn busy(words: &'static str) -> ProgressBar {
    let spinner = if std::io::stderr().is_terminal() {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    spinner.set_message(words);
    spinner.enable_steady_tick(Duration::from_millis(200));
    spinner
}
