//! Expiry: removes what retention says. One edit of the manifest forgets the segments and counts
//! their spans, then their files go: after a crash in between they go at the next start.
//!
//! A full disk must not keep that from making room (P7), and the edit itself needs some: a file of
//! nothing is kept to be given up for it.

use std::io::ErrorKind;
use std::sync::Arc;

use tracewell_model::Clock;
use tracewell_storage::{Class, Error};

use super::retention::{self, Believed, Leaving, RetentionClock};
use super::{Engine, Sealer, lock};
use crate::failpoint;
use crate::fs;
use crate::manifest::{self, Edit, Gone};
use crate::segment::Segment;
use crate::segment::meta::{index_name, segments_dir};

/// Given up when the manifest finds no room. A manifest written anew takes 100 bytes a segment.
const RESERVE_NAME: &str = "reserve";
const RESERVE_BYTES: usize = 1 << 20;

/// Expiry's part of the engine.
#[derive(Debug)]
pub(super) struct Keeper {
    clock: RetentionClock,
    has_reserve: bool,
    /// As in the manifest, which a seal may hold for seconds.
    pub(super) gone: Gone,
}

impl Keeper {
    pub(super) fn new(state: &manifest::State, clock: &dyn Clock) -> Self {
        let (unix_ns, monotonic_ns) = (clock.unix_ns(), clock.monotonic_ns());
        Keeper {
            clock: RetentionClock::new(state.believed, unix_ns, monotonic_ns),
            has_reserve: false,
            gone: state.gone,
        }
    }
}

/// What a step removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Whole segments.
    pub segments: usize,
    /// Spans in them.
    pub spans: u64,
    /// Search indexes of segments that stay.
    pub indexes: usize,
}

/// What goes in a step.
#[derive(Debug)]
struct Going {
    /// Whole segments.
    whole: Vec<Arc<Segment>>,
    /// Segments as they are without their indexes.
    bare: Vec<Arc<Segment>>,
}

impl Going {
    fn retain(&mut self, is_there: impl Fn(&Segment) -> bool) {
        for segments in [&mut self.whole, &mut self.bare] {
            segments.retain(|segment| is_there(segment));
        }
    }

    fn expiry(&self) -> Expiry {
        Expiry {
            segments: self.whole.len(),
            spans: self.whole.iter().map(|segment| segment.meta.spans).sum(),
            indexes: self.bare.len(),
        }
    }

    fn edit(&self, believed: Believed) -> Edit {
        let metas = |segments: &[Arc<Segment>]| -> Vec<_> {
            segments
                .iter()
                .map(|segment| segment.meta.clone())
                .collect()
        };
        let whole = metas(&self.whole);
        Edit {
            added: metas(&self.bare),
            removed: whole.iter().map(|meta| meta.id).collect(),
            gone: Gone {
                expired: whole.iter().map(|meta| meta.spans).sum(),
                duplicates: whole.iter().map(|meta| meta.duplicates).sum(),
                sampled_out: 0,
            },
            believed: Some(believed),
            ..Edit::default()
        }
    }
}

impl Engine {
    /// Removes what is too old, and the oldest beyond the disk cap. For a thread of its own.
    pub fn retain_step(&self) -> Result<Expiry, Error> {
        let (leaving, believed, is_to_be_saved) = self.look_for_leaving();
        if leaving.is_nothing() && !is_to_be_saved {
            return Ok(Expiry::default());
        }
        let view = self.view.load_full();
        let segments_of = |ids: &[u64]| -> Vec<Arc<Segment>> {
            let listed = view
                .segments
                .iter()
                .filter(|segment| ids.contains(&segment.meta.id));
            listed.cloned().collect()
        };
        let bare = segments_of(&leaving.indexes);
        let bare = bare
            .iter()
            .filter_map(|segment| self.without_index(segment));
        let going = Going {
            whole: segments_of(&leaving.segments),
            bare: bare.collect(),
        };
        let (going, expiry) = self.commit_expiry(going, believed)?;
        failpoint::hit("expire-before-unlink");
        let whole = going.whole.iter();
        whole.for_each(|segment| self.unlink(segment.meta.id));
        let dir = segments_dir(&self.dir);
        for segment in &going.bare {
            let _kept_until_start = self.fs.unlink(&dir.join(index_name(segment.meta.id)));
        }
        Ok(expiry)
    }

