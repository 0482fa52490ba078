//! Why a trace is partial: for each parent that is named but not stored, which service owed the span and what
//! became of it. Evidence is who calls whom (the service graph), who was heard (the roll of instances) and
//! what the children themselves say. Where there is none, the answer is `unknown`, with what was looked at.

mod evidence;

use std::fmt;

use tracewell_model::trace::{MissingParent, Row};
use tracewell_model::{SpanId, SpanKind, Trace};
use tracewell_storage::roll::{Instance, Loss};

use crate::json::Json;
use crate::querier::Readers;
use evidence::{Evidence, Owed};

/// Missing parents that are explained one by one; a trace with more has one cause for all, or none to find.
const EXPLAINED_MAX: usize = 100;
/// An SDK sends within seconds, retries within a minute; until then nothing is missing yet.
const ARRIVES_WITHIN_NS: u64 = 30_000_000_000;
/// Clocks of two hosts differ by so much.
const SKEW_NS: u64 = 1_000_000_000;
/// A process that still worked spoke within this time before its span went missing.
const SPOKE_WITHIN_NS: u64 = 120_000_000_000;
/// Others must be heard for so long after an instance before it counts as silent.
const SILENT_AFTER_NS: u64 = 30_000_000_000;

/// What became of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Arriving,
    SdkDropped,
    Refused,
    SampledUpstream,
    InstanceSilent,
    Uninstrumented,
    Unknown,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Reason::Arriving => "arriving",
            Reason::SdkDropped => "sdk_dropped",
            Reason::Refused => "refused",
            Reason::SampledUpstream => "sampled_upstream",
            Reason::InstanceSilent => "instance_silent",
            Reason::Uninstrumented => "uninstrumented",
            Reason::Unknown => "unknown",
        }
    }
}

/// One thing that is missing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PartialReason {
    pub(crate) service: Option<String>,
    pub(crate) parent_span_id: Option<SpanId>,
    pub(crate) reason: Reason,
    pub(crate) instance: Option<String>,
    pub(crate) at_unix_ns: Option<u64>,
    /// A sentence.
    pub(crate) detail: String,
}

impl PartialReason {
    /// Something that only the store knows the reason of.
    pub(crate) fn said(detail: impl Into<String>) -> PartialReason {
        PartialReason {
            service: None,
            parent_span_id: None,
            reason: Reason::Unknown,
            instance: None,
            at_unix_ns: None,
            detail: detail.into(),
        }
    }

    /// Something that the sampler left out.
    pub(crate) fn sampled(detail: &str) -> PartialReason {
        PartialReason {
            reason: Reason::SampledUpstream,
            ..PartialReason::said(detail)
        }
    }

    pub(crate) fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.key("service")
                .optional(self.service.as_ref(), |json, name| json.text(name));
            json.key("parent_span_id")
                .optional(self.parent_span_id, Json::quoted);
            json.key("reason").text(self.reason.name());
            json.key("instance")
                .optional(self.instance.as_ref(), |json, name| json.text(name));
            json.key("at").optional(self.at_unix_ns, Json::plain);
            json.key("detail").text(&self.detail);
        });
    }
}

/// What became of one span, before it is put into words for the API.
struct Verdict {
    reason: Reason,
    instance: Option<String>,
    at_unix_ns: Option<u64>,
    because: String,
}

impl Verdict {
    fn new(reason: Reason, because: impl Into<String>) -> Verdict {
        Verdict {
            reason,
            instance: None,
            at_unix_ns: None,
            because: because.into(),
        }
    }

    fn of(mut self, instance: &Instance, at_unix_ns: u64) -> Verdict {
        self.instance = (!instance.name.is_empty()).then(|| instance.name.clone());
        self.at_unix_ns = Some(at_unix_ns);
        self
    }
}

/// Why this trace is partial, missing parent by missing parent.
pub(crate) fn explain(
    trace: &Trace<'_>,
    readers: &Readers,
    now_unix_ns: u64,
) -> Vec<PartialReason> {
    if trace.missing_parents.is_empty() {
        let rootless = trace.root.is_none();
        let said = rootless.then(|| PartialReason::said("no span without a parent is stored"));
        return said.into_iter().collect();
    }
    let mut evidence = Evidence::new(trace, readers);
    let mut reasons: Vec<PartialReason> = trace
        .missing_parents
        .iter()
        .take(EXPLAINED_MAX)
        .filter_map(|missing| {
            let child = evidence.first_child(missing.span_id)?;
            Some(explain_one(&mut evidence, missing, child, now_unix_ns))
        })
        .collect();
    if let Some(more) = trace.missing_parents.get(EXPLAINED_MAX..)
        && !more.is_empty()
    {
        let detail = format!(
            "{} further parents are missing, and not looked into",
            more.len()
        );
        reasons.push(PartialReason::said(detail));
    }
    reasons
}

