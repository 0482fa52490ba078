//! A span's clothes: name, kind, attributes and events of what it does, after OpenTelemetry's
//! semantic conventions; plain, or more than anyone should wear, as the data set asks.

use tracewell_model::SpanKind;

use super::landscape::{Landscape, Protocol, Target};
use super::names::{AGENTS, CALLERS, FAILURES, THREADS};
use super::random::{Random, mix};
use super::tree::{Does, Node};
use super::{Attribute, Dataset, Drawn, Event, Form, Span, Value, Word};

/// Attributes of an adversary's span, and keys they are chosen from.
const ADVERSE_ATTRIBUTES: usize = 64;
const ADVERSE_KEYS: usize = 512;
/// Slots of values that a whole trace shares.
const REQUEST: u64 = 1;
const CUSTOMER: u64 = 2;
const ORDER: u64 = 3;
const SESSION: u64 = 4;

/// Gathers a span's attributes.
struct Clothes<'a> {
    landscape: &'a Landscape,
    trace: u64,
    at: usize,
    attributes: Vec<Attribute>,
}

impl Landscape {
    /// The span of a node.
    pub(super) fn dress(
        &self,
        trace: u64,
        trace_start_ns: u64,
        nodes: &[Node],
        at: usize,
        random: &mut Random,
    ) -> Span {
        let node = &nodes[at];
        let service = self.operations[node.does.within() as usize].service;
        let (_, grain_ns, scopes) = self.services[service as usize].language;
        let mut clothes = Clothes {
            landscape: self,
            trace,
            at,
            attributes: Vec::with_capacity(8),
        };
        let (name, kind, scope) = match node.does {
            Does::Serve(operation) => {
                clothes.serve(operation, at == 0, node.failure, random);
                let kind = match self.operations[operation as usize].protocol {
                    Protocol::Topic(_) => SpanKind::Consumer,
                    Protocol::Http { .. } | Protocol::Grpc { .. } => SpanKind::Server,
                };
                (
                    self.operations[operation as usize].name.clone(),
                    kind,
                    scopes[0],
                )
            }
            Does::Ask { to, .. } => {
                let (name, kind) = clothes.ask(to, node.failure, random);
                (name, kind, scopes[1])
            }
            Does::Own { of, call } => {
                let (name, kind) = clothes.own(of, call, random);
                (name, kind, scopes[2])
            }
        };
        let mut attributes = clothes.attributes;
        if self.dataset == Dataset::Adversarial {
            overdress(trace, at, &mut attributes, random);
        }
        // A clock without nanoseconds rounds the time, not the time since the trace began.
        let rounded = |ns: u64| (trace_start_ns + ns) / grain_ns * grain_ns;
        let start_ns = rounded(node.start_ns).saturating_sub(trace_start_ns);
        let duration_ns = node.duration_ns / grain_ns * grain_ns;
        Span {
            parent: node.parent,
            origin: self.origin(trace, service),
            scope,
            name,
            kind,
            start_ns,
            duration_ns,
            failure: node.failure.map(|failure| FAILURES[usize::from(failure)].0),
            attributes,
            events: self.events(trace, node, random),
        }
    }

    fn events(&self, trace: u64, node: &Node, random: &mut Random) -> Vec<Event> {
        let (Some(failure), true) = (node.failure, random.chance(0.6)) else {
            return Vec::new();
        };
        let (_, kind, message) = FAILURES[usize::from(failure)];
        let operation = &self.operations[node.does.within() as usize];
        let noun = self.services[operation.service as usize].noun;
        let least = match self.dataset {
            Dataset::Adversarial => 8_000,
            Dataset::Realistic | Dataset::LowEntropy => 300,
        };
        let mut stack = format!("{kind}: {message}\n");
        while stack.len() < least {
            let (line, frame) = (random.below(400), random.below(6));
            let of = ["handle", "execute", "call", "fetch", "validate", "commit"][frame];
            stack += &match self.dataset {
                Dataset::Adversarial => format!(
                    "    at trip.{noun}.{of}_{:016x}({noun}:{line})\n",
                    mix(trace ^ random.any())
                ),
                Dataset::Realistic | Dataset::LowEntropy => {
                    format!("    at trip.{noun}.{of}({noun}.src:{line})\n")
                }
            };
        }
        vec![Event {
            after_ns: node.duration_ns / 4 * 3,
            name: "exception",
            attributes: vec![
                ("exception.type".into(), Value::Text(kind.into())),
                ("exception.message".into(), Value::Text(message.into())),
                ("exception.stacktrace".into(), Value::Text(stack.into())),
            ],
        }]
    }
}

