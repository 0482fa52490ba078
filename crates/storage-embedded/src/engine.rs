//! The engine: a head, immutable segments and the manifest, behind one sink and its readers.
//!
//! The sink's worker is the only writer. A head that is full is frozen and becomes a segment while
//! a new one grows. Readers take a view (heads and segments that belong together) and keep it as long as they read: a seal puts the next view in place in one step, so
//! no reader sees a span in both or in neither. The engine owns no thread and asks only the clock
//! it was given.

mod compact;
mod expire;
mod filters;
mod pressure;
mod recover;
mod reopen;
pub(crate) mod retention;
mod tiers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tracewell_model::Clock;
use tracewell_storage::{Error, Position, Record, Sink};

use crate::fs::Fs;
use crate::head::{Head, HeadView};
use crate::manifest::{Edit, Manifest};
use crate::query::EmbeddedTraces;
use crate::segment::Segment;
use crate::segment::cache::{Cache, UnitKey};
use crate::segment::meta::{SegmentMeta, data_name, index_name, segments_dir};
use crate::segment::seal::{self, SealOptions, SealScratch};

pub use crate::segment::merge::{Figures, Keep, Verdict};
pub use compact::Compaction;
pub use expire::Expiry;
pub use retention::Retention;

/// Settings of the engine.
#[derive(Clone, Copy, Debug)]
pub struct EngineOptions {
    /// Spans in the head at which it is sealed: a good segment, and a replay well under a second.
    pub head_spans_max: u64,
    /// Bytes in the head at which it is sealed; a quarter of D15's share for heads, because a
    /// frozen one may stand beside it, and readers may still hold the one before.
    pub head_bytes_max: u64,
    /// Age at which a head worth a segment ([`EngineOptions::small_head_spans`]) is sealed, so
    /// that the log can let go of its files.
    pub head_age_ns: u64,
    /// Age at which even a small head is sealed. Replay of so few spans is nothing; a segment a
    /// minute for ten spans would be 1,440 files to search through a day.
    pub small_head_age_ns: u64,
    /// A head is sealed, however small, when nothing came for so long: what nobody adds to any more
    /// is to be compacted within two minutes.
    pub quiet_head_age_ns: u64,
    /// Below this many spans a head is small.
    pub small_head_spans: u64,
    /// Bytes of decoded blocks and pages kept; 0 keeps none.
    pub cache_bytes_max: usize,
    /// Spans in a block: a read by id decodes one, 0.3 ms.
    pub block_spans: usize,
    /// Room for the trace-id filters of segments; the oldest ones' are asked on disk.
    pub filter_bytes_max: usize,
    /// Whether the sink seals by itself. A seal takes seconds, in which nothing new is taken in
    /// and D8's one second is missed: who has a thread for [`Engine::seal_step`] turns it off.
    pub seal_inline: bool,
    /// Small segments that are merged for their number alone: with so many open a read by id asks as
    /// many filters.
    pub merge_segments_min: usize,
    /// How long they are kept.
    pub retention: Retention,
}

impl Default for EngineOptions {
    fn default() -> Self {
        EngineOptions {
            head_spans_max: 262_144,
            head_bytes_max: 96 << 20,
            head_age_ns: 60_000_000_000,
            small_head_age_ns: 600_000_000_000,
            quiet_head_age_ns: 60_000_000_000,
            small_head_spans: 32_768,
            cache_bytes_max: 64 << 20,
            block_spans: 4_096,
            filter_bytes_max: 48 << 20,
            seal_inline: true,
            merge_segments_min: 32,
            retention: Retention::default(),
        }
    }
}

