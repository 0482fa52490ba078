//! How far a trace reached by when: an entry for each arrival that moved its start or end. A page
//! of a search after the first orders traces by their key as of its horizon (D18); these are the
//! exact answer to "as of". Most traces have a few.
//!
//! In a file a step names the rows whose start and end it was, which takes a byte each where the
//! times take four: the rows have them, and only a trace that arrived while somebody turned pages
//! is ever asked.

use crate::head::Extent;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps(pub(crate) Vec<(u64, Extent)>);

impl Steps {
    /// More spans arrived. Arrivals never go back; if one does all the same, it counts as the last.
    pub(crate) fn add(&mut self, arrived_unix_ns: u64, extent: Extent) {
        if extent == Extent::NONE {
            return;
        }
        let Some((last_arrived, last)) = self.0.last_mut() else {
            return self.0.push((arrived_unix_ns, extent));
        };
        let mut joined = *last;
        joined.join(extent);
        if joined == *last {
            return;
        }
        if arrived_unix_ns <= *last_arrived {
            *last = joined;
        } else {
            self.0.push((arrived_unix_ns, joined));
        }
    }

    /// How far it reached at this log time; none if nothing had arrived.
    pub(crate) fn at(&self, horizon_unix_ns: u64) -> Option<Extent> {
        let arrived = self
            .0
            .iter()
            .rev()
            .find(|(arrived, _)| *arrived <= horizon_unix_ns);
        arrived.map(|(_, extent)| *extent)
    }

    /// How far it reaches now.
    pub(crate) fn last(&self) -> Extent {
        self.0.last().map_or(Extent::NONE, |(_, extent)| *extent)
    }
}

/// How far a fragment reached at a step, by its rows counted from its first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The row with the earliest start.
    pub(crate) start_row: u32,
    /// The row with the latest end.
    pub(crate) end_row: u32,
}

/// Appends how far a trace with these rows reached at each step but the last, which is all of it.
pub(crate) fn push_reaches(
    steps: &Steps,
    rows: impl Iterator<Item = Extent>,
    reaches: &mut Vec<Reach>,
) {
    let earlier = steps.0.split_last().map_or(&[][..], |(_, earlier)| earlier);
    if earlier.is_empty() {
        return;
    }
    let from = reaches.len();
    reaches.resize(from + earlier.len(), Reach::default());
    let reaches = &mut reaches[from..];
    for (row, extent) in (0..).zip(rows) {
        // From step to step starts never rise and ends never fall.
        let first = earlier.partition_point(|(_, step)| step.start > extent.start);
        let equal = earlier[first..].iter();
        let equal = equal.take_while(|(_, step)| step.start == extent.start);
        reaches[first..]
            .iter_mut()
            .zip(equal)
            .for_each(|(reach, _)| reach.start_row = row);
        let first = earlier.partition_point(|(_, step)| step.end < extent.end);
        let equal = earlier[first..].iter();
        let equal = equal.take_while(|(_, step)| step.end == extent.end);
        reaches[first..]
            .iter_mut()
            .zip(equal)
            .for_each(|(reach, _)| reach.end_row = row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random parts of random rows: what the rows of a step say is what it was.
    #[test]
    fn rows_say_what_the_steps_were() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2_000 {
            let mut steps = Steps::default();
            let mut rows = Vec::new();
            for arrived in 0..random.u64(1..6) {
                let mut part = Extent::NONE;
                for _ in 0..random.usize(1..5) {
                    let start = random.u64(..20);
                    let row = Extent {
                        start,
                        end: start + random.u64(..20),
                    };
                    part.join(row);
                    rows.push(row);
                }
                steps.add(arrived, part);
            }
            rows.sort_by_key(|row| row.start);
            let mut reaches = vec![Reach::default()];
            push_reaches(&steps, rows.iter().copied(), &mut reaches);
            assert_eq!(reaches.len(), steps.0.len());
            for (reach, (_, step)) in reaches[1..].iter().zip(&steps.0) {
                assert_eq!(rows[reach.start_row as usize].start, step.start);
                assert_eq!(rows[reach.end_row as usize].end, step.end);
            }
        }
    }
}
