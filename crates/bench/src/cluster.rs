//! `bench cluster`: the roles as processes of their own, on engines that run; what each of them costs,
//! how much faster several are than one, and how long answers take. What a run leaves in the engines
//! is named `bench…`.

mod cql;
mod engines;
pub(crate) mod figures;
mod tenant;

use tracewell_model::clock::{Clock, SystemClock};

use crate::api::Api;
use crate::cli::{ClusterArgs, TrafficArgs};
use crate::drive::Sent;
use crate::questions::{
    BY_ID, Expect, HUGE, MISSING, NEWEST, Question, Questions, SERVICE, SERVICE_ERROR,
    SERVICE_ERROR_DURATION, SERVICES, SLOWEST_OF_SERVICE,
};
use crate::record::{Figures, Latency, rounded};
use crate::session::{self, Portion, Traffic};
use crate::tally::Tally;
use crate::verify::{self, hex};
use figures::{Alone, Cluster};
use tenant::{Role, Tenant, wait_applied};

/// The roles that take spans from the log.
const WORKERS: [&str; 3] = ["storage-writer", "indexer", "aggregator"];
/// Questions that need no attribute beside those that the index has by default.
const ASKED: [&str; 8] = [
    BY_ID,
    MISSING,
    NEWEST,
    SERVICE,
    SERVICE_ERROR,
    SERVICE_ERROR_DURATION,
    SLOWEST_OF_SERVICE,
    SERVICES,
];
const HUGE_ASKED: usize = 10;
/// Data begins so long ago, as for `bench query`.
const BEGAN_S: u64 = 45 * 60;

/// Runs it.
pub(crate) fn run(args: &ClusterArgs) -> anyhow::Result<()> {
    // Whole cycles, so that answers are known.
    let cycles = args.spans.div_ceil(args.traffic.pool).max(1);
    let mut traffic = Traffic::new(&args.traffic, args.spans / cycles, 0, BEGAN_S);
    let mut figures = apart(args, &mut traffic, cycles)?;
    for (at, &processes) in args.writers.iter().enumerate() {
        traffic.rewind(BEGAN_S);
        let others = at == 0;
        let alone = alone(args, &mut traffic, cycles, processes, others)?;
        figures.alone.extend(alone);
    }
    let settings = traffic.settings(&args.server);
    let dir = session::parent(&args.server);
    session::tell(&args.output, &dir, settings, Figures::Cluster(figures))
}

/// One process of each role.
fn apart(args: &ClusterArgs, traffic: &mut Traffic, cycles: u64) -> anyhow::Result<Cluster> {
    let tenant = Tenant::make(args)?;
    session::note(&format!("one process of each role, as {}", tenant.name));
    let collector = tenant.start("collector")?;
    let mut workers = Vec::new();
    for role in WORKERS {
        workers.push(tenant.start(role)?);
    }
    let sent = fill(&collector, traffic, cycles)?;
    let began_ns = SystemClock.monotonic_ns();
    let mut behind_s = Vec::new();
    for worker in &mut workers {
        wait_applied([worker], sent.spans)?;
        behind_s.push((SystemClock.monotonic_ns() - began_ns) as f64 / 1e9);
    }
    let mut roles = vec![collector.stop(sent.spans)?];
    for (worker, behind_s) in workers.into_iter().zip(behind_s) {
        let mut used = worker.stop(sent.spans)?;
        used.behind_s = rounded(behind_s, 1);
        roles.push(used);
    }
    let mut figures = Cluster {
        spans: sent.spans,
        partitions: args.partitions,
        republish: args.republish,
        spans_per_s: rounded(sent.spans as f64 / sent.seconds, 0),
        answer: Latency::of(&sent.latency),
        roles,
        bytes: engines::bytes(&args.engines, &tenant.name, sent.spans)?,
        ..Cluster::default()
    };
    ask(args, &tenant, traffic, &sent, &mut figures)?;
    Ok(figures)
}

/// Sends whole cycles to a collector.
fn fill(collector: &Role, traffic: &mut Traffic, cycles: u64) -> anyhow::Result<Sent> {
    let url = session::ingest_url(&collector.server, traffic.format());
    traffic.send(&url, &Portion::full(traffic.plan.spans() * cycles), None)
}

