//! Shows the workers' status as metrics, read when the page is asked for: the loop counts once.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

use crate::consume::{StatusHandle, WorkerStatus};

/// The workers of this process, as a collector for `Registry::register_collector`.
#[derive(Debug)]
pub struct WorkersCollector(pub Vec<StatusHandle>);

type Row = (&'static str, &'static str, fn(&WorkerStatus) -> u64);

const ROWS: [Row; 4] = [
    (
        "tracewell_worker_applied_spans",
        "Spans handed to the group's sink",
        |status| status.applied_spans,
    ),
    (
        "tracewell_worker_dead_lettered_records",
        "Records set aside",
        |status| status.dead_lettered_records,
    ),
    (
        "tracewell_worker_dead_lettered_spans",
        "Spans in records set aside",
        |status| status.dead_lettered_spans,
    ),
    (
        "tracewell_worker_retries",
        "Calls that failed and are repeated",
        |status| status.retries,
    ),
];

impl Collector for WorkersCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let all: Vec<WorkerStatus> = self.0.iter().map(StatusHandle::snapshot).collect();
        for (name, help, value) in ROWS {
            let counter = ConstCounter::new(0u64);
            let mut family = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            for status in &all {
                let labels = [("group", status.group.as_str())];
                let row = family.encode_family(&labels)?;
                ConstCounter::new(value(status)).encode(row)?;
            }
        }
        Ok(())
    }
}
