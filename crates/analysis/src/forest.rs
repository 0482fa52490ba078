//! One trace of a sample as a tree: parents before children, the children of a span side by side.

use std::ops::Range;

use tracewell_model::SpanKind;

use crate::critical_path::Node;
use crate::sample::{NONE, Names, Span};

/// The spans of a trace, breadth first.
#[derive(Debug, Default)]
pub struct Forest<'a> {
    /// The spans.
    pub spans: Vec<&'a Span>,
    /// Their times and parents, for the critical path.
    pub nodes: Vec<Node>,
    /// Where a span's children stand, by start.
    pub children: Vec<Range<u32>>,
}

impl<'a> Forest<'a> {
    /// The tree of a trace's spans, which come by start. Any set of spans becomes one: what is
    /// nobody's child stands at the top, and a circle of parents is opened at its earliest span.
    pub fn of(trace: &'a [Span], names: &Names) -> Forest<'a> {
        let parents = Parents::of(trace, names);
        let (begin, below) = parents.children();
        let mut forest = Forest::default();
        let mut placed = vec![false; trace.len()];
        let mut queue: Vec<(u32, Option<u32>)> = Vec::with_capacity(trace.len());
        // Tops first, and then, one at a time, what only a circle holds.
        let tops = (0..trace.len() as u32).filter(|&at| parents.of[at as usize] == NONE);
        for top in tops.chain(0..trace.len() as u32) {
            if std::mem::replace(&mut placed[top as usize], true) {
                continue;
            }
            queue.push((top, None));
            while let Some(&(at, parent)) = queue.get(forest.spans.len()) {
                let span = &trace[at as usize];
                forest.spans.push(span);
                forest.nodes.push(Node {
                    start_unix_ns: span.start_unix_ns,
                    duration_ns: span.duration_ns,
                    parent,
                    kind: span.kind(),
                    detached: span.detached,
                    orphan: parent.is_none() && !span.parent.is_zero(),
                });
                let first = queue.len() as u32;
                let own = forest.spans.len() as u32 - 1;
                let children = begin[at as usize] as usize..begin[at as usize + 1] as usize;
                for &child in &below[children] {
                    if !std::mem::replace(&mut placed[child as usize], true) {
                        queue.push((child, Some(own)));
                    }
                }
                forest.children.push(first..queue.len() as u32);
            }
        }
        forest
    }

    /// The positions of a span's children that it waited for.
    pub fn waited_for(&self, at: usize) -> impl Iterator<Item = usize> + Clone + '_ {
        let children = self.children[at].clone().map(|child| child as usize);
        children.filter(|&child| !self.spans[child].detached)
    }

    /// The parent's position.
    pub fn parent(&self, at: usize) -> Option<usize> {
        self.nodes[at].parent.map(|parent| parent as usize)
    }

    /// From the first start to the last end.
    pub fn duration_ns(&self) -> u64 {
        let start = self.nodes.iter().map(|node| node.start_unix_ns).min();
        let end = self.spans.iter().map(|span| span.end_unix_ns()).max();
        end.unwrap_or(0).saturating_sub(start.unwrap_or(0))
    }
}

/// By span: the position of its parent.
struct Parents {
    of: Vec<u32>,
}

impl Parents {
    fn of(trace: &[Span], names: &Names) -> Parents {
        let mut by_id: Vec<u32> = (0..trace.len() as u32).collect();
        by_id.sort_by_key(|&at| trace[at as usize].id);
        let parent_of = |at: u32| {
            let span = &trace[at as usize];
            let named = |id| {
                let from = by_id.partition_point(|&at| trace[at as usize].id < id);
                let namesakes = by_id[from..].iter().copied();
                namesakes.take_while(move |&at| trace[at as usize].id == id)
            };
            // Zipkin gives both sides of a call one id: the server belongs under the client.
            if span.kind() == SpanKind::Server {
                let is_client =
                    |&other: &u32| other != at && trace[other as usize].kind() == SpanKind::Client;
                if let Some(client) = named(span.id).find(is_client) {
                    return client;
                }
            }
            if span.parent.is_zero() {
                return NONE;
            }
            let service = names.service_of(span.op);
            let fit = |&other: &u32| {
                let other = &trace[other as usize];
                let same_service = names.service_of(other.op) == service;
                (same_service, other.kind() == SpanKind::Server)
            };
            let others = named(span.parent).filter(|&other| other != at);
            others.max_by_key(fit).unwrap_or(NONE)
        };
        Parents {
            of: (0..trace.len() as u32).map(parent_of).collect(),
        }
    }

    /// The children of all spans end to end, and where each span's begin.
    fn children(&self) -> (Vec<u32>, Vec<u32>) {
        let mut begin = vec![0u32; self.of.len() + 1];
        let children = (0..).zip(&self.of).filter(|(_, parent)| **parent != NONE);
        for (_, &parent) in children.clone() {
            begin[parent as usize + 1] += 1;
        }
        for at in 1..begin.len() {
            begin[at] += begin[at - 1];
        }
        let mut next = begin.clone();
        let mut below = vec![0u32; begin.last().map_or(0, |&end| end as usize)];
        for (at, &parent) in children {
            below[next[parent as usize] as usize] = at;
            next[parent as usize] += 1;
        }
        (begin, below)
    }
}
