//! What the node knows about itself: the account of D9 and its figures, as the status
//! page and as metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use prometheus_client::collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tracewell_collector::{Collector, Counters};
use tracewell_model::Clock;
use tracewell_query::{
    AccountReport, DoorReport, GroupReport, IngestReport, LogReport, StatusReport, StatusSource,
    StoreReport,
};
use tracewell_storage::{Account, LogStatus, SpanLog};
use tracewell_storage_embedded::books::{self, InHand};
use tracewell_storage_embedded::engine::EngineStatus;
use tracewell_workers::{StatusHandle, storage_writer};

use crate::addresses::Addresses;
use crate::assemble::Embedded;
use crate::config::Config;
pub(crate) use crate::readiness::Readiness;

/// See [`StatusSource`].
pub(crate) struct NodeStatus {
    roles: Vec<String>,
    data_dir: String,
    listeners: BTreeMap<String, String>,
    started_unix_ns: u64,
    started_monotonic_ns: u64,
    backend: Arc<Embedded>,
    collector: Collector,
    workers: Vec<StatusHandle>,
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

impl NodeStatus {
    #[allow(clippy::too_many_arguments)] // called once, by the one who knows all parts
    pub(crate) fn new(
        config: &Config,
        addresses: &Addresses,
        backend: Arc<Embedded>,
        collector: Collector,
        workers: Vec<StatusHandle>,
        readiness: Arc<Readiness>,
        clock: Arc<dyn Clock>,
    ) -> NodeStatus {
        NodeStatus {
            roles: config
                .roles
                .iter()
                .map(|role| role.name().to_owned())
                .collect(),
            data_dir: config.data.display().to_string(),
            listeners: addresses.rows().collect(),
            started_unix_ns: clock.unix_ns(),
            started_monotonic_ns: clock.monotonic_ns(),
            backend,
            collector,
            workers,
            readiness,
            clock,
            pace: Mutex::default(),
        }
    }

