//! Who was heard, batch by batch, until the aggregator writes it down: a process each, from when to when,
//! and what its SDK says it lost.

use hashbrown::HashMap;
use tracewell_model::{ResourceRef, ScopeRef, SpanBatch, Value};
use tracewell_storage::roll::{Instance, Loss};

use crate::sdk_losses::{DROPPED, losses, tellers};

/// Before a reason that is the collector's: what it answered to a batch.
const REFUSED: &str = "refused";

/// Instances heard since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct RollCall {
    heard: Heard,
    /// Of the batch at hand: when each resource's spans began and ended, and one of them.
    times: Vec<Option<Times>>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    first_unix_ns: u64,
    last_unix_ns: u64,
    row: u32,
}

/// Instances by service and name.
type Heard = HashMap<String, HashMap<String, Instance>>;

impl RollCall {
    /// Notes who speaks in a batch.
    pub(crate) fn note(&mut self, batch: &SpanBatch) {
        let c = batch.columns();
        self.times.clear();
        self.times.resize(c.resources.len(), None);
        let times_of = c.start_unix_ns.iter().zip(&c.duration_ns);
        for (row, (&resource, (&start, &duration))) in (0..).zip(c.resource.iter().zip(times_of)) {
            let end = start.saturating_add(duration);
            let times = self.times[resource as usize].get_or_insert(Times {
                first_unix_ns: start,
                last_unix_ns: end,
                row,
            });
            times.first_unix_ns = times.first_unix_ns.min(start);
            times.last_unix_ns = times.last_unix_ns.max(end);
        }
        for times in self.times.iter().flatten() {
            let span = batch.span(times.row);
            let instance = instance(&mut self.heard, span.resource());
            instance.hear(times.first_unix_ns, times.last_unix_ns);
        }
        for span in tellers(batch) {
            if let Some(loss) = loss(span.scope()) {
                instance(&mut self.heard, span.resource()).lose(loss);
            }
        }
    }

    /// Who was heard since the last call.
    pub(crate) fn all(&self) -> Vec<Instance> {
        self.heard
            .values()
            .flat_map(HashMap::values)
            .cloned()
            .collect()
    }

    /// They are written down.
    pub(crate) fn clear(&mut self) {
        self.heard.clear();
    }
}

/// The instance that a resource is of.
fn instance<'a>(heard: &'a mut Heard, resource: ResourceRef<'_>) -> &'a mut Instance {
    let of_service = heard.entry_ref(resource.service()).or_default();
    of_service
        .entry_ref(Instance::name_of(resource))
        .or_insert_with(|| Instance::of(resource))
}

/// The spans of time that a batch tells of; none while nothing new was lost.
fn loss(scope: ScopeRef<'_>) -> Option<Loss> {
    let time = |suffix: &str| {
        scope.attributes().find_map(|attribute| {
            match (attribute.key.strip_prefix(DROPPED)?, attribute.value) {
                (key, Value::Int(time)) if key == suffix => u64::try_from(time).ok(),
                _ => None,
            }
        })
    };
    let (from_unix_ns, to_unix_ns) = (time("from_unix_ns")?, time("to_unix_ns")?);
    let mut reasons = losses(scope).filter(|(_, count)| *count > 0).peekable();
    let refused = reasons.peek().is_some() && reasons.all(|(reason, _)| reason == REFUSED);
    Some(Loss {
        from_unix_ns,
        to_unix_ns,
        refused,
    })
}
