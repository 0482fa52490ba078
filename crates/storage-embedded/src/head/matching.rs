//! Which traces of a batch have a span that satisfies all span predicates (D17). Each distinct
//! service, key and value of the batch is asked once; a row then costs a few comparisons of numbers.
//! What it answers is what `TraceQuery::matches_span` answers of each span.

use tracewell_model::attribute::{Attribute, ValueType};
use tracewell_model::batch::Columns;
use tracewell_model::{SpanBatch, StatusCode};
use tracewell_storage::find::TagCondition;
use tracewell_storage::{TagFilter, TraceQuery};
use xxhash_rust::xxh3::xxh3_64;

const ERROR: u8 = StatusCode::Error as u8;

/// A failed span, with what most searches for failures ask of it: of a head's hundreds of thousands of
/// spans few failed, and these lie side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailedRow {
    row: u32,
    /// Of its service's name.
    service_hash: u32,
    duration_ns: u64,
}

impl FailedRow {
    /// Those of a batch, in order.
    pub(super) fn of(batch: &SpanBatch) -> Vec<FailedRow> {
        let rows = (0u32..).zip(&batch.columns().status);
        let failed = rows.filter(|(_, status)| **status == ERROR);
        failed
            .map(|(row, _)| FailedRow {
                row,
                service_hash: service_hash(batch.span(row).service()),
                duration_ns: batch.span(row).duration_ns(),
            })
            .collect()
    }

    /// False when it is none of those that are asked for.
    fn may_match(&self, query: &TraceQuery, service_hash: Option<u32>) -> bool {
        let (least, most) = (query.min_span_duration_ns, query.max_span_duration_ns);
        service_hash.is_none_or(|wanted| wanted == self.service_hash)
            && least.is_none_or(|least| self.duration_ns >= least)
            && most.is_none_or(|most| self.duration_ns <= most)
    }
}

fn service_hash(name: &str) -> u32 {
    xxh3_64(name.as_bytes()) as u32
}

/// True for each trace, by its position in the batch's table, with a matching span; nothing at all
/// when none has one.
pub(super) fn matching_traces(
    batch: &SpanBatch,
    failed: &[FailedRow],
    query: &TraceQuery,
) -> Vec<bool> {
    if query.span_error == Some(true) {
        let wanted = query.service.as_deref().map(service_hash);
        let rows = failed.iter().filter(|row| row.may_match(query, wanted));
        let rows = rows.map(|failed| failed.row as usize);
        return match failed.len() * SPANS_PER_FEW_MIN <= batch.len() {
            true => traces_of_few(batch, query, rows),
            false => {
                let rows = rows.filter(|&row| matches_columns(batch, query, row));
                traces_of(batch, query, rows)
            }
        };
    }
    ColumnMatcher::new(batch, query).map_or_else(Vec::new, |columns| {
        let rows = 0..batch.len();
        traces_of(batch, query, rows.filter(|&row| columns.matches(row)))
    })
}

/// Rows are few when the batch has so many spans for each.
const SPANS_PER_FEW_MIN: usize = 16;

/// The traces of those of these few rows that satisfy the query: each is asked for itself.
fn traces_of_few(
    batch: &SpanBatch,
    query: &TraceQuery,
    rows: impl Iterator<Item = usize>,
) -> Vec<bool> {
    let columns = batch.columns();
    let mut matching = Vec::new();
    for row in rows.filter(|&row| query.matches_span(batch.span(row as u32))) {
        matching.resize(columns.traces.len(), false);
        matching[columns.trace[row] as usize] = true;
    }
    matching
}

fn matches_columns(batch: &SpanBatch, query: &TraceQuery, row: usize) -> bool {
    let span = batch.span(row as u32);
    query.matches_span_columns(
        span.service(),
        span.operation(),
        span.is_error(),
        span.duration_ns(),
    )
}

/// The traces of those of these rows that have the attributes that are asked for.
fn traces_of(
    batch: &SpanBatch,
    query: &TraceQuery,
    mut rows: impl Iterator<Item = usize>,
) -> Vec<bool> {
    let columns = batch.columns();
    let Some(first) = rows.next() else {
        return Vec::new();
    };
    // Few batches come so far, and only for these are the attributes looked into.
    let tags = query.tags.iter().map(|tag| TagMatcher::new(batch, tag));
    let Some(mut tags) = tags.collect::<Option<Vec<_>>>() else {
        return Vec::new();
    };
    let mut matching = vec![false; columns.traces.len()];
    for row in std::iter::once(first).chain(rows) {
        let known = &mut matching[columns.trace[row] as usize];
        *known = *known || tags.iter_mut().all(|tag| tag.holds(row));
    }
    matching
}

/// The predicates other than attributes, for spans of which most did not fail.
struct ColumnMatcher<'a> {
    columns: &'a Columns,
    query: &'a TraceQuery,
    /// By resource: whether its service is the one that is asked for.
    resources: Vec<bool>,
}

