//! Hot spots: what is worst now and was not before, causes before victims; then what fails as much as
//! ever.

mod blame;
mod observe;

use hashbrown::{HashMap, HashSet};
use tracewell_model::{SpanId, TraceId};
use tracewell_storage::stats::Figures;

pub use self::blame::Kind;
use self::blame::{Charge, Charges};
use self::observe::{Habits, Observed, Observer, Place};
use crate::sample::{Names, Op, Sample, Service};

/// Hot spots of one answer.
const HOTSPOTS_MAX: usize = 50;
/// Of them, those that are steady.
const STEADY_MAX: usize = 10;
/// What is this much less than the worst is not worth a line …
const PART_MIN: f64 = 0.001;
/// … nor this part of all that is charged …
const SHARE_MIN: f64 = 0.002;
/// … nor this part of the time that all traces took.
const TIME_PART_MIN: f64 = 0.000_1;
/// Victims of one hot spot.
const VICTIMS_MAX: usize = 10;
/// Spans of one hot spot whose callers are looked at.
const WALKS_MAX: usize = 2_000;

/// What is worse than it was, or bad as ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// There was no such operation, or no failure of it.
    New,
    /// There was less of it.
    Worse,
    /// It fails as it always did.
    Steady,
}

/// One hot spot.
#[derive(Clone, Debug)]
pub struct Hotspot {
    /// What is to blame.
    pub op: Op,
    /// Of what.
    pub kind: Kind,
    /// Since when.
    pub change: Change,
    /// Time beyond the normal that is charged to it, in the sample.
    pub charged_ms: f64,
    /// Its part of all that is charged.
    pub share: f64,
    /// Its spans now.
    pub now: Figures,
    /// Its spans before.
    pub was: Figures,
    /// Operations that pass the trouble on to their callers, with the traces they do so in.
    pub victims: Vec<(Op, u64)>,
    /// The trace that shows it best, and where in it.
    pub sample: Option<(TraceId, SpanId)>,
}

/// Finds hot spots: what is worse in `now` than in `before`, the worst first; with nothing before, what
/// is worst. Beneath them what fails as much as before, and much.
pub fn find(now: &Sample, before: &Sample, names: &Names) -> Vec<Hotspot> {
    let (mut habits, mut habits_before) = (Habits::default(), Habits::default());
    habits_before.learn(before, names);
    habits.learn(now, names);
    let observer = Observer::new(names, &habits_before, habits.gone_since(&habits_before));
    let (seen, seen_before) = (observer.observe(now), observer.observe(before));
    let Charges {
        changed,
        steady,
        traces_ms,
    } = Charges::of(&seen, &seen_before, names);
    let all = changed.iter().chain(&steady);
    let total: f64 = all.map(|charge| charge.charged_ms).sum();
    let [mut charges, mut steady] = [changed, steady].map(|charges| rank(charges, names));
    let least_ms = (total * SHARE_MIN).max(traces_ms * TIME_PART_MIN);
    let worst = charges.first().map_or(0.0, |worst| worst.score);
    charges.retain(|charge| charge.score >= worst * PART_MIN && charge.charged_ms >= least_ms);
    steady.truncate(STEADY_MAX);
    charges.truncate(HOTSPOTS_MAX - steady.len());
    let first_steady = charges.len();
    charges.append(&mut steady);

    let wanted: HashSet<Op> = charges.iter().map(|charge| charge.op).collect();
    let (mut now, mut was) = (figures(&seen, &wanted), figures(&seen_before, &wanted));
    let evidence = Evidence::of(&seen, &charges, names);
    let mut figures = |op: Op| {
        let of = |side: &mut HashMap<Op, Figures>| side.get(&op).cloned().unwrap_or_default();
        (of(&mut now), of(&mut was))
    };
    let hotspot = |(at, (charge, (victims, sample))): (usize, (&Charge, _))| {
        let (now, was) = figures(charge.op);
        let was_there = match charge.kind {
            Kind::Error => was.error_count,
            Kind::Latency => was.count,
        };
        Hotspot {
            op: charge.op,
            kind: charge.kind,
            change: match was_there {
                _ if at >= first_steady => Change::Steady,
                0 => Change::New,
                _ => Change::Worse,
            },
            charged_ms: charge.charged_ms,
            share: charge.charged_ms / total.max(f64::MIN_POSITIVE),
            now,
            was,
            victims,
            sample,
        }
    };
    let shown = charges.iter().zip(evidence).enumerate();
    shown.map(hotspot).collect()
}

