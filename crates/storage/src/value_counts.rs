//! Values counted in two sets of spans: every value of every attribute, and how many spans of each set
//! have it.
//!
//! Counting goes by column: in a batch, equal attributes of a shape lie at equal distances and are
//! positions in its dictionary, so a value costs an addition, and its text is looked at once a batch.
//! Of a key with very many values none says much: it is given up, and named.

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::AttributeSet;
use tracewell_model::{SpanBatch, SpanKind, StatusCode};

use crate::scan::ScanQuery;
use crate::span_query::{Matcher, SpanQuery};

/// Values of one key; with more it is an id.
const VALUES_PER_KEY_MAX: usize = 10_000;
/// Values of all keys: about 100 MiB.
const VALUES_MAX: usize = 500_000;
/// Keys of each source.
pub const KEYS_MAX: usize = 5_000;

/// How many spans of the first set, and of the second.
pub type Counts = [u64; 2];

/// A row, and whether it counts in the first set and in the second: 1 or 0.
pub type SidedRow = (u32, [u32; 2]);

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

/// Two sets of spans.
#[derive(Clone, Copy, Debug)]
pub struct Sets<'a> {
    /// The first.
    pub a: &'a SpanQuery,
    /// The second.
    pub b: &'a SpanQuery,
    /// The second is what is left: what is in both counts in the first only.
    pub is_rest: bool,
}

impl Sets<'_> {
    /// What a store must hand over for both; of so many blocks one.
    pub fn scan(&self, one_of: u32) -> ScanQuery {
        let (a, b) = (self.a.scan(), self.b.scan());
        ScanQuery {
            start_unix_ns: a.start_unix_ns.zip(b.start_unix_ns).map(|(a, b)| a.min(b)),
            end_unix_ns: a.end_unix_ns.zip(b.end_unix_ns).map(|(a, b)| a.max(b)),
            service: a
                .service
                .filter(|service| b.service.as_ref() == Some(service)),
            one_of,
        }
    }

    /// In which of them a span counts that satisfies the conditions of these.
    #[inline]
    pub fn sides(&self, in_a: bool, in_b: bool) -> [u32; 2] {
        [u32::from(in_a), u32::from(in_b && !(self.is_rest && in_a))]
    }

    /// The rows of a batch that are in either.
    fn rows(&self, batch: &SpanBatch, rows: &[u32]) -> Vec<SidedRow> {
        let (a, b) = (Matcher::new(self.a, batch), Matcher::new(self.b, batch));
        if a.is_hopeless() && b.is_hopeless() {
            return Vec::new();
        }
        let sided = rows.iter().map(|&row| {
            let in_a = a.matches(row);
            let in_b = !(self.is_rest && in_a) && b.matches(row);
            (row, self.sides(in_a, in_b))
        });
        sided.filter(|(_, sides)| *sides != [0, 0]).collect()
    }
}

/// Counts of one key's values by their text; none once there were too many.
pub type Values = Option<HashMap<Box<str>, Counts>>;

/// See the module.
#[derive(Debug, Default)]
pub struct ValueCounts {
    /// Spans of each set.
    pub spans: Counts,
    /// Some keys were not counted: there were more than [`KEYS_MAX`] of a source.
    pub keys_over: bool,
    /// By source.
    keys: [HashMap<Box<str>, Values>; 5],
    values: usize,
    /// By position of a batch's text dictionary, zero between columns.
    dense: Vec<[u32; 2]>,
}

impl ValueCounts {
    /// Every key, where it stands, and what was counted of it.
    pub fn into_keys(self) -> impl Iterator<Item = (Source, Box<str>, Values)> {
        let sourced = Source::ALL.into_iter().zip(self.keys);
        sourced.flat_map(|(source, keys)| {
            let key = move |(key, values)| (source, key, values);
            keys.into_iter().map(key)
        })
    }

    /// How many keys there are.
    pub fn keys(&self) -> usize {
        self.keys.iter().map(HashMap::len).sum()
    }

    /// False for a key that was given up: its values need not be looked at.
    pub fn wants(&self, source: Source, key: &str) -> bool {
        !matches!(self.of(source).get(key), Some(None))
    }

    /// Counts values of a key.
    pub fn add<T: AsRef<str>>(
        &mut self,
        source: Source,
        key: &str,
        values: impl IntoIterator<Item = (T, Counts)>,
    ) {
        let mut values = values.into_iter().filter(|(_, counts)| *counts != [0; 2]);
        let Some((mut value, mut counts)) = values.next() else {
            return;
        };
        let Some(of_key) = Self::key(&mut self.keys, source, key) else {
            self.keys_over = true;
            return;
        };
        loop {
            let Some(known) = of_key else { return };
            if let Some(of) = known.get_mut(value.as_ref()) {
                *of = [of[0] + counts[0], of[1] + counts[1]];
            } else if known.len() < VALUES_PER_KEY_MAX && self.values < VALUES_MAX {
                known.insert(value.as_ref().into(), counts);
                self.values += 1;
            } else {
                self.values -= known.len();
                *of_key = None;
            }
            match values.next() {
                Some(next) => (value, counts) = next,
                None => return,
            }
        }
    }

    /// The spans of a batch's rows, as far as they are in the sets.
    pub fn take(&mut self, batch: &SpanBatch, rows: &[u32], sets: &Sets<'_>) {
        let rows = sets.rows(batch, rows);
        if !rows.is_empty() {
            self.take_rows(batch, &rows);
        }
    }

    fn of(&self, source: Source) -> &HashMap<Box<str>, Values> {
        &self.keys[source as usize]
    }

