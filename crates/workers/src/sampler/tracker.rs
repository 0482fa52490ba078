//! Traces as they pass by in the log: of each no more is held than a decision takes. One tracker has
//! the traces of one partition, which are all there, since a trace never leaves its partition.

use std::collections::VecDeque;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use tracewell_model::{SpanId, SpanRef, TraceId};
use tracewell_storage::sampling::ledger::Round;
use tracewell_storage::sampling::{Bound, Bounds, Candidate, Pace, Verdict};

use super::policy::{mix, mixed};

/// Spans of a trace of which it is known what they are; of more it is not known whether any is missing.
const SPANS_MAX: usize = 10_000;
/// Operations that are told apart. Of others nobody knows what is usual.
const NAMES_MAX: usize = 65_536;
/// A trace that goes on is decided about so many live windows after it began, in halves.
const LONGEST_HALVES: u64 = 3;
/// About what a trace takes beside its lists, with its places in the tables; and one that is decided.
const TRACK_BYTES: usize = size_of::<Track>() + 96;
pub(super) const PAST_BYTES: usize = 40;
/// What is remembered takes this part of the memory at most, but for a moment.
pub(super) const PAST_PART: usize = 4;
const SECOND_NS: u64 = 1_000_000_000;
/// In place of an operation's number.
const NO_NAME: u32 = u32::MAX;

/// A record, and when it arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) position: u64,
    pub(super) unix_ns: u64,
}

/// Until when traces can be decided about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The log is read up to this arrival.
    pub(super) read_unix_ns: u64,
    /// The stores have everything up to this position; none: it is not known.
    pub(super) stored: Option<u64>,
    pub(super) live_ns: u64,
    /// Beyond this the oldest go before their time.
    pub(super) bytes_max: usize,
}

/// What was decided about a trace.
#[derive(Clone, Copy, Debug)]
struct Past {
    /// Of spans up to here.
    read: u64,
    at_unix_s: u32,
    verdict: Verdict,
}

#[derive(Debug)]
struct Track {
    /// When it came, what was decided before this was not known.
    forgotten_unix_ns: u64,
    first: Seen,
    last: Seen,
    start_unix_ns: u64,
    end_unix_ns: u64,
    /// Start and operation of the earliest span without a parent.
    root: Option<(u64, u32)>,
    spans: u32,
    has_error: bool,
    before: Option<Verdict>,
    /// Half a hash of each span's id: among those of one trace two are hardly ever alike.
    ids: Vec<u32>,
    /// Parents that were not there when they were named.
    wanted: Vec<u32>,
    /// The longest span of each operation, where it is not [ordinary](Names::ordinary_ns).
    longest: Vec<(u32, u64)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    tracks: HashMap<TraceId, Box<Track>>,
    /// In the order in which they came. What is decided stays until it is at the front.
    queue: VecDeque<(Seen, TraceId)>,
    /// By hashes of ids.
    past: HashMap<u64, Past>,
    /// Decisions of before this are not among them.
    forgotten_unix_ns: u64,
    names: Names,
    bytes: usize,
    /// Of traces that begin before this spans may have come that nobody has seen.
    pub(super) unseen_until_ns: u64,
    /// Traces that were decided about before their time.
    pub(super) crowded_out: u64,
}

/// Services and operations by number.
#[derive(Debug, Default)]
struct Names {
    all: Vec<(String, String)>,
    /// Spans shorter than this would not be slow if all else took half its time: they need not be held.
    ordinary_ns: Vec<u64>,
    numbers: HashMap<String, HashMap<String, u32>>,
}

impl Names {
    fn number(&mut self, service: &str, operation: &str) -> u32 {
        let known = self.numbers.get(service);
        if let Some(&number) = known.and_then(|known| known.get(operation)) {
            return number;
        }
        if self.all.len() >= NAMES_MAX {
            return NO_NAME;
        }
        let number = self.all.len() as u32;
        self.all.push((service.to_owned(), operation.to_owned()));
        self.ordinary_ns.push(0);
        let of_service = self.numbers.entry_ref(service).or_default();
        of_service.insert(operation.to_owned(), number);
        number
    }
}

impl Track {
    fn new(at: Seen, before: Option<Verdict>, forgotten_unix_ns: u64) -> Track {
        Track {
            forgotten_unix_ns,
            first: at,
            last: at,
            start_unix_ns: u64::MAX,
            end_unix_ns: 0,
            root: None,
            spans: 0,
            has_error: false,
            before,
            ids: Vec::new(),
            wanted: Vec::new(),
            longest: Vec::new(),
        }
    }