fn explain_one(
    evidence: &mut Evidence<'_>,
    missing: &MissingParent<'_>,
    child: &Row<'_>,
    now_unix_ns: u64,
) -> PartialReason {
    let mut owed = evidence.owed(child);
    owed.prefer(|name, within| by_instances(evidence, name, within, child).is_some());
    let verdict = verdict(evidence, &owed, missing.span_id, child, now_unix_ns);
    let children = match missing.children {
        1 => format!("of 1 span in {}", child.span.service()),
        n => format!("of {n} spans in {}", missing.child_services.join(", ")),
    };
    PartialReason {
        detail: format!("the parent {children} {owed}: {}", verdict.because),
        service: owed.service().map(str::to_owned),
        parent_span_id: Some(missing.span_id),
        reason: verdict.reason,
        instance: verdict.instance,
        at_unix_ns: verdict.at_unix_ns,
    }
}

fn verdict(
    evidence: &mut Evidence<'_>,
    owed: &Owed,
    missing: SpanId,
    child: &Row<'_>,
    now_unix_ns: u64,
) -> Verdict {
    if let Some(refused) = evidence.refused(missing) {
        let because = format!("the collector refused it for its {}", refused.reason);
        return Verdict {
            at_unix_ns: Some(refused.at_unix_ns),
            ..Verdict::new(Reason::Refused, because)
        };
    }
    let age = now_unix_ns.saturating_sub(evidence.latest_unix_ns());
    if age < ARRIVES_WITHIN_NS {
        let age_s = age / 1_000_000_000;
        return Verdict::new(
            Reason::Arriving,
            format!(
                "the trace is {age_s} s old, and services send what they have every few seconds"
            ),
        );
    }
    if let Owed::Service { name, within, .. } = owed
        && let Some(verdict) = by_instances(evidence, name, *within, child)
    {
        return verdict;
    }
    if evidence::unsampled(child.span) {
        return Verdict::new(
            Reason::SampledUpstream,
            "its caller had decided not to sample, and this service recorded all the same",
        );
    }
    match owed {
        Owed::Nobody => Verdict::new(
            Reason::Uninstrumented,
            "no caller of this service has ever sent a span about then",
        ),
        Owed::Unclear => Verdict::new(
            Reason::Unknown,
            "there are no figures of that time to tell its callers by",
        ),
        Owed::Service { name, .. } if evidence.roll(name).instances.is_empty() => {
            Verdict::new(Reason::Unknown, "the service was not heard at all")
        }
        Owed::Service { .. } => Verdict::new(
            Reason::Unknown,
            "its instances were heard before and after, and told of no loss",
        ),
    }
}

/// What the instances of the service tell: a loss, or silence.
fn by_instances(
    evidence: &mut Evidence<'_>,
    name: &str,
    within: bool,
    child: &Row<'_>,
) -> Option<Verdict> {
    let own = within.then(|| Instance::name_of(child.span.resource()));
    let (from, start) = (evidence.start_unix_ns(), child.span.start_unix_ns());
    let end = child.span.end_unix_ns();
    let call = evidence.roll(name);
    let of_process = call
        .instances
        .iter()
        .filter(|instance| own.is_none_or(|own| own == instance.name));
    let touches =
        |loss: &&Loss| loss.touches(from.saturating_sub(SKEW_NS), start.saturating_add(SKEW_NS));
    for instance in of_process.clone() {
        if let Some(loss) = instance.losses.iter().find(touches) {
            let (reason, because) = match loss.refused {
                true => (
                    Reason::Refused,
                    "what it sent about then was refused by the collector",
                ),
                false => (
                    Reason::SdkDropped,
                    "its SDK told that it dropped spans about then",
                ),
            };
            return Some(Verdict::new(reason, because).of(instance, loss.from_unix_ns));
        }
    }
    let fell_silent = |instance: &&Instance| {
        let last = instance.last_unix_ns;
        last <= end.saturating_add(SKEW_NS)
            && last.saturating_add(SPOKE_WITHIN_NS) >= start
            && last.saturating_add(SILENT_AFTER_NS) <= call.latest_unix_ns
    };
    let silent = of_process
        .filter(fell_silent)
        .max_by_key(|instance| instance.last_unix_ns)?;
    let before_s = start.abs_diff(silent.last_unix_ns) as f64 / 1e9;
    let because = format!(
        "this instance ended its last span {before_s:.1} s {} and was never heard again: it died with what it had not sent",
        match silent.last_unix_ns <= start {
            true => "before",
            false => "after",
        },
    );
    Some(Verdict::new(Reason::InstanceSilent, because).of(silent, silent.last_unix_ns))
}

impl fmt::Display for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owed::Service { name, or, .. } if or.is_empty() => write!(f, "is owed by {name}"),
            Owed::Service { name, or, .. } => write!(f, "is owed by {name} (or {})", or.join(", ")),
            Owed::Nobody | Owed::Unclear => write!(f, "is owed by a caller that is not known"),
        }
    }
}

/// True where a parent lies in the process of its child.
fn is_within(kind: SpanKind) -> bool {
    matches!(
        kind,
        SpanKind::Internal | SpanKind::Client | SpanKind::Producer
    )
}
