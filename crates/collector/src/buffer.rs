//! Buffers in which bodies are gathered and decompressed, used again and again.

use std::sync::Arc;

use bytes::Bytes;

use crate::pool::Pool;

/// The buffers that are not in use. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Buffers {
    pool: Arc<Pool<Vec<u8>>>,
}

/// A buffer; its memory goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    pool: Arc<Pool<Vec<u8>>>,
}

/// Buffers kept idle: a few times the requests that a machine reads at once.
const IDLE_MAX: usize = 16;
/// What larger bodies needed is given back to the allocator: they are rare, and their room is not to
/// be everyone's.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

impl Buffers {
    pub(crate) fn new() -> Buffers {
        Buffers {
            pool: Arc::new(Pool::new(IDLE_MAX)),
        }
    }

    /// An empty buffer.
    pub(crate) fn take(&self) -> Buffer {
        Buffer {
            bytes: self.pool.take().unwrap_or_default(),
            pool: Arc::clone(&self.pool),
        }
    }
}

impl Buffer {
    /// Its bytes, to be shared; the memory goes back with the last of them.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if (1..=KEPT_BYTES_MAX).contains(&bytes.capacity()) {
            bytes.clear();
            self.pool.give_back(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_with_the_last_of_its_bytes_unless_it_is_much() {
        let buffers = Buffers::new();
        let mut buffer = buffers.take();
        buffer.bytes.extend_from_slice(b"body");
        let at = buffer.bytes.as_ptr();
        let body = buffer.freeze();
        let part = body.slice(1..);
        drop(body);
        assert_eq!(buffers.take().bytes.capacity(), 0, "a part is still in use");
        drop(part);
        let mut again = buffers.take();
        assert!(again.bytes.is_empty() && again.bytes.as_ptr() == at);
        again.bytes.reserve_exact(KEPT_BYTES_MAX + 1);
        drop(again);
        assert_eq!(buffers.take().bytes.capacity(), 0);
    }
}
