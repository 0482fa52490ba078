//! What SDKs say of spans that they lost before they were sent (R37). Ours tells it in attributes of the scope of
//! every batch, from its first loss on: how many, by reason, since the process began, so that a batch that comes
//! twice says nothing twice. The attributes are stored with their spans as all are; here they become a metric.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use tracewell_model::{ScopeRef, SpanBatch, SpanRef, Value};

/// Before the reason, in the attribute's name.
pub(crate) const DROPPED: &str = "tracewell.sdk.dropped.";
/// Behind it in the names of two attributes that are times.
const TIME: &str = "_unix_ns";
/// Instances that lost spans and are remembered: the fleet of the largest service, or a day of restarts.
const INSTANCES_MAX: usize = 10_000;
/// Reasons that are told apart; ours has seven.
const REASONS_MAX: usize = 32;

/// Spans that SDKs lost, by service and reason. Copies share the counts.
#[derive(Clone, Debug, Default)]
pub struct SdkLosses(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    by_service: BTreeMap<(String, String), u64>,
    instances: BTreeMap<(String, String), Instance>,
    /// How often anything was told: who told the longest ago is forgotten first.
    times: u64,
}

#[derive(Debug, Default)]
struct Instance {
    told: u64,
    by_reason: BTreeMap<String, u64>,
}

