//! Numbers of attributes as columns have them: small ones of either sign are small.

use tracewell_model::Value;
use tracewell_model::attribute::ValueType;

/// A column's number of a batch's word.
#[inline]
pub(crate) fn number_of(value_type: ValueType, word: u64) -> u64 {
    match value_type {
        ValueType::Int => word << 1 ^ ((word as i64) >> 63) as u64,
        _ => word,
    }
}

/// A batch's word of a column's number.
#[inline]
pub(crate) fn word_of(value_type: ValueType, number: u64) -> u64 {
    match value_type {
        ValueType::Int => (number >> 1) ^ (number & 1).wrapping_neg(),
        _ => number,
    }
}

/// The value that a column's number is.
pub(super) fn value(value_type: ValueType, number: u64) -> Value<'static> {
    let word = word_of(value_type, number);
    match value_type {
        ValueType::Double => Value::Double(f64::from_bits(word)),
        ValueType::Bool => Value::Bool(word != 0),
        _ => Value::Int(word as i64),
    }
}

/// The value of a column's number that is kept as bytes.
pub(super) fn read(value_type: ValueType, bytes: &[u8]) -> Value<'static> {
    let number = bytes.first_chunk().copied().map(u64::from_le_bytes);
    value(value_type, number.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            let coded = number_of(ValueType::Int, number as u64);
            assert_eq!(word_of(ValueType::Int, coded), number as u64);
        }
        assert_eq!(number_of(ValueType::Int, -1i64 as u64), 1);
        assert_eq!(number_of(ValueType::Double, 7), 7);
    }
}
