//! How far each consumer group of the log is, as metrics, read when the page is asked for.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use tracewell_storage::{GroupStatus, SpanLog};

/// The groups of this log.
pub(crate) struct LogMetrics(pub(crate) Arc<dyn SpanLog>);

impl std::fmt::Debug for LogMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogMetrics").finish_non_exhaustive()
    }
}

type Row = (&'static str, &'static str, fn(&GroupStatus) -> Option<f64>);

const ROWS: [Row; 5] = [
    (
        "tracewell_log_group_lag_spans",
        "Spans not delivered to the group yet",
        |group| Some(group.lag_spans as f64),
    ),
    (
        "tracewell_log_group_lag_records",
        "Records not delivered to the group yet",
        |group| Some(group.lag_records as f64),
    ),
    (
        "tracewell_log_group_lag_seconds",
        "Age of the oldest record not delivered yet",
        |group| Some(group.lag_ns as f64 / 1e9),
    ),
    (
        "tracewell_log_group_time_to_loss_seconds",
        "How long until records expire that the group has not got",
        |group| group.time_to_loss_ns.map(|ns| ns as f64 / 1e9),
    ),
    (
        "tracewell_log_group_lost_records",
        "Records that expired before the group came to them",
        |group| Some(group.lost_records as f64),
    ),
];

impl Collector for LogMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let log = self.0.status();
        for (name, help, value) in ROWS {
            let gauge = ConstGauge::new(0i64);
            let mut family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            for group in &log.groups {
                let Some(value) = value(group) else { continue };
                let labels = [("group", group.group.as_str())];
                ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
