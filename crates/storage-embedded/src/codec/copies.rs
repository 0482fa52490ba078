//! What encoder and decoder must count alike: how much may be copied from elsewhere, so that a few
//! bytes cannot become a full memory.

/// Copied whatever there is of own bytes: more than a usual batch holds.
const FREE_BYTES: usize = 1 << 20;
/// Copied bytes for each own one.
const PER_OWN_BYTE: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Copies {
    left: usize,
}

impl Copies {
    pub(super) fn new() -> Copies {
        Copies { left: FREE_BYTES }
    }

    /// So many bytes stand there themselves.
    #[inline]
    pub(super) fn note_own(&mut self, count: usize) {
        self.left = self.left.saturating_add(count.saturating_mul(PER_OWN_BYTE));
    }

    /// Whether so many may be copied; if so, they are.
    pub(super) fn take(&mut self, count: usize) -> bool {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// How a text is written: the low bits of the number that says its length.
pub(super) mod form {
    /// As it is.
    pub(in super::super) const PLAIN: u64 = 0;
    /// Two hexadecimal digits a byte.
    pub(in super::super) const HEX: u64 = 1;
    /// Without the beginning and the end that it shares with another text.
    pub(in super::super) const SHARED: u64 = 2;
    pub(in super::super) const BITS: u32 = 2;
}
