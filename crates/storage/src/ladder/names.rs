//! Names of a ladder's series, each text kept once, and the caps on how many there may be.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::LadderLimits;
use super::packed::numbers_of;
use crate::stats::{OTHER, SeriesKey};

/// A series; texts are positions in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Operation {
        service: u32,
        operation: u32,
        entry: bool,
    },
    Edge {
        parent: u32,
        child: u32,
    },
}

/// Interned texts, and which series exist.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// By position; none where a name was forgotten: figures on a shelf keep their numbers.
    texts: Vec<Option<Arc<str>>>,
    free: Vec<u32>,
    positions: HashMap<Arc<str>, u32>,
    /// Service to its operations.
    operations: HashMap<u32, HashSet<u32>>,
    operation_count: usize,
    edges: HashSet<(u32, u32)>,
}

impl Names {
    /// The key of a series, new or known; true when a cap sent it to `__other__`.
    pub(super) fn key(&mut self, series: &SeriesKey, limits: &LadderLimits) -> (Key, bool) {
        match series {
            SeriesKey::Operation {
                service,
                operation,
                entry,
            } => {
                let (service, operation, folded) = self.operation(service, operation, limits);
                (
                    Key::Operation {
                        service,
                        operation,
                        entry: *entry,
                    },
                    folded,
                )
            }
            SeriesKey::Edge { parent, child } => {
                let (parent, child, folded) = self.edge(parent, child, limits);
                (Key::Edge { parent, child }, folded)
            }
        }
    }

    /// The texts of a key.
    pub(super) fn series(&self, key: &Key) -> SeriesKey {
        let text = |at: u32| self.text(at).to_owned();
        match *key {
            Key::Operation {
                service,
                operation,
                entry,
            } => SeriesKey::Operation {
                service: text(service),
                operation: text(operation),
                entry,
            },
            Key::Edge { parent, child } => SeriesKey::Edge {
                parent: text(parent),
                child: text(child),
            },
        }
    }

    /// The text at this position.
    pub(super) fn text(&self, at: u32) -> &str {
        let text = self.texts.get(at as usize);
        text.and_then(Option::as_deref).unwrap_or("")
    }