impl<'a> ColumnMatcher<'a> {
    /// None when no span of the batch can match.
    fn new(batch: &'a SpanBatch, query: &'a TraceQuery) -> Option<Self> {
        let columns = batch.columns();
        let wanted = query.service.as_deref();
        let is_wanted = |service| wanted.is_none_or(|wanted| wanted == columns.text.get(service));
        let resources: Vec<bool> = columns
            .resources
            .iter()
            .map(|resource| is_wanted(resource.service))
            .collect();
        resources.contains(&true).then_some(ColumnMatcher {
            columns,
            query,
            resources,
        })
    }

    fn matches(&self, row: usize) -> bool {
        let (columns, query) = (self.columns, self.query);
        let duration_ns = columns.duration_ns[row];
        let is_error = columns.status[row] == ERROR;
        query.span_error.is_none_or(|wanted| wanted == is_error)
            && self.resources[columns.resource[row] as usize]
            && query
                .min_span_duration_ns
                .is_none_or(|least| duration_ns >= least)
            && query
                .max_span_duration_ns
                .is_none_or(|most| duration_ns <= most)
            && query
                .operation
                .as_deref()
                .is_none_or(|wanted| wanted == columns.text.get(columns.operation[row]))
    }
}

/// One condition on attributes, prepared for a batch.
struct TagMatcher<'a> {
    batch: &'a SpanBatch,
    filter: &'a TagFilter,
    /// By shape: the places that have the key.
    places: Vec<Vec<usize>>,
    /// What resources and scopes decide; none where they do not have the key.
    resources: Vec<Option<bool>>,
    scopes: Vec<Option<bool>>,
    /// By text: the condition's answer once it was asked.
    texts: Vec<Option<bool>>,
}

impl<'a> TagMatcher<'a> {
    /// None when nothing in the batch has the key, or the value that is asked for.
    fn new(batch: &'a SpanBatch, filter: &'a TagFilter) -> Option<Self> {
        let columns = batch.columns();
        if !may_hold(columns, filter) {
            return None;
        }
        let places: Vec<Vec<usize>> = columns
            .shapes
            .iter()
            .map(|shape| {
                let named = shape.iter().enumerate();
                let has_key = |(_, (key, _)): &(usize, &(u32, ValueType))| {
                    columns.text.get(*key) == filter.key
                };
                named.filter(has_key).map(|(place, _)| place).collect()
            })
            .collect();
        if places.iter().all(Vec::is_empty) {
            return None;
        }
        let decide = |shape: u32, values: &[u64]| {
            let (places, shape) = (&places[shape as usize], &columns.shapes[shape as usize]);
            let of = |&place: &usize| batch.attribute(shape[place], values[place]);
            let mut answers = places.iter().map(of).map(|of| holds(filter, &of));
            answers
                .next()
                .map(|first| first || answers.any(|more| more))
        };
        let resources = columns
            .resources
            .iter()
            .map(|resource| &resource.attributes);
        let scopes = columns.scopes.iter().map(|scope| &scope.attributes);
        Some(TagMatcher {
            resources: resources
                .map(|set| decide(set.shape, &set.values))
                .collect(),
            scopes: scopes.map(|set| decide(set.shape, &set.values)).collect(),
            batch,
            filter,
            places,
            texts: vec![None; columns.text.len()],
        })
    }

    /// The first of span, resource, scope and event attributes that has the key decides.
    fn holds(&mut self, row: usize) -> bool {
        let columns = self.batch.columns();
        let shape = columns.shape[row];
        if !self.places[shape as usize].is_empty() {
            return self.any_of(row, shape, 0);
        }
        let of_origin = self.resources[columns.resource[row] as usize]
            .or(self.scopes[columns.scope[row] as usize]);
        of_origin.unwrap_or_else(|| {
            let own = columns.shapes[shape as usize].len();
            self.any_of(row, columns.event_shape[row], own)
        })
    }

    /// True when a value of the key satisfies the condition; the shape's words begin at `first`.
    fn any_of(&mut self, row: usize, shape: u32, first: usize) -> bool {
        let columns = self.batch.columns();
        let words = &words(columns, row)[first..];
        let shape_of = &columns.shapes[shape as usize];
        for &place in &self.places[shape as usize] {
            let (name, word) = (shape_of[place], words[place]);
            let ask = || holds(self.filter, &self.batch.attribute(name, word));
            let answer = match name.1 {
                ValueType::Str => *self.texts[word as usize].get_or_insert_with(ask),
                _ => ask(),
            };
            if answer {
                return true;
            }
        }
        false
    }
}

