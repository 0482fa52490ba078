//! Trace and span ids: fixed-size newtypes. Inside, ids are bytes; hex exists only here and in `wire`.

use std::fmt;

/// The 128-bit id that all spans of one request share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TraceId(pub [u8; 16]);

/// The 64-bit id of one span. All zero means "none" where a parent is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SpanId(pub [u8; 8]);

impl TraceId {
    /// Parses 1 to 32 hex digits of either case; fewer than 32 are padded on the left.
    /// All-zero ids are refused: they mean "no trace" in every protocol.
    pub fn from_hex(hex: &str) -> Option<TraceId> {
        parse_hex::<16>(hex.as_bytes())
            .filter(|id| *id != [0; 16])
            .map(TraceId)
    }

    /// The id that these bytes are, unless they are all zero or not 16.
    pub fn from_slice(bytes: &[u8]) -> Option<TraceId> {
        let id: [u8; 16] = bytes.try_into().ok()?;
        (id != [0; 16]).then_some(TraceId(id))
    }

    /// Which of `shards` this trace belongs to. All spans of a trace meet in one shard.
    pub fn shard(self, shards: u16) -> u16 {
        if shards <= 1 {
            return 0;
        }
        let low = u64::from_be_bytes(std::array::from_fn(|i| self.0[i + 8]));
        // Fibonacci hashing: ids are mostly random, but padded and sequential ones exist.
        let mixed = low.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        (mixed % u64::from(shards)) as u16
    }
}

impl SpanId {
    /// Parses 1 to 16 hex digits of either case, padded on the left; zero is refused.
    pub fn from_hex(hex: &str) -> Option<SpanId> {
        parse_hex::<8>(hex.as_bytes())
            .filter(|id| *id != [0; 8])
            .map(SpanId)
    }

    /// The id that these bytes are, unless they are all zero or not 8.
    pub fn from_slice(bytes: &[u8]) -> Option<SpanId> {
        let id: [u8; 8] = bytes.try_into().ok()?;
        (id != [0; 8]).then_some(SpanId(id))
    }

    /// True for the all-zero id, which stands for "no parent".
    pub fn is_zero(self) -> bool {
        self.0 == [0; 8]
    }
}

/// The value of each byte that is a hex digit.
const HEX: [u8; 256] = {
    let (mut values, mut byte) = ([NO_DIGIT; 256], 0);
    while byte < values.len() {
        if let Some(value) = (byte as u8 as char).to_digit(16) {
            values[byte] = value as u8;
        }
        byte += 1;
    }
    values
};
const NO_DIGIT: u8 = u8::MAX;

/// Reads up to `2 * N` hex digits, right-aligned.
fn parse_hex<const N: usize>(hex: &[u8]) -> Option<[u8; N]> {
    if hex.is_empty() || hex.len() > 2 * N {
        return None;
    }
    // Whether all are digits is asked once, at the end.
    let (mut id, mut seen) = ([0u8; N], 0);
    for (byte, digits) in id.iter_mut().rev().zip(hex.rchunks(2)) {
        let values = digits.iter().map(|&digit| HEX[usize::from(digit)]);
        for value in values {
            seen |= value;
            *byte = *byte << 4 | value;
        }
    }
    (seen != NO_DIGIT).then_some(id)
}

fn write_hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_goes_in_and_out() {
        let id = TraceId::from_hex("4BF92f3577b34da6a3ce929d0e0e4736").unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            SpanId::from_hex("1").unwrap().to_string(),
            "0000000000000001"
        );
        assert_eq!(
            TraceId::from_hex("abc").unwrap().to_string(),
            format!("{:0>32}", "abc")
        );
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in [
            "",
            "0",
            "00000000000000000000000000000000",
            "xyz",
            "é",
            &"a".repeat(33),
        ] {
            assert_eq!(TraceId::from_hex(bad), None, "{bad:?}");
        }
        for byte in '\0'..='\u{ff}' {
            let read = SpanId::from_hex(&format!("{byte}1"));
            assert_eq!(read.is_some(), byte.is_ascii_hexdigit(), "{byte:?}");
        }
        assert_eq!(SpanId::from_slice(&[0; 8]), None);
        assert_eq!(SpanId::from_slice(&[1; 7]), None);
    }
}
