//! What the query side counts about itself.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    endpoint: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

/// Counters of the query API. Clones share their values.
#[derive(Clone, Debug)]
pub struct Metrics {
    requests: Family<Answered, Counter>,
    duration_seconds: Family<Endpoint, Histogram, fn() -> Histogram>,
    read_bytes: Counter,
    incomplete: Counter,
}

/// From 1 ms to 33 s: what a person feels, up to the deadline.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Metrics {
    /// Counters registered under their names.
    pub fn register(registry: &mut Registry) -> Metrics {
        let metrics = Metrics {
            requests: Family::default(),
            duration_seconds: Family::new_with_constructor(durations),
            read_bytes: Counter::default(),
            incomplete: Counter::default(),
        };
        registry.register(
            "tracewell_query_requests",
            "Requests answered, by endpoint and HTTP status",
            metrics.requests.clone(),
        );
        registry.register(
            "tracewell_query_duration_seconds",
            "Time from request to answer",
            metrics.duration_seconds.clone(),
        );
        registry.register(
            "tracewell_query_read_bytes",
            "Bytes read from files for queries",
            metrics.read_bytes.clone(),
        );
        registry.register(
            "tracewell_query_incomplete_answers",
            "Answers that said they may lack something",
            metrics.incomplete.clone(),
        );
        metrics
    }

    pub(crate) fn answered(&self, endpoint: &'static str, status: u16, duration_ns: u64) {
        self.requests
            .get_or_create(&Answered { endpoint, status })
            .inc();
        let durations = self.duration_seconds.get_or_create(&Endpoint { endpoint });
        durations.observe(duration_ns as f64 / 1e9);
    }

    pub(crate) fn read(&self, bytes: u64, complete: bool) {
        self.read_bytes.inc_by(bytes);
        self.incomplete.inc_by(u64::from(!complete));
    }
}
