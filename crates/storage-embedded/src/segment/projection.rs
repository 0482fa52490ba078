//! The projection: one small row per span, grouped by (service, operation), which decides all span
//! predicates but tags without touching the spans, but where a duration is asked for to more
//! digits than it keeps. A one-service search reads that service's frames and no others.
#![warn(clippy::indexing_slicing)]

use std::ops::Range;

use tracewell_storage::Error;

use super::frame::{FrameRef, FrameWriter};
use super::rough::Rough;
use crate::codec::{Damaged, Reader, put_varint};

/// Rows after which a frame ends in any case.
const ROWS_MAX: usize = 16_384;
/// Rows after which a frame ends with its service: smaller ones cost more than they save.
const ROWS_OF_A_SERVICE_MIN: usize = 1_024;
/// Columns of a frame: pieces, low bytes of row differences, their other bits, digits of durations,
/// their scales with the error bit.
pub(crate) const COLUMNS: usize = 5;

/// A span as the projection knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectedSpan {
    /// Its row in the data file.
    pub(crate) row: u32,
    pub(crate) duration: Rough,
    pub(crate) error: bool,
}

/// A decoded frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ProjectionFrame {
    /// Groups, each with where its rows end.
    pieces: Vec<(u32, u32)>,
    rows: Vec<u32>,
    durations: Vec<Rough>,
    errors: Vec<bool>,
}

impl ProjectionFrame {
    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.pieces.len() * 8 + self.rows.len() * 7
    }

    /// The group and the spans of the piece at this place.
    pub(crate) fn piece(&self, at: usize) -> Option<(u32, impl Iterator<Item = ProjectedSpan>)> {
        let &(group, end) = self.pieces.get(at)?;
        let before = at.checked_sub(1).and_then(|before| self.pieces.get(before));
        let from = before.map_or(0, |&(_, end)| end);
        Some((group, self.spans(from as usize..end as usize)))
    }

    fn spans(&self, piece: Range<usize>) -> impl Iterator<Item = ProjectedSpan> {
        let rows = self.rows.get(piece.clone()).unwrap_or_default();
        let durations = self.durations.get(piece.clone()).unwrap_or_default();
        let errors = self.errors.get(piece).unwrap_or_default();
        let spans = rows.iter().zip(durations).zip(errors);
        spans.map(|((&row, &duration), &error)| ProjectedSpan {
            row,
            duration,
            error,
        })
    }

    /// The groups that are wanted with their spans in these rows; both ascend.
    pub(crate) fn pieces_within(
        &self,
        rows: &Range<u64>,
        is_wanted: impl Fn(u32) -> bool,
    ) -> impl Iterator<Item = (u32, impl Iterator<Item = ProjectedSpan>)> {
        let mut before = 0;
        self.pieces.iter().filter_map(move |&(group, end)| {
            let piece = std::mem::replace(&mut before, end as usize)..end as usize;
            if !is_wanted(group) {
                return None;
            }
            let all = self.rows.get(piece.clone()).unwrap_or_default();
            let from = all.partition_point(|&row| u64::from(row) < rows.start);
            let to = all.partition_point(|&row| u64::from(row) < rows.end);
            let here = piece.start + from..piece.start + to.max(from);
            Some((group, self.spans(here)))
        })
    }

    /// Groups with their spans; both ascend.
    #[cfg(test)]
    pub(crate) fn pieces(
        &self,
    ) -> impl Iterator<Item = (u32, impl Iterator<Item = ProjectedSpan>)> {
        (0..self.pieces.len()).filter_map(|at| self.piece(at))
    }

    pub(crate) fn read(columns: &[Vec<u8>; COLUMNS]) -> Result<ProjectionFrame, Damaged> {
        let [pieces, low, high, digits, scales] = columns;
        if digits.len() != low.len() || scales.len() != low.len() {
            return Err(Damaged("columns of a projection frame"));
        }
        let mut frame = ProjectionFrame {
            rows: Vec::with_capacity(low.len()),
            ..ProjectionFrame::default()
        };
        let (mut pieces, mut high, mut low) = (Reader::new(pieces), Reader::new(high), low.iter());
        let mut group = 0u32;
        while pieces.remaining() > 0 {
            group = group.checked_add(pieces.u32()?).ok_or(Damaged("group"))?;
            let mut row = 0u32;
            for _ in 0..pieces.varint()? {
                let low = low.next().ok_or(Damaged("rows of a piece"))?;
                let difference = high.u32()?.checked_mul(256).ok_or(Damaged("row"))?;
                row = row
                    .checked_add(difference | u32::from(*low))
                    .ok_or(Damaged("row"))?;
                frame.rows.push(row);
            }
            frame.pieces.push((group, frame.rows.len() as u32));
        }
        if high.remaining() > 0 || low.next().is_some() {
            return Err(Damaged("rows after the last piece"));
        }
        for (&digits, &scale) in digits.iter().zip(scales) {
            let duration = Rough::new(digits, scale >> 1).ok_or(Damaged("duration"))?;
            frame.durations.push(duration);
            frame.errors.push(scale & 1 == 1);
        }
        Ok(frame)
    }
}

