//! The tape on which a request of the demo is recorded: spans as an SDK in each service would make
//! them, caller's and callee's side apart, with resources, attributes and exceptions.

use tracewell_model::builder::{ResourceHandle, ScopeHandle};
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanId, SpanInput, SpanKind,
    StatusCode, TraceId, Value,
};
use tracewell_wire::rest::{Event, RestWriter};

/// What went wrong in a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) exception: &'static str,
    pub(crate) message: &'static str,
    pub(crate) stack: &'static str,
}

/// A value of the demo's attributes.
#[derive(Clone, Debug)]
pub(crate) enum Tag {
    Text(String),
    Number(i64),
}

impl From<&str> for Tag {
    fn from(text: &str) -> Tag {
        Tag::Text(text.to_owned())
    }
}

impl From<String> for Tag {
    fn from(text: String) -> Tag {
        Tag::Text(text)
    }
}

impl From<i64> for Tag {
    fn from(number: i64) -> Tag {
        Tag::Number(number)
    }
}

/// One recorded span.
#[derive(Debug)]
struct Recorded {
    service: &'static str,
    operation: String,
    kind: SpanKind,
    id: SpanId,
    parent: Option<SpanId>,
    start_ns: u64,
    end_ns: u64,
    tags: Vec<(&'static str, Tag)>,
    failure: Option<Failure>,
    lost: bool,
}

/// Names a span of the tape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

/// One request's spans.
#[derive(Debug)]
pub(crate) struct Tape {
    trace_id: TraceId,
    pub(crate) rng: fastrand::Rng,
    spans: Vec<Recorded>,
    /// The time on the tape.
    pub(crate) now_ns: u64,
}

impl Tape {
    /// An empty tape that starts at this time.
    pub(crate) fn new(rng: &mut fastrand::Rng, start_ns: u64) -> Tape {
        let trace_id = TraceId(rng.u128(1..).to_be_bytes());
        Tape {
            trace_id,
            rng: rng.fork(),
            spans: Vec::new(),
            now_ns: start_ns,
        }
    }

    /// Lets time pass: around `micros`, with the long tail that real services have.
    pub(crate) fn work(&mut self, micros: u64) {
        let tail = if self.rng.u32(..100) == 0 { 6.0 } else { 1.0 };
        let factor = (0.6 + self.rng.f64() * 0.8) * tail;
        self.now_ns += (micros as f64 * 1e3 * factor) as u64;
    }

    /// Begins a span under another, or a root.
    pub(crate) fn begin(
        &mut self,
        parent: Option<Mark>,
        service: &'static str,
        operation: impl Into<String>,
        kind: SpanKind,
    ) -> Mark {
        let id = SpanId(self.rng.u64(1..).to_be_bytes());
        let parent = parent.map(|mark| self.spans[mark.0].id);
        let (start_ns, end_ns) = (self.now_ns, self.now_ns);
        let operation = operation.into();
        let (tags, failure, lost) = (Vec::new(), None, false);
        self.spans.push(Recorded {
            service,
            operation,
            kind,
            id,
            parent,
            start_ns,
            end_ns,
            tags,
            failure,
            lost,
        });
        Mark(self.spans.len() - 1)
    }

    /// Adds an attribute.
    pub(crate) fn tag(&mut self, mark: Mark, key: &'static str, value: impl Into<Tag>) {
        self.spans[mark.0].tags.push((key, value.into()));
    }

    /// Ends a span now.
    pub(crate) fn end(&mut self, mark: Mark) {
        self.spans[mark.0].end_ns = self.now_ns;
    }

    /// Ends a span now, failed.
    pub(crate) fn fail(&mut self, mark: Mark, failure: Failure) {
        self.spans[mark.0].failure = Some(failure);
        self.end(mark);
    }

    /// The span's process died before it could send it.
    pub(crate) fn lose(&mut self, mark: Mark) {
        self.spans[mark.0].lost = true;
    }

