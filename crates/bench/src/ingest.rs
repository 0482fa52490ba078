//! `bench ingest`: what taking spans in costs, from an empty directory until nothing is left to do.

use std::path::PathBuf;
use std::time::Duration;

use tracewell_model::clock::{Clock, SystemClock};

use crate::api::{Api, SETTLE_S_MAX};
use crate::cli::IngestArgs;
use crate::drive::Sent;
use crate::interrupt::Scratch;
use crate::process::{self, Cpu};
use crate::record::{Disk, Figures, Ingest, Latency, ServerUse, rounded};
use crate::server::Server;
use crate::session::{self, Portion, Traffic};
use crate::{pause, verify};

/// Spans a second that nothing exceeds: how far in the past data begins when only seconds are given.
const RATE_MAX: u64 = 1_000_000;
/// A foreign server that used less than this share of a core has settled.
const IDLE: f64 = 0.02;
const IDLE_OVER: Duration = Duration::from_secs(3);

/// Runs it as often as asked.
pub(crate) fn run(args: &IngestArgs) -> anyhow::Result<()> {
    let mut args = args.clone();
    if let Some(rate) = args.rate {
        // What comes at a rate is of now.
        args.traffic.density = rate;
    }
    if let Some(seconds) = args.seconds {
        args.spans = args.spans.max(args.rate.unwrap_or(RATE_MAX) * seconds);
        anyhow::ensure!(
            args.traffic.encoding.name().is_none(),
            "--seconds: compressed bodies are made ahead, so their number must be given: --spans"
        );
    }
    let pool = args.traffic.pool.min(args.spans);
    let ago_s = if args.rate.is_some() {
        0
    } else {
        args.spans / args.traffic.density
    };
    let mut traffic = Traffic::new(&args.traffic, pool, 0, ago_s);
    for _ in 0..args.runs {
        traffic.rewind(ago_s);
        let ingest = if args.url.is_some() {
            foreign(&args, &mut traffic)?
        } else {
            own(&args, &mut traffic)?
        };
        let mut settings = traffic.settings(&args.server);
        settings.rate = args.rate;
        settings.url.clone_from(&args.url);
        session::tell(
            &args.output,
            &session::parent(&args.server),
            settings,
            Figures::Ingest(ingest),
        )?;
    }
    Ok(())
}

fn portion(args: &IngestArgs) -> Portion {
    Portion {
        spans: args.spans,
        rate: args.rate,
        retry: !args.no_retry,
    }
}

/// A server of this binary, and its whole life.
fn own(args: &IngestArgs, traffic: &mut Traffic) -> anyhow::Result<Ingest> {
    let scratch = Scratch::new(&session::parent(&args.server))?;
    let server = Server::start(&session::recipe(&args.server)?, scratch.path())?;
    let url = session::ingest_url(&server, args.traffic.format);
    let pid = server.pid();
    let sent = traffic.send(&url, &portion(args), args.seconds)?;
    let end = (process::cpu(pid)?, process::disk_bytes(scratch.path())?);
    let mut api = Api::new(&server.address("query"))?;
    let began_ns = SystemClock.monotonic_ns();
    let waiting = session::busy("waiting until all is settled");
    let settled = api.settle()?;
    waiting.finish_and_clear();
    let settle_s = (SystemClock.monotonic_ns() - began_ns) as f64 / 1e9;
    let settled_bytes = process::disk_bytes(scratch.path())?;
    let by_thread = process::cpu_by_thread(pid)?;
    // Reading back costs the server too, on threads that do nothing else: that is left out.
    let query_s = process::query_cpu_s(pid)?;
    let verified_traces = verify::some(&mut api, traffic, &sent.ledger, args.verify)?;
    let verifying_s = process::query_cpu_s(pid)? - query_s;
    drop(api);
    let mut used = server.stop()?;
    used.cpu.user_s -= verifying_s;
    let stopped_bytes = process::disk_bytes(scratch.path())?;
    let per_m = 1e6 / sent.spans.max(1) as f64;
    let per_span = |bytes: u64| rounded(bytes as f64 / sent.spans.max(1) as f64, 2);
    let mut ingest = figures(traffic, &sent);
    ingest.verified_traces = verified_traces;
    ingest.server = Some(ServerUse {
        by_thread: by_thread
            .into_iter()
            .filter(|(_, s)| s * per_m >= 0.005)
            .map(|(name, s)| (name, rounded(s * per_m, 3)))
            .collect(),
        ..server_use(used.cpu, end.0, per_m, (settle_s, settled), used.peak_bytes)
    });
    ingest.disk = Some(Disk {
        bytes_per_span_end: per_span(end.1),
        bytes_per_span_settled: per_span(settled_bytes),
        bytes_per_span: per_span(stopped_bytes),
        written_per_span: per_span(used.written_bytes),
        write_amplification: rounded(used.written_bytes as f64 / stopped_bytes.max(1) as f64, 2),
    });
    Ok(ingest)
}

