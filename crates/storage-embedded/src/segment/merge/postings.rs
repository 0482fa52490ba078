//! The postings, key by key and value by value. A key that is high in one source is high in all of
//! it: what others posted stays posted, beside the filters of that one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::source::Source;
use super::{Failure, Watch};
use crate::segment::frame::FrameRef;
use crate::segment::index::IndexWriter;
use crate::segment::posted::SAMPLES_MAX;
use crate::segment::postings::{CutText, Key, KeyTable, Posting};

pub(super) fn merge(
    sources: &[Source<'_>],
    index: &mut IndexWriter<'_>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    let mut tables: Vec<KeyTable> = Vec::with_capacity(sources.len());
    for source in sources {
        tables.push(
            source
                .index
                .read_keys()
                .map_err(|error| source.blame(error))?,
        );
    }
    let mut keys: BTreeMap<&str, Vec<(usize, &Key)>> = BTreeMap::new();
    for (number, table) in tables.iter().enumerate() {
        for key in &table.keys {
            keys.entry(&key.name).or_default().push((number, key));
        }
    }
    for (name, of_sources) in keys {
        watch.check()?;
        let high = of_sources.iter().any(|(_, key)| key.high);
        index.postings.begin_key(&mut index.out, name, high)?;
        merge_key(sources, &of_sources, high, index)?;
    }
    Ok(())
}

fn merge_key(
    sources: &[Source<'_>],
    of_sources: &[(usize, &Key)],
    high: bool,
    index: &mut IndexWriter<'_>,
) -> Result<(), Failure> {
    let mut heap = BinaryHeap::new();
    for &(number, key) in of_sources {
        let mut reading = Reading {
            source: &sources[number],
            frames: &key.frames,
            postings: Vec::new().into_iter(),
        };
        heap.extend(
            reading
                .next()?
                .map(|posting| Reverse(Next::new(posting, number, reading))),
        );
    }
    let (mut blocks, mut samples) = (Vec::new(), 0);
    while let Some(Reverse(first)) = heap.pop() {
        blocks.clear();
        let (text, is_cut) = (first.text.clone(), first.is_cut);
        let mut next = Some(first);
        while let Some(same) = next {
            same.take_blocks(&mut blocks);
            heap.extend(same.advance()?.map(Reverse));
            let is_same =
                |Reverse(next): &Reverse<Next<'_>>| next.text == text && next.is_cut == is_cut;
            next = heap
                .peek()
                .is_some_and(is_same)
                .then(|| heap.pop())
                .flatten()
                .map(|next| next.0);
        }
        let text = CutText {
            text: &text,
            is_cut,
        };
        let is_sample = high && blocks.is_empty() && samples < SAMPLES_MAX;
        samples += usize::from(is_sample);
        if is_sample || !blocks.is_empty() {
            index.postings.add(&mut index.out, text, &blocks)?;
        }
    }
    Ok(())
}

/// A source's postings of a key, read frame by frame.
struct Reading<'a> {
    source: &'a Source<'a>,
    frames: &'a [(FrameRef, String)],
    postings: std::vec::IntoIter<Posting>,
}

impl Reading<'_> {
    fn next(&mut self) -> Result<Option<Posting>, Failure> {
        loop {
            if let Some(posting) = self.postings.next() {
                return Ok(Some(posting));
            }
            let Some(((frame, _), rest)) = self.frames.split_first() else {
                return Ok(None);
            };
            let frame = self.source.index.read_postings(frame);
            let frame = frame.map_err(|error| self.source.blame(error))?;
            (self.frames, self.postings) = (rest, frame.postings.into_iter());
        }
    }
}

/// The next value of a source, and what follows it.
struct Next<'a> {
    text: String,
    is_cut: bool,
    blocks: Vec<u32>,
    /// Its number: blocks of one are before those of the next.
    source: usize,
    reading: Reading<'a>,
}

impl<'a> Next<'a> {
    fn new(posting: Posting, source: usize, reading: Reading<'a>) -> Self {
        Next {
            text: posting.text,
            is_cut: posting.cut,
            blocks: posting.blocks,
            source,
            reading,
        }
    }

    /// Appends its blocks, but for those that were left behind.
    fn take_blocks(&self, blocks: &mut Vec<u32>) {
        let first = self.blocks.first().copied().unwrap_or(0);
        let mut moved = self.reading.source.stretches.blocks.from(first);
        blocks.extend(self.blocks.iter().filter_map(|&block| moved.moved(block)));
    }

    fn advance(mut self) -> Result<Option<Self>, Failure> {
        let Some(posting) = self.reading.next()? else {
            return Ok(None);
        };
        if (posting.text.as_str(), posting.cut) <= (self.text.as_str(), self.is_cut) {
            return Err(self.reading.source.misfit("its values do not ascend"));
        }
        Ok(Some(Next::new(posting, self.source, self.reading)))
    }

    fn order(&self) -> (&str, bool, usize) {
        (&self.text, self.is_cut, self.source)
    }
}

impl Ord for Next<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Next<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next<'_> {}
