//! What the index is told of a run: a few bytes per row and what each block posted, gathered while
//! blocks are written and kept until all names are known.

use tracewell_storage::Error;

use super::block::{BlockWriter, ParentRow};
use super::cut::Cut;
use super::fragment::Step;
use super::index::IndexWriter;
use super::names::NameTable;
use super::posted::PostedPairs;
use super::projection::ProjectedSpan;
use super::rough::Rough;
use super::run::Run;
use super::steps::{Reach, push_reaches};
use super::tally::{Tally, orphans};
use super::values::RunValues;
use crate::head::Extent;

/// See the module. Used again from one run to the next.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    rows: Vec<GatheredRow>,
    /// How far the traces reached before their last steps, one after the other.
    reaches: Vec<Reach>,
    /// Traces that lie in several blocks, in order.
    split: Vec<u32>,
    posted: PostedPairs,
    /// Rows by group.
    projected: Vec<ProjectedSpan>,
}

/// What the index knows of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct GatheredRow {
    /// A number of `RunValues::groups`, then one of the name table.
    pub(super) group: u32,
    pub(super) duration: Rough,
    pub(super) error: bool,
    pub(super) parent: ParentRow,
}

impl Gathered {
    /// Begins with the next run.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.reaches.clear();
        self.split.clear();
        self.posted.clear();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<GatheredRow>()
            + self.reaches.capacity() * size_of::<Reach>()
            + self.projected.capacity() * size_of::<ProjectedSpan>()
            + self.posted.memory_bytes()
    }

    /// Takes in what was just written: the run's next block.
    pub(crate) fn block(&mut self, number: u32, run: &Run<'_>, cut: &Cut, writer: &BlockWriter) {
        self.posted.add(number, writer.posted());
        self.rows
            .extend(writer.rows().iter().map(|row| GatheredRow {
                group: row.group,
                duration: Rough::of(row.duration_ns),
                error: row.error,
                parent: row.parent,
            }));
        for (number, trace) in cut.traces.clone().zip(&run.traces[cut.traces.clone()]) {
            let first = trace.first as usize - cut.rows.start;
            let here = writer.rows().get(first..first + trace.spans as usize);
            let Some(rows) = here else {
                // It goes on in the next block.
                self.split.push(number as u32);
                let rows = run
                    .spans(trace)
                    .map(|span| extent(span.start_unix_ns(), span.duration_ns()));
                push_reaches(&trace.steps, rows, &mut self.reaches);
                continue;
            };
            let rows = rows
                .iter()
                .map(|row| extent(row.start_unix_ns, row.duration_ns));
            push_reaches(&trace.steps, rows, &mut self.reaches);
        }
    }

    /// The places of the run's failed spans.
    pub(crate) fn failed(&self) -> Vec<u32> {
        let rows = (0u32..).zip(&self.rows);
        rows.filter_map(|(place, row)| row.error.then_some(place))
            .collect()
    }

    /// Writes the index of the run; answers its names. `first_row` is where it begins in the segment.
    pub(crate) fn write(
        &mut self,
        run: &Run<'_>,
        first_row: u32,
        values: &RunValues<'_>,
        index: &mut IndexWriter<'_>,
    ) -> Result<NameTable, Error> {
        let (names, ranks) = NameTable::of(&values.groups());
        for row in &mut self.rows {
            row.group = ranks[row.group as usize];
        }
        self.write_fragments(run, first_row, &names, index)?;
        self.write_projection(first_row, &names, index)?;
        let IndexWriter {
            out,
            postings,
            filters,
            ..
        } = index;
        self.posted.write(values, out, postings, filters)?;
        Ok(names)
    }

    fn write_fragments(
        &self,
        run: &Run<'_>,
        first_row: u32,
        names: &NameTable,
        index: &mut IndexWriter<'_>,
    ) -> Result<(), Error> {
        let mut tally = Tally::new(names);
        let mut split = self.split.iter().copied().peekable();
        let mut reaches = self.reaches.iter().copied();
        for (number, trace) in (0u32..).zip(&run.traces) {
            let first = trace.first as usize;
            let fragment = tally.fragment(&self.rows[first..first + trace.spans as usize]);
            if split.next_if_eq(&number).is_some() {
                fragment.orphans = orphans(run, trace);
            }
            fragment.first_row = u64::from(first_row + trace.first);
            fragment.extent = trace.steps.last();
            let last = trace.steps.0.len() - 1;
            let steps = trace.steps.0.iter().enumerate();
            fragment.steps.clear();
            fragment
                .steps
                .extend(steps.map(|(at, &(arrived_unix_ns, _))| Step {
                    arrived_unix_ns,
                    reach: (at < last).then(|| reaches.next()).flatten(),
                }));
            index.fragments.add(&mut index.out, fragment)?;
        }
        Ok(())
    }

    fn write_projection(
        &mut self,
        first_row: u32,
        names: &NameTable,
        index: &mut IndexWriter<'_>,
    ) -> Result<(), Error> {
        let ends = self.group_rows(first_row, names.groups.len());
        let mut from = 0;
        for ((number, group), end) in (0..).zip(&names.groups).zip(ends) {
            let spans = &self.projected[from..end as usize];
            from = end as usize;
            index
                .projection
                .add(&mut index.out, number, group.service, spans)?;
        }
        Ok(())
    }

    /// Fills `projected`; answers where each group's rows end in it.
    fn group_rows(&mut self, first_row: u32, groups: usize) -> Vec<u32> {
        let mut ends = vec![0u32; groups];
        for row in &self.rows {
            ends[row.group as usize] += 1;
        }
        // Counting sort: `ends` becomes each group's start, and its end once all are placed.
        let mut before = 0;
        for end in &mut ends {
            before += std::mem::replace(end, before);
        }
        self.projected.clear();
        self.projected
            .resize(self.rows.len(), ProjectedSpan::default());
        for (at, row) in (first_row..).zip(&self.rows) {
            let place = &mut ends[row.group as usize];
            self.projected[*place as usize] = ProjectedSpan {
                row: at,
                duration: row.duration,
                error: row.error,
            };
            *place += 1;
        }
        ends
    }
}

fn extent(start: u64, duration_ns: u64) -> Extent {
    Extent {
        start,
        end: start.saturating_add(duration_ns),
    }
}
