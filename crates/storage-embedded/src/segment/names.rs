//! The names of a segment: its services, and its groups, which are the distinct pairs of service
//! and operation. Sorted, so that a service is one range of groups and a prefix one of names.
#![warn(clippy::indexing_slicing)]

use crate::codec::{Damaged, Reader, put_text, put_varint};

/// A service with one of its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Position in the services.
    pub(crate) service: u32,
    pub(crate) operation: String,
}

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NameTable {
    pub(crate) services: Vec<String>,
    pub(crate) groups: Vec<Group>,
}

impl NameTable {
    /// The table of these (service, operation), and the place of each in it.
    pub(crate) fn of(names: &[(&str, &str)]) -> (NameTable, Vec<u32>) {
        let mut sorted: Vec<_> = names.iter().zip(0usize..).collect();
        sorted.sort_unstable();
        let mut table = NameTable::default();
        let mut places = vec![0; names.len()];
        for (place, (&(service, operation), at)) in (0u32..).zip(sorted) {
            if table.services.last().is_none_or(|last| last != service) {
                table.services.push(service.to_owned());
            }
            table.groups.push(Group {
                service: table.services.len() as u32 - 1,
                operation: operation.to_owned(),
            });
            if let Some(known) = places.get_mut(at) {
                *known = place;
            }
        }
        (table, places)
    }

    pub(crate) fn service(&self, position: u32) -> &str {
        self.services.get(position as usize).map_or("", |name| name)
    }

    /// Service and operation of a group.
    pub(crate) fn group(&self, position: u32) -> Option<(&str, &str)> {
        let group = self.groups.get(position as usize)?;
        Some((self.service(group.service), &group.operation))
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let services = self.services.iter().map(|name| 24 + name.len());
        let groups = self.groups.iter().map(|group| 32 + group.operation.len());
        services.chain(groups).sum()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.services.len() as u64);
        self.services.iter().for_each(|name| put_text(out, name));
        put_varint(out, self.groups.len() as u64);
        for group in &self.groups {
            put_varint(out, u64::from(group.service));
            put_text(out, &group.operation);
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<NameTable, Damaged> {
        let mut r = Reader::new(bytes);
        let mut table = NameTable::default();
        for _ in 0..r.count(1)? {
            table.services.push(r.text()?.to_owned());
        }
        for _ in 0..r.count(2)? {
            let service = r.u32()?;
            if service as usize >= table.services.len() {
                return Err(Damaged("service of a group"));
            }
            table.groups.push(Group {
                service,
                operation: r.text()?.to_owned(),
            });
        }
        Ok(table)
    }
}
