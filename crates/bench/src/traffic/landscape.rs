//! The services, what each can be asked, and whom it asks for that. Made once from a seed.

use super::names::{LANGUAGES, Language, METHODS, PROCEDURES, SERVICES, TASKS};
use super::random::{Random, mix};
use super::{Attribute, Dataset, SPANS_PER_TRACE, Value, Word};

/// Services of one company; more are further companies of the same trade.
const COMPANY: usize = 50;
/// Customers of a company, who pay for what is asked: `tenant.id`.
pub(super) const TENANTS: usize = 40;

/// The services and how they call each other.
#[derive(Clone, Debug)]
pub struct Landscape {
    pub(super) dataset: Dataset,
    pub(super) seed: u64,
    pub(super) services: Vec<Service>,
    pub(super) operations: Vec<Operation>,
    /// Operations that the world outside asks for.
    pub(super) entries: Vec<u32>,
    /// Instances of all services: what a span's resource is.
    pub origins: Vec<Origin>,
    pub(super) tenants: Vec<Word>,
    /// Nanoseconds between two traces.
    gap_ns: u64,
}

/// An instance of a service.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its service.
    pub service: Word,
    /// Its resource's attributes, `service.name` among them.
    pub attributes: Vec<Attribute>,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: Word,
    /// What it keeps: a table, a route, a topic.
    pub(super) noun: &'static str,
    pub(super) host: Word,
    pub(super) database: Word,
    pub(super) language: &'static Language,
    pub(super) origins: std::ops::Range<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) service: u32,
    pub(super) name: Word,
    /// The function that answers.
    pub(super) handler: Word,
    pub(super) protocol: Protocol,
    pub(super) calls: Vec<Call>,
    /// Its own work, the calls left out.
    pub(super) median_ns: f64,
}

#[derive(Clone, Debug)]
pub(super) enum Protocol {
    Http {
        method: &'static str,
        route: Word,
        /// The route up to its id, if it has one.
        before_id: Option<Word>,
    },
    Grpc {
        service: Word,
        method: &'static str,
    },
    Topic(Word),
}

/// Something an operation does, in this order, and how often it comes to that.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) chance: f64,
    pub(super) times: usize,
    pub(super) to: Target,
}