impl Clothes<'_> {
    fn text(&mut self, key: &'static str, text: impl Into<Word>) {
        self.attributes.push((key.into(), Value::Text(text.into())));
    }

    fn int(&mut self, key: &'static str, number: i64) {
        self.attributes.push((key.into(), Value::Int(number)));
    }

    /// A drawn value of the trace's (`part` below 16) or of this span's own.
    fn drawn(&mut self, key: &'static str, before: impl Into<Word>, form: Form, part: u64) {
        let value = match self.landscape.dataset {
            // Nothing is drawn in a demo: the same customer orders the same again.
            Dataset::LowEntropy => {
                Value::Text(format!("{}{}", &*before.into(), form.value(7)).into())
            }
            Dataset::Realistic | Dataset::Adversarial => {
                let span = if part < 16 { 0 } else { self.at as u64 + 1 };
                Value::Drawn(Drawn {
                    before: before.into(),
                    form,
                    slot: mix(self.trace << 20 | span) ^ part,
                })
            }
        };
        self.attributes.push((key.into(), value));
    }

    fn serve(&mut self, operation: u32, entry: bool, failure: Option<u8>, random: &mut Random) {
        let landscape = self.landscape;
        let service =
            &landscape.services[landscape.operations[operation as usize].service as usize];
        self.text(
            "code.function.name",
            landscape.operations[operation as usize].handler.clone(),
        );
        let (host, agent) = (service.host.clone(), CALLERS[random.skewed(CALLERS.len())]);
        match &landscape.operations[operation as usize].protocol {
            Protocol::Http {
                method,
                route,
                before_id,
            } => {
                self.text("http.request.method", *method);
                self.text("http.route", route.clone());
                match before_id {
                    Some(before) => self.drawn("url.path", before.clone(), Form::Order, ORDER),
                    None => self.text("url.path", route.clone()),
                }
                self.int("http.response.status_code", status_code(method, failure));
                self.text("server.address", host);
                self.text(
                    "user_agent.original",
                    if entry {
                        AGENTS[random.skewed(AGENTS.len())]
                    } else {
                        agent
                    },
                );
                if entry {
                    self.drawn("client.port", "", Form::Port, 16);
                    self.drawn("request.id", "req-", Form::RequestId, REQUEST);
                }
            }
            Protocol::Grpc { service, method } => {
                self.text("rpc.system", "grpc");
                self.text("rpc.service", service.clone());
                self.text("rpc.method", *method);
                self.int(
                    "rpc.grpc.status_code",
                    if failure.is_some() { 14 } else { 0 },
                );
                self.drawn("network.peer.port", "", Form::Port, 16);
            }
            Protocol::Topic(topic) => {
                self.text("messaging.system", "kafka");
                self.text("messaging.destination.name", topic.clone());
                self.int(
                    "messaging.destination.partition.id",
                    random.below(24) as i64,
                );
                self.drawn("messaging.kafka.offset", "", Form::Offset, 16);
            }
        }
        let tenant =
            landscape.tenants[(mix(self.trace) % 97) as usize % landscape.tenants.len()].clone();
        self.text("tenant.id", tenant);
        self.text("thread.name", THREADS[random.below(THREADS.len())]);
        if random.chance(0.5) {
            self.drawn("enduser.id", "c", Form::Customer, CUSTOMER);
        } else {
            self.drawn("session.id", "", Form::RequestId, SESSION);
        }
    }

    fn ask(&mut self, to: u32, failure: Option<u8>, random: &mut Random) -> (Word, SpanKind) {
        let landscape = self.landscape;
        let operation = &landscape.operations[to as usize];
        let host = landscape.services[operation.service as usize].host.clone();
        self.int("thread.id", random.below(200) as i64);
        self.text(
            "network.peer.address",
            format!("10.42.{}.{}", operation.service % 256, random.below(30)),
        );
        match &operation.protocol {
            Protocol::Http {
                method,
                route,
                before_id,
            } => {
                self.text("http.request.method", *method);
                self.text("server.address", host.clone());
                self.int("server.port", 8_080);
                let url = |path: &str| Word::from(format!("http://{}:8080{path}", &*host));
                match before_id {
                    Some(before) => self.drawn("url.full", url(before), Form::Order, ORDER),
                    None => self.text(
                        "url.full",
                        url(&format!(
                            "{}?limit=50&sort=created_at&fields=summary",
                            &**route
                        )),
                    ),
                }
                self.int("http.response.status_code", status_code(method, failure));
                (Word::Static(method), SpanKind::Client)
            }
            Protocol::Grpc { service, method } => {
                self.text("rpc.system", "grpc");
                self.text("rpc.service", service.clone());
                self.text("rpc.method", *method);
                self.text("server.address", host);
                self.int(
                    "rpc.grpc.status_code",
                    if failure.is_some() { 14 } else { 0 },
                );
                (operation.name.clone(), SpanKind::Client)
            }
            Protocol::Topic(topic) => {
                self.text("messaging.system", "kafka");
                self.text("messaging.destination.name", topic.clone());
                self.int(
                    "messaging.message.body.size",
                    200 + random.below(4_000) as i64,
                );
                self.drawn("messaging.kafka.message.key", "b", Form::Order, ORDER);
                (format!("publish {}", &**topic).into(), SpanKind::Producer)
            }
        }
    }

    fn own(&mut self, of: u32, call: u32, random: &mut Random) -> (Word, SpanKind) {
        let landscape = self.landscape;
        let operation = &landscape.operations[of as usize];
        let service = &landscape.services[operation.service as usize];
        self.int("thread.id", random.below(200) as i64);
        match &operation.calls[call as usize].to {
            Target::Database(verb, statement) => {
                self.text("db.system.name", "postgresql");
                self.text("db.namespace", service.database.clone());
                self.text("db.operation.name", *verb);
                self.text("db.query.text", statement.clone());
                self.text(
                    "server.address",
                    "pg-main.cluster-cx3k2q.eu-central-1.internal",
                );
                self.int("server.port", 5_432);
                self.int("db.response.returned_rows", random.skewed(50) as i64);
                (format!("{verb} {}", service.noun).into(), SpanKind::Client)
            }
            Target::Cache(command) => {
                self.text("db.system.name", "redis");
                self.text("db.operation.name", *command);
                self.drawn(
                    "db.query.text",
                    format!("{command} {}:", service.noun),
                    Form::Order,
                    16,
                );
                self.attributes
                    .push(("cache.hit".into(), Value::Bool(random.chance(0.85))));
                (Word::Static(command), SpanKind::Client)
            }
            Target::Task(task) => {
                self.text("code.function.name", *task);
                self.int("work.items", 1 + random.skewed(200) as i64);
                self.attributes.push((
                    "work.share".into(),
                    Value::Float((random.unit() * 1_000.0).round() / 1_000.0),
                ));
                (Word::Static(task), SpanKind::Internal)
            }
            // `grow` gives an asked operation a node of its own.
            Target::Operation(_) => (operation.name.clone(), SpanKind::Internal),
        }
    }
}

fn status_code(method: &str, failure: Option<u8>) -> i64 {
    match (failure, method) {
        (Some(failure), _) => [504, 502, 409, 503, 500, 504][usize::from(failure) % 6],
        (None, "POST") => 201,
        (None, _) => 200,
    }
}

/// Values nobody ever saw, under keys that change from span to span.
fn overdress(trace: u64, at: usize, attributes: &mut Vec<Attribute>, random: &mut Random) {
    let first = random.below(ADVERSE_KEYS);
    for nth in attributes.len()..ADVERSE_ATTRIBUTES {
        let key = format!("custom.field_{:03}", (first + nth * 7) % ADVERSE_KEYS);
        let slot = mix(trace << 20 | at as u64) ^ (nth as u64) << 8;
        let value = Value::Drawn(Drawn {
            before: "v-".into(),
            form: Form::RequestId,
            slot,
        });
        attributes.push((key.into(), value));
    }
}
