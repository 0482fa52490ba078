//! What block filters know of a value: a pinned hash of its key and text form (D17), so that `500`
//! and `"500"` are one. Whole numbers are hashed as numbers: no text is made of them to store them.

use tracewell_model::Value;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// The hash to ask a filter for.
pub(crate) fn filter_hash(key: &str, text: &str) -> u64 {
    of_text(seed(key), text.as_bytes())
}

/// A key's part of the hash.
pub(super) fn seed(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}

/// The hash of a value of the key with this seed.
pub(super) fn of_value(seed: u64, value: &Value<'_>) -> u64 {
    match value {
        Value::Int(number) => of_number(seed, *number),
        other => of_text(seed, other.text().as_bytes()),
    }
}

fn of_number(seed: u64, number: i64) -> u64 {
    xxh3_64_with_seed(&number.to_le_bytes(), seed)
}

/// The hash of a text of the key with this seed.
pub(super) fn of_text(seed: u64, text: &[u8]) -> u64 {
    match whole_number(text) {
        Some(number) => of_number(seed, number),
        None => xxh3_64_with_seed(text, seed),
    }
}

/// The number whose text form this is.
fn whole_number(text: &[u8]) -> Option<i64> {
    const BYTES_MAX: usize = 20; // of the longest, with its sign
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if text.len() <= BYTES_MAX => {}
        _ => return None,
    }
    let mut number = 0i64;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|digit| *digit < 10)?);
        // Below zero, where there is room for one more.
        number = number.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative {
        Some(number)
    } else {
        number.checked_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_text_have_one_hash() {
        let seed = seed("key");
        for number in [0, 1, -1, 10, 500, i64::MIN, i64::MAX] {
            let text = number.to_string();
            assert_eq!(whole_number(text.as_bytes()), Some(number));
            let hash = of_value(seed, &Value::Int(number));
            assert_eq!(hash, filter_hash("key", &text));
            assert_eq!(hash, of_value(seed, &Value::Str(&text)));
        }
        assert_eq!(
            of_value(seed, &Value::Double(5.0)),
            filter_hash("key", "5"),
            "doubles are compared by their text"
        );
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "9223372036854775808",
            "a",
        ] {
            assert_eq!(whole_number(text.as_bytes()), None, "{text:?}");
            assert_ne!(filter_hash("key", text), filter_hash("key", "1"));
        }
        assert_ne!(filter_hash("a", "1"), filter_hash("b", "1"));
    }
}