/// What the index's footer says of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProjectionEntry {
    pub(crate) frame: FrameRef,
    pub(crate) first_group: u32,
    pub(crate) last_group: u32,
    /// The lowest and the highest of its rows.
    pub(crate) first_row: u32,
    pub(crate) last_row: u32,
    pub(crate) longest: Rough,
    pub(crate) has_error: bool,
}

impl ProjectionEntry {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        self.frame.put(out);
        for number in [
            self.first_group,
            self.last_group - self.first_group,
            self.first_row,
            self.last_row - self.first_row,
        ] {
            put_varint(out, u64::from(number));
        }
        out.extend_from_slice(&[
            self.longest.digits(),
            scale_and_error(self.longest, self.has_error),
        ]);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<ProjectionEntry, Damaged> {
        let frame = FrameRef::read(r)?;
        let (first_group, last_group) = read_range(r)?;
        let (first_row, last_row) = read_range(r)?;
        let (digits, scale) = (r.byte()?, r.byte()?);
        Ok(ProjectionEntry {
            frame,
            first_group,
            last_group,
            first_row,
            last_row,
            longest: Rough::new(digits, scale >> 1).ok_or(Damaged("longest of a frame"))?,
            has_error: scale & 1 == 1,
        })
    }
}

fn read_range(r: &mut Reader<'_>) -> Result<(u32, u32), Damaged> {
    let first = r.u32()?;
    let last = first.checked_add(r.u32()?);
    Ok((first, last.ok_or(Damaged("range of a frame"))?))
}

fn scale_and_error(duration: Rough, error: bool) -> u8 {
    duration.scale() << 1 | u8::from(error)
}

/// Cuts groups into frames and writes them.
#[derive(Debug, Default)]
pub(crate) struct ProjectionWriter {
    entries: Vec<ProjectionEntry>,
    service: u32,
    open: OpenFrame,
}

/// A frame that is being filled.
#[derive(Debug, Default)]
struct OpenFrame {
    /// Groups, each with how many rows it has here.
    pieces: Vec<(u32, u32)>,
    low: Vec<u8>,
    high: Vec<u8>,
    digits: Vec<u8>,
    scales: Vec<u8>,
    /// The last row.
    row: u32,
    rows: Option<(u32, u32)>,
    longest: Rough,
    has_error: bool,
}

impl ProjectionWriter {
    /// Adds spans of a group. Groups come in order, and their rows too, all at once or in turns.
    pub(crate) fn add(
        &mut self,
        out: &mut FrameWriter<'_>,
        group: u32,
        service: u32,
        mut spans: &[ProjectedSpan],
    ) -> Result<(), Error> {
        if service != self.service && self.open.low.len() >= ROWS_OF_A_SERVICE_MIN {
            self.end_frame(out)?;
        }
        self.service = service;
        while !spans.is_empty() {
            let room = ROWS_MAX - self.open.low.len();
            let (these, rest) = spans.split_at(room.min(spans.len()));
            self.open.push(group, these);
            spans = rest;
            if self.open.low.len() == ROWS_MAX {
                self.end_frame(out)?;
            }
        }
        Ok(())
    }

    /// Writes what is left; answers all frames.
    pub(crate) fn finish(
        mut self,
        out: &mut FrameWriter<'_>,
    ) -> Result<Vec<ProjectionEntry>, Error> {
        self.end_frame(out)?;
        Ok(self.entries)
    }

    fn end_frame(&mut self, out: &mut FrameWriter<'_>) -> Result<(), Error> {
        let open = &mut self.open;
        let groups = [open.pieces.first(), open.pieces.last()];
        let ([Some(first), Some(last)], Some(rows)) = (groups, open.rows) else {
            return Ok(());
        };
        let mut pieces = Vec::new();
        let mut before = 0;
        for &(group, rows) in &open.pieces {
            put_varint(&mut pieces, u64::from(group - before));
            put_varint(&mut pieces, u64::from(rows));
            before = group;
        }
        let columns = [&pieces, &open.low, &open.high, &open.digits, &open.scales];
        self.entries.push(ProjectionEntry {
            frame: out.put_columns(&columns.map(Vec::as_slice))?,
            first_group: first.0,
            last_group: last.0,
            first_row: rows.0,
            last_row: rows.1,
            longest: open.longest,
            has_error: open.has_error,
        });
        open.clear();
        Ok(())
    }
}

