//! The join of callers and callees: by (trace, parent id), in whatever order they arrive, within a
//! window of arrival time that is capped in bytes (D16).
//!
//! Arrival time is cut into epochs of one window; two spans meet when their epochs are the same or
//! neighbours: always within one window, never beyond two. That makes what is joined a function of
//! the spans' arrival alone, the same however partitions are spread over workers (Q6). Where the
//! cap does not hold an epoch's ids, epochs become shorter: the newest ids are those asked for.
//!
//! One id may stand for two spans: Zipkin's client and server share it. So an id has a *caller*
//! (client or producer) and an *other*; a child whose parent could still turn out to be the twin
//! waits for it, and takes what there is when the window ends.
//!
//! Spans come many at a time. All their ids are entered first, then children are joined: most with a
//! parent among the same spans, which costs no look into the large table.

mod local;

use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use tracewell_model::{SpanId, SpanKind, TraceId, limits};
use tracewell_storage::stats::Unjoined;

use self::local::Local;
use crate::table::{Key, TOUCHED, Table};
use crate::tally::Counted;

/// How long caller and callee wait for each other.
pub(crate) const WINDOW_NS: u64 = 60_000_000_000;

/// A service's number in [`crate::aggregator`]'s table.
pub(crate) type Service = u16;

/// What the window keeps of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// [`Window::trace`] of its trace.
    pub(crate) trace: u64,
    pub(crate) span_id: SpanId,
    /// Zero for none.
    pub(crate) parent: SpanId,
    pub(crate) service: Service,
    pub(crate) kind: SpanKind,
    /// Marked as the server's half of a shared id.
    pub(crate) shared: bool,
    pub(crate) counted: Counted,
}

/// One call from a service to another. Its figures are the callee's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) parent: Service,
    pub(crate) child: Service,
    pub(crate) callee: Counted,
}

/// What came out of the window: calls, and spans that made none.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    pub(crate) calls: Vec<Call>,
    pub(crate) unjoined: Unjoined,
}

/// The window of one partition: all spans of a trace arrive in one.
#[derive(Debug, Default)]
pub(crate) struct Window {
    epoch: u64,
    /// Which of the two living generations is the present one: each epoch, or part of one, begins
    /// another.
    now: Generation,
    ids: Table<Entry>,
    /// Ids there when the present generation began.
    ids_before: usize,
    /// Who waits for an id, in chains that begin in `ids`.
    waiting: Vec<Waiting>,
    /// First in the chain of unused places of `waiting`.
    unused: Link,
    /// By generation: some span was left out, or another generation ended early, for lack of room;
    /// so a missing parent may be our own doing.
    overflowed: [bool; 2],
    /// Seeded by chance, so that nobody can send ids that collide.
    hasher: DefaultHashBuilder,
    local: Local,
    /// Room for keys.
    keys: Vec<Key>,
    open: Vec<(u32, Key)>,
}

/// 0 or 1: two are alive.
type Generation = u8;
const UNUSED: Generation = 2;

/// What the window knows of an id.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    caller: Side,
    other: Side,
    /// First in the chain of those who wait for it.
    waiting: Link,
}

/// A service, counted from 1 and 0 for none; the generation it was last seen in; whether it is
/// marked as the server's half of a shared id.
#[derive(Clone, Copy, Debug, Default)]
struct Side(u16);

/// The services that use an id.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    caller: Option<Service>,
    other: Option<Service>,
    /// `other` is marked as the server's half, so that a caller must exist.
    shared: bool,
}

/// A span that waits for the other end of its call.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    next: Link,
    child: Service,
    /// Whom to take for the caller if nobody better comes.
    fallback: Option<Service>,
    callee: Counted,
    role: Role,
    /// `UNUSED` for a place that nobody waits at.
    generation: Generation,
}

/// A place in `Window::waiting`, counted from 1; 0 ends a chain.
type Link = u32;

/// What a waiting span expects of the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A server or consumer: its parent is rather a caller.
    Callee,
    /// Anything else: its parent is rather not.
    Inner,
    /// The server's half of a shared id: the caller has the same id.
    Twin,
    /// A server without parent: perhaps a twin that was not marked, more likely just a root.
    Root,
}

enum Verdict {
    /// Caller and callee are one service, or there is no call at all.
    NoEdge,
    Edge(Service),
    Wait(Option<Service>),
}

