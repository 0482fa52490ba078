//! Reopening: a segment whose files could not be read when it was opened, for a passing failure of
//! the disk, is opened again, and so is one whose files come back. What is damaged stays damaged.

use std::sync::Arc;

use tracewell_storage::{Class, Error};

use super::{Engine, View, lock};
use crate::segment::Segment;
use crate::segment::cache::Unit;
use crate::segment::meta::segments_dir;

/// The wait before the first try; each that gains nothing doubles it, to the longest: a file that is
/// gone for good costs a few calls now and then.
const WAIT_FIRST_NS: u64 = 5_000_000_000;
const WAIT_MAX_NS: u64 = 300_000_000_000;

/// When the next try is due.
#[derive(Debug, Default)]
pub(super) struct Patience {
    due_ns: u64,
    wait_ns: u64,
}

impl Patience {
    fn tried(&mut self, now_ns: u64, gained: bool) {
        let longer = self.wait_ns.saturating_mul(2);
        let wait_ns = if gained { WAIT_FIRST_NS } else { longer };
        self.wait_ns = wait_ns.clamp(WAIT_FIRST_NS, WAIT_MAX_NS);
        self.due_ns = now_ns.saturating_add(self.wait_ns);
    }
}

impl Engine {
    /// Opens again what could not be read; answers how many segments have gained by it. For the
    /// thread of [`Engine::retain_step`].
    pub fn reopen_step(&self) -> usize {
        let unread: Vec<_> = {
            let view = self.view.load();
            let unread = view
                .segments
                .iter()
                .filter(|segment| unread_parts(segment) > 0);
            unread.cloned().collect()
        };
        let now_ns = self.clock.monotonic_ns();
        let mut patience = lock(&self.reopening);
        if unread.is_empty() || now_ns < patience.due_ns {
            return 0;
        }
        let dir = segments_dir(&self.dir);
        let mut gained = 0;
        for old in unread {
            let new = Segment::open(self.fs.as_ref(), &dir, old.meta.clone());
            if unread_parts(&new) < unread_parts(&old) {
                let new = Arc::new(new);
                self.exchange(&old, &new);
                self.note_reopened(&new);
                gained += 1;
            }
        }
        patience.tried(now_ns, gained > 0);
        gained
    }

    fn note_reopened(&self, segment: &Segment) {
        let id = segment.meta.id;
        tracing::info!(
            segment = format!("{id:016x}"),
            "the segment can be read again"
        );
        let whole_files = [Unit::Data, Unit::Index, Unit::TraceFilter];
        lock(&self.damaged).retain(|key| key.segment != id || !whole_files.contains(&key.unit));
    }

    /// What the segments of the view lack, a sentence each.
    pub(super) fn lacks(view: &View) -> Vec<String> {
        let lacking = view.segments.iter().flat_map(|segment| {
            let data = segment.data.as_ref().err().map(|error| ("data", error));
            let index = segment.index.as_ref().err().map(|error| ("index", error));
            let index = index.filter(|_| segment.meta.has_index());
            data.into_iter().chain(index).map(|(what, error)| {
                let (id, spans) = (segment.meta.id, segment.meta.spans);
                let lost = match error.class {
                    Class::Corrupt => "is damaged",
                    _ => "cannot be read",
                };
                format!("{what} of segment {id:016x}, {spans} spans, {lost}: {error}")
            })
        });
        lacking.collect()
    }
}

/// How much of a segment could not be read, and may be read another time.
fn unread_parts(segment: &Segment) -> usize {
    let passing = |error: &Error| usize::from(error.class != Class::Corrupt);
    let data = match &segment.data {
        Ok(data) => data.filter.as_ref().err().map_or(0, passing),
        // A data file whose filter cannot be read is better than none.
        Err(error) => 2 * passing(error),
    };
    let index = segment.index.as_ref().err().map_or(0, passing);
    data + if segment.meta.has_index() { index } else { 0 }
}
