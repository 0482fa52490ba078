//! What blocks posted while they were written, brought into the order of the file: by key, by
//! value, by block.

use std::borrow::Cow;

use tracewell_storage::Error;

use super::filter::FilterWriter;
use super::frame::FrameWriter;
use super::postings::{CutText, PostingWriter};
use super::values::RunValues;

/// Values of a high key that are listed all the same, so that completion has some to offer.
pub(super) const SAMPLES_MAX: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct PostedPairs {
    /// Pairs with the block that has them, by block.
    posted: Vec<(u32, u32)>,
}

/// A posted value of a key.
struct PostedValue<'a> {
    text: Cow<'a, str>,
    pair: u32,
}

impl PostedValue<'_> {
    fn cut(&self) -> CutText<'_> {
        CutText::of(&self.text)
    }
}

impl PostedPairs {
    /// Takes in the pairs of the next block.
    pub(crate) fn add(&mut self, block: u32, pairs: &[u32]) {
        self.posted.extend(pairs.iter().map(|&pair| (pair, block)));
    }

    pub(crate) fn clear(&mut self) {
        self.posted.clear();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.posted.capacity() * size_of::<(u32, u32)>()
    }

    /// Writes the postings of the low keys, and samples of the high ones. What was posted of a key
    /// before it became high goes into filters instead, so that each of its values is in one.
    pub(crate) fn write(
        &self,
        values: &RunValues<'_>,
        out: &mut FrameWriter<'_>,
        postings: &mut PostingWriter,
        filters: &mut FilterWriter,
    ) -> Result<(), Error> {
        let blocks = PairBlocks::new(&self.posted, values.pair_count());
        let mut keys: Vec<_> = values.keys().iter().map(|key| (key, Vec::new())).collect();
        for pair in (0..values.pair_count() as u32).filter(|&pair| !blocks.of(pair).is_empty()) {
            keys[values.key_of_pair(pair) as usize].1.push(pair);
        }
        keys.sort_unstable_by_key(|(key, _)| key.name);
        // By block. The rare equal text of another type is left to who builds the filter.
        let blocks_end = self
            .posted
            .last()
            .map_or(0, |&(_, block)| block as usize + 1);
        let mut late = vec![Vec::new(); blocks_end];
        for (key, mut pairs) in keys {
            postings.begin_key(out, key.name, key.high)?;
            if key.high {
                for &pair in &pairs {
                    let hash = values.hash_of_pair(pair);
                    let blocks = blocks.of(pair).iter();
                    blocks.for_each(|&block| late[block as usize].push(hash));
                }
                pairs.truncate(SAMPLES_MAX);
            }
            let posted = pairs.into_iter().map(|pair| PostedValue {
                text: values.text_of_pair(pair),
                pair,
            });
            let mut posted: Vec<_> = posted.collect();
            if key.high {
                posted.retain(|value| !value.cut().is_cut);
            }
            posted.sort_unstable_by(|a, b| a.cut().cmp(&b.cut()));
            let blocks_of = |pair| if key.high { &[] } else { blocks.of(pair) };
            write_values(&posted, blocks_of, out, postings)?;
        }
        for (block, hashes) in (0..).zip(&late) {
            filters.add(out, block, hashes)?;
        }
        Ok(())
    }
}

/// Writes the values of a key; those with one text are one.
fn write_values<'b>(
    values: &[PostedValue<'_>],
    blocks_of: impl Fn(u32) -> &'b [u32],
    out: &mut FrameWriter<'_>,
    postings: &mut PostingWriter,
) -> Result<(), Error> {
    let mut united = Vec::new();
    for equal in values.chunk_by(|a, b| a.cut() == b.cut()) {
        let text = equal[0].cut();
        if let [value] = equal {
            postings.add(out, text, blocks_of(value.pair))?;
            continue;
        }
        united.clear();
        united.extend(equal.iter().flat_map(|value| blocks_of(value.pair)));
        united.sort_unstable();
        united.dedup();
        postings.add(out, text, &united)?;
    }
    Ok(())
}

/// The blocks of each pair, in order.
struct PairBlocks {
    ends: Vec<u32>,
    blocks: Vec<u32>,
}

impl PairBlocks {
    fn new(posted: &[(u32, u32)], pairs: usize) -> PairBlocks {
        let mut ends = vec![0u32; pairs];
        for &(pair, _) in posted {
            ends[pair as usize] += 1;
        }
        // Counting sort: `ends` becomes each pair's start, and its end once all are placed.
        let mut before = 0;
        for end in &mut ends {
            before += std::mem::replace(end, before);
        }
        let mut blocks = vec![0; posted.len()];
        for &(pair, block) in posted {
            let place = &mut ends[pair as usize];
            blocks[*place as usize] = block;
            *place += 1;
        }
        PairBlocks { ends, blocks }
    }

    fn of(&self, pair: u32) -> &[u32] {
        let at = pair as usize;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.blocks[from as usize..self.ends[at] as usize]
    }
}
