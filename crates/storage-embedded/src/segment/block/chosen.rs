//! Which rows of a block are in two sets of spans: what templates, resources and classes decide is
//! decided once for each of them, the rest row by row, as far as it is asked for.
#![warn(clippy::indexing_slicing)]

use tracewell_model::StatusCode;
use tracewell_storage::value_counts::Sets;
use tracewell_storage::{Error, SpanQuery};

use super::column_reader::ColumnReader;
use super::layout::{class, column};
use super::open::Body;
use crate::codec::Damaged;

/// Whether something is in the first set, and in the second.
pub(super) type Sides = [bool; 2];

/// See the module.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) templates: Vec<Sides>,
    pub(super) resources: Vec<Sides>,
    pub(super) classes: Vec<Sides>,
    /// By row; none where all rows are in the set.
    rows: [Option<Vec<bool>>; 2],
}

impl Chosen {
    /// Decides; none when no row is in either. Starts are looked at only if that is asked.
    pub(super) fn new(
        body: &Body,
        constants: &ColumnReader<'_>,
        sets: &Sets<'_>,
        is_timed: bool,
    ) -> Result<Option<Chosen>, Error> {
        let structure = &body.structure;
        let queries = [sets.a, sets.b];
        let operations = constants.get(column::OPERATION)?;
        let names = constants.get(column::NAME)?;
        let mut templates = Vec::with_capacity(structure.templates.len());
        for at in 0..structure.templates.len() as u32 {
            let name = operations.dictionary()?.get(operations.code(at)?)?;
            templates.push(queries.map(|query| is_wanted(&query.operation, name)));
        }
        let mut resources = Vec::with_capacity(structure.resources.len());
        for at in 0..structure.resources.len() as u32 {
            let name = names.dictionary()?.get(names.code(at * 2)?)?;
            resources.push(queries.map(|query| is_wanted(&query.service, name)));
        }
        let statuses = constants.get(column::CLASSES + class::STATUS)?;
        let mut classes = Vec::with_capacity(structure.classes);
        for at in 0..structure.classes as u32 {
            let failed = statuses.number(at)? == StatusCode::Error as u64;
            classes.push(queries.map(|query| query.error.is_none_or(|wanted| wanted == failed)));
        }
        let may_be_in = |side: fn(&Sides) -> bool| {
            let all = [&templates, &resources, &classes];
            all.into_iter().all(|sides| sides.iter().any(side))
        };
        if !may_be_in(|sides| sides[0]) && !may_be_in(|sides| sides[1]) {
            return Ok(None);
        }
        let [a, b] = queries.map(|query| rows_of(body, query, is_timed));
        Ok(Some(Chosen {
            templates,
            resources,
            classes,
            rows: [a?, b?],
        }))
    }

    /// Whether a row is in the sets, as far as it is not for its template.
    #[inline]
    pub(super) fn row(&self, row: usize, resource: usize, class: usize) -> Result<Sides, Damaged> {
        let resource = self.resources.get(resource).ok_or(Damaged("resource"))?;
        let class = self.classes.get(class).ok_or(Damaged("class"))?;
        let [a, b] = &self.rows;
        let holds = |rows: &Option<Vec<bool>>| match rows {
            None => true,
            Some(rows) => rows.get(row).copied().unwrap_or(false),
        };
        Ok([
            resource[0] && class[0] && holds(a),
            resource[1] && class[1] && holds(b),
        ])
    }
}

fn is_wanted(wanted: &Option<String>, name: &[u8]) -> bool {
    let wanted = wanted.as_deref();
    wanted.is_none_or(|wanted| wanted.as_bytes() == name)
}

/// The rows with the durations, starts and attributes that are asked for.
fn rows_of(body: &Body, query: &SpanQuery, is_timed: bool) -> Result<Option<Vec<bool>>, Error> {
    let mut all: Option<Vec<bool>> = None;
    let mut narrow = |these: Vec<bool>| match &mut all {
        None => all = Some(these),
        Some(all) => all
            .iter_mut()
            .zip(these)
            .for_each(|(all, this)| *all &= this),
    };
    if query.min_duration_ns.is_some() || query.max_duration_ns.is_some() {
        let durations = body.durations()?;
        narrow(durations.iter().map(|&ns| query.lasts(ns)).collect());
    }
    if is_timed && (query.start_unix_ns.is_some() || query.end_unix_ns.is_some()) {
        let starts = body.starts_of(0..body.rows())?;
        narrow(starts.iter().map(|&start| query.begins(start)).collect());
    }
    for tag in &query.tags {
        narrow(body.holding(tag)?);
    }
    Ok(all)
}
