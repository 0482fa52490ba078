//! What differs between two sets of spans: every value of every attribute, counted in both, ranked.
//!
//! Counting goes by column: in a batch, equal attributes of a shape lie at equal distances and are
//! positions in its dictionary, so a value costs an addition, and its text is looked at once a batch.
//! Of a key with very many values none says much: it is left out, and named.

use std::ops::ControlFlow;

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::AttributeSet;
use tracewell_model::{SpanBatch, SpanKind, StatusCode};
use tracewell_storage::{Error, ReadContext, ScanQuery, Scanned, SpanScanner};

use crate::spans::{Matcher, SpanQuery, as_far_as_read};

/// Values of one key; with more it is an id.
const VALUES_PER_KEY_MAX: usize = 10_000;
/// Values of all keys: about 100 MiB.
const VALUES_MAX: usize = 500_000;
/// Keys of each source.
const KEYS_MAX: usize = 5_000;
/// Less deviation than three standard errors is chance, for the most part.
const DEVIATIONS_HALF: f64 = 3.0;
/// What is rarer in the first set says a little less than what is more frequent.
const RARER_PART: f64 = 0.9;

/// Where an attribute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// What every span has: service, operation, status, kind, duration.
    Field,
    /// The span's own attributes.
    Span,
    /// Its resource.
    Resource,
    /// Its instrumentation scope.
    Scope,
    /// Its events.
    Event,
}

impl Source {
    const ALL: [Source; 5] = [
        Source::Field,
        Source::Span,
        Source::Resource,
        Source::Scope,
        Source::Event,
    ];

    /// Lower-case name, as the API shows it.
    pub fn name(self) -> &'static str {
        match self {
            Source::Field => "field",
            Source::Span => "span",
            Source::Resource => "resource",
            Source::Scope => "scope",
            Source::Event => "event",
        }
    }
}

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
    let other = b.unwrap_or(&rest);
    let mut counter = Counter::default();
    let query = both(a, other, one_of);
    let read = scanner.scan_spans(&query, context, &mut |batch, rows| {
        let matchers = (Matcher::new(a, batch), Matcher::new(other, batch));
        if !(matchers.0.is_hopeless() && matchers.1.is_hopeless()) {
            // In both is in the first only when the second is the rest.
            let sides = rows.iter().filter_map(|&row| {
                let sides = match matchers.0.matches(row) {
                    true => [true, b.is_some() && matchers.1.matches(row)],
                    false => [false, matchers.1.matches(row)],
                };
                (sides != [false, false]).then_some((row, sides.map(u32::from)))
            });
            counter.take(batch, &sides.collect::<Vec<_>>());
        }
        ControlFlow::Continue(())
    });
    let scanned = as_far_as_read(read)?;
    let asked = [Some(a), b].into_iter().flatten();
    Ok(counter.finish(scanned, &asked.flat_map(asked_about).collect::<Vec<_>>()))
}

