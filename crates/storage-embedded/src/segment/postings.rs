//! Postings: which blocks hold a value of an attribute key. They only narrow a search: the span
//! itself has the last word, so a long value may be cut and a key's levels need not be told apart.
//! Each key has frames of its own: a filter reads its key's, value completion likewise. Of a *high*
//! key, which has too many values to post each, only some are listed, without blocks: its blocks
//! are found by their filters.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;
use tracewell_storage::find::TagCondition;

use super::frame::{FrameRef, FrameWriter};
use crate::codec::{Damaged, Reader, put_text, put_varint};

/// Longer values are posted by their beginning; whoever needs the rest reads the block.
const VALUE_BYTES_MAX: usize = 128;
/// A frame ends after about so many bytes: one value's lookup decodes no more.
const FRAME_BYTES: usize = 16 * 1_024;

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
    /// True when not all of its values are posted.
    pub(crate) high: bool,
    /// Each with the first value in it.
    pub(crate) frames: Vec<(FrameRef, String)>,
}

impl Key {
    /// The frames that may hold a value that satisfies the condition.
    pub(crate) fn frames_for(&self, condition: &TagCondition) -> &[(FrameRef, String)] {
        let TagCondition::Equals(text) = condition else {
            return &self.frames;
        };
        let text = CutText::of(text).text;
        self.frames_between(text, Some(text))
    }

    /// The frames that may hold a value that begins with the prefix.
    pub(crate) fn frames_from(&self, prefix: &str) -> &[(FrameRef, String)] {
        self.frames_between(CutText::of(prefix).text, None)
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

    fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.keys.len() as u64);
        for key in &self.keys {
            put_text(out, &key.name);
            out.push(u8::from(key.high));
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
        for _ in 0..r.count(3)? {
            let (name, high) = (r.text()?.to_owned(), r.byte()? != 0);
            let mut frames = Vec::new();
            for _ in 0..r.count(4)? {
                frames.push((FrameRef::read(&mut r)?, r.text()?.to_owned()));
            }
            table.keys.push(Key { name, high, frames });
        }
        Ok(table)
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

/// A value's text as it is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CutText<'a> {
    pub(crate) text: &'a str,
    /// True when it is only the beginning.
    pub(crate) is_cut: bool,
}

impl<'a> CutText<'a> {
    pub(crate) fn of(text: &'a str) -> CutText<'a> {
        let end = text.floor_char_boundary(VALUE_BYTES_MAX);
        CutText {
            text: text.get(..end).unwrap_or(""),
            is_cut: end < text.len(),
        }
    }
}

/// Writes postings, key by key and value by value, both in order.
#[derive(Debug, Default)]
pub(crate) struct PostingWriter {
    table: KeyTable,
    raw: Vec<u8>,
    /// The first value in `raw`.
    first: String,
}

impl PostingWriter {
    /// Begins the next key.
    pub(crate) fn begin_key(
        &mut self,
        out: &mut FrameWriter<'_>,
        name: &str,
        high: bool,
    ) -> Result<(), Error> {
        self.end_frame(out)?;
        self.table.keys.push(Key {
            name: name.to_owned(),
            high,
            frames: Vec::new(),
        });
        Ok(())
    }

    /// Adds the next value of the key and its blocks, in order.
    pub(crate) fn add(
        &mut self,
        out: &mut FrameWriter<'_>,
        value: CutText<'_>,
        blocks: &[u32],
    ) -> Result<(), Error> {
        if self.raw.is_empty() {
            value.text.clone_into(&mut self.first);
        }
        put_text(&mut self.raw, value.text);
        put_varint(
            &mut self.raw,
            (blocks.len() as u64) << 1 | u64::from(value.is_cut),
        );
        let mut before = 0;
        for &block in blocks {
            put_varint(&mut self.raw, u64::from(block - before));
            before = block;
        }
        if self.raw.len() >= FRAME_BYTES {
            self.end_frame(out)?;
        }
        Ok(())
    }

    /// Writes what is left, and the directory of keys; answers where that lies.
    pub(crate) fn finish(mut self, out: &mut FrameWriter<'_>) -> Result<FrameRef, Error> {
        self.end_frame(out)?;
        let mut raw = Vec::new();
        self.table.put(&mut raw);
        out.put(&raw)
    }

    fn end_frame(&mut self, out: &mut FrameWriter<'_>) -> Result<(), Error> {
        if let (false, Some(key)) = (self.raw.is_empty(), self.table.keys.last_mut()) {
            key.frames
                .push((out.put(&self.raw)?, std::mem::take(&mut self.first)));
            self.raw.clear();
        }
        Ok(())
    }
}
