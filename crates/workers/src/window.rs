//! The join of callers and callees: by (trace, parent id), in whatever order they arrive, within a
//! window of arrival time that is capped in bytes (D16).
//!
//! Arrival time is cut into epochs of one window; two spans meet when their epochs are the same or
//! neighbours: always within one window, never beyond two. That makes what is joined a function of
//! the spans' arrival alone, the same however partitions are spread over workers (Q6).
//!
//! One id may stand for two spans: Zipkin's client and server share it. So an id has a *caller*
//! (client or producer) and an *other*; a child whose parent could still turn out to be the twin
//! waits for it, and takes what there is when the window ends.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};
use tracewell_model::{SpanId, SpanKind, TraceId};
use tracewell_storage::stats::Unjoined;

/// How long caller and callee wait for each other.
pub(crate) const WINDOW_NS: u64 = 60_000_000_000;

/// A service's number in [`crate::aggregator`]'s table, which is capped far below 2^15.
pub(crate) type Service = u16;

/// What the window keeps of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) parent: Option<SpanId>,
    pub(crate) service: Service,
    pub(crate) kind: SpanKind,
    /// Marked as the server's half of a shared id.
    pub(crate) shared: bool,
    pub(crate) callee: Callee,
}

/// The figures of an edge: its callee's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Callee {
    pub(crate) step: u64,
    pub(crate) duration_ns: u64,
    pub(crate) error: bool,
}

/// One call from a service to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    pub(crate) parent: Service,
    pub(crate) child: Service,
    pub(crate) callee: Callee,
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
    now: Generation,
    before: Generation,
    /// Seeded by chance, so that nobody can send ids that collide.
    hasher: DefaultHashBuilder,
}

/// A hash stands for (trace id, span id): a million of them collide once in 30 million windows,
/// and hold three times as many spans under the cap as the ids themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key([u32; 2]);

/// The ids of one epoch.
#[derive(Debug, Default)]
struct Generation {
    ids: HashMap<Key, Packed>,
    /// Who waits for an id; few, compared to the ids.
    waiting: HashMap<Key, Vec<Waiting>>,
    waiting_bytes: usize,
    /// Some span was left out for lack of room, so a missing parent may be our own doing.
    overflowed: bool,
}

/// The services that use an id.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    caller: Option<Service>,
    other: Option<Service>,
    /// `other` is marked as the server's half, so that a caller must exist.
    shared: bool,
}

/// [`Known`] in four bytes.
#[derive(Clone, Copy, Debug)]
struct Packed {
    caller: Service,
    other: Service,
}

/// A span that waits for the other end of its call.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    child: Service,
    callee: Callee,
    role: Role,
    /// Whom to take for the caller if nobody better comes.
    fallback: Option<Service>,
}

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

    /// Ends the window for everyone in it.
    pub(crate) fn clear(&mut self, joined: &mut Joined) {
        self.rotate(joined);
        self.rotate(joined);
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.now.bytes() + self.before.bytes()
    }

    /// Makes a span's id known and lets those who waited for it go.
    pub(crate) fn add_id(&mut self, span: &Seen, bytes_max: usize, joined: &mut Joined) {
        let key = self.key(span.trace_id, span.span_id);
        if !has_room(self.bytes(), &self.now.ids, &key, bytes_max) {
            self.now.overflowed = true;
            return;
        }
        let is_caller = matches!(span.kind, SpanKind::Client | SpanKind::Producer);
        let entry = self
            .now
            .ids
            .entry(key)
            .or_insert(Packed::of(Known::default()));
        let mut known = entry.known();
        // Of two spans with one id and one side the first wins; only broken sources send such.
        match is_caller {
            true => known.caller = known.caller.or(Some(span.service)),
            false => {
                known.other = known.other.or(Some(span.service));
                known.shared |= span.shared;
            }
        }
        *entry = Packed::of(known);
        if self.now.waiting.contains_key(&key) || self.before.waiting.contains_key(&key) {
            let known = self.known(&key);
            self.now.release(&key, known, joined);
            self.before.release(&key, known, joined);
        }
    }

    /// Finds a span's caller, or lets it wait for it.
    pub(crate) fn add_child(&mut self, span: &Seen, bytes_max: usize, joined: &mut Joined) {
        let (id, role) = match (span.shared, span.parent, span.kind) {
            (true, _, _) => (span.span_id, Role::Twin),
            (false, Some(parent), SpanKind::Server | SpanKind::Consumer) => (parent, Role::Callee),
            (false, Some(parent), _) => (parent, Role::Inner),
            (false, None, SpanKind::Server) => (span.span_id, Role::Root),
            (false, None, _) => return,
        };
        let key = self.key(span.trace_id, id);
        let fallback = match judge(self.known(&key), span.service, role) {
            Verdict::NoEdge => return,
            Verdict::Edge(parent) => {
                joined.calls.push(Call {
                    parent,
                    child: span.service,
                    callee: span.callee,
                });
                return;
            }
            Verdict::Wait(fallback) => fallback,
        };
        if !has_room(self.bytes(), &self.now.waiting, &key, bytes_max) {
            joined.unjoined.over_cap += u64::from(role != Role::Root);
            return;
        }
        self.now.wait(
            key,
            Waiting {
                child: span.service,
                callee: span.callee,
                role,
                fallback,
            },
        );
    }

    fn key(&self, trace_id: TraceId, span_id: SpanId) -> Key {
        let hash = self.hasher.hash_one((trace_id, span_id));
        Key([(hash >> 32) as u32, hash as u32])
    }

    fn known(&self, key: &Key) -> Known {
        let of = |generation: &Generation| {
            generation
                .ids
                .get(key)
                .map(|packed| packed.known())
                .unwrap_or_default()
        };
        let (now, before) = (of(&self.now), of(&self.before));
        Known {
            caller: before.caller.or(now.caller),
            other: before.other.or(now.other),
            shared: before.shared || now.shared,
        }
    }

    fn rotate(&mut self, joined: &mut Joined) {
        let now = std::mem::take(&mut self.now);
        let expired = std::mem::replace(&mut self.before, now);
        let over_cap = expired.overflowed || self.before.overflowed;
        for span in expired.waiting.into_values().flatten() {
            span.give_up(over_cap, joined);
        }
    }
}

