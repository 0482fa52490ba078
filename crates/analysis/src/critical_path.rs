//! The critical path: the spans that a trace's time was spent in, and how much of it in each alone.
//!
//! From a span's end one walks back: the child that finished last was waited for; before it began,
//! the child that finished last by then; and so on. What no such child covers is the span's own
//! time. Children count within their parent's time: what outlives it was not waited for. Linear but
//! for sorting siblings, without recursion; a parent comes before its children.
//!
//! Two allowances, both for clocks. Siblings that overlap by less than a hundredth of their parent,
//! with nothing else beginning or ending there, followed one another. A server span that reaches
//! out of the span that called it, and fits into it, is moved there with all beneath it.

use tracewell_model::{Marks, SpanKind, Trace};

/// Siblings overlapping by less than this part of their parent count as one after the other.
const OVERLAP_PART: u64 = 100;

/// A span as far as its time goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Node {
    /// When it started.
    pub start_unix_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// The position of its parent, always an earlier one; none at the top.
    pub parent: Option<u32>,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// Its parent did not wait for it, as it says itself.
    pub detached: bool,
    /// It stands at the top only because its parent is not there.
    pub orphan: bool,
}

/// By node: its own time on the critical path; none for nodes beside the path.
pub type Path = Vec<Option<u64>>;

/// The critical path of an assembled trace, by row.
pub fn of_trace(trace: &Trace<'_>) -> Path {
    let node = |row: &tracewell_model::trace::Row<'_>| Node {
        start_unix_ns: row.span.start_unix_ns(),
        duration_ns: row.span.duration_ns(),
        parent: row.parent,
        kind: row.span.kind(),
        detached: is_detached(row.span.kind(), row.span.marks()),
        orphan: row.orphan || row.cycle_cut,
    };
    let nodes: Vec<Node> = trace.rows.iter().map(node).collect();
    of_nodes(&nodes)
}

/// True when a span says that its parent does not wait for it: who takes a message, and what
/// merely follows from it.
pub fn is_detached(kind: SpanKind, marks: Marks) -> bool {
    kind == SpanKind::Consumer || marks.has(Marks::FOLLOWS_FROM)
}

/// The critical path of a forest. Orphans hang, as far as time goes, under the earliest root: the
/// parent that is not there was beneath it. Several roots follow one another.
pub fn of_nodes(nodes: &[Node]) -> Path {
    let mut walk = Walk {
        nodes,
        below: Below::of(nodes),
        window: vec![None; nodes.len()],
        path: vec![None; nodes.len()],
    };
    walk.enter_tops();
    for at in 0..nodes.len() as u32 {
        if let Some(window) = walk.window[at as usize] {
            walk.visit(at, window);
        }
    }
    walk.path
}

/// When a node on the path counts, and by how much it and all beneath it are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: i128,
    to: i128,
    moved: i128,
}

impl Window {
    fn length(&self) -> u64 {
        (self.to - self.from).max(0) as u64
    }
}

/// The children of all nodes end to end, and where each node's begin.
struct Below {
    children: Vec<u32>,
    begin: Vec<u32>,
    /// Nodes at the top: true roots, and orphans when there is no root to hang them under.
    tops: Vec<u32>,
}

impl Below {
    fn of(nodes: &[Node]) -> Below {
        let is_root = |node: &Node| node.parent.is_none() && !node.orphan;
        let roots = (0..).zip(nodes).filter(|(_, node)| is_root(node));
        let root = roots.min_by_key(|(_, node)| node.start_unix_ns);
        let root = root.map(|(at, _)| at);
        let parent_of = |node: &Node| match node.parent {
            None if node.orphan => root,
            parent => parent,
        };
        let mut begin = vec![0u32; nodes.len() + 1];
        for node in nodes {
            if let Some(parent) = parent_of(node) {
                begin[parent as usize + 1] += 1;
            }
        }
        for at in 1..begin.len() {
            begin[at] += begin[at - 1];
        }
        let mut children = vec![0u32; begin.last().map_or(0, |&end| end as usize)];
        let mut next = begin.clone();
        let mut tops = Vec::new();
        for (at, node) in (0..).zip(nodes) {
            match parent_of(node) {
                None => tops.push(at),
                Some(parent) => {
                    children[next[parent as usize] as usize] = at;
                    next[parent as usize] += 1;
                }
            }
        }
        Below {
            children,
            begin,
            tops,
        }
    }

