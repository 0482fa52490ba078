//! The distinct values of a run: what blocks are coded by, and what postings and block filters are
//! made of. A *pair* is an attribute key with one of its values; a key with more of them than
//! `PAIRS_PER_KEY_MAX` is *high*: further values of it are found by a filter per block instead of
//! by postings, and nothing of them is kept longer than a block.
//!
//! Values are met while blocks are written, so whether a key is high is known after the last block:
//! pairs of a key that became high are then to be put into the filters of the blocks that posted
//! them, by their hash.
//!
//! In a block a value of a column is a *word*. Words of texts and bytes are given out here. A value
//! is hashed once per batch that has it, not once per span: batches name their distinct values by
//! position, and each position remembers the word that it was last found to be.

mod hash;
mod intern;
mod number;
mod origin;

use std::borrow::Cow;
use std::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashMap};
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::Columns;
use tracewell_model::{SpanBatch, Value};

pub(crate) use hash::filter_hash;
use intern::Interner;
pub(crate) use number::{number_of, word_of};
pub(crate) use origin::Origin;
use origin::Origins;

/// Distinct values of one key that are posted one by one.
pub(crate) const PAIRS_PER_KEY_MAX: u32 = 2_048;

/// Words from here on are of high values: good for one block. The others are pairs' numbers.
pub(crate) const HIGH: u32 = 1 << 31;

/// Columns that are no attributes: the texts and bytes that every span or its origin has.
pub(crate) mod fixed {
    pub(crate) const OPERATION: u32 = 0;
    pub(crate) const MESSAGE: u32 = 1;
    /// Names, versions and schema URLs of resources and scopes.
    pub(crate) const NAME: u32 = 2;
    /// The `rest` of resources and scopes.
    pub(crate) const OPAQUE: u32 = 3;
    pub(super) const COUNT: usize = 4;
}

/// A key of the run's attributes, of whatever level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunKey<'a> {
    pub(crate) name: &'a str,
    /// True when it has more than `PAIRS_PER_KEY_MAX` distinct values.
    pub(crate) high: bool,
    pairs: u32,
    seed: u64,
}

/// The values of one key and type, or of a fixed column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunColumn {
    /// Position in the keys; none for fixed columns.
    pub(crate) key: Option<u32>,
    pub(crate) value_type: ValueType,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct RunValues<'a> {
    batches: Vec<Tables>,
    keys: Vec<RunKey<'a>>,
    key_of: HashMap<&'a str, u32>,
    columns: Vec<RunColumn>,
    column_of: HashMap<(u32, u8), u32>,
    hasher: DefaultHashBuilder,
    /// What is kept for the whole run: pairs, and what fixed columns hold. Numbers are 8 bytes.
    pairs: Interner,
    /// What is kept for the present block: words from `high_base` on.
    highs: Interner,
    high_base: u32,
    shapes: Vec<Box<[u32]>>,
    shape_of: HashMap<Box<[u32]>, u32>,
    origins: [Origins; 2],
    groups: Vec<(u32, u32)>,
    group_of: HashMap<(u32, u32), u32>,
}

/// What positions of a batch are in the run; `UNKNOWN` where nobody asked yet.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    texts: KnownValues,
    bytes: KnownValues,
    shapes: Vec<u32>,
    resources: Vec<u32>,
    scopes: Vec<u32>,
}

const UNKNOWN: u32 = u32::MAX;

/// From here on "columns" are of keys: one for each type of value, and its word is a column.
const KEYS: u32 = 1 << 31;

/// Texts or byte strings of a batch.
#[derive(Debug, Default)]
struct KnownValues {
    words: Vec<Known>,
    hashes: Vec<u64>,
}

/// The word of a text or byte string in the column it was last used in; or, where it was last used as a
/// key, the column of that (see `KEYS`).
#[derive(Clone, Copy, Debug)]
struct Known {
    column: u32,
    word: u32,
}

impl Known {
    const NOT: Known = Known {
        column: UNKNOWN,
        word: 0,
    };

    /// True when the word is that of this column, and not of a block before.
    #[inline]
    fn is_good(self, column: u32, high_base: u32) -> bool {
        // A pair's word is far above after the subtraction.
        let lives = self.word.wrapping_sub(HIGH) >= high_base - HIGH;
        (self.column == column) & lives
    }
}

