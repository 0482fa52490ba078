//! What a process knows of itself, whichever roles it runs: the parts of the status page that no
//! backend has a say in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tracewell_collector::{Collector, Counters};
use tracewell_model::Clock;
use tracewell_query::{
    AccountReport, DoorReport, GroupReport, IngestReport, LogReport, StatusReport,
};
use tracewell_storage::{Account, LogStatus};
use tracewell_workers::StatusHandle;

use crate::addresses::Addresses;
use crate::config::Config;
use crate::readiness::Readiness;

/// See the module.
pub(crate) struct About {
    roles: Vec<String>,
    data_dir: String,
    listeners: BTreeMap<String, String>,
    started_unix_ns: u64,
    started_monotonic_ns: u64,
    /// None where the process takes nothing in.
    collector: Option<Collector>,
    pub(crate) workers: Vec<StatusHandle>,
    readiness: Arc<Readiness>,
    clock: Arc<dyn Clock>,
    pace: Mutex<Pace>,
}

/// Spans accepted at a moment before, for the rate.
#[derive(Clone, Copy, Default)]
struct Pace {
    monotonic_ns: u64,
    spans: u64,
    bytes: u64,
    rates: (f64, f64),
}

/// A rate is taken over at least this long, so that two quick looks do not show noise.
const PACE_NS: u64 = 2_000_000_000;

impl About {
    pub(crate) fn new(
        config: &Config,
        addresses: &Addresses,
        collector: Option<Collector>,
        workers: Vec<StatusHandle>,
        readiness: Arc<Readiness>,
        clock: Arc<dyn Clock>,
    ) -> About {
        About {
            roles: config
                .roles
                .iter()
                .map(|role| role.name().to_owned())
                .collect(),
            data_dir: config.data.display().to_string(),
            listeners: addresses.rows().collect(),
            started_unix_ns: clock.unix_ns(),
            started_monotonic_ns: clock.monotonic_ns(),
            collector,
            workers,
            readiness,
            clock,
            pace: Mutex::default(),
        }
    }

    /// The report, but for what the backend's store adds.
    pub(crate) fn report(
        &self,
        log: &LogStatus,
        account: &Account,
        problems: Vec<String>,
    ) -> StatusReport {
        let (door, ingest) = match &self.collector {
            None => Default::default(),
            Some(collector) => {
                let in_hand = collector.in_flight_requests() > 0;
                let counters = collector.counters();
                (door_report(&counters, in_hand), self.ingest(&counters))
            }
        };
        let now = self.clock.monotonic_ns();
        let uptime_ns = now.saturating_sub(self.started_monotonic_ns);
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at_unix_ns: self.started_unix_ns,
            uptime_s: uptime_ns as f64 / 1e9,
            roles: self.roles.clone(),
            data_dir: self.data_dir.clone(),
            ready: self.readiness.waiting_for().is_none(),
            listeners: self.listeners.clone(),
            account: AccountReport::new(door, account),
            ingest,
            log: log_report(log),
            problems,
            ..StatusReport::default()
        }
    }

    /// What stands in the way of this process's workers.
    pub(crate) fn worker_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for worker in self.workers.iter().map(StatusHandle::snapshot) {
            problems.extend(
                worker
                    .last_error
                    .map(|error| format!("the {} worker is held up: {error}", worker.group)),
            );
            problems.extend(
                worker
                    .last_dead_letter
                    .map(|why| format!("the {} worker set a record aside: {why}", worker.group)),
            );
        }
        problems
    }

    fn ingest(&self, counters: &Counters) -> IngestReport {
        let now = self.clock.monotonic_ns();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_sub(pace.monotonic_ns);
        if elapsed >= PACE_NS {
            let per_second =
                |now: u64, before: u64| now.saturating_sub(before) as f64 * 1e9 / elapsed as f64;
            let rates = match pace.monotonic_ns {
                0 => (0.0, 0.0),
                _ => (
                    per_second(counters.accepted, pace.spans),
                    per_second(counters.body_bytes, pace.bytes),
                ),
            };
            *pace = Pace {
                monotonic_ns: now,
                spans: counters.accepted,
                bytes: counters.body_bytes,
                rates,
            };
        }
        IngestReport {
            spans_per_s: pace.rates.0,
            bytes_per_s: pace.rates.1,
        }
    }
}

/// What came to the door since the start.
fn door_report(counters: &Counters, in_hand: bool) -> DoorReport {
    let answered = counters.accepted + counters.refused_count();
    DoorReport {
        // Spans of requests that are not answered yet are neither accepted nor refused.
        received: if in_hand { answered } else { counters.received },
        accepted: counters.accepted,
        refused: counters.refused_count(),
        refused_by_reason: counters
            .refused
            .iter()
            .map(|(reason, count)| ((*reason).to_owned(), *count))
            .collect(),
    }
}

fn log_report(log: &LogStatus) -> LogReport {
    let groups = log.groups.iter().map(|group| GroupReport {
        group: group.group.clone(),
        lag_records: group.lag_records,
        lag_spans: group.lag_spans,
        lag_seconds: group.lag_ns as f64 / 1e9,
        seconds_to_loss: group.time_to_loss_ns.map(|ns| ns as f64 / 1e9),
        lost_records: group.lost_records,
    });
    LogReport {
        bytes: log.bytes,
        files: log.files,
        groups: groups.collect(),
    }
}
