//! Trace fragments (D13): what one segment holds of one trace, in one record. They stand in pages
//! in the order of the spans of the data file, so that a fragment's rows are consecutive and follow
//! from the counts of those before it. What one seal wrote is ordered by (start, trace id); a merged
//! segment is several such stretches, so a page says from when to when its fragments start.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_model::summary::ServiceShare;
use tracewell_model::{TraceId, TraceStatus, TraceSummary};

use super::frame::FrameRef;
use super::names::NameTable;
use super::steps::Reach;
use crate::codec::{Damaged, Reader, put_varint};
use crate::head::Extent;

/// Columns of a page, each compressed on its own: they take a fifth less than together.
pub(super) const COLUMNS: usize = 7;

/// A service's part in a fragment; the service is a position in the segment's name table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) service: u32,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
}

/// An arrival that moved a fragment's start or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) arrived_unix_ns: u64,
    /// How far it reached then; none: as far as it does now. Only the last one says so.
    pub(crate) reach: Option<Reach>,
}

/// One trace's spans in one segment. The trace's id lies with the spans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) extent: Extent,
    /// By arrival; never empty.
    pub(crate) steps: Vec<Step>,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
    /// Spans whose parent is named but not in this fragment.
    pub(crate) orphans: u32,
    /// The root's (service, operation), a position in the name table.
    pub(crate) root: Option<u32>,
    /// By service.
    pub(crate) shares: Vec<Share>,
    /// Its first row in the data file; not stored, but counted.
    pub(crate) first_row: u64,
}

impl Fragment {
    /// As the summary of a trace of which it is all there is.
    pub(crate) fn summary(&self, trace_id: TraceId, names: &NameTable) -> TraceSummary {
        let Extent { start, end } = self.extent;
        let share = |share: &Share| ServiceShare {
            name: names.service(share.service).to_owned(),
            span_count: u64::from(share.spans),
            error_count: u64::from(share.errors),
        };
        let root = self.root.and_then(|root| names.group(root));
        let partial = self.orphans > 0 || self.root.is_none();
        TraceSummary {
            trace_id,
            root: root.map(|(service, operation)| (service.to_owned(), operation.to_owned())),
            start_unix_ns: start,
            duration_ns: end.saturating_sub(start),
            span_count: u64::from(self.spans),
            error_count: u64::from(self.errors),
            orphan_count: u64::from(self.orphans),
            services: self.shares.iter().map(share).collect(),
            status: TraceStatus::from_parts(partial, self.errors > 0),
        }
    }

    /// The step that was the last at this log time; none if nothing had arrived.
    pub(crate) fn step_at(&self, horizon_unix_ns: u64) -> Option<&Step> {
        let mut latest_first = self.steps.iter().rev();
        latest_first.find(|step| step.arrived_unix_ns <= horizon_unix_ns)
    }
}

/// What the index's footer says of a page: enough to leave it out of most searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageEntry {
    pub(crate) frame: FrameRef,
    /// The earliest and the latest start of a fragment.
    pub(crate) start_min_unix_ns: u64,
    pub(crate) start_max_unix_ns: u64,
    pub(crate) end_max_unix_ns: u64,
    /// The longest fragment.
    pub(crate) duration_max_ns: u64,
    pub(crate) has_error: bool,
}

impl PageEntry {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        self.frame.put(out);
        put_varint(out, self.start_min_unix_ns);
        put_varint(out, self.start_max_unix_ns - self.start_min_unix_ns);
        put_varint(out, self.end_max_unix_ns - self.start_min_unix_ns);
        put_varint(out, self.duration_max_ns);
        out.push(u8::from(self.has_error));
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<PageEntry, Damaged> {
        let (frame, start_min_unix_ns) = (FrameRef::read(r)?, r.varint()?);
        Ok(PageEntry {
            frame,
            start_min_unix_ns,
            start_max_unix_ns: start_min_unix_ns.wrapping_add(r.varint()?),
            end_max_unix_ns: start_min_unix_ns.wrapping_add(r.varint()?),
            duration_max_ns: r.varint()?,
            has_error: r.byte()? != 0,
        })
    }
}

/// A decoded page. Searches look at all extents of a page and at few fragments whole: what a fragment
/// has several of lies side by side with that of the others.
#[derive(Debug)]
pub(crate) struct FragmentPage {
    entries: Vec<Entry>,
    shares: Vec<Share>,
    steps: Vec<Step>,
}

/// A fragment but for its shares and steps.
#[derive(Clone, Copy, Debug)]
struct Entry {
    extent: Extent,
    first_row: u64,
    spans: u32,
    errors: u32,
    orphans: u32,
    root: Option<u32>,
    /// Where its shares and steps end in those of the page.
    shares_end: u32,
    steps_end: u32,
}

impl Entry {
    fn rows(&self) -> Range<u64> {
        self.first_row..self.first_row + u64::from(self.spans)
    }
}