/// A server that others started: its processes are looked at, and left alone.
fn foreign(args: &IngestArgs, traffic: &mut Traffic) -> anyhow::Result<Ingest> {
    let url = args.url.as_deref().unwrap_or_default();
    let before = sum_cpu(&args.pid)?;
    let disk = |data: &Option<PathBuf>| data.as_deref().map(process::disk_bytes).transpose();
    let disk_before = disk(&args.data)?.unwrap_or(0);
    let written_before = sum(&args.pid, process::written_bytes)?;
    let sent = traffic.send(url, &portion(args), args.seconds)?;
    let (end, end_bytes) = (sum_cpu(&args.pid)?, disk(&args.data)?);
    let mut ingest = figures(traffic, &sent);
    let per_m = 1e6 / sent.spans.max(1) as f64;
    if !args.pid.is_empty() {
        let settled = idle(&args.pid)?;
        let peak = sum(&args.pid, |pid| Ok(process::memory(pid)?.peak))?;
        ingest.server = Some(server_use(
            sum_cpu(&args.pid)? - before,
            end - before,
            per_m,
            settled,
            peak,
        ));
    }
    if let (Some(end), Some(settled)) = (end_bytes, disk(&args.data)?) {
        let bytes = |bytes: u64| {
            rounded(
                bytes.saturating_sub(disk_before) as f64 / sent.spans.max(1) as f64,
                2,
            )
        };
        let written = sum(&args.pid, process::written_bytes)? - written_before;
        ingest.disk = Some(Disk {
            bytes_per_span_end: bytes(end),
            bytes_per_span_settled: bytes(settled),
            bytes_per_span: bytes(settled),
            written_per_span: rounded(written as f64 / sent.spans.max(1) as f64, 2),
            write_amplification: rounded(
                written as f64 / settled.saturating_sub(disk_before).max(1) as f64,
                2,
            ),
        });
    }
    Ok(ingest)
}

/// Waits until these processes have little to do; how long, and whether it came to that.
fn idle(pids: &[u32]) -> anyhow::Result<(f64, bool)> {
    let began_ns = SystemClock.monotonic_ns();
    let mut last = sum_cpu(pids)?;
    loop {
        pause(IDLE_OVER);
        let now = sum_cpu(pids)?;
        let waited_s = (SystemClock.monotonic_ns() - began_ns) as f64 / 1e9;
        let quiet = (now - last).total_s() / IDLE_OVER.as_secs_f64() < IDLE;
        if quiet || waited_s > SETTLE_S_MAX as f64 {
            return Ok((waited_s, quiet));
        }
        last = now;
    }
}

fn sum(pids: &[u32], of: impl Fn(u32) -> anyhow::Result<u64>) -> anyhow::Result<u64> {
    pids.iter().map(|&pid| of(pid)).sum()
}

fn sum_cpu(pids: &[u32]) -> anyhow::Result<Cpu> {
    pids.iter()
        .try_fold(Cpu::default(), |sum, &pid| Ok(sum + process::cpu(pid)?))
}

fn server_use(
    whole: Cpu,
    end: Cpu,
    per_m: f64,
    (settle_s, settled): (f64, bool),
    peak_bytes: u64,
) -> ServerUse {
    ServerUse {
        cpu_s_per_m_end: rounded(end.total_s() * per_m, 3),
        cpu_s_per_m: rounded(whole.total_s() * per_m, 3),
        user_s_per_m: rounded(whole.user_s * per_m, 3),
        system_s_per_m: rounded(whole.system_s * per_m, 3),
        by_thread: Default::default(),
        settle_s: rounded(settle_s, 1),
        settled,
        peak_rss_mb: rounded(peak_bytes as f64 / 1e6, 1),
    }
}

/// What the sender knows.
fn figures(traffic: &Traffic, sent: &Sent) -> Ingest {
    Ingest {
        spans: sent.spans,
        seconds: rounded(sent.seconds, 3),
        spans_per_s: rounded(sent.spans as f64 / sent.seconds, 0),
        answer: Latency::of(&sent.latency),
        body_bytes_per_span: rounded(traffic.plan.bytes_per_span(), 1),
        generator_us_per_span: rounded(sent.cpu_s * 1e6 / sent.spans.max(1) as f64, 3),
        refused_spans: sent.refused_spans,
        overloaded: sent.overloaded,
        given_up_spans: sent.given_up_spans,
        verified_traces: 0,
        server: None,
        disk: None,
    }
}