impl SdkLosses {
    /// Notes what a batch says.
    pub fn note(&self, batch: &SpanBatch) {
        for span in tellers(batch) {
            let mut lost = losses(span.scope());
            if let Some(first) = lost.next() {
                let of_resource = |key| {
                    let mut attributes = span.resource().attributes();
                    let found = attributes.find(|attribute| attribute.key == key)?;
                    match found.value {
                        Value::Str(text) => Some(text),
                        _ => None,
                    }
                };
                let instance = of_resource("service.instance.id").unwrap_or_default();
                let lost = std::iter::once(first).chain(lost);
                self.told().note(span.service(), instance, lost);
            }
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A span of each resource and scope whose SDK may tell of losses. In most batches no scope says anything, which
/// costs a look at them.
pub(crate) fn tellers(batch: &SpanBatch) -> impl Iterator<Item = SpanRef<'_>> {
    let mut scopes = batch.columns().scopes.iter();
    let says_something = scopes.any(|scope| !scope.attributes.values.is_empty());
    let mut seen = None;
    let spans = says_something.then(|| batch.spans()).into_iter().flatten();
    spans.filter(move |span| {
        // Spans of one scope and resource come together.
        let place = (span.resource().position(), span.scope().position());
        seen.replace(place) != Some(place)
    })
}

/// What a scope tells: how many spans were lost, by reason.
pub(crate) fn losses(scope: ScopeRef<'_>) -> impl Iterator<Item = (&str, u64)> {
    scope.attributes().filter_map(|attribute| {
        let reason = attribute.key.strip_prefix(DROPPED)?;
        match attribute.value {
            Value::Int(count) if !reason.ends_with(TIME) => {
                Some((reason, u64::try_from(count).ok()?))
            }
            _ => None,
        }
    })
}

impl Told {
    fn note<'a>(
        &mut self,
        service: &str,
        instance: &str,
        lost: impl Iterator<Item = (&'a str, u64)>,
    ) {
        self.times += 1;
        let key = (service.to_owned(), instance.to_owned());
        if self.instances.len() == INSTANCES_MAX && !self.instances.contains_key(&key) {
            let oldest = self
                .instances
                .iter()
                .min_by_key(|(_, instance)| instance.told);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.instances.remove(&oldest);
            }
        }
        let known = self.instances.entry(key).or_default();
        known.told = self.times;
        for (reason, count) in lost {
            let reasons = known.by_reason.len();
            let before = match known.by_reason.entry(reason.to_owned()) {
                Entry::Vacant(_) if reasons == REASONS_MAX => continue,
                entry => entry.or_default(),
            };
            let more = count.saturating_sub(*before);
            *before = count.max(*before);
            let total = (service.to_owned(), reason.to_owned());
            *self.by_service.entry(total).or_default() += more;
        }
    }
}

impl Collector for SdkLosses {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let told = self.told();
        let counter = ConstCounter::new(0u64);
        let (name, help) = (
            "tracewell_sdk_dropped_spans",
            "Spans that SDKs said they lost, by service and reason",
        );
        let mut family = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
        for ((service, reason), count) in &told.by_service {
            let labels = [("service", service.as_str()), ("reason", reason.as_str())];
            ConstCounter::new(*count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;
    use tracewell_model::{
        Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanId, SpanInput, SpanKind,
        StatusCode, TraceId,
    };

    use super::*;

    fn attribute<'a>(key: &'a str, value: Value<'a>) -> Attribute<'a> {
        Attribute { key, value }
    }

    /// A batch of one span of each of two services, whose SDKs say this.
    fn batch(instance: &str, told: &[(&str, i64)]) -> SpanBatch {
        let mut builder = BatchBuilder::new(1);
        for (number, service) in [(1, "cart"), (2, "mail")] {
            let resource = builder.resource(&ResourceInput {
                service,
                attributes: &[attribute("service.instance.id", Value::Str(instance))],
                ..ResourceInput::default()
            });
            let told: Vec<_> = told
                .iter()
                .map(|&(key, count)| attribute(key, Value::Int(count * number)))
                .collect();
            let scope = builder.scope(&ScopeInput {
                attributes: &told,
                ..ScopeInput::default()
            });
            builder.push(&SpanInput {
                trace_id: TraceId([1; 16]),
                span_id: SpanId([number as u8; 8]),
                parent: None,
                resource,
                scope,
                start_unix_ns: 1,
                duration_ns: 1,
                operation: "",
                kind: SpanKind::Server,
                status: StatusCode::Unset,
                status_message: "",
                flags: 0,
                attributes: &[],
                event_attributes: &[],
                rest: &[],
                marks: Marks::default(),
            });
        }
        builder.finish_one()
    }

    fn shown(losses: &SdkLosses) -> Vec<String> {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(losses.clone()));
        let mut page = String::new();
        text::encode(&mut page, &registry).unwrap();
        let lines = page.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn losses_are_counted_once_a_process_however_often_they_are_told() {
        let losses = SdkLosses::default();
        losses.note(&batch("a", &[]));
        assert!(shown(&losses).is_empty(), "no loss, no line");
        let told = [
            ("tracewell.sdk.dropped.ring_full", 5),
            ("tracewell.sdk.dropped.from_unix_ns", 7_000),
            ("tracewell.sdk.dropped.to_unix_ns", 8_000),
            ("other", 9),
        ];
        losses.note(&batch("a", &told));
        losses.note(&batch("a", &told)); // delivered twice
        losses.note(&batch("a", &[("tracewell.sdk.dropped.ring_full", 6)]));
        losses.note(&batch("a", &[("tracewell.sdk.dropped.ring_full", 5)])); // overtaken
        losses.note(&batch("b", &[("tracewell.sdk.dropped.ring_full", 1)])); // a new process
        losses.note(&batch("b", &[("tracewell.sdk.dropped.shutdown", -1)]));
        let line = |service, count| {
            format!(
                r#"tracewell_sdk_dropped_spans_total{{service="{service}",reason="ring_full"}} {count}"#
            )
        };
        assert_eq!(shown(&losses), [line("cart", 7), line("mail", 14)]);
    }

    #[test]
    fn instances_are_forgotten_from_the_one_that_told_the_longest_ago() {
        let losses = SdkLosses::default();
        let mut told = losses.told();
        for number in 0..=INSTANCES_MAX {
            let lost = std::iter::once(("ring_full", 1));
            told.note("cart", &number.to_string(), lost);
        }
        assert_eq!(told.instances.len(), INSTANCES_MAX);
        let knows = |instance: usize| {
            let key = ("cart".to_owned(), instance.to_string());
            told.instances.contains_key(&key)
        };
        assert!(!knows(0) && knows(1) && knows(INSTANCES_MAX));
    }
}
