//! The last five minutes, made ready to be read: by people as plain hashes (R54), by the query
//! process as packed keys (Q5). All writers' figures are added up, and one writer at a time does it.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use redis::Pipeline;
use tracewell_storage::ladder::{FUTURE_NS, Ladder};
use tracewell_storage::stats::{Figures, STEP_NS, SeriesKey, Window};
use tracewell_storage::{Error, StatsDelta};

use crate::connection::Redis;
use crate::keys::Keys;
use crate::reader::read_slots;

/// The sliding window (R53).
pub(crate) const WINDOW_NS: u64 = 300_000_000_000;
/// A turn ends just before the next flush is due.
const TURN_MS: u64 = 9_000;
/// What is not published again is gone after this: an operation without spans, or all of them when
/// the aggregators are down.
const PUBLISHED_S: i64 = 60;

type Deltas = HashMap<(u64, SeriesKey), Figures>;

/// Publishes, if no other writer did so a moment ago or `own_turn` says not to ask.
pub(crate) fn publish(
    redis: &Redis,
    keys: &Keys,
    writer: &str,
    now_unix_ns: u64,
    own_turn: bool,
) -> Result<(), Error> {
    if !own_turn && !takes_turn(redis, keys, writer)? {
        return Ok(());
    }
    let window = Window {
        from_unix_ns: now_unix_ns.saturating_sub(WINDOW_NS),
        to_unix_ns: now_unix_ns,
        steps: 0,
    };
    // Senders' clocks run ahead: an edition has all that is saved, so that it answers for later
    // windows too until the next one is there.
    let all = Window {
        to_unix_ns: now_unix_ns.saturating_add(FUTURE_NS),
        ..window
    };
    let ladder = read_slots(redis, keys, &all, now_unix_ns)?;
    let mut out = redis::pipe();
    out.atomic();
    let names = pack(&mut out, keys, &ladder, &all, now_unix_ns);
    for service in &names {
        for row in ladder.operations(service, &window).rows {
            let key = keys.operation(service, &row.operation);
            write_figures(&mut out, &key, &row.figures, &window, now_unix_ns);
        }
    }
    let (services, head) = (keys.services(), keys.head());
    out.del(&services).ignore();
    if !names.is_empty() {
        out.sadd(&services, &names).ignore();
        out.expire(services, PUBLISHED_S).ignore();
    }
    // Every publication has a head of its own: readers compare it with the one they know.
    let edition = format!("{writer}:{now_unix_ns}");
    let from_unix_ns = window.from_unix_ns - window.from_unix_ns % STEP_NS;
    out.cmd("HSET").arg(&head);
    out.arg(&["edition", &edition, "from", &from_unix_ns.to_string()])
        .ignore();
    out.expire(head, PUBLISHED_S).ignore();
    redis.call(|connection| out.query::<()>(connection))
}

fn takes_turn(redis: &Redis, keys: &Keys, writer: &str) -> Result<bool, Error> {
    let mut set = redis::cmd("SET");
    set.arg(keys.turn()).arg(writer);
    set.arg("NX").arg("PX").arg(TURN_MS);
    let taken: Option<String> = redis.call(|connection| set.query(connection))?;
    Ok(taken.is_some())
}

/// Writes the packed keys; answers the services that have one.
fn pack(
    out: &mut Pipeline,
    keys: &Keys,
    ladder: &Ladder,
    window: &Window,
    now_unix_ns: u64,
) -> Vec<String> {
    let mut services: BTreeMap<String, (Deltas, Deltas)> = BTreeMap::new();
    let mut graph = Deltas::new();
    // A ladder out of Redis has no shelf that could fail.
    let _no_shelf = ladder.each_figure(window, |from_unix_ns, series, figures| {
        let step = from_unix_ns / STEP_NS;
        let SeriesKey::Operation { service, entry, .. } = &series else {
            graph.entry((step, series)).or_default().merge(&figures);
            return;
        };
        // The overview needs no operations, only what was asked of the service.
        let whole = SeriesKey::Operation {
            service: service.clone(),
            operation: String::new(),
            entry: *entry,
        };
        let (overview, operations) = services.entry(service.clone()).or_default();
        overview.entry((step, whole)).or_default().merge(&figures);
        operations
            .entry((step, series))
            .or_default()
            .merge(&figures);
    });
    let mut put = |key: String, figures: Deltas| {
        let mut packed = Ladder::new();
        packed.add(&StatsDelta {
            figures,
            now_unix_ns,
            ..StatsDelta::default()
        });
        let mut bytes = Vec::new();
        packed.encode(&mut bytes);
        out.cmd("SET").arg(key).arg(bytes);
        out.arg("EX").arg(PUBLISHED_S).ignore();
    };
    put(keys.graph(), graph);
    let mut names = Vec::new();
    for (name, (overview, operations)) in services {
        put(keys.service(&name), overview);
        put(keys.operations(&name), operations);
        names.push(name);
    }
    names
}

/// One operation as people read it.
fn write_figures(
    out: &mut Pipeline,
    key: &str,
    figures: &Figures,
    window: &Window,
    now_unix_ns: u64,
) {
    let ratio = figures.error_count as f64 / figures.count.max(1) as f64;
    out.cmd("HSET").arg(key);
    out.arg("request_count").arg(figures.count);
    out.arg("error_count").arg(figures.error_count);
    out.arg("rate_per_s")
        .arg(rounded(figures.count as f64 / window.seconds()));
    out.arg("error_rate").arg(rounded(ratio));
    for (name, q) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
        let ns = figures.latency.quantile(q).unwrap_or_default();
        out.arg(name).arg(rounded(ns as f64 / 1e6));
    }
    out.arg("updated_unix_ns").arg(now_unix_ns).ignore();
    out.expire(key, PUBLISHED_S).ignore();
}

/// A text with three significant digits or more, and no trail of them.
fn rounded(number: f64) -> String {
    let digits = if number < 1.0 { 4 } else { 3 };
    let text = format!("{number:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
