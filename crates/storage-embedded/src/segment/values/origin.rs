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

impl<'a> RunValues<'a> {
    /// The run's resource of a batch's resource.
    #[inline]
    pub(crate) fn resource_of(&mut self, tables: &mut Tables, c: &'a Columns, at: u32) -> u32 {
        let known = tables.resources[at as usize];
        if known != UNKNOWN {
            return known;
        }
        let resource = &c.resources[at as usize];
        // Scopes have one text more.
        let names = [resource.service, resource.schema_url];
        let [service, schema_url] = names.map(|name| self.text(tables, c, fixed::NAME, name));
        let names = [service, schema_url, service];
        let origin = self.origin(tables, c, names, &resource.attributes, resource.rest);
        let found = self.resources.intern(origin);
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
        let names = [scope.name, scope.version, scope.schema_url]
            .map(|name| self.text(tables, c, fixed::NAME, name));
        let origin = self.origin(tables, c, names, &scope.attributes, scope.rest);
        let found = self.scopes.intern(origin);
        tables.scopes[at as usize] = found;
        found
    }

    fn origin(
        &mut self,
        tables: &mut Tables,
        c: &'a Columns,
        names: Names,
        attributes: &AttributeSet,
        rest: u32,
    ) -> Origin {
        let rest = self.bytes(tables, c, fixed::OPAQUE, rest);
        let shape = self.shape_of(tables, c, attributes.shape);
        let columns = self.shape(shape).to_vec();
        let words = columns.into_iter().zip(&attributes.values);
        let values = words.map(|(column, &word)| {
            let at = word as usize;
            let (hash, bytes) = match self.column(column).value_type {
                ValueType::Str => {
                    let bytes = bytes_at(&c.text.ends, c.text.text.as_bytes(), at);
                    (tables.texts.hashes[at], bytes)
                }
                ValueType::Bytes | ValueType::Any => {
                    let bytes = bytes_at(&c.bytes.ends, &c.bytes.bytes, at);
                    (tables.bytes.hashes[at], bytes)
                }
                number => return number_of(number, word),
            };
            u64::from(self.keep(column, hash, bytes))
        });
        let values = values.collect();
        Origin {
            names,
            rest,
            shape,
            values,
        }
    }
}
