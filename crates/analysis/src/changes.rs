//! What changed at that minute: versions, hosts and callers that were seen first around a time, or
//! last, read from resources and from who called whom. No deploy needs to be announced.

use std::ops::ControlFlow;

use hashbrown::{HashMap, HashSet};
use tracewell_storage::{Error, ReadContext, ScanQuery, Scanned, SpanScanner};

use crate::forest::Forest;
use crate::sample::{Names, Sample};
use crate::spans::as_far_as_read;

/// Resource attributes that say what runs, and where.
const KEYS: [(&str, &str); 10] = [
    ("service.version", "version"),
    ("container.image.tag", "version"),
    ("telemetry.sdk.version", "version"),
    ("host.name", "host"),
    ("k8s.node.name", "host"),
    ("k8s.pod.name", "host"),
    ("service.instance.id", "host"),
    ("container.id", "host"),
    ("deployment.environment", "environment"),
    ("deployment.environment.name", "environment"),
];
/// What is not seen for so long, while its service is, has ended.
const SILENCE_NS: u64 = 60_000_000_000;
/// Values that are held; more are no changes but ids.
const VALUES_MAX: usize = 50_000;

/// Something that began or ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// When it was seen first, or last when it ended.
    pub at_unix_ns: u64,
    /// The service.
    pub service: String,
    /// `version`, `host`, `environment`, `caller`, `service`.
    pub kind: &'static str,
    /// The attribute's key; empty for services and callers.
    pub key: String,
    /// Its value; the caller's name.
    pub value: String,
    /// It began; else it ended.
    pub began: bool,
}

/// What changed.
#[derive(Debug)]
pub struct Changes {
    /// By time.
    pub changes: Vec<Change>,
    /// There were more values than are held.
    pub capped: bool,
    /// What reading was like.
    pub scanned: Scanned,
}

/// The range that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// What was there before this is not new.
    pub before_unix_ns: u64,
    /// Changes are between this …
    pub from_unix_ns: u64,
    /// … and this.
    pub to_unix_ns: u64,
}

/// (Service, kind, key, value), first and last seen.
type Seen = HashMap<(String, &'static str, String, String), (u64, u64)>;

/// What began or ended around a time.
pub fn around(
    scanner: &dyn SpanScanner,
    around: Around,
    context: &ReadContext,
) -> Result<Changes, Error> {
    let query = ScanQuery {
        start_unix_ns: Some(around.before_unix_ns),
        end_unix_ns: Some(around.to_unix_ns),
        ..ScanQuery::default()
    };
    let (mut seen, mut capped) = (Seen::new(), false);
    let read = scanner.scan_spans(&query, &context.part(0.5), &mut |batch, rows| {
        let columns = batch.columns();
        // Few resources, many spans: of each resource the first and the last span.
        let mut times: HashMap<u32, (u32, u64, u64)> = HashMap::new();
        for &row in rows {
            let start = columns.start_unix_ns[row as usize];
            let of = times
                .entry(columns.resource[row as usize])
                .or_insert((row, start, start));
            *of = (row, of.1.min(start), of.2.max(start));
        }
        for (row, first, last) in times.into_values() {
            let resource = batch.span(row).resource();
            let mut note = |kind, key: &str, value: &str| {
                let key = (
                    resource.service().to_owned(),
                    kind,
                    key.to_owned(),
                    value.to_owned(),
                );
                capped |= !note(&mut seen, key, first, last);
            };
            note("service", "", resource.service());
            for attribute in resource.attributes() {
                if let Some((key, kind)) = KEYS.iter().find(|(key, _)| *key == attribute.key) {
                    note(kind, key, &attribute.value.text());
                }
            }
        }
        ControlFlow::Continue(())
    });
    let mut scanned = as_far_as_read(read)?;
    let mut names = Names::default();
    let range = (around.before_unix_ns, around.to_unix_ns);
    let sample = Sample::read(scanner, range, &mut names, &context.part(0.8))?;
    scanned.searched.add(&sample.scanned.searched);
    scanned
        .incomplete
        .extend_from_slice(&sample.scanned.incomplete);
    if sample.share() < 1.0 {
        scanned.incomplete.push(format!(
            "callers are of {:.3} of all traces",
            sample.share()
        ));
    }
    capped |= callers(&sample, &names, &mut seen);
    Ok(Changes {
        changes: changes(&seen, around),
        capped,
        scanned,
    })
}

/// False when there is no room for it.
fn note(
    seen: &mut Seen,
    key: (String, &'static str, String, String),
    first: u64,
    last: u64,
) -> bool {
    let full = seen.len() >= VALUES_MAX;
    if full && !seen.contains_key(&key) {
        return false;
    }
    let times = seen.entry(key).or_insert((first, last));
    *times = (times.0.min(first), times.1.max(last));
    true
}

/// Notes who called whom; true when there was no room for all.
fn callers(sample: &Sample, names: &Names, seen: &mut Seen) -> bool {
    let mut pairs: HashMap<_, (u64, u64)> = HashMap::new();
    for trace in sample.traces() {
        let forest = Forest::of(trace, names);
        for (at, span) in forest.spans.iter().enumerate() {
            let Some(parent) = forest.parent(at) else {
                continue;
            };
            let caller = names.service_of(forest.spans[parent].op);
            let callee = names.service_of(span.op);
            if caller != callee {
                let start = span.start_unix_ns;
                let times = pairs.entry((callee, caller)).or_insert((start, start));
                *times = (times.0.min(start), times.1.max(start));
            }
        }
    }
    let mut capped = false;
    for ((callee, caller), (first, last)) in pairs {
        let [callee, caller] = [callee, caller].map(|service| names.service(service).to_owned());
        capped |= !note(seen, (callee, "caller", String::new(), caller), first, last);
    }
    capped
}

fn changes(seen: &Seen, around: Around) -> Vec<Change> {
    let is_new = |first: u64| first >= around.from_unix_ns;
    let new_services: HashSet<&str> = seen
        .iter()
        .filter(|((_, kind, ..), (first, _))| *kind == "service" && is_new(*first))
        .map(|((service, ..), _)| service.as_str())
        .collect();
    // Each service's last span; nothing ended that was there until then.
    let services = seen.iter().filter(|((_, kind, ..), _)| *kind == "service");
    let lasts: HashMap<&str, u64> = services
        .map(|((service, ..), (_, last))| (service.as_str(), *last))
        .collect();
    let end = lasts.values().copied().max().unwrap_or(0);
    let mut changes = Vec::new();
    for ((service, kind, key, value), &(first, last)) in seen {
        // Of a new service everything is new.
        if *kind != "service" && new_services.contains(service.as_str()) {
            continue;
        }
        let until = match *kind {
            "service" => end,
            _ => lasts.get(service.as_str()).copied().unwrap_or(end),
        };
        let is_silent = last.saturating_add(SILENCE_NS) < until;
        let ended = !is_new(first) && last >= around.from_unix_ns && is_silent;
        if is_new(first) || ended {
            changes.push(Change {
                at_unix_ns: if ended { last } else { first },
                service: service.clone(),
                kind,
                key: key.clone(),
                value: value.clone(),
                began: !ended,
            });
        }
    }
    changes.sort_unstable();
    changes
}
