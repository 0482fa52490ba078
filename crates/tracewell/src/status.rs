//! What the node knows about itself: the account of D9 and its figures, as the status
//! page and as metrics.

use std::sync::Arc;

use prometheus_client::collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tracewell_query::{StatusReport, StatusSource, StoreReport};
use tracewell_storage::{Account, LogStatus, SpanLog};
use tracewell_storage_embedded::books::{self, InHand};
use tracewell_storage_embedded::engine::EngineStatus;
use tracewell_workers::{StatusHandle, storage_writer};

use crate::about::About;
use crate::assemble::Embedded;
use crate::memory;

/// See [`StatusSource`].
pub(crate) struct NodeStatus {
    about: About,
    backend: Arc<Embedded>,
}

impl NodeStatus {
    pub(crate) fn new(about: About, backend: Arc<Embedded>) -> NodeStatus {
        NodeStatus { about, backend }
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
        let workers = self.about.workers.iter().map(StatusHandle::snapshot);
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
        problems.extend(self.about.worker_problems());
        if !account.balances() && account.in_flight == 0 {
            problems.push("the account does not balance: spans are missing or made up".to_owned());
        }
        problems
    }
}

impl StatusSource for NodeStatus {
    fn status(&self) -> StatusReport {
        let (log, engine, account) = self.account();
        let problems = self.problems(&log, &engine, &account);
        StatusReport {
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
            ..self.about.report(&log, &account, problems)
        }
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
                "tracewell_storage_indexes_remade",
                "Lost or damaged index files that were made anew of their segment's spans",
                engine.compaction.indexes_remade,
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
                "tracewell_stats_memory_bytes",
                "Bytes in memory for figures of services and operations",
                self.0.backend.stats.memory_bytes() as u64,
            ),
            (
                "tracewell_memory_resident_bytes",
                "Bytes the process has in memory; beyond nine tenths of memory_bytes_max ingest is held off",
                memory::resident_bytes().unwrap_or(0),
            ),
            (
                "tracewell_store_table_bytes",
                "Bytes in memory of open segments: directories, tables and trace-id filters",
                engine.table_bytes,
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
