//! Cases of a store that counts values and hands over points: by chance, and against a count span by span of what its scan
//! hands over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use tracewell_model::{Attribute, SpanRef};

use super::random::Random;
use super::store_bench::{Bench, NOW};
use super::{Case, Durability, StoreCheck, StoreFixture, ensure, worked};
use crate::find::TraceQuery;
use crate::scan::{Point, ScanQuery};
use crate::span_query::SpanQuery;
use crate::value_counts::{Counts, Sets, Source, ValueCounts};

pub(super) const CASES: &[Case<StoreCheck>] = &[
    (
        "values of two sets are counted as their spans say",
        Durability::None,
        random_sets,
    ),
    (
        "counting stops when the time is up, and says so",
        Durability::None,
        deadline,
    ),
];

/// What one counts by hand.
#[derive(Default)]
struct ByHand {
    spans: Counts,
    /// Of the first set.
    points: Vec<Point>,
    values: BTreeMap<(Source, String, String), Counts>,
}

impl ByHand {
    fn take(&mut self, span: SpanRef<'_>, sides: [bool; 2]) {
        let sides = sides.map(u64::from);
        let add = |of: &mut Counts| *of = [of[0] + sides[0], of[1] + sides[1]];
        if sides == [0; 2] {
            return;
        }
        add(&mut self.spans);
        if sides[0] > 0 {
            self.points.push(Point {
                start_unix_ns: span.start_unix_ns(),
                duration_ns: span.duration_ns(),
                error: span.is_error(),
            });
        }
        let mut count = |source, key: &str, value: &str| {
            add(self
                .values
                .entry((source, key.to_owned(), value.to_owned()))
                .or_default());
        };
        let status = if span.is_error() { "error" } else { "ok" };
        count(Source::Field, "service", span.service());
        count(Source::Field, "operation", span.operation());
        count(Source::Field, "status", status);
        count(Source::Field, "kind", span.kind().name());
        let attribute = |attribute: Attribute<'_>| {
            let text = attribute.value.text().into_owned();
            // Values of different types are told apart, a value that stands twice is not.
            (
                attribute.key.to_owned(),
                format!("{:?}", attribute.value),
                text,
            )
        };
        let own: BTreeSet<_> = span.attributes().map(attribute).collect();
        let events: BTreeSet<_> = span.event_attributes().map(attribute).collect();
        for (source, all) in [(Source::Span, own), (Source::Event, events)] {
            all.iter()
                .for_each(|(key, _, text)| count(source, key, text));
        }
        for attribute in span.resource().attributes() {
            count(Source::Resource, attribute.key, &attribute.value.text());
        }
        for attribute in span.scope().attributes() {
            count(Source::Scope, attribute.key, &attribute.value.text());
        }
    }
}

/// The conditions of a search that are a span's own.
fn conditions(query: TraceQuery) -> SpanQuery {
    SpanQuery {
        service: query.service,
        operation: query.operation,
        error: query.span_error,
        min_duration_ns: query.min_span_duration_ns,
        max_duration_ns: query.max_span_duration_ns,
        tags: query.tags,
        start_unix_ns: query.start_unix_ns,
        end_unix_ns: query.end_unix_ns,
    }
}

fn holds(query: &SpanQuery, span: SpanRef<'_>) -> bool {
    let is = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    is(&query.service, span.service())
        && is(&query.operation, span.operation())
        && query.error.is_none_or(|wanted| wanted == span.is_error())
        && query.lasts(span.duration_ns())
        && query.begins(span.start_unix_ns())
        && query.tags.iter().all(|tag| tag.holds(span))
}

fn check(bench: &mut Bench, sets: &Sets<'_>) -> Result<u64, String> {
    let (context, mut by_hand) = (bench.context(), ByHand::default());
    let scanner = bench.store()?.scanner();
    let scanned = scanner.scan_spans(&ScanQuery::default(), &context, &mut |batch, rows| {
        for span in rows.iter().map(|&row| batch.span(row)) {
            let in_a = holds(sets.a, span);
            by_hand.take(span, [in_a, holds(sets.b, span) && !(sets.is_rest && in_a)]);
        }
        ControlFlow::Continue(())
    });
    worked("scan_spans", scanned)?;
    let mut points: Vec<Point> = Vec::new();
    let pointed = scanner.scan_points(sets.a, 1, &context, &mut |some| points.extend(some));
    worked("scan_points", pointed)?;
    points.sort_unstable();
    by_hand.points.sort_unstable();
    ensure!(
        points == by_hand.points,
        "{} points of {} for {:?}",
        points.len(),
        by_hand.points.len(),
        sets.a
    );
    let mut counts = ValueCounts::default();
    let counted = worked(
        "count_values",
        scanner.count_values(sets, 1, &context, &mut counts),
    )?;
    ensure!(
        counted.incomplete.is_empty() && counted.spans_missing == 0 && counted.blocks_left == 0,
        "the count is incomplete: {counted:?}"
    );
    let spans = counts.spans;
    ensure!(
        spans == by_hand.spans,
        "{spans:?} spans were counted of {:?} for {sets:?}",
        by_hand.spans
    );
    let mut values = BTreeMap::new();
    let mut of_durations = [0; 2];
    for (source, key, of_key) in counts.into_keys() {
        for (value, [a, b]) in of_key.into_iter().flatten() {
            if (source, &*key) == (Source::Field, "duration") {
                of_durations = [of_durations[0] + a, of_durations[1] + b];
                continue;
            }
            values.insert((source, key.to_string(), value.into_string()), [a, b]);
        }
    }
    ensure!(
        of_durations == spans,
        "the bands of durations hold {of_durations:?} of {spans:?} spans"
    );
    for (value, counts) in &by_hand.values {
        let counted = values.remove(value);
        ensure!(
            counted == Some(*counts),
            "{value:?} was counted as {counted:?}, not {counts:?}, for {sets:?}"
        );
    }
    ensure!(values.is_empty(), "counted, but not there: {values:?}");
    Ok(spans[0].min(spans[1]))
}

fn random_sets(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    let mut random = Random::new(41);
    let spans = random.traces(1..=70, NOW);
    for (number, request) in random.requests(&spans).iter().enumerate() {
        bench.push(request)?;
        match number % 7 {
            2 => bench.tick()?,
            5 => bench.flush()?,
            _ => {}
        }
    }
    let mut with_both = 0;
    for number in 0..30 {
        let (a, b) = (conditions(random.query(NOW)), conditions(random.query(NOW)));
        let rest = a.surroundings();
        let is_rest = number % 2 == 0;
        let sets = Sets {
            a: &a,
            b: if is_rest { &rest } else { &b },
            is_rest,
        };
        with_both += u32::from(check(&mut bench, &sets)? > 0);
    }
    ensure!(
        with_both > 8,
        "the suite itself is weak: {with_both} of 30 pairs have spans in both"
    );
    Ok(())
}

fn deadline(fixture: &dyn StoreFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture);
    bench.push(&Random::new(42).traces(1..=20, NOW))?;
    bench.flush()?;
    let context = bench.context();
    bench.clock.advance(61 * super::store_bench::SECOND);
    let (all, mut counts) = (SpanQuery::default(), ValueCounts::default());
    let sets = Sets {
        a: &all,
        b: &all,
        is_rest: false,
    };
    let scanner = bench.store()?.scanner();
    let counted = scanner.count_values(&sets, 1, &context, &mut counts);
    let said = match &counted {
        Ok(counted) => !counted.incomplete.is_empty(),
        Err(error) => error.class == crate::Class::DeadlineExceeded,
    };
    ensure!(said, "a count without time answered {counted:?}");
    Ok(())
}
