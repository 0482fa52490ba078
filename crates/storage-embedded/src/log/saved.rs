//! The file `log/groups`: how far each group has come, what was trimmed, what was lost, and how
//! much had been accepted, saved in one piece with each commit.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeMap;

use crate::codec::{Damaged, Reader, put_text, put_varint};

/// A place between two records: the next offset, and the spans accepted before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) next_offset: u64,
    pub(super) accepted: u64,
}

impl Mark {
    /// Whichever comes later.
    pub(super) fn or_later(self, other: Mark) -> Mark {
        if other.next_offset > self.next_offset {
            other
        } else {
            self
        }
    }

    /// What lies between here and there.
    pub(super) fn until(self, end: Mark) -> Loss {
        Loss {
            records: end.next_offset.saturating_sub(self.next_offset),
            spans: end.accepted.saturating_sub(self.accepted),
        }
    }
}

/// What is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    pub(super) records: u64,
    pub(super) spans: u64,
}

impl Loss {
    pub(super) fn add(&mut self, other: Loss) {
        self.records = self.records.saturating_add(other.records);
        self.spans = self.spans.saturating_add(other.spans);
    }
}

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    /// The end of the log when this was saved.
    pub(super) end: Mark,
    /// Everything before it has passed every group and was, or may be, unlinked.
    pub(super) trimmed: Mark,
    /// Losses in what is trimmed.
    pub(super) lost_before: Loss,
    /// Losses in what is held, by the first lost offset: each counts once, however often it is read.
    pub(super) losses: BTreeMap<u64, Loss>,
    /// The last committed offset of each group.
    pub(super) committed: BTreeMap<String, u64>,
}

impl Saved {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in [
            self.end.next_offset,
            self.end.accepted,
            self.trimmed.next_offset,
            self.trimmed.accepted,
            self.lost_before.records,
            self.lost_before.spans,
        ] {
            put_varint(&mut out, number);
        }
        put_varint(&mut out, self.losses.len() as u64);
        for (&offset, loss) in &self.losses {
            [offset, loss.records, loss.spans]
                .iter()
                .for_each(|&number| put_varint(&mut out, number));
        }
        put_varint(&mut out, self.committed.len() as u64);
        for (group, &offset) in &self.committed {
            put_text(&mut out, group);
            put_varint(&mut out, offset);
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Saved, Damaged> {
        let mut r = Reader::new(bytes);
        let mut saved = Saved {
            end: Mark {
                next_offset: r.varint()?,
                accepted: r.varint()?,
            },
            trimmed: Mark {
                next_offset: r.varint()?,
                accepted: r.varint()?,
            },
            lost_before: Loss {
                records: r.varint()?,
                spans: r.varint()?,
            },
            ..Saved::default()
        };
        for _ in 0..r.count(3)? {
            let offset = r.varint()?;
            saved.losses.insert(
                offset,
                Loss {
                    records: r.varint()?,
                    spans: r.varint()?,
                },
            );
        }
        for _ in 0..r.count(2)? {
            let group = r.text()?.to_owned();
            saved.committed.insert(group, r.varint()?);
        }
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_in_and_out() {
        let saved = Saved {
            end: Mark {
                next_offset: 9,
                accepted: 900,
            },
            trimmed: Mark {
                next_offset: 3,
                accepted: 300,
            },
            lost_before: Loss {
                records: 1,
                spans: 2,
            },
            losses: BTreeMap::from([(
                4,
                Loss {
                    records: 1,
                    spans: 100,
                },
            )]),
            committed: BTreeMap::from([("stats".to_owned(), 7)]),
        };
        assert_eq!(Saved::decode(&saved.encode()), Ok(saved));
        assert!(Saved::decode(&[1, 2]).is_err());
    }
}
