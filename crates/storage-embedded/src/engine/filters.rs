//! Room for trace-id filters: the newest segments keep theirs in memory, as far as the room goes. A read
//! by id asks the table of each of the others, which costs a page where a filter costs nothing; else what
//! is in memory would grow with what is on disk, and ingest be held off for good (P8).

use std::sync::Arc;

use super::{Engine, View};
use crate::segment::Segment;

impl Engine {
    /// Lets filters go that the room is too small for; answers how many. For the thread of
    /// [`Engine::retain_step`].
    pub fn shed_step(&self) -> usize {
        let mut room = Room(self.options.filter_bytes_max);
        let view = self.view.load();
        let over: Vec<_> = view
            .segments
            .iter()
            .rev()
            .filter(|segment| !room.has(segment))
            .cloned()
            .collect();
        for segment in &over {
            let mut bare = Segment::clone(segment);
            bare.drop_filter();
            self.exchange(segment, &Arc::new(bare));
        }
        over.len()
    }

    /// Puts a segment that holds the same in another's place, unless a merge or retention has taken that
    /// meanwhile.
    pub(super) fn exchange(&self, old: &Arc<Segment>, new: &Arc<Segment>) {
        self.view.rcu(|view| {
            let one = |segment: &Arc<Segment>| match Arc::ptr_eq(segment, old) {
                true => Arc::clone(new),
                false => Arc::clone(segment),
            };
            View {
                head: Arc::clone(&view.head),
                frozen: view.frozen.clone(),
                segments: view.segments.iter().map(one).collect(),
            }
        });
    }
}

/// Bytes left.
pub(super) struct Room(pub(super) usize);

impl Room {
    /// True if this segment's filter still finds room; those asked about first have it.
    pub(super) fn has(&mut self, segment: &Segment) -> bool {
        let bytes = segment.filter_bytes();
        self.0 = self.0.saturating_sub(bytes);
        bytes == 0 || self.0 > 0
    }
}