/// False when no text of the batch is the one that is asked for, and the key has texts only: nearly all
/// batches, where few spans are looked for.
fn may_hold(columns: &Columns, filter: &TagFilter) -> bool {
    let TagCondition::Equals(text) = &filter.condition else {
        return true;
    };
    let mut attributes = columns.shapes.iter().flatten();
    columns.text.text.contains(text)
        || attributes.any(|&(key, value_type)| {
            value_type != ValueType::Str && columns.text.get(key) == filter.key
        })
}

fn holds(filter: &TagFilter, attribute: &Attribute<'_>) -> bool {
    filter.condition.holds(&attribute.value)
}

/// The words of a row: its own attributes', then its events'.
fn words(columns: &Columns, row: usize) -> &[u64] {
    let from = row
        .checked_sub(1)
        .map_or(0, |before| columns.value_end[before]);
    &columns.values[from as usize..columns.value_end[row] as usize]
}

#[cfg(test)]
mod tests {
    use regex::Regex;
    use tracewell_storage::conformance::spans::batch;
    use tracewell_storage::conformance::{OwnedValue, SpanSpec};

    use super::*;

    /// Random spans and queries over few words, so that keys meet in all four places.
    #[test]
    fn a_batch_is_asked_as_its_spans_are() {
        let mut random = fastrand::Rng::with_seed(3);
        let regex = Regex::new("a|1").unwrap();
        let mut matched = 0;
        for round in 0..3_000 {
            // Sometimes many, of which few failed.
            let many = round % 8 == 0;
            let count = if many { 64 } else { random.u64(1..9) };
            let spans: Vec<SpanSpec> = (0..count)
                .map(|at| {
                    let mut span = span(at, &mut random);
                    if many && random.u8(..24) > 0 {
                        span.status = tracewell_model::StatusCode::Ok;
                    }
                    span
                })
                .collect();
            let batch = batch(&spans);
            let query = query(&mut random, &regex);
            let mut expected = vec![false; batch.columns().traces.len()];
            for span in batch.spans() {
                let trace = batch.columns().trace[span.row as usize];
                expected[trace as usize] |= query.matches_span(span);
            }
            let mut answered = matching_traces(&batch, &FailedRow::of(&batch), &query);
            answered.resize(expected.len(), false);
            assert_eq!(answered, expected, "{query:?}");
            matched += expected.iter().filter(|matches| **matches).count();
        }
        assert!(matched > 500, "{matched}");
    }

    fn span(at: u64, random: &mut fastrand::Rng) -> SpanSpec {
        let mut span = SpanSpec::new(random.u64(1..4), at + 1, 1).lasting(random.u64(..3));
        span.service = word(random);
        span.operation = word(random);
        span.status = tracewell_model::StatusCode::from_u8(random.u8(..3)).unwrap();
        let places = [
            &mut span.attributes,
            &mut span.resource_attributes,
            &mut span.scope_attributes,
            &mut span.event_attributes,
        ];
        for attributes in places {
            for _ in 0..random.usize(..3) {
                let value = match random.bool() {
                    true => number(random),
                    false => OwnedValue::Str(word(random)),
                };
                attributes.push((word(random), value));
            }
        }
        span
    }

    /// Values whose text no dictionary has.
    fn number(random: &mut fastrand::Rng) -> OwnedValue {
        match random.u8(..4) {
            0 => OwnedValue::Bool(true),
            1 => OwnedValue::Double(0.5),
            2 => OwnedValue::Bytes(vec![1]),
            _ => OwnedValue::Int(random.i64(..3)),
        }
    }

    /// What is asked for: a word, a number's text, or what nobody has.
    fn wanted(random: &mut fastrand::Rng) -> String {
        match random.u8(..6) {
            0 => number(random).as_value().text().into_owned(),
            1 => "nowhere".to_owned(),
            _ => word(random),
        }
    }

    fn word(random: &mut fastrand::Rng) -> String {
        ["a", "b", "1", "service.name"][random.usize(..4)].to_owned()
    }

    fn query(random: &mut fastrand::Rng, regex: &Regex) -> TraceQuery {
        let mut query = TraceQuery::default();
        if random.u8(..3) == 0 {
            query.service = Some(word(random));
        }
        if random.u8(..4) == 0 {
            query.operation = Some(word(random));
        }
        if random.u8(..4) == 0 {
            query.span_error = Some(random.bool());
        }
        if random.u8(..4) == 0 {
            query.min_span_duration_ns = Some(random.u64(..3));
        }
        if random.u8(..4) == 0 {
            query.max_span_duration_ns = Some(random.u64(..3));
        }
        for _ in 0..random.usize(..3) {
            let condition = match random.u8(..4) {
                0 => TagCondition::Exists,
                1 => TagCondition::Equals(wanted(random)),
                2 => TagCondition::NotEquals(wanted(random)),
                _ => TagCondition::Matches(regex.clone()),
            };
            query.tags.push(TagFilter {
                key: word(random),
                condition,
            });
        }
        query
    }
}
