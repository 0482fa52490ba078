//! A cluster in memory, as far as samplers see it: a log of partitions with members that own them, two
//! stores that write it at their own pace, and a ledger that may fail before or after it has written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tracewell_model::clock::ManualClock;
use tracewell_model::{
    BatchBuilder, Clock, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId,
};
use tracewell_storage::sampling::ledger::{Erased, Progress, Reached, Round};
use tracewell_storage::sampling::{Kept, Verdict};
use tracewell_storage::{Eraser, Error, KnownErrors, Ledger, Position, Reach, Record};

use crate::last_hour::{OPERATIONS, SERVICE};

const MS: u64 = 1_000_000;
/// Members of the group.
pub(crate) const MEMBERS: usize = 2;
pub(crate) const PARTITIONS: u32 = 2;
/// The stores, in the order in which they are erased from: the index, the rows.
pub(crate) const STORES: usize = 2;

/// A span as far as it matters: a record of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) trace: TraceId,
    pub(crate) number: u64,
    pub(crate) arrived_unix_ns: u64,
    pub(crate) is_root: bool,
    pub(crate) operation: usize,
    pub(crate) duration_ns: u64,
    pub(crate) is_error: bool,
}

impl Span {
    /// Whether it alone makes its trace worth keeping.
    pub(crate) fn matters(&self) -> bool {
        let is_slow = self.operation == 0 && self.duration_ns > 250 * MS;
        let is_outlier = self.is_root && self.operation < 2 && self.duration_ns > 15 * MS;
        self.is_error || is_slow || is_outlier
    }

    /// Children hang under the root, whose id is that of the trace.
    pub(crate) fn batch(&self, start_unix_ns: u64) -> SpanBatch {
        let mut builder = BatchBuilder::new(1);
        let resource = builder.resource(&ResourceInput {
            service: SERVICE,
            ..ResourceInput::default()
        });
        let scope = builder.scope(&ScopeInput::default());
        let mut root = [1; 8];
        root.copy_from_slice(&self.trace.0[8..]);
        let own = SpanId((1 << 40 | self.number).to_be_bytes());
        builder.push(&SpanInput {
            trace_id: self.trace,
            span_id: if self.is_root { SpanId(root) } else { own },
            parent: (!self.is_root).then_some(SpanId(root)),
            resource,
            scope,
            start_unix_ns,
            duration_ns: self.duration_ns,
            operation: OPERATIONS[self.operation],
            kind: SpanKind::Server,
            status: match self.is_error {
                true => StatusCode::Error,
                false => StatusCode::Unset,
            },
            status_message: "",
            flags: 0,
            attributes: &[],
            event_attributes: &[],
            rest: &[],
            marks: Marks::default(),
        });
        builder.finish_one()
    }
}

/// A store: what it has, when it wrote that, and how far it has read.
#[derive(Default)]
pub(crate) struct Store {
    pub(crate) spans: Vec<(Span, u64)>,
    applied: BTreeMap<u32, u64>,
    committed: BTreeMap<u32, u64>,
}

/// What a member was given.
#[derive(Default)]
pub(crate) struct Delivered {
    /// Partitions that it thinks are its own.
    pub(crate) view: BTreeSet<u32>,
    next: BTreeMap<u32, u64>,
}

impl Delivered {
    /// So many records of each partition expired.
    pub(crate) fn skip(&mut self, records: u64) {
        self.next.values_mut().for_each(|next| *next += records);
    }
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) log: BTreeMap<u32, Vec<Span>>,
    pub(crate) stores: [Store; STORES],
    pub(crate) members: [Delivered; MEMBERS],
    pub(crate) owner: BTreeMap<u32, usize>,
    pub(crate) committed: BTreeMap<u32, u64>,
    progress: BTreeMap<u32, Progress>,
    rounds: BTreeMap<u32, Vec<Round>>,
    pub(crate) verdicts: BTreeMap<TraceId, Verdict>,
    /// Up to where the spans of a trace were known when it was decided about.
    known: BTreeMap<TraceId, u64>,
    /// Records that expired before they were read.
    pub(crate) lost: u64,
    /// Partitions that came while nothing was in them.
    pub(crate) more: u64,
    pub(crate) kept: BTreeMap<TraceId, Kept>,
    pins: BTreeMap<TraceId, u64>,
    /// Errors of which the flags are there.
    pub(crate) flags: HashSet<TraceId>,
    /// What fails next.
    pub(crate) failing: Failing,
    pub(crate) erased: u64,
}

/// Failures to come, each once.
#[derive(Default)]
pub(crate) struct Failing {
    pub(crate) read: bool,
    pub(crate) before_write: bool,
    pub(crate) after_write: bool,
    pub(crate) store: [bool; STORES],
    pub(crate) flags: bool,
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    inner: Mutex<Inner>,
}

fn failure(failing: &mut bool, what: &str) -> Result<(), Error> {
    match std::mem::take(failing) {
        true => Err(Error::retryable(what)),
        false => Ok(()),
    }
}

