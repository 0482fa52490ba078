//! One read of the engine: what it may cost, what it did cost, and what it could not read.
//! Every part of a segment is read through here, so that it is counted, cached, and, if it is
//! damaged, named in the answer and left out.
#![warn(clippy::indexing_slicing)]

use std::any::Any;
use std::sync::Arc;

use tracewell_model::{SpanBatch, SpanId, TraceId};
use tracewell_storage::{Class, Error, ReadContext, Searched};

use crate::engine::{Engine, View};
use crate::head::{Extent, HeadView};
use crate::segment::Segment;
use crate::segment::block::{Block, Body};
use crate::segment::cache::{Cache, Unit, UnitKey};
use crate::segment::data::{DataFile, TraceEntry};
use crate::segment::failed::FailedBlock;
use crate::segment::filter::FilterFrame;
use crate::segment::fragment::{Fragment, FragmentPage};
use crate::segment::frame::FrameRef;
use crate::segment::index::IndexFile;
use crate::segment::names::NameTable;
use crate::segment::pages::FRAGMENTS_PER_PAGE;
use crate::segment::postings::{KeyTable, PostingFrame};
use crate::segment::projection::ProjectionFrame;

/// What one read keeps of its own, so that a page is read once per query even without a cache.
const SCRATCH_BYTES: usize = 16 << 20;
/// Sentences about damage in one answer; a wholly damaged disk is not a hundred thousand of them.
const INCOMPLETE_MAX: usize = 32;

/// See the module.
pub(super) struct Probe<'a> {
    pub(super) engine: &'a Engine,
    pub(super) context: &'a ReadContext,
    pub(super) view: Arc<View>,
    pub(super) head: HeadView,
    pub(super) searched: Searched,
    pub(super) incomplete: Vec<String>,
    scratch: Cache,
    /// False for a read of everything, which would push out what searches will want again.
    keeps: bool,
}

impl<'a> Probe<'a> {
    pub(super) fn new(engine: &'a Engine, context: &'a ReadContext) -> Self {
        let view = engine.view.load_full();
        let head = view.heads();
        let searched = Searched {
            backend: "embedded",
            ..Searched::default()
        };
        let scratch = Cache::new(SCRATCH_BYTES);
        Probe {
            engine,
            context,
            view,
            head,
            searched,
            incomplete: Vec::new(),
            scratch,
            keeps: true,
        }
    }

    /// A read that keeps nothing it reads: each part is wanted once.
    pub(super) fn passing(engine: &'a Engine, context: &'a ReadContext) -> Self {
        Probe {
            keeps: false,
            ..Probe::new(engine, context)
        }
    }

    /// Gives up the view: the head, and the segments by age, oldest first. A read that takes long
    /// would keep what was sealed or merged meanwhile in memory and on disk.
    pub(super) fn take_view(&mut self) -> (HeadView, Vec<Arc<Segment>>) {
        let empty = View {
            head: Arc::default(),
            frozen: None,
            segments: Vec::new(),
        };
        let view = std::mem::replace(&mut self.view, Arc::new(empty));
        let head = std::mem::replace(&mut self.head, HeadView::new([]));
        (head, view.segments.clone())
    }

    /// The segment at this place of the view.
    #[allow(clippy::indexing_slicing)] // places come from counting this very view
    pub(super) fn segment(&self, at: usize) -> Arc<Segment> {
        Arc::clone(&self.view.segments[at])
    }

    /// Places of the segments that have an index: the others are too old to be searched.
    pub(super) fn searchable(&self) -> Vec<usize> {
        let segments = self.view.segments.iter().enumerate();
        let with_index = segments.filter(|(_, segment)| segment.meta.has_index());
        with_index.map(|(at, _)| at).collect()
    }

    /// What arrived until then may be too old to be searched.
    pub(super) fn searchable_from_unix_ns(&self) -> Option<u64> {
        let segments = self.view.segments.iter();
        let without_index = segments.filter(|segment| !segment.meta.has_index());
        without_index
            .map(|segment| segment.meta.arrived_max_unix_ns)
            .max()
    }

