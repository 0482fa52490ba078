//! From many spans to few causes: what is charged, and to whom.
//!
//! *Latency* is own time on the critical path beyond what was normal at the same place, *errors*
//! are failures beyond what was normal, a failure being charged as the time of its trace. A charge
//! counts for less the less certain it is, and the less of it is new.
//!
//! Time and failures of a call lie between two services, and either may be the cause: a network or
//! a processor that is slow shows on all calls of one of them. So each is judged by its other
//! places; in doubt it is who was called.

use hashbrown::{HashMap, HashSet};
use tracewell_model::histogram::{Histogram, bucket_of};

use super::observe::{Failure, Observed, Place};
use crate::sample::{NONE, Names, Op, Service};

/// What a failed request costs at least: nobody waits a second for an error and is content.
const ERROR_MS_MIN: f64 = 1_000.0;
/// And at most: a forgotten connection's hours are not worth more than other errors.
const ERROR_MS_MAX: f64 = 60_000.0;
/// A missing span is a tenth of an error: it may as well have been lost on its way to us.
const MISSING_PART: f64 = 0.1;
/// Less deviation than this (in standard errors) is noise.
const DEVIATIONS_MIN: f64 = 2.0;
/// At this deviation half of a charge counts.
const DEVIATIONS_HALF: f64 = 3.0;
/// A caller is to blame for a call if its other places are this much worse than the callee's …
const CALLER_TIMES: f64 = 2.0;
/// … and at least this part as bad as the call itself.
const CALLER_PART: f64 = 0.2;
/// The part of normal values that a value above the usual is above of.
const USUALLY_ABOVE: f64 = 0.05;
/// Of what was never seen before, this much counts as new: rare things are always seen first.
const UNSEEN_PART: f64 = 0.5;
/// What fails as it always did is told if this part of it fails …
const STEADY_RATE_MIN: f64 = 0.01;
/// … or if it is this part of all failures …
const STEADY_SHARE_MIN: f64 = 0.1;
/// … and did not happen just once or twice.
const STEADY_CASES_MIN: f64 = 5.0;

/// Latency or error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Failures.
    Error,
    /// Time.
    Latency,
}

/// What is charged to one operation.
#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) op: Op,
    pub(super) kind: Kind,
    pub(super) charged_ms: f64,
    /// What it counts for among others.
    pub(super) score: f64,
    /// Failures among its spans.
    failures: f64,
    /// Where it was seen, and how much beyond the normal on each span.
    pub(super) places: Vec<(Place, f64)>,
}

/// Numbers of one place, in milliseconds.
#[derive(Clone, Debug, Default)]
struct Moments {
    count: f64,
    sum: f64,
    squares: f64,
    /// In microseconds.
    values: Histogram,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.squares += value * value;
        self.values.record((value * 1e3) as u64);
    }

    fn merge(&mut self, other: &Moments) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
        self.values.merge(&other.values);
    }

    /// How far more values lie above a twentieth of the normal ones than should: unlike the mean's,
    /// this deviation is not lost to a few values that are far off.
    fn above_usual(&self, normal: &Moments) -> f64 {
        let Some(usual) = normal.values.quantile(1.0 - USUALLY_ABOVE) else {
            return 0.0;
        };
        let above = self.values.buckets.iter();
        let above = above.filter(|&&(bucket, _)| bucket > bucket_of(usual));
        let above: u64 = above.map(|&(_, count)| count).sum();
        let expected = self.count * USUALLY_ABOVE;
        let error = expected + expected * self.count / normal.count.max(1.0) + 1.0;
        (above as f64 - expected) / error.sqrt()
    }

    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }

    fn variance(&self) -> f64 {
        let mean = self.mean();
        (self.squares / self.count.max(1.0) - mean * mean).max(0.0)
    }
}

/// One side of the comparison: now, or normal.
#[derive(Debug, Default)]
struct Side {
    times: HashMap<Place, Moments>,
    by_op: HashMap<Op, Moments>,
    /// Failures that began at a place, and what they cost.
    errors: HashMap<Place, Moments>,
    missing: HashMap<Place, Moments>,
    /// How long traces took.
    traces: Moments,
}

