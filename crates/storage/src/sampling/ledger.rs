//! Sampling where nobody has all traces at hand: what the samplers of a cluster need of its engines.
//! Each decides about the partitions of the log that it owns, out of the stream of their records; what
//! was decided is in a ledger, which they share, and is carried out by erasers afterwards.

use std::collections::HashSet;

use tracewell_model::TraceId;

use super::{Books, Dropped, HealthyShare, Kept, Verdict};
use crate::error::Error;
use crate::varint::{Reader, put};

/// How far sampling has come in a partition of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of its last round.
    pub round: u64,
    /// Rounds up to this one are carried out.
    pub carried_out: u64,
    /// Every trace that begins at or before this position is decided, and whoever takes the partition
    /// over has to read what follows only.
    pub durable: u64,
    /// Every trace whose last span arrived by then is decided.
    pub through_unix_ns: u64,
    /// Partitions that the log had.
    pub partitions: u64,
    /// Of traces that begin before this, spans may be where the partition's owner does not see them.
    pub unseen_until_ns: u64,
    /// Of all rounds.
    pub books: Books,
}

/// What was decided at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Its number: 1 more than that of the round before.
    pub number: u64,
    /// When.
    pub at_unix_ns: u64,
    /// The last position that was known of: spans after it had no part in this.
    pub read: u64,
    /// The stores had all spans of what is dropped before this; spans that they got later came later.
    pub as_of_unix_ns: u64,
    /// Each trace once.
    pub decided: Vec<Decided>,
}

/// A trace, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The trace.
    pub trace_id: TraceId,
    /// What was decided.
    pub verdict: Verdict,
    /// When the first and the last of its spans arrived.
    pub arrived_unix_ns: (u64, u64),
}

/// Where rounds are written down.
///
/// Contract:
/// * `write` takes a round only if the partition's last one has the number before: of two who think
///   that a partition is theirs, one is told false, nothing of its round is there, and it reads what
///   the other decided. Progress and round are written together or not at all.
/// * After `write` returned true both survive a crash, and everyone reads them. After an error it is not
///   known whether they are there.
/// * Rounds are remembered for at least four live windows and an hour.
pub trait Ledger: Send + Sync {
    /// How far a partition is, and its rounds after this one, oldest first; none before the first.
    fn read(&self, partition: u32, after: u64) -> Result<Option<(Progress, Vec<Round>)>, Error>;

    /// Writes `progress`, and the round of its number if anything was decided in it.
    fn write(
        &self,
        partition: u32,
        progress: &Progress,
        round: Option<&Round>,
    ) -> Result<bool, Error>;

    /// How far every partition is.
    fn read_all(&self) -> Result<Vec<(u32, Progress)>, Error>;

    /// Notes why traces are kept, for as long as they are.
    fn note_kept(&self, kept: &[(TraceId, Kept)]) -> Result<(), Error>;

    /// What was noted of these, in their order.
    fn why_kept(&self, ids: &[TraceId]) -> Result<Vec<Option<Kept>>, Error>;

    /// Someone opened this trace.
    fn pin(&self, id: TraceId, at_unix_ns: u64) -> Result<(), Error>;

    /// The traces that were opened since then, about.
    fn pinned(&self, since_unix_ns: u64) -> Result<HashSet<TraceId>, Error>;
}

/// Spans of a trace that are to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erased {
    /// The trace.
    pub trace_id: TraceId,
    /// When the first and the last of its spans arrived.
    pub arrived_unix_ns: (u64, u64),
    /// What the store got later stays.
    pub as_of_unix_ns: u64,
}

/// A store that dropped traces are taken out of. Repeating it does no harm.
pub trait Eraser: Send + Sync {
    /// After this returned Ok no reader sees them.
    fn erase(&self, traces: &[Erased]) -> Result<(), Error>;
}

/// How far a partition is that this process owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The partition.
    pub partition: u32,
    /// All that was in it when the look began was delivered.
    pub is_at_end: bool,
    /// Every store has the records up to here.
    pub stored: u64,
    /// The position of its last record. What was read beyond it was of a log that was made anew since.
    pub end: u64,
}

/// Looks at the log.
pub trait Reach: Send + Sync {
    /// Partitions that the log has. Where they are more than before, traces lie in two of them.
    fn partitions(&self) -> u64;

    /// The partitions that this process owns now. Beside them, records that the log lost so far before
    /// they came to it.
    fn look(&self) -> Result<(Vec<Reached>, u64), Error>;
}

/// Traces that another source knows to have failed.
pub trait KnownErrors: Send + Sync {
    /// Which of these, in their order. An error means that nobody knows.
    fn have_failed(&self, ids: &[TraceId]) -> Result<Vec<bool>, Error>;
}

/// What comes first in the bytes of a [`Progress`].
const VERSION: u64 = 1;

