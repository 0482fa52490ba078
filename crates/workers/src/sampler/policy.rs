//! Which traces are kept (D20): pure, the same for every store, and the same on every node. What is
//! decided about a trace depends on what is stored of it, on what is usual for its operations, and,
//! if it is healthy, on its id and on how many healthy ones came before it in the same window.

use hashbrown::HashMap;
use tracewell_model::TraceId;
use tracewell_storage::sampling::{Candidate, Dropped, HealthyShare, Kept, Pace, Verdict};

/// Parts that a share is given in.
pub const WHOLE: u64 = 10_000;
/// Up to so many healthy traces in a window, more than the share may stay (D20).
const FEW_HEALTHY: u64 = 1_000;
/// Of the share, so much is drawn by trace id; the rest is room for what stands for something.
const DRAWN: (u64, u64) = (4, 5);
/// Operations and latency bands that are remembered as represented. What comes beyond them in one
/// window stands for nothing.
const REPRESENTED_MAX: usize = 65_536;

/// How long decisions are remembered at least.
const REMEMBER_NS: u64 = 3_600_000_000_000;

/// What the settings ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long everything is kept.
    pub live_window_ns: u64,
    /// Of healthy traces at most so many parts of [`WHOLE`] are kept.
    pub healthy_share: u64,
    /// Of each operation and latency band so many in each window, within that share.
    pub diversity: u32,
    /// Roots whose traces are all kept, beside that share.
    pub rules: Vec<Rule>,
    /// Judges that go by this side by side, each with traces of its own: the few healthy ones of a
    /// window of which more may stay are divided among them.
    pub judges: u64,
}

/// A root whose traces are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its service.
    pub service: String,
    /// Its operation; none: any.
    pub operation: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            live_window_ns: 900_000_000_000,
            healthy_share: 500,
            diversity: 3,
            rules: Vec::new(),
            judges: 1,
        }
    }
}

impl Policy {
    /// How long samplers that share a ledger remember what they decided: the last spans of a trace come
    /// within seconds, but for a queue that stood still.
    pub fn remember_ns(&self) -> u64 {
        REMEMBER_NS.max(self.live_window_ns.saturating_mul(4))
    }

    fn has_rule_for(&self, (service, operation): (&str, &str)) -> bool {
        let fits = |rule: &Rule| {
            let wanted = rule.operation.as_deref();
            rule.service == service && wanted.is_none_or(|wanted| wanted == operation)
        };
        self.rules.iter().any(fits)
    }
}

/// How a trace's duration compares with what its root operation takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Within p99.
    Usual,
    /// Beyond it.
    Outlier,
    /// Too few samples to say.
    Unknown,
}

/// True when this id is among so many parts of [`WHOLE`] of all ids. The bits are mixed first: ids
/// that count up, or that begin with a date, are drawn like others.
pub fn is_drawn(id: TraceId, share: u64) -> bool {
    let drawn = (u128::from(mixed(id)) * u128::from(WHOLE)) >> 64;
    (drawn as u64) < share
}

/// A number of all of an id's bits.
pub(super) fn mixed(id: TraceId) -> u64 {
    let (high, low) = id.0.split_at(8);
    let number = |half: &[u8]| half.try_into().map_or(0, u64::from_be_bytes);
    mix(mix(number(high)) ^ number(low))
}

/// The finalizer of SplitMix64: every bit of the answer depends on every bit of the number.
pub(super) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Decides about one trace after the other, in order of arrival.
#[derive(Clone, Debug)]
pub struct Judge {
    policy: Policy,
    share: HealthyShare,
    /// Healthy traces that are kept in this window, by root and power of two of the duration.
    represented: HashMap<(String, String), HashMap<u32, u32>>,
    bands: usize,
}

impl Judge {
    /// Goes on with the share of this window. What stands for what is not remembered over a restart:
    /// the share bounds what is kept for it twice.
    pub fn new(policy: Policy, share: HealthyShare) -> Judge {
        Judge {
            policy,
            share,
            represented: HashMap::new(),
            bands: 0,
        }
    }

    /// What it goes by.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The share so far.
    pub fn share(&self) -> HealthyShare {
        self.share
    }

    /// Decides about a trace with this root.
    pub fn judge(
        &mut self,
        candidate: &Candidate,
        root: Option<(&str, &str)>,
        standing: Standing,
    ) -> Verdict {
        let is_slow = candidate.pace == Pace::Slow;
        let is_outlier = standing == Standing::Outlier;
        let kept = match candidate.before {
            Some(Verdict::Keep(reason)) => reason,
            Some(Verdict::Drop(_)) if candidate.has_error => Kept::LateError,
            Some(Verdict::Drop(_)) if is_slow || is_outlier => Kept::LateOutlier,
            Some(Verdict::Drop(_)) if candidate.is_pinned => Kept::Pinned,
            Some(Verdict::Drop(reason)) => return Verdict::Drop(reason),
            None if candidate.has_error => Kept::Error,
            None if is_outlier => Kept::Outlier,
            None if is_slow => Kept::SlowSpan,
            None if candidate.is_pinned => Kept::Pinned,
            None if root.is_some_and(|root| self.policy.has_rule_for(root)) => Kept::Rule,
            None if candidate.is_partial => Kept::Partial,
            None if standing == Standing::Unknown || candidate.pace == Pace::Unknown => {
                Kept::TooFewSamples
            }
            None => return self.healthy(candidate, root),
        };
        Verdict::Keep(kept)
    }

    fn healthy(&mut self, candidate: &Candidate, root: Option<(&str, &str)>) -> Verdict {
        let window = candidate.arrived_unix_ns / self.policy.live_window_ns.max(1);
        if window > self.share.window {
            self.share = HealthyShare {
                window,
                ..HealthyShare::default()
            };
            self.represented.clear();
            self.bands = 0;
        }
        self.share.healthy += 1;
        let few = FEW_HEALTHY / self.policy.judges.max(1);
        let room = self.share.healthy.max(few) * self.policy.healthy_share / WHOLE;
        let has_room = self.share.kept < room;
        let drawn = self.policy.healthy_share * DRAWN.0 / DRAWN.1;
        let verdict = match is_drawn(candidate.trace_id, drawn) {
            true if has_room => Verdict::Keep(Kept::Share),
            true => return Verdict::Drop(Dropped::ShareUsedUp),
            false if has_room && self.is_new(candidate, root) => Verdict::Keep(Kept::Diversity),
            false => return Verdict::Drop(Dropped::NotInShare),
        };
        self.share.kept += 1;
        if let Some(count) = self.represented_by(candidate, root) {
            *count += 1;
        }
        verdict
    }

    fn is_new(&mut self, candidate: &Candidate, root: Option<(&str, &str)>) -> bool {
        let enough = self.policy.diversity;
        let count = self.represented_by(candidate, root);
        count.is_some_and(|count| *count < enough)
    }

    fn represented_by(
        &mut self,
        candidate: &Candidate,
        root: Option<(&str, &str)>,
    ) -> Option<&mut u32> {
        let (service, operation) = root?;
        let band = candidate.duration_ns.max(1).ilog2();
        let bands = self
            .represented
            .entry((service.to_owned(), operation.to_owned()))
            .or_default();
        if !bands.contains_key(&band) {
            if self.bands == REPRESENTED_MAX {
                return None;
            }
            self.bands += 1;
        }
        Some(bands.entry(band).or_default())
    }
}

#[cfg(test)]
#[path = "policy/tests.rs"]
mod tests;
