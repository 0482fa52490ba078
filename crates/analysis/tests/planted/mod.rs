//! A made system of services that call each other, its traffic, and faults to plant in it.

use std::collections::BTreeMap;

use fastrand::Rng;
use tracewell_model::{
    BatchBuilder, Marks, ResourceInput, ScopeInput, SpanId, SpanInput, SpanKind, StatusCode,
    TraceId,
};
use tracewell_storage::memory::MemoryStore;

const MS: u64 = 1_000_000;
/// Spans of a request, about.
const SPANS_MAX: usize = 60;

/// What is wrong with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Its processor is busy: everything that it does itself takes several times as long.
    Cpu,
    /// Every message to and from it is late.
    Delay,
    /// Some messages to and from it are lost and sent again, or given up.
    Loss,
    /// It answers with errors.
    Error,
    /// A part of it throws.
    Exception,
    /// It is gone; nobody answers.
    Vanished,
    /// One of its operations waits for its database.
    SlowDatabase,
    /// It answers without doing its work, and calls it a success.
    EarlyReturn,
    /// No fault: it asks a service that was never there before, and answers in a tenth of a millisecond.
    Newcomer,
}

impl Fault {
    pub const ALL: [Fault; 8] = [
        Fault::Cpu,
        Fault::Delay,
        Fault::Loss,
        Fault::Error,
        Fault::Exception,
        Fault::Vanished,
        Fault::SlowDatabase,
        Fault::EarlyReturn,
    ];

    /// In which part of what a service does.
    pub fn part(self) -> f64 {
        match self {
            Fault::Cpu | Fault::Delay | Fault::Vanished | Fault::SlowDatabase => 1.0,
            Fault::Loss => 0.15,
            Fault::Error | Fault::Exception => 0.4,
            Fault::EarlyReturn => 0.6,
            Fault::Newcomer => 0.0,
        }
    }
}

/// An operation of a service.
struct Operation {
    service: usize,
    name: String,
    /// Own time in microseconds, usually.
    own_us: u64,
    database: bool,
    /// Operations it calls, always of later services.
    calls: Vec<usize>,
    parallel: bool,
}

/// A system.
pub struct System {
    pub services: usize,
    operations: Vec<Operation>,
    /// Operations that users ask for.
    routes: Vec<usize>,
    /// Spans say whether they are a client's or a server's.
    kinds: bool,
    /// Requests fail by themselves this often.
    noise: f64,
}

impl System {
    pub fn of(random: &mut Rng, kinds: bool) -> System {
        let services = random.usize(5..14);
        let mut operations: Vec<Operation> = Vec::new();
        // Spans of one request of an operation.
        let mut sizes: Vec<usize> = Vec::new();
        // The last services first, so that there is something to call.
        for service in (0..services).rev() {
            let callable = operations.len();
            for at in 0..random.usize(1..4) {
                let calls = match callable {
                    0 => 0,
                    _ if service == 0 => random.usize(2..5),
                    _ => random.usize(0..4),
                };
                let mut size = 2;
                let called = (0..calls).map(|_| random.usize(0..callable));
                let fits = |&op: &usize| {
                    size += sizes[op] + 1;
                    size < SPANS_MAX
                };
                let calls = called.take_while(fits).collect();
                sizes.push(size.min(SPANS_MAX));
                operations.push(Operation {
                    service,
                    name: format!("operation-{at}"),
                    own_us: 200 << random.u32(0..6),
                    database: random.u8(0..3) == 0,
                    calls,
                    parallel: random.u8(0..4) == 0,
                });
            }
        }
        let routes = (0..operations.len()).filter(|&at| operations[at].service == 0);
        System {
            services,
            routes: routes.collect(),
            operations,
            kinds,
            noise: 0.01,
        }
    }