    /// Adds a sentence to the answer, once.
    pub(super) fn note(&mut self, sentence: String) {
        if self.incomplete.len() < INCOMPLETE_MAX && !self.incomplete.contains(&sentence) {
            self.incomplete.push(sentence);
        }
    }

    /// What was read; or nothing, with the damage counted and named: `cost` says what the answer
    /// may lack for it.
    pub(super) fn or_note<T>(
        &mut self,
        read: Result<T, Error>,
        key: UnitKey,
        cost: &str,
    ) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let UnitKey {
            segment,
            unit,
            number,
        } = key;
        let place = match unit {
            Unit::Data | Unit::Index | Unit::Names | Unit::Keys => unit.name().to_owned(),
            _ => format!("{} {number}", unit.name()),
        };
        let what = if error.class == Class::Corrupt {
            "is damaged"
        } else {
            "cannot be read"
        };
        if self.engine.note_damage(key) {
            tracing::warn!(segment = format!("{segment:016x}"), %place, %error, "damaged segment");
        }
        self.note(format!("{place} of segment {segment:016x} {what}: {cost}"));
        None
    }

    fn load<T: Any + Send + Sync>(
        &mut self,
        key: UnitKey,
        bytes: usize,
        weigh: impl Fn(&T) -> usize,
        read: impl FnOnce() -> Result<T, Error>,
    ) -> Result<Arc<T>, Error> {
        if let Some(kept) = self.scratch.get(key).or_else(|| self.engine.cache.get(key)) {
            return Ok(kept);
        }
        self.searched.bytes_read += bytes as u64;
        let is_block = matches!(key.unit, Unit::Block | Unit::Failed);
        self.searched.blocks_read += u64::from(is_block);
        let loaded = Arc::new(read()?);
        if !self.keeps {
            return Ok(loaded);
        }
        let weight = weigh(&loaded);
        self.scratch.put(key, Arc::clone(&loaded), weight);
        self.engine.cache.put(key, Arc::clone(&loaded), weight);
        Ok(loaded)
    }

    /// The data file, if it is there.
    pub(super) fn data<'s>(&mut self, segment: &'s Segment, cost: &str) -> Option<&'s DataFile> {
        let key = UnitKey {
            segment: segment.meta.id,
            unit: Unit::Data,
            number: 0,
        };
        self.or_note(segment.data.as_ref().map_err(Error::clone), key, cost)
    }

    /// The index file, if it is there.
    pub(super) fn index<'s>(&mut self, segment: &'s Segment) -> Option<&'s IndexFile> {
        let key = UnitKey {
            segment: segment.meta.id,
            unit: Unit::Index,
            number: 0,
        };
        let cost = format!("its {} spans cannot be searched", segment.meta.spans);
        self.or_note(segment.index.as_ref().map_err(Error::clone), key, &cost)
    }

    /// A block of spans.
    pub(super) fn block(
        &mut self,
        segment: &Segment,
        number: usize,
        cost: impl Fn(u32) -> String,
    ) -> Option<Arc<Block>> {
        let data = self.data(segment, "its spans are missing")?;
        let entry = *data.blocks.get(number)?;
        let key = unit(segment, Unit::Block, number);
        let (bytes, weigh) = (entry.parts.bytes(), |block: &Block| block.memory_bytes());
        let block = self.load(key, bytes, weigh, || data.read_block(&entry));
        self.or_note(block, key, &cost(entry.parts.rows))
    }

    /// A block without its ids, which are a third of it.
    pub(super) fn body(&mut self, segment: &Segment, number: usize, cost: &str) -> Option<Body> {
        let data = self.data(segment, cost)?;
        let entry = data.blocks.get(number)?;
        self.searched.bytes_read += entry.parts.sections_bytes() as u64;
        self.searched.blocks_read += 1;
        let body = data.read_body(entry);
        self.or_note(body, unit(segment, Unit::Block, number), cost)
    }

    /// What is decoded of a block that was read.
    pub(super) fn decoded<T>(
        &mut self,
        segment: &Segment,
        number: usize,
        decoded: Result<T, Error>,
        cost: &str,
    ) -> Option<T> {
        self.or_note(decoded, unit(segment, Unit::Block, number), cost)
    }

    /// All spans of a block.
    pub(super) fn batch(
        &mut self,
        segment: &Segment,
        number: usize,
        cost: impl Fn(u32) -> String,
    ) -> Option<SpanBatch> {
        let block = self.block(segment, number, &cost)?;
        self.decoded(segment, number, block.batch(), &cost(block.rows()))
    }

    /// False when no trace with this hash lies in the segment. A damaged filter costs time, but no
    /// answer anything: it is counted, and not named.
    pub(super) fn may_hold(&self, segment: &Segment, data: &DataFile, hash: u64) -> bool {
        if let Err(error) = &data.filter {
            self.count(unit(segment, Unit::TraceFilter, 0), error);
        }
        data.may_hold(hash)
    }

    /// Counts damage that costs no answer anything.
    fn count(&self, key: UnitKey, error: &Error) {
        if self.engine.note_damage(key) {
            let id = format!("{:016x}", key.segment);
            let place = format!("{} {}", key.unit.name(), key.number);
            tracing::warn!(segment = id, %place, %error, "damaged segment");
        }
    }

    /// A block of failed spans; none if it is damaged, which costs time only.
    pub(super) fn failed(&mut self, segment: &Segment, number: usize) -> Option<Arc<FailedBlock>> {
        let index = self.index(segment)?;
        let entry = index.directory.failed.get(number)?;
        let key = unit(segment, Unit::Failed, number);
        let (bytes, weigh) = (entry.bytes(), FailedBlock::memory_bytes);
        let loaded = self.load(key, bytes, weigh, || index.read_failed(entry));
        self.or_count(loaded, segment, number)
    }

    /// What was read of such a block.
    pub(super) fn or_count<T>(
        &self,
        read: Result<T, Error>,
        segment: &Segment,
        number: usize,
    ) -> Option<T> {
        let key = unit(segment, Unit::Failed, number);
        read.inspect_err(|error| self.count(key, error)).ok()
    }

    /// The id of the span at this row of the data file.
    pub(super) fn span_id(&mut self, segment: &Segment, row: u64) -> Option<SpanId> {
        let cost = "traces that match may be missing";
        let data = self.data(segment, cost)?;
        let number = data.block_of_row(row)?;
        let entry = *data.blocks.get(number)?;
        let read = data.read_span_id(&entry, (row - entry.first_row) as u32);
        let (id, bytes) = self.or_note(read, unit(segment, Unit::SpanIds, number), cost)?;
        self.searched.bytes_read += bytes as u64;
        Some(id)
    }

    /// The id of a fragment's trace.
    pub(super) fn trace_id(&mut self, segment: &Segment, fragment: u32) -> Option<TraceId> {
        let cost = "traces that match may be missing";
        let data = self.data(segment, cost)?;
        let place = data.trace_id_of(fragment)?;
        let chunk = UnitKey {
            segment: segment.meta.id,
            unit: Unit::BlockTraceIds,
            number: place.offset,
        };
        let weigh = |ids: &Vec<TraceId>| ids.len() * size_of::<TraceId>();
        let ids = self.load(chunk, place.length, weigh, || data.read_trace_ids(&place));
        let ids = self.or_note(ids, unit(segment, Unit::BlockTraceIds, place.block), cost)?;
        ids.get(place.at).copied()
    }

    /// Start and end of the span at this row of the data file.
    pub(super) fn times(&mut self, segment: &Segment, row: u64) -> Option<Extent> {
        let cost = "traces that grew meanwhile may stand in another place";
        let data = self.data(segment, cost)?;
        let number = data.block_of_row(row)?;
        let row = (row - data.blocks.get(number)?.first_row) as u32;
        let block = self.block(segment, number, |_| cost.to_owned())?;
        let batch = self.decoded(segment, number, block.batch_of(row..row + 1), cost)?;
        let span = batch.spans().next()?;
        Some(Extent {
            start: span.start_unix_ns(),
            end: span.end_unix_ns(),
        })
    }

    /// A page of the trace-id table.
    pub(super) fn trace_page(
        &mut self,
        segment: &Segment,
        data: &DataFile,
        page: usize,
    ) -> Option<Arc<Vec<TraceEntry>>> {
        let key = unit(segment, Unit::TraceIds, page);
        let weigh = |entries: &Vec<TraceEntry>| entries.len() * 8;
        let entries = self.load(key, data.page_bytes(page), weigh, || data.read_page(page));
        self.or_note(entries, key, "spans of the traces in it may be missing")
    }

    /// A page of the fragment table.
    pub(super) fn fragments(
        &mut self,
        segment: &Segment,
        page: usize,
    ) -> Option<Arc<FragmentPage>> {
        let index = self.index(segment)?;
        let entry = index.directory.pages.get(page)?;
        let key = unit(segment, Unit::Fragments, page);
        let bytes = entry.frame.bytes as usize;
        let loaded = self.load(key, bytes, FragmentPage::memory_bytes, || {
            index.read_page(entry)
        });
        let cost = format!("up to {FRAGMENTS_PER_PAGE} traces may be missing");
        self.or_note(loaded, key, &cost)
    }

    /// One fragment.
    pub(super) fn fragment(&mut self, segment: &Segment, ordinal: u32) -> Option<Fragment> {
        let page = self.fragments(segment, (ordinal / FRAGMENTS_PER_PAGE) as usize)?;
        page.get((ordinal % FRAGMENTS_PER_PAGE) as usize)
    }

    pub(super) fn names(&mut self, segment: &Segment) -> Option<Arc<NameTable>> {
        let index = self.index(segment)?;
        let key = unit(segment, Unit::Names, 0);
        let bytes = index.directory.names.bytes as usize;
        let loaded = self.load(key, bytes, NameTable::memory_bytes, || index.read_names());
        let cost = format!("its {} spans cannot be searched", segment.meta.spans);
        self.or_note(loaded, key, &cost)
    }

    pub(super) fn keys(&mut self, segment: &Segment) -> Option<Arc<KeyTable>> {
        let index = self.index(segment)?;
        let key = unit(segment, Unit::Keys, 0);
        let bytes = index.directory.keys.bytes as usize;
        let loaded = self.load(key, bytes, KeyTable::memory_bytes, || index.read_keys());
        let cost = format!(
            "its {} spans cannot be searched by attribute",
            segment.meta.spans
        );
        self.or_note(loaded, key, &cost)
    }

    pub(super) fn postings(
        &mut self,
        segment: &Segment,
        frame: &FrameRef,
    ) -> Option<Arc<PostingFrame>> {
        let index = self.index(segment)?;
        let key = UnitKey {
            segment: segment.meta.id,
            unit: Unit::Postings,
            number: frame.offset,
        };
        let weigh = PostingFrame::memory_bytes;
        let loaded = self.load(key, frame.bytes as usize, weigh, || {
            index.read_postings(frame)
        });
        self.or_note(
            loaded,
            key,
            "traces with the attributes in it may be missing",
        )
    }

    pub(super) fn filters(
        &mut self,
        segment: &Segment,
        frame: &FrameRef,
    ) -> Option<Arc<FilterFrame>> {
        let index = self.index(segment)?;
        let key = UnitKey {
            segment: segment.meta.id,
            unit: Unit::Filters,
            number: frame.offset,
        };
        let weigh = FilterFrame::memory_bytes;
        let loaded = self.load(key, frame.bytes as usize, weigh, || {
            index.read_filters(frame)
        });
        self.or_note(
            loaded,
            key,
            "traces with the attributes in it may be missing",
        )
    }

    pub(super) fn projection(
        &mut self,
        segment: &Segment,
        number: usize,
    ) -> Option<Arc<ProjectionFrame>> {
        let index = self.index(segment)?;
        let entry = index.directory.projection.get(number)?;
        let key = unit(segment, Unit::Projection, number);
        let weigh = ProjectionFrame::memory_bytes;
        let bytes = entry.frame.bytes as usize;
        let loaded = self.load(key, bytes, weigh, || index.read_projection(entry));
        self.or_note(loaded, key, "traces with spans in it may be missing")
    }
}

fn unit(segment: &Segment, unit: Unit, number: usize) -> UnitKey {
    UnitKey {
        segment: segment.meta.id,
        unit,
        number: number as u64,
    }
}