impl OpenFrame {
    fn push(&mut self, group: u32, spans: &[ProjectedSpan]) {
        let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
            return;
        };
        let count = spans.len() as u32;
        match self.pieces.last_mut() {
            Some((last, rows)) if *last == group => *rows += count,
            _ => {
                self.pieces.push((group, count));
                self.row = 0;
            }
        }
        for span in spans {
            let difference = span.row - self.row;
            self.row = span.row;
            self.low.push(difference as u8);
            put_varint(&mut self.high, u64::from(difference >> 8));
        }
        self.digits
            .extend(spans.iter().map(|span| span.duration.digits()));
        let scales = spans.iter();
        self.scales
            .extend(scales.map(|span| scale_and_error(span.duration, span.error)));
        let (lowest, highest) = self.rows.get_or_insert((first.row, last.row));
        (*lowest, *highest) = ((*lowest).min(first.row), (*highest).max(last.row));
        let longest = spans.iter().map(|span| span.duration).max();
        self.longest = self.longest.max(longest.unwrap_or_default());
        self.has_error |= spans.iter().any(|span| span.error);
    }

    fn clear(&mut self) {
        self.pieces.clear();
        for column in [
            &mut self.low,
            &mut self.high,
            &mut self.digits,
            &mut self.scales,
        ] {
            column.clear();
        }
        (self.rows, self.longest, self.has_error) = (None, Rough::default(), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Kind;
    use crate::fs::{Fs, StdFs};
    use crate::segment::frame;

    type Groups = Vec<(u32, u32, Vec<ProjectedSpan>)>;

    fn random_groups(random: &mut fastrand::Rng) -> Groups {
        let mut groups = Vec::new();
        for group in 0..random.u32(1..60) {
            let mut spans = Vec::new();
            let (rows, gap) = (1 << random.u32(..14), 1 << random.u32(1..12));
            let mut row = random.u32(..1 << 20);
            for _ in 0..random.usize(..rows) {
                spans.push(ProjectedSpan {
                    row,
                    duration: Rough::of(random.u64(..) >> random.u32(..64)),
                    error: random.u8(..20) == 0,
                });
                row += random.u32(1..gap);
            }
            groups.push((group, group / 7, spans));
        }
        groups
    }

    #[test]
    fn frames_hold_every_group_in_order_and_say_what_is_in_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20 {
            let groups = random_groups(&mut random);
            let mut out = FrameWriter::create(&StdFs, dir.path(), "x", Kind::Index).expect("works");
            let mut writer = ProjectionWriter::default();
            for (group, service, spans) in &groups {
                // As they come from one run after another.
                let (some, others) = spans.split_at(spans.len() / 3);
                writer.add(&mut out, *group, *service, some).expect("works");
                writer
                    .add(&mut out, *group, *service, others)
                    .expect("works");
            }
            let entries = writer.finish(&mut out).expect("works");
            out.finish(&[]).expect("works");
            let path = dir.path().join("x");
            let file = StdFs.open(&path).expect("works");
            let mut read: Groups = Vec::new();
            for entry in &entries {
                let columns = frame::read_columns(file.as_ref(), &path, &entry.frame);
                let frame = ProjectionFrame::read(&columns.expect("is whole")).expect("is sound");
                check_entry(entry, &frame);
                for (group, spans) in frame.pieces() {
                    match read.last_mut() {
                        Some((last, _, all)) if *last == group => all.extend(spans),
                        _ => read.push((group, group / 7, spans.collect())),
                    }
                }
            }
            let expected: Groups = groups
                .into_iter()
                .filter(|(_, _, spans)| !spans.is_empty())
                .collect();
            assert_eq!(read, expected);
        }
    }

    fn check_entry(entry: &ProjectionEntry, frame: &ProjectionFrame) {
        let mut bytes = Vec::new();
        entry.put(&mut bytes);
        let read = ProjectionEntry::read(&mut Reader::new(&bytes));
        assert_eq!(read.as_ref(), Ok(entry));
        let groups: Vec<u32> = frame.pieces().map(|(group, _)| group).collect();
        let spans: Vec<_> = frame.pieces().flat_map(|(_, spans)| spans).collect();
        assert_eq!(groups.first(), Some(&entry.first_group));
        assert_eq!(groups.last(), Some(&entry.last_group));
        assert_eq!(
            spans.iter().map(|span| span.row).min(),
            Some(entry.first_row)
        );
        assert_eq!(
            spans.iter().map(|span| span.row).max(),
            Some(entry.last_row)
        );
        assert_eq!(
            spans.iter().map(|span| span.duration).max(),
            Some(entry.longest)
        );
        assert_eq!(spans.iter().any(|span| span.error), entry.has_error);
    }

    #[test]
    fn columns_that_do_not_fit_are_damage() {
        let columns = |low: &[u8], digits: &[u8], scales: &[u8]| {
            let pieces = vec![0, 2];
            let high = vec![0, 0];
            [pieces, low.to_vec(), high, digits.to_vec(), scales.to_vec()]
        };
        let read = |columns| ProjectionFrame::read(&columns).is_ok();
        assert!(read(columns(&[1, 2], &[10, 11], &[2, 3])));
        assert!(!read(columns(&[1], &[10], &[2])));
        assert!(!read(columns(&[1, 2, 3], &[10, 11, 12], &[2, 3, 2])));
        assert!(!read(columns(&[1, 2], &[10, 11], &[2])));
        assert!(!read(columns(&[1, 2], &[100, 11], &[2, 3])));
        assert!(!read(columns(&[1, 2], &[10, 11], &[2, 200])));
    }
}
