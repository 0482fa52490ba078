//! What a member knows of a partition it owns: how far it delivered, how far its group committed, how
//! many spans there were up to each place. Pure bookkeeping; no call to Kafka.

use std::collections::VecDeque;

/// A partition, as one member sees it while it owns it. *Offset* is Kafka's, from 0; *position* is
/// the log's, from 1, and never goes back while the process lives.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// Position less offset + 1: 0, until the topic is made anew and offsets begin again.
    base: u64,
    /// The offset that should come next, if one is known.
    pub(crate) next_offset: Option<u64>,
    /// Position of the last record that is done with: delivered, or passed over.
    delivered: u64,
    committed: u64,
    /// Spans of records up to `delivered`, over all time (D9).
    pub(crate) spans: u64,
    arrived_unix_ns: u64,
    uncommitted: VecDeque<Passed>,
}

/// A record that is not committed.
#[derive(Debug)]
struct Passed {
    position: u64,
    /// Spans up to it.
    spans: u64,
    /// Whether the sink gets it. One that it does not get holds up no commit.
    delivered: bool,
}

/// What to tell Kafka.
#[derive(Debug, PartialEq)]
pub(crate) struct Commit {
    /// The offset to go on from.
    pub(crate) offset: u64,
    /// Spans of records before it.
    pub(crate) spans: u64,
    /// Position of the last record before it.
    position: u64,
}

impl Partition {
    /// Owned from now on, where the group's commit or the sink's durable state ends.
    pub(crate) fn starting(committed: Option<(u64, u64)>, durable_position: u64) -> Partition {
        let (offset, spans) = committed.unwrap_or_default();
        let start = offset.max(durable_position);
        Partition {
            next_offset: (committed.is_some() || durable_position > 0).then_some(start),
            delivered: start,
            committed: start,
            spans,
            ..Partition::default()
        }
    }

    /// Owned again, by the member that lost it: it goes on after what it was given, which is not
    /// committed but still in its sink's hands. None where another member went on beyond that.
    pub(crate) fn going_on(mut self, committed: Option<u64>, end_offset: u64) -> Option<Partition> {
        let next = self.next_offset?;
        let Some(offset) = committed.filter(|_| next <= end_offset) else {
            // Of a topic made anew: what was committed went with the old one. Positions go on.
            self.next_offset = committed;
            return Some(self);
        };
        (offset <= next).then_some(self)
    }

    /// The position of a record with this offset, which just came. True beside it when offsets have
    /// begun again.
    pub(crate) fn place(&mut self, offset: u64) -> (u64, bool) {
        let renewed = self.base + offset < self.delivered;
        if renewed {
            self.base = self.delivered - offset;
        }
        (self.base + offset + 1, renewed)
    }

    /// Of the last record before this offset.
    pub(crate) fn position_of(&self, next_offset: u64) -> u64 {
        self.base.saturating_add(next_offset)
    }

    /// Its record arrived then, by its own word: what the log says never goes back, and rises.
    pub(crate) fn arrive(&mut self, unix_ns: u64) -> u64 {
        self.arrived_unix_ns = unix_ns.max(self.arrived_unix_ns.saturating_add(1));
        self.arrived_unix_ns
    }

    /// This record is done with.
    pub(crate) fn pass(&mut self, position: u64, spans: u64, delivered: bool) {
        self.delivered = position;
        self.next_offset = Some(position - self.base);
        self.spans += spans;
        self.uncommitted.push_back(Passed {
            position,
            spans: self.spans,
            delivered,
        });
    }

    /// What to commit once the sink has everything up to this position; nothing if that is nothing new.
    pub(crate) fn commit_at(&self, position: u64) -> Option<Commit> {
        let mut last = None;
        for passed in &self.uncommitted {
            if passed.delivered && passed.position > position {
                break;
            }
            last = Some(passed);
        }
        let last = last.filter(|last| last.position > self.base)?;
        Some(Commit {
            offset: last.position - self.base,
            spans: last.spans,
            position: last.position,
        })
    }

    /// What can be committed without the sink: records it never gets.
    pub(crate) fn commit_passed_over(&self) -> Option<Commit> {
        let passed_over = self
            .uncommitted
            .front()
            .is_some_and(|first| !first.delivered);
        passed_over
            .then(|| self.commit_at(self.committed))
            .flatten()
    }

    /// Kafka has it.
    pub(crate) fn committed(&mut self, commit: &Commit) {
        self.committed = commit.position;
        while self
            .uncommitted
            .front()
            .is_some_and(|first| first.position <= commit.position)
        {
            self.uncommitted.pop_front();
        }
    }