    fn bytes(&self) -> usize {
        let ids = self.ids.capacity() + self.wanted.capacity();
        TRACK_BYTES + ids * size_of::<u32>() + self.longest.capacity() * size_of::<(u32, u64)>()
    }

    fn add(&mut self, span: SpanRef<'_>, name: u32, is_ordinary: bool, at: Seen) {
        self.last = at;
        self.spans = self.spans.saturating_add(1);
        let (start, id) = (span.start_unix_ns(), half_hash(span.span_id()));
        self.start_unix_ns = self.start_unix_ns.min(start);
        self.end_unix_ns = self.end_unix_ns.max(span.end_unix_ns());
        self.has_error |= span.is_error();
        note(&mut self.ids, id);
        match span.parent().map(half_hash) {
            None => {
                let root = (start, name);
                self.root = Some(self.root.map_or(root, |known| known.min(root)));
            }
            // Most come right after their parent, or before it.
            Some(parent) if self.ids.iter().rev().take(8).any(|id| *id == parent) => {}
            Some(parent) => note(&mut self.wanted, parent),
        }
        if is_ordinary {
            return;
        }
        let longest = self.longest.iter_mut().find(|(known, _)| *known == name);
        match longest {
            Some((_, ns)) => *ns = span.duration_ns().max(*ns),
            None => {
                self.longest.reserve_exact(1);
                self.longest.push((name, span.duration_ns()));
            }
        }
    }

    fn is_partial(&self) -> bool {
        let is_cut = self.ids.len() >= SPANS_MAX || self.wanted.len() >= SPANS_MAX;
        if is_cut || self.root.is_none() {
            return true;
        }
        if self.wanted.is_empty() {
            return false;
        }
        let ids: HashSet<&u32> = self.ids.iter().collect();
        self.wanted.iter().any(|parent| !ids.contains(parent))
    }

    /// Whether it is over, and in the stores.
    fn is_settled(&self, limits: &Limits) -> bool {
        let is_over = self.last.unix_ns <= limits.over_unix_ns();
        is_over && limits.stored.is_some_and(|at| self.last.position <= at)
    }

    fn duration_ns(&self) -> u64 {
        self.end_unix_ns.saturating_sub(self.start_unix_ns)
    }

    /// Whether it may be the end of a trace whose beginning was decided about and is forgotten, or was
    /// never seen: its root, which comes last, took that long. By clocks of services nobody goes.
    fn may_lack_its_beginning(&self, limits: &Limits, unseen_until_ns: u64) -> bool {
        let began_unix_ns = self.last.unix_ns.saturating_sub(self.duration_ns());
        let is_late = began_unix_ns.saturating_add(limits.live_ns) < self.first.unix_ns;
        is_late && began_unix_ns < self.forgotten_unix_ns.max(unseen_until_ns)
    }

    /// Whether nobody waits any longer for what it will be.
    fn is_overlong(&self, limits: &Limits) -> bool {
        let longest_ns = limits.live_ns / 2 * LONGEST_HALVES;
        let is_long = self.first.unix_ns.saturating_add(longest_ns) <= limits.read_unix_ns;
        is_long && self.before.is_none() && self.last.unix_ns > limits.over_unix_ns()
    }
}

fn half_hash(id: SpanId) -> u32 {
    mix(u64::from_be_bytes(id.0)) as u32
}

/// Adds to a list that most traces have few of: not more room than it takes.
fn note(list: &mut Vec<u32>, id: u32) {
    if list.len() == list.capacity() {
        list.reserve_exact(4.max(list.len() / 4));
    }
    if list.len() < SPANS_MAX {
        list.push(id);
    }
}

impl Limits {
    /// The live window is over of what arrived by then.
    pub(super) fn over_unix_ns(&self) -> u64 {
        self.read_unix_ns.saturating_sub(self.live_ns)
    }
}

