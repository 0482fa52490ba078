//! What is to be merged with what. Pure, as retention is; `compact` does it.
//!
//! Only neighbours in order of arrival are merged, of one window (a day, or less where retention
//! is short), so that what a merge makes still goes in time as a whole; and only with their like:
//! segments whose index is gone with others whose is gone, and those the sampler has decided about
//! with their like, so that its live window (D21) never waits for what came after.
//!
//! While spans come in, as many are gathered as make a full segment, 8 M spans: at full rate each span
//! is copied once. Small ones are merged also when there are many of them. When nothing comes any more,
//! in the present window or in one that is over, what is left is merged too.
//! Whoever outweighs the others twice is not copied for their sake, so a segment grows by half at
//! least whenever it is copied, and the count of those that are left is a logarithm.
//!
//! Before all that come segments of which the sampler drops a good part, alone if need be: they are
//! copied without it.

use std::ops::Range;

use crate::segment::meta::SegmentMeta;

/// What a merge aims at, in spans.
const FULL: u64 = 8 << 20;
/// No merge is larger.
const WEIGHT_MAX: u64 = 3 * FULL;

/// Dropping less than this part of a segment is not worth copying the rest: it goes when the segment
/// is merged.
const DROPPED_PART: u64 = 8;

/// What a merge keeps in memory of a fragment is worth so many spans: 1.5 M fragments at most, each
/// of them some 50 bytes.
const FRAGMENT_WEIGHT: u64 = 16;
/// Names and keys are in memory as a whole: 48 MiB at most.
const TABLE_BYTES_PER_WEIGHT: u64 = 2;
/// Both inputs and output are on disk for a while: 6 GiB at most.
const BYTES_PER_WEIGHT: u64 = 256;

/// A segment as the policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: u64,
    pub(super) spans: u64,
    /// What merging it takes, in spans.
    pub(super) weight: u64,
    /// Of its spans, those of traces that are dropped and still there.
    pub(super) dropped: u64,
    pub(super) party: Party,
}

/// Whose members may be merged with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Party {
    pub(super) window: u64,
    pub(super) has_index: bool,
    /// By the sampler.
    pub(super) is_decided: bool,
}

impl Candidate {
    /// With so many bytes of names and keys, about which nothing is decided and nothing dropped.
    pub(super) fn of(meta: &SegmentMeta, table_bytes: u64, window_ns: u64) -> Candidate {
        let weights = [
            meta.spans,
            meta.fragments * FRAGMENT_WEIGHT,
            table_bytes / TABLE_BYTES_PER_WEIGHT,
            (meta.data_bytes + meta.index_bytes) / BYTES_PER_WEIGHT,
        ];
        Candidate {
            id: meta.id,
            spans: meta.spans,
            weight: weights.into_iter().fold(1, u64::max),
            dropped: 0,
            party: Party {
                window: meta.arrived_min_unix_ns / window_ns.max(1),
                has_index: meta.has_index(),
                is_decided: false,
            },
        }
    }
}

/// Where in these, which are by arrival, the next segments to merge stand; none: nothing is to be
/// done. Of small ones `many` are enough.
pub(super) fn pick(all: &[Candidate], is_quiet: bool, many: usize) -> Option<Range<usize>> {
    if let Some(thinned) = thinned(all) {
        return Some(thinned);
    }
    let mut from = 0;
    for party in parties(all) {
        let next = all.get(from + party.len());
        let is_over =
            is_quiet || next.is_some_and(|next| next.party.window != all[from].party.window);
        let picked = match is_over {
            true => alike(party, FULL, 2),
            false => full(party).or_else(|| alike(party, FULL / 4, many)),
        };
        if let Some(picked) = picked {
            return Some(from + picked.start..from + picked.end);
        }
        from += party.len();
    }
    None
}

/// What a merge may still take in once nothing comes any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsettled {
    pub(super) segments: usize,
    pub(super) spans: u64,
}

impl Unsettled {
    pub(super) fn of(all: &[Candidate]) -> Unsettled {
        /// What a merge made before, in thought: its members are counted.
        const MADE: u64 = 0;
        let mut open = Unsettled::default();
        for party in parties(all) {
            let mut left = party.to_vec();
            while let Some(picked) = alike(&left, FULL, 2) {
                let members = &left[picked.clone()];
                let new = members.iter().filter(|member| member.id != MADE);
                open.segments += new.clone().count();
                open.spans += new.map(|member| member.spans).sum::<u64>();
                let made = Candidate {
                    id: MADE,
                    weight: weight_of(members),
                    ..members[0]
                };
                left.splice(picked, [made]);
            }
        }
        open
    }
}

fn parties(all: &[Candidate]) -> impl Iterator<Item = &[Candidate]> {
    all.chunk_by(|a, b| a.party == b.party)
}

