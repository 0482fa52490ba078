//! A trace grown from an entry: who calls whom, how long it takes, what fails. Its spans are then
//! dressed with attributes (`dress`).

use super::landscape::{Landscape, Target};
use super::random::{Random, mix};
use super::{Dataset, Trace};

/// A span of a growing trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) parent: Option<u32>,
    pub(super) does: Does,
    pub(super) start_ns: u64,
    pub(super) duration_ns: u64,
    pub(super) failure: Option<u8>,
}

impl Node {
    fn of(parent: Option<u32>, does: Does) -> Node {
        Node {
            parent,
            does,
            start_ns: 0,
            duration_ns: 0,
            failure: None,
        }
    }
}

/// What a span is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Does {
    /// A service answers: the operation.
    Serve(u32),
    /// A service asks another for this operation.
    Ask { from: u32, to: u32 },
    /// An operation's call (its place among the calls) that stays in its service.
    Own { of: u32, call: u32 },
}

impl Does {
    /// The operation in whose service the span is made.
    pub(super) fn within(self) -> u32 {
        match self {
            Does::Serve(operation) => operation,
            Does::Ask { from, .. } => from,
            Does::Own { of, .. } => of,
        }
    }
}

impl Landscape {
    /// The trace with this number.
    pub fn trace(&self, number: u64) -> Trace {
        let mut random = Random::of(self.seed, number);
        let most = random.lognormal(16.0, 0.75).clamp(2.0, 400.0) as usize;
        let entry = self.entry(&mut random);
        let mut nodes = vec![Node::of(None, Does::Serve(entry))];
        self.grow(&mut nodes, 0, most, &mut random);
        self.finished(number, nodes, &mut random)
    }

    /// The trace with this number, of so many spans, or a few less: out of all proportion.
    pub fn giant(&self, number: u64, spans: usize) -> Trace {
        let mut random = Random::of(self.seed, number);
        let entry = self.entry(&mut random);
        let mut nodes = vec![Node::of(None, Does::Serve(entry))];
        while nodes.len() < spans {
            // It asks for something else until it is one.
            let from = nodes.len();
            let next = self.entry(&mut random);
            nodes.push(Node::of(Some(0), Does::Serve(next)));
            self.grow(&mut nodes, from, spans, &mut random);
        }
        self.finished(number, nodes, &mut random)
    }

    fn finished(&self, number: u64, mut nodes: Vec<Node>, random: &mut Random) -> Trace {
        self.take_time(&mut nodes, random);
        self.fail(&mut nodes, random);
        let start_ns = self.start_ns(number);
        let dress = |at| self.dress(number, start_ns, &nodes, at, random);
        let spans = (0..nodes.len()).map(dress).collect();
        Trace { start_ns, spans }
    }

    fn entry(&self, random: &mut Random) -> u32 {
        let entry = match self.dataset {
            Dataset::LowEntropy => random.below(3.min(self.entries.len())),
            Dataset::Realistic | Dataset::Adversarial => random.skewed(self.entries.len()),
        };
        self.entries[entry]
    }

    /// What follows from the nodes at and after `from`, breadth first, until there are enough: what a
    /// trace leaves out is its deepest calls.
    fn grow(&self, nodes: &mut Vec<Node>, from: usize, most: usize, random: &mut Random) {
        for at in from.. {
            let Some(&Node { does, .. }) = nodes.get(at) else {
                return;
            };
            let (Does::Serve(operation), at) = (does, at as u32) else {
                continue;
            };
            let calls = &self.operations[operation as usize].calls;
            for (place, call) in calls.iter().enumerate() {
                let happens = self.dataset == Dataset::LowEntropy || random.chance(call.chance);
                for _ in 0..if happens { call.times } else { 0 } {
                    match call.to {
                        _ if nodes.len() >= most => return,
                        Target::Operation(to) => {
                            let client = nodes.len() as u32;
                            nodes.push(Node::of(
                                Some(at),
                                Does::Ask {
                                    from: operation,
                                    to,
                                },
                            ));
                            nodes.push(Node::of(Some(client), Does::Serve(to)));
                        }
                        Target::Database(..) | Target::Cache(_) | Target::Task(_) => {
                            let call = place as u32;
                            nodes.push(Node::of(
                                Some(at),
                                Does::Own {
                                    of: operation,
                                    call,
                                },
                            ));
                        }
                    }
                }
            }
        }
    }

    /// Durations from the leaves up, starts from the root down. Children stand one after another.
    fn take_time(&self, nodes: &mut [Node], random: &mut Random) {
        let mut children_ns = vec![0u64; nodes.len()];
        for at in (0..nodes.len()).rev() {
            let own = match nodes[at].does {
                Does::Serve(operation) => {
                    random.lognormal(self.operations[operation as usize].median_ns, 0.7)
                }
                // The network's share.
                Does::Ask { .. } => random.lognormal(350_000.0, 0.5),
                Does::Own { of, call } => {
                    match self.operations[of as usize].calls[call as usize].to {
                        Target::Cache(_) => random.lognormal(250_000.0, 0.6),
                        _ => random.lognormal(1_800_000.0, 0.9),
                    }
                }
            };
            let own = match self.dataset {
                Dataset::LowEntropy => 1_000_000 * (1 + at as u64 % 5),
                Dataset::Realistic | Dataset::Adversarial => own as u64 + 1_000,
            };
            nodes[at].duration_ns = own + children_ns[at];
            if let Some(parent) = nodes[at].parent {
                children_ns[parent as usize] += nodes[at].duration_ns;
            }
        }
        // Half of what a span does itself is done before its first call.
        let mut free_ns: Vec<u64> = nodes
            .iter()
            .zip(&children_ns)
            .map(|(node, children)| (node.duration_ns - children) / 2)
            .collect();
        for at in 1..nodes.len() {
            let parent = nodes[at].parent.unwrap_or(0) as usize;
            nodes[at].start_ns = nodes[parent].start_ns + free_ns[parent];
            free_ns[parent] += nodes[at].duration_ns;
        }
    }

    /// Failures begin anywhere, and most callers fail with whom they asked.
    fn fail(&self, nodes: &mut [Node], random: &mut Random) {
        let begins = match self.dataset {
            Dataset::LowEntropy => 0.0005,
            Dataset::Realistic | Dataset::Adversarial => 0.006,
        };
        for at in (0..nodes.len()).rev() {
            if nodes[at].failure.is_none() && random.chance(begins) {
                nodes[at].failure = Some(random.below(super::names::FAILURES.len()) as u8);
            }
            if let (Some(failure), Some(parent)) = (nodes[at].failure, nodes[at].parent) {
                let spreads = match nodes[at].does {
                    Does::Serve(_) => 0.95,
                    Does::Ask { .. } | Does::Own { .. } => 0.55,
                };
                if random.chance(spreads) {
                    nodes[parent as usize].failure = Some(failure);
                }
            }
        }
    }

    /// Which of a service's instances took part in a trace.
    pub(super) fn origin(&self, trace: u64, service: u32) -> u32 {
        let origins = &self.services[service as usize].origins;
        origins.start + (mix(trace ^ u64::from(service) << 40) % origins.len() as u64) as u32
    }
}