impl Tracker {
    /// Takes a span in, unless nothing is left to be decided about it.
    pub(super) fn add(&mut self, span: SpanRef<'_>, at: Seen) {
        let id = span.trace_id();
        let track = match self.tracks.entry(id) {
            Entry::Occupied(track) => track.into_mut(),
            Entry::Vacant(place) => {
                let past = self.past.get(&mixed(id));
                let is_known = |past: &Past| {
                    at.position <= past.read || matches!(past.verdict, Verdict::Keep(_))
                };
                if past.is_some_and(is_known) {
                    return;
                }
                self.queue.push_back((at, id));
                self.bytes += TRACK_BYTES;
                let before = past.map(|past| past.verdict);
                place.insert(Box::new(Track::new(at, before, self.forgotten_unix_ns)))
            }
        };
        let bytes = track.bytes();
        let name = self.names.number(span.service(), span.operation());
        let ordinary_ns = self.names.ordinary_ns.get(name as usize);
        let is_ordinary = ordinary_ns.is_some_and(|&ns| span.duration_ns() < ns);
        track.add(span, name, is_ordinary, at);
        self.bytes += track.bytes() - bytes;
    }

    /// What is due, the oldest first and not too many. `pace` and who else knows something are the
    /// caller's part.
    pub(super) fn due(&mut self, limits: &Limits, max: usize) -> Vec<Candidate> {
        self.drop_decided();
        // Who takes a partition over is told more than stays: no trace has to go for it.
        let past = self.past.len() * PAST_BYTES;
        let mut bytes = self.bytes - past + past.min(limits.bytes_max / PAST_PART);
        let mut due = Vec::new();
        for (first, id) in &self.queue {
            let is_crowded = bytes > limits.bytes_max;
            if due.len() == max || (first.unix_ns > limits.over_unix_ns() && !is_crowded) {
                break;
            }
            let track = self.tracks.get(id).filter(|track| track.first == *first);
            let Some(track) = track else { continue };
            let is_settled = track.is_settled(limits);
            let is_crowded = is_crowded && track.before.is_none();
            if !is_settled && !is_crowded && !track.is_overlong(limits) {
                continue;
            }
            bytes -= track.bytes();
            self.crowded_out += u64::from(is_crowded && !is_settled);
            let mut candidate = self.candidate(*id, track);
            let is_end = track.may_lack_its_beginning(limits, self.unseen_until_ns);
            candidate.is_partial |= is_end || !is_settled;
            due.push(candidate);
        }
        due
    }

    /// Every trace that is not decided about.
    pub(super) fn all(&self) -> Vec<Candidate> {
        let tracks = self.tracks.iter();
        tracks
            .map(|(id, track)| self.candidate(*id, track))
            .collect()
    }

    /// What a trace is, but for how fast it was, which `pace` says.
    fn candidate(&self, trace_id: TraceId, track: &Track) -> Candidate {
        Candidate {
            trace_id,
            arrived_unix_ns: track.first.unix_ns,
            start_unix_ns: track.start_unix_ns,
            duration_ns: track.duration_ns(),
            spans: u64::from(track.spans),
            root: track.root.map(|(_, name)| name),
            has_error: track.has_error,
            is_partial: track.first.unix_ns < self.unseen_until_ns || track.is_partial(),
            pace: Pace::Usual,
            is_pinned: false,
            before: track.before,
        }
    }

    /// How the spans of a trace compare with what is usual.
    pub(super) fn pace(&self, id: TraceId, bounds: &dyn Bounds) -> Pace {
        let longest = self.tracks.get(&id).map(|track| track.longest.iter());
        let pace = |&(name, ns): &(u32, u64)| {
            let named = self.names.all.get(name as usize);
            let bound = named.map(|(service, operation)| bounds.bound(service, operation));
            match bound.unwrap_or(Bound::Unknown) {
                Bound::Unknown => Pace::Unknown,
                Bound::Beyond(bound) if ns > bound => Pace::Slow,
                Bound::Beyond(_) => Pace::Usual,
            }
        };
        longest
            .into_iter()
            .flatten()
            .map(pace)
            .max()
            .unwrap_or_default()
    }

    /// Takes note of what is usual now, for spans to come.
    pub(super) fn learn(&mut self, bounds: &dyn Bounds) {
        let Names {
            all, ordinary_ns, ..
        } = &mut self.names;
        for ((service, operation), ordinary_ns) in all.iter().zip(ordinary_ns) {
            *ordinary_ns = match bounds.bound(service, operation) {
                Bound::Beyond(ns) => ns / 2,
                Bound::Unknown => 0,
            };
        }
    }

    /// Services and operations of roots.
    pub(super) fn operations(&self) -> &[(String, String)] {
        &self.names.all
    }

    /// When the first and the last span of a trace arrived.
    pub(super) fn arrived(&self, id: TraceId) -> (u64, u64) {
        let track = self.tracks.get(&id);
        track.map_or((0, 0), |track| (track.first.unix_ns, track.last.unix_ns))
    }