/// Whether one more entry, and one more waiting span, stay under the cap. A table that grows doubles.
fn has_room<T>(held: usize, table: &HashMap<Key, T>, key: &Key, bytes_max: usize) -> bool {
    let grows = table.len() == table.capacity() && !table.contains_key(key);
    let more = if grows {
        table.allocation_size().max(TABLE_BYTES_MIN)
    } else {
        0
    };
    held + more + size_of::<Waiting>() <= bytes_max
}

/// More than the first allocation of a table of either kind.
const TABLE_BYTES_MIN: usize = 256;

impl Generation {
    fn bytes(&self) -> usize {
        self.ids.allocation_size() + self.waiting.allocation_size() + self.waiting_bytes
    }

    fn wait(&mut self, key: Key, span: Waiting) {
        let spans = self.waiting.entry(key).or_default();
        let before = spans.capacity();
        if before == 0 {
            spans.reserve_exact(1); // mostly one, where a Vec would take four
        }
        spans.push(span);
        self.waiting_bytes += (spans.capacity() - before) * size_of::<Waiting>();
    }

    /// Judges those who wait for this id again.
    fn release(&mut self, key: &Key, known: Known, joined: &mut Joined) {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return;
        };
        waiting.retain_mut(|span| match judge(known, span.child, span.role) {
            Verdict::NoEdge => false,
            Verdict::Edge(parent) => {
                joined.calls.push(Call {
                    parent,
                    child: span.child,
                    callee: span.callee,
                });
                false
            }
            Verdict::Wait(fallback) => {
                span.fallback = fallback;
                true
            }
        });
        if waiting.is_empty() {
            self.waiting_bytes -= waiting.capacity() * size_of::<Waiting>();
            self.waiting.remove(key);
        }
    }
}

impl Packed {
    const NONE: Service = 0x7fff;
    const SHARED: Service = 0x8000;

    fn of(known: Known) -> Packed {
        let shared = if known.shared { Self::SHARED } else { 0 };
        Packed {
            caller: known.caller.unwrap_or(Self::NONE),
            other: known.other.unwrap_or(Self::NONE) | shared,
        }
    }

    fn known(self) -> Known {
        let service = |number| (number != Self::NONE).then_some(number);
        Known {
            caller: service(self.caller),
            other: service(self.other & !Self::SHARED),
            shared: self.other & Self::SHARED != 0,
        }
    }
}

impl Waiting {
    fn give_up(self, over_cap: bool, joined: &mut Joined) {
        match (self.fallback, self.role) {
            (Some(parent), _) => {
                joined.calls.push(Call {
                    parent,
                    child: self.child,
                    callee: self.callee,
                });
            }
            (None, Role::Root) => {}
            (None, _) if over_cap => joined.unjoined.over_cap += 1,
            (None, _) => joined.unjoined.no_parent_in_window += 1,
        }
    }
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
