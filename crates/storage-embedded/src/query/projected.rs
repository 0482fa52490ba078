//! The rows of a segment that satisfy service, operation, error and duration, by the projection: a
//! window of rows at a time, since a merged segment has millions, and a search newest first mostly
//! ends within the last few thousand.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::ops::Range;

use tracewell_storage::TraceQuery;

use super::probe::Probe;
use crate::segment::Segment;
use crate::segment::names::NameTable;
use crate::segment::projection::{ProjectedSpan, ProjectionEntry};

/// A segment has so many windows at most: a frame of a rare operation lies in all of them.
const WINDOWS_MAX: u64 = 32;
/// Rows in a window at least.
const WINDOW_ROWS_MIN: u64 = 64 << 10;
/// Windows at hand: rows are asked for from one end to the other, in a few stretches side by side.
const WINDOWS_KEPT: usize = 8;

/// A row that satisfies the predicates of the projection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProjectedRow {
    pub(super) row: u32,
    /// False when only its exact duration can tell.
    pub(super) is_sure: bool,
}

/// True when the projection has something to say.
pub(super) fn is_projected(query: &TraceQuery) -> bool {
    query.service.is_some()
        || query.operation.is_some()
        || query.span_error.is_some()
        || query.min_span_duration_ns.is_some()
        || query.max_span_duration_ns.is_some()
}

/// See the module.
#[derive(Debug)]
pub(super) struct ProjectedRows {
    groups: BTreeSet<u32>,
    /// Frames that may hold a match.
    frames: Vec<usize>,
    window_rows: u64,
    /// By number, with their rows in order; the one asked for last stands first.
    windows: Vec<(u64, Vec<ProjectedRow>)>,
}

impl ProjectedRows {
    /// Begins; none when no row can match.
    pub(super) fn open(
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        segment: &Segment,
    ) -> Option<ProjectedRows> {
        let names = probe.names(segment)?;
        let groups = groups_of(query, &names);
        let index = segment.index.as_ref().ok()?;
        let entries = index.directory.projection.iter().enumerate();
        let frames = entries.filter(|(_, entry)| may_match(query, &groups, entry));
        let frames: Vec<usize> = frames.map(|(number, _)| number).collect();
        (!frames.is_empty()).then(|| ProjectedRows {
            groups,
            frames,
            window_rows: segment
                .meta
                .spans
                .div_ceil(WINDOWS_MAX)
                .max(WINDOW_ROWS_MIN),
            windows: Vec::new(),
        })
    }

    /// The first of these rows that matches and that `is_match` says yes to.
    pub(super) fn find(
        &mut self,
        probe: &mut Probe<'_>,
        (query, segment): (&TraceQuery, &Segment),
        rows: Range<u64>,
        mut is_match: impl FnMut(&mut Probe<'_>, &ProjectedRow) -> bool,
    ) -> Option<u64> {
        let windows = rows.start / self.window_rows..=rows.end.saturating_sub(1) / self.window_rows;
        for number in windows {
            let window = self.window(probe, query, segment, number);
            let from = window.partition_point(|at| u64::from(at.row) < rows.start);
            let these = window.get(from..).unwrap_or_default().iter();
            let mut these = these.take_while(|at| u64::from(at.row) < rows.end);
            let found = these.find(|at| is_match(probe, at));
            if let Some(found) = found {
                return Some(u64::from(found.row));
            }
        }
        None
    }

    fn window(
        &mut self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        segment: &Segment,
        number: u64,
    ) -> &[ProjectedRow] {
        match self.windows.iter().position(|(known, _)| *known == number) {
            Some(at) => {
                let these = self.windows.get_mut(..=at);
                these.into_iter().for_each(|these| these.rotate_right(1));
            }
            None => {
                let rows = self.read_window(probe, query, segment, number);
                self.windows.truncate(WINDOWS_KEPT - 1);
                self.windows.insert(0, (number, rows));
            }
        }
        self.windows.first().map_or(&[], |(_, rows)| rows)
    }

    fn read_window(
        &self,
        probe: &mut Probe<'_>,
        query: &TraceQuery,
        segment: &Segment,
        number: u64,
    ) -> Vec<ProjectedRow> {
        let within = number * self.window_rows..(number + 1) * self.window_rows;
        let mut rows = Vec::new();
        let Ok(index) = &segment.index else {
            return rows;
        };
        for &frame in &self.frames {
            let Some(entry) = index.directory.projection.get(frame) else {
                continue;
            };
            let is_beside = u64::from(entry.first_row) >= within.end
                || u64::from(entry.last_row) < within.start;
            if is_beside {
                continue;
            }
            if let Err(stopped) = probe.context.check() {
                probe.note(stopped.message);
                break;
            }
            let Some(frame) = probe.projection(segment, frame) else {
                continue;
            };
            for (_, spans) in frame.pieces_within(&within, |group| self.groups.contains(&group)) {
                rows.extend(spans.filter_map(|span| projected(query, span)));
            }
        }
        // Each group's rows ascend: this sort merges them.
        rows.sort();
        rows
    }
}

/// The row of a span, if it satisfies what the projection decides, or may.
fn projected(query: &TraceQuery, span: ProjectedSpan) -> Option<ProjectedRow> {
    let bounds = (query.min_span_duration_ns, query.max_span_duration_ns);
    let is_sure = match span.duration.lies_within(bounds.0, bounds.1) {
        Some(false) => return None,
        decided => decided.is_some(),
    };
    let is_alike = query.span_error.is_none_or(|wanted| wanted == span.error);
    is_alike.then_some(ProjectedRow {
        row: span.row,
        is_sure,
    })
}

/// The groups of the service and operation that are asked for.
pub(super) fn groups_of(query: &TraceQuery, names: &NameTable) -> BTreeSet<u32> {
    let wanted = |wanted: &Option<String>, name: &str| wanted.as_deref().is_none_or(|w| w == name);
    let is_wanted = |group: &u32| {
        names.group(*group).is_some_and(|(service, operation)| {
            wanted(&query.service, service) && wanted(&query.operation, operation)
        })
    };
    (0..names.groups.len() as u32).filter(is_wanted).collect()
}

/// False when no span of this frame can match.
pub(super) fn may_match(
    query: &TraceQuery,
    groups: &BTreeSet<u32>,
    entry: &ProjectionEntry,
) -> bool {
    let mut here = groups.range(entry.first_group..=entry.last_group);
    let long_enough = entry.longest.lies_within(query.min_span_duration_ns, None);
    here.next().is_some()
        && (query.span_error != Some(true) || entry.has_error)
        && long_enough != Some(false)
}