fn weight_of(members: &[Candidate]) -> u64 {
    members.iter().map(|member| member.weight).sum()
}

/// The oldest neighbours of which a good part is dropped.
fn thinned(all: &[Candidate]) -> Option<Range<usize>> {
    let is_thinned = |candidate: &Candidate| {
        candidate.dropped > 0 && candidate.dropped * DROPPED_PART >= candidate.spans
    };
    let from = all.iter().position(is_thinned)?;
    let party = all.get(from)?.party;
    let mut weight = 0;
    let neighbours = all.iter().skip(from).take_while(|candidate| {
        let is_first = weight == 0;
        weight += candidate.weight;
        is_thinned(candidate) && candidate.party == party && (is_first || weight <= WEIGHT_MAX)
    });
    Some(from..from + neighbours.count())
}

/// The oldest neighbours, none of them full, that come to a full one together, and none of which
/// outweighs the others twice. No two such come to more than `WEIGHT_MAX`.
fn full(party: &[Candidate]) -> Option<Range<usize>> {
    let (mut from, mut weight, mut heaviest) = (0, 0, 0);
    for (at, candidate) in party.iter().enumerate() {
        if candidate.weight >= FULL {
            (from, weight, heaviest) = (at + 1, 0, 0);
            continue;
        }
        weight += candidate.weight;
        heaviest = heaviest.max(candidate.weight);
        if weight >= FULL && heaviest <= 2 * (weight - heaviest) {
            return Some(from..at + 1);
        }
    }
    None
}

