//! The distinct values of a run: what postings and block filters are made of. A *pair* is a key
//! with one of its values; a key with more of them than `PAIRS_PER_KEY_MAX` is *high*: its values
//! are found by a filter per block instead of by postings.
//!
//! Values are met while blocks are written, so whether a key is high is known after the last block:
//! pairs of a key that became high are then to be put into the filters of the blocks that posted
//! them, by their hash.

use std::borrow::Cow;

use hashbrown::HashMap;
use tracewell_model::{Attribute, SpanBatch};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// Distinct values of one key that are posted one by one.
pub(crate) const PAIRS_PER_KEY_MAX: u32 = 2_048;

/// What a block's filter knows of a value, by its text form; for whoever asks a filter.
pub(crate) fn filter_hash(key: &str, text: &str) -> u64 {
    xxh3_64_with_seed(text.as_bytes(), xxh3_64(key.as_bytes()))
}

/// A key of the run's attributes, of whatever level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunKey<'a> {
    pub(crate) name: &'a str,
    /// True when it has more than `PAIRS_PER_KEY_MAX` distinct values.
    pub(crate) high: bool,
}

/// A key with one of its values. Two pairs of a key may have one text: `500` and `"500"`.
#[derive(Clone, Debug)]
pub(crate) struct Pair<'a> {
    /// Position in the keys.
    pub(crate) key: u32,
    /// The value's text form, whole.
    pub(crate) text: Cow<'a, str>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct RunValues<'a> {
    keys: Vec<RunKey<'a>>,
    pairs: Vec<Pair<'a>>,
    groups: Vec<(&'a str, &'a str)>,
    key_of: HashMap<&'a str, u32>,
    pair_of: HashMap<(u32, Cow<'a, str>), u32>,
    pairs_of_key: Vec<u32>,
    group_of: HashMap<(&'a str, &'a str), u32>,
}

/// What an attribute is in the run.
pub(super) enum Met {
    Pair(u32),
    High(u64),
}

impl<'a> RunValues<'a> {
    /// Of a run of these batches.
    pub(crate) fn new(_batches: &[&'a SpanBatch]) -> Self {
        RunValues::default()
    }

    /// All keys met so far.
    pub(crate) fn keys(&self) -> &[RunKey<'a>] {
        &self.keys
    }

    /// How many pairs were met so far.
    pub(crate) fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    /// A pair, by its number.
    pub(crate) fn pair(&self, pair: u32) -> Pair<'a> {
        self.pairs[pair as usize].clone()
    }

    /// Distinct (service, operation) met so far, by number.
    pub(crate) fn groups(&self) -> Vec<(&'a str, &'a str)> {
        self.groups.clone()
    }

    pub(super) fn group(&mut self, service: &'a str, operation: &'a str) -> u32 {
        let next = self.groups.len() as u32;
        let group = *self.group_of.entry((service, operation)).or_insert(next);
        if group == next {
            self.groups.push((service, operation));
        }
        group
    }

    pub(super) fn meet(&mut self, attribute: Attribute<'a>) -> Met {
        let next = self.keys.len() as u32;
        let key = *self.key_of.entry(attribute.key).or_insert(next);
        if key == next {
            self.keys.push(RunKey {
                name: attribute.key,
                high: false,
            });
            self.pairs_of_key.push(0);
        }
        let text = attribute.value.text();
        if !self.keys[key as usize].high {
            if let Some(&pair) = self.pair_of.get(&(key, text.clone())) {
                return Met::Pair(pair);
            }
            self.pairs_of_key[key as usize] += 1;
            if self.pairs_of_key[key as usize] <= PAIRS_PER_KEY_MAX {
                let pair = self.pairs.len() as u32;
                self.pair_of.insert((key, text.clone()), pair);
                self.pairs.push(Pair { key, text });
                return Met::Pair(pair);
            }
            self.keys[key as usize].high = true;
        }
        Met::High(filter_hash(attribute.key, &text))
    }
}