impl Window {
    /// Moves on to the epoch of this arrival time; what waited too long leaves.
    pub(crate) fn advance(&mut self, arrived_unix_ns: u64, joined: &mut Joined) {
        let epoch = arrived_unix_ns / WINDOW_NS;
        if epoch <= self.epoch {
            return; // never back: the log's arrival times do not either
        }
        let epochs = epoch - self.epoch;
        self.epoch = epoch;
        for _ in 0..epochs.min(2) {
            self.rotate(joined);
        }
    }

    /// True when this arrival time is of a later epoch.
    pub(crate) fn is_over(&self, arrived_unix_ns: u64) -> bool {
        arrived_unix_ns / WINDOW_NS > self.epoch
    }

    /// Ends the window for everyone in it.
    pub(crate) fn clear(&mut self, joined: &mut Joined) {
        self.rotate(joined);
        self.rotate(joined);
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.ids.bytes() + self.waiting.capacity() * size_of::<Waiting>()
    }

    /// What stands for a trace id here.
    pub(crate) fn trace(&self, id: TraceId) -> u64 {
        self.hasher.hash_one(id)
    }

    /// Joins these spans with one another and with those that came before.
    pub(crate) fn add(&mut self, spans: &[Seen], bytes_max: usize, joined: &mut Joined) {
        // Half of the room for each generation: what was just entered must not go with the rest.
        let entered = self.ids.len().saturating_sub(self.ids_before);
        if entered > Table::<Entry>::keys_within(ids_bytes(bytes_max)) / 2 {
            self.end_early(joined);
        }
        self.add_ids(spans, bytes_max, joined);
        self.add_children(spans, bytes_max, joined);
    }