    /// A call between services: the caller's client span around the callee's server span.
    /// `serve` does the callee's work and says whether it failed; a failure is the caller's too.
    pub(crate) fn call(
        &mut self,
        caller: Mark,
        callee: &'static str,
        operation: &'static str,
        serve: impl FnOnce(&mut Tape, Mark) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let service = self.spans[caller.0].service;
        let client = self.begin(Some(caller), service, operation, SpanKind::Client);
        self.tag(client, "peer.service", callee);
        self.tag(client, "rpc.system", "grpc");
        self.work(250);
        let server = self.begin(Some(client), callee, operation, SpanKind::Server);
        self.tag(server, "rpc.method", operation);
        let outcome = serve(self, server);
        match outcome {
            Ok(()) => self.end(server),
            Err(failure) => self.fail(server, failure),
        }
        self.work(250);
        self.tag(
            client,
            "rpc.grpc.status_code",
            if outcome.is_ok() { 0 } else { 13 },
        );
        match outcome {
            Ok(()) => self.end(client),
            // The caller sees the failure but not the exception: that is the callee's to tell.
            Err(failure) => self.fail(
                client,
                Failure {
                    exception: "",
                    stack: "",
                    ..failure
                },
            ),
        }
        outcome
    }

    /// A query to a database: the caller's side only, as real traces have it.
    pub(crate) fn query(
        &mut self,
        caller: Mark,
        system: &'static str,
        statement: &'static str,
        micros: u64,
    ) {
        let service = self.spans[caller.0].service;
        let verb = statement.split(' ').next().unwrap_or(statement);
        let span = self.begin(
            Some(caller),
            service,
            format!("{verb} {system}"),
            SpanKind::Client,
        );
        self.tag(span, "db.system", system);
        self.tag(span, "db.statement", statement);
        self.work(micros);
        self.end(span);
    }

    /// Writes what was sent of the tape into a batch.
    pub(crate) fn write(&self, builder: &mut BatchBuilder) {
        let scope = builder.scope(&ScopeInput {
            name: "shop.instrumentation",
            version: "1.4.0",
            ..ScopeInput::default()
        });
        for span in self.spans.iter().filter(|span| !span.lost) {
            let resource = resource(builder, span.service, span.start_ns);
            self.write_span(builder, span, resource, scope);
        }
    }

    fn write_span(
        &self,
        builder: &mut BatchBuilder,
        span: &Recorded,
        resource: ResourceHandle,
        scope: ScopeHandle,
    ) {
        let attributes: Vec<Attribute<'_>> = span
            .tags
            .iter()
            .map(|(key, tag)| Attribute {
                key,
                value: match tag {
                    Tag::Text(text) => Value::Str(text),
                    Tag::Number(number) => Value::Int(*number),
                },
            })
            .collect();
        let mut rest = RestWriter::new();
        if let Some(failure) = span.failure.filter(|failure| !failure.exception.is_empty()) {
            rest.event(&exception(&failure, span.end_ns));
        }
        builder.push(&SpanInput {
            trace_id: self.trace_id,
            span_id: span.id,
            parent: span.parent,
            resource,
            scope,
            start_unix_ns: span.start_ns,
            duration_ns: span.end_ns.saturating_sub(span.start_ns),
            operation: &span.operation,
            kind: span.kind,
            status: if span.failure.is_some() {
                StatusCode::Error
            } else {
                StatusCode::Unset
            },
            status_message: span.failure.map_or("", |failure| failure.message),
            flags: 1,
            attributes: &attributes,
            // Only encoded again: what is lifted for search is the server's business.
            event_attributes: &[],
            rest: rest.as_bytes(),
            marks: Marks::default(),
        });
    }
}

fn exception(failure: &Failure, time_unix_ns: u64) -> Event<'static> {
    let attributes = vec![
        Attribute::new("exception.type", Value::Str(failure.exception)),
        Attribute::new("exception.message", Value::Str(failure.message)),
        Attribute::new("exception.stacktrace", Value::Str(failure.stack)),
    ];
    Event {
        time_unix_ns,
        name: "exception",
        attributes,
        ..Event::default()
    }
}

/// Two pods a service; payment got a new version in the middle of every half hour.
fn resource(builder: &mut BatchBuilder, service: &'static str, at_ns: u64) -> ResourceHandle {
    let pod = at_ns / 1_000_000 % 2;
    let new = service == "payment" && at_ns / 1_000_000_000 % 1_800 >= 900;
    let host = format!("{service}-{}", ["7f9c4", "b21xk"][pod as usize]);
    let attributes = [
        Attribute::new("service.name", Value::Str(service)),
        Attribute::new(
            "service.version",
            Value::Str(if new { "4.8.0" } else { "4.7.0" }),
        ),
        Attribute::new("k8s.pod.name", Value::Str(&host)),
        Attribute::new("deployment.environment", Value::Str("demo")),
    ];
    builder.resource(&ResourceInput {
        service,
        attributes: &attributes,
        ..ResourceInput::default()
    })
}