/// Figures of the engine: its part of the account (D9), and what an operator watches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineStatus {
    /// Spans held, in head and segments.
    pub stored: u64,
    /// Exact repeats left out.
    pub duplicate: u64,
    /// Spans removed by retention or for the disk cap.
    pub expired: u64,
    /// Spans that the sampler left out of a merge.
    pub sampled_out: u64,
    /// Of `stored`, those whose data file is missing or cannot be opened.
    pub lost: u64,
    /// Spans in the head.
    pub head_spans: u64,
    /// Bytes in the head.
    pub head_bytes: u64,
    /// Segments.
    pub segments: u64,
    /// Spans in them.
    pub segment_spans: u64,
    /// Bytes of their files.
    pub disk_bytes: u64,
    /// Spans that are not in a segment which stays as it is: in the head, or in one that compaction
    /// would still merge when nothing else came.
    pub unsettled_spans: u64,
    /// What compaction did since the start.
    pub compaction: Compaction,
    /// Bytes in memory of open segments: directories, tables and trace-id filters.
    pub table_bytes: u64,
    /// Bytes kept from one seal for the next.
    pub seal_scratch_bytes: u64,
    /// Bytes that a merge holds, or keeps for the next.
    pub compact_scratch_bytes: u64,
    /// Blocks, pages and files seen damaged since the start, each counted once.
    pub damaged_blocks: u64,
    /// Start of the oldest span.
    pub oldest_unix_ns: Option<u64>,
    /// The last record applied, per partition.
    pub applied: Vec<Position>,
    /// The last record that survives a crash without the log, per partition.
    pub durable: Vec<Position>,
    /// What an operator should look at, a sentence each.
    pub problems: Vec<String>,
}

impl EngineStatus {
    /// Every span ever applied.
    pub fn applied_spans(&self) -> u64 {
        self.stored + self.duplicate + self.expired + self.sampled_out
    }
}

/// What a reader reads: a head and segments that belong together.
#[derive(Debug)]
pub(crate) struct View {
    /// The head that grows.
    pub(crate) head: Arc<Head>,
    /// The head before it, until its segment is safe.
    pub(crate) frozen: Option<Arc<Head>>,
    /// By age, oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl View {
    /// What is not in segments, as a reader takes it.
    pub(crate) fn heads(&self) -> HeadView {
        HeadView::new(self.frozen.iter().chain([&self.head]))
    }
}

/// The sink's part: only who holds it appends to the head, or freezes it.
#[derive(Debug, Default)]
struct Writer {
    /// Since when the head has spans, on the monotonic clock.
    head_since_ns: Option<u64>,
}

/// The seal's part: only who holds it makes segments of frozen heads.
#[derive(Debug)]
struct Sealer {
    manifest: Manifest,
    next_id: u64,
    /// Written, but their edit failed: on disk or not, nobody can tell. They go once another
    /// manifest is safe.
    uncertain: Vec<u64>,
    scratch: SealScratch,
}

/// Positions, apart from the writer: status must not wait for a seal.
#[derive(Debug, Default)]
struct Positions {
    applied: BTreeMap<u32, u64>,
    durable: BTreeMap<u32, u64>,
}