    fn ingest(&self, counters: &Counters) -> IngestReport {
        let now = self.clock.monotonic_ns();
        let mut pace = self
            .pace
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
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

    /// Log and engine at about one moment, and the account between them. In flight is measured at
    /// the log and at the worker, not derived, so that the sum can be wrong if something is.
    fn account(&self) -> (LogStatus, EngineStatus, Account) {
        let mut last = self.sample();
        // While spans move from one to the next, a look may catch them in both or in neither.
        for _ in 0..5 {
            if last.2.balances() {
                break;
            }
            last = self.sample();
        }
        last
    }

    fn sample(&self) -> (LogStatus, EngineStatus, Account) {
        let log = self.backend.log.status();
        let engine = self.backend.engine.status();
        let workers = self.workers.iter().map(StatusHandle::snapshot);
        let worker = workers
            .into_iter()
            .find(|worker| worker.group == storage_writer::GROUP)
            .unwrap_or_default();
        let in_hand = InHand {
            pending: worker.pending_spans,
            dead_lettered: worker.dead_lettered_spans,
        };
        let account = books::account(&log, &engine, storage_writer::GROUP, in_hand);
        (log, engine, account)
    }

    fn problems(&self, log: &LogStatus, engine: &EngineStatus, account: &Account) -> Vec<String> {
        let mut problems = log.problems.clone();
        problems.extend(engine.problems.iter().cloned());
        problems.extend(self.backend.stats.problems());
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
        if !account.balances() && account.in_flight == 0 {
            problems.push("the account does not balance: spans are missing or made up".to_owned());
        }
        problems
    }
}

impl StatusSource for NodeStatus {
    fn status(&self) -> StatusReport {
        let (log, engine, account) = self.account();
        let in_hand = self.collector.in_flight_requests() > 0;
        let counters = self.collector.counters();
        let door = door_report(&counters, in_hand);
        let ingest = self.ingest(&counters);
        let problems = self.problems(&log, &engine, &account);
        let uptime_ns = self
            .clock
            .monotonic_ns()
            .saturating_sub(self.started_monotonic_ns);
        StatusReport {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at_unix_ns: self.started_unix_ns,
            uptime_s: uptime_ns as f64 / 1e9,
            roles: self.roles.clone(),
            data_dir: self.data_dir.clone(),
            ready: self.readiness.waiting_for().is_none(),
            listeners: self.listeners.clone(),
            account: AccountReport::new(door, &account),
            ingest,
            log: log_report(&log),
            store: StoreReport {
                head_spans: engine.head_spans,
                segments: engine.segments,
                segment_spans: engine.segment_spans,
                disk_bytes: engine.disk_bytes,
                unsettled_spans: engine.unsettled_spans,
                merges: engine.compaction.merges,
                merge_copied_spans: engine.compaction.figures.spans_copied,
                merge_rewritten_spans: engine.compaction.figures.spans_rewritten,
                merge_read_bytes: engine.compaction.figures.bytes_read,
                merge_written_bytes: engine.compaction.figures.bytes_written,
                damaged_blocks: engine.damaged_blocks,
                oldest_unix_ns: engine.oldest_unix_ns.unwrap_or(0),
            },
            problems,
        }
    }
}

/// What came to the door since the start.
pub(crate) fn door_report(counters: &Counters, in_hand: bool) -> DoorReport {
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

pub(crate) fn log_report(log: &LogStatus) -> LogReport {
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

/// The node's figures as metrics, read when the page is asked for.
#[derive(Clone)]
pub(crate) struct NodeMetrics(pub(crate) Arc<NodeStatus>);

impl std::fmt::Debug for NodeMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeMetrics").finish_non_exhaustive()
    }
}

impl collector::Collector for NodeMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (log, engine, account) = self.0.account();
        let merged = engine.compaction.figures;
        let counters = [
            (
                "tracewell_log_accepted_spans",
                "Spans ever acknowledged into the log, over restarts",
                log.accepted_spans,
            ),
            (
                "tracewell_storage_merges",
                "Merges of segments",
                engine.compaction.merges,
            ),
            (
                "tracewell_storage_merge_failures",
                "Merges that failed and left everything as it was",
                engine.compaction.failures,
            ),
            (
                "tracewell_storage_merge_copied_spans",
                "Spans that merges copied as they were",
                merged.spans_copied,
            ),
            (
                "tracewell_storage_merge_rewritten_spans",
                "Spans that merges wrote anew",
                merged.spans_rewritten,
            ),
            (
                "tracewell_storage_merge_read_bytes",
                "Bytes of the segments that were merged",
                merged.bytes_read,
            ),
            (
                "tracewell_storage_merge_written_bytes",
                "Bytes of the segments that were made of them",
                merged.bytes_written,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let row = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(row)?;
        }
        let gauges = [
            ("tracewell_log_bytes", "Bytes of the log's files", log.bytes),
            (
                "tracewell_log_damaged_spans",
                "Spans in damaged records",
                log.damaged_spans,
            ),
            (
                "tracewell_store_stored_spans",
                "Spans held, in head and segments",
                account.stored,
            ),
            (
                "tracewell_store_duplicate_spans",
                "Exact repeats left out",
                account.duplicate,
            ),
            (
                "tracewell_store_expired_spans",
                "Spans removed by retention or for the disk cap",
                account.expired,
            ),
            (
                "tracewell_store_sampled_out_spans",
                "Spans that the sampler left out",
                account.sampled_out,
            ),
            (
                "tracewell_store_head_spans",
                "Spans in the head",
                engine.head_spans,
            ),
            (
                "tracewell_store_head_bytes",
                "Bytes in the head",
                engine.head_bytes,
            ),
            ("tracewell_store_segments", "Segments", engine.segments),
            (
                "tracewell_store_disk_bytes",
                "Bytes of the segments' files",
                engine.disk_bytes,
            ),
            (
                "tracewell_storage_unsettled_spans",
                "Spans in the head, or in segments that are yet to be merged",
                engine.unsettled_spans,
            ),
            (
                "tracewell_store_compact_scratch_bytes",
                "Bytes in memory for merges",
                engine.compact_scratch_bytes,
            ),
            (
                "tracewell_store_damaged_blocks",
                "Blocks seen damaged",
                engine.damaged_blocks,
            ),
            (
                "tracewell_account_in_flight_spans",
                "Accepted, not yet stored",
                account.in_flight,
            ),
            (
                "tracewell_account_balances",
                "1 when no span is missing and none made up",
                u64::from(account.balances()),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value as i64);
            let row = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(row)?;
        }
        Ok(())
    }
}
