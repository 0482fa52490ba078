//! Seal: a head becomes a segment. Exact repeats within the head are left out and counted; spans
//! are ordered by (trace's start, trace, start), so that blocks are both whole traces and spans of
//! time; the index is written in the same pass.

use std::path::Path;

use hashbrown::HashMap;
use tracewell_model::{SpanBatch, SpanRef, TraceId, identity};
use tracewell_storage::Error;

use super::data::DataWriter;
use super::fragment::{Fragment, Share};
use super::index::{self, IndexInput};
use super::meta::SegmentMeta;
use super::names::{Group, NameTable};
use super::postings::PostingBuilder;
use super::projection::{self, ProjectedSpan};
use crate::failpoint;
use crate::fs::Fs;
use crate::head::{Head, State};

/// Text and attributes in one block: a block of 4,096 spans with long values would be slow to read.
const BLOCK_BYTES_MAX: usize = 4 << 20;

/// What a seal is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SealOptions {
    pub(crate) id: u64,
    /// Spans in a block.
    pub(crate) block_spans: usize,
}

/// One trace of the head, repeats left out, by start.
struct SealTrace<'a> {
    spans: Vec<SpanRef<'a>>,
    /// Each span's group, by appearance.
    groups: Vec<u32>,
    fragment: Fragment,
}

/// Writes the head's spans as a segment: both files are complete and safe when this returns. They
/// mean nothing until the manifest names them.
pub(crate) fn seal(
    fs: &dyn Fs,
    dir: &Path,
    head: &Head,
    options: SealOptions,
) -> Result<SegmentMeta, Error> {
    let ranges = head.ranges();
    let state = head.read();
    let mut meta = SegmentMeta {
        id: options.id,
        ranges,
        ..SegmentMeta::default()
    };
    let mut names = NameBuilder::default();
    let mut traces = gather(&state, &mut names, &mut meta);
    let table = names.table();
    let groups = names.ranks();
    let mut row = 0;
    for trace in &mut traces {
        trace.fragment.first_row = row;
        row = trace.fragment.end_row();
        name_fragment(trace, &groups, &table);
    }
    describe(&mut meta, &state, &traces);
    let mut data = DataWriter::create(fs, dir, meta.id)?;
    let postings = write_blocks(&mut data, &traces, options.block_spans)?;
    let mut rows = vec![Vec::new(); table.groups.len()];
    let named = traces
        .iter()
        .flat_map(|trace| trace.spans.iter().zip(&trace.groups));
    for (row, (span, &group)) in (0u64..).zip(named) {
        let projected = ProjectedSpan {
            row,
            duration_ns: span.duration_ns(),
            error: span.is_error(),
        };
        rows[groups[group as usize] as usize].push(projected);
    }
    let service_of = |group: u32| table.groups[group as usize].service;
    let projection = projection::frames(rows, service_of);
    let ids = traces.iter().map(|trace| trace.fragment.trace_id);
    let fragments: Vec<_> = traces.iter().map(|trace| trace.fragment.clone()).collect();
    failpoint::hit("seal-before-write");
    let index = IndexInput {
        meta: &meta,
        names: &table,
        fragments: &fragments,
        projection,
        postings,
    };
    let index_bytes = index::write(fs, dir, index)?;
    failpoint::hit("seal-between-files");
    // The data file last: recovery adopts a segment only if both are there.
    let data_bytes = data.finish(&meta, ids)?;
    failpoint::hit("seal-after-write");
    (meta.data_bytes, meta.index_bytes) = (data_bytes, index_bytes);
    Ok(meta)
}

/// The head's traces in fragment order, repeats left out and counted.
fn gather<'a>(
    state: &'a State,
    names: &mut NameBuilder<'a>,
    meta: &mut SegmentMeta,
) -> Vec<SealTrace<'a>> {
    let mut traces = Vec::with_capacity(state.traces.len());
    for (&id, parts) in &state.traces {
        let mut fragment = empty_fragment(id);
        let mut spans = Vec::new();
        for part in parts {
            let batch = &state.batches[part.batch as usize];
            fragment
                .steps
                .add(batch.arrived_unix_ns, batch.extents[part.trace as usize]);
            spans.extend(
                batch
                    .rows(part.trace)
                    .iter()
                    .map(|&row| batch.batch.span(row)),
            );
        }
        let (mut spans, duplicates) = identity::distinct(spans);
        meta.duplicates += duplicates as u64;
        spans.sort_by_key(|span| (span.start_unix_ns(), span.span_id()));
        fragment.spans = spans.len() as u32;
        let groups = spans.iter().map(|span| names.group(*span)).collect();
        traces.push(SealTrace {
            spans,
            groups,
            fragment,
        });
    }
    traces.sort_by_key(|trace| (trace.fragment.extent().start, trace.fragment.trace_id));
    traces
}

fn empty_fragment(trace_id: TraceId) -> Fragment {
    Fragment {
        trace_id,
        steps: super::fragment::Steps::default(),
        spans: 0,
        errors: 0,
        orphans: 0,
        root: None,
        shares: Vec::new(),
        first_row: 0,
    }
}

