//! Decodes bytes of a format; the spans taken in are encoded as OTLP, decoded and encoded again: both
//! encodings must be equal, and the stored form must read back as the same batch.

use tracewell_model::{BatchBuilder, SpanBatch};
use tracewell_wire::{DecodeError, Report, otlp};

type Decode = fn(&[u8], &mut BatchBuilder, &mut Report) -> Result<(), DecodeError>;

pub fn check(decode: Decode, bytes: &[u8]) {
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    if decode(bytes, &mut builder, &mut report).is_err() {
        return;
    }
    assert_eq!(report.accepted, builder.len(), "the report says what was pushed");
    let batch = builder.finish_one();
    stored_form(&batch);
    let once = otlp::encode::encode(batch.spans());
    let (mut builder, mut report) = (BatchBuilder::new(1), Report::default());
    otlp::protobuf::decode(&once, &mut builder, &mut report).expect("our own encoding is sound");
    assert_eq!(report.refused_count(), 0, "{}", report.refusals());
    let twice = otlp::encode::encode(builder.finish_one().spans());
    assert_eq!(once, twice);
}

fn stored_form(batch: &SpanBatch) {
    let mut bytes = Vec::new();
    tracewell_storage_embedded::codec::encode(batch, &mut bytes);
    let read = tracewell_storage_embedded::codec::decode(&bytes).expect("what was written reads");
    assert_eq!(&read, batch);
}