/// The worst first. A service is as bad as all that is charged to it; the worst of its operations
/// stands for it, the others stand for themselves.
fn rank(mut charges: Vec<Charge>, names: &Names) -> Vec<Charge> {
    let mut services: HashMap<Service, (f64, Op)> = HashMap::new();
    charges.sort_unstable_by(|a, b| {
        let order = b.score.total_cmp(&a.score);
        order.then((a.op, a.kind).cmp(&(b.op, b.kind)))
    });
    for charge in charges.iter() {
        let service = services
            .entry(names.service_of(charge.op))
            .or_insert((0.0, charge.op));
        service.0 += charge.score;
    }
    let mut spoken: HashSet<Service> = HashSet::new();
    for charge in charges.iter_mut() {
        let service = names.service_of(charge.op);
        if spoken.insert(service) {
            charge.score = services.get(&service).map_or(charge.score, |(all, _)| *all);
        }
    }
    charges.sort_by(|a, b| b.score.total_cmp(&a.score));
    charges
}

fn figures(seen: &[Observed<'_>], wanted: &HashSet<Op>) -> HashMap<Op, Figures> {
    let mut figures: HashMap<Op, Figures> = HashMap::new();
    for seen in seen.iter().filter(|seen| wanted.contains(&seen.span.op)) {
        let of = figures.entry(seen.span.op).or_default();
        of.record(seen.span.duration_ns, seen.span.error);
    }
    figures
}

/// What shows a hot spot: whom it harms, and the span that shows it best.
#[derive(Debug, Default)]
struct Evidence {
    /// By operation above: traces, and the last one counted.
    victims: HashMap<Op, (u64, TraceId)>,
    walks: usize,
    /// How well it shows, and where.
    sample: Option<((bool, u64), TraceId, SpanId)>,
}

/// By charge: victims, most traces first, and the sample.
type Shown = (Vec<(Op, u64)>, Option<(TraceId, SpanId)>);

impl Evidence {
    fn of(seen: &[Observed<'_>], charges: &[Charge], names: &Names) -> Vec<Shown> {
        let mut by_place: HashMap<(Place, Kind), (usize, f64)> = HashMap::new();
        for (at, charge) in charges.iter().enumerate() {
            for &(place, each_ms) in &charge.places {
                by_place.insert((place, charge.kind), (at, each_ms));
            }
        }
        let mut all: Vec<Evidence> = charges.iter().map(|_| Evidence::default()).collect();
        for span in seen {
            let ms = span.exclusive_ns as f64 / 1e6;
            let slow = by_place.get(&(span.place, Kind::Latency));
            // At least half of what such spans are charged: this one took part.
            let slow = slow.filter(|&&(_, each_ms)| ms > each_ms / 2.0);
            let failed = span.failure.map(|(_, place)| (place, Kind::Error));
            let failed = failed.and_then(|key| by_place.get(&key));
            for (&(at, _), weight) in [(slow, span.exclusive_ns), (failed, span.trace_ns)]
                .into_iter()
                .filter_map(|(found, weight)| Some((found?, weight)))
            {
                let culprit = names.service_of(charges[at].op);
                all[at].add(span, weight, seen, |op| names.service_of(op) != culprit);
            }
        }
        all.into_iter().map(Evidence::shown).collect()
    }

    fn add(
        &mut self,
        span: &Observed<'_>,
        weight: u64,
        seen: &[Observed<'_>],
        is_other: impl Fn(Op) -> bool,
    ) {
        let better = (span.whole, weight);
        if self.sample.is_none_or(|(best, ..)| better > best) {
            self.sample = Some((better, span.span.trace, span.span.id));
        }
        self.walks += 1;
        let mut above = Some(span).filter(|_| self.walks <= WALKS_MAX);
        while let Some(span) = above {
            let op = span.span.op;
            if is_other(op) {
                let (traces, last) = self.victims.entry(op).or_default();
                if std::mem::replace(last, span.span.trace) != span.span.trace {
                    *traces += 1;
                }
            }
            above = seen.get(span.parent as usize);
        }
    }

    fn shown(self) -> Shown {
        let victims = self.victims.into_iter();
        let mut victims: Vec<_> = victims.map(|(op, (traces, _))| (op, traces)).collect();
        victims.sort_unstable_by_key(|&(op, traces)| (std::cmp::Reverse(traces), op));
        victims.truncate(VICTIMS_MAX);
        (victims, self.sample.map(|(_, trace, span)| (trace, span)))
    }
}