/// See the module.
pub struct Engine {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    clock: Arc<dyn Clock>,
    options: EngineOptions,
    pub(crate) view: ArcSwap<View>,
    pub(crate) cache: Cache,
    /// Taken before `sealer`, never after it.
    writer: Mutex<Writer>,
    sealer: Mutex<Sealer>,
    seal_scratch_bytes: AtomicU64,
    compact_scratch_bytes: AtomicU64,
    /// Whoever merges has it: one at a time. Taken before `sealer`, never after it.
    merging: Mutex<SealScratch>,
    progress: Mutex<compact::Progress>,
    positions: Mutex<Positions>,
    damaged: Mutex<BTreeSet<UnitKey>>,
    problems: Vec<String>,
    /// When something was applied last, on the monotonic clock.
    applied_ns: AtomicU64,
    keeper: Mutex<expire::Keeper>,
    reopening: Mutex<reopen::Patience>,
    is_tight: AtomicBool,
    /// All there is, where nobody samples.
    decided_through_unix_ns: AtomicU64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn as_positions(offsets: &BTreeMap<u32, u64>) -> Vec<Position> {
    offsets
        .iter()
        .map(|(&partition, &offset)| Position { partition, offset })
        .collect()
}

impl Engine {
    /// Opens the engine of this directory, or begins one. What the log has beyond
    /// [`Engine::durable`] is the caller's to apply.
    pub fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        clock: Arc<dyn Clock>,
        options: EngineOptions,
    ) -> Result<Arc<Engine>, Error> {
        let recovered = recover::recover(&fs, dir, options.filter_bytes_max)?;
        let state = &recovered.manifest.state;
        let offsets = state.positions.clone();
        let keeper = expire::Keeper::new(state, clock.as_ref());
        let now_ns = clock.monotonic_ns();
        Ok(Arc::new(Engine {
            fs,
            dir: dir.to_owned(),
            clock,
            options,
            view: ArcSwap::from_pointee(View {
                head: Arc::default(),
                frozen: None,
                segments: recovered.segments,
            }),
            cache: Cache::new(options.cache_bytes_max),
            writer: Mutex::default(),
            sealer: Mutex::new(Sealer {
                manifest: recovered.manifest,
                next_id: recovered.next_id,
                uncertain: Vec::new(),
                scratch: SealScratch::new()?,
            }),
            seal_scratch_bytes: AtomicU64::new(0),
            compact_scratch_bytes: AtomicU64::new(0),
            merging: Mutex::new(SealScratch::new()?),
            progress: Mutex::default(),
            positions: Mutex::new(Positions {
                applied: offsets.clone(),
                durable: offsets,
            }),
            damaged: Mutex::default(),
            problems: recovered.problems,
            applied_ns: AtomicU64::new(now_ns),
            keeper: Mutex::new(keeper),
            reopening: Mutex::default(),
            is_tight: AtomicBool::new(false),
            decided_through_unix_ns: AtomicU64::new(u64::MAX),
        }))
    }

    /// The sink of group "storage"; there is one worker, so take one.
    pub fn sink(self: &Arc<Self>) -> StorageSink {
        StorageSink {
            engine: Arc::clone(self),
        }
    }

    /// A reader; as many as wanted.
    pub fn traces(self: &Arc<Self>) -> EmbeddedTraces {
        EmbeddedTraces::new(Arc::clone(self))
    }

    /// How far the segments reach: what `SpanLog::subscribe` is told.
    pub fn durable(&self) -> Vec<Position> {
        as_positions(&lock(&self.positions).durable)
    }

    /// Figures.
    pub fn status(&self) -> EngineStatus {
        let view = self.view.load_full();
        let mut head = view.head.status();
        if let Some(frozen) = &view.frozen {
            let frozen = frozen.status();
            head.spans += frozen.spans;
            head.bytes += frozen.bytes;
            head.oldest_unix_ns = head
                .oldest_unix_ns
                .into_iter()
                .chain(frozen.oldest_unix_ns)
                .min();
        }
        let metas = || view.segments.iter().map(|segment| &segment.meta);
        let segment_spans = metas().map(|meta| meta.spans).sum();
        let unreadable = view.segments.iter().filter(|segment| segment.data.is_err());
        let oldest = metas()
            .filter(|meta| meta.spans > 0)
            .map(|meta| meta.start_min_unix_ns);
        let damaged = lock(&self.damaged).len() as u64;
        let mut problems = self.problems.clone();
        problems.extend(Self::lacks(&view));
        if damaged > 0 {
            problems.push(format!(
                "{damaged} damaged parts of segments were met since the start; answers that need them say so"
            ));
        }
        let (gone, doubt) = self.gone();
        problems.extend(doubt);
        let compaction = {
            let progress = lock(&self.progress);
            problems.extend(progress.problems());
            progress.done()
        };
        problems.extend(self.is_behind());
        let positions = lock(&self.positions);
        EngineStatus {
            stored: segment_spans + head.spans,
            duplicate: gone.duplicates + metas().map(|meta| meta.duplicates).sum::<u64>(),
            expired: gone.expired,
            sampled_out: gone.sampled_out,
            lost: unreadable.map(|segment| segment.meta.spans).sum(),
            head_spans: head.spans,
            head_bytes: head.bytes,
            segments: view.segments.len() as u64,
            segment_spans,
            disk_bytes: metas().map(|meta| meta.data_bytes + meta.index_bytes).sum(),
            unsettled_spans: head.spans + self.unsettled(&view).spans,
            compaction,
            table_bytes: view
                .segments
                .iter()
                .map(|one| one.memory_bytes() as u64)
                .sum(),
            seal_scratch_bytes: self.seal_scratch_bytes.load(Ordering::Relaxed),
            compact_scratch_bytes: self.compact_scratch_bytes.load(Ordering::Relaxed),
            damaged_blocks: damaged,
            oldest_unix_ns: oldest.chain(head.oldest_unix_ns).min(),
            applied: as_positions(&positions.applied),
            durable: as_positions(&positions.durable),
            problems,
        }
    }