    fn of_node(&self, at: u32) -> &[u32] {
        let (from, to) = (self.begin[at as usize], self.begin[at as usize + 1]);
        &self.children[from as usize..to as usize]
    }
}

struct Walk<'a> {
    nodes: &'a [Node],
    below: Below,
    /// Set when a node turns out to be on the path, before it is visited.
    window: Vec<Option<Window>>,
    path: Path,
}

impl Walk<'_> {
    /// The tops as children of the whole time.
    fn enter_tops(&mut self) {
        let tops = std::mem::take(&mut self.below.tops);
        let own = |&at: &u32| self.own(at, 0);
        let whole = Window {
            from: tops.iter().map(own).map(|own| own.from).min().unwrap_or(0),
            to: tops.iter().map(own).map(|own| own.to).max().unwrap_or(0),
            moved: 0,
        };
        let inside = tops.iter().map(|&at| (at, self.own(at, 0))).collect();
        for (at, window) in waited_for(inside, whole) {
            self.window[at as usize] = Some(window);
        }
    }

    /// A node's own time, moved.
    fn own(&self, at: u32, moved: i128) -> Window {
        let node = &self.nodes[at as usize];
        let from = i128::from(node.start_unix_ns) + moved;
        Window {
            from,
            to: from + i128::from(node.duration_ns),
            moved,
        }
    }

    fn visit(&mut self, at: u32, window: Window) {
        let children = self.below.of_node(at);
        let inside: Vec<(u32, Window)> = children
            .iter()
            .filter(|&&child| !self.nodes[child as usize].detached)
            .filter_map(|&child| Some((child, self.inside(at, child, window, children.len())?)))
            .collect();
        let mut exclusive = window.length();
        for (child, window) in waited_for(inside, window) {
            exclusive = exclusive.saturating_sub(window.length());
            self.window[child as usize] = Some(window);
        }
        self.path[at as usize] = Some(exclusive);
    }

    /// The part of a child within its parent; none when it lies outside.
    fn inside(&self, parent: u32, child: u32, within: Window, siblings: usize) -> Option<Window> {
        let mut own = self.own(child, within.moved);
        let kinds = [parent, child].map(|at| self.nodes[at as usize].kind);
        let is_call = kinds[1] == SpanKind::Server && kinds[0] != SpanKind::Server && siblings == 1;
        if is_call && own.length() <= within.length() {
            let step = (within.from - own.from).max(0) - (own.to - within.to).max(0);
            own = self.own(child, within.moved + step);
        }
        let (from, to) = (own.from.max(within.from), own.to.min(within.to));
        let touches = from < to || (from == to && own.length() == 0);
        touches.then_some(Window { from, to, ..own })
    }
}

/// Which children were waited for, latest first.
fn waited_for(mut inside: Vec<(u32, Window)>, within: Window) -> Vec<(u32, Window)> {
    // Of those that end together the longest: it says most.
    inside.sort_by_key(|(_, window)| (std::cmp::Reverse(window.to), window.from));
    let mut events: Option<Vec<i128>> = None;
    let mut waited: Vec<(u32, Window)> = Vec::new();
    for &(at, window) in &inside {
        let follows = match waited.last() {
            None => true,
            Some((_, later)) if window.to <= later.from => true,
            Some((_, later)) => {
                let overlap = (window.to - later.from) as u64;
                let is_slight = window.to < later.to
                    && window.from < later.from
                    && overlap.saturating_mul(OVERLAP_PART) < within.length();
                // The two of them end and begin there, and nobody else.
                is_slight && {
                    let events = events.get_or_insert_with(|| sorted_events(&inside));
                    let before = events.partition_point(|&event| event < later.from);
                    let until = events.partition_point(|&event| event <= window.to);
                    until - before == 2
                }
            }
        };
        if follows {
            waited.push((at, window));
        }
    }
    waited
}

fn sorted_events(inside: &[(u32, Window)]) -> Vec<i128> {
    let ends = |(_, window): &(u32, Window)| [window.from, window.to];
    let mut events: Vec<i128> = inside.iter().flat_map(ends).collect();
    events.sort_unstable();
    events
}
