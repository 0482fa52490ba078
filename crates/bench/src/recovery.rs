//! `bench recovery`: a server killed at full rate, and the ledger of what it had acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value as Json;

use crate::api::Api;
use crate::cli::RecoveryArgs;
use crate::interrupt::Scratch;
use crate::record::{Figures, Recovery, rounded};
use crate::server::Server;
use crate::session::{self, Portion, Traffic};
use crate::traffic::random::Random;
use crate::verify::hex;
use crate::{pause, process};

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Kills, starts, counts; as often as asked, on one directory.
pub(crate) fn run(args: &RecoveryArgs) -> anyhow::Result<()> {
    let all = args.spans * u64::from(args.kills);
    let mut traffic = Traffic::new(
        &args.traffic,
        args.traffic.pool.min(args.spans),
        0,
        all / args.traffic.density,
    );
    let scratch = Scratch::new(&session::parent(&args.server))?;
    let recipe = session::recipe(&args.server)?;
    let mut server = Server::start(&recipe, scratch.path())?;
    // Every body that was ever acknowledged.
    let mut ledger: Vec<u64> = Vec::new();
    let mut acknowledged = 0;
    for kill in 0..args.kills {
        let url = session::ingest_url(&server, args.traffic.format);
        let driver = traffic.start(&url, &Portion::full(u64::MAX))?;
        while driver.progress.spans.load(Ordering::Relaxed) < args.spans && !driver.is_finished() {
            pause(LOOK_EVERY);
        }
        server.kill()?;
        let mut sent = driver.finish()?;
        traffic.take_back(&mut sent);
        let log_bytes = process::disk_bytes(&scratch.path().join("log"))?;
        acknowledged += sent.spans;
        let latest = ledger.len();
        ledger.append(&mut sent.ledger);
        server = Server::start(&recipe, scratch.path())?;
        let mut recovery = Recovery {
            acknowledged,
            log_mib: rounded(log_bytes as f64 / f64::from(1 << 20), 1),
            ready_s: rounded(server.ready_s, 3),
            ready_s_per_gib: rounded(server.ready_s / (log_bytes as f64 / f64::from(1 << 30)), 2),
            ..Recovery::default()
        };
        let mut api = Api::new(&server.address("query"))?;
        // Ready means found (D8): the account is looked at once, at once.
        let account = &api.json("/api/status")?["account"]["log"];
        let found = ["stored", "duplicate"]
            .iter()
            .filter_map(|part| account[*part].as_u64())
            .sum::<u64>();
        recovery.lost = acknowledged.saturating_sub(found);
        read_back(
            &mut api,
            &traffic,
            &ledger,
            latest,
            args.verify,
            u64::from(kill),
            &mut recovery,
        )?;
        let settings = traffic.settings(&args.server);
        session::tell(
            &args.output,
            scratch.path(),
            settings,
            Figures::Recovery(recovery),
        )?;
    }
    server.stop().map(drop)
}

/// Reads traces back, half of them from the latest bodies, and counts acknowledged spans that are not there.
fn read_back(
    api: &mut Api,
    traffic: &Traffic,
    ledger: &[u64],
    latest: usize,
    count: u64,
    salt: u64,
    recovery: &mut Recovery,
) -> anyhow::Result<()> {
    let plan = &traffic.plan;
    let acknowledged: BTreeSet<u64> = ledger.iter().copied().collect();
    let bodies = spans_by_trace(traffic);
    let mut random = Random::of(count, salt);
    // Bodies are acknowledged nearly in the order they are sent: the last of the ledger were at risk.
    let tail = ledger
        .len()
        .saturating_sub(50)
        .max(latest.min(ledger.len().saturating_sub(1)));
    for nth in 0..count {
        let from = if nth % 2 == 0 {
            &ledger[tail..]
        } else {
            ledger
        };
        let Some(&body) = from.get(random.below(from.len().max(1))) else {
            continue;
        };
        let traces: Vec<u64> = plan.body_traces(body % plan.bodies()).collect();
        let trace = *random.pick(&traces);
        let cycle_number = body / plan.bodies();
        let (id, span_ids) = plan.ids(trace, plan.cycle(cycle_number, traffic.began_unix_ns));
        let (answer, _) = api.get(&format!("/api/traces/{}", hex(&id)))?;
        let answer: Json = serde_json::from_slice(&answer.body).unwrap_or_default();
        let stored: BTreeSet<&str> = answer["spans"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|span| span["span_id"].as_str())
            .collect();
        let of_bodies = bodies.get(&trace).map_or(&[][..], Vec::as_slice);
        for (span_id, body) in span_ids.zip(of_bodies) {
            let was_acknowledged = acknowledged.contains(&(cycle_number * plan.bodies() + body));
            recovery.verified_lost +=
                u64::from(was_acknowledged && !stored.contains(hex(&span_id).as_str()));
        }
        recovery.verified_traces += 1;
    }
    Ok(())
}

/// The body of each span of each trace, in the order of the trace's spans.
fn spans_by_trace(traffic: &Traffic) -> BTreeMap<u64, Vec<u64>> {
    let plan = &traffic.plan;
    let mut bodies: BTreeMap<u64, Vec<u64>> = (0..plan.traces())
        .map(|trace| (trace, vec![0; plan.spans_of(trace) as usize]))
        .collect();
    for body in 0..plan.bodies() {
        for (trace, nth) in plan.body_spans_of_traces(body) {
            if let Some(of) = bodies
                .get_mut(&trace)
                .and_then(|spans| spans.get_mut(nth as usize))
            {
                *of = body;
            }
        }
    }
    bodies
}
