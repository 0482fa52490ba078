//! Rows come back as they were, and what is damaged of them is told.

use super::*;
use crate::conformance::SpanSpec;
use crate::conformance::spans::{OwnedValue, batch, span_id, specs, trace_id};

fn spans() -> Vec<SpanSpec> {
    let values = [
        OwnedValue::from("é\0"),
        OwnedValue::Int(i64::MIN),
        OwnedValue::Double(f64::NAN),
        OwnedValue::Bool(true),
        OwnedValue::Bytes(vec![0, 255]),
        OwnedValue::Any(vec![0x18, 7]),
    ];
    let attributes: Vec<_> = values.map(|value| ("k".to_owned(), value)).into();
    let full = SpanSpec {
        parent: Some(span_id(9)),
        resource_schema_url: "r".into(),
        resource_attributes: attributes.clone(),
        resource_rest: vec![1],
        scope_name: "s".into(),
        scope_version: "v".into(),
        scope_schema_url: "u".into(),
        scope_attributes: attributes.clone(),
        scope_rest: vec![2],
        kind: SpanKind::Consumer,
        status: StatusCode::Error,
        status_message: "why".into(),
        flags: u32::MAX,
        attributes: attributes.clone(),
        event_attributes: attributes,
        rest: vec![0; 300],
        marks: Marks(u16::MAX),
        ..SpanSpec::new(1, 1, u64::MAX).lasting(u64::MAX)
    };
    vec![full, SpanSpec::new(1, 2, 0), SpanSpec::new(1, 3, 1)]
}

fn rows(batch: &SpanBatch) -> Vec<Vec<u8>> {
    let mut encoder = RowEncoder::new(batch);
    let row = |at| {
        let mut row = Vec::new();
        encoder.encode(at, &mut row);
        row
    };
    (0..batch.len() as u32).map(row).collect()
}

#[test]
fn rows_come_back_as_the_spans_they_were() {
    let spans = spans();
    let mut decoder = RowDecoder::default();
    for (span, row) in spans.iter().zip(rows(&batch(&spans))) {
        assert_eq!(decoder.push(span.trace_id, span.span_id, &row), Some(()));
    }
    assert_eq!(specs(&decoder.finish()), spans);
}

#[test]
fn equal_spans_have_equal_rows_whatever_batch_they_come_from() {
    let spans = spans();
    let mut reversed = spans.clone();
    reversed.reverse();
    let mut of_reversed = rows(&batch(&reversed));
    of_reversed.reverse();
    assert_eq!(rows(&batch(&spans)), of_reversed);
    let other = SpanSpec {
        scope_rest: vec![3],
        ..spans[0].clone()
    };
    let of_other = rows(&batch(&[other]));
    assert_ne!(content_hash(&of_other[0]), content_hash(&of_reversed[0]));
}

#[test]
fn cut_and_altered_rows_are_refused_or_read_as_something() {
    let row = rows(&batch(&spans())).remove(0);
    for cut in 0..row.len() {
        let mut decoder = RowDecoder::default();
        assert_eq!(
            decoder.push(trace_id(1), span_id(1), &row[..cut]),
            None,
            "{cut}"
        );
    }
    for at in 0..row.len() * 8 {
        let mut altered = row.clone();
        altered[at / 8] ^= 1 << (at % 8);
        let mut decoder = RowDecoder::default();
        let read = decoder.push(trace_id(1), span_id(1), &altered);
        assert_eq!(decoder.finish().len(), usize::from(read.is_some()));
    }
}
