//! The services of the demo: each pod is a process of its own to the server, with its own
//! `tracewell-sdk`, though all live in this one. A tape is played to them, each span by its service.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracewell_sdk::{Context, SpanContext, SpanId, Status, TraceFlags, TraceId, TraceState};
use tracewell_sdk::{Tracer, Value};

use super::tape::{Recorded, Tag, Tape};

/// All of them.
pub(crate) const NAMES: [&str; 12] = [
    "ads",
    "auth",
    "cart",
    "catalog",
    "checkout",
    "currency",
    "email",
    "frontend",
    "inventory",
    "payment",
    "recommendation",
    "shipping",
];
/// Twice what a pod lets wait: a pod that is killed leaves its ring's memory behind.
const RING_SPANS: usize = 4_000;
/// One that holds less than a flush interval's.
const OVERFLOWING_RING_SPANS: usize = 16;
/// Spans waiting in a pod before the past waits for it.
const WAITING_SPANS_MAX: u64 = 2_000;
/// A server that takes nothing for so long takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for the last spans when the demo ends.
const GOODBYE: Duration = Duration::from_millis(500);

/// A process: its service, its number, its version.
type Pod = (&'static str, u64, &'static str);

/// The pods that are running.
#[derive(Debug)]
pub(crate) struct Services {
    ingest_url: String,
    overflowing: Option<&'static str>,
    pods: HashMap<Pod, Tracer>,
}

impl Services {
    /// None is running yet; they send to this server. One of them may have too small a ring.
    pub(crate) fn new(ingest_url: &str, overflowing: Option<&'static str>) -> Services {
        Services {
            ingest_url: ingest_url.to_owned(),
            overflowing,
            pods: HashMap::new(),
        }
    }

    /// Every span of the tape, begun and ended by its service at the tape's times.
    pub(crate) fn play(&mut self, tape: &Tape<'_>) {
        let mut contexts: Vec<Context> = Vec::with_capacity(tape.spans.len());
        for span in &tape.spans {
            let tracer = self.pod(span, tape.pod);
            let caller = span.parent.and_then(|parent| {
                let (context, caller) = (contexts.get(parent)?, tape.spans.get(parent)?);
                // Between services the context travels in headers.
                Some(if caller.service == span.service {
                    context.clone()
                } else {
                    carried(tracer, context)
                })
            });
            contexts.push(record(tracer, span, &caller.unwrap_or_default()));
        }
    }

    /// Waits for pods that have much to send; says so if the server takes nothing.
    pub(crate) fn settle(&self) -> anyhow::Result<()> {
        for tracer in self.pods.values() {
            anyhow::ensure!(
                tracer.account().queued < WAITING_SPANS_MAX || tracer.flush(PATIENCE),
                "the server at {} takes no spans",
                self.ingest_url
            );
        }
        Ok(())
    }

    /// A pod dies. What it had time to send it has sent; what it had not, was never on the tape. Another one takes
    /// its place with its next span.
    pub(crate) fn kill(&mut self, service: &str, number: u64) -> anyhow::Result<()> {
        let pods = self
            .pods
            .extract_if(|pod, _| pod.0 == service && pod.1 == number);
        for (_, tracer) in pods {
            let sent = tracer.flush(PATIENCE);
            tracer.shutdown(Duration::ZERO);
            anyhow::ensure!(sent, "the server at {} takes no spans", self.ingest_url);
        }
        Ok(())
    }

    /// All send what they have, and end.
    pub(crate) fn close(&mut self) {
        for (_, tracer) in self.pods.drain() {
            tracer.shutdown(GOODBYE);
        }
    }

    /// Two pods a service; payment got a new version in the middle of every half hour.
    fn pod(&mut self, span: &Recorded, number: u64) -> Tracer {
        let new = span.service == "payment" && span.start_ns / 1_000_000_000 % 1_800 >= 900;
        let version = if new { "4.8.0" } else { "4.7.0" };
        let pod = (span.service, number, version);
        if let Some(tracer) = self.pods.get(&pod) {
            return *tracer;
        }
        let tracer = self.start(pod);
        self.pods.insert(pod, tracer);
        tracer
    }

    fn start(&self, (service, number, version): Pod) -> Tracer {
        let overflows = self.overflowing == Some(service);
        let host = format!("{service}-{}", ["7f9c4", "b21xk"][number as usize]);
        Tracer::builder()
            .service_name(service)
            .resource("service.version", version)
            .resource("k8s.pod.name", &host)
            .resource("deployment.environment", "demo")
            .endpoint(&self.ingest_url)
            .settings(|settings| {
                settings.flush_on_panic = false; // the server in this process has its own ways
                if overflows {
                    settings.ring_spans_max = OVERFLOWING_RING_SPANS;
                } else {
                    settings.ring_spans_max = RING_SPANS;
                    settings.flush_interval = Duration::from_secs(1);
                }
            })
            .build()
            .with_scope("shop.instrumentation", "1.4.0")
    }
}

fn carried(tracer: Tracer, context: &Context) -> Context {
    let mut headers: Vec<(&str, String)> = Vec::new();
    tracer.propagator().inject(context, &mut headers);
    tracer.propagator().extract(&headers)
}

/// What a span below this one has as its parent.
fn record(tracer: Tracer, recorded: &Recorded, parent: &Context) -> Context {
    if recorded.lost {
        return never_sent(recorded, parent);
    }
    let builder = tracer.span(&recorded.operation).kind(recorded.kind);
    let mut span = builder
        .parent(parent)
        .start_time(time(recorded.start_ns))
        .start();
    for (key, tag) in &recorded.tags {
        match tag {
            Tag::Text(text) => span.set_attribute(key, text),
            Tag::Number(number) => span.set_attribute(key, *number),
        }
    }
    if let Some(failure) = &recorded.failure {
        if !failure.exception.is_empty() {
            let attributes = [
                ("exception.type", Value::Str(failure.exception)),
                ("exception.message", Value::Str(failure.message)),
                ("exception.stacktrace", Value::Str(failure.stack)),
            ];
            span.add_event_at(time(recorded.end_ns), "exception", &attributes);
        }
        span.set_status(Status::error(failure.message));
    }
    let context = span.context();
    span.end_at(time(recorded.end_ns));
    context
}

/// A span whose process died in the midst of it: others know of it, nobody has it.
fn never_sent(recorded: &Recorded, parent: &Context) -> Context {
    let id = SpanId::from_bytes(recorded.number.to_be_bytes());
    let trace_id = match parent.span().trace_id() {
        TraceId::INVALID => TraceId::from_bytes(u128::from(recorded.number).to_be_bytes()),
        of_parent => of_parent,
    };
    let (flags, state) = (TraceFlags::SAMPLED, TraceState::default());
    Context::of(SpanContext::new(trace_id, id, flags, false, state))
}

fn time(unix_ns: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(unix_ns)
}