impl Tables {
    /// Hashes all texts of a batch, one after the other as they lie in memory: to fetch each when
    /// it is first met would wait for it.
    fn of(c: &Columns, hasher: &DefaultHashBuilder) -> Tables {
        Tables {
            texts: hashed(&c.text.ends, c.text.text.as_bytes(), hasher),
            bytes: hashed(&c.bytes.ends, &c.bytes.bytes, hasher),
            shapes: vec![UNKNOWN; c.shapes.len()],
            resources: vec![UNKNOWN; c.resources.len()],
            scopes: vec![UNKNOWN; c.scopes.len()],
        }
    }

    /// Reads a word of each line of the cache that texts' words lie in, to have them near.
    pub(crate) fn touch(&self) -> u64 {
        let words = self.texts.words.iter().step_by(8);
        words.fold(0, |sum, known| sum ^ u64::from(known.word))
    }
}

fn hashed(ends: &[u32], bytes: &[u8], hasher: &DefaultHashBuilder) -> KnownValues {
    let mut from = 0;
    let hash = |&end: &u32| {
        let mut hasher = hasher.build_hasher();
        hasher.write(&bytes[from..end as usize]);
        from = end as usize;
        hasher.finish()
    };
    KnownValues {
        hashes: ends.iter().map(hash).collect(),
        words: vec![Known::NOT; ends.len()],
    }
}

/// The bytes at a position of a dictionary.
#[inline]
fn bytes_at<'a>(ends: &[u32], bytes: &'a [u8], at: usize) -> &'a [u8] {
    let from = at.checked_sub(1).map_or(0, |before| ends[before] as usize);
    &bytes[from..ends[at] as usize]
}

