//! Trace fragments (D13): what one segment holds of one trace, in one record. The fragment table
//! is ordered by (start, trace id), as the spans of the data file are, so that a fragment's rows
//! are consecutive and follow from the counts of those before it.
#![warn(clippy::indexing_slicing)]

use crate::codec::{Damaged, Reader, put_varint, put_zigzag};
use crate::head::Extent;
use tracewell_model::TraceId;

/// Fragments in a page: about 5 KB, a page of results rarely needs more than two.
pub(crate) const FRAGMENTS_PER_PAGE: u32 = 128;

/// How far a fragment reached by when: an entry for each arrival that moved its start or end.
///
/// A page after the first orders traces by their key as of its horizon (D18); these are the exact
/// answer to "as of". Most fragments have one or two.
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

/// A service's part in a fragment; the service is a position in the segment's name table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) service: u32,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
}

/// One trace's spans in one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) trace_id: TraceId,
    pub(crate) steps: Steps,
    pub(crate) spans: u32,
    pub(crate) errors: u32,
    /// Spans whose parent is named but not in this fragment.
    pub(crate) orphans: u32,
    /// The root's (service, operation), a position in the name table.
    pub(crate) root: Option<u32>,
    pub(crate) shares: Vec<Share>,
    /// Its first row in the data file; not stored, but counted.
    pub(crate) first_row: u64,
}

impl Fragment {
    pub(crate) fn extent(&self) -> Extent {
        self.steps.last()
    }

    pub(crate) fn end_row(&self) -> u64 {
        self.first_row + u64::from(self.spans)
    }
}

/// A decoded page.
#[derive(Debug)]
pub(crate) struct FragmentPage {
    pub(crate) fragments: Vec<Fragment>,
}

impl FragmentPage {
    pub(crate) fn memory_bytes(&self) -> usize {
        let one = |f: &Fragment| {
            size_of::<Fragment>() + f.shares.len() * size_of::<Share>() + f.steps.0.len() * 24
        };
        self.fragments.iter().map(one).sum()
    }
}

/// Appends a page. Ids lie apart: they do not compress, and would disturb what does.
pub(crate) fn put_page(out: &mut Vec<u8>, fragments: &[Fragment]) {
    put_varint(out, fragments.len() as u64);
    put_varint(
        out,
        fragments.first().map_or(0, |fragment| fragment.first_row),
    );
    fragments
        .iter()
        .for_each(|fragment| out.extend_from_slice(&fragment.trace_id.0));
    let (mut start_before, mut arrived_before) = (0u64, 0u64);
    for fragment in fragments {
        let Extent { start, end } = fragment.extent();
        put_varint(out, start.wrapping_sub(start_before));
        put_varint(out, end.wrapping_sub(start));
        start_before = start;
        put_varint(out, u64::from(fragment.spans));
        put_varint(out, u64::from(fragment.errors));
        put_varint(out, u64::from(fragment.orphans));
        put_varint(out, fragment.root.map_or(0, |root| u64::from(root) + 1));
        put_varint(out, fragment.shares.len() as u64);
        for share in &fragment.shares {
            put_varint(out, u64::from(share.service));
            put_varint(out, u64::from(share.spans));
            put_varint(out, u64::from(share.errors));
        }
        put_varint(out, fragment.steps.0.len() as u64);
        for &(arrived, extent) in &fragment.steps.0 {
            put_zigzag(out, arrived.wrapping_sub(arrived_before) as i64);
            put_varint(out, extent.start.wrapping_sub(start));
            put_varint(out, end.wrapping_sub(extent.end));
            arrived_before = arrived;
        }
    }
}

/// Reads a page.
pub(crate) fn read_page(bytes: &[u8]) -> Result<FragmentPage, Damaged> {
    let mut r = Reader::new(bytes);
    let r = &mut r;
    let count = r.count(16)?;
    let mut row = r.varint()?;
    let ids = (0..count)
        .map(|_| r.array().map(TraceId))
        .collect::<Result<Vec<_>, _>>()?;
    let mut fragments = Vec::with_capacity(count);
    let (mut start, mut arrived) = (0u64, 0u64);
    for trace_id in ids {
        start = start.wrapping_add(r.varint()?);
        let end = start.wrapping_add(r.varint()?);
        let (spans, errors, orphans) = (r.u32()?, r.u32()?, r.u32()?);
        let root = r.u32()?.checked_sub(1);
        let shares = (0..r.count(3)?)
            .map(|_| read_share(r))
            .collect::<Result<Vec<_>, _>>()?;
        let mut steps = Vec::new();
        for _ in 0..r.count(3)? {
            arrived = arrived.wrapping_add(r.zigzag()? as u64);
            let from = start.wrapping_add(r.varint()?);
            let to = end.wrapping_sub(r.varint()?);
            steps.push((
                arrived,
                Extent {
                    start: from,
                    end: to,
                },
            ));
        }
        if steps.is_empty() || spans == 0 || end < start {
            return Err(Damaged("a fragment without spans"));
        }
        let first_row = row;
        row = row.checked_add(u64::from(spans)).ok_or(Damaged("rows"))?;
        let steps = Steps(steps);
        fragments.push(Fragment {
            trace_id,
            steps,
            spans,
            errors,
            orphans,
            root,
            shares,
            first_row,
        });
    }
    if r.remaining() > 0 {
        return Err(Damaged("bytes after a fragment page"));
    }
    Ok(FragmentPage { fragments })
}

fn read_share(r: &mut Reader<'_>) -> Result<Share, Damaged> {
    Ok(Share {
        service: r.u32()?,
        spans: r.u32()?,
        errors: r.u32()?,
    })
}