/// Questions to a query role, of what is stored.
fn ask(
    args: &ClusterArgs,
    tenant: &Tenant,
    traffic: &Traffic,
    sent: &Sent,
    figures: &mut Cluster,
) -> anyhow::Result<()> {
    session::note("asking");
    let role = tenant.start("query")?;
    let mut api = Api::new(&role.server.address("query"))?;
    figures.verified_traces = verify::some(&mut api, traffic, &sent.ledger, args.verify)?;
    let cycles = sent.spans / traffic.plan.spans();
    let count = args.queries as usize;
    let questions = Questions::new(&traffic.plan, cycles, traffic.began_unix_ns, count);
    let kinds = ASKED.map(|name| (name, questions.of(name)));
    let mut tallies = ASKED.map(|_| Tally::default());
    for round in 0..count {
        for ((_, questions), tally) in kinds.iter().zip(&mut tallies) {
            if let Some(question) = questions.get(round) {
                tally.ask(&mut api, question, false)?;
            }
        }
    }
    for (name, tally) in ASKED.into_iter().zip(tallies) {
        figures.rows.push(tally.row("0 %", name));
    }
    // Last: it is not indexed, of which searches would tell.
    let huge = huge(args, tenant)?;
    let mut tally = Tally::default();
    for _ in 0..HUGE_ASKED {
        tally.ask(&mut api, &huge, false)?;
    }
    figures.rows.push(tally.row("0 %", HUGE));
    figures.huge_spans = match huge.expect {
        Expect::Spans(spans) => spans,
        _ => 0,
    };
    drop(api);
    figures.query_peak_rss_mb = role.stop(sent.spans)?.peak_rss_mb;
    Ok(())
}

/// Stores the huge trace, and answers the question for it.
fn huge(args: &ClusterArgs, tenant: &Tenant) -> anyhow::Result<Question> {
    // Of another seed, and so of ids of its own.
    let traffic = TrafficArgs {
        seed: !args.traffic.seed,
        ..args.traffic.clone()
    };
    let mut traffic = Traffic::new(&traffic, args.huge, args.huge as usize, BEGAN_S);
    let (collector, mut writer) = (tenant.start("collector")?, tenant.start("storage-writer")?);
    let sent = fill(&collector, &mut traffic, 1)?;
    wait_applied([&mut writer], sent.spans)?;
    collector.stop(sent.spans)?;
    writer.stop(sent.spans)?;
    let cycle = traffic.plan.cycle(0, traffic.began_unix_ns);
    Ok(Question {
        path: format!("/api/traces/{}?view=columns", hex(&cycle.trace_id(0))),
        expect: Expect::Spans(traffic.plan.spans_of(0)),
    })
}

/// Roles one after the other, each with nothing beside it but its engine: a collector that fills a
/// topic, so many storage writers that empty it, and then, if wanted, one process of the others.
fn alone(
    args: &ClusterArgs,
    traffic: &mut Traffic,
    cycles: u64,
    writers: u64,
    others: bool,
) -> anyhow::Result<Vec<Alone>> {
    let tenant = Tenant::make(args)?;
    session::note("a collector alone");
    let collector = tenant.start("collector")?;
    let sent = fill(&collector, traffic, cycles)?;
    let used = collector.stop(sent.spans)?;
    let mut alone = Vec::new();
    if others {
        alone.push(Alone {
            processes: 1,
            spans_per_s: rounded(sent.spans as f64 / sent.seconds, 0),
            cpu_s_per_m: used.cpu_s_per_m,
            peak_rss_mb: used.peak_rss_mb,
            role: used.role,
        });
    }
    alone.push(catch_up(&tenant, "storage-writer", writers, sent.spans)?);
    for role in WORKERS.into_iter().skip(1).filter(|_| others) {
        alone.push(catch_up(&tenant, role, 1, sent.spans)?);
    }
    Ok(alone)
}

/// So many processes of a role take a full topic in.
fn catch_up(
    tenant: &Tenant,
    role: &'static str,
    processes: u64,
    spans: u64,
) -> anyhow::Result<Alone> {
    session::note(&format!("{processes} {role} alone"));
    let mut members = Vec::new();
    for _ in 0..processes {
        members.push(tenant.start(role)?);
    }
    // By then all are there and have their partitions.
    let tenth = spans / 10;
    wait_applied(&mut members, tenth)?;
    let began_ns = SystemClock.monotonic_ns();
    wait_applied(&mut members, spans)?;
    let seconds = (SystemClock.monotonic_ns() - began_ns) as f64 / 1e9;
    let mut figures = Alone {
        role: role.to_owned(),
        processes,
        spans_per_s: rounded((spans - tenth) as f64 / seconds, 0),
        ..Alone::default()
    };
    for member in members {
        let used = member.stop(spans)?;
        figures.cpu_s_per_m = rounded(figures.cpu_s_per_m + used.cpu_s_per_m, 3);
        figures.peak_rss_mb = figures.peak_rss_mb.max(used.peak_rss_mb);
    }
    Ok(figures)
}
