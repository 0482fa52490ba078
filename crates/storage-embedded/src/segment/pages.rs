//! Writes the pages of the fragment table.
#![warn(clippy::indexing_slicing)]

use tracewell_storage::Error;

use super::fragment::{COLUMNS, Fragment, PageEntry};
use super::frame::{FrameRef, FrameWriter};
use crate::codec::{put_varint, put_zigzag};
use crate::head::Extent;

/// Fragments in a page: about 5 KB.
pub(crate) const FRAGMENTS_PER_PAGE: u32 = 256;

/// Cuts fragments into pages and writes them.
#[derive(Debug, Default)]
pub(crate) struct FragmentWriter {
    pages: Vec<PageEntry>,
    columns: [Vec<u8>; COLUMNS],
    fragments: u32,
    whole: Whole,
    /// Start of the fragment before.
    start: u64,
    /// How many steps each fragment has, and when they arrived.
    steps: Vec<u32>,
    arrivals_unix_ns: Vec<u64>,
}

/// What the fragments of a page are together.
#[derive(Clone, Copy, Debug, Default)]
struct Whole {
    start_min_unix_ns: u64,
    start_max_unix_ns: u64,
    end_max_unix_ns: u64,
    duration_max_ns: u64,
    has_error: bool,
}

impl FragmentWriter {
    /// Adds the next fragment.
    pub(crate) fn add(
        &mut self,
        out: &mut FrameWriter<'_>,
        fragment: &Fragment,
    ) -> Result<(), Error> {
        self.push(fragment);
        self.fragments += 1;
        if self.fragments == FRAGMENTS_PER_PAGE {
            self.end_page(out)?;
        }
        Ok(())
    }

    /// Writes what is left; answers all pages.
    pub(crate) fn finish(mut self, out: &mut FrameWriter<'_>) -> Result<Vec<PageEntry>, Error> {
        if self.fragments > 0 {
            self.end_page(out)?;
        }
        Ok(self.pages)
    }

    fn push(&mut self, fragment: &Fragment) {
        self.whole.join(fragment, self.fragments == 0);
        let [starts, durations, counts, services, shares, _, reaches] = &mut self.columns;
        if self.fragments == 0 {
            put_varint(counts, fragment.first_row);
            self.start = 0;
        }
        let Extent { start, end } = fragment.extent;
        put_zigzag(starts, start.wrapping_sub(self.start) as i64);
        put_varint(durations, end.wrapping_sub(start));
        self.start = start;
        for count in [
            fragment.spans,
            fragment.errors,
            fragment.orphans,
            fragment.root.map_or(0, |root| root + 1),
            fragment.shares.len() as u32,
        ] {
            put_varint(counts, u64::from(count));
        }
        let mut service_before = 0;
        for share in &fragment.shares {
            put_varint(services, u64::from(share.service - service_before));
            service_before = share.service;
            let has_error = u64::from(share.errors > 0);
            put_varint(shares, u64::from(share.spans) << 1 | has_error);
            if share.errors > 0 {
                put_varint(shares, u64::from(share.errors));
            }
        }
        self.steps.push(fragment.steps.len() as u32);
        for step in &fragment.steps {
            self.arrivals_unix_ns.push(step.arrived_unix_ns);
            if let Some(reach) = step.reach {
                put_varint(reaches, u64::from(reach.start_row));
                put_varint(reaches, u64::from(reach.end_row));
            }
        }
    }

    fn end_page(&mut self, out: &mut FrameWriter<'_>) -> Result<(), Error> {
        let [.., arrivals, _] = &mut self.columns;
        put_arrivals(arrivals, &self.steps, &self.arrivals_unix_ns);
        let frame = out.put_columns(&self.columns.each_ref().map(Vec::as_slice))?;
        self.pages.push(self.whole.entry(frame));
        self.columns.iter_mut().for_each(Vec::clear);
        self.fragments = 0;
        self.steps.clear();
        self.arrivals_unix_ns.clear();
        Ok(())
    }
}

/// The distinct arrivals of a page, then those of each fragment by their places in that list:
/// fragments side by side came in few records.
fn put_arrivals(out: &mut Vec<u8>, steps: &[u32], arrivals_unix_ns: &[u64]) {
    let mut all = arrivals_unix_ns.to_vec();
    all.sort_unstable();
    all.dedup();
    put_varint(out, all.len() as u64);
    let mut before = 0;
    for &arrived in &all {
        put_varint(out, arrived - before);
        before = arrived;
    }
    let place = |arrived: u64| all.partition_point(|&other| other < arrived) as i64;
    let mut arrivals = arrivals_unix_ns.iter().map(|&arrived| place(arrived));
    let mut first_before = 0;
    for &count in steps {
        put_varint(out, u64::from(count));
        let mut before = None;
        for at in arrivals.by_ref().take(count as usize) {
            match before {
                None => {
                    put_zigzag(out, at - first_before);
                    first_before = at;
                }
                Some(before) => put_varint(out, (at - before - 1) as u64),
            }
            before = Some(at);
        }
    }
}

