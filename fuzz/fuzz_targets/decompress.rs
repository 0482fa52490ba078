//! The decompressor: never a panic, never more than the cap.
#![no_main]

use tracewell_wire::decompress::{Encoding, decompress};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for name in ["gzip", "zstd", "deflate", "identity"] {
        let Ok(encoding) = Encoding::parse(name) else { continue };
        if let Ok(body) = decompress(encoding, bytes, 1 << 20) {
            assert!(body.len() <= 1 << 20);
        }
    }
});