/// What a store must hand over for both.
fn both(a: &SpanQuery, b: &SpanQuery, one_of: u32) -> ScanQuery {
    let (a, b) = (a.scan(), b.scan());
    ScanQuery {
        start_unix_ns: a.start_unix_ns.zip(b.start_unix_ns).map(|(a, b)| a.min(b)),
        end_unix_ns: a.end_unix_ns.zip(b.end_unix_ns).map(|(a, b)| a.max(b)),
        service: a
            .service
            .filter(|service| b.service.as_ref() == Some(service)),
        one_of,
    }
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

type Counts = [u64; 2];

/// Counts of one key's values by their text; none once there were too many.
type Values = Option<HashMap<Box<str>, Counts>>;

#[derive(Default)]
struct Counter {
    spans: Counts,
    /// By source.
    keys: [HashMap<Box<str>, Values>; 5],
    values: usize,
    keys_over: bool,
    /// By position of the text dictionary, zero between columns.
    dense: Vec<[u32; 2]>,
}

impl Counter {
    fn take(&mut self, batch: &SpanBatch, rows: &[(u32, [u32; 2])]) {
        if rows.is_empty() {
            return;
        }
        let columns = batch.columns();
        if self.dense.len() < columns.text.len() {
            self.dense.resize(columns.text.len(), [0; 2]);
        }
        let all = rows.iter().fold([0u64; 2], |sum, (_, sides)| {
            [sum[0] + u64::from(sides[0]), sum[1] + u64::from(sides[1])]
        });
        self.spans = [self.spans[0] + all[0], self.spans[1] + all[1]];
        self.fields(batch, rows);
        let sets: [(_, &[u32], Vec<&AttributeSet>); 2] = [
            (
                Source::Resource,
                &columns.resource,
                columns.resources.iter().map(|r| &r.attributes).collect(),
            ),
            (
                Source::Scope,
                &columns.scope,
                columns.scopes.iter().map(|s| &s.attributes).collect(),
            ),
        ];
        for (source, column, sets) in sets {
            let counts = by_position(column, rows, sets.len());
            for (set, counts) in sets.iter().zip(counts) {
                self.set(batch, source, set, counts);
            }
        }
        self.shapes(batch, rows, Source::Span, &columns.shape);
        self.shapes(batch, rows, Source::Event, &columns.event_shape);
    }

    fn fields(&mut self, batch: &SpanBatch, rows: &[(u32, [u32; 2])]) {
        let columns = batch.columns();
        let resources = by_position(&columns.resource, rows, columns.resources.len());
        for (resource, counts) in columns.resources.iter().zip(resources) {
            self.add(
                Source::Field,
                "service",
                columns.text.get(resource.service),
                counts,
            );
        }
        let operations = rows
            .iter()
            .map(|&(row, sides)| (columns.operation[row as usize], sides));
        self.texts(batch, Source::Field, "operation", operations);
        let (mut statuses, mut kinds) = ([[0; 2]; 2], [[0; 2]; 6]);
        let mut bands = [[0u64; 2]; 64];
        let add = |to: &mut Counts, sides: [u32; 2]| {
            to[0] += u64::from(sides[0]);
            to[1] += u64::from(sides[1]);
        };
        for &(row, sides) in rows {
            let at = row as usize;
            let error = columns.status[at] == StatusCode::Error as u8;
            add(&mut statuses[usize::from(error)], sides);
            add(&mut kinds[usize::from(columns.kind[at]).min(5)], sides);
            add(&mut bands[band(columns.duration_ns[at])], sides);
        }
        for (text, counts) in ["ok", "error"].into_iter().zip(statuses) {
            self.add(Source::Field, "status", text, counts);
        }
        for (number, counts) in (0..).zip(kinds) {
            let kind = SpanKind::from_u8(number).unwrap_or_default();
            self.add(Source::Field, "kind", kind.name(), counts);
        }
        for (number, counts) in bands.into_iter().enumerate() {
            if counts != [0; 2] {
                self.add(Source::Field, "duration", &band_name(number), counts);
            }
        }
    }

    fn set(&mut self, batch: &SpanBatch, source: Source, set: &AttributeSet, counts: Counts) {
        let shape = batch.columns().shapes.get(set.shape as usize);
        for (&name, &word) in shape.into_iter().flatten().zip(&set.values) {
            let attribute = batch.attribute(name, word);
            self.add(source, attribute.key, &attribute.value.text(), counts);
        }
    }

    /// Attributes of spans or of their events: shape by shape, and in each key by key.
    fn shapes(
        &mut self,
        batch: &SpanBatch,
        rows: &[(u32, [u32; 2])],
        source: Source,
        column: &[u32],
    ) {
        let columns = batch.columns();
        let mut of_shape: Vec<Vec<(usize, [u32; 2])>> = vec![Vec::new(); columns.shapes.len()];
        for &(row, sides) in rows {
            let at = row as usize;
            let end = columns.value_end[at] as usize;
            let begin = match (source, row.checked_sub(1)) {
                (Source::Event, _) => end - columns.shapes[column[at] as usize].len(),
                (_, None) => 0,
                (_, Some(before)) => columns.value_end[before as usize] as usize,
            };
            of_shape[column[at] as usize].push((begin, sides));
        }
        for (shape, spans) in columns.shapes.iter().zip(&of_shape) {
            for (place, &(key, value_type)) in shape.iter().enumerate() {
                if spans.is_empty() {
                    break;
                }
                let name = columns.text.get(key);
                if matches!(self.keys[source as usize].get(name), Some(None)) {
                    continue;
                }
                // A key that stands twice with one value counts once.
                let before: Vec<usize> = (0..place)
                    .filter(|&other| shape[other] == (key, value_type))
                    .collect();
                let words = spans.iter().filter_map(|&(begin, sides)| {
                    let word = columns.values[begin + place];
                    let repeats = |&other: &usize| columns.values[begin + other] == word;
                    (!before.iter().any(repeats)).then_some((word, sides))
                });
                if value_type == ValueType::Str {
                    let texts = words.map(|(word, sides)| (word as u32, sides));
                    self.texts(batch, source, name, texts);
                    continue;
                }
                let mut counts: HashMap<u64, Counts> = HashMap::new();
                for (word, sides) in words {
                    let of = counts.entry(word).or_default();
                    of[0] += u64::from(sides[0]);
                    of[1] += u64::from(sides[1]);
                }
                for (word, counts) in counts {
                    let value = batch.attribute((key, value_type), word).value;
                    self.add(source, name, &value.text(), counts);
                }
            }
        }
    }

    /// Counts positions of the text dictionary.
    fn texts(
        &mut self,
        batch: &SpanBatch,
        source: Source,
        key: &str,
        texts: impl Iterator<Item = (u32, [u32; 2])>,
    ) {
        let mut dense = std::mem::take(&mut self.dense);
        let mut seen: Vec<u32> = Vec::new();
        for (position, sides) in texts {
            let counts = &mut dense[position as usize];
            if *counts == [0; 2] {
                seen.push(position);
            }
            *counts = [counts[0] + sides[0], counts[1] + sides[1]];
        }
        for position in seen {
            let counts = std::mem::take(&mut dense[position as usize]);
            let text = batch.columns().text.get(position);
            self.add(source, key, text, counts.map(u64::from));
        }
        self.dense = dense;
    }

    fn add(&mut self, source: Source, key: &str, value: &str, counts: Counts) {
        if counts == [0; 2] {
            return;
        }
        let keys = &mut self.keys[source as usize];
        let Some(values) = keys.get_mut(key) else {
            if keys.len() >= KEYS_MAX {
                self.keys_over = true;
                return;
            }
            let values = HashMap::from([(value.into(), counts)]);
            keys.insert(key.into(), Some(values));
            self.values += 1;
            return;
        };
        let Some(of_key) = values else {
            return;
        };
        if let Some(of) = of_key.get_mut(value) {
            *of = [of[0] + counts[0], of[1] + counts[1]];
        } else if of_key.len() < VALUES_PER_KEY_MAX && self.values < VALUES_MAX {
            of_key.insert(value.into(), counts);
            self.values += 1;
        } else {
            self.values -= of_key.len();
            *values = None;
        }
    }

    fn finish(self, mut scanned: Scanned, asked: &[&str]) -> Comparison {
        let mut differences = Vec::new();
        let mut left_out = Vec::new();
        let keys = self.keys.iter().map(HashMap::len).sum();
        let sourced = self.keys.into_iter().zip(Source::ALL);
        let all = sourced.flat_map(|(keys, source)| keys.into_iter().map(move |key| (source, key)));
        for (source, (key, values)) in all {
            let Some(values) = values else {
                left_out.push(key.into_string());
                continue;
            };
            if asked.contains(&&*key) {
                continue;
            }
            let all = values.into_iter().map(|(value, [a, b])| Difference {
                source,
                key: key.to_string(),
                value: value.into_string(),
                a,
                b,
                score: score([a, b], self.spans),
            });
            differences.extend(all.filter(|difference| difference.score > 0.0));
        }
        differences.sort_unstable_by(|x, y| {
            let order = y.score.total_cmp(&x.score);
            order.then_with(|| (x.source, &x.key, &x.value).cmp(&(y.source, &y.key, &y.value)))
        });
        left_out.sort_unstable();
        if self.keys_over {
            let reason = format!("only the first {KEYS_MAX} keys of a kind were compared");
            scanned.incomplete.push(reason);
        }
        Comparison {
            spans_a: self.spans[0],
            spans_b: self.spans[1],
            differences,
            keys,
            left_out,
            scanned,
        }
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

fn by_position(column: &[u32], rows: &[(u32, [u32; 2])], positions: usize) -> Vec<Counts> {
    let mut counts = vec![[0u64; 2]; positions];
    for &(row, sides) in rows {
        let of = &mut counts[column[row as usize] as usize];
        of[0] += u64::from(sides[0]);
        of[1] += u64::from(sides[1]);
    }
    counts
}

/// Durations by their power of two.
fn band(duration_ns: u64) -> usize {
    (63 - duration_ns.max(1).leading_zeros()) as usize
}

fn band_name(band: usize) -> String {
    let ms = |power: usize| (1u128 << power) as f64 / 1e6;
    format!("{:.4}–{:.4} ms", ms(band), ms(band + 1))
}