/// Fills in what the spans say. The definitions are `TraceSummary::of`'s, and a test holds the two
/// against each other.
fn name_fragment(trace: &mut SealTrace<'_>, groups: &[u32], table: &NameTable) {
    // Sorted lists, not tables: a trace has about twenty spans, and there are many traces.
    let mut ids: Vec<_> = trace.spans.iter().map(|span| span.span_id()).collect();
    ids.sort_unstable();
    let mut services = Vec::with_capacity(trace.spans.len());
    let fragment = &mut trace.fragment;
    for (span, &group) in trace.spans.iter().zip(&trace.groups) {
        let group = groups[group as usize];
        services.push((table.groups[group as usize].service, span.is_error()));
        match span.parent() {
            // Spans are by (start, id): the first root is the one the summary takes.
            None => fragment.root = fragment.root.or(Some(group)),
            Some(parent) => fragment.orphans += u32::from(ids.binary_search(&parent).is_err()),
        }
    }
    services.sort_unstable();
    let errors = |spans: &[(u32, bool)]| spans.iter().filter(|(_, error)| *error).count() as u32;
    fragment.errors = errors(&services);
    let share = |spans: &[(u32, bool)]| Share {
        service: spans[0].0,
        spans: spans.len() as u32,
        errors: errors(spans),
    };
    fragment.shares = services.chunk_by(|a, b| a.0 == b.0).map(share).collect();
}

fn describe(meta: &mut SegmentMeta, state: &State, traces: &[SealTrace<'_>]) {
    let extents = || traces.iter().map(|trace| trace.fragment.extent());
    meta.spans = traces.iter().map(|trace| trace.spans.len() as u64).sum();
    meta.fragments = traces.len() as u64;
    meta.start_min_unix_ns = extents().map(|extent| extent.start).min().unwrap_or(0);
    meta.start_max_unix_ns = extents().map(|extent| extent.start).max().unwrap_or(0);
    meta.end_max_unix_ns = extents().map(|extent| extent.end).max().unwrap_or(0);
    let arrivals = || state.batches.iter().map(|batch| batch.arrived_unix_ns);
    meta.arrived_min_unix_ns = arrivals().min().unwrap_or(0);
    meta.arrived_max_unix_ns = arrivals().max().unwrap_or(0);
}

/// Cuts the spans into blocks of whole traces; a giant trace alone takes several.
fn write_blocks<'a>(
    data: &mut DataWriter<'_>,
    traces: &[SealTrace<'a>],
    block_spans: usize,
) -> Result<PostingBuilder<'a>, Error> {
    let mut postings = PostingBuilder::default();
    let mut number = 0;
    let mut block: Vec<SpanRef<'a>> = Vec::new();
    let mut bytes = 0;
    let mut first = 0;
    let mut close = |block: &mut Vec<SpanRef<'a>>, fragments| -> Result<(), Error> {
        if !block.is_empty() {
            let batch = data.block(block, fragments)?;
            postings.add(block, &batch, number);
            number += 1;
            block.clear();
        }
        Ok(())
    };
    for (fragment, trace) in (0u32..).zip(traces) {
        if block.len() + trace.spans.len() > block_spans || bytes > BLOCK_BYTES_MAX {
            close(&mut block, first..=fragment.saturating_sub(1))?;
            (first, bytes) = (fragment, 0);
        }
        for span in &trace.spans {
            if block.len() >= block_spans || bytes > BLOCK_BYTES_MAX && first == fragment {
                close(&mut block, first..=fragment)?;
                (first, bytes) = (fragment, 0);
            }
            bytes += weight(*span);
            block.push(*span);
        }
    }
    close(&mut block, first..=(traces.len() as u32).saturating_sub(1))?;
    Ok(postings)
}

/// About what a span adds to its block: names and resources repeat and count nothing.
fn weight(span: SpanRef<'_>) -> usize {
    use tracewell_model::Value;
    let value = |value: Value<'_>| match value {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) | Value::Any(bytes) => bytes.len(),
        Value::Int(_) | Value::Double(_) | Value::Bool(_) => 8,
    };
    let attributes = span.attributes().chain(span.event_attributes());
    82 + span.rest().len()
        + attributes
            .map(|attribute| value(attribute.value))
            .sum::<usize>()
}

/// Numbers the distinct (service, operation) pairs in order of appearance, then by name.
#[derive(Debug, Default)]
struct NameBuilder<'a> {
    groups: HashMap<(&'a str, &'a str), u32>,
    /// (batch, resource, operation) → group: names are compared once per batch that has them.
    known: HashMap<(*const SpanBatch, u32, u32), u32>,
}

impl<'a> NameBuilder<'a> {
    /// By appearance; `ranks` translates.
    fn group(&mut self, span: SpanRef<'a>) -> u32 {
        let operation = span.batch.columns().operation[span.row as usize];
        let batch = std::ptr::from_ref(span.batch);
        let groups = &mut self.groups;
        *self
            .known
            .entry((batch, span.resource().position(), operation))
            .or_insert_with(|| {
                let next = groups.len() as u32;
                *groups
                    .entry((span.service(), span.operation()))
                    .or_insert(next)
            })
    }

    fn sorted(&self) -> Vec<((&'a str, &'a str), u32)> {
        let mut sorted: Vec<_> = self
            .groups
            .iter()
            .map(|(&names, &at)| (names, at))
            .collect();
        sorted.sort_unstable();
        sorted
    }

    /// By appearance → by name.
    fn ranks(&self) -> Vec<u32> {
        let mut ranks = vec![0; self.groups.len()];
        (0u32..)
            .zip(self.sorted())
            .for_each(|(rank, (_, at))| ranks[at as usize] = rank);
        ranks
    }

    fn table(&self) -> NameTable {
        let mut table = NameTable::default();
        for ((service, operation), _) in self.sorted() {
            if table.services.last().is_none_or(|last| last != service) {
                table.services.push(service.to_owned());
            }
            let service = table.services.len() as u32 - 1;
            table.groups.push(Group {
                service,
                operation: operation.to_owned(),
            });
        }
        table
    }
}