impl<'a> RunValues<'a> {
    /// Of a run of these batches.
    pub(crate) fn new(batches: &[&'a SpanBatch]) -> Self {
        let fixed: [ValueType; fixed::COUNT] = [
            ValueType::Str,
            ValueType::Str,
            ValueType::Str,
            ValueType::Bytes,
        ];
        let fixed = fixed.map(|value_type| RunColumn {
            key: None,
            value_type,
        });
        RunValues {
            batches: batches.iter().map(|_| Tables::default()).collect(),
            keys: Vec::new(),
            key_of: HashMap::new(),
            columns: fixed.to_vec(),
            column_of: HashMap::new(),
            hasher: DefaultHashBuilder::default(),
            pairs: Interner::default(),
            highs: Interner::default(),
            high_base: HIGH,
            shapes: Vec::new(),
            shape_of: HashMap::new(),
            origins: Default::default(),
            groups: Vec::new(),
            group_of: HashMap::new(),
        }
    }

    /// All keys met so far.
    pub(crate) fn keys(&self) -> &[RunKey<'a>] {
        &self.keys
    }

    /// Pairs have numbers below this; not all such numbers are pairs.
    pub(crate) fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    /// The key of a pair, by the number that a block posted.
    pub(crate) fn key_of_pair(&self, pair: u32) -> u32 {
        self.column(self.pairs.column(pair)).key.unwrap_or(UNKNOWN)
    }

    /// The text form of a pair's value, whole. Two pairs of a key may have one: `500` and `"500"`.
    pub(crate) fn text_of_pair(&self, pair: u32) -> Cow<'_, str> {
        let bytes = self.pairs.bytes(pair);
        match self.column(self.pairs.column(pair)).value_type {
            ValueType::Str => match std::str::from_utf8(bytes) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(bytes),
            },
            ValueType::Bytes => Value::Bytes(bytes).text(),
            ValueType::Any => Value::Any(bytes).text(),
            number => number::read(number, bytes).text(),
        }
    }

    /// The filter's hash of a pair.
    pub(crate) fn hash_of_pair(&self, pair: u32) -> u64 {
        self.filter_hash(self.pairs.column(pair), self.pairs.bytes(pair))
    }

    /// Distinct (service, operation) met so far, by number.
    pub(crate) fn groups(&self) -> Vec<(&str, &str)> {
        let text = |word| std::str::from_utf8(self.bytes_of(word)).unwrap_or("");
        let names = |&(service, operation)| (text(service), text(operation));
        self.groups.iter().map(names).collect()
    }

    /// The number of this (service, operation), both words of fixed columns.
    pub(crate) fn group(&mut self, service: u32, operation: u32) -> u32 {
        let next = self.groups.len() as u32;
        let group = *self.group_of.entry((service, operation)).or_insert(next);
        if group == next {
            self.groups.push((service, operation));
        }
        group
    }

    /// Forgets what was kept for the block before.
    pub(crate) fn begin_block(&mut self) {
        self.high_base += self.highs.len() as u32;
        self.highs.clear();
    }

    /// Words of texts and bytes from here on are of high values of this block.
    pub(crate) fn high_base(&self) -> u32 {
        self.high_base
    }

    /// How many high values the block met so far.
    pub(crate) fn high_count(&self) -> usize {
        self.highs.len()
    }

    /// The tables of a batch, to be given back: a block works on one batch after the other.
    pub(crate) fn take_tables(&mut self, batch: u32, columns: &Columns) -> Tables {
        let tables = std::mem::take(&mut self.batches[batch as usize]);
        if tables.shapes.is_empty() {
            return Tables::of(columns, &self.hasher);
        }
        tables
    }

    pub(crate) fn return_tables(&mut self, batch: u32, tables: Tables) {
        self.batches[batch as usize] = tables;
    }

    pub(crate) fn column(&self, column: u32) -> RunColumn {
        self.columns[column as usize]
    }

    pub(crate) fn key(&self, key: u32) -> RunKey<'a> {
        self.keys[key as usize]
    }

    /// The columns of a shape.
    pub(crate) fn shape(&self, shape: u32) -> &[u32] {
        &self.shapes[shape as usize]
    }

    pub(crate) fn resource(&self, resource: u32) -> &Origin {
        self.origins[origin::RESOURCES].get(resource)
    }

    pub(crate) fn scope(&self, scope: u32) -> &Origin {
        self.origins[origin::SCOPES].get(scope)
    }

    /// What a word of a column with texts or bytes stands for.
    #[inline]
    pub(crate) fn bytes_of(&self, word: u32) -> &[u8] {
        if word >= HIGH {
            self.highs.bytes(word - self.high_base)
        } else {
            self.pairs.bytes(word)
        }
    }

    /// The word of a text of this batch.
    #[inline]
    pub(crate) fn text(&mut self, tables: &mut Tables, c: &Columns, column: u32, at: u32) -> u32 {
        let (ends, bytes) = (&c.text.ends, c.text.text.as_bytes());
        self.word(&mut tables.texts, ends, bytes, column, at)
    }

    /// The word of a byte string of this batch.
    pub(crate) fn bytes(&mut self, tables: &mut Tables, c: &Columns, column: u32, at: u32) -> u32 {
        let (ends, bytes) = (&c.bytes.ends, &c.bytes.bytes);
        self.word(&mut tables.bytes, ends, bytes, column, at)
    }

    #[inline]
    fn word(
        &mut self,
        known: &mut KnownValues,
        ends: &[u32],
        bytes: &[u8],
        column: u32,
        at: u32,
    ) -> u32 {
        let at = at as usize;
        let word = known.words[at];
        if word.is_good(column, self.high_base) {
            return word.word;
        }
        let word = self.meet(column, known.hashes[at], bytes_at(ends, bytes, at));
        known.words[at] = Known { column, word };
        word
    }

    /// The word of bytes: a pair's number, or that of a high value of this block.
    #[inline(never)]
    fn meet(&mut self, column: u32, hash: u64, bytes: &[u8]) -> u32 {
        let hash = in_column(hash, column);
        let key = self.columns[column as usize].key;
        if key.is_some_and(|key| self.keys[key as usize].high) {
            return self.high_base + self.highs.intern(hash, column, bytes);
        }
        let vacant = match self.pairs.find(hash, column, bytes) {
            Ok(pair) => return pair,
            Err(vacant) => vacant,
        };
        if key.is_some_and(|key| !self.count_pair(key)) {
            return self.high_base + self.highs.intern(hash, column, bytes);
        }
        self.pairs.insert(vacant, column, bytes)
    }

    /// The word of bytes that are kept even if their key is high: origins outlive a block.
    fn keep(&mut self, column: u32, hash: u64, bytes: &[u8]) -> u32 {
        let hash = in_column(hash, column);
        let vacant = match self.pairs.find(hash, column, bytes) {
            Ok(pair) => return pair,
            Err(vacant) => vacant,
        };
        if let Some(key) = self.column(column).key {
            self.count_pair(key);
        }
        self.pairs.insert(vacant, column, bytes)
    }

    /// The pair of a number met in a block, or the filter's hash when its key is high.
    pub(crate) fn number(&mut self, column: u32, number: u64) -> Result<u32, u64> {
        let RunColumn { key, value_type } = self.columns[column as usize];
        let key = key.unwrap_or(UNKNOWN);
        if !self.keys[key as usize].high {
            let bytes = number.to_le_bytes();
            let hash = in_column(self.hasher.hash_one(number), column);
            let vacant = match self.pairs.find(hash, column, &bytes) {
                Ok(pair) => return Ok(pair),
                Err(vacant) => vacant,
            };
            if self.count_pair(key) {
                return Ok(self.pairs.insert(vacant, column, &bytes));
            }
        }
        let seed = self.keys[key as usize].seed;
        Err(hash::of_value(seed, &number::value(value_type, number)))
    }

    /// Counts one more pair of the key; false when those were too many.
    fn count_pair(&mut self, key: u32) -> bool {
        let key = &mut self.keys[key as usize];
        key.pairs += 1;
        key.high |= key.pairs > PAIRS_PER_KEY_MAX;
        !key.high
    }

    /// Appends the filter hashes of the high values that the block met.
    pub(crate) fn put_high_hashes(&self, hashes: &mut Vec<u64>) {
        let highs = 0..self.highs.len() as u32;
        hashes
            .extend(highs.map(|at| self.filter_hash(self.highs.column(at), self.highs.bytes(at))));
    }

    fn filter_hash(&self, column: u32, bytes: &[u8]) -> u64 {
        let RunColumn { key, value_type } = self.column(column);
        let seed = self.keys[key.unwrap_or(UNKNOWN) as usize].seed;
        match value_type {
            ValueType::Str => hash::of_text(seed, bytes),
            ValueType::Bytes => hash::of_value(seed, &Value::Bytes(bytes)),
            ValueType::Any => hash::of_value(seed, &Value::Any(bytes)),
            number => hash::of_value(seed, &number::read(number, bytes)),
        }
    }

    /// The run's shape of a batch's shape.
    #[inline]
    pub(crate) fn shape_of(&mut self, tables: &mut Tables, c: &'a Columns, shape: u32) -> u32 {
        let known = tables.shapes[shape as usize];
        if known != UNKNOWN {
            return known;
        }
        let names = &c.shapes[shape as usize];
        let columns: Box<[u32]> = names
            .iter()
            .map(|&(key, value_type)| self.column_of_key(tables, c, key, value_type))
            .collect();
        let next = self.shapes.len() as u32;
        let found = *self.shape_of.entry_ref(&columns).or_insert(next);
        if found == next {
            self.shapes.push(columns);
        }
        tables.shapes[shape as usize] = found;
        found
    }

    /// The column of a key of a batch, whose shapes share most of their keys.
    fn column_of_key(
        &mut self,
        tables: &mut Tables,
        c: &'a Columns,
        key: u32,
        value_type: ValueType,
    ) -> u32 {
        let known = &mut tables.texts.words[key as usize];
        let as_key = KEYS + value_type as u32;
        if known.column != as_key {
            *known = Known {
                column: as_key,
                word: self.column_of(c.text.get(key), value_type),
            };
        }
        known.word
    }

    fn column_of(&mut self, name: &'a str, value_type: ValueType) -> u32 {
        let next = self.keys.len() as u32;
        let key = *self.key_of.entry(name).or_insert(next);
        if key == next {
            self.keys.push(RunKey {
                name,
                high: false,
                pairs: 0,
                seed: hash::seed(name),
            });
        }
        let next = self.columns.len() as u32;
        let column = *self
            .column_of
            .entry((key, value_type as u8))
            .or_insert(next);
        if column == next {
            self.columns.push(RunColumn {
                key: Some(key),
                value_type,
            });
        }
        column
    }
}

/// A hash of bytes as one of bytes in a column.
fn in_column(hash: u64, column: u32) -> u64 {
    hash ^ u64::from(column).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
