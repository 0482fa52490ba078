//! `bench growth`: the same figures again and again while more and more is stored. A flat line is the
//! claim.

use std::ops::Range;

use crate::api::Api;
use crate::cli::GrowthArgs;
use crate::interrupt::Scratch;
use crate::process;
use crate::questions::{BY_ID, Questions, SEARCH};
use crate::record::{Figures, Growth, rounded};
use crate::server::{Recipe, Server};
use crate::session::{self, Portion, Traffic};
use crate::tally::Tally;

/// Runs it: each step on the directory of the one before.
pub(crate) fn run(args: &GrowthArgs) -> anyhow::Result<()> {
    let mut steps = args.steps.clone();
    steps.sort_unstable();
    let (least, most) = (
        steps.first().copied().unwrap_or(1),
        steps.last().copied().unwrap_or(1),
    );
    let pool = args.traffic.pool.min(least);
    let (giant_spans, ago_s) = (session::giant_spans(pool), most / args.traffic.density + 1);
    let mut traffic = Traffic::new(&args.traffic, pool, giant_spans, ago_s);
    let scratch = Scratch::new(&session::parent(&args.server))?;
    let recipe = session::recipe(&args.server)?;
    let mut cycles = 0..0;
    for step in steps {
        // Whole cycles, so that answers are known.
        cycles = cycles.end..(step / traffic.plan.spans()).max(cycles.end + 1);
        session::note(&format!("{} spans", cycles.end * traffic.plan.spans()));
        let growth = grow(args, &mut traffic, &recipe, &scratch, &cycles)?;
        let settings = traffic.settings(&args.server);
        session::tell(
            &args.output,
            scratch.path(),
            settings,
            Figures::Growth(growth),
        )?;
    }
    Ok(())
}

/// Sends these cycles, settles, stops; starts again and asks.
fn grow(
    args: &GrowthArgs,
    traffic: &mut Traffic,
    recipe: &Recipe,
    scratch: &Scratch,
    cycles: &Range<u64>,
) -> anyhow::Result<Growth> {
    let server = Server::start(recipe, scratch.path())?;
    let url = session::ingest_url(&server, args.traffic.format);
    let portion = Portion::full((cycles.end - cycles.start) * traffic.plan.spans());
    let sent = traffic.send(&url, &portion, None)?;
    let waiting = session::busy("waiting until all is settled");
    Api::new(&server.address("query"))?.settle()?;
    waiting.finish_and_clear();
    let used = server.stop()?;
    let disk = process::disk_bytes(scratch.path())?;
    let server = Server::start(recipe, scratch.path())?;
    let spans = cycles.end * traffic.plan.spans();
    let mut growth = Growth {
        spans,
        cpu_s_per_m: rounded(used.cpu.total_s() * 1e6 / sent.spans.max(1) as f64, 3),
        spans_per_s: rounded(sent.spans as f64 / sent.seconds, 0),
        disk_bytes_per_span: rounded(disk as f64 / spans as f64, 2),
        peak_rss_mb: rounded(used.peak_bytes as f64 / 1e6, 1),
        ready_s: rounded(server.ready_s, 3),
        ..Growth::default()
    };
    let mut api = Api::new(&server.address("query"))?;
    let questions = Questions::new(
        &traffic.plan,
        cycles.end,
        traffic.began_unix_ns,
        args.queries as usize,
    );
    for (name, latency) in [(BY_ID, &mut growth.by_id), (SEARCH, &mut growth.search)] {
        let mut tally = Tally::default();
        for question in questions.of(name) {
            tally.ask(&mut api, question, false)?;
        }
        *latency = tally.latency();
        growth.wrong += tally.wrong;
    }
    growth.open_files = process::open_files(server.pid())?;
    growth.segments = api.json("/api/status")?["store"]["segments"]
        .as_u64()
        .unwrap_or(0);
    drop(api);
    server.stop()?;
    Ok(growth)
}