    fn look_for_leaving(&self) -> (Leaving, Believed, bool) {
        let (unix_ns, monotonic_ns) = (self.clock.unix_ns(), self.clock.monotonic_ns());
        let options = &self.options.retention;
        let mut keeper = lock(&self.keeper);
        if !keeper.has_reserve {
            keeper.has_reserve = self.make_reserve().is_ok();
        }
        keeper.clock.advance(unix_ns, monotonic_ns, options);
        let believed = keeper.clock.believed();
        let view = self.view.load();
        let metas: Vec<_> = view.segments.iter().map(|segment| &segment.meta).collect();
        let leaving = retention::leaving(&metas, believed.unix_ns, options);
        (leaving, believed, keeper.clock.is_to_be_saved(options))
    }

    /// Forgets what goes, but for what a merge took away meanwhile: that is not there any more, and
    /// what it became is looked at by the next step.
    fn commit_expiry(
        &self,
        mut going: Going,
        believed: Believed,
    ) -> Result<(Going, Expiry), Error> {
        let mut sealer = lock(&self.sealer);
        let named = &sealer.manifest.state.segments;
        going.retain(|segment| named.contains_key(&segment.meta.id));
        let expiry = going.expiry();
        self.commit_in_need(&mut sealer, going.edit(believed))?;
        failpoint::hit("expire-after-commit");
        let gone = going.whole.iter().chain(&going.bare);
        let gone: Vec<u64> = gone.map(|segment| segment.meta.id).collect();
        self.replace(going.bare.iter().cloned(), &gone);
        sealer.uncertain.drain(..).for_each(|id| self.unlink(id));
        let gone = sealer.manifest.state.gone;
        drop(sealer);
        let mut keeper = lock(&self.keeper);
        keeper.clock.note_saved(believed);
        keeper.gone = gone;
        Ok((going, expiry))
    }

    /// Commits; on a full disk with the room that was kept for it.
    fn commit_in_need(&self, sealer: &mut Sealer, edit: Edit) -> Result<(), Error> {
        match sealer.manifest.commit(edit.clone()) {
            Err(error) if error.class == Class::Overloaded => {
                let _was_none = self.fs.unlink(&self.dir.join(RESERVE_NAME));
                lock(&self.keeper).has_reserve = false;
                sealer.manifest.commit(edit)
            }
            done => done,
        }
    }

    fn make_reserve(&self) -> std::io::Result<()> {
        match self.fs.open(&self.dir.join(RESERVE_NAME)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let bytes = vec![0xa5; RESERVE_BYTES];
                fs::write_atomic(self.fs.as_ref(), &self.dir, RESERVE_NAME, &bytes)
            }
            other => other.map(|_| ()),
        }
    }

    /// The segment as it will be once its index is gone; none while it cannot be opened anew.
    fn without_index(&self, segment: &Segment) -> Option<Arc<Segment>> {
        let mut meta = segment.meta.clone();
        meta.index_bytes = 0;
        let bare = Segment::open(self.fs.as_ref(), &segments_dir(&self.dir), meta);
        (bare.data.is_ok() || segment.data.is_err()).then(|| Arc::new(bare))
    }

    /// What has left the segments, and what is to be said of the clock.
    pub(super) fn gone(&self) -> (Gone, Option<String>) {
        let keeper = lock(&self.keeper);
        let problem = keeper
            .clock
            .problem(self.clock.unix_ns(), &self.options.retention);
        (keeper.gone, problem)
    }
}