impl World {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Arc<World> {
        let mut inner = Inner::default();
        for partition in 0..PARTITIONS {
            inner.log.insert(partition, Vec::new());
        }
        Arc::new(World {
            clock,
            inner: Mutex::new(inner),
        })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn append(&self, span: Span) {
        let partition = u32::from(span.trace.0[15]) % PARTITIONS;
        self.inner().log.entry(partition).or_default().push(span);
    }

    /// The partition is this member's from now on; the one before may not have heard.
    pub(crate) fn give(&self, partition: u32, member: usize, is_told: bool) {
        let mut inner = self.inner();
        let before = inner.owner.insert(partition, member);
        if let Some(before) = before.filter(|&before| before != member && is_told) {
            inner.members[before].view.remove(&partition);
        }
        let committed = inner.committed.get(&partition).copied().unwrap_or(0);
        let delivered = &mut inner.members[member];
        if delivered.view.insert(partition) {
            // It goes on where it was, unless another went further.
            let next = delivered.next.entry(partition).or_default();
            *next = committed.max(*next);
        }
    }

    /// The next records of a partition, unless it is another's.
    pub(crate) fn poll(&self, member: usize, partition: u32, max: u64) -> Vec<Record> {
        let mut inner = self.inner();
        if inner.owner.get(&partition) != Some(&member) {
            inner.members[member].view.remove(&partition);
            return Vec::new();
        }
        let log = inner.log[&partition].clone();
        let next = inner.members[member].next.entry(partition).or_default();
        let from = *next;
        *next = (from + max).min(log.len() as u64);
        let records = (from..*next).map(|at| Record {
            position: Position {
                partition,
                offset: at + 1,
            },
            arrived_unix_ns: log[at as usize].arrived_unix_ns,
            batch: Arc::new(log[at as usize].batch(1)),
        });
        records.collect()
    }

    pub(crate) fn commit(&self, member: usize, positions: &[Position]) {
        let mut inner = self.inner();
        for at in positions {
            let is_owner = inner.owner.get(&at.partition) == Some(&member);
            let delivered = inner.members[member].next.get(&at.partition).copied();
            if let Some(delivered) = delivered.filter(|_| is_owner) {
                let committed = inner.committed.entry(at.partition).or_default();
                *committed = at.offset.min(delivered).max(*committed);
            }
        }
    }

    /// A process ends: its successor knows nothing, and begins at what is committed.
    pub(crate) fn forget_member(&self, member: usize) {
        let mut inner = self.inner();
        inner.members[member] = Delivered::default();
        let owned: Vec<u32> = inner.log.keys().copied().collect();
        let owned = owned
            .into_iter()
            .filter(|at| inner.owner.get(at) == Some(&member));
        let owned: Vec<u32> = owned.collect();
        drop(inner);
        owned
            .iter()
            .for_each(|&partition| self.give(partition, member, true));
    }

    /// The log is made anew, empty, and positions begin again; what is stored and decided stays.
    pub(crate) fn make_log_anew(&self) {
        let mut inner = self.inner();
        inner.log.values_mut().for_each(Vec::clear);
        inner.committed.clear();
        for member in &mut inner.members {
            member.next.clear();
        }
        for store in &mut inner.stores {
            store.applied.clear();
            store.committed.clear();
        }
    }

    /// A store takes records in.
    pub(crate) fn store(&self, store: usize, partition: u32, max: u64) {
        let now = self.clock.unix_ns();
        let mut inner = self.inner();
        let log = inner.log[&partition].clone();
        let store = &mut inner.stores[store];
        let applied = store.applied.entry(partition).or_default();
        let to = (*applied + max).min(log.len() as u64);
        for span in &log[*applied as usize..to as usize] {
            store.spans.push((*span, now));
        }
        *applied = to;
    }

    /// And says so.
    pub(crate) fn store_commits(&self, store: usize) {
        let store = &mut self.inner().stores[store];
        store.committed = store.applied.clone();
    }

    pub(crate) fn has(&self, store: usize, span: &Span) -> bool {
        let inner = self.inner();
        let mut spans = inner.stores[store].spans.iter();
        spans.any(|(stored, _)| stored.number == span.number)
    }
}

impl Ledger for World {
    fn read(&self, partition: u32, after: u64) -> Result<Option<(Progress, Vec<Round>)>, Error> {
        let mut inner = self.inner();
        failure(&mut inner.failing.read, "the ledger is away")?;
        let rounds = inner.rounds.get(&partition).into_iter().flatten();
        let rounds = rounds.filter(|round| round.number > after).cloned();
        let progress = inner.progress.get(&partition).cloned();
        Ok(progress.map(|progress| (progress, rounds.collect())))
    }

