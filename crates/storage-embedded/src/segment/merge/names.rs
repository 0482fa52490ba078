//! The names of all sources in one table, and the place of each source's in it.

use super::Failure;
use super::source::Source;
use crate::segment::names::NameTable;

/// See the module.
pub(super) struct United {
    pub(super) names: NameTable,
    /// By source.
    pub(super) places: Vec<Places>,
}

/// Where the names of a source are in the united table. Both are sorted, so places ascend.
pub(super) struct Places {
    services: Vec<u32>,
    groups: Vec<u32>,
}

impl Places {
    pub(super) fn service(&self, service: u32) -> Option<u32> {
        self.services.get(service as usize).copied()
    }

    pub(super) fn group(&self, group: u32) -> Option<u32> {
        self.groups.get(group as usize).copied()
    }
}

pub(super) fn unite(sources: &[Source<'_>]) -> Result<United, Failure> {
    let mut tables = Vec::with_capacity(sources.len());
    for source in sources {
        tables.push(
            source
                .index
                .read_names()
                .map_err(|error| source.blame(error))?,
        );
    }
    let groups = tables.iter().flat_map(groups_of);
    let mut groups: Vec<(&str, &str)> = groups.collect();
    groups.sort_unstable();
    groups.dedup();
    let (names, _) = NameTable::of(&groups);
    let mut places = Vec::with_capacity(sources.len());
    for (source, table) in sources.iter().zip(&tables) {
        let service = |name: &String| names.services.binary_search(name);
        let services: Result<Vec<_>, _> = table.services.iter().map(service).collect();
        let group = |group: (&str, &str)| groups.binary_search(&group);
        let groups: Result<Vec<_>, _> = groups_of(table).map(group).collect();
        let (Ok(services), Ok(groups)) = (services, groups) else {
            return Err(source.misfit("a service without an operation"));
        };
        let small = |places: Vec<usize>| places.into_iter().map(|place| place as u32).collect();
        let (services, groups) = (small(services), small(groups));
        places.push(Places { services, groups });
    }
    Ok(United { names, places })
}

fn groups_of(table: &NameTable) -> impl Iterator<Item = (&str, &str)> {
    let groups = table.groups.iter();
    groups.map(|group| (table.service(group.service), group.operation.as_str()))
}
