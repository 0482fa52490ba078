//! The names that exist: services, operations, attribute keys and values. From the name tables
//! and postings of the segments, and from the head's spans; never from blocks, but for the few
//! values too long to be posted whole.
#![warn(clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::sync::Arc;

use tracewell_model::batch::Columns;
use tracewell_model::{Attribute, SpanBatch, SpanRef, limits};
use tracewell_storage::{Names, ReadContext};

use super::probe::Probe;
use crate::engine::Engine;
use crate::segment::Segment;
use crate::segment::postings::Posting;

/// Batches of the head between two looks at the deadline.
const BATCHES_PER_CHECK: usize = 16;

/// Which values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    pub(super) key: &'a str,
    pub(super) prefix: &'a str,
    pub(super) limit: usize,
}

pub(super) fn list_services(engine: &Engine, context: &ReadContext) -> Names {
    let mut probe = Probe::new(engine, context);
    let mut names = BTreeSet::new();
    probe
        .head
        .each_names(|operations| names.extend(operations.keys().cloned()));
    probe.searched.head_spans = probe.head.spans();
    each_segment(&mut probe, |probe, segment| {
        let Some(table) = probe.names(segment) else {
            return;
        };
        names.extend(table.services.iter().cloned());
    });
    answer(probe, names, limits::SERVICES_MAX)
}

pub(super) fn list_operations(engine: &Engine, of: &str, context: &ReadContext) -> Names {
    let mut probe = Probe::new(engine, context);
    let mut names = BTreeSet::new();
    probe.head.each_names(|operations| {
        let of_service = operations.get(of).into_iter().flatten();
        names.extend(of_service.cloned());
    });
    probe.searched.head_spans = probe.head.spans();
    each_segment(&mut probe, |probe, segment| {
        let Some(table) = probe.names(segment) else {
            return;
        };
        let groups = table.groups.iter();
        let of_service = groups.filter(|group| table.service(group.service) == of);
        names.extend(of_service.map(|group| group.operation.clone()));
    });
    answer(probe, names, limits::OPERATIONS_PER_SERVICE_MAX)
}

pub(super) fn list_tag_keys(
    engine: &Engine,
    prefix: &str,
    limit: usize,
    context: &ReadContext,
) -> Names {
    let mut probe = Probe::new(engine, context);
    let mut names = from_head(&mut probe, |batch, names| {
        let columns = batch.columns();
        let shapes = distinct(shapes_used(columns)).into_iter();
        let shapes = shapes.filter_map(|shape| columns.shapes.get(shape as usize));
        let keys = shapes.flatten().map(|(key, _)| columns.text.get(*key));
        keys.filter(|key| key.starts_with(prefix))
            .for_each(|key| insert(names, key));
    });
    each_segment(&mut probe, |probe, segment| {
        let Some(table) = probe.keys(segment) else {
            return;
        };
        let keys = table.keys.iter().map(|key| &key.name);
        names.extend(keys.filter(|key| key.starts_with(prefix)).cloned());
    });
    answer(probe, names, limit)
}

pub(super) fn list_tag_values(engine: &Engine, values: Values<'_>, context: &ReadContext) -> Names {
    let mut probe = Probe::new(engine, context);
    let mut names = from_head(&mut probe, |batch, names| {
        let columns = batch.columns();
        let keys = columns.shapes.iter().flatten().map(|(key, _)| *key);
        if keys
            .into_iter()
            .any(|key| columns.text.get(key) == values.key)
        {
            let spans = batch.spans();
            spans.for_each(|span| values_of(span, values, names));
        }
    });
    let mut has_more = false;
    each_segment(&mut probe, |probe, segment| {
        has_more |= segment_values(probe, segment, values, &mut names)
    });
    let mut answer = answer(probe, names, values.limit);
    answer.capped |= has_more;
    answer
}

fn values_of(span: SpanRef<'_>, values: Values<'_>, names: &mut BTreeSet<String>) {
    let of_key = all_attributes(span).filter(|attribute| attribute.key == values.key);
    for attribute in of_key {
        let text = attribute.value.text();
        if text.starts_with(values.prefix) {
            insert(names, &text);
        }
    }
}

