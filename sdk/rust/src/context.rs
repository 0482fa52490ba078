//! What travels: the span one is inside of, and baggage. A thread has a stack of contexts whose top is
//! the current one; tasks and messages carry theirs along as values.

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::id::{SpanId, TraceFlags, TraceId};
use crate::propagation::baggage::Baggage;
use crate::propagation::tracestate::TraceState;

/// The identity of a span, as others know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
    remote: bool,
    trace_state: TraceState,
}

impl SpanContext {
    /// A context of known parts. `remote` says that it came over the network.
    pub fn new(
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        remote: bool,
        trace_state: TraceState,
    ) -> Self {
        SpanContext {
            trace_id,
            span_id,
            flags,
            remote,
            trace_state,
        }
    }

    /// The trace's id.
    #[inline]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The span's id.
    #[inline]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The flags.
    #[inline]
    pub fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Whether the span is, or may be, recorded.
    #[inline]
    pub fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    /// Whether it came over the network.
    #[inline]
    pub fn is_remote(&self) -> bool {
        self.remote
    }

    /// The `tracestate` that goes along.
    #[inline]
    pub fn trace_state(&self) -> &TraceState {
        &self.trace_state
    }

    /// Whether it names a span.
    #[inline]
    pub fn is_valid(&self) -> bool {
        self.trace_id.is_valid() && self.span_id.is_valid()
    }
}

/// What travels from the caller to the callee.
///
/// ```
/// use tracewell_sdk::{Context, Tracer};
///
/// let tracer = Tracer::disabled();
/// let span = tracer.start("work");
/// let context = span.context();
/// std::thread::spawn(move || {
///     let _current = context.attach();
///     let child = tracer.start("part of the work");
///     assert_eq!(child.span_context().trace_id(), Context::current().span().trace_id());
/// })
/// .join()
/// .unwrap();
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    span: SpanContext,
    baggage: Baggage,
    /// A caller that said whether to sample, without naming a trace (B3 allows it).
    decision: Option<bool>,
}

impl Context {
    /// The context of a span, without baggage.
    pub fn of(span: SpanContext) -> Self {
        Context {
            span,
            ..Context::default()
        }
    }

    /// The same with this baggage.
    #[must_use]
    pub fn with_baggage(mut self, baggage: Baggage) -> Self {
        self.baggage = baggage;
        self
    }

    /// The same with the decision of a caller that named no trace.
    #[must_use]
    pub(crate) fn with_decision(mut self, sampled: bool) -> Self {
        self.decision = Some(sampled);
        self
    }

    /// The span; not valid where there is none.
    #[inline]
    pub fn span(&self) -> &SpanContext {
        &self.span
    }

    /// The baggage.
    #[inline]
    pub fn baggage(&self) -> &Baggage {
        &self.baggage
    }

    #[inline]
    pub(crate) fn decision(&self) -> Option<bool> {
        self.decision
    }

    /// Becomes what holds below it: another span of the same trace, or of a new one.
    #[inline]
    pub(crate) fn descend(&mut self, trace_id: TraceId, span_id: SpanId, flags: TraceFlags) {
        self.span.trace_id = trace_id;
        self.span.span_id = span_id;
        self.span.flags = flags;
        self.span.remote = false;
        self.decision = None;
    }

    /// This thread's current context.
    #[inline]
    pub fn current() -> Self {
        let current = STACK.try_with(|stack| {
            let stack = stack.try_borrow().ok()?;
            stack.entries.last().map(|top| top.context.clone())
        });
        // While the thread ends there is none.
        current.ok().flatten().unwrap_or_default()
    }

    /// Makes it this thread's current context until the guard goes.
    pub fn attach(self) -> CurrentGuard {
        let serial = STACK.try_with(|stack| {
            let mut stack = stack.try_borrow_mut().ok()?;
            stack.serial = stack.serial.wrapping_add(1);
            let serial = stack.serial;
            stack.entries.push(Entry {
                serial,
                ended: false,
                context: self,
            });
            Some(serial)
        });
        CurrentGuard {
            serial: serial.ok().flatten(),
            not_send: PhantomData,
        }
    }

    /// The same work with this as its current context, wherever it runs: hand it to a thread, a pool, a
    /// channel.
    ///
    /// ```
    /// # use tracewell_sdk::Context;
    /// let work = Context::current().carry(|| 6 * 7);
    /// assert_eq!(std::thread::spawn(work).join().unwrap(), 42);
    /// ```
    pub fn carry<T>(self, work: impl FnOnce() -> T) -> impl FnOnce() -> T {
        move || self.within(work)
    }

    /// Runs something with this as the current context.
    pub fn within<T>(self, run: impl FnOnce() -> T) -> T {
        let _current = self.attach();
        run()
    }
}

/// Keeps a context current; see [`Context::attach`]. Stays on its thread. Guards may go in any order.
#[derive(Debug)]
#[must_use = "the context is current only as long as the guard lives"]
pub struct CurrentGuard {
    serial: Option<u64>,
    not_send: PhantomData<*const ()>,
}

impl Drop for CurrentGuard {
    fn drop(&mut self) {
        let Some(serial) = self.serial else { return };
        let _thread_is_ending = STACK.try_with(|stack| {
            let Ok(mut stack) = stack.try_borrow_mut() else {
                return;
            };
            let found = stack
                .entries
                .iter_mut()
                .rev()
                .find(|entry| entry.serial == serial);
            if let Some(entry) = found {
                entry.ended = true;
            }
            while stack.entries.last().is_some_and(|entry| entry.ended) {
                stack.entries.pop();
            }
        });
    }
}

#[derive(Debug)]
struct Stack {
    serial: u64,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    serial: u64,
    /// Its guard went before the guard of one above it.
    ended: bool,
    context: Context,
}

thread_local! {
    static STACK: RefCell<Stack> = const { RefCell::new(Stack { serial: 0, entries: Vec::new() }) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(number: u8) -> Context {
        let (trace, span) = (
            TraceId::from_bytes([number; 16]),
            SpanId::from_bytes([number; 8]),
        );
        Context::of(SpanContext::new(
            trace,
            span,
            TraceFlags::SAMPLED,
            false,
            TraceState::default(),
        ))
    }

    #[test]
    fn guards_that_go_out_of_order_leave_the_right_context() {
        let first = numbered(1).attach();
        let second = numbered(2).attach();
        let third = numbered(3).attach();
        drop(second);
        assert_eq!(Context::current(), numbered(3));
        drop(third);
        assert_eq!(
            Context::current(),
            numbered(1),
            "the second's guard is gone"
        );
        drop(first);
        assert_eq!(Context::current(), Context::default());
    }

    #[test]
    fn another_thread_has_its_own() {
        let _here = numbered(1).attach();
        let there = std::thread::spawn(Context::current).join().unwrap();
        assert_eq!(there, Context::default());
    }
}
