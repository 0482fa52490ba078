//! Postings: which blocks hold a value of an attribute key. They only narrow a search: the span
//! itself has the last word, so a long value may be cut and a key's levels need not be told apart.
//! Each key has frames of its own: a filter reads its key's, value completion likewise.
#![warn(clippy::indexing_slicing)]

use std::borrow::Cow;

use hashbrown::{HashMap, HashSet};
use tracewell_model::{SpanBatch, SpanRef};
use tracewell_storage::find::TagCondition;

use super::frame::FrameRef;
use crate::codec::{Damaged, Reader, put_text, put_varint};

/// Longer values are posted by their beginning; whoever needs the rest reads the block.
pub(crate) const VALUE_BYTES_MAX: usize = 1_024;
/// A frame ends after about so many bytes: one value's lookup decodes no more.
pub(crate) const FRAME_BYTES: usize = 16 * 1_024;

/// A value and the blocks that hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) text: String,
    /// True when `text` is only the beginning.
    pub(crate) cut: bool,
    pub(crate) blocks: Vec<u32>,
}

impl Posting {
    /// True when a value of this posting may satisfy the condition.
    pub(crate) fn may_hold(&self, condition: &TagCondition) -> bool {
        match condition {
            TagCondition::Exists => true,
            TagCondition::Equals(text) if self.cut => text.starts_with(&self.text),
            TagCondition::Equals(text) => *text == self.text,
            TagCondition::NotEquals(text) => self.cut || *text != self.text,
            TagCondition::Matches(regex) => self.cut || regex.is_match(&self.text),
        }
    }
}

/// A decoded frame.
#[derive(Debug)]
pub(crate) struct PostingFrame {
    pub(crate) postings: Vec<Posting>,
}

impl PostingFrame {
    pub(crate) fn memory_bytes(&self) -> usize {
        let one = |posting: &Posting| 56 + posting.text.len() + posting.blocks.len() * 4;
        self.postings.iter().map(one).sum()
    }
}

/// A key, and the frames of its values.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// Each with the first value in it.
    pub(crate) frames: Vec<(FrameRef, String)>,
}

impl Key {
    /// The frames that may hold a value that satisfies the condition.
    pub(crate) fn frames_for(&self, condition: &TagCondition) -> &[(FrameRef, String)] {
        let TagCondition::Equals(text) = condition else {
            return &self.frames;
        };
        self.frames_between(cut(text).0, Some(cut(text).0))
    }

    /// The frames that may hold a value that begins with the prefix.
    pub(crate) fn frames_from(&self, prefix: &str) -> &[(FrameRef, String)] {
        self.frames_between(cut(prefix).0, None)
    }

    fn frames_between(&self, from: &str, to: Option<&str>) -> &[(FrameRef, String)] {
        // A cut and a whole value may have one text, on both sides of a frame's end.
        let first = self
            .frames
            .partition_point(|(_, value)| value.as_str() < from);
        let end = to.map_or(self.frames.len(), |to| {
            self.frames
                .partition_point(|(_, value)| value.as_str() <= to)
        });
        self.frames.get(first.saturating_sub(1)..end).unwrap_or(&[])
    }
}

/// The directory of keys, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    pub(crate) keys: Vec<Key>,
}

impl KeyTable {
    pub(crate) fn find(&self, name: &str) -> Option<&Key> {
        let at = self
            .keys
            .binary_search_by(|key| key.name.as_str().cmp(name))
            .ok()?;
        self.keys.get(at)
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let frames = |key: &Key| {
            key.frames
                .iter()
                .map(|(_, first)| 48 + first.len())
                .sum::<usize>()
        };
        self.keys
            .iter()
            .map(|key| 48 + key.name.len() + frames(key))
            .sum()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.keys.len() as u64);
        for key in &self.keys {
            put_text(out, &key.name);
            put_varint(out, key.frames.len() as u64);
            for (frame, first) in &key.frames {
                frame.put(out);
                put_text(out, first);
            }
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<KeyTable, Damaged> {
        let mut r = Reader::new(bytes);
        let mut table = KeyTable::default();
        for _ in 0..r.count(2)? {
            let name = r.text()?.to_owned();
            let mut frames = Vec::new();
            for _ in 0..r.count(4)? {
                frames.push((FrameRef::read(&mut r)?, r.text()?.to_owned()));
            }
            table.keys.push(Key { name, frames });
        }
        Ok(table)
    }
}

pub(crate) fn put_posting(out: &mut Vec<u8>, text: &str, cut: bool, blocks: &[u32]) {
    put_text(out, text);
    put_varint(out, (blocks.len() as u64) << 1 | u64::from(cut));
    let mut before = 0;
    for &block in blocks {
        put_varint(out, u64::from(block - before));
        before = block;
    }
}

pub(crate) fn read_frame(bytes: &[u8]) -> Result<PostingFrame, Damaged> {
    let mut r = Reader::new(bytes);
    let mut postings = Vec::new();
    while r.remaining() > 0 {
        let text = r.text()?.to_owned();
        let packed = r.varint()?;
        let mut blocks = Vec::new();
        let mut block = 0u32;
        for _ in 0..packed >> 1 {
            block = block
                .checked_add(r.u32()?)
                .ok_or(Damaged("block of a posting"))?;
            blocks.push(block);
        }
        postings.push(Posting {
            text,
            cut: packed & 1 == 1,
            blocks,
        });
    }
    Ok(PostingFrame { postings })
}

/// The beginning of a value as it is posted, and whether something was cut.
fn cut(text: &str) -> (&str, bool) {
    if text.len() <= VALUE_BYTES_MAX {
        return (text, false);
    }
    let mut end = VALUE_BYTES_MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text.get(..end).unwrap_or(""), true)
}

