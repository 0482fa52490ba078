//! Bodies, compressed where the settings say so.

use crate::settings::Compression;

/// What a body has become.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    bytes: Vec<u8>,
}

impl Packed {
    /// The body to send and its `content-encoding`; nothing if it could not be compressed.
    pub(crate) fn pack<'a>(
        &'a mut self,
        body: &'a [u8],
        compression: Compression,
    ) -> Option<(&'a [u8], Option<&'static str>)> {
        self.bytes.clear();
        match compression {
            Compression::None => Some((body, None)),
            #[cfg(feature = "gzip")]
            Compression::Gzip => {
                use std::io::Write;
                let level = flate2::Compression::fast();
                let mut encoder =
                    flate2::write::GzEncoder::new(std::mem::take(&mut self.bytes), level);
                encoder.write_all(body).ok()?;
                self.bytes = encoder.finish().ok()?;
                Some((&self.bytes, Some("gzip")))
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                self.bytes = zstd::bulk::compress(body, 1).ok()?;
                Some((&self.bytes, Some("zstd")))
            }
        }
    }
}