    /// The position of this text, if it is known.
    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.positions.get(text).copied()
    }

    /// All texts, in order of position; none at one that is free.
    pub(super) fn texts(&self) -> &[Option<Arc<str>>] {
        &self.texts
    }

    /// Names of these positions, one after the other. None, if a text stands twice.
    pub(super) fn with_texts(texts: Vec<Option<Arc<str>>>) -> Option<Names> {
        let mut names = Names::default();
        for (at, text) in (0..).zip(&texts) {
            let Some(text) = text else {
                names.free.push(at);
                continue;
            };
            if names.positions.insert(text.clone(), at).is_some() {
                return None;
            }
        }
        names.texts = texts;
        Some(names)
    }

    /// Every series that takes a place under the caps.
    pub(super) fn series_noted(&self) -> impl Iterator<Item = Key> {
        let operations = self.operations.iter().flat_map(|(&service, operations)| {
            let key = move |&operation| Key::Operation {
                service,
                operation,
                entry: false,
            };
            operations.iter().map(key)
        });
        let edge = |&(parent, child)| Key::Edge { parent, child };
        operations.chain(self.edges.iter().map(edge))
    }

    /// True when some cap is three quarters reached.
    pub(super) fn are_many(&self, limits: &LadderLimits) -> bool {
        let nears = |count: usize, max: usize| count >= max / 4 * 3;
        let mut of_services = self.operations.values();
        nears(self.operations.len(), limits.services_max)
            || nears(self.operation_count, limits.series_max)
            || nears(self.edges.len(), limits.series_max)
            || of_services.any(|of| nears(of.len(), limits.operations_per_service_max))
    }

    /// Forgets all but these series, so that those long gone make room for new ones.
    pub(super) fn keep(&mut self, series: &HashSet<Key>) {
        self.operations.clear();
        self.operation_count = 0;
        self.edges.clear();
        let mut used = vec![false; self.texts.len()];
        for &key in series {
            self.note(key);
            let (_, a, b) = numbers_of(&key);
            for at in [a, b] {
                if let Some(used) = used.get_mut(at as usize) {
                    *used = true;
                }
            }
        }
        for (at, text) in (0..).zip(&mut self.texts) {
            if let Some(forgotten) = text.take_if(|_| !used[at as usize]) {
                self.positions.remove(&forgotten);
                self.free.push(at);
            }
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let texts = self.texts.iter().flatten().map(|text| text.len() + 56);
        let texts: usize = texts.sum();
        texts + self.operation_count * 8 + self.operations.len() * 64 + self.edges.len() * 10
    }

    fn operation(
        &mut self,
        service: &str,
        operation: &str,
        limits: &LadderLimits,
    ) -> (u32, u32, bool) {
        if service == OTHER {
            return (self.intern(OTHER), self.intern(OTHER), false);
        }
        let known = self
            .find(service)
            .filter(|at| self.operations.contains_key(at));
        if known.is_none() && self.operations.len() >= limits.services_max {
            return (self.intern(OTHER), self.intern(OTHER), true);
        }
        let service = self.intern(service);
        let known = self.find(operation);
        let of_service = self.operations.entry(service).or_default();
        if let Some(operation) = known.filter(|at| of_service.contains(at)) {
            return (service, operation, false);
        }
        let full = of_service.len() >= limits.operations_per_service_max
            || self.operation_count >= limits.series_max;
        // `__other__` itself takes no place: it must fit when everything is full.
        if operation == OTHER || full {
            return (service, self.intern(OTHER), operation != OTHER);
        }
        let operation = self.intern(operation);
        self.operations
            .entry(service)
            .or_default()
            .insert(operation);
        self.operation_count += 1;
        (service, operation, false)
    }

    fn edge(&mut self, parent: &str, child: &str, limits: &LadderLimits) -> (u32, u32, bool) {
        let known = self.find(parent).zip(self.find(child));
        if let Some((parent, child)) = known.filter(|edge| self.edges.contains(edge)) {
            return (parent, child, false);
        }
        let (parent, parent_folded) = self.end(parent, limits);
        let (child, child_folded) = self.end(child, limits);
        if !self.edges.contains(&(parent, child)) && self.edges.len() >= limits.series_max {
            return (self.intern(OTHER), self.intern(OTHER), true);
        }
        self.edges.insert((parent, child));
        (parent, child, parent_folded || child_folded)
    }

    /// One end of an edge: a service under the same cap as in `operation`.
    fn end(&mut self, service: &str, limits: &LadderLimits) -> (u32, bool) {
        let known = self
            .find(service)
            .filter(|at| self.operations.contains_key(at));
        if known.is_none() && service != OTHER && self.operations.len() >= limits.services_max {
            return (self.intern(OTHER), true);
        }
        let at = self.intern(service);
        if service != OTHER {
            self.operations.entry(at).or_default();
        }
        (at, false)
    }

    /// Notes a series that is there already, whatever the caps.
    pub(super) fn note(&mut self, key: Key) {
        let is_other = |at: u32| self.text(at) == OTHER;
        match key {
            Key::Operation {
                service, operation, ..
            } if !is_other(service) => {
                let other = is_other(operation);
                let of_service = self.operations.entry(service).or_default();
                if !other && of_service.insert(operation) {
                    self.operation_count += 1;
                }
            }
            Key::Edge { parent, child } => {
                self.edges.insert((parent, child));
            }
            Key::Operation { .. } => {}
        }
    }

    /// The position of this text, new or known.
    pub(super) fn intern(&mut self, text: &str) -> u32 {
        if let Some(at) = self.find(text) {
            return at;
        }
        let text: Arc<str> = Arc::from(text);
        let at = self.free.pop().unwrap_or_else(|| {
            self.texts.push(None);
            self.texts.len() as u32 - 1
        });
        self.texts[at as usize] = Some(text.clone());
        self.positions.insert(text, at);
        at
    }
}
