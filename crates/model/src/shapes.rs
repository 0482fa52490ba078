//! Shapes while a batch grows. Spans of one kind have the same keys in the same order, so a tree of the
//! keys seen predicts the next one: while it is right, a key costs one comparison and a shape nothing.

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

use crate::attribute::ValueType;
use crate::batch::Shape;
use crate::distinct::{Distinct, same};
use crate::intern::Interner;

/// The shapes of a batch.
#[derive(Debug)]
pub(crate) struct Shapes {
    /// By content: the tree only saves looking here.
    known: Interner,
    nodes: Vec<Node>,
    /// From a node, a key and a type to the next node.
    steps: Interner,
    list: Shape,
}

/// How far into the tree a list of attributes has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Path {
    at: u32,
    /// What the tree does not have.
    tail: Shape,
}

impl Path {
    /// Back to the start.
    #[inline]
    pub(crate) fn restart(&mut self) {
        self.at = ROOT;
        self.tail.clear();
    }
}

/// A finished list's shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) shape: u32,
    /// Whether a key stands in it twice.
    pub(crate) duplicate_keys: bool,
}

/// A list of attributes, named by its last one.
#[derive(Clone, Copy, Debug)]
struct Node {
    parent: u32,
    key: u32,
    value_type: ValueType,
    /// Where the key's text lies: one look less.
    key_from: u32,
    key_to: u32,
    /// The nodes that came after it last.
    next: [u32; 2],
    ended: Option<Ended>,
}

impl Node {
    #[inline]
    fn key_text(&self) -> Range<usize> {
        self.key_from as usize..self.key_to as usize
    }
}

const ROOT: u32 = 0;
/// Nodes of one batch: room for hundreds of shapes. What a sender of random keys has beyond it only
/// takes longer.
const NODES_MAX: usize = 8 * 1024;

impl Shapes {
    pub(crate) fn new() -> Shapes {
        let mut shapes = Shapes {
            known: Interner::default(),
            nodes: Vec::new(),
            steps: Interner::default(),
            list: Shape::new(),
        };
        shapes.clear();
        shapes
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.steps.clear();
        self.nodes.clear();
        self.nodes.push(Node {
            parent: u32::MAX,
            key: u32::MAX,
            value_type: ValueType::Any,
            key_from: 0,
            key_to: 0,
            next: [ROOT; 2],
            ended: None,
        });
    }

    /// Takes the step that was taken from here before, if it is this one.
    #[inline(always)]
    pub(crate) fn predicted(
        &self,
        path: &mut Path,
        texts: &Distinct,
        key: &[u8],
        value_type: ValueType,
    ) -> bool {
        if !path.tail.is_empty() {
            return false;
        }
        for next in self.nodes[path.at as usize].next {
            let node = &self.nodes[next as usize];
            if node.parent == path.at
                && node.value_type == value_type
                && same(&texts.bytes()[node.key_text()], key)
            {
                path.at = next;
                return true;
            }
        }
        false
    }

    /// Takes any step.
    pub(crate) fn step(
        &mut self,
        path: &mut Path,
        hasher: &RandomState,
        key: u32,
        value_type: ValueType,
    ) {
        if path.tail.is_empty()
            && let Ok(next) = self.find(hasher, path.at, key, value_type)
        {
            self.expect(path.at, next);
            path.at = next;
        } else {
            path.tail.push((key, value_type));
        }
    }

    /// The shape of all steps taken; the path is at its start again.
    #[inline]
    pub(crate) fn end(
        &mut self,
        path: &mut Path,
        texts: &Distinct,
        shapes: &mut Vec<Shape>,
        hasher: &RandomState,
    ) -> Ended {
        if path.tail.is_empty()
            && let Some(ended) = self.nodes[path.at as usize].ended
        {
            path.at = ROOT;
            return ended;
        }
        self.end_of_new(path, texts, shapes, hasher)
    }

    #[cold]
    fn end_of_new(
        &mut self,
        path: &mut Path,
        texts: &Distinct,
        shapes: &mut Vec<Shape>,
        hasher: &RandomState,
    ) -> Ended {
        let planted = self.plant(path, texts, hasher);
        let whole = planted == path.tail.len();
        self.list.clear();
        let mut at = path.at;
        while at != ROOT {
            let node = &self.nodes[at as usize];
            self.list.push((node.key, node.value_type));
            at = node.parent;
        }
        self.list.reverse();
        self.list.extend_from_slice(&path.tail[planted..]);
        let (list, hash) = (&self.list, hasher.hash_one(&self.list));
        let shape = self
            .known
            .element(shapes, hash, |known| known == list, || list.clone());
        let ended = Ended {
            shape,
            duplicate_keys: has_duplicate_keys(&mut self.list),
        };
        if whole {
            self.nodes[path.at as usize].ended = Some(ended);
        }
        path.restart();
        ended
    }

    /// Adds the tail to the tree as far as there is room; answers how much of it.
    fn plant(&mut self, path: &mut Path, texts: &Distinct, hasher: &RandomState) -> usize {
        for (planted, &(key, value_type)) in path.tail.iter().enumerate() {
            if self.nodes.len() >= NODES_MAX {
                return planted;
            }
            let parent = path.at;
            // A path that comes back to a known step does so only when it was not yet known.
            path.at = match self.find(hasher, parent, key, value_type) {
                Ok(known) => known,
                Err(free) => {
                    let next = self.nodes.len() as u32;
                    let (from, to) = texts.place(key);
                    self.steps.insert(free, next);
                    self.nodes.push(Node {
                        parent,
                        key,
                        value_type,
                        key_from: from as u32,
                        key_to: to as u32,
                        next: [ROOT; 2],
                        ended: None,
                    });
                    next
                }
            };
            self.expect(parent, path.at);
        }
        path.tail.len()
    }

    fn find(
        &self,
        hasher: &RandomState,
        parent: u32,
        key: u32,
        value_type: ValueType,
    ) -> Result<u32, crate::intern::Free> {
        let nodes = &self.nodes;
        let same = |at: u32| {
            let node = &nodes[at as usize];
            (node.parent, node.key, node.value_type) == (parent, key, value_type)
        };
        let hash = hasher.hash_one((parent, key, value_type));
        self.steps.find(hash, same)
    }

    fn expect(&mut self, parent: u32, next: u32) {
        let expected = &mut self.nodes[parent as usize].next;
        *expected = [next, expected[0]];
    }
}

fn has_duplicate_keys(list: &mut Shape) -> bool {
    list.sort_unstable_by_key(|&(key, _)| key);
    list.windows(2).any(|two| two[0].0 == two[1].0)
}