    /// Whether its group has committed anything since it began.
    pub(crate) fn has_committed(&self) -> bool {
        self.committed > 0
    }

    /// The topic was made anew: from this offset on, with positions that go on.
    pub(crate) fn begin_anew(&mut self, offset: u64) {
        self.next_offset = Some(offset);
        self.committed = 0;
    }

    /// Records that the sink got and that are not committed.
    pub(crate) fn uncommitted_records(&self) -> u64 {
        self.uncommitted
            .iter()
            .filter(|passed| passed.delivered)
            .count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(offset: u64, spans: u64, position: u64) -> Option<Commit> {
        Some(Commit {
            offset,
            spans,
            position,
        })
    }

    /// Passes records with these offsets, of two spans each.
    fn pass(partition: &mut Partition, offsets: &[u64]) -> Vec<u64> {
        let mut positions = Vec::new();
        for offset in offsets {
            let (position, _) = partition.place(*offset);
            partition.pass(position, 2, true);
            positions.push(position);
        }
        positions
    }

    #[test]
    fn commits_follow_the_sink_and_carry_the_spans_so_far() {
        let mut partition = Partition::starting(Some((10, 100)), 0);
        assert_eq!(pass(&mut partition, &[10, 11, 12]), [11, 12, 13]);
        assert_eq!(partition.commit_at(10), None);
        let twelve = partition.commit_at(12);
        assert_eq!(twelve, commit(12, 104, 12));
        partition.committed(&twelve.unwrap());
        assert_eq!(partition.commit_at(12), None);
        assert_eq!(partition.uncommitted_records(), 1);
        // A position beyond what came cannot be meant for this partition's present owner.
        assert_eq!(partition.commit_at(99), commit(13, 106, 13));
    }

    #[test]
    fn records_that_no_sink_gets_hold_up_no_commit() {
        let mut partition = Partition::starting(None, 0);
        partition.pass(1, 0, false);
        assert_eq!(partition.commit_passed_over(), commit(1, 0, 1));
        partition.committed(&partition.commit_passed_over().unwrap());
        partition.pass(2, 5, true);
        partition.pass(3, 0, false);
        assert_eq!(partition.commit_passed_over(), None);
        assert_eq!(partition.commit_at(2), commit(3, 5, 3));
    }

    #[test]
    fn what_a_member_was_given_before_it_lost_a_partition_does_not_come_again() {
        let lost = || {
            let mut partition = Partition::starting(Some((10, 100)), 0);
            pass(&mut partition, &[10, 11, 12]);
            partition
        };
        let again = lost().going_on(Some(11), 20).unwrap();
        assert_eq!(again.next_offset, Some(13));
        assert_eq!(again.commit_at(12), commit(12, 104, 12));
        // Another member went further.
        assert!(lost().going_on(Some(14), 20).is_none());
        // The topic was made anew: from its beginning, with positions that go on.
        let mut renewed = lost().going_on(None, 3).unwrap();
        assert_eq!(renewed.next_offset, None);
        assert_eq!(renewed.place(0), (14, true));
        // And so fast refilled that it reaches further than the old one did.
        assert_eq!(lost().going_on(None, 20).unwrap().next_offset, None);
    }

    #[test]
    fn arrivals_rise_and_do_not_overflow() {
        let mut partition = Partition::starting(None, 0);
        let told = [5, 5, 3, u64::MAX, 4];
        let arrived = told.map(|unix_ns| partition.arrive(unix_ns));
        assert_eq!(arrived, [5, 6, 7, u64::MAX, u64::MAX]);
    }

    #[test]
    fn positions_go_on_when_offsets_begin_again() {
        let mut partition = Partition::starting(Some((7, 14)), 0);
        assert_eq!(pass(&mut partition, &[7, 8]), [8, 9]);
        assert_eq!(partition.place(0), (10, true));
        assert_eq!(pass(&mut partition, &[0, 1]), [10, 11]);
        // What the old topic had cannot be committed in the new one.
        assert_eq!(partition.commit_at(9), None);
        assert_eq!(partition.commit_at(10), commit(1, 20, 10));
        partition.committed(&partition.commit_at(11).unwrap());
        assert!(partition.has_committed());
        partition.begin_anew(0);
        assert_eq!(
            (partition.has_committed(), partition.next_offset),
            (false, Some(0))
        );
        assert_eq!(partition.place(0), (12, true));
    }
}