#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Another service.
    Operation(u32),
    /// Its database: the statement's verb and the statement.
    Database(&'static str, Word),
    /// A cache: the command.
    Cache(&'static str),
    /// Work of its own.
    Task(&'static str),
}

impl Landscape {
    /// The landscape of this seed. `spans_per_s` is how dense its traces lie in time.
    pub fn new(dataset: Dataset, services: usize, seed: u64, spans_per_s: u64) -> Landscape {
        let mut random = Random::new(seed);
        let mut landscape = Landscape {
            dataset,
            seed,
            services: Vec::with_capacity(services),
            operations: Vec::new(),
            entries: Vec::new(),
            origins: Vec::new(),
            tenants: (0..TENANTS)
                .map(|tenant| {
                    Word::from(format!("tenant-{:04}", mix(seed ^ tenant as u64) % 10_000))
                })
                .collect(),
            gap_ns: (SPANS_PER_TRACE * 1_000_000_000 / spans_per_s.max(1)).max(1),
        };
        for number in 0..services {
            landscape.add_service(number, &mut random);
        }
        let sizes: Vec<_> = (0..services)
            .step_by(COMPANY)
            .map(|from| from..services.min(from + COMPANY))
            .collect();
        for company in sizes {
            landscape.add_operations(company, &mut random);
        }
        landscape
    }

    /// Nanoseconds that a cycle of so many traces covers.
    pub fn length_ns(&self, traces: u64) -> u64 {
        traces * self.gap_ns
    }

    /// When a trace starts, since its cycle began.
    pub(super) fn start_ns(&self, trace: u64) -> u64 {
        trace * self.gap_ns + mix(self.seed ^ trace) % self.gap_ns
    }

    /// The service of an origin's name, for questions.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|service| &*service.name)
    }

    fn add_service(&mut self, number: usize, random: &mut Random) {
        let (name, noun) = SERVICES[number % COMPANY];
        let name: Word = match number / COMPANY {
            0 => name.into(),
            company => format!("{name}-{}", company + 1).into(),
        };
        let language = random.pick(&LANGUAGES);
        let first = self.origins.len() as u32;
        let version = format!(
            "{}.{}.{}",
            1 + random.below(9),
            random.below(40),
            random.below(12)
        );
        let instances = match self.dataset {
            Dataset::LowEntropy => 1,
            Dataset::Realistic | Dataset::Adversarial => 1 + random.below(3),
        };
        for _ in 0..instances {
            let (pod, id) = (random.any(), random.any());
            let text = |key: &'static str, text: Word| (Word::from(key), Value::Text(text));
            let attributes = vec![
                text("service.name", name.clone()),
                text("service.version", version.clone().into()),
                text(
                    "service.instance.id",
                    format!(
                        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                        id as u32,
                        id >> 48,
                        id >> 52,
                        pod >> 52,
                        pod & 0xffff_ffff_ffff
                    )
                    .into(),
                ),
                text(
                    "host.name",
                    format!(
                        "{}-{:08x}-{:05x}",
                        &*name,
                        mix(number as u64) as u32,
                        pod & 0xfffff
                    )
                    .into(),
                ),
            ];
            self.origins.push(Origin {
                service: name.clone(),
                attributes,
            });
        }
        self.services.push(Service {
            host: format!("{}.internal", &*name).into(),
            database: format!("{}_db", name.replace('-', "_")).into(),
            name,
            noun,
            language,
            origins: first..self.origins.len() as u32,
        });
    }

    /// Operations of a company's services, back to front, since the front ones call the later ones.
    fn add_operations(&mut self, company: std::ops::Range<usize>, random: &mut Random) {
        let count = company.len();
        // Operations of services further back, front ones first.
        let mut behind: Vec<u32> = Vec::new();
        for place in (0..count).rev() {
            let tier = match place * 100 / count {
                0..8 => Tier::Edge,
                8..55 => Tier::Middle,
                _ => Tier::Back,
            };
            let many = 4 + random.below(3);
            let mut own = Vec::with_capacity(many);
            for nth in 0..many {
                let operation = self.operation(company.start + place, tier, nth, &behind, random);
                own.push(self.operations.len() as u32);
                self.operations.push(operation);
            }
            if matches!(tier, Tier::Edge) {
                self.entries.extend(&own);
            } else {
                behind.splice(0..0, own);
            }
        }
    }

    fn operation(
        &self,
        service: usize,
        tier: Tier,
        nth: usize,
        behind: &[u32],
        random: &mut Random,
    ) -> Operation {
        let noun = self.services[service].noun;
        let protocol = match (tier, nth % 5) {
            (Tier::Edge, _) | (_, 0..2) => {
                let (method, rest) = METHODS[nth % METHODS.len()];
                let route = format!("/v1/{noun}{rest}");
                let before_id = rest
                    .starts_with("/{id}")
                    .then(|| format!("/v1/{noun}/").into());
                Protocol::Http {
                    method,
                    route: route.into(),
                    before_id,
                }
            }
            (Tier::Back, 4) => Protocol::Topic(format!("{noun}.changed").into()),
            _ => Protocol::Grpc {
                service: format!(
                    "trip.{noun}.v1.{}Service",
                    self.services[service].name.replace('-', "")
                )
                .into(),
                method: PROCEDURES[nth % PROCEDURES.len()],
            },
        };
        let name: Word = match &protocol {
            Protocol::Http { method, route, .. } => format!("{method} {}", &**route).into(),
            Protocol::Grpc { service, method } => format!("{}/{method}", &**service).into(),
            Protocol::Topic(topic) => format!("process {}", &**topic).into(),
        };
        Operation {
            service: service as u32,
            name,
            handler: format!(
                "trip.{noun}.api.v1.{noun}_controller.{}_{nth}",
                if tier == Tier::Edge {
                    "forward"
                } else {
                    "handle"
                }
            )
            .into(),
            protocol,
            calls: self.calls(service, tier, behind, random),
            median_ns: random.lognormal(600_000.0, 0.8),
        }
    }

    fn calls(&self, service: usize, tier: Tier, behind: &[u32], random: &mut Random) -> Vec<Call> {
        let noun = self.services[service].noun;
        let (asked, stores) = match tier {
            Tier::Edge => (3 + random.below(3), 0),
            Tier::Middle => (1 + random.below(3), 1 + random.below(2)),
            Tier::Back => (random.below(2), 1 + random.below(3)),
        };
        let mut calls = Vec::new();
        if random.chance(0.5) {
            calls.push(Call {
                chance: 0.9,
                times: 1,
                to: Target::Cache(if random.chance(0.8) { "GET" } else { "MGET" }),
            });
        }
        for _ in 0..asked.min(behind.len()) {
            // A back service calls few others; a front one anything behind it, near ones more often.
            let to = behind[random.skewed(behind.len())];
            calls.push(Call {
                chance: 0.5 + random.unit() / 2.0,
                times: 1 + usize::from(random.chance(0.1)) * 2,
                to: Target::Operation(to),
            });
        }
        for _ in 0..stores {
            let (verb, statement) = statement(noun, random);
            calls.push(Call {
                chance: 0.4 + random.unit() * 0.6,
                times: 1 + random.skewed(4),
                to: Target::Database(verb, statement),
            });
        }
        if random.chance(0.3) {
            calls.push(Call {
                chance: 0.8,
                times: 1,
                to: Target::Task(TASKS[random.below(TASKS.len())]),
            });
        }
        calls
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Tier {
    Edge,
    Middle,
    Back,
}

fn statement(noun: &str, random: &mut Random) -> (&'static str, Word) {
    let column = *random.pick(&["traveller_id", "booking_id", "code", "state", "valid_from"]);
    let columns = "id, code, state, traveller_id, booking_id, amount, currency, valid_from, valid_to, version, created_at, updated_at";
    match random.below(5) {
        0 => ("INSERT", format!("INSERT INTO {noun} ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, now(), now()) ON CONFLICT (id) DO NOTHING").into()),
        1 => ("UPDATE", format!("UPDATE {noun} SET {column} = $2, version = version + 1, updated_at = now() WHERE id = $1 AND version = $3 RETURNING {columns}").into()),
        2 => ("SELECT", format!("SELECT {columns} FROM {noun} WHERE id = $1").into()),
        3 => ("SELECT", format!("SELECT {columns} FROM {noun} WHERE {column} = $1 AND state <> 'gone' ORDER BY created_at DESC LIMIT 50").into()),
        _ => ("SELECT", format!("SELECT {column}, count(*) AS many, max(updated_at) AS latest FROM {noun} WHERE {column} = ANY($1) GROUP BY {column}").into()),
    }
}
