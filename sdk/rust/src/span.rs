//! Spans: begun by a tracer, spoken to while they last, sent when they end.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write;
use std::time::SystemTime;

use crate::bytes::Bytes;
use crate::clock;
use crate::context::{Context, CurrentGuard, SpanContext};
use crate::core::Core;
use crate::encode::record::{self, Head, Record};
use crate::id::{self, SpanId, TraceFlags};
use crate::sampler::Sampling;
use crate::tracer::Tracer;
use crate::value::Value;

/// Causes of an error that are followed.
const CAUSES_MAX: usize = 32;

/// What part of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// Work inside a service.
    #[default]
    Internal,
    /// The answering side of a call.
    Server,
    /// The asking side of a call.
    Client,
    /// Leaves a message.
    Producer,
    /// Takes a message up.
    Consumer,
}

impl Kind {
    /// OTLP's number.
    #[inline]
    pub(crate) const fn number(self) -> u8 {
        match self {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
            Kind::Producer => 4,
            Kind::Consumer => 5,
        }
    }
}

/// How a span went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// Nothing was said, which counts as well.
    #[default]
    Unset,
    /// The application says that all is well; this is final.
    Ok,
    /// It failed, and how.
    Error(Cow<'static, str>),
}

impl Status {
    /// It failed in this way.
    pub fn error(message: impl Into<Cow<'static, str>>) -> Self {
        Status::Error(message.into())
    }
}

/// What a span will begin with; from [`Tracer::span`].
#[derive(Debug)]
#[must_use = "a span begins with `start`"]
pub struct SpanBuilder<'a> {
    tracer: Tracer,
    name: &'a str,
    kind: Kind,
    parent: Parent<'a>,
    start_unix_ns: Option<u64>,
}

#[derive(Debug)]
enum Parent<'a> {
    Current,
    None,
    Given(&'a Context),
}

impl<'a> SpanBuilder<'a> {
    #[inline]
    pub(crate) fn new(tracer: Tracer, name: &'a str) -> Self {
        let (kind, parent) = (Kind::Internal, Parent::Current);
        SpanBuilder {
            tracer,
            name,
            kind,
            parent,
            start_unix_ns: None,
        }
    }

    /// What part of a call it is.
    #[inline]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// A child of this context's span, whatever the current one is; a root if the context has none.
    #[inline]
    pub fn parent(mut self, parent: &'a Context) -> Self {
        self.parent = Parent::Given(parent);
        self
    }

    /// The beginning of a trace.
    #[inline]
    pub fn root(mut self) -> Self {
        self.parent = Parent::None;
        self
    }

    /// It began at another time than now.
    pub fn start_time(mut self, time: SystemTime) -> Self {
        self.start_unix_ns = Some(clock::unix_ns_of(time));
        self
    }

    /// Begins it.
    #[inline]
    pub fn start(self) -> Span {
        match self.parent {
            Parent::Current => self.below(Context::current()),
            Parent::None => self.below(Context::default()),
            Parent::Given(parent) => self.below(parent.clone()),
        }
    }

    #[inline]
    fn below(&self, mut context: Context) -> Span {
        let core = self.tracer.core();
        if core.settings.disabled {
            return Span {
                context,
                live: None,
            };
        }
        let upper = Some(context.span()).filter(|span| span.is_valid());
        let (trace_id, span_id) = match upper {
            Some(upper) => (upper.trace_id(), SpanId::random()),
            None => id::root(),
        };
        let (name, kind, decision) = (self.name, self.kind, context.decision());
        let sampled = core.settings.sampler.samples(&Sampling {
            trace_id,
            parent: upper,
            decision,
            name,
            kind,
        });
        // Our own trace ids are random, and say so (level 2); of others their maker says it.
        let flags = upper.map_or(TraceFlags::RANDOM, SpanContext::flags);
        let parent = record::Parent::of(context.span());
        context.descend(trace_id, span_id, flags.with_sampled(sampled));
        let live = sampled.then(|| {
            let start_ns = clock::steady_ns();
            let start_unix_ns = match self.start_unix_ns {
                Some(given) => given,
                None => clock::unix_ns(start_ns),
            };
            let head = Head {
                scope: self.tracer.scope(),
                context: context.span(),
                parent,
                name,
                kind,
                start_unix_ns,
            };
            Live {
                core,
                start_ns,
                start_unix_ns,
                record: Record::begin(&head, &core.settings.limits),
            }
        });
        Span { context, live }
    }
}

/// A piece of work, from [`Tracer::start`] until [`end`](Span::end) or until it is dropped.
///
/// A span that is not sampled takes all calls and does nothing.
#[derive(Debug)]
pub struct Span {
    context: Context,
    live: Option<Live>,
}

#[derive(Debug)]
struct Live {
    core: &'static Core,
    start_ns: u64,
    start_unix_ns: u64,
    record: Record,
}

impl Span {
    /// Its identity.
    #[inline]
    pub fn span_context(&self) -> &SpanContext {
        self.context.span()
    }

    /// What its callees shall know: its identity and the baggage.
    #[inline]
    pub fn context(&self) -> Context {
        self.context.clone()
    }

    /// Makes it the current span of this thread until the guard goes. It does not end then.
    #[inline]
    pub fn enter(&self) -> CurrentGuard {
        self.context.clone().attach()
    }

