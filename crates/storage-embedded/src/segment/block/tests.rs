//! What goes in comes out, whatever it is; what is damaged is noticed, or makes a sound batch.
#![allow(clippy::indexing_slicing)]

mod fixture;

use std::collections::BTreeSet;

use proptest::prelude::*;
use tracewell_model::identity::same_content;
use tracewell_model::{Attribute, SpanBatch, SpanRef, Value};
use tracewell_storage::TagFilter;
use tracewell_storage::find::TagCondition;

use self::fixture::{Spec, blocks_of, run_of};
use super::parts::SECTIONS;
use super::*;
use crate::segment::run::Run;
use crate::segment::values::{RunValues, filter_hash};

fn spans<'a>(run: &Run<'a>, rows: std::ops::Range<usize>) -> Vec<SpanRef<'a>> {
    let span = |at: &crate::segment::run::RowRef| run.batches[at.batch as usize].span(at.row);
    run.rows[rows].iter().map(span).collect()
}

fn assert_same(read: &SpanBatch, wanted: &[SpanRef<'_>]) {
    assert_eq!(read.len(), wanted.len());
    for (read, wanted) in read.spans().zip(wanted) {
        assert!(same_content(read, *wanted), "{read:?}\n{wanted:?}");
        assert!(read.event_attributes().eq(wanted.event_attributes()));
    }
}

fn attributes<'a>(span: SpanRef<'a>) -> impl Iterator<Item = Attribute<'a>> {
    span.attributes()
        .chain(span.event_attributes())
        .chain(span.resource().attributes())
        .chain(span.scope().attributes())
}

/// All that a block tells, held against the spans that it was made of.
fn check_block(writer: &BlockWriter, parts: BlockParts, wanted: &[SpanRef<'_>]) {
    let block = Block::open(parts, writer.bytes().to_vec()).unwrap();
    assert_same(&block.batch().unwrap(), wanted);
    for trace in block.traces() {
        let rows = block.rows_of(trace.id).unwrap();
        assert_eq!(rows, trace.first..trace.first + trace.spans);
        let these = &wanted[rows.start as usize..rows.end as usize];
        assert!(these.iter().all(|span| span.trace_id() == trace.id));
        assert_same(&block.batch_of(rows).unwrap(), these);
    }
    let durations: Vec<u64> = wanted.iter().map(|span| span.duration_ns()).collect();
    assert_eq!(block.durations().unwrap(), durations);
    for (row, span) in (0..).zip(wanted) {
        let (from, length) = parts.id_chunk(row);
        let ids = ids_of_chunks(&writer.bytes()[from..from + length]).unwrap();
        assert_eq!(ids[row as usize % IDS_PER_CHUNK], span.span_id().0);
    }
    for (number, trace) in (0..).zip(block.traces()) {
        let (from, length) = parts.trace_id_chunk(number);
        let ids = ids_of_chunks(&writer.bytes()[from..from + length]).unwrap();
        assert_eq!(ids[number as usize % IDS_PER_CHUNK], trace.id.0);
    }
}

/// What the index is told, held against the same.
fn check_told(writer: &BlockWriter, values: &RunValues<'_>, wanted: &[SpanRef<'_>]) {
    let groups = values.groups();
    for (told, span) in writer.rows().iter().zip(wanted) {
        assert_eq!(told.start_unix_ns, span.start_unix_ns());
        assert_eq!(told.duration_ns, span.duration_ns());
        assert_eq!(told.error, span.is_error());
        assert_eq!(
            groups[told.group as usize],
            (span.service(), span.operation())
        );
        let here = |id| {
            let same =
                |other: &&SpanRef<'_>| other.span_id() == id && other.trace_id() == span.trace_id();
            wanted.iter().find(same).is_some()
        };
        let parent = match span.parent() {
            None => ParentRow::None,
            Some(id) if here(id) => ParentRow::Here,
            Some(_) => ParentRow::Elsewhere,
        };
        assert_eq!(told.parent, parent);
    }
    let distinct: BTreeSet<u32> = writer.posted().iter().copied().collect();
    assert_eq!(distinct.len(), writer.posted().len(), "each pair once");
    let posted: BTreeSet<(String, String)> = distinct
        .iter()
        .map(|&pair| {
            let key = values.key(values.key_of_pair(pair)).name;
            (key.to_owned(), values.text_of_pair(pair).into_owned())
        })
        .collect();
    let mut missing: BTreeSet<_> = posted.iter().collect();
    for attribute in wanted.iter().flat_map(|span| attributes(*span)) {
        let text = attribute.value.text().into_owned();
        let hash = filter_hash(attribute.key, &text);
        let pair = (attribute.key.to_owned(), text);
        missing.remove(&pair);
        assert!(
            posted.contains(&pair) || writer.hashes().contains(&hash),
            "{pair:?}"
        );
    }
    assert!(missing.is_empty(), "posted, but not there: {missing:?}");
}