impl Whole {
    fn join(&mut self, fragment: &Fragment, is_first: bool) {
        if is_first {
            *self = Whole {
                start_min_unix_ns: u64::MAX,
                ..Whole::default()
            };
        }
        let Extent { start, end } = fragment.extent;
        self.start_min_unix_ns = self.start_min_unix_ns.min(start);
        self.start_max_unix_ns = self.start_max_unix_ns.max(start);
        self.end_max_unix_ns = self.end_max_unix_ns.max(end);
        self.duration_max_ns = self.duration_max_ns.max(end.saturating_sub(start));
        self.has_error |= fragment.errors > 0;
    }

    fn entry(self, frame: FrameRef) -> PageEntry {
        PageEntry {
            frame,
            start_min_unix_ns: self.start_min_unix_ns,
            start_max_unix_ns: self.start_max_unix_ns,
            end_max_unix_ns: self.end_max_unix_ns,
            duration_max_ns: self.duration_max_ns,
            has_error: self.has_error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Reader;
    use crate::format::Kind;
    use crate::fs::{Fs, StdFs};
    use crate::segment::fragment::{FragmentPage, Share, Step};
    use crate::segment::frame;
    use crate::segment::steps::Reach;

    fn random_fragment(random: &mut fastrand::Rng, first_row: u64) -> Fragment {
        let most = 1 << random.u32(1..12);
        let spans = random.u32(1..most);
        let start = random.u64(..1 << 62);
        let mut services: Vec<u32> = (0..random.usize(1..6)).map(|_| random.u32(..500)).collect();
        services.sort_unstable();
        services.dedup();
        let share = |service| Share {
            service,
            spans: random.u32(..spans),
            errors: random.u32(..3),
        };
        let shares = services.into_iter().map(share).collect();
        let mut arrived_unix_ns = random.u64(..20) * 1_000_000;
        let mut steps = Vec::new();
        for left in (0..random.u32(1..5)).rev() {
            steps.push(Step {
                arrived_unix_ns,
                reach: (left > 0).then(|| Reach {
                    start_row: random.u32(..spans),
                    end_row: random.u32(..spans),
                }),
            });
            arrived_unix_ns += random.u64(1..5) * 1_000_000;
        }
        Fragment {
            extent: Extent {
                start,
                end: start + random.u64(..1 << 40),
            },
            steps,
            spans,
            errors: random.u32(..3),
            orphans: random.u32(..3),
            root: random.bool().then(|| random.u32(..1_000)),
            shares,
            first_row,
        }
    }

    fn end_row(fragment: &Fragment) -> u64 {
        fragment.first_row + u64::from(fragment.spans)
    }

    #[test]
    fn pages_hold_every_fragment_and_say_what_is_in_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut random = fastrand::Rng::with_seed(1);
        let mut fragments: Vec<Fragment> = Vec::new();
        for _ in 0..1_000 {
            let first_row = fragments.last().map_or(7, end_row);
            fragments.push(random_fragment(&mut random, first_row));
        }
        let mut out = FrameWriter::create(&StdFs, dir.path(), "x", Kind::Index).expect("works");
        let mut writer = FragmentWriter::default();
        for fragment in &fragments {
            writer.add(&mut out, fragment).expect("works");
        }
        let pages = writer.finish(&mut out).expect("works");
        out.finish(&[]).expect("works");
        let path = dir.path().join("x");
        let file = StdFs.open(&path).expect("works");
        let chunks = fragments.chunks(FRAGMENTS_PER_PAGE as usize);
        assert_eq!(pages.len(), chunks.len());
        for (entry, expected) in pages.iter().zip(chunks) {
            let columns: [Vec<u8>; COLUMNS] =
                frame::read_columns(file.as_ref(), &path, &entry.frame).expect("is whole");
            let page = FragmentPage::read(&columns).expect("is sound");
            assert!(page.iter().eq(expected.iter().cloned()));
            let extents = expected.iter().map(|f| (f.extent, f.first_row..end_row(f)));
            assert!(page.extents().eq(extents));
            for (at, fragment) in expected.iter().enumerate() {
                let rows = fragment.first_row..end_row(fragment);
                for row in [rows.start, rows.end - 1] {
                    assert_eq!(
                        page.with_row(row),
                        Some((at, fragment.extent, rows.clone()))
                    );
                }
            }
            check_entry(entry, expected);
            for (number, column) in columns.iter().enumerate() {
                let mut cut = columns.clone();
                if let (Some(cut), false) = (cut.get_mut(number), column.is_empty()) {
                    cut.pop();
                }
                assert!(FragmentPage::read(&cut).is_err(), "column {number} is cut");
            }
        }
    }

    fn check_entry(entry: &PageEntry, fragments: &[Fragment]) {
        let mut bytes = Vec::new();
        entry.put(&mut bytes);
        assert_eq!(
            PageEntry::read(&mut Reader::new(&bytes)).as_ref(),
            Ok(entry)
        );
        let extents = || fragments.iter().map(|fragment| fragment.extent);
        let starts = || extents().map(|extent| extent.start);
        assert_eq!(starts().min(), Some(entry.start_min_unix_ns));
        assert_eq!(starts().max(), Some(entry.start_max_unix_ns));
        assert_eq!(
            extents().map(|extent| extent.end).max(),
            Some(entry.end_max_unix_ns)
        );
        let durations = extents().map(|extent| extent.end - extent.start);
        assert_eq!(durations.max(), Some(entry.duration_max_ns));
        let has_error = fragments.iter().any(|fragment| fragment.errors > 0);
        assert_eq!(has_error, entry.has_error);
    }
}