/// The oldest neighbours, at least so many and as many as there are, each below this weight, none
/// of which outweighs the others twice.
fn alike(party: &[Candidate], below: u64, least: usize) -> Option<Range<usize>> {
    for from in 0..party.len() {
        let (mut weight, mut heaviest, mut end) = (0, 0, from);
        for (at, candidate) in party.iter().enumerate().skip(from) {
            weight += candidate.weight;
            heaviest = heaviest.max(candidate.weight);
            if candidate.weight >= below || weight > WEIGHT_MAX {
                break;
            }
            if heaviest <= 2 * (weight - heaviest) {
                end = at + 1;
            }
        }
        if end - from >= least {
            return Some(from..end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: u64 = 262_144;
    const MANY: usize = 32;

    fn candidate(id: u64, spans: u64, window: u64) -> Candidate {
        Candidate {
            id,
            spans,
            weight: spans,
            dropped: 0,
            party: Party {
                window,
                has_index: true,
                is_decided: false,
            },
        }
    }

    /// Merges in thought what is picked until nothing is; answers the spans copied.
    fn settle(segments: &mut Vec<Candidate>, is_quiet: bool) -> u64 {
        let mut copied = 0;
        while let Some(picked) = pick(segments, is_quiet, MANY) {
            assert!(picked.len() >= 2);
            let members = &segments[picked.clone()];
            assert!(
                members
                    .iter()
                    .all(|member| member.party == members[0].party)
            );
            let spans = members.iter().map(|member| member.spans).sum();
            assert!(weight_of(members) <= WEIGHT_MAX);
            copied += spans;
            let made = Candidate {
                spans,
                weight: weight_of(members),
                ..members[0]
            };
            segments.splice(picked, [made]);
        }
        copied
    }

    #[test]
    fn at_full_rate_each_span_is_copied_once_and_few_segments_are_left() {
        let (mut segments, mut copied) = (Vec::new(), 0);
        for id in 1..=10_000 {
            segments.push(candidate(id, HEAD, 1));
            copied += settle(&mut segments, false);
            let small = segments.iter().filter(|segment| segment.spans < FULL);
            assert!(small.count() < MANY);
        }
        assert!(copied <= 10_000 * HEAD);
        let full = segments.iter().filter(|segment| segment.spans >= FULL);
        assert!(full.count() >= 10_000 / MANY);
    }

    /// Of traces of one span, or with tables of names that are as large as the spans.
    #[test]
    fn heavy_segments_are_merged_at_full_rate_too() {
        for times in [2, 5, 8, 15, 16, 17, 31] {
            let (mut segments, mut copied) = (Vec::new(), 0);
            for id in 1..=2_000 {
                segments.push(Candidate {
                    weight: times * HEAD,
                    ..candidate(id, HEAD, 1)
                });
                copied += settle(&mut segments, false);
                let open = Unsettled::of(&segments).segments;
                assert!(open < MANY, "{open} of {times}");
            }
            assert!(copied <= 2_000 * HEAD, "{copied} of {times}");
        }
    }

    #[test]
    fn what_is_decided_about_is_merged_as_what_is_not_while_spans_come() {
        let (mut segments, mut copied) = (Vec::new(), 0);
        for id in 1..=1_000 {
            segments.push(candidate(id, HEAD, 1));
            if let Some(before) = segments.iter_mut().rev().nth(3) {
                before.party.is_decided = true;
            }
            copied += settle(&mut segments, false);
        }
        assert!(segments.len() < 1_000 / MANY + MANY + 4);
        assert!(copied <= 1_000 * HEAD);
    }

    #[test]
    fn a_segment_every_ten_minutes_is_merged_by_the_dozen_and_with_its_day() {
        let (mut segments, mut copied) = (Vec::new(), 0);
        for id in 1..=144 * 30 {
            segments.push(candidate(id, 500, id / 144));
            copied += settle(&mut segments, false);
        }
        assert!(segments.len() < 30 * 4, "{}", segments.len());
        assert!(copied < 6 * 144 * 30 * 500);
    }

    #[test]
    fn what_is_left_in_the_quiet_is_merged_and_a_lone_one_stays() {
        let mut segments: Vec<_> = (1..=7).map(|id| candidate(id, HEAD, 1)).collect();
        assert_eq!(pick(&segments, false, MANY), None);
        let open = Unsettled::of(&segments);
        assert_eq!((open.segments, open.spans), (7, 7 * HEAD));
        settle(&mut segments, true);
        assert_eq!(segments.len(), 1);
        assert_eq!(Unsettled::of(&segments), Unsettled::default());
        segments.push(candidate(9, 10, 1));
        assert_eq!(pick(&segments, true, MANY), None);
        assert_eq!(Unsettled::of(&segments), Unsettled::default());
    }

    #[test]
    fn neither_another_window_nor_a_missing_index_is_merged_with() {
        let mut other = candidate(2, HEAD, 1);
        other.party.has_index = false;
        let segments = [candidate(1, HEAD, 1), other, candidate(3, HEAD, 2)];
        assert_eq!(pick(&segments, true, MANY), None);
        assert_eq!(Unsettled::of(&segments), Unsettled::default());
    }

    #[test]
    fn what_is_mostly_dropped_is_copied_without_it_alone_or_with_its_like() {
        let mut all: Vec<_> = (1..=5).map(|id| candidate(id, HEAD, 1)).collect();
        all[1].dropped = HEAD / 2;
        all[2].dropped = HEAD;
        all[4].dropped = HEAD / 8 - 1;
        assert_eq!(pick(&all, false, MANY), Some(1..3));
        all[2].dropped = 0;
        assert_eq!(pick(&all, false, MANY), Some(1..2));
        all[1].dropped = 0;
        assert_eq!(pick(&all, false, MANY), None);
    }

    #[test]
    fn what_is_decided_about_is_not_merged_with_what_is_not() {
        let mut all = [candidate(1, HEAD, 1), candidate(2, HEAD, 1)];
        assert_eq!(pick(&all, true, MANY), Some(0..2));
        all[0].party.is_decided = true;
        assert_eq!(pick(&all, true, MANY), None);
    }

    #[test]
    fn many_fragments_or_large_tables_make_a_segment_heavy() {
        let meta = |fragments| SegmentMeta {
            spans: HEAD,
            fragments,
            ..SegmentMeta::default()
        };
        let weight = |fragments, tables| Candidate::of(&meta(fragments), tables, 1).weight;
        assert_eq!(weight(HEAD / 20, 100_000), HEAD);
        assert_eq!(weight(HEAD, 0), 16 * HEAD);
        assert_eq!(weight(1, 16 << 20), FULL);
    }

    proptest! {
        /// Whatever comes, in bursts and with silence in between: a logarithm of segments is left,
        /// no span is copied more often than a segment can grow by half, and what is said to be
        /// unsettled is what the quiet then merges.
        #[test]
        fn any_sequence_settles(bursts in proptest::collection::vec((1u64..4, 1u64..20, 1u64..300_000), 1..200)) {
            let (mut segments, mut copied, mut spans_all) = (Vec::new(), 0, 0);
            let mut id = 0;
            for (count, _, spans) in bursts {
                for _ in 0..count {
                    id += 1;
                    spans_all += spans;
                    segments.push(candidate(id, spans, 1));
                    copied += settle(&mut segments, false);
                }
                let open = Unsettled::of(&segments);
                let before = segments.clone();
                copied += settle(&mut segments, true);
                let gone = before.iter().filter(|segment| !segments.contains(segment));
                prop_assert_eq!(open.spans, gone.map(|segment| segment.spans).sum::<u64>());
                prop_assert!(Unsettled::of(&segments) == Unsettled::default());
            }
            prop_assert!(segments.len() < 25, "{} segments", segments.len());
            prop_assert!(copied <= 32 * spans_all);
        }
    }
}