/// Values are sorted, so the first few of each segment are enough to know the first of all. True
/// when the segment lists only some of the key's values.
fn segment_values(
    probe: &mut Probe<'_>,
    segment: &Segment,
    values: Values<'_>,
    names: &mut BTreeSet<String>,
) -> bool {
    let Some(table) = probe.keys(segment) else {
        return false;
    };
    let Some(key) = table.find(values.key) else {
        return false;
    };
    let mut found = BTreeSet::new();
    for (frame, first) in key.frames_from(values.prefix) {
        if first.as_str() > values.prefix && !first.starts_with(values.prefix) {
            break;
        }
        if found.len() > values.limit || probe.context.check().is_err() {
            break;
        }
        let Some(frame) = probe.postings(segment, frame) else {
            continue;
        };
        for posting in &frame.postings {
            if posting.cut {
                long_values(probe, segment, values, posting, &mut found);
            } else if posting.text.starts_with(values.prefix) {
                insert(&mut found, &posting.text);
            }
        }
    }
    names.extend(found);
    key.high
}

/// The whole texts of values of which only the beginning is posted.
fn long_values(
    probe: &mut Probe<'_>,
    segment: &Segment,
    values: Values<'_>,
    posting: &Posting,
    found: &mut BTreeSet<String>,
) {
    let (beginning, prefix) = (posting.text.as_str(), values.prefix);
    if !beginning.starts_with(prefix) && !prefix.starts_with(beginning) {
        return;
    }
    for &number in &posting.blocks {
        let cost = |_| "values may be missing".to_owned();
        let Some(batch) = probe.batch(segment, number as usize, cost) else {
            continue;
        };
        batch
            .spans()
            .for_each(|span| values_of(span, values, found));
    }
}

/// Names from the head's batches; a deadline ends it, and is noted when the answer is made.
fn from_head(
    probe: &mut Probe<'_>,
    collect: impl Fn(&SpanBatch, &mut BTreeSet<String>),
) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (number, batch) in probe.head.batches().enumerate() {
        if number % BATCHES_PER_CHECK == 0 && probe.context.check().is_err() {
            break;
        }
        collect(&batch.batch, &mut names);
    }
    probe.searched.head_spans = probe.head.spans();
    names
}

/// The shapes of attributes of all spans, of their events, resources and scopes.
fn shapes_used(columns: &Columns) -> impl Iterator<Item = u32> {
    let sets = distinct(columns.resource.iter().copied()).into_iter();
    let sets = sets.filter_map(|at| columns.resources.get(at as usize));
    let resources = sets.map(|resource| resource.attributes.shape);
    let sets = distinct(columns.scope.iter().copied()).into_iter();
    let sets = sets.filter_map(|at| columns.scopes.get(at as usize));
    let scopes = sets.map(|scope| scope.attributes.shape);
    let spans = columns.shape.iter().chain(&columns.event_shape).copied();
    spans.chain(resources).chain(scopes)
}

/// Each position once, in the order of first appearance.
fn distinct(positions: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut seen: Vec<bool> = Vec::new();
    let mut distinct = Vec::new();
    for position in positions {
        let at = position as usize;
        if at >= seen.len() {
            seen.resize(at + 1, false);
        }
        if let Some(seen) = seen.get_mut(at).filter(|seen| !**seen) {
            *seen = true;
            distinct.push(position);
        }
    }
    distinct
}

fn each_segment(probe: &mut Probe<'_>, mut look: impl FnMut(&mut Probe<'_>, &Segment)) {
    for at in probe.searchable() {
        if probe.context.check().is_err() {
            return;
        }
        let segment: Arc<Segment> = probe.segment(at);
        probe.searched.segments += 1;
        look(probe, &segment);
    }
}

fn answer(mut probe: Probe<'_>, names: BTreeSet<String>, limit: usize) -> Names {
    if let Err(stopped) = probe.context.check() {
        probe.note(format!("{}: names may be missing", stopped.message));
    }
    Names {
        capped: names.len() > limit,
        names: names.into_iter().take(limit).collect(),
        searched: probe.searched,
        incomplete: probe.incomplete,
    }
}

fn insert(names: &mut BTreeSet<String>, name: &str) {
    if !names.contains(name) {
        names.insert(name.to_owned());
    }
}

fn all_attributes(span: SpanRef<'_>) -> impl Iterator<Item = Attribute<'_>> {
    let own = span.attributes().chain(span.resource().attributes());
    own.chain(span.scope().attributes())
        .chain(span.event_attributes())
}
