//! JSON at a glance: reads what senders usually write and answers `None` for anything else, right or
//! wrong, so that a careful reader decides. What it reads it reads as serde_json would.
//!
//! Usual are strings without escapes, and numbers without an exponent.
#![warn(clippy::indexing_slicing)]

/// A JSON text, from some point on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    pub(crate) fn of(text: &'a str) -> Scan<'a> {
        Scan { rest: text }
    }

    /// What is not read yet.
    pub(crate) fn rest(self) -> &'a str {
        self.rest
    }

    /// Reads this character, with white space before it.
    #[inline]
    pub(crate) fn take(&mut self, character: u8) -> Option<()> {
        if self.rest.as_bytes().first() != Some(&character) {
            self.skip_space();
            if self.rest.as_bytes().first() != Some(&character) {
                return None;
            }
        }
        self.advance(1);
        Some(())
    }

    /// The next character that is no white space; it stays.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        match self.rest.as_bytes() {
            [b' ' | b'\n' | b'\t' | b'\r', ..] => {
                self.skip_space();
                self.rest.as_bytes().first().copied()
            }
            [next, ..] => Some(*next),
            [] => None,
        }
    }

    /// Reads one of these members' separators: true when another one follows, false at the end.
    #[inline]
    pub(crate) fn goes_on(&mut self, end: u8) -> Option<bool> {
        let next = self.peek()?;
        if next != b',' && next != end {
            return None;
        }
        self.advance(1);
        Some(next == b',')
    }

    /// Reads a member's name and its colon.
    #[inline]
    pub(crate) fn name(&mut self) -> Option<&'a str> {
        let name = self.string()?;
        self.take(b':')?;
        Some(name)
    }

    /// Reads a string without escapes.
    #[inline]
    pub(crate) fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let length = plain_length(self.rest.as_bytes());
        let (string, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest.strip_prefix('"')?;
        Some(string)
    }

    /// Reads `null`, `true` or `false`.
    pub(crate) fn word(&mut self, word: &str) -> Option<()> {
        self.peek()?;
        self.rest = self.rest.strip_prefix(word)?;
        self.ends_value()
    }

    /// Reads an integer of up to 19 digits, as nanoseconds have them; none of them is beyond 64 bits.
    #[inline]
    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        self.peek()?;
        let digits = self.digits().filter(|digits| digits.len() <= 19)?;
        self.ends_value()?;
        let add = |value: u64, digit: u8| value * 10 + u64::from(digit - b'0');
        Some(digits.bytes().fold(0, add))
    }

    /// Reads a number and answers how it is written; true where it has a fraction.
    #[inline]
    pub(crate) fn number(&mut self) -> Option<(&'a str, bool)> {
        self.peek()?;
        let before = self.rest;
        if let Some(rest) = self.rest.strip_prefix('-') {
            self.rest = rest;
        }
        self.digits()?;
        let fraction = match self.rest.strip_prefix('.') {
            Some(rest) => {
                self.rest = rest;
                let length = digits_length(rest.as_bytes());
                self.advance(length);
                (length > 0).then_some(true)?
            }
            None => false,
        };
        self.ends_value()?;
        let length = before.len() - self.rest.len();
        Some((before.get(..length)?, fraction))
    }

    /// Digits without a leading zero.
    #[inline]
    fn digits(&mut self) -> Option<&'a str> {
        let length = digits_length(self.rest.as_bytes());
        let digits = self.rest.get(..length)?;
        self.advance(length);
        let leading_zero = length > 1 && digits.starts_with('0');
        (length > 0 && !leading_zero).then_some(digits)
    }

    /// Whether a value that is no string ends here, so that nothing of it was left.
    #[inline]
    fn ends_value(&self) -> Option<()> {
        let ends = matches!(
            self.rest.as_bytes(),
            [b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r', ..]
        );
        ends.then_some(())
    }

    #[cold]
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r']);
    }

    /// Goes on behind so many ASCII characters.
    #[inline]
    fn advance(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or("");
    }
}

#[inline]
fn digits_length(text: &[u8]) -> usize {
    let other = text.iter().position(|byte| !byte.is_ascii_digit());
    other.unwrap_or(text.len())
}

/// How many bytes stand before the first quote, backslash or control character; eight at a time.
#[inline]
fn plain_length(text: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    // The high bit of each byte that is zero; of bytes above it perhaps too, which come later.
    let zeroes = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let (words, tail) = text.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeroes(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeroes(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let special = quotes | backslashes | controls;
        if special != 0 {
            return at * 8 + (special.trailing_zeros() / 8) as usize;
        }
    }
    let special = tail
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
    text.len() - tail.len() + special.unwrap_or(tail.len())
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_string_ends_where_it_ends_wherever_it_ends() {
        for length in 0..40 {
            for (special, is_end) in [('"', true), ('\\', false), ('\n', false), ('\u{1f}', false)]
            {
                for filler in ["x", "é", "\u{7f}", "\u{80}"] {
                    let plain = filler.repeat(length);
                    let text = format!("\"{plain}{special}\"tail");
                    let mut scan = Scan::of(&text);
                    assert_eq!(scan.string(), is_end.then_some(plain.as_str()), "{text:?}");
                }
            }
        }
        assert_eq!(Scan::of("\"never ends").string(), None);
    }

    #[test]
    fn what_it_reads_serde_json_reads_too() {
        let numbers =
            "0 -0 1 -1 01 1. .5 1.5 -1.25 1e3 1.5e3 12345678901234567890 - +1 0.0 00 1x 1.x";
        for number in numbers.split(' ') {
            let text = format!("{number},");
            let read: Option<serde_json::Number> = serde_json::from_str(number).ok();
            if let Some((written, fraction)) = Scan::of(&text).number() {
                let read = read.clone().expect("a number");
                assert_eq!((written, fraction), (number, number.contains('.')));
                assert_eq!(read.as_f64(), written.parse().ok());
            }
            if let Some(value) = Scan::of(&text).unsigned() {
                assert_eq!(read.and_then(|read| read.as_u64()), Some(value));
            }
        }
        assert_eq!(Scan::of(" \n 17 }").unsigned(), Some(17));
        assert_eq!(Scan::of("null,").word("null"), Some(()));
        assert_eq!(Scan::of("nullx,").word("null"), None);
    }
}