impl Progress {
    /// As bytes, but for its round, which stands beside them.
    pub fn encode(&self) -> Vec<u8> {
        let Books {
            kept,
            dropped,
            kept_spans,
            dropped_spans,
            share,
            positions: _,
        } = &self.books;
        let mut out = Vec::new();
        let head = [
            VERSION,
            self.carried_out,
            self.durable,
            self.through_unix_ns,
            self.partitions,
            self.unseen_until_ns,
        ];
        head.into_iter().for_each(|number| put(&mut out, number));
        for counts in [&kept[..], &dropped[..]] {
            put(&mut out, counts.len() as u64);
            counts.iter().for_each(|&count| put(&mut out, count));
        }
        let tail = [
            *kept_spans,
            *dropped_spans,
            share.window,
            share.healthy,
            share.kept,
        ];
        tail.into_iter().for_each(|number| put(&mut out, number));
        out
    }

    /// From bytes; none if they are damaged or of a newer version.
    pub fn decode(round: u64, bytes: &[u8]) -> Option<Progress> {
        let mut r = Reader(bytes);
        let is_known = r.number()? == VERSION;
        is_known.then_some(())?;
        let mut progress = Progress {
            round,
            carried_out: r.number()?,
            durable: r.number()?,
            through_unix_ns: r.number()?,
            partitions: r.number()?,
            unseen_until_ns: r.number()?,
            books: Books::default(),
        };
        let books = &mut progress.books;
        for counts in [&mut books.kept[..], &mut books.dropped[..]] {
            let length = usize::try_from(r.number()?).ok()?;
            let known = counts.get_mut(..length)?;
            for count in known {
                *count = r.number()?;
            }
        }
        books.kept_spans = r.number()?;
        books.dropped_spans = r.number()?;
        books.share = HealthyShare {
            window: r.number()?,
            healthy: r.number()?,
            kept: r.number()?,
        };
        Some(progress)
    }
}

/// Codes of drops begin here, those of kept traces at 0.
const DROP: u8 = 0x80;
/// An id, a code, two times.
const DECIDED_BYTES: usize = 16 + 1 + 8 + 8;

impl Decided {
    /// As bytes, all of the same length.
    pub fn encode(decided: &[Decided]) -> Vec<u8> {
        let mut out = Vec::with_capacity(decided.len() * DECIDED_BYTES);
        for one in decided {
            out.extend_from_slice(&one.trace_id.0);
            out.push(match one.verdict {
                Verdict::Keep(reason) => reason as u8,
                Verdict::Drop(reason) => DROP | reason as u8,
            });
            out.extend_from_slice(&one.arrived_unix_ns.0.to_le_bytes());
            out.extend_from_slice(&one.arrived_unix_ns.1.to_le_bytes());
        }
        out
    }

    /// From bytes; none if they are damaged.
    pub fn decode(bytes: &[u8]) -> Option<Vec<Decided>> {
        let read = |entry: &[u8]| {
            let mut r = Reader(entry);
            Some(Decided {
                trace_id: TraceId::from_slice(r.take(16)?)?,
                verdict: verdict(r.byte()?),
                arrived_unix_ns: (
                    u64::from_le_bytes(r.eight()?),
                    u64::from_le_bytes(r.eight()?),
                ),
            })
        };
        let entries = bytes.chunks(DECIDED_BYTES);
        entries.map(read).collect()
    }
}

/// Of a code. A later release may know more of them: what they are is kept.
fn verdict(code: u8) -> Verdict {
    let dropped = Dropped::ALL.get(usize::from(code & !DROP));
    match dropped.filter(|_| code & DROP != 0) {
        Some(reason) => Verdict::Drop(*reason),
        None => Verdict::Keep(Kept::of_code(code)),
    }
}

impl Kept {
    /// The reason of a code, which is its place in [`Kept::ALL`]. A later release may know more.
    pub fn of_code(code: u8) -> Kept {
        let reason = Kept::ALL.get(usize::from(code)).copied();
        reason.unwrap_or(Kept::TooFewSamples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_read_back_and_damage_is_noticed() {
        let mut progress = Progress {
            round: 7,
            carried_out: 6,
            durable: 1_000,
            through_unix_ns: u64::MAX,
            partitions: 12,
            unseen_until_ns: 77,
            ..Progress::default()
        };
        progress.books.count(Verdict::Keep(Kept::LateOutlier), 5);
        progress
            .books
            .count(Verdict::Drop(Dropped::ShareUsedUp), 300);
        progress.books.share.healthy = 9;
        let bytes = progress.encode();
        assert_eq!(Progress::decode(7, &bytes), Some(progress));
        assert_eq!(Progress::decode(7, &bytes[..bytes.len() - 1]), None);
        assert_eq!(Progress::decode(7, &[2]), None, "a newer one");

        let verdicts = Kept::ALL.map(Verdict::Keep).into_iter();
        let verdicts = verdicts.chain(Dropped::ALL.map(Verdict::Drop));
        let decided: Vec<_> = (1..)
            .zip(verdicts)
            .map(|(number, verdict)| Decided {
                trace_id: TraceId([number; 16]),
                verdict,
                arrived_unix_ns: (u64::from(number), u64::MAX),
            })
            .collect();
        let bytes = Decided::encode(&decided);
        assert_eq!(Decided::decode(&bytes), Some(decided));
        assert_eq!(Decided::decode(&bytes[..bytes.len() - 1]), None);
    }
}