/// A value as it is posted.
type Value<'a> = (Cow<'a, str>, bool);

/// A key with its values and their blocks.
type PostedKey<'a> = (&'a str, Vec<(Value<'a>, Vec<u32>)>);

/// Marks the position; true the first time.
fn is_first(marked: &mut [bool], position: u32) -> bool {
    let mark = marked.get_mut(position as usize);
    mark.is_some_and(|mark| !std::mem::replace(mark, true))
}

/// Gathers postings while a segment is sealed.
#[derive(Debug, Default)]
pub(crate) struct PostingBuilder<'a> {
    keys: HashMap<&'a str, HashMap<Value<'a>, Vec<u32>>>,
    /// What was posted for the present block, by (key, type, word) of its batch.
    seen: HashSet<(u32, u8, u64)>,
}

impl<'a> PostingBuilder<'a> {
    /// Posts all attributes of these spans, which are those of this block; blocks come in order.
    /// A value is posted once a block: the block's batch names equal values by one word, so that
    /// texts are hashed only where they are new to it.
    pub(crate) fn add(&mut self, spans: &[SpanRef<'a>], batch: &SpanBatch, block: u32) {
        let columns = batch.columns();
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        let mut words = columns.values.iter();
        let shapes = columns.shape.iter().zip(&columns.event_shape);
        for (span, (&own, &event)) in spans.iter().zip(shapes) {
            let names = [own, event].map(|shape| columns.shapes.get(shape as usize));
            let names = names.into_iter().flatten().flatten();
            for (at, (&(key, value_type), &word)) in names.zip(words.by_ref()).enumerate() {
                if seen.insert((key, value_type as u8, word)) {
                    span.attribute(at)
                        .into_iter()
                        .for_each(|a| self.post(a, block));
                }
            }
        }
        self.seen = seen;
        let mut resources = vec![false; columns.resources.len()];
        let mut scopes = vec![false; columns.scopes.len()];
        let origins = columns.resource.iter().zip(&columns.scope);
        for (span, (&resource, &scope)) in spans.iter().zip(origins) {
            if is_first(&mut resources, resource) {
                let attributes = span.resource().attributes();
                attributes.for_each(|attribute| self.post(attribute, block));
            }
            if is_first(&mut scopes, scope) {
                let attributes = span.scope().attributes();
                attributes.for_each(|attribute| self.post(attribute, block));
            }
        }
    }

    fn post(&mut self, attribute: tracewell_model::Attribute<'a>, block: u32) {
        let value = match attribute.value.text() {
            Cow::Borrowed(text) => {
                let (text, is_cut) = cut(text);
                (Cow::Borrowed(text), is_cut)
            }
            Cow::Owned(mut text) => {
                let (length, is_cut) = (cut(&text).0.len(), cut(&text).1);
                text.truncate(length);
                (Cow::Owned(text), is_cut)
            }
        };
        let blocks = self
            .keys
            .entry(attribute.key)
            .or_default()
            .entry(value)
            .or_default();
        if blocks.last() != Some(&block) {
            blocks.push(block);
        }
    }

    /// Everything posted: keys sorted, values sorted.
    pub(crate) fn finish(self) -> Vec<PostedKey<'a>> {
        let mut keys: Vec<_> = self
            .keys
            .into_iter()
            .map(|(key, values)| {
                let mut values: Vec<_> = values.into_iter().collect();
                values.sort_unstable();
                (key, values)
            })
            .collect();
        keys.sort_unstable_by_key(|(key, _)| *key);
        keys
    }
}
