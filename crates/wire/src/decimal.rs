//! Decimal text to an integer of a smaller unit, exactly: `1.000001` ms is 1,000,001 ns. A double in
//! between would lose digits from 2^53 on.
#![warn(clippy::indexing_slicing)]

/// What to do with digits below the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inexact {
    /// Round half up.
    Round,
    /// Not this number.
    Refuse,
}

/// Reads a JSON number and multiplies it by `10^scale`; none where it is negative, no number, or
/// beyond 64 bits. `-0` is zero.
pub(crate) fn parse_scaled(text: &str, scale: i64, inexact: Inexact) -> Option<u64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let are_digits =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    // Digits before the unit's point, counted from the first digit written.
    let point = i64::try_from(whole.len()).ok()? + exponent + scale;
    let value = integer(whole.bytes().chain(fraction.bytes()), point, inexact)?;
    (!negative || value == 0).then_some(value)
}

/// The exponent, bounded so that sums of it cannot overflow; beyond ±10^6 all is zero or too large.
fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // A body's longest number has fewer digits than this, so the bound never changes a value.
    const BOUND: i64 = 1 << 40;
    let size = digits.parse().unwrap_or(BOUND).min(BOUND);
    Some(if negative { -size } else { size })
}

/// The integer that the digits before `point` make.
fn integer(digits: impl Iterator<Item = u8>, point: i64, inexact: Inexact) -> Option<u64> {
    let (mut value, mut at, mut round_up) = (0u64, 0i64, false);
    for digit in digits {
        let digit = u64::from(digit - b'0');
        if at < point {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if inexact == Inexact::Refuse && digit != 0 {
            return None;
        } else if at == point {
            round_up = digit >= 5;
        }
        at += 1;
    }
    // Zeros that are not written; a value overflows after twenty of them, so this is short.
    while at < point && value != 0 {
        value = value.checked_mul(10)?;
        at += 1;
    }
    value.checked_add(u64::from(round_up))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_exact_nanoseconds() {
        let cases = [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0e5", Some(0)),
            ("1.5", Some(1_500_000)),
            ("1.000001", Some(1_000_001)),
            ("0.0000005", Some(1)),
            ("0.00000049999", Some(0)),
            ("0.00000000005", Some(0)),
            ("1e3", Some(1_000_000_000)),
            ("1.25E-2", Some(12_500)),
            ("12345678901.123457", Some(12_345_678_901_123_457)),
            ("18446744073709.551615", Some(u64::MAX)),
            ("18446744073709.551616", None),
            ("1e308", None),
            ("1e99999999999999999999", None),
            ("1e-99999999999999999999", Some(0)),
            ("0e99999999999999999999", Some(0)),
            ("-1", None),
            ("-1e-30", Some(0)),
            ("", None),
            ("1.", None),
            (".5", None),
            ("NaN", None),
            ("+1", None),
            ("1e", None),
            ("\"1\"", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_scaled(text, 6, Inexact::Round), expected, "{text}");
        }
    }

    #[test]
    fn integers_may_be_written_as_decimals_but_not_be_fractions() {
        let cases = [
            ("1700000000000000001", Some(1_700_000_000_000_000_001)),
            ("1.7e18", Some(1_700_000_000_000_000_000)),
            ("5.0", Some(5)),
            ("5.1", None),
            ("5e-1", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_scaled(text, 0, Inexact::Refuse), expected, "{text}");
        }
    }
}