    /// What was decided: spans that it was decided by are done with, those that come are late ones.
    pub(super) fn settle(&mut self, round: &Round) {
        for decided in &round.decided {
            let id = decided.trace_id;
            let past = Past {
                read: round.read,
                at_unix_s: seconds(round.at_unix_ns),
                verdict: decided.verdict,
            };
            if self.past.insert(mixed(id), past).is_none() {
                self.bytes += PAST_BYTES;
            }
            let Entry::Occupied(mut track) = self.tracks.entry(id) else {
                continue;
            };
            let is_known = track.get().last.position <= round.read;
            match decided.verdict {
                // Another member decided, and this one has read on.
                Verdict::Drop(_) if !is_known => track.get_mut().before = Some(decided.verdict),
                _ => {
                    self.bytes -= track.get().bytes();
                    track.remove();
                }
            }
        }
    }

    /// What would be left after this round.
    pub(super) fn without<'a>(&'a self, round: &'a Round) -> Rest<'a> {
        let decided = round.decided.iter().map(|decided| decided.trace_id);
        Rest {
            tracker: self,
            decided: decided.collect(),
        }
    }

    /// The log was made anew and has this many records: whatever is known of later ones comes before all
    /// that it has.
    pub(super) fn begin_anew_beyond(&mut self, end: u64) {
        let renew = |position: &mut u64| {
            if *position > end {
                *position = 0;
            }
        };
        for (first, _) in &mut self.queue {
            renew(&mut first.position);
        }
        for track in self.tracks.values_mut() {
            renew(&mut track.first.position);
            renew(&mut track.last.position);
        }
        for past in self.past.values_mut() {
            renew(&mut past.read);
        }
    }

    fn drop_decided(&mut self) {
        while let Some((first, id)) = self.queue.front() {
            let track = self.tracks.get(id);
            if track.is_some_and(|track| track.first == *first) {
                break;
            }
            self.queue.pop_front();
        }
    }

    /// Forgets decisions before this time, and more of them where they are too many. A trace of which a
    /// span then comes is one of its own that lacks something, and so is kept.
    pub(super) fn forget(&mut self, now_unix_ns: u64, remember_ns: u64, max: usize) {
        let mut remember_ns = remember_ns;
        let count = self.past.len();
        loop {
            let from = seconds(now_unix_ns.saturating_sub(remember_ns));
            self.past.retain(|_, past| past.at_unix_s >= from);
            self.forgotten_unix_ns = self.forgotten_unix_ns.max(u64::from(from) * SECOND_NS);
            if self.past.len() <= max || remember_ns == 0 {
                break;
            }
            remember_ns /= 2;
        }
        self.bytes -= (count - self.past.len()) * PAST_BYTES;
        self.forget_names();
    }

    /// Names of operations that nobody has any more make room for new ones.
    fn forget_names(&mut self) {
        if self.names.all.len() < NAMES_MAX {
            return;
        }
        let old = std::mem::take(&mut self.names);
        for track in self.tracks.values_mut() {
            let root = track.root.iter_mut().map(|(_, name)| name);
            for name in root.chain(track.longest.iter_mut().map(|(name, _)| name)) {
                if let Some((service, operation)) = old.all.get(*name as usize) {
                    *name = self.names.number(service, operation);
                }
            }
        }
    }
}

fn seconds(unix_ns: u64) -> u32 {
    u32::try_from(unix_ns / SECOND_NS).unwrap_or(u32::MAX)
}

/// The traces that are not decided about, but for some.
pub(super) struct Rest<'a> {
    tracker: &'a Tracker,
    decided: HashSet<TraceId>,
}

impl Rest<'_> {
    fn tracks(&self) -> impl Iterator<Item = &Track> {
        let queue = self.tracker.queue.iter();
        let left = queue.filter(|(_, id)| !self.decided.contains(id));
        left.filter_map(|(first, id)| {
            let track = self.tracker.tracks.get(id);
            track.filter(|track| track.first == *first).map(Box::as_ref)
        })
    }

    /// The position of the first record with a span of one of them.
    pub(super) fn first_position(&self) -> Option<u64> {
        self.tracks().next().map(|track| track.first.position)
    }

    /// Until when every trace that was over by then is decided.
    pub(super) fn decided_through(&self, over_unix_ns: u64) -> u64 {
        let waiting = self
            .tracks()
            .take_while(|track| track.first.unix_ns <= over_unix_ns);
        let before = waiting.map(|track| track.last.unix_ns.saturating_sub(1));
        before.fold(over_unix_ns, u64::min)
    }
}
