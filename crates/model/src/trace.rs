//! Spans → tree: what a trace answer shows. Any set of spans becomes a tree, in linear time but for
//! one sort, without recursion, and no span is left out (P11); the order of arrival does not matter
//! (P10). Counts and status are those of [`TraceSummary::of_distinct`], by construction.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use crate::id::SpanId;
use crate::identity;
use crate::order;
use crate::span::{Marks, SpanKind, SpanRef};
use crate::summary::{TraceStatus, TraceSummary};

/// Warnings beyond this are counted, not written out: 100,000 of them help nobody.
const WARNINGS_MAX: usize = 20;
/// "No such row".
const NONE: u32 = u32::MAX;

/// A trace as a tree, its rows depth first.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    /// Counts, times, services and status. Of no span at all: zeros and `partial`.
    pub summary: TraceSummary,
    /// All spans, repeats left out: parents before children, siblings by (start, span id).
    pub rows: Vec<Row<'a>>,
    /// The row of the earliest span without a parent; the one that `summary.root` names.
    pub root: Option<u32>,
    /// The depth of the deepest row.
    pub depth: u32,
    /// Parents that are named but not stored, by first appearance.
    pub missing_parents: Vec<MissingParent<'a>>,
    /// What is odd about the tree; sentences.
    pub warnings: Vec<String>,
}

/// A span in its place.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// The span.
    pub span: SpanRef<'a>,
    /// The row it hangs under, always an earlier one; none at the top.
    pub parent: Option<u32>,
    /// How far below the top.
    pub depth: u32,
    /// Its parent is named but not stored. (A shared Zipkin server span is drawn under its client
    /// all the same.)
    pub orphan: bool,
    /// Its parents led back to it, so it was put at the top: neither root nor orphan.
    pub cycle_cut: bool,
    /// Another span of the trace has the same id and other content.
    pub repeated_id: bool,
}

/// A parent that is named but not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingParent<'a> {
    /// Its id.
    pub span_id: SpanId,
    /// How many spans name it.
    pub children: u64,
    /// Those spans' services, by name.
    pub child_services: Vec<&'a str>,
}

