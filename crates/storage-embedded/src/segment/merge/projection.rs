//! The projections, group by group: rows of a group ascend within a source, and from one source to
//! the next.

use super::names::Places;
use super::source::Source;
use super::{Failure, Watch};
use crate::segment::index::IndexWriter;
use crate::segment::names::NameTable;
use crate::segment::projection::{ProjectedSpan, ProjectionFrame};

pub(super) fn merge(
    sources: &[Source<'_>],
    places: &[Places],
    names: &NameTable,
    index: &mut IndexWriter<'_>,
    watch: &Watch<'_>,
) -> Result<(), Failure> {
    let begin = |(source, places)| Reading {
        source,
        places,
        frames: 0,
        frame: ProjectionFrame::default(),
        piece: 0,
    };
    let mut readings: Vec<_> = sources.iter().zip(places).map(begin).collect();
    let mut spans = Vec::new();
    for (number, group) in (0..).zip(&names.groups) {
        watch.check()?;
        let mut least = 0;
        for reading in &mut readings {
            // A group may begin in one frame and go on in the next.
            while reading.group()? == Some(number) {
                spans.clear();
                reading.take_piece(&mut spans);
                let (Some(first), Some(last)) = (spans.first(), spans.last()) else {
                    continue;
                };
                if first.row < least {
                    return Err(reading
                        .source
                        .misfit("rows of its projection do not ascend"));
                }
                least = last.row;
                index
                    .projection
                    .add(&mut index.out, number, group.service, &spans)?;
            }
        }
    }
    for reading in &mut readings {
        if reading.group()?.is_some() {
            return Err(reading
                .source
                .misfit("groups of its projection do not ascend"));
        }
    }
    Ok(())
}

/// A source's projection, read piece by piece.
struct Reading<'a> {
    source: &'a Source<'a>,
    places: &'a Places,
    /// Frames read so far.
    frames: usize,
    frame: ProjectionFrame,
    /// The next piece of it.
    piece: usize,
}

impl Reading<'_> {
    /// The group of the next piece; none at the end.
    fn group(&mut self) -> Result<Option<u32>, Failure> {
        loop {
            if let Some((group, _)) = self.frame.piece(self.piece) {
                let group = self.places.group(group);
                let missing = || self.source.misfit("a group of its projection has no name");
                return Ok(Some(group.ok_or_else(missing)?));
            }
            let Some(entry) = self.source.index.directory.projection.get(self.frames) else {
                return Ok(None);
            };
            let frame = self.source.index.read_projection(entry);
            self.frame = frame.map_err(|error| self.source.blame(error))?;
            (self.frames, self.piece) = (self.frames + 1, 0);
        }
    }

    /// Takes the next piece, but for rows that were left behind.
    fn take_piece(&mut self, spans: &mut Vec<ProjectedSpan>) {
        let Some((_, piece)) = self.frame.piece(self.piece) else {
            return;
        };
        self.piece += 1;
        let mut piece = piece.peekable();
        let first = piece.peek().map_or(0, |span| span.row);
        let mut rows = self.source.stretches.rows.from(first);
        spans.extend(piece.filter_map(|span| {
            Some(ProjectedSpan {
                row: rows.moved(span.row)?,
                ..span
            })
        }));
    }
}