impl FragmentPage {
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(&*self.entries) + size_of_val(&*self.shares) + size_of_val(&*self.steps)
    }

    /// How far each fragment reaches, and its rows.
    pub(crate) fn extents(&self) -> impl Iterator<Item = (Extent, Range<u64>)> + '_ {
        self.entries
            .iter()
            .map(|entry| (entry.extent, entry.rows()))
    }

    /// The fragment with this row: its place, how far it reaches, and its rows.
    pub(crate) fn with_row(&self, row: u64) -> Option<(usize, Extent, Range<u64>)> {
        let after = self.entries.partition_point(|entry| entry.first_row <= row);
        let at = after.checked_sub(1)?;
        let entry = self.entries.get(at)?;
        let rows = entry.rows();
        rows.contains(&row).then_some((at, entry.extent, rows))
    }

    /// The fragment at this place.
    pub(crate) fn get(&self, at: usize) -> Option<Fragment> {
        let entry = self.entries.get(at)?;
        let before = at
            .checked_sub(1)
            .and_then(|before| self.entries.get(before));
        let (shares_from, steps_from) =
            before.map_or((0, 0), |before| (before.shares_end, before.steps_end));
        let shares = shares_from as usize..entry.shares_end as usize;
        let steps = steps_from as usize..entry.steps_end as usize;
        Some(Fragment {
            extent: entry.extent,
            steps: self.steps.get(steps)?.to_vec(),
            spans: entry.spans,
            errors: entry.errors,
            orphans: entry.orphans,
            root: entry.root,
            shares: self.shares.get(shares)?.to_vec(),
            first_row: entry.first_row,
        })
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Fragment> + '_ {
        (0..self.entries.len()).filter_map(|at| self.get(at))
    }

    pub(crate) fn read(columns: &[Vec<u8>; COLUMNS]) -> Result<FragmentPage, Damaged> {
        let mut columns = columns.each_ref().map(|column| Reader::new(column));
        let [
            starts,
            durations,
            counts,
            services,
            shares,
            arrivals,
            reaches,
        ] = &mut columns;
        let mut row = counts.varint()?;
        let mut arrivals = Arrivals::read(arrivals)?;
        let mut page = FragmentPage {
            entries: Vec::new(),
            shares: Vec::new(),
            steps: Vec::new(),
        };
        let mut start = 0u64;
        while counts.remaining() > 0 {
            start = start.wrapping_add(starts.zigzag()? as u64);
            let end = start.wrapping_add(durations.varint()?);
            let (spans, errors, orphans) = (counts.u32()?, counts.u32()?, counts.u32()?);
            if spans == 0 || end < start {
                return Err(Damaged("a fragment without spans"));
            }
            let first_row = row;
            row = row.checked_add(u64::from(spans)).ok_or(Damaged("rows"))?;
            let root = counts.u32()?.checked_sub(1);
            read_shares(counts.u32()?, services, shares, &mut page.shares)?;
            arrivals.read_steps(spans, reaches, &mut page.steps)?;
            page.entries.push(Entry {
                extent: Extent { start, end },
                first_row,
                spans,
                errors,
                orphans,
                root,
                shares_end: page.shares.len() as u32,
                steps_end: page.steps.len() as u32,
            });
        }
        if arrivals.r.remaining() > 0 || columns.iter().any(|column| column.remaining() > 0) {
            return Err(Damaged("bytes after a fragment page"));
        }
        // It is kept at the weight of what it holds.
        page.entries.shrink_to_fit();
        page.shares.shrink_to_fit();
        page.steps.shrink_to_fit();
        Ok(page)
    }
}

fn read_shares(
    count: u32,
    services: &mut Reader<'_>,
    shares: &mut Reader<'_>,
    read: &mut Vec<Share>,
) -> Result<(), Damaged> {
    if count as usize > services.remaining() {
        return Err(Damaged("services of a fragment"));
    }
    let mut service = 0u32;
    for _ in 0..count {
        service = service
            .checked_add(services.u32()?)
            .ok_or(Damaged("service of a fragment"))?;
        let packed = shares.varint()?;
        read.push(Share {
            service,
            spans: u32::try_from(packed >> 1).map_err(|_| Damaged("spans of a service"))?,
            errors: if packed & 1 == 1 { shares.u32()? } else { 0 },
        });
    }
    Ok(())
}

/// The arrivals of a page: all that there are, then each fragment's.
struct Arrivals<'a> {
    all_unix_ns: Vec<u64>,
    r: Reader<'a>,
    /// The first arrival of the fragment before.
    first: i64,
}

impl<'a> Arrivals<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Damaged> {
        let count = r.count(1)?;
        let mut all_unix_ns = Vec::with_capacity(count);
        let mut arrived = 0u64;
        for _ in 0..count {
            arrived = arrived.wrapping_add(r.varint()?);
            all_unix_ns.push(arrived);
        }
        let whole = r.remaining();
        Ok(Arrivals {
            all_unix_ns,
            r: Reader::new(r.take(whole)?),
            first: 0,
        })
    }

    fn read_steps(
        &mut self,
        spans: u32,
        reaches: &mut Reader<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Damaged> {
        let count = self.r.count(1)?;
        if count == 0 {
            return Err(Damaged("a fragment that never arrived"));
        }
        self.first = self.first.wrapping_add(self.r.zigzag()?);
        let mut at = self.first;
        for number in 1..=count {
            if number > 1 {
                at = at.wrapping_add(self.r.varint()? as i64).wrapping_add(1);
            }
            let arrived = usize::try_from(at).ok();
            let arrived = arrived.and_then(|at| self.all_unix_ns.get(at).copied());
            steps.push(Step {
                arrived_unix_ns: arrived.ok_or(Damaged("arrival of a step"))?,
                reach: match number < count {
                    true => Some(read_reach(spans, reaches)?),
                    false => None,
                },
            });
        }
        Ok(())
    }
}

fn read_reach(spans: u32, r: &mut Reader<'_>) -> Result<Reach, Damaged> {
    let reach = Reach {
        start_row: r.u32()?,
        end_row: r.u32()?,
    };
    if reach.start_row.max(reach.end_row) >= spans {
        return Err(Damaged("row of a step"));
    }
    Ok(reach)
}