    /// Makes the spans' ids known and lets those who waited for them go.
    fn add_ids(&mut self, spans: &[Seen], bytes_max: usize, joined: &mut Joined) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(spans.iter().map(|span| key(span.trace, span.span_id)));
        self.local.begin(spans.len());
        for (row, (span, &key)) in spans.iter().zip(&keys).enumerate() {
            if row % TOUCHED == 0 {
                self.ids.touch(keys.iter().skip(row).take(TOUCHED).copied());
            }
            let is_new = self.add_id(key, span, bytes_max, joined);
            self.local.note(span.span_id, row, is_new);
        }
        self.keys = keys;
    }

    /// Enters an id; true when nothing was known of it, so that the span alone says who it is.
    fn add_id(&mut self, key: Key, span: &Seen, bytes_max: usize, joined: &mut Joined) -> bool {
        let now = self.now;
        let Some(entry) = self.entry(key, bytes_max, joined) else {
            return false;
        };
        let is_new = !entry.is_known();
        // Of two spans with one id and one side the first wins; only broken sources send such.
        match span.is_caller() {
            true => entry.caller.note(span.service, false, now),
            false => entry.other.note(span.service, span.shared, now),
        }
        let (known, chain) = (entry.known(), std::mem::take(&mut entry.waiting));
        if chain != 0 {
            let left = self.release(chain, known, joined);
            self.ids.update(key, |entry| entry.waiting = left);
        }
        is_new
    }

    /// Finds callers, or lets spans wait for them.
    fn add_children(&mut self, spans: &[Seen], bytes_max: usize, joined: &mut Joined) {
        let mut open = std::mem::take(&mut self.open);
        open.clear();
        for (row, span) in spans.iter().enumerate() {
            let Some((id, role)) = span.expects() else {
                continue;
            };
            // The parent is one of these spans, and nothing else is known of its id.
            let parent = self.local.row(id).and_then(|row| spans.get(row));
            let parent = parent.filter(|parent| parent.span_id == id && parent.trace == span.trace);
            let settled = parent.is_some_and(|parent| {
                settle(&judge(parent.known(), span.service, role), span, joined)
            });
            if !settled {
                open.push((row as u32, key(span.trace, id)));
            }
        }
        for together in open.chunks(TOUCHED) {
            self.ids.touch(together.iter().map(|&(_, key)| key));
            for &(row, key) in together {
                let span = &spans[row as usize];
                if let Some((_, role)) = span.expects() {
                    self.add_child(key, span, role, bytes_max, joined);
                }
            }
        }
        self.open = open;
    }

    fn add_child(
        &mut self,
        key: Key,
        span: &Seen,
        role: Role,
        bytes_max: usize,
        joined: &mut Joined,
    ) {
        let known = self
            .ids
            .get(key)
            .map(|entry| entry.known())
            .unwrap_or_default();
        let fallback = match judge(known, span.service, role) {
            Verdict::Wait(fallback) => fallback,
            verdict => {
                settle(&verdict, span, joined);
                return;
            }
        };
        if self.waits_full(bytes_max) {
            self.end_early(joined);
        }
        let waiting = Waiting {
            next: self
                .entry(key, bytes_max, joined)
                .map_or(0, |entry| entry.waiting),
            child: span.service,
            fallback,
            callee: span.counted,
            role,
            generation: self.now,
        };
        let link = self.put(waiting, bytes_max);
        if link == 0 || !self.ids.update(key, |entry| entry.waiting = link) {
            waiting.give_up(true, joined);
        }
    }

    /// What is known of the id, which may be nothing yet; none where there is no room for it.
    #[inline]
    fn entry(&mut self, key: Key, bytes_max: usize, joined: &mut Joined) -> Option<&mut Entry> {
        if self.ids.is_full() && self.ids.get(key).is_none() {
            self.make_room(bytes_max, joined);
        }
        let entry = self.ids.get_or_insert(key);
        if entry.is_none() {
            self.overflowed[usize::from(self.now)] = true;
        }
        entry
    }

    /// A larger table, or else one with fewer ids.
    fn make_room(&mut self, bytes_max: usize, joined: &mut Joined) {
        for _generation in 0..2 {
            if !self.ids.is_full() || self.ids.grow(ids_bytes(bytes_max)) {
                return;
            }
            self.end_early(joined);
        }
        self.ids.grow(ids_bytes(bytes_max));
    }

    fn waits_full(&self, bytes_max: usize) -> bool {
        self.unused == 0 && self.waiting.len() >= waiting_max(bytes_max)
    }

    /// A place for one that waits; 0 where there is none.
    fn put(&mut self, span: Waiting, bytes_max: usize) -> Link {
        if let Some(at) = self.unused.checked_sub(1) {
            let place = &mut self.waiting[at as usize];
            self.unused = place.next;
            *place = span;
            return at + 1;
        }
        let (length, max) = (self.waiting.len(), waiting_max(bytes_max));
        if length >= max {
            return 0;
        }
        if length == self.waiting.capacity() {
            self.waiting.reserve_exact(length.max(16).min(max - length));
        }
        self.waiting.push(span);
        self.waiting.len() as Link
    }

    /// Judges those who wait in this chain again; answers the chain of those who still do.
    fn release(&mut self, mut chain: Link, known: Known, joined: &mut Joined) -> Link {
        let mut left = 0;
        while let Some(at) = chain.checked_sub(1) {
            let span = &mut self.waiting[at as usize];
            let next = span.next;
            match judge(known, span.child, span.role) {
                Verdict::Wait(fallback) => {
                    span.fallback = fallback;
                    span.next = std::mem::replace(&mut left, chain);
                }
                verdict => {
                    if let Verdict::Edge(parent) = verdict {
                        joined.calls.push(span.call(parent));
                    }
                    span.generation = UNUSED;
                    span.next = std::mem::replace(&mut self.unused, chain);
                }
            }
            chain = next;
        }
        left
    }

    /// Begins another generation before its time.
    fn end_early(&mut self, joined: &mut Joined) {
        self.overflowed = [true; 2];
        self.rotate(joined);
        self.overflowed = [true; 2];
    }

    /// Begins another generation in the place of the elder one, which ends.
    fn rotate(&mut self, joined: &mut Joined) {
        let over_cap = self.overflowed.contains(&true);
        let expired = self.now ^ 1;
        let stays = |span: &&Waiting| span.generation == self.now;
        let mut left = Vec::with_capacity(self.waiting.iter().filter(stays).count());
        let waiting = &self.waiting;
        self.ids.retain(|entry| {
            let mut chain = std::mem::take(&mut entry.waiting);
            while let Some(at) = chain.checked_sub(1) {
                let mut span = waiting[at as usize];
                chain = span.next;
                if span.generation == expired {
                    span.give_up(over_cap, joined);
                } else {
                    span.next = entry.waiting;
                    left.push(span);
                    entry.waiting = left.len() as Link;
                }
            }
            entry.caller.expire(expired);
            entry.other.expire(expired);
            entry.is_known() || entry.waiting != 0
        });
        self.waiting = left;
        self.unused = 0;
        self.ids_before = self.ids.len();
        self.overflowed[usize::from(expired)] = false;
        self.now = expired;
    }
}

/// What of the window's bytes ids may take; the rest is for those who wait.
fn ids_bytes(bytes_max: usize) -> usize {
    bytes_max / 4 * 3
}

fn waiting_max(bytes_max: usize) -> usize {
    bytes_max / 4 / size_of::<Waiting>()
}

