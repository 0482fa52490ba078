//! Moves batches in time: spans and their events keep their distances, the latest end lands where
//! it was asked for. Spans without a start time stay without one.

use tracewell_model::batch::Columns;
use tracewell_model::{Marks, SpanBatch, SpanRef};
use tracewell_wire::proto::{self, Field, Fields};

/// Fields of OTLP's `Span` and `Span.Event` that are times.
const SPAN_END: u32 = 8;
const SPAN_EVENT: u32 = 11;
const EVENT_TIME: u32 = 1;

/// The batches moved so that the latest end of any span is `target`.
pub(super) fn to(batches: &[SpanBatch], target: u64) -> impl Iterator<Item = SpanBatch> {
    let spans = batches.iter().flat_map(SpanBatch::spans);
    let latest = spans
        .filter(|span| has_time(*span))
        .map(SpanRef::end_unix_ns)
        .max();
    let by = i128::from(target) - i128::from(latest.unwrap_or(target));
    batches.iter().map(move |batch| moved(batch, by))
}

fn has_time(span: SpanRef<'_>) -> bool {
    !span.marks().has(Marks::NO_START_TIME)
}

fn add(time: u64, by: i128) -> u64 {
    u64::try_from(i128::from(time) + by).unwrap_or(if by < 0 { 0 } else { u64::MAX })
}

fn moved(batch: &SpanBatch, by: i128) -> SpanBatch {
    let mut columns = Columns {
        rest: Vec::new(),
        rest_end: Vec::new(),
        ..batch.columns().clone()
    };
    for (row, span) in batch.spans().enumerate() {
        if has_time(span) {
            columns.start_unix_ns[row] = add(span.start_unix_ns(), by);
            move_rest(span.rest(), by, &mut columns.rest);
        } else {
            columns.rest.extend_from_slice(span.rest());
        }
        columns.rest_end.push(columns.rest.len() as u32);
    }
    SpanBatch::new(columns).expect("only times changed")
}

fn move_rest(rest: &[u8], by: i128, out: &mut Vec<u8>) {
    let mut fields = Fields::of(rest);
    while let Ok(Some((number, field, raw))) = fields.next_field() {
        match (number, field) {
            (SPAN_END, Field::Fixed64(time)) => {
                proto::put_fixed64_field(out, SPAN_END, add(time, by))
            }
            (SPAN_EVENT, Field::Bytes(event)) => {
                proto::put_message_field(out, SPAN_EVENT, |out| move_event(event, by, out));
            }
            _ => out.extend_from_slice(raw),
        }
    }
}

fn move_event(event: &[u8], by: i128, out: &mut Vec<u8>) {
    let mut fields = Fields::of(event);
    while let Ok(Some((number, field, raw))) = fields.next_field() {
        match (number, field) {
            (EVENT_TIME, Field::Fixed64(time)) => {
                proto::put_fixed64_field(out, EVENT_TIME, add(time, by))
            }
            _ => out.extend_from_slice(raw),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracewell_model::BatchBuilder;
    use tracewell_wire::rest::Rest;
    use tracewell_wire::{Report, spans_json};

    #[test]
    fn spans_and_events_keep_their_distances() {
        let body = br#"[{"trace_id":"1","span_id":"1","service_name":"a","operation_name":"b",
            "start_time_unix_ns":1000,"duration_ns":500,"events":[{"time_unix_ns":1200,"name":"x"}]}]"#;
        let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
        spans_json::decode(body, &mut builder, &mut report).unwrap();
        assert_eq!(report.refusals(), "");
        let moved: Vec<SpanBatch> = to(&[builder.finish_one()], 10_000).collect();
        let span = moved[0].span(0);
        assert_eq!((span.start_unix_ns(), span.end_unix_ns()), (9_500, 10_000));
        assert_eq!(Rest::parse(span.rest()).events[0].time_unix_ns, 9_700);
    }
}
