//! Tail sampling after the store (R56–R59): what the sampler reads of stored traces, where its
//! decisions are written down, and what everyone may ask of them. Which trace is kept is decided in
//! one place for all backends (`workers/src/sampler`); here is only what it needs.

pub mod ledger;

use tracewell_model::TraceId;

use crate::context::ReadContext;
use crate::error::Error;
use crate::log::Position;

/// Why a trace is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kept {
    /// A span failed.
    Error,
    /// It takes longer than p99 of its root operation.
    Outlier,
    /// A span takes far longer than its operation does.
    SlowSpan,
    /// Nothing is known of how long it should take: too few samples.
    TooFewSamples,
    /// Spans of it are missing.
    Partial,
    /// Someone opened or shared it, or an alert names it.
    Pinned,
    /// The settings name its root.
    Rule,
    /// One of the few that stand for its operation and latency band.
    Diversity,
    /// Its id is in the share of healthy ones.
    Share,
    /// It was dropped; then a span came that failed.
    LateError,
    /// It was dropped; then a span came that took far too long.
    LateOutlier,
}

impl Kept {
    /// Every reason, in the order of their codes.
    pub const ALL: [Kept; 11] = [
        Kept::Error,
        Kept::Outlier,
        Kept::SlowSpan,
        Kept::TooFewSamples,
        Kept::Partial,
        Kept::Pinned,
        Kept::Rule,
        Kept::Diversity,
        Kept::Share,
        Kept::LateError,
        Kept::LateOutlier,
    ];

    /// The word for it, in answers.
    pub fn name(self) -> &'static str {
        match self {
            Kept::Error => "error",
            Kept::Outlier => "outlier",
            Kept::SlowSpan => "slow_span",
            Kept::TooFewSamples => "too_few_samples",
            Kept::Partial => "partial",
            Kept::Pinned => "pinned",
            Kept::Rule => "rule",
            Kept::Diversity => "diversity",
            Kept::Share => "share",
            Kept::LateError => "late_error",
            Kept::LateOutlier => "late_outlier",
        }
    }

    /// True of a trace that was dropped first: what had come until then may be gone.
    pub fn is_late(self) -> bool {
        matches!(self, Kept::LateError | Kept::LateOutlier)
    }
}

/// Why a trace is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dropped {
    /// It is healthy, and its id is not in the share.
    NotInShare,
    /// It is healthy and in the share, of which no more was left.
    ShareUsedUp,
}

impl Dropped {
    /// Every reason, in the order of their codes.
    pub const ALL: [Dropped; 2] = [Dropped::NotInShare, Dropped::ShareUsedUp];

    /// The word for it, in answers.
    pub fn name(self) -> &'static str {
        match self {
            Dropped::NotInShare => "healthy",
            Dropped::ShareUsedUp => "share_used_up",
        }
    }
}

/// What was decided about a trace, once (D21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It stays.
    Keep(Kept),
    /// It goes.
    Drop(Dropped),
}

/// From what duration on a span of an operation is slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Beyond so many nanoseconds.
    Beyond(u64),
    /// Too few samples to say.
    Unknown,
}

/// Knows when a span is slow.
pub trait Bounds {
    /// Of this service and operation.
    fn bound(&self, service: &str, operation: &str) -> Bound;
}

/// How the durations of a trace's spans compare with their operations'.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// All as usual.
    #[default]
    Usual,
    /// Of some operation nobody knows what is usual.
    Unknown,
    /// Some span is slow.
    Slow,
}

/// A stored trace that is to be decided about, or spans of one that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The trace.
    pub trace_id: TraceId,
    /// When the first of its spans at hand arrived.
    pub arrived_unix_ns: u64,
    /// Its start.
    pub start_unix_ns: u64,
    /// From the earliest start to the latest end.
    pub duration_ns: u64,
    /// Its spans, repeats included.
    pub spans: u64,
    /// Its root's (service, operation), a position in [`Portion::operations`].
    pub root: Option<u32>,
    /// A span failed.
    pub has_error: bool,
    /// A parent or the root is missing.
    pub is_partial: bool,
    /// Of its spans.
    pub pace: Pace,
    /// It was opened, shared or alerted on.
    pub is_pinned: bool,
    /// What was decided about it before.
    pub before: Option<Verdict>,
}

/// Traces to decide about, and where in the store they are.
#[derive(Clone, Debug, Default)]
pub struct Portion {
    /// What the store knows it by.
    pub id: u64,
    /// Its spans arrived by then, as did all that was decided before.
    pub through_unix_ns: u64,
    /// In no particular order; no trace twice.
    pub candidates: Vec<Candidate>,
    /// Service and operation of roots.
    pub operations: Vec<(String, String)>,
}

/// Up to where the sampler knows the log: decisions stop there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// Spans that arrived later are not decided about yet.
    pub unix_ns: u64,
    /// Every record that arrived by then is at or before these positions.
    pub positions: Vec<Position>,
}

/// What is due.
#[derive(Clone, Debug)]
pub enum Due {
    /// These traces.
    Portion(Portion),
    /// Nothing.
    Nothing,
    /// Perhaps something, once this is over; a sentence.
    Waiting(String),
}