    /// Notes a damaged part; true when it was not known.
    pub(crate) fn note_damage(&self, key: UnitKey) -> bool {
        lock(&self.damaged).insert(key)
    }

    /// Makes a segment of the frozen head, if there is one; true when there was. For a thread of
    /// its own, called about as often as the sink's tick: readers and the sink go on meanwhile.
    /// When compaction is behind it waits for a merge that goes on, so that neither gets far ahead.
    pub fn seal_step(&self) -> Result<bool, Error> {
        let _turn = self.is_behind().map(|_| lock(&self.merging));
        self.seal_frozen(&mut lock(&self.sealer))
    }

    fn apply(&self, records: &[Record]) -> Result<(), Error> {
        let mut writer = lock(&self.writer);
        for record in records {
            let Position { partition, offset } = record.position;
            let applied = lock(&self.positions)
                .applied
                .get(&partition)
                .copied()
                .unwrap_or(0);
            // Redelivery: a head or a segment has it.
            if offset <= applied {
                continue;
            }
            if self.is_head_full() {
                self.freeze(&mut writer)?;
            }
            self.view.load_full().head.append(record);
            writer
                .head_since_ns
                .get_or_insert_with(|| self.clock.monotonic_ns());
            lock(&self.positions).applied.insert(partition, offset);
            self.applied_ns
                .store(self.clock.monotonic_ns(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// How long nothing was applied.
    fn quiet_ns(&self) -> u64 {
        let applied_ns = self.applied_ns.load(Ordering::Relaxed);
        self.clock.monotonic_ns().saturating_sub(applied_ns)
    }

    fn tick(&self) -> Result<(), Error> {
        let mut writer = lock(&self.writer);
        let (spans, _) = self.view.load().head.size();
        let since = writer.head_since_ns;
        let age = since.map_or(0, |since| self.clock.monotonic_ns().saturating_sub(since));
        let options = &self.options;
        let due = self.is_head_full()
            || age >= options.small_head_age_ns
            || spans > 0 && self.quiet_ns() >= options.quiet_head_age_ns
            || age >= options.head_age_ns && spans >= options.small_head_spans;
        if due {
            return self.freeze(&mut writer);
        }
        if options.seal_inline {
            // One that failed before.
            self.seal_step()?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), Error> {
        let mut writer = lock(&self.writer);
        self.freeze(&mut writer)?;
        self.seal_step().map(|_| ())
    }

    /// Puts a new head in place. There is one frozen head at most, so that memory is bounded by
    /// two: while the one before is not sealed, this waits for that, or does it.
    fn freeze(&self, writer: &mut Writer) -> Result<(), Error> {
        if self.view.load().frozen.is_some() {
            self.seal_step()?;
        }
        if self.view.load().head.ranges().is_empty() {
            return Ok(());
        }
        self.view.rcu(|view| View {
            head: Arc::default(),
            frozen: Some(Arc::clone(&view.head)),
            segments: view.segments.clone(),
        });
        writer.head_since_ns = None;
        if self.options.seal_inline {
            self.seal_step().map(|_| ())
        } else {
            Ok(())
        }
    }

    /// Frozen head → segment → manifest → view. Nothing changes for anyone until all of it is
    /// safe; after a failure the head stays frozen and readable, and the next try takes a new id.
    fn seal_frozen(&self, sealer: &mut Sealer) -> Result<bool, Error> {
        let Some(head) = self.view.load().frozen.clone() else {
            return Ok(false);
        };
        let (spans, _) = head.size();
        let ranges = head.ranges();
        let positions: Vec<_> = ranges
            .iter()
            .map(|range| (range.partition, range.last))
            .collect();
        let mut edit = Edit {
            positions: positions.clone(),
            ..Edit::default()
        };
        let id = sealer.next_id;
        let mut sealed = None;
        if spans > 0 {
            sealer.next_id += 1;
            let segment = self.write_segment(&head, id, &mut sealer.scratch)?;
            edit.added.push(segment.meta.clone());
            sealed = Some(Arc::new(segment));
        }
        if let Err(error) = sealer.manifest.commit(edit) {
            // Without spans no file bears this id yet, and the next segment will: it must not go.
            sealer.uncertain.extend((spans > 0).then_some(id));
            return Err(error);
        }
        self.view.rcu(|view| View {
            head: Arc::clone(&view.head),
            frozen: None,
            segments: view.segments.iter().chain(&sealed).cloned().collect(),
        });
        for (partition, offset) in positions {
            lock(&self.positions).durable.insert(partition, offset);
        }
        sealer.uncertain.drain(..).for_each(|id| self.unlink(id));
        Ok(true)
    }

    fn write_segment(
        &self,
        head: &Head,
        id: u64,
        scratch: &mut SealScratch,
    ) -> Result<Segment, Error> {
        let dir = segments_dir(&self.dir);
        let options = SealOptions {
            id,
            block_spans: self.options.block_spans,
        };
        let sealed = seal::seal(self.fs.as_ref(), &dir, head, options, scratch)
            .and_then(|meta| self.open_written(meta));
        let scratch_bytes = scratch.memory_bytes() as u64;
        self.seal_scratch_bytes
            .store(scratch_bytes, Ordering::Relaxed);
        if sealed.is_err() {
            // No edit names it, so its files can go: on a full disk they would be in the way.
            self.unlink(id);
        }
        sealed
    }

    /// Reads a segment back before the manifest names it: afterwards what it was made of goes.
    fn open_written(&self, meta: SegmentMeta) -> Result<Segment, Error> {
        let id = meta.id;
        let segment = Segment::open(self.fs.as_ref(), &segments_dir(&self.dir), meta);
        match segment.damage() {
            None => Ok(segment),
            Some(error) => {
                let said = format!("read back segment {id:016x}: {error}");
                Err(Error::retryable(said))
            }
        }
    }

    /// Puts these segments in the place of those, for readers; by arrival, as they take them.
    fn replace(&self, added: impl IntoIterator<Item = Arc<Segment>>, removed: &[u64]) {
        let added: Vec<_> = added.into_iter().collect();
        self.view.rcu(|view| {
            let kept = view
                .segments
                .iter()
                .filter(|segment| !removed.contains(&segment.meta.id));
            let mut segments: Vec<_> = kept.chain(&added).cloned().collect();
            segments.sort_by_key(|segment| (segment.meta.arrived_min_unix_ns, segment.meta.id));
            View {
                head: Arc::clone(&view.head),
                frozen: view.frozen.clone(),
                segments,
            }
        });
    }

    /// Removes what there is of a segment; what stays is removed at the next start.
    fn unlink(&self, id: u64) {
        let dir = segments_dir(&self.dir);
        for name in [data_name(id), index_name(id)] {
            for name in [format!("{name}.tmp"), name] {
                let _kept_until_start = self.fs.unlink(&dir.join(name));
            }
        }
    }
}

/// Takes the log's records into the engine (group "storage").
#[derive(Debug)]
pub struct StorageSink {
    engine: Arc<Engine>,
}

impl Sink for StorageSink {
    fn apply(&mut self, records: &[Record]) -> Result<(), Error> {
        self.engine.apply(records)
    }

    fn durable(&self) -> Vec<Position> {
        self.engine.durable()
    }

    fn tick(&mut self, _now_unix_ns: u64) -> Result<(), Error> {
        self.engine.tick()
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.engine.flush()
    }
}