    /// What is known of a key; none when there are too many.
    fn key<'k>(
        keys: &'k mut [HashMap<Box<str>, Values>; 5],
        source: Source,
        key: &str,
    ) -> Option<&'k mut Values> {
        let keys = &mut keys[source as usize];
        if !keys.contains_key(key) {
            if keys.len() >= KEYS_MAX {
                return None;
            }
            keys.insert(key.into(), Some(HashMap::new()));
        }
        keys.get_mut(key)
    }

    fn take_rows(&mut self, batch: &SpanBatch, rows: &[SidedRow]) {
        let columns = batch.columns();
        if self.dense.len() < columns.text.len() {
            self.dense.resize(columns.text.len(), [0; 2]);
        }
        for (_, sides) in rows {
            count(&mut self.spans, *sides);
        }
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

    fn fields(&mut self, batch: &SpanBatch, rows: &[SidedRow]) {
        let columns = batch.columns();
        let resources = by_position(&columns.resource, rows, columns.resources.len());
        let services = columns.resources.iter().zip(resources);
        let services =
            services.map(|(resource, counts)| (columns.text.get(resource.service), counts));
        self.add(Source::Field, "service", services);
        let operations = rows
            .iter()
            .map(|&(row, sides)| (columns.operation[row as usize], sides));
        self.texts(batch, Source::Field, "operation", operations);
        let mut fields = FieldCounts::default();
        for &(row, sides) in rows {
            let at = row as usize;
            fields.note_duration(class_of(columns.duration_ns[at]), sides);
            fields.note(columns.status[at], columns.kind[at], sides.map(u64::from));
        }
        self.add_fields(fields);
    }

    /// Counts what every span has.
    pub fn add_fields(&mut self, fields: FieldCounts) {
        let statuses = ["ok", "error"].into_iter().zip(fields.statuses);
        self.add(Source::Field, "status", statuses);
        let kind = |number| SpanKind::from_u8(number).unwrap_or_default().name();
        let kinds = (0..).map(kind).zip(fields.kinds);
        self.add(Source::Field, "kind", kinds);
        let bands = fields.bands.into_iter().enumerate();
        let bands = bands.filter(|(_, counts)| *counts != [0; 2]);
        let bands = bands.map(|(number, counts)| (band_name(number), counts));
        self.add(Source::Field, "duration", bands);
    }

    fn set(&mut self, batch: &SpanBatch, source: Source, set: &AttributeSet, counts: Counts) {
        let shape = batch.columns().shapes.get(set.shape as usize);
        for (&name, &word) in shape.into_iter().flatten().zip(&set.values) {
            let attribute = batch.attribute(name, word);
            self.add(source, attribute.key, [(attribute.value.text(), counts)]);
        }
    }

    /// Attributes of spans or of their events: shape by shape, and in each key by key.
    fn shapes(&mut self, batch: &SpanBatch, rows: &[SidedRow], source: Source, column: &[u32]) {
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
                if !self.wants(source, name) {
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
                    count(counts.entry(word).or_default(), sides);
                }
                let values = counts.into_iter().map(|(word, counts)| {
                    let value = batch.attribute((key, value_type), word).value;
                    (value.text().into_owned(), counts)
                });
                self.add(source, name, values);
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
        let values = seen.into_iter().map(|position| {
            let counts = std::mem::take(&mut dense[position as usize]);
            let text = batch.columns().text.get(position);
            (text, counts.map(u64::from))
        });
        self.add(source, key, values.collect::<Vec<_>>());
        self.dense = dense;
    }
}

/// What every span has but its service and operation, counted.
#[derive(Clone, Debug)]
pub struct FieldCounts {
    statuses: [Counts; 2],
    kinds: [Counts; 6],
    bands: [Counts; 64],
}

impl Default for FieldCounts {
    fn default() -> Self {
        FieldCounts {
            statuses: [[0; 2]; 2],
            kinds: [[0; 2]; 6],
            bands: [[0; 2]; 64],
        }
    }
}

impl FieldCounts {
    /// Spans of this status and kind.
    pub fn note(&mut self, status: u8, kind: u8, counts: Counts) {
        let error = status == StatusCode::Error as u8;
        let kind = &mut self.kinds[usize::from(kind).min(5)];
        for of in [&mut self.statuses[usize::from(error)], kind] {
            *of = [of[0] + counts[0], of[1] + counts[1]];
        }
    }

    /// A span whose duration has so many bits.
    #[inline]
    pub fn note_duration(&mut self, bits: u8, sides: [u32; 2]) {
        let band = usize::from(bits.saturating_sub(1)).min(63);
        count(&mut self.bands[band], sides);
    }
}

fn count(counts: &mut Counts, sides: [u32; 2]) {
    counts[0] += u64::from(sides[0]);
    counts[1] += u64::from(sides[1]);
}

fn by_position(column: &[u32], rows: &[SidedRow], positions: usize) -> Vec<Counts> {
    let mut counts = vec![[0u64; 2]; positions];
    for &(row, sides) in rows {
        count(&mut counts[column[row as usize] as usize], sides);
    }
    counts
}

/// Durations lie in bands by their power of two: by how many bits they have.
fn class_of(duration_ns: u64) -> u8 {
    (u64::BITS - duration_ns.leading_zeros()) as u8
}

fn band_name(band: usize) -> String {
    let ms = |power: usize| (1u128 << power) as f64 / 1e6;
    format!("{:.4}–{:.4} ms", ms(band), ms(band + 1))
}