/// A hash of both; the trace's part of it is seeded.
#[inline]
fn key(trace: u64, id: SpanId) -> Key {
    let product = u128::from(trace ^ u64::from_le_bytes(id.0)) * 0x9E37_79B9_7F4A_7C15;
    ((product >> 64) as u64 ^ product as u64).max(1)
}

impl Seen {
    fn is_caller(&self) -> bool {
        matches!(self.kind, SpanKind::Client | SpanKind::Producer)
    }

    /// What is known of its id when there is no other span with it.
    fn known(&self) -> Known {
        let service = Some(self.service);
        match self.is_caller() {
            true => Known {
                caller: service,
                ..Known::default()
            },
            false => Known {
                other: service,
                shared: self.shared,
                ..Known::default()
            },
        }
    }

    /// The id under which its caller is to be found, if it may have one.
    #[inline]
    fn expects(&self) -> Option<(SpanId, Role)> {
        match (self.shared, self.parent.is_zero(), self.kind) {
            (true, _, _) => Some((self.span_id, Role::Twin)),
            (false, false, SpanKind::Server | SpanKind::Consumer) => {
                Some((self.parent, Role::Callee))
            }
            (false, false, _) => Some((self.parent, Role::Inner)),
            (false, true, SpanKind::Server) => Some((self.span_id, Role::Root)),
            (false, true, _) => None,
        }
    }
}

impl Entry {
    fn is_known(&self) -> bool {
        self.caller.service().is_some() || self.other.service().is_some()
    }

    fn known(&self) -> Known {
        Known {
            caller: self.caller.service(),
            other: self.other.service(),
            shared: self.other.0 & Side::SHARED != 0,
        }
    }
}

impl Side {
    const SERVICE: u16 = 0x1fff;
    const SHARED: u16 = 0x2000;
    const LATER: u16 = 0x4000;

    fn service(self) -> Option<Service> {
        (self.0 & Self::SERVICE).checked_sub(1)
    }

    /// A span of this side came.
    fn note(&mut self, service: Service, shared: bool, now: Generation) {
        let first = self.service().unwrap_or(service) + 1;
        let shared = (self.0 & Self::SHARED) | (u16::from(shared) * Self::SHARED);
        self.0 = first | shared | (u16::from(now) * Self::LATER);
    }

    /// Forgets what came in this generation.
    fn expire(&mut self, generation: Generation) {
        if u16::from(self.0 & Self::LATER != 0) == u16::from(generation) {
            *self = Side::default();
        }
    }
}

/// Services are numbered below their cap, and `__other__` is one more.
const _: () = assert!(limits::SERVICES_MAX + 2 < Side::SERVICE as usize);

impl Waiting {
    fn call(&self, parent: Service) -> Call {
        Call {
            parent,
            child: self.child,
            callee: self.callee,
        }
    }

    fn give_up(&self, over_cap: bool, joined: &mut Joined) {
        match (self.fallback, self.role) {
            (Some(parent), _) => joined.calls.push(self.call(parent)),
            (None, Role::Root) => {}
            (None, _) if over_cap => joined.unjoined.over_cap += 1,
            (None, _) => joined.unjoined.no_parent_in_window += 1,
        }
    }
}

/// Notes the call that was found; false for a verdict that is still to come.
#[inline]
fn settle(verdict: &Verdict, span: &Seen, joined: &mut Joined) -> bool {
    match *verdict {
        Verdict::Wait(_) => return false,
        Verdict::NoEdge => {}
        Verdict::Edge(parent) => joined.calls.push(Call {
            parent,
            child: span.service,
            callee: span.counted,
        }),
    }
    true
}

/// Who called, as far as the id is known. Spans of one service are never a call.
fn judge(known: Known, child: Service, role: Role) -> Verdict {
    if matches!(role, Role::Twin | Role::Root) {
        // The id's `other` is the span itself.
        return match known.caller {
            Some(caller) if caller == child => Verdict::NoEdge,
            Some(caller) => Verdict::Edge(caller),
            None => Verdict::Wait(None),
        };
    }
    if known.caller == Some(child) || known.other == Some(child) {
        return Verdict::NoEdge;
    }
    match (known.caller, known.other) {
        (Some(caller), Some(other)) => {
            Verdict::Edge(if role == Role::Callee { caller } else { other })
        }
        // The usual call: a client here, a server there.
        (Some(caller), None) if role == Role::Callee => Verdict::Edge(caller),
        (None, Some(other)) if !known.shared => Verdict::Edge(other),
        (caller, other) => Verdict::Wait(caller.or(other)),
    }
}

#[cfg(test)]
mod tests;
