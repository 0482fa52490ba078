//! The tape on which a request of the demo is recorded, caller's and callee's side apart, with
//! attributes and exceptions, before it is played to the services (`services`) as spans of theirs.

use tracewell_sdk::Kind;

use super::deaths::{Deaths, Life};

/// What went wrong in a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) exception: &'static str,
    pub(crate) message: &'static str,
    pub(crate) stack: &'static str,
}

/// What a caller sees of a process that died.
pub(crate) const UNAVAILABLE: Failure = Failure {
    exception: "",
    message: "14 UNAVAILABLE: connection reset by peer",
    stack: "",
};

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
pub(crate) struct Recorded {
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) kind: Kind,
    /// Names it where its service cannot.
    pub(crate) number: u64,
    /// Where on the tape its parent is.
    pub(crate) parent: Option<usize>,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) tags: Vec<(&'static str, Tag)>,
    pub(crate) failure: Option<Failure>,
    pub(crate) lost: bool,
}

/// Names a span of the tape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

/// One request's spans.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    pub(crate) rng: fastrand::Rng,
    pub(crate) spans: Vec<Recorded>,
    /// Which of each service's two pods serves this request.
    pub(crate) pod: u64,
    deaths: &'a Deaths,
    /// The time on the tape.
    pub(crate) now_ns: u64,
}

impl<'a> Tape<'a> {
    /// An empty tape that starts at this time.
    pub(crate) fn new(rng: &mut fastrand::Rng, start_ns: u64, deaths: &'a Deaths) -> Self {
        Tape {
            rng: rng.fork(),
            spans: Vec::new(),
            pod: start_ns / 1_000_000 % 2,
            deaths,
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
        kind: Kind,
    ) -> Mark {
        let number = self.rng.u64(1..);
        let parent = parent.map(|mark| mark.0);
        let (start_ns, end_ns) = (self.now_ns, self.now_ns);
        let operation = operation.into();
        let (tags, failure) = (Vec::new(), None);
        // What a doomed pod did within a request went out with its last batch, half of the time.
        let doomed = self.life(service) == Life::Doomed;
        let lost = doomed && (kind == Kind::Server || self.rng.bool());
        self.spans.push(Recorded {
            service,
            operation,
            kind,
            number,
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

    /// How the pod of this service is now.
    pub(crate) fn life(&self, service: &str) -> Life {
        self.deaths.life(service, self.pod, self.now_ns)
    }

    /// A call between services: the caller's client span around the callee's server span.
    /// `serve` does the callee's work and says whether it failed; a failure is the caller's too.
    pub(crate) fn call(
        &mut self,
        caller: Mark,
        callee: &'static str,
        operation: &'static str,
        serve: impl FnOnce(&mut Tape<'_>, Mark) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let service = self.spans[caller.0].service;
        let client = self.begin(Some(caller), service, operation, Kind::Client);
        self.tag(client, "peer.service", callee);
        self.tag(client, "rpc.system", "grpc");
        self.work(250);
        let outcome = match self.life(callee) {
            Life::Dead => Err(UNAVAILABLE),
            Life::Doomed | Life::Lives => self.served(client, callee, operation, serve),
        };
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

    fn served(
        &mut self,
        client: Mark,
        callee: &'static str,
        operation: &'static str,
        serve: impl FnOnce(&mut Tape<'_>, Mark) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let server = self.begin(Some(client), callee, operation, Kind::Server);
        self.tag(server, "rpc.method", operation);
        let outcome = serve(self, server);
        match outcome {
            Ok(()) => self.end(server),
            Err(failure) => self.fail(server, failure),
        }
        if self.rng.u32(..5) == 0 {
            self.write_behind(server, callee);
        }
        outcome
    }

    /// Work that goes on after the answer is out.
    fn write_behind(&mut self, server: Mark, service: &'static str) {
        let answered = self.now_ns;
        let span = self.begin(Some(server), service, "write access log", Kind::Internal);
        self.work(2_000);
        self.end(span);
        self.now_ns = answered;
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
            Kind::Client,
        );
        self.tag(span, "db.system", system);
        self.tag(span, "db.statement", statement);
        self.work(micros);
        self.end(span);
    }
}
