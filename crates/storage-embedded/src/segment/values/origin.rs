//! Distinct resources and scopes of a run. Both are a few names, attributes and unmodelled bytes.

use hashbrown::HashMap;
use tracewell_model::attribute::ValueType;
use tracewell_model::batch::{AttributeSet, Columns};

use super::{RunValues, Tables, UNKNOWN, bytes_at, fixed, number_of};

/// A resource or a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Words of `fixed::NAME`: service and schema URL, or name, version and schema URL.
    pub(crate) names: Names,
    /// Word of `fixed::OPAQUE`.
    pub(crate) rest: u32,
    pub(crate) shape: u32,
    /// A word for texts and bytes, else the number itself.
    pub(crate) values: Box<[u64]>,
}

pub(crate) type Names = [u32; 3];

/// Distinct origins, by position.
#[derive(Debug, Default)]
pub(super) struct Origins {
    entries: Vec<Origin>,
    position_of: HashMap<Origin, u32>,
    /// By [`Said::hash`]: where one was last found that was said so.
    position_of_said: HashMap<u64, u32>,
}

impl Origins {
    pub(super) fn get(&self, at: u32) -> &Origin {
        &self.entries[at as usize]
    }

    fn intern(&mut self, origin: Origin) -> u32 {
        let next = self.entries.len() as u32;
        let at = *self.position_of.entry_ref(&origin).or_insert(next);
        if at == next {
            self.entries.push(origin);
        }
        at
    }
}

/// The two kinds of origins, by their place in the run's.
pub(super) const RESOURCES: usize = 0;
pub(super) const SCOPES: usize = 1;

/// An origin as a batch has it. Batches say the same ones again and again.
#[derive(Clone, Copy)]
struct Said<'a> {
    c: &'a Columns,
    /// Positions of texts.
    names: Names,
    /// Position of a byte string.
    rest: u32,
    /// In the run.
    shape: u32,
    attributes: &'a AttributeSet,
}

impl<'a> Said<'a> {
    fn values(&self) -> impl Iterator<Item = (ValueType, u64)> + use<'a> {
        let types = self.c.shapes[self.attributes.shape as usize].iter();
        let types = types.map(|&(_, value_type)| value_type);
        types.zip(self.attributes.values.iter().copied())
    }

    fn text(&self, at: u32) -> &'a [u8] {
        bytes_at(&self.c.text.ends, self.c.text.text.as_bytes(), at as usize)
    }

    fn bytes(&self, at: u32) -> &'a [u8] {
        bytes_at(&self.c.bytes.ends, &self.c.bytes.bytes, at as usize)
    }

    /// Made of hashes that are known already.
    fn hash(&self, tables: &Tables) -> u64 {
        let names = self.names.map(|name| tables.texts.hashes[name as usize]);
        let rest = tables.bytes.hashes[self.rest as usize];
        let values = self.values().map(|(value_type, word)| match value_type {
            ValueType::Str => tables.texts.hashes[word as usize],
            ValueType::Bytes | ValueType::Any => tables.bytes.hashes[word as usize],
            ValueType::Int | ValueType::Double | ValueType::Bool => word,
        });
        let all = names.into_iter().chain([rest]).chain(values);
        all.fold(u64::from(self.shape), |hash, part| {
            (hash ^ part)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
        })
    }
}

impl<'a> RunValues<'a> {
    /// The run's resource of a batch's resource.
    #[inline]
    pub(crate) fn resource_of(&mut self, tables: &mut Tables, c: &'a Columns, at: u32) -> u32 {
        let known = tables.resources[at as usize];
        if known != UNKNOWN {
            return known;
        }
        let resource = &c.resources[at as usize];
        let said = Said {
            c,
            // Scopes have one text more.
            names: [resource.service, resource.schema_url, resource.service],
            rest: resource.rest,
            shape: self.shape_of(tables, c, resource.attributes.shape),
            attributes: &resource.attributes,
        };
        let found = self.find(RESOURCES, tables, said);
        tables.resources[at as usize] = found;
        found
    }

    /// The run's scope of a batch's scope.
    #[inline]
    pub(crate) fn scope_of(&mut self, tables: &mut Tables, c: &'a Columns, at: u32) -> u32 {
        let known = tables.scopes[at as usize];
        if known != UNKNOWN {
            return known;
        }
        let scope = &c.scopes[at as usize];
        let said = Said {
            c,
            names: [scope.name, scope.version, scope.schema_url],
            rest: scope.rest,
            shape: self.shape_of(tables, c, scope.attributes.shape),
            attributes: &scope.attributes,
        };
        let found = self.find(SCOPES, tables, said);
        tables.scopes[at as usize] = found;
        found
    }

    fn find(&mut self, kind: usize, tables: &mut Tables, said: Said<'a>) -> u32 {
        let hash = said.hash(tables);
        let origins = &self.origins[kind];
        let known = origins.position_of_said.get(&hash).copied();
        if let Some(known) = known.filter(|&known| self.is(origins.get(known), &said)) {
            return known;
        }
        let origin = self.origin(tables, said);
        let origins = &mut self.origins[kind];
        let found = origins.intern(origin);
        origins.position_of_said.insert(hash, found);
        found
    }

    /// True when that is what the batch says.
    fn is(&self, origin: &Origin, said: &Said<'_>) -> bool {
        let mut names = origin.names.iter().zip(said.names);
        let mut values = origin.values.iter().zip(said.values());
        origin.shape == said.shape
            && self.bytes_of(origin.rest) == said.bytes(said.rest)
            && names.all(|(&name, said_name)| self.bytes_of(name) == said.text(said_name))
            && values.all(|(&value, (value_type, word))| match value_type {
                ValueType::Str => self.bytes_of(value as u32) == said.text(word as u32),
                ValueType::Bytes | ValueType::Any => {
                    self.bytes_of(value as u32) == said.bytes(word as u32)
                }
                number => value == number_of(number, word),
            })
    }

    fn origin(&mut self, tables: &mut Tables, said: Said<'a>) -> Origin {
        let c = said.c;
        let names = said
            .names
            .map(|name| self.text(tables, c, fixed::NAME, name));
        let rest = self.bytes(tables, c, fixed::OPAQUE, said.rest);
        let columns = self.shape(said.shape).to_vec();
        let values = columns.into_iter().zip(said.values());
        let values = values.map(|(column, (value_type, word))| {
            let at = word as u32;
            let (hash, bytes) = match value_type {
                ValueType::Str => (tables.texts.hashes[at as usize], said.text(at)),
                ValueType::Bytes | ValueType::Any => {
                    (tables.bytes.hashes[at as usize], said.bytes(at))
                }
                number => return number_of(number, word),
            };
            u64::from(self.keep(column, hash, bytes))
        });
        let values = values.collect();
        Origin {
            names,
            rest,
            shape: said.shape,
            values,
        }
    }
}