    /// How often each service shows a fault in one request for each route, if it always struck.
    pub fn shows(&self, fault: Fault) -> BTreeMap<usize, u64> {
        let mut shows = BTreeMap::new();
        let mut to_do = self.routes.clone();
        while let Some(at) = to_do.pop() {
            let operation = &self.operations[at];
            to_do.extend(&operation.calls);
            let is_shown = match fault {
                // Nobody calls the first over the network, or misses it.
                Fault::Delay | Fault::Loss | Fault::Vanished => operation.service > 0,
                Fault::SlowDatabase => operation.database,
                Fault::EarlyReturn => !operation.calls.is_empty(),
                Fault::Cpu | Fault::Error | Fault::Exception | Fault::Newcomer => true,
            };
            *shows.entry(operation.service).or_default() += u64::from(is_shown);
        }
        shows
    }

    pub fn routes(&self) -> usize {
        self.routes.len()
    }

    /// Requests, and what they leave behind.
    pub fn traffic(
        &self,
        random: &mut Rng,
        requests: usize,
        faults: &[(Fault, usize)],
    ) -> MemoryStore {
        let mut builder = BatchBuilder::new(1);
        let scope = builder.scope(&ScopeInput::default());
        // The last one is the newcomer.
        let resources = (0..=self.services).map(|at| {
            builder.resource(&ResourceInput {
                service: &name(at),
                ..ResourceInput::default()
            })
        });
        let resources: Vec<_> = resources.collect();
        for at in 0..requests {
            let trace_id = TraceId(random.u128(1..).to_be_bytes());
            let mut request = Request {
                system: self,
                random,
                faults,
                spans: Vec::new(),
            };
            let route = self.routes[at % self.routes.len()];
            request.serve(route, None, 1_000_000 * MS + at as u64 * 100 * MS);
            for made in request.spans {
                builder.push(&SpanInput {
                    trace_id,
                    span_id: made.id,
                    parent: made.parent,
                    resource: resources[made.service],
                    scope,
                    start_unix_ns: made.start,
                    duration_ns: made.end - made.start,
                    operation: &made.name,
                    kind: match self.kinds {
                        true => made.kind,
                        false => SpanKind::Unspecified,
                    },
                    status: match made.error {
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
            }
        }
        let store = MemoryStore::new();
        store.push(builder.finish_one(), 0);
        store
    }
}

pub fn name(service: usize) -> String {
    format!("service-{service}")
}

struct Made {
    id: SpanId,
    parent: Option<SpanId>,
    service: usize,
    name: String,
    kind: SpanKind,
    start: u64,
    end: u64,
    error: bool,
}

struct Request<'a> {
    system: &'a System,
    random: &'a mut Rng,
    faults: &'a [(Fault, usize)],
    spans: Vec<Made>,
}

impl Request<'_> {
    fn has(&self, fault: Fault, service: usize) -> bool {
        self.faults.contains(&(fault, service))
    }

    fn chance(&mut self, part: f64) -> bool {
        self.random.f64() < part
    }

    /// A time around this one, sometimes much longer, as times are.
    fn around(&mut self, us: u64) -> u64 {
        let spread = (self.random.f64() + self.random.f64() + self.random.f64() - 1.5) * 0.9;
        let rare = if self.chance(0.01) { 8.0 } else { 1.0 };
        (us as f64 * spread.exp() * rare * 1_000.0) as u64
    }

    fn own_time(&mut self, service: usize, us: u64) -> u64 {
        let own = self.around(us);
        match self.has(Fault::Cpu, service) {
            true => own * 4 + self.around(3_000),
            false => own,
        }
    }

    /// A message between two services; none when it is given up.
    fn message(&mut self, ends: [usize; 2]) -> Option<u64> {
        let mut took = self.around(300);
        for end in ends {
            if self.has(Fault::Delay, end) {
                took += 50 * MS + self.around(10_000);
            }
            if self.has(Fault::Loss, end) && self.chance(Fault::Loss.part()) {
                took += 200 * MS + self.around(50_000);
                if self.chance(0.1) {
                    return None;
                }
            }
            if self.has(Fault::Cpu, end) {
                took += self.around(2_000);
            }
        }
        Some(took)
    }

    fn span(&mut self, made: Made) {
        self.spans.push(made);
    }

    fn id(&mut self) -> SpanId {
        SpanId(self.random.u64(1..).to_be_bytes())
    }

    /// Serves an operation; its end, and whether it failed.
    fn serve(&mut self, op: usize, parent: Option<SpanId>, start: u64) -> (u64, bool) {
        let operation = &self.system.operations[op];
        let service = operation.service;
        let id = self.id();
        let mut at = start + self.own_time(service, operation.own_us) / 2;
        if self.has(Fault::Newcomer, service) {
            // Always the same: it deviates from nothing for certain.
            let (asked, end) = (self.id(), at + 100_000 + self.around(5));
            self.span(Made {
                id: asked,
                parent: Some(id),
                service: self.system.services,
                name: "authorize".to_owned(),
                kind: SpanKind::Server,
                start: at,
                end,
                error: false,
            });
            at = end;
        }
        let mut error = self.random.f64() < self.system.noise / 10.0;
        if self.has(Fault::Error, service) && self.chance(Fault::Error.part()) {
            error = true;
        } else if self.has(Fault::Exception, service) && self.chance(Fault::Exception.part()) {
            let (inner, end) = (self.id(), at + self.around(500));
            self.span(Made {
                id: inner,
                parent: Some(id),
                service,
                name: "validate".to_owned(),
                kind: SpanKind::Internal,
                start: at,
                end,
                error: true,
            });
            (at, error) = (end, true);
        } else if !(self.has(Fault::EarlyReturn, service) && self.chance(Fault::EarlyReturn.part()))
        {
            (at, error) = self.work(op, id, at, error);
        }
        let end = at + self.own_time(service, operation.own_us) / 2;
        let name = operation.name.clone();
        let kind = SpanKind::Server;
        self.span(Made {
            id,
            parent,
            service,
            name,
            kind,
            start,
            end,
            error,
        });
        (end, error)
    }

    /// The database, and the calls.
    fn work(&mut self, op: usize, id: SpanId, mut at: u64, mut error: bool) -> (u64, bool) {
        let operation = &self.system.operations[op];
        let service = operation.service;
        if operation.database {
            let slow = self.has(Fault::SlowDatabase, service);
            let took = self.around(2_000) + if slow { self.around(80_000) } else { 0 };
            let (query, end) = (self.id(), at + took);
            self.span(Made {
                id: query,
                parent: Some(id),
                service,
                name: "SELECT".to_owned(),
                kind: SpanKind::Client,
                start: at,
                end,
                error: false,
            });
            at = end;
        }
        let mut last = at;
        for &callee in &operation.calls {
            let start = if operation.parallel { at } else { last };
            let (end, failed) = self.call(service, callee, id, start);
            last = last.max(end);
            if failed && self.chance(0.8) {
                error = true;
                if !operation.parallel {
                    break;
                }
            }
        }
        (last, error)
    }

    fn call(&mut self, caller: usize, callee: usize, parent: SpanId, start: u64) -> (u64, bool) {
        let operation = &self.system.operations[callee];
        let id = self.id();
        let ends = [caller, operation.service];
        let (end, error) = if self.has(Fault::Vanished, operation.service) {
            (start + self.around(1_000), true)
        } else {
            match self.message(ends) {
                None => (start + 500 * MS, true),
                Some(there) => {
                    let (end, failed) = self.serve(callee, Some(id), start + there);
                    match self.message(ends) {
                        None => (end + 500 * MS, true),
                        Some(back) => (end + back, failed),
                    }
                }
            }
        };
        let name = format!("call {} {}", name(operation.service), operation.name);
        self.span(Made {
            id,
            parent: Some(parent),
            service: caller,
            name,
            kind: SpanKind::Client,
            start,
            end,
            error,
        });
        (end, error)
    }
}