/// How many healthy traces came and stayed in a window of time, for D20's share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthyShare {
    /// Which window.
    pub window: u64,
    /// Those decided about.
    pub healthy: u64,
    /// Those of them that are kept.
    pub kept: u64,
}

/// The sampler's books: saved with each round of decisions, and given back after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Traces kept, by reason as in [`Kept::ALL`].
    pub kept: [u64; Kept::ALL.len()],
    /// Traces dropped, by reason as in [`Dropped::ALL`].
    pub dropped: [u64; Dropped::ALL.len()],
    /// Spans of the traces that are kept.
    pub kept_spans: u64,
    /// Spans of those that are dropped.
    pub dropped_spans: u64,
    /// The present window.
    pub share: HealthyShare,
    /// How far the group has read the log, and when the last record there arrived.
    pub positions: Vec<(Position, u64)>,
}

impl Books {
    /// Counts a trace.
    pub fn count(&mut self, verdict: Verdict, spans: u64) {
        match verdict {
            Verdict::Keep(reason) => {
                self.kept[reason as usize] += 1;
                self.kept_spans += spans;
            }
            Verdict::Drop(reason) => {
                self.dropped[reason as usize] += 1;
                self.dropped_spans += spans;
            }
        }
    }

    /// Healthy traces that are kept, and all healthy ones: neither error nor outlier (D20).
    pub fn healthy(&self) -> (u64, u64) {
        let kept = self.kept[Kept::Diversity as usize] + self.kept[Kept::Share as usize];
        (kept, kept + self.dropped.iter().sum::<u64>())
    }
}

/// A store that the sampler takes traces out of.
///
/// Contract:
/// * `next_due` gives every stored trace in some portion, once none of its spans at hand is younger
///   than the horizon; a portion is given again until it is decided.
/// * After `decide` returned Ok the decisions survive a crash; only then may the store delete what is
///   dropped. Before, nothing changes. Repeating a `decide` does no harm.
/// * A trace that was decided about comes again only with spans that came since, `before` being what
///   was decided, for as long as the store remembers: at least twice the live window.
/// * What the store cannot read, or does not remember, it does not delete: unknown means keep (P12).
pub trait SampledStore: Send + Sync {
    /// False of a store that is only asked what would be decided.
    fn is_on(&self) -> bool {
        true
    }

    /// The next traces whose time has come, oldest first.
    fn next_due(&self, horizon: &Horizon, bounds: &dyn Bounds) -> Result<Due, Error>;

    /// Every trace that is not decided about, due or not.
    fn read_undecided(&self, bounds: &dyn Bounds) -> Result<Portion, Error>;

    /// Writes down what was decided, one verdict for each candidate, and the books after it.
    fn decide(&self, portion: &Portion, verdicts: &[Verdict], books: &Books) -> Result<(), Error>;

    /// Writes down the books alone.
    fn save(&self, books: &Books) -> Result<(), Error>;

    /// The books as they were saved last.
    fn books(&self) -> Books;

    /// Up to when everything is decided.
    fn decided_through_unix_ns(&self) -> u64;

    /// What was decided about a trace that starts at this time; none: nothing yet, or before the
    /// store remembers.
    fn recall(&self, id: TraceId, start_unix_ns: u64) -> Option<Verdict>;

    /// Keeps this trace, which starts at that time, if it is not gone yet.
    fn pin(&self, id: TraceId, start_unix_ns: u64) -> Result<(), Error>;

    /// What an operator should look at, a sentence each.
    fn problems(&self) -> Vec<String>;
}

/// What a reader of traces asks the sampler.
pub trait SamplingReader: Send + Sync {
    /// False where nothing is sampled: then only `what_if` has something to say.
    fn is_on(&self) -> bool;

    /// Why these traces, each of which starts at that time, are kept, in their order; none: it is not
    /// decided yet.
    fn why_kept(&self, traces: &[(TraceId, u64)]) -> Result<Vec<Option<Kept>>, Error>;

    /// Keeps a trace that someone opened and that starts at this time. What fails is only counted:
    /// nobody waits for it.
    fn pin(&self, id: TraceId, start_unix_ns: u64);

    /// What was decided so far.
    fn report(&self) -> SamplingReport;

    /// What would be decided now of everything that is not decided yet.
    fn what_if(&self, context: &ReadContext) -> Result<WhatIf, Error>;
}

/// What the sampler did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SamplingReport {
    /// Totals since sampling was turned on, over restarts.
    pub books: Books,
    /// How long everything is kept.
    pub live_window_ns: u64,
    /// Up to when everything is decided.
    pub decided_through_unix_ns: u64,
    /// Why nothing is decided now, a sentence; none when all is well.
    pub waiting: Option<String>,
    /// What an operator should look at, a sentence each.
    pub problems: Vec<String>,
}

/// What the sampler would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Of the traces that are not decided yet.
    pub books: Books,
    /// Of them, those with an error.
    pub error_traces: u64,
    /// Of those, how many sampling at the head would have lost that keeps as many spans (R59): a
    /// share of trace ids, drawn before anyone knows how a trace ends.
    pub error_traces_lost_by_head: u64,
}