impl<'a> Trace<'a> {
    /// Makes the tree of these spans of one trace, in any order, repeats welcome.
    pub fn assemble(spans: impl IntoIterator<Item = SpanRef<'a>>) -> Trace<'a> {
        let (mut spans, _duplicates) = identity::distinct(spans);
        // All that follows goes by position in this order, which arrival has no part in.
        spans.sort_unstable_by(|a, b| order::by_start(*a, *b));
        let summary = TraceSummary::of_distinct(&spans).unwrap_or_else(nothing);
        let names = Namesakes::of(&spans);
        let mut parents: Vec<u32> = (0..spans.len() as u32)
            .map(|at| names.parent_of(&spans, at))
            .collect();
        let at_top = |at: u32| {
            let parent = spans[at as usize].parent();
            parent.is_none_or(|id| !names.is_stored(id))
        };
        let cuts = cut_cycles(&mut parents, at_top);
        let warnings = warnings(&spans, &cuts);
        let rows = depth_first(&spans, &parents, &cuts, &names);
        Trace {
            root: earliest_root(&rows),
            depth: rows.iter().map(|row| row.depth).max().unwrap_or(0),
            missing_parents: missing_parents(&rows),
            summary,
            rows,
            warnings,
        }
    }
}

/// The summary of no span: there is no root, so it is partial.
fn nothing() -> TraceSummary {
    TraceSummary {
        trace_id: Default::default(),
        root: None,
        start_unix_ns: 0,
        duration_ns: 0,
        span_count: 0,
        error_count: 0,
        orphan_count: 0,
        services: Vec::new(),
        status: TraceStatus::Partial,
    }
}

/// The spans of one id; nearly always one. Positions are in sorted order, so "first" is "earliest".
#[derive(Clone, Copy)]
struct Group {
    first: u32,
    client: u32,
    /// The first server span or one marked as shared.
    server: u32,
    count: u32,
}

/// Who answers to which id. The second map is filled for repeated ids only.
struct Namesakes<'a> {
    groups: HashMap<SpanId, Group>,
    /// First span and number of spans of an id in a service.
    by_service: HashMap<(SpanId, &'a str), (u32, u32)>,
}

impl<'a> Namesakes<'a> {
    fn of(spans: &[SpanRef<'a>]) -> Self {
        let mut groups: HashMap<SpanId, Group> = HashMap::with_capacity(spans.len());
        for (at, span) in (0..).zip(spans) {
            let group = groups.entry(span.span_id()).or_insert(Group {
                first: at,
                client: NONE,
                server: NONE,
                count: 0,
            });
            group.count += 1;
            let shared = span.marks().has(Marks::SHARED_ID);
            if group.client == NONE && span.kind() == SpanKind::Client && !shared {
                group.client = at;
            }
            if group.server == NONE && (span.kind() == SpanKind::Server || shared) {
                group.server = at;
            }
        }
        let mut by_service: HashMap<_, (u32, u32)> = HashMap::new();
        for (at, span) in (0..).zip(spans) {
            if groups
                .get(&span.span_id())
                .is_some_and(|group| group.count > 1)
            {
                let of_service = by_service.entry((span.span_id(), span.service()));
                of_service.or_insert((at, 0)).1 += 1;
            }
        }
        Namesakes { groups, by_service }
    }

    fn is_repeated(&self, id: SpanId) -> bool {
        self.groups.get(&id).is_some_and(|group| group.count > 1)
    }

    fn is_stored(&self, id: SpanId) -> bool {
        self.groups.contains_key(&id)
    }

    /// The position of the span that this one hangs under; itself when it is its own parent.
    fn parent_of(&self, spans: &[SpanRef<'a>], at: u32) -> u32 {
        let span = spans[at as usize];
        if let Some(client) = self.client_of_shared(span, at) {
            return client;
        }
        let Some(parent) = span.parent() else {
            return NONE;
        };
        if parent == span.span_id() {
            return at;
        }
        let Some(group) = self.groups.get(&parent) else {
            return NONE;
        };
        if group.count == 1 {
            return group.first;
        }
        match self.by_service.get(&(parent, span.service())) {
            Some(&(only, 1)) => only,
            _ if group.server != NONE => group.server,
            _ => group.first,
        }
    }

    /// Zipkin gives both sides of a call one id: the server's span belongs under its client's.
    fn client_of_shared(&self, span: SpanRef<'a>, at: u32) -> Option<u32> {
        let server = span.kind() == SpanKind::Server || span.marks().has(Marks::SHARED_ID);
        let group = self.groups.get(&span.span_id()).filter(|_| server)?;
        (group.client != NONE && group.client != at).then_some(group.client)
    }
}

/// A cycle that was opened.
struct Cut {
    /// Its earliest member, now at the top.
    at: u32,
    members: u32,
}

/// Opens every cycle at its earliest member. Each span has at most one parent, so a walk upwards
/// either ends or comes round; every span is walked over once. Where a circle is only closed by
/// drawing a shared span under its client (`at_top`: that span names no stored parent), that is undone.
fn cut_cycles(parents: &mut [u32], at_top: impl Fn(u32) -> bool) -> Vec<Cut> {
    let mut cuts = Vec::new();
    // 0: not walked over yet; else the number of the walk that did.
    let mut walked = vec![0u32; parents.len()];
    for start in 0..parents.len() {
        let walk = start as u32 + 1;
        let mut at = start as u32;
        while at != NONE && walked[at as usize] == 0 {
            walked[at as usize] = walk;
            at = parents[at as usize];
        }
        if at == NONE || walked[at as usize] != walk {
            continue;
        }
        let mut cut = Cut { at, members: 1 };
        let mut member = parents[at as usize];
        while member != at {
            cut.at = std::cmp::min_by_key(cut.at, member, |&at| (!at_top(at), at));
            cut.members += 1;
            member = parents[member as usize];
        }
        parents[cut.at as usize] = NONE;
        if !at_top(cut.at) {
            cuts.push(cut);
        }
    }
    cuts.sort_unstable_by_key(|cut| cut.at);
    cuts
}

fn warnings(spans: &[SpanRef<'_>], cuts: &[Cut]) -> Vec<String> {
    let mut warnings: Vec<String> = cuts
        .iter()
        .take(WARNINGS_MAX)
        .map(|cut| {
            let id = spans[cut.at as usize].span_id();
            match cut.members {
                1 => format!("span {id} is its own parent"),
                n => format!(
                    "{n} spans are each other's parents in a circle; it is opened at span {id}"
                ),
            }
        })
        .collect();
    if let Some(more) = cuts
        .len()
        .checked_sub(WARNINGS_MAX)
        .filter(|&more| more > 0)
    {
        warnings.push(format!("{more} more circles of parents were opened"));
    }
    warnings
}

/// Lays the rows out with a stack of its own; children come in sorted order because they are
/// collected in it.
fn depth_first<'a>(
    spans: &[SpanRef<'a>],
    parents: &[u32],
    cuts: &[Cut],
    names: &Namesakes<'a>,
) -> Vec<Row<'a>> {
    let (ends, children) = children_of(parents);
    let cut: HashSet<u32> = cuts.iter().map(|cut| cut.at).collect();
    let mut row_of = vec![NONE; spans.len()];
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(spans.len());
    let mut stack: Vec<u32> = (0..spans.len() as u32)
        .rev()
        .filter(|&at| parents[at as usize] == NONE)
        .collect();
    while let Some(at) = stack.pop() {
        let span = spans[at as usize];
        let parent = parents[at as usize];
        let parent = (parent != NONE).then(|| row_of[parent as usize]);
        row_of[at as usize] = rows.len() as u32;
        rows.push(Row {
            span,
            parent,
            depth: parent.map_or(0, |parent| rows[parent as usize].depth + 1),
            orphan: span.parent().is_some_and(|id| !names.is_stored(id)),
            cycle_cut: cut.contains(&at),
            repeated_id: names.is_repeated(span.span_id()),
        });
        let from = if at == 0 { 0 } else { ends[at as usize - 1] };
        stack.extend(
            children[from as usize..ends[at as usize] as usize]
                .iter()
                .rev(),
        );
    }
    assert_eq!(rows.len(), spans.len(), "every span is in the tree");
    rows
}

/// The children of all spans end to end, and where each span's end: a counting sort.
fn children_of(parents: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut ends = vec![0u32; parents.len()];
    for &parent in parents.iter().filter(|&&parent| parent != NONE) {
        ends[parent as usize] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        total += *end;
        *end = total;
    }
    let mut children = vec![0u32; total as usize];
    let mut next = ends.clone();
    for at in (0..parents.len() as u32).rev() {
        let parent = parents[at as usize];
        if parent != NONE {
            next[parent as usize] -= 1;
            children[next[parent as usize] as usize] = at;
        }
    }
    (ends, children)
}

fn earliest_root(rows: &[Row<'_>]) -> Option<u32> {
    let roots = (0..)
        .zip(rows)
        .filter(|(_, row)| row.span.parent().is_none());
    roots
        .min_by(|(_, a), (_, b)| order::by_start(a.span, b.span))
        .map(|(at, _)| at)
}

fn missing_parents<'a>(rows: &[Row<'a>]) -> Vec<MissingParent<'a>> {
    let mut order = Vec::new();
    let mut by_id: HashMap<SpanId, (u64, BTreeSet<&'a str>)> = HashMap::new();
    for row in rows.iter().filter(|row| row.orphan) {
        let Some(id) = row.span.parent() else {
            continue;
        };
        let missing = by_id.entry(id).or_insert_with(|| {
            order.push(id);
            Default::default()
        });
        missing.0 += 1;
        missing.1.insert(row.span.service());
    }
    let group = |span_id: SpanId| {
        let (children, services) = by_id.remove(&span_id)?;
        let child_services = services.into_iter().collect();
        Some(MissingParent {
            span_id,
            children,
            child_services,
        })
    };
    order.into_iter().filter_map(group).collect()
}