    fn write(
        &self,
        partition: u32,
        progress: &Progress,
        round: Option<&Round>,
    ) -> Result<bool, Error> {
        let mut inner = self.inner();
        failure(&mut inner.failing.before_write, "the ledger is away")?;
        let last = inner
            .progress
            .get(&partition)
            .map_or(0, |known| known.round);
        if progress.round != last + 1 {
            return Ok(false);
        }
        for decided in round.into_iter().flat_map(|round| &round.decided) {
            let before = inner.verdicts.insert(decided.trace_id, decided.verdict);
            let is_late = |before| {
                let now = decided.verdict;
                let late = [Kept::LateError, Kept::LateOutlier, Kept::Pinned];
                matches!((before, now), (Verdict::Drop(_), Verdict::Keep(reason)) if late.contains(&reason))
            };
            if let Some(before) = before.filter(|&before| before != decided.verdict) {
                assert!(is_late(before), "{before:?}, then {decided:?}");
            }
            let read = round.map_or(0, |round| round.read);
            let known = inner.known.insert(decided.trace_id, read).unwrap_or(0);
            let spans = (1..).zip(&inner.log[&partition]);
            let mut later =
                spans.filter(|(at, span)| *at > known && span.trace == decided.trace_id);
            assert!(
                known == 0 || later.next().is_some(),
                "{decided:?} again, of the same spans"
            );
        }
        inner.progress.insert(partition, progress.clone());
        let rounds = inner.rounds.entry(partition).or_default();
        rounds.extend(round.cloned());
        failure(&mut inner.failing.after_write, "no answer")?;
        Ok(true)
    }

    fn read_all(&self) -> Result<Vec<(u32, Progress)>, Error> {
        let inner = self.inner();
        let all = inner.progress.iter();
        Ok(all.map(|(&at, progress)| (at, progress.clone())).collect())
    }

    fn note_kept(&self, kept: &[(TraceId, Kept)]) -> Result<(), Error> {
        self.inner().kept.extend(kept.iter().copied());
        Ok(())
    }

    fn why_kept(&self, ids: &[TraceId]) -> Result<Vec<Option<Kept>>, Error> {
        let inner = self.inner();
        Ok(ids.iter().map(|id| inner.kept.get(id).copied()).collect())
    }

    fn pin(&self, id: TraceId, at_unix_ns: u64) -> Result<(), Error> {
        self.inner().pins.insert(id, at_unix_ns);
        Ok(())
    }

    fn pinned(&self, since_unix_ns: u64) -> Result<HashSet<TraceId>, Error> {
        let inner = self.inner();
        let since = inner.pins.iter().filter(|(_, at)| **at >= since_unix_ns);
        Ok(since.map(|(&id, _)| id).collect())
    }
}

impl KnownErrors for World {
    fn have_failed(&self, ids: &[TraceId]) -> Result<Vec<bool>, Error> {
        let mut inner = self.inner();
        failure(&mut inner.failing.flags, "the flags are away")?;
        Ok(ids.iter().map(|id| inner.flags.contains(id)).collect())
    }
}

/// One of the stores, as it is erased from.
pub(crate) struct Erasing(pub(crate) Arc<World>, pub(crate) usize);

impl Eraser for Erasing {
    fn erase(&self, traces: &[Erased]) -> Result<(), Error> {
        let mut inner = self.0.inner();
        let doomed: BTreeMap<TraceId, u64> = traces
            .iter()
            .map(|one| (one.trace_id, one.as_of_unix_ns))
            .collect();
        let is_doomed = |(span, written): &(Span, u64)| {
            let as_of = doomed.get(&span.trace);
            as_of.is_some_and(|as_of| written <= as_of)
        };
        // Half of them are gone when it fails.
        let half = inner.failing.store[self.1];
        let (mut at, mut erased) = (0, 0);
        inner.stores[self.1].spans.retain(|one| {
            at += 1;
            let stays = !is_doomed(one) || (half && at % 2 == 0);
            if !stays {
                assert!(!one.0.matters(), "erased {:?}", one.0);
                erased += 1;
            }
            stays
        });
        inner.erased += erased;
        failure(&mut inner.failing.store[self.1], "the store is away")
    }
}

/// The log as a member looks at it.
pub(crate) struct View(pub(crate) Arc<World>, pub(crate) usize);

impl Reach for View {
    fn partitions(&self) -> u64 {
        u64::from(PARTITIONS) + self.0.inner().more
    }

    fn look(&self) -> Result<(Vec<Reached>, u64), Error> {
        let inner = self.0.inner();
        let Delivered { view, next } = &inner.members[self.1];
        let reached = view.iter().map(|&partition| {
            let committed = inner
                .stores
                .iter()
                .map(|store| store.committed.get(&partition));
            let delivered = next.get(&partition).copied().unwrap_or(0);
            Reached {
                partition,
                is_at_end: delivered == inner.log[&partition].len() as u64,
                stored: committed
                    .map(|at| at.copied().unwrap_or(0))
                    .min()
                    .unwrap_or(0),
                end: inner.log[&partition].len() as u64,
            }
        });
        Ok((reached.collect(), inner.lost))
    }
}
