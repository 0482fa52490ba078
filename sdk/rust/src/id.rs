//! Trace ids (128 bits), span ids (64 bits) and the flags that travel with them.

use std::fmt;

use crate::random;

/// A trace's id: 128 bits, not all zero when valid.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// A span's id: 64 bits, not all zero when valid.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// The flags of a `traceparent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TraceFlags(u8);

impl TraceId {
    /// The id that stands for none.
    pub const INVALID: TraceId = TraceId([0; 16]);

    /// From its bytes, as they are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        TraceId(bytes)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// From exactly 32 lower-case hex digits, not all zero.
    pub fn from_hex(hex: &[u8]) -> Option<Self> {
        decode_hex(hex).map(TraceId).filter(|id| id.is_valid())
    }

    /// Whether it is an id at all.
    #[inline]
    pub fn is_valid(self) -> bool {
        self != TraceId::INVALID
    }

    /// The right-most 64 bits, which ratio samplers decide by.
    #[inline]
    pub fn low(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

impl SpanId {
    /// The id that stands for none.
    pub const INVALID: SpanId = SpanId([0; 8]);

    /// From its bytes, as they are.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        SpanId(bytes)
    }

    /// Its bytes.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }

    /// From exactly 16 lower-case hex digits, not all zero.
    pub fn from_hex(hex: &[u8]) -> Option<Self> {
        decode_hex(hex).map(SpanId).filter(|id| id.is_valid())
    }

    /// Whether it is an id at all.
    #[inline]
    pub fn is_valid(self) -> bool {
        self != SpanId::INVALID
    }

    /// A new random id.
    #[inline]
    pub(crate) fn random() -> Self {
        SpanId(random::nonzero_u64().to_be_bytes())
    }
}

impl TraceFlags {
    /// The caller may have recorded the trace.
    pub const SAMPLED: TraceFlags = TraceFlags(0x01);
    /// At least the right-most 56 bits of the trace id are random (level 2 of the specification).
    pub const RANDOM: TraceFlags = TraceFlags(0x02);
    /// What version 00 knows; all others are sent as zero.
    const KNOWN: u8 = 0x03;

    /// From a byte; bits that version 00 does not know are cleared.
    pub const fn from_bits(bits: u8) -> Self {
        TraceFlags(bits & Self::KNOWN)
    }

    /// Its byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded the trace.
    #[inline]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the trace id says of itself that it is random.
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }

    /// The same flags with the sampled flag as given.
    #[inline]
    #[must_use]
    pub const fn with_sampled(self, sampled: bool) -> Self {
        TraceFlags((self.0 & !Self::SAMPLED.0) | sampled as u8)
    }
}

/// New ids for a root span.
#[inline]
pub(crate) fn root() -> (TraceId, SpanId) {
    let ((high, low), span) = random::root_ids();
    let id = (u128::from(high) << 64) | u128::from(low);
    (TraceId(id.to_be_bytes()), SpanId(span.to_be_bytes()))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Exactly as many lower-case hex digits as fill the array.
pub(crate) fn decode_hex<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if hex.len() != 2 * N {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        let [high, low] = *digits else { return None };
        *byte = (nibble(high)? << 4) | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_strict_and_round_trips() {
        let id = TraceId::from_hex(b"4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(id.low(), 0xa3ce_929d_0e0e_4736);
        for wrong in [
            "",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "0",
            "g0f067aa0ba902b7",
        ] {
            assert_eq!(TraceId::from_hex(wrong.as_bytes()), None);
            assert_eq!(SpanId::from_hex(wrong.as_bytes()), None);
        }
        assert_eq!(SpanId::from_hex(b"0000000000000000"), None);
    }

    #[test]
    fn unknown_flags_are_not_carried_on() {
        let flags = TraceFlags::from_bits(0xff);
        assert_eq!(flags.bits(), 0x03);
        assert!(flags.is_sampled() && flags.is_random());
        assert_eq!(flags.with_sampled(false).bits(), 0x02);
    }
}