    /// Whether it is recorded: whether it pays to compute an attribute.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.live.is_some()
    }

    /// Sets an attribute; of one key the last value counts.
    #[inline(always)] // see `Record::set_attribute`
    pub fn set_attribute<'a>(&mut self, key: &str, value: impl Into<Value<'a>>) {
        if let Some(live) = &mut self.live {
            live.record.set_attribute(key, value.into());
        }
    }

    /// Something happened now.
    pub fn add_event(&mut self, name: &str, attributes: &[(&str, Value<'_>)]) {
        if let Some(live) = &mut self.live {
            live.record.add_event(live.now_unix_ns(), name, attributes);
        }
    }

    /// Something happened then.
    pub fn add_event_at(&mut self, time: SystemTime, name: &str, attributes: &[(&str, Value<'_>)]) {
        if let Some(live) = &mut self.live {
            live.record
                .add_event(clock::unix_ns_of(time), name, attributes);
        }
    }

    /// Another span has to do with this one without being its parent: one of a batch's messages, say.
    pub fn add_link(&mut self, to: &SpanContext, attributes: &[(&str, Value<'_>)]) {
        if let Some(live) = self.live.as_mut().filter(|_| to.is_valid()) {
            live.record.add_link(to, attributes);
        }
    }

    /// How it went. An `Ok` is final; else the last word counts.
    pub fn set_status(&mut self, status: Status) {
        if let Some(live) = &mut self.live {
            live.record.set_status(status);
        }
    }

    /// Another name than it began with: a route, known only after routing.
    pub fn set_name(&mut self, name: &str) {
        if let Some(live) = &mut self.live {
            live.record.rename(name);
        }
    }

    /// Records an error as OpenTelemetry's `exception` event, with its causes, and a stack trace where
    /// `RUST_BACKTRACE` asks for one; the span's status becomes an error if nothing was said of it.
    ///
    /// ```
    /// # let tracer = tracewell_sdk::Tracer::disabled();
    /// # let mut span = tracer.start("parse");
    /// if let Err(error) = "x".parse::<u32>() {
    ///     span.record_error(&error);
    /// }
    /// ```
    pub fn record_error<E: Error + ?Sized>(&mut self, error: &E) {
        if self.is_recording() {
            let message = error.to_string();
            self.record_exception(std::any::type_name::<E>(), &message, &chain(error.source()));
        }
    }

    /// As [`record_error`](Span::record_error), of parts: for errors that are no [`Error`].
    pub fn record_exception(&mut self, type_name: &str, message: &str, causes: &str) {
        let Some(live) = &mut self.live else { return };
        let backtrace = std::backtrace::Backtrace::capture();
        let mut stack = String::new();
        if !causes.is_empty() || backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            let _to_a_string = write!(stack, "{type_name}: {message}\n{causes}");
        }
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            let _to_a_string = write!(stack, "{backtrace}");
        }
        let attributes = [
            ("exception.type", Value::Str(type_name)),
            ("exception.message", Value::Str(message)),
            ("exception.stacktrace", Value::Str(&stack)),
        ];
        let told = if stack.is_empty() {
            &attributes[..2]
        } else {
            &attributes[..]
        };
        live.record.add_event(live.now_unix_ns(), "exception", told);
        if !live.record.has_status() {
            live.record.set_status(Status::error(message.to_owned()));
        }
    }

    /// Ends it now; dropping it does the same.
    #[inline]
    pub fn end(self) {}

    /// Ends it at another time than now.
    pub fn end_at(mut self, time: SystemTime) {
        if let Some(mut live) = self.live.take() {
            let end = clock::unix_ns_of(time).max(live.start_unix_ns);
            live.core.end(&mut live.record, live.start_unix_ns, end);
        }
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(live) = &mut self.live {
            if std::thread::panicking() && !live.record.has_status() {
                live.record.set_status(Status::error("panicked"));
            }
            let end = live.now_unix_ns();
            live.core.end(&mut live.record, live.start_unix_ns, end);
        }
    }
}

impl Live {
    /// By the steady clock from the start on: a duration is right even while the wall clock is set.
    #[inline]
    fn now_unix_ns(&self) -> u64 {
        let lasted = clock::steady_ns().saturating_sub(self.start_ns);
        self.start_unix_ns.saturating_add(lasted)
    }
}

/// A span that ended and is not yet in the ring: what the benches measure the ring with.
#[derive(Debug)]
#[doc(hidden)]
pub struct Finished {
    core: &'static Core,
    bytes: Bytes,
    start_unix_ns: u64,
}

impl Finished {
    /// Nothing if the span is not recorded.
    pub fn of(mut span: Span) -> Option<Finished> {
        let mut live = span.live.take()?;
        let (core, start_unix_ns) = (live.core, live.start_unix_ns);
        let bytes = live.record.finish(start_unix_ns)?;
        Some(Finished {
            core,
            bytes,
            start_unix_ns,
        })
    }

    /// Puts it into the ring.
    #[inline]
    pub fn enqueue(self) {
        self.core.enqueue(self.bytes, self.start_unix_ns);
    }
}

/// An error's causes, a line each.
fn chain(first: Option<&(dyn Error + 'static)>) -> String {
    let mut lines = String::new();
    let mut next = first;
    for _ in 0..CAUSES_MAX {
        let Some(cause) = next else { break };
        let _to_a_string = writeln!(lines, "caused by: {cause}");
        next = cause.source();
    }
    lines
}