fn check_filters(block: &Block, wanted: &[SpanRef<'_>], filters: &[TagFilter]) {
    for filter in filters {
        let holding: Vec<bool> = wanted.iter().map(|span| filter.holds(*span)).collect();
        assert_eq!(block.holding(filter).unwrap(), holding, "{filter:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn spans_come_back_and_the_index_is_told(seed in any::<u64>()) {
        let mut spec = Spec::new(seed);
        let batches = spec.batches();
        let run = run_of(&batches);
        let filters = spec.filters();
        let (mut writer, mut values) = (BlockWriter::new().unwrap(), RunValues::new(&run.batches));
        for rows in spec.cuts(&run) {
            let wanted = spans(&run, rows.clone());
            let parts = writer.write(&run, rows, &mut values).unwrap();
            check_block(&writer, parts, &wanted);
            check_told(&writer, &values, &wanted);
            let block = Block::open(parts, writer.bytes().to_vec()).unwrap();
            check_filters(&block, &wanted, &filters);
        }
    }

    #[test]
    fn rows_of_any_range_come_back(seed in any::<u64>(), a in any::<u32>(), b in any::<u32>()) {
        let batches = Spec::new(seed).batches();
        let run = run_of(&batches);
        for (parts, bytes) in blocks_of(&run) {
            let block = Block::open(parts, bytes).unwrap();
            let (a, b) = (a % (block.rows() + 1), b % (block.rows() + 1));
            let rows = a.min(b)..a.max(b);
            let wanted = spans(&run, rows.start as usize..rows.end as usize);
            assert_same(&block.batch_of(rows).unwrap(), &wanted);
        }
    }

    #[test]
    fn every_changed_byte_is_noticed(seed in any::<u64>(), at in any::<prop::sample::Index>(), bit in 0..8u32) {
        let batches = Spec::new(seed).batches();
        for (parts, mut bytes) in blocks_of(&run_of(&batches)) {
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            let read = Block::open(parts, bytes).and_then(|block| block.batch());
            prop_assert!(read.is_err());
        }
    }

    /// As if the checksums held: what is changed before a section is packed.
    #[test]
    fn changed_sections_are_refused_or_make_a_sound_batch(
        seed in any::<u64>(),
        changes in prop::collection::vec((0..SECTIONS, any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut spec = Spec::new(seed);
        let batches = spec.batches();
        let filters = spec.filters();
        for (parts, bytes) in blocks_of(&run_of(&batches)) {
            let (parts, bytes) = fixture::change(parts, &bytes, &changes);
            let Ok(block) = Block::open(parts, bytes) else { continue };
            if let Ok(batch) = block.batch() {
                batch.spans().flat_map(|span| attributes(span)).for_each(|attribute| {
                    let _text = attribute.value.text();
                });
                let rows = 0..block.rows() / 2;
                let _either = block.batch_of(rows);
            }
            filters.iter().for_each(|filter| drop(block.holding(filter)));
        }
    }

    #[test]
    fn arbitrary_sections_do_no_harm(
        rows in 0..200u32,
        sections in prop::array::uniform5(prop::collection::vec(any::<u8>(), 0..200)),
    ) {
        let (parts, bytes) = fixture::assemble(rows, &sections);
        if let Ok(block) = Block::open(parts, bytes) {
            let _either = block.batch();
        }
    }
}

#[test]
fn a_key_with_many_values_goes_to_the_filter() {
    let batches: Vec<_> = (0..3)
        .map(|batch| fixture::many_values(batch, 1_000))
        .collect();
    let run = run_of(&batches);
    let (mut writer, mut values) = (BlockWriter::new().unwrap(), RunValues::new(&run.batches));
    let mut hashes = BTreeSet::new();
    for from in (0..run.rows.len()).step_by(500) {
        let rows = from..(from + 500).min(run.rows.len());
        let wanted = spans(&run, rows.clone());
        let parts = writer.write(&run, rows, &mut values).unwrap();
        check_block(&writer, parts, &wanted);
        check_told(&writer, &values, &wanted);
        hashes.extend(writer.hashes().iter().copied());
    }
    let high: Vec<_> = values.keys().iter().filter(|key| key.high).collect();
    let names: Vec<_> = high.iter().map(|key| key.name).collect();
    assert_eq!(names, ["user", "size"]);
    // What came after the first 2,048 of each.
    assert_eq!(hashes.len(), 2 * (3_000 - 2_048));
}

#[test]
fn few_words_make_no_giant_batch() {
    // A template with a wide shape, told once, and very many rows of it.
    let (parts, bytes) = fixture::wide_rows();
    let read = Block::open(parts, bytes).map(|block| block.rows());
    assert_eq!(read.unwrap_err().to_string(), "values of a block");
}

#[test]
fn typical_spans_are_compact() {
    let batches = [fixture::typical(4_000)];
    let run = run_of(&batches);
    let (parts, bytes) = blocks_of(&run).remove(0);
    assert_eq!(parts.bytes(), bytes.len());
    assert!(
        bytes.len() < 4_000 * 22,
        "{} bytes a span",
        bytes.len() as f64 / 4_000.0
    );
}

#[test]
fn a_text_is_found_in_the_rest_and_not_searched_forever() {
    let hostile = "a".repeat(100_000);
    let event = format!("{}b", "a".repeat(50_000));
    for (rest, wanted) in [("xx stack yy", 20), (hostile.as_str(), 50_010)] {
        let text = if rest.len() < 20 { "stack" } else { &event };
        let batch = fixture::with_event(rest.as_bytes(), Value::Str(text));
        let mut tail = Vec::new();
        super::tails::put(&mut tail, batch.columns(), 0);
        assert!(tail.len() - rest.len() <= wanted, "{}", tail.len());
    }
}

#[test]
fn conditions_ask_levels_in_their_order() {
    let filter = |text: &str| TagFilter {
        key: "k".to_owned(),
        condition: TagCondition::Equals(text.to_owned()),
    };
    let batches = [fixture::levels()];
    let run = run_of(&batches);
    let (parts, bytes) = blocks_of(&run).remove(0);
    let block = Block::open(parts, bytes).unwrap();
    let wanted = spans(&run, 0..run.rows.len());
    let filters = ["own", "resource", "scope", "event", "7", "none"].map(filter);
    check_filters(&block, &wanted, &filters);
    for filter in &filters[..5] {
        assert!(block.holding(filter).unwrap().contains(&true), "{filter:?}");
    }
}
