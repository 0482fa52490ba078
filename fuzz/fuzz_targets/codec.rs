//! The stored form of a batch, from any bytes: refused, or a sound batch that writes and reads again.
#![no_main]

use tracewell_storage_embedded::codec;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(batch) = codec::decode(bytes) {
        let mut again = Vec::new();
        codec::encode(&batch, &mut again);
        assert_eq!(codec::decode(&again).expect("what was written reads"), batch);
        // Every read of a sound batch stays inside it.
        batch.spans().for_each(|span| span.attributes().for_each(drop));
    }
});