impl Side {
    fn of(observed: &[Observed<'_>]) -> Side {
        let mut side = Side::default();
        for seen in observed {
            let ms = seen.exclusive_ns as f64 / 1e6;
            side.times.entry(seen.place).or_default().add(ms);
            if seen.parent == NONE {
                side.traces.add(seen.trace_ns as f64 / 1e6);
            }
            let cost = (seen.trace_ns as f64 / 1e6).clamp(ERROR_MS_MIN, ERROR_MS_MAX);
            match seen.failure {
                None => {}
                Some((Failure::Error, place)) => side.errors.entry(place).or_default().add(cost),
                Some((Failure::Missing, place)) => {
                    let missing = side.missing.entry(place).or_default();
                    missing.add(cost * MISSING_PART);
                }
            }
        }
        for (place, moments) in &side.times {
            side.by_op.entry(place.op).or_default().merge(moments);
        }
        side
    }

    /// Spans of a place; of its operation, where it has none.
    fn count(&self, place: &Place) -> f64 {
        let times = self.times.get(place).or_else(|| self.by_op.get(&place.op));
        times.map_or(0.0, |times| times.count)
    }
}

/// More than normal at one place.
#[derive(Clone, Copy, Debug)]
struct Excess {
    place: Place,
    kind: Kind,
    /// Spans there.
    count: f64,
    /// What each of them cost beyond the normal.
    each_ms: f64,
    score: f64,
    /// Failures among them.
    failures: f64,
}

/// How certain a deviation is, 0–1.
fn confidence(deviations: f64) -> f64 {
    match deviations > DEVIATIONS_MIN {
        true => {
            let square = deviations * deviations;
            square / (square + DEVIATIONS_HALF * DEVIATIONS_HALF)
        }
        false => 0.0,
    }
}

/// What was never seen before has no past to vary; the traces that it is part of now have.
fn latency(
    place: Place,
    now: &Moments,
    normal: Option<&Moments>,
    traces_before: &Moments,
) -> Option<Excess> {
    let nothing = Moments::default();
    let before = normal.unwrap_or(&nothing);
    let each_ms = now.mean() - before.mean();
    // Of very few spans the spread is not known: then it is the larger of the two.
    let spread = now.variance().max(before.variance());
    let [now_spread, before_spread] =
        [now, before].map(|m| if m.count < 5.0 { spread } else { m.variance() });
    let error = now_spread / now.count.max(1.0) + before_spread / before.count.max(1.0);
    let unseen = match normal {
        Some(_) => 0.0,
        None => (traces_before.variance() / now.count.max(1.0)).sqrt(),
    };
    let error = error.sqrt() + 0.02 * before.mean() + unseen + 1e-6;
    let new = match normal {
        Some(_) => each_ms / now.mean().max(1e-9),
        None => UNSEEN_PART,
    };
    let deviations = (each_ms / error).max(now.above_usual(before));
    let score = now.count * each_ms * confidence(deviations) * new;
    (each_ms > 0.0 && score > 0.0).then_some(Excess {
        place,
        kind: Kind::Latency,
        count: now.count,
        each_ms,
        score,
        failures: 0.0,
    })
}

/// `failures` of `count` spans against those before.
fn errors(place: Place, (failures, count): (&Moments, f64), before: (f64, f64)) -> Option<Excess> {
    let (failures_before, count_before) = before;
    let rate = failures_before / (count_before + 1.0);
    let expected = rate * count;
    let more = failures.count - expected;
    let error = (expected + expected * count / (count_before + 1.0) + 1.0).sqrt();
    let charged = more * failures.mean();
    let score = charged * confidence(more / error) * more / failures.count.max(1.0);
    (more > 0.0 && score > 0.0).then_some(Excess {
        place,
        kind: Kind::Error,
        count,
        each_ms: charged / count.max(1.0),
        score,
        failures: failures.count,
    })
}

/// What is charged, in no order.
#[derive(Debug)]
pub(super) struct Charges {
    /// For what is more than normal.
    pub(super) changed: Vec<Charge>,
    /// For failures that are as many as ever: too many.
    pub(super) steady: Vec<Charge>,
    /// How long all traces took.
    pub(super) traces_ms: f64,
}

impl Charges {
    pub(super) fn of(now: &[Observed<'_>], before: &[Observed<'_>], names: &Names) -> Charges {
        let (now, before) = (Side::of(now), Side::of(before));
        let mut found = Vec::new();
        for (&place, moments) in &now.times {
            let normal = before
                .times
                .get(&place)
                .or_else(|| before.by_op.get(&place.op));
            found.extend(latency(place, moments, normal, &before.traces));
        }
        let pairs = [
            (&now.errors, &before.errors),
            (&now.missing, &before.missing),
        ];
        for (failures_now, failures_before) in pairs {
            for (&place, failures) in failures_now {
                let failed_before = failures_before.get(&place).map_or(0.0, |f| f.count);
                let before = (failed_before, before.count(&place));
                found.extend(errors(place, (failures, now.count(&place)), before));
            }
        }
        let changed = charged(&found, &now, names);
        let mut steady = steady(&found, &now, &before, names);
        steady.retain(|one| {
            changed
                .iter()
                .all(|other| (other.op, other.kind) != (one.op, one.kind))
        });
        Charges {
            changed,
            steady,
            traces_ms: now.traces.sum,
        }
    }
}

/// Of places with no more failures than before those that fail much all the same.
fn steady(changed: &[Excess], now: &Side, before: &Side, names: &Names) -> Vec<Charge> {
    let failing = changed.iter().filter(|excess| excess.kind == Kind::Error);
    let failing: HashSet<Place> = failing.map(|excess| excess.place).collect();
    let others = now
        .errors
        .iter()
        .filter(|(place, _)| !failing.contains(*place));
    let found = others.filter_map(|(&place, failures)| {
        errors(
            place,
            (failures, now.count(&place)),
            (0.0, before.count(&place)),
        )
    });
    let mut charges = charged(&found.collect::<Vec<_>>(), now, names);
    let all: f64 = now.errors.values().map(|failures| failures.count).sum();
    charges.retain(|charge| {
        let spans = now.by_op.get(&charge.op).map_or(0.0, |times| times.count);
        let is_much =
            charge.failures >= STEADY_RATE_MIN * spans || charge.failures >= STEADY_SHARE_MIN * all;
        is_much && charge.failures >= STEADY_CASES_MIN
    });
    charges
}

/// Charges what was found to those who are to blame for it.
fn charged(found: &[Excess], now: &Side, names: &Names) -> Vec<Charge> {
    let judge = Judge::of(found, now, names);
    let mut charges: HashMap<(Op, Kind), Charge> = HashMap::new();
    for excess in found {
        let op = judge.culprit(excess);
        let charge = charges.entry((op, excess.kind)).or_insert_with(|| Charge {
            op,
            kind: excess.kind,
            charged_ms: 0.0,
            score: 0.0,
            failures: 0.0,
            places: Vec::new(),
        });
        charge.charged_ms += excess.count * excess.each_ms;
        charge.score += excess.score;
        charge.failures += excess.failures;
        charge.places.push((excess.place, excess.each_ms));
    }
    charges.into_values().collect()
}

/// How bad the places of each service are, taken together.
struct Judge<'a> {
    names: &'a Names,
    /// (Excess, spans) by service, and by service and the other end of its calls.
    of: HashMap<Service, (f64, f64)>,
    with: HashMap<(Service, Service), (f64, f64)>,
}

