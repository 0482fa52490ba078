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
    /// Each one's parts in order, to be compared in one place: texts with their lengths before them,
    /// and numbers.
    spelled: Vec<Box<[u8]>>,
}

impl Origins {
    pub(super) fn get(&self, at: u32) -> &Origin {
        &self.entries[at as usize]
    }

    fn intern(&mut self, origin: Origin, said: &Said<'_>) -> u32 {
        let next = self.entries.len() as u32;
        let at = *self.position_of.entry_ref(&origin).or_insert(next);
        if at == next {
            self.entries.push(origin);
            self.spelled.push(said.spell());
        }
        at
    }

    /// True when this one is what the batch says.
    fn is(&self, at: u32, said: &Said<'_>) -> bool {
        self.get(at).shape == said.shape && said.is_spelled(&self.spelled[at as usize])
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

/// Of what an origin is made. Which of them are numbers follows from its shape.
enum Part<'a> {
    Text(&'a [u8]),
    Number(u64),
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

    /// Calls with each of its parts, as they are spelled, until one is refused.
    #[inline]
    fn parts(&self, mut take: impl FnMut(Part<'a>) -> bool) -> bool {
        let value = |(value_type, word)| match value_type {
            ValueType::Str => Part::Text(self.text(word as u32)),
            ValueType::Bytes | ValueType::Any => Part::Text(self.bytes(word as u32)),
            ValueType::Int | ValueType::Double | ValueType::Bool => Part::Number(word),
        };
        take(Part::Text(self.bytes(self.rest)))
            && self
                .names
                .iter()
                .all(|&name| take(Part::Text(self.text(name))))
            && self.values().all(|part| take(value(part)))
    }

    fn spell(&self) -> Box<[u8]> {
        let mut spelled = Vec::new();
        self.parts(|part| {
            match part {
                Part::Text(text) => {
                    spelled.extend_from_slice(&(text.len() as u32).to_le_bytes());
                    spelled.extend_from_slice(text);
                }
                Part::Number(number) => spelled.extend_from_slice(&number.to_le_bytes()),
            }
            true
        });
        spelled.into()
    }

    /// True when this is how an origin of its shape is spelled that is the same.
    fn is_spelled(&self, mut spelled: &[u8]) -> bool {
        self.parts(|part| {
            let rest = match part {
                Part::Text(text) => spelled
                    .strip_prefix(&(text.len() as u32).to_le_bytes())
                    .and_then(|rest| rest.strip_prefix(text)),
                Part::Number(number) => spelled.strip_prefix(&number.to_le_bytes()),
            };
            spelled = rest.unwrap_or_default();
            rest.is_some()
        })
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
        if let Some(known) = known.filter(|&known| origins.is(known, &said)) {
            return known;
        }
        let origin = self.origin(tables, said);
        let origins = &mut self.origins[kind];
        let found = origins.intern(origin, &said);
        origins.position_of_said.insert(hash, found);
        found
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
