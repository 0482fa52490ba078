//! What a process of a cluster knows: of the log, whichever process is asked; of the stores, what
//! its own roles see. As the status page and as metrics.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tracewell_model::Clock;
use tracewell_query::{StatusReport, StatusSource};
use tracewell_storage::{Account, LogStatus, SpanLog};
use tracewell_workers::storage_writer;

use crate::about::About;
use crate::assemble::cluster::Sinks;

/// The log's figures are looked at every five seconds: what changed within two looks may be between
/// one figure and the other.
const SETTLED_NS: u64 = 10_000_000_000;

/// See [`StatusSource`].
pub(super) struct ClusterStatus {
    pub(super) about: About,
    pub(super) log: Arc<dyn SpanLog>,
    pub(super) sinks: Sinks,
    pub(super) clock: Arc<dyn Clock>,
    /// Spans accepted when that number last changed, and when.
    pub(super) moved: Mutex<(u64, u64)>,
}

impl ClusterStatus {
    /// The account, as far as it can be told over processes: accepted by what any process appended or
    /// any group was given, stored by what the storage group has taken from the log, whichever of its
    /// members did: each commit carries the sum (D9). What was set aside is among it.
    fn account(&self, log: &LogStatus) -> Account {
        let storage = log
            .group(storage_writer::GROUP)
            .cloned()
            .unwrap_or_default();
        let accepted = log.accepted_spans.max(storage.taken_spans);
        let mut moved = self.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.monotonic_ns();
        if moved.0 != accepted {
            *moved = (accepted, now);
        }
        let behind = storage.lag_records + storage.uncommitted_records > 0
            || now.saturating_sub(moved.1) < SETTLED_NS;
        Account {
            accepted,
            stored: storage.taken_spans,
            in_flight: match behind {
                true => accepted - storage.taken_spans,
                false => 0,
            },
            ..Account::default()
        }
    }
}

impl StatusSource for ClusterStatus {
    fn status(&self) -> StatusReport {
        let log = self.log.status();
        let account = self.account(&log);
        let mut problems = log.problems.clone();
        problems.extend(self.about.worker_problems());
        problems.extend(self.sinks.problems());
        if !account.balances() {
            problems.push(format!(
                "the account does not balance: {} spans were accepted, the storage group has taken {}",
                account.accepted, account.stored
            ));
        }
        self.about.report(&log, &account, problems)
    }
}

/// The figures of log and sinks, read when the page is asked for.
pub(super) struct ClusterMetrics {
    pub(super) log: Arc<dyn SpanLog>,
    pub(super) sinks: Sinks,
}

impl std::fmt::Debug for ClusterMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterMetrics").finish_non_exhaustive()
    }
}

type Row = (&'static str, &'static str, fn(&LogStatus) -> u64);

const ROWS: [Row; 4] = [
    (
        "tracewell_log_accepted_spans",
        "Spans ever acknowledged into the log; exact when no group is behind",
        |log| log.accepted_spans,
    ),
    (
        "tracewell_log_records",
        "Records that the log holds",
        |log| log.records,
    ),
    (
        "tracewell_log_damaged_spans",
        "Spans that this process found unreadable",
        |log| log.damaged_spans,
    ),
    (
        "tracewell_log_problems",
        "Things an operator should look at; the log lines say which",
        |log| log.problems.len() as u64,
    ),
];

impl Collector for ClusterMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let log = self.log.status();
        for (name, help, value) in ROWS {
            let gauge = ConstGauge::new(value(&log) as i64);
            let row = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(row)?;
        }
        for (name, help, value) in self.sinks.counts() {
            let counter = ConstCounter::new(value);
            let row = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(row)?;
        }
        let (name, help) = (
            "tracewell_log_group_dead_lettered_spans",
            "Spans that this process set aside for the group, with their reason, in the topic of dead letters",
        );
        let counter = ConstCounter::new(0u64);
        let mut family = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
        for group in &log.groups {
            let labels = [("group", group.group.as_str())];
            let row = family.encode_family(&labels)?;
            ConstCounter::new(group.dead_lettered_spans).encode(row)?;
        }
        Ok(())
    }
}