impl<'a> Judge<'a> {
    fn of(found: &[Excess], now: &Side, names: &'a Names) -> Judge<'a> {
        let mut judge = Judge {
            names,
            of: HashMap::new(),
            with: HashMap::new(),
        };
        for excess in found {
            // Uncertain excess is as little evidence as it is a charge.
            judge.count(excess.place, excess.score, 0.0);
        }
        for (place, times) in &now.times {
            judge.count(*place, 0.0, times.count);
        }
        judge
    }

    fn ends(&self, place: Place) -> (Service, Option<Service>) {
        let caller = self.names.service_of(place.op);
        (caller, place.callee.map(|op| self.names.service_of(op)))
    }

    fn count(&mut self, place: Place, excess: f64, spans: f64) {
        let (caller, callee) = self.ends(place);
        let mut add = |service, other: Option<Service>| {
            let all = self.of.entry(service).or_default();
            *all = (all.0 + excess, all.1 + spans);
            if let Some(other) = other {
                let some = self.with.entry((service, other)).or_default();
                *some = (some.0 + excess, some.1 + spans);
            }
        };
        add(caller, callee);
        if let Some(callee) = callee {
            add(callee, Some(caller));
        }
    }

    /// The excess for each span of a service, calls between it and the other left out.
    fn elsewhere(&self, service: Service, other: Service) -> f64 {
        let all = self.of.get(&service).copied().unwrap_or_default();
        let shared = self
            .with
            .get(&(service, other))
            .copied()
            .unwrap_or_default();
        (all.0 - shared.0).max(0.0) / (all.1 - shared.1).max(1.0)
    }

    fn culprit(&self, excess: &Excess) -> Op {
        let (caller, Some(callee)) = self.ends(excess.place) else {
            return excess.place.op;
        };
        let (own, its) = (
            self.elsewhere(caller, callee),
            self.elsewhere(callee, caller),
        );
        let each = excess.score / excess.count.max(1.0);
        if own > CALLER_TIMES * its && own >= CALLER_PART * each {
            return excess.place.op;
        }
        excess.place.callee.unwrap_or(excess.place.op)
    }
}
