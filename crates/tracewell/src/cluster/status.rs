//! What a process of a cluster knows of the log, as metrics.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use tracewell_storage::{LogStatus, SpanLog};

/// The log's figures: of the whole log, whichever process is asked.
pub(super) struct ClusterMetrics(pub(super) Arc<dyn SpanLog>);

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
        let log = self.0.status();
        for (name, help, value) in ROWS {
            let gauge = ConstGauge::new(value(&log) as i64);
            let row = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(row)?;
        }
        Ok(())
    }
}
