//! Which operations the time of one operation is spent in: "61 % of checkout's p99 is
//! inventory.reserve". Of each call the critical path beneath it, all calls together and the
//! slowest hundredth by itself.

use hashbrown::HashMap;
use tracewell_model::histogram::Histogram;

use crate::critical_path::{self, Node};
use crate::forest::Forest;
use crate::sample::{Names, Op, Sample};

/// The slowest calls that are looked at by themselves.
const TAIL_PART: usize = 100;

/// The part of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// The operation.
    pub op: Op,
    /// Of the time of all calls, 0–1.
    pub all: f64,
    /// Of the time of the slowest hundredth.
    pub tail: f64,
    /// Its own time on the critical path, all calls together.
    pub exclusive_ns: u64,
}

/// Where the time of an operation goes.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Calls in the sample.
    pub calls: usize,
    /// How long they took.
    pub latency: Histogram,
    /// The parts, the largest of the slow calls first.
    pub operations: Vec<Share>,
}

/// The time of each operation beneath a call.
struct Call {
    duration_ns: u64,
    times: Vec<(Op, u64)>,
}

/// Where the time of an operation goes.
pub fn of(sample: &Sample, op: Op, names: &Names) -> Shares {
    let mut calls: Vec<Call> = Vec::new();
    for trace in sample
        .traces()
        .filter(|trace| trace.iter().any(|span| span.op == op))
    {
        let forest = Forest::of(trace, names);
        let own = (0..forest.spans.len()).filter(|&at| forest.spans[at].op == op);
        calls.extend(own.map(|at| call(&forest, at)));
    }
    calls.sort_unstable_by_key(|call| std::cmp::Reverse(call.duration_ns));
    let mut latency = Histogram::default();
    for call in &calls {
        latency.record(call.duration_ns);
    }
    let tail = calls.len().div_ceil(TAIL_PART);
    let (mut all, mut slow) = (HashMap::new(), HashMap::new());
    for (at, call) in calls.iter().enumerate() {
        for &(op, ns) in &call.times {
            *all.entry(op).or_insert(0u64) += ns;
            *slow.entry(op).or_insert(0u64) += if at < tail { ns } else { 0 };
        }
    }
    let part = |of: &HashMap<Op, u64>, op: &Op| {
        let total: u64 = of.values().sum();
        of.get(op).copied().unwrap_or(0) as f64 / total.max(1) as f64
    };
    let shares = all.iter().map(|(op, &exclusive_ns)| Share {
        op: *op,
        all: part(&all, op),
        tail: part(&slow, op),
        exclusive_ns,
    });
    let mut operations: Vec<Share> = shares.collect();
    operations.sort_unstable_by(|a, b| b.tail.total_cmp(&a.tail).then(a.op.cmp(&b.op)));
    Shares {
        calls: calls.len(),
        latency,
        operations,
    }
}

/// The critical path of a span and what is beneath it.
fn call(forest: &Forest<'_>, top: usize) -> Call {
    let mut positions = vec![top];
    let mut nodes = vec![Node {
        parent: None,
        orphan: false,
        detached: false,
        ..forest.nodes[top]
    }];
    let mut next = 0;
    while let Some(&at) = positions.get(next) {
        for child in forest.children[at].clone() {
            positions.push(child as usize);
            nodes.push(Node {
                parent: Some(next as u32),
                ..forest.nodes[child as usize]
            });
        }
        next += 1;
    }
    let path = critical_path::of_nodes(&nodes);
    let times = positions.iter().zip(path);
    let times = times.filter_map(|(&at, ns)| Some((forest.spans[at].op, ns?)));
    Call {
        duration_ns: forest.spans[top].duration_ns,
        times: times.collect(),
    }
}
