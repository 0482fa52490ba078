//! Files of `tracewell load`, whatever they are: never a panic, batches of bounded size.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut spans = 0;
    let decoded = tracewell_wire::import::decode_file(bytes, 2, &mut |builder, report| {
        assert_eq!(report.accepted, builder.len());
        assert!(builder.len() <= tracewell_wire::import::BATCH_SPANS_MAX);
        spans += report.seen();
    });
    if let Ok(decoded) = decoded {
        assert_eq!(decoded.spans, spans);
    }
});
