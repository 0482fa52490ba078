//! What the collector counts. At any quiet moment `received = accepted + refused` (D9): a span is
//! counted when its body was decoded, and again when the log answered for it or a reason was named.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector as PrometheusCollector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tracewell_wire::Report;

use crate::admission::Admission;
use crate::refusal::Cause;

/// The reason of spans that the log did not take.
pub const LOG_REFUSED: &str = "log_refused";

/// A snapshot of what became of the spans, for the status page and for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Spans found in bodies that could be decoded.
    pub received: u64,
    /// Spans the log acknowledged.
    pub accepted: u64,
    /// Spans refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Bytes of bodies, as they came.
    pub body_bytes: u64,
}

impl Counters {
    /// Spans refused for any reason.
    pub fn refused_count(&self) -> u64 {
        self.refused.values().sum()
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    receiver: &'static str,
    /// HTTP's status, or gRPC's code.
    status: u16,
}

type ByReason = Family<[(&'static str, &'static str); 1], Counter>;

#[derive(Debug, Default)]
pub(crate) struct Metrics {
    received_spans: Counter,
    accepted_spans: Counter,
    refused_spans: ByReason,
    // The same as `refused_spans`: a family cannot be read back. Touched only on a refusal.
    refused_by_reason: Mutex<BTreeMap<&'static str, u64>>,
    requests: Family<Answered, Counter>,
    refused_requests: ByReason,
    body_bytes: Counter,
    decompressed_bytes: Counter,
}

impl Metrics {
    pub(crate) fn body(&self, bytes: usize) {
        self.body_bytes.inc_by(bytes as u64);
    }

    /// Counts a decoded body: its spans are received, the unusable ones refused.
    pub(crate) fn decoded(&self, report: &Report, bytes: usize) {
        self.decompressed_bytes.inc_by(bytes as u64);
        self.received_spans.inc_by(report.seen() as u64);
        for (reason, &count) in &report.refused {
            self.refuse(reason.name(), count as u64);
        }
    }

    /// Counts what the log said of these spans.
    pub(crate) fn logged(&self, spans: u64, taken: bool) {
        if taken {
            self.accepted_spans.inc_by(spans);
        } else {
            self.refuse(LOG_REFUSED, spans);
        }
    }

    pub(crate) fn answered(&self, receiver: &'static str, status: u16) {
        self.requests
            .get_or_create(&Answered { receiver, status })
            .inc();
    }

    pub(crate) fn refused_request(&self, cause: Cause) {
        self.refused_requests
            .get_or_create(&[("reason", cause.name())])
            .inc();
    }

    pub(crate) fn counters(&self) -> Counters {
        let refused = self
            .refused_by_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Counters {
            received: self.received_spans.get(),
            accepted: self.accepted_spans.get(),
            refused: refused.clone(),
            body_bytes: self.body_bytes.get(),
        }
    }

    fn refuse(&self, reason: &'static str, spans: u64) {
        if spans == 0 {
            return;
        }
        self.refused_spans
            .get_or_create(&[("reason", reason)])
            .inc_by(spans);
        let mut refused = self
            .refused_by_reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *refused.entry(reason).or_default() += spans;
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let r = registry;
        let name = |what: &str| format!("tracewell_receiver_{what}");
        r.register(
            name("received_spans"),
            "Spans found in bodies that could be decoded",
            self.received_spans.clone(),
        );
        r.register(
            name("accepted_spans"),
            "Spans the span log acknowledged",
            self.accepted_spans.clone(),
        );
        r.register(
            name("refused_spans"),
            "Spans refused, by reason",
            self.refused_spans.clone(),
        );
        r.register(
            name("requests"),
            "Requests answered, by receiver and HTTP status or gRPC code",
            self.requests.clone(),
        );
        r.register(
            name("refused_requests"),
            "Whole requests refused, by reason",
            self.refused_requests.clone(),
        );
        r.register(
            name("body_bytes"),
            "Bytes of bodies as sent",
            self.body_bytes.clone(),
        );
        r.register(
            name("decompressed_body_bytes"),
            "Bytes of decoded bodies after decompression",
            self.decompressed_bytes.clone(),
        );
    }
}

/// Shows what is in flight now.
#[derive(Debug)]
pub(crate) struct InFlight(pub(crate) Arc<Admission>);

impl PrometheusCollector for InFlight {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauges = [
            (
                "tracewell_receiver_in_flight_bytes",
                "Bytes of bodies in flight, as sent and decompressed",
                self.0.in_flight_bytes(),
            ),
            (
                "tracewell_receiver_in_flight_requests",
                "Requests in flight",
                self.0.in_flight_requests(),
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = ConstGauge::new(value as i64);
            let encoder = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(encoder)?;
        }
        Ok(())
    }
}

/// Lets one warning in each ten seconds through and counts the others, per process.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    next_ns: AtomicU64,
    suppressed: AtomicU64,
}

impl Warnings {
    const EVERY_NS: u64 = 10_000_000_000;

    /// How many were kept back since the last one, if this one may be said.
    pub(crate) fn may_say(&self, monotonic_ns: u64) -> Option<u64> {
        let next = self.next_ns.load(Ordering::Relaxed);
        let later = monotonic_ns.saturating_add(Self::EVERY_NS);
        let due = monotonic_ns >= next
            && self
                .next_ns
                .compare_exchange(next, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if due {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_few_and_their_number_is_kept() {
        let warnings = Warnings::default();
        assert_eq!(warnings.may_say(5), Some(0));
        assert_eq!(warnings.may_say(6), None);
        assert_eq!(warnings.may_say(7), None);
        assert_eq!(warnings.may_say(Warnings::EVERY_NS + 5), Some(2));
    }
}
