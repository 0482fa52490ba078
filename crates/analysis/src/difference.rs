//! What differs between two sets of spans: every value of every attribute, counted in both, ranked.
//! Stores count (`tracewell_storage::value_counts`); what the counts say is here.

use tracewell_storage::value_counts::{Counts, KEYS_MAX, Source};
use tracewell_storage::{Error, ReadContext, Scanned, Sets, SpanScanner, ValueCounts};

use crate::spans::{SpanQuery, as_far_as_read};

/// Values of an answer: the others tell less than these.
pub const DIFFERENCES_MAX: usize = 1_000;
/// Less deviation than three standard errors is chance, for the most part.
const DEVIATIONS_HALF: f64 = 3.0;
/// What is rarer in the first set says a little less than what is more frequent.
const RARER_PART: f64 = 0.9;

/// A value, and how many spans of each set have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where the key stands.
    pub source: Source,
    /// The key.
    pub key: String,
    /// The value's text.
    pub value: String,
    /// Spans of the first set.
    pub a: u64,
    /// Spans of the second set.
    pub b: u64,
    /// How much it tells the sets apart, 0–1.
    pub score: f64,
}

/// The comparison.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Spans of the first set.
    pub spans_a: u64,
    /// Spans of the second set.
    pub spans_b: u64,
    /// Values, those that tell most first.
    pub differences: Vec<Difference>,
    /// Keys that were compared.
    pub keys: usize,
    /// Keys with too many values.
    pub left_out: Vec<String>,
    /// What reading was like.
    pub scanned: Scanned,
}

/// Compares the spans of `a` with those of `b`, or with the rest; of so many blocks looks at one.
pub fn compare(
    scanner: &dyn SpanScanner,
    (a, b): (&SpanQuery, Option<&SpanQuery>),
    one_of: u32,
    context: &ReadContext,
) -> Result<Comparison, Error> {
    let rest = a.surroundings();
    let sets = Sets {
        a,
        b: b.unwrap_or(&rest),
        is_rest: b.is_none(),
    };
    let mut counts = ValueCounts::default();
    let read = scanner.count_values(&sets, one_of, context, &mut counts);
    let scanned = as_far_as_read(read)?;
    let asked = [Some(a), b].into_iter().flatten();
    Ok(rank(
        counts,
        scanned,
        &asked.flat_map(asked_about).collect::<Vec<_>>(),
    ))
}

/// Keys that differ because the sets were chosen by them.
fn asked_about(query: &SpanQuery) -> Vec<&str> {
    let duration = query.min_duration_ns.or(query.max_duration_ns);
    let fields = [
        query.service.as_ref().map(|_| "service"),
        query.operation.as_ref().map(|_| "operation"),
        query.error.map(|_| "status"),
        duration.map(|_| "duration"),
    ];
    let tags = query.tags.iter().map(|tag| tag.key.as_str());
    fields.into_iter().flatten().chain(tags).collect()
}

/// What was counted, ranked.
fn rank(counts: ValueCounts, mut scanned: Scanned, asked: &[&str]) -> Comparison {
    let (spans, keys) = (counts.spans, counts.keys());
    if counts.keys_over {
        let reason = format!("only the first {KEYS_MAX} keys of a kind were compared");
        scanned.incomplete.push(reason);
    }
    let (mut compared, mut left_out) = (Vec::new(), Vec::new());
    for (source, key, values) in counts.into_keys() {
        match values {
            Some(values) if !asked.contains(&&*key) => compared.push((source, key, values)),
            Some(_) => {}
            None => left_out.push(key.into_string()),
        }
    }
    // There may be half a million: only those that are told have a place of their own.
    let mut scored = Vec::new();
    for (source, key, values) in &compared {
        let values = values.iter().map(|(value, counts)| {
            let told = score(*counts, spans);
            (told, (*source, &**key, &**value), *counts)
        });
        scored.extend(values.filter(|(score, ..)| *score > 0.0));
    }
    type Scored<'k> = (f64, (Source, &'k str, &'k str), Counts);
    let order = |x: &Scored<'_>, y: &Scored<'_>| y.0.total_cmp(&x.0).then_with(|| x.1.cmp(&y.1));
    if scored.len() > DIFFERENCES_MAX {
        scored.select_nth_unstable_by(DIFFERENCES_MAX, order);
        scored.truncate(DIFFERENCES_MAX);
    }
    scored.sort_unstable_by(order);
    let differences = scored
        .into_iter()
        .map(|(score, (source, key, value), [a, b])| Difference {
            source,
            key: key.to_owned(),
            value: value.to_owned(),
            a,
            b,
            score,
        });
    let differences = differences.collect();
    left_out.sort_unstable();
    Comparison {
        spans_a: spans[0],
        spans_b: spans[1],
        differences,
        keys,
        left_out,
        scanned,
    }
}

/// The difference of the two parts, for as much as it cannot be chance.
fn score([a, b]: Counts, [all_a, all_b]: Counts) -> f64 {
    if all_a == 0 || all_b == 0 {
        return 0.0;
    }
    let (all_a, all_b) = (all_a as f64, all_b as f64);
    let (part_a, part_b) = (a as f64 / all_a, b as f64 / all_b);
    let pooled = (a + b) as f64 / (all_a + all_b);
    // Plus one half: a part of none or of all is not known for certain either.
    let error =
        (pooled * (1.0 - pooled) * (1.0 / all_a + 1.0 / all_b)).sqrt() + 0.5 / all_a.min(all_b);
    let apart = part_a - part_b;
    let deviations = (apart / error).powi(2);
    let direction = if apart > 0.0 { 1.0 } else { RARER_PART };
    apart.abs() * direction * deviations / (deviations + DEVIATIONS_HALF * DEVIATIONS_HALF)
}
