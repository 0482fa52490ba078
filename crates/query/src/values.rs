//! Text → values of parameters: times, durations, windows, tag filters. Each error says what was
//! seen and what is accepted.

use regex::RegexBuilder;
use tracewell_model::{SpanId, TraceId};
use tracewell_storage::TagFilter;
use tracewell_storage::find::TagCondition;

use crate::errors::Failure;

/// A compiled expression's size: room for any that a person types, none for `(a{1000}){1000}`.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// An expression's nesting; the parser goes no deeper.
const REGEX_NESTING_MAX: u32 = 64;

const TIMES: &str = "Unix nanoseconds, RFC 3339, now, or now-15m (units s m h d)";
const DURATIONS: &str = "milliseconds with up to 6 decimals, as in 12.5";
const TAGS: &str = "key=value, key!=value, key~=regex, or key";

pub(crate) fn boolean(name: &str, text: &str) -> Result<bool, Failure> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Failure::parameter(name, text, "true, false")),
    }
}

/// A whole number from 1 to `max`.
pub(crate) fn count(name: &str, text: &str, max: usize) -> Result<usize, Failure> {
    let number = whole(text).and_then(|number| usize::try_from(number).ok());
    number
        .filter(|number| (1..=max).contains(number))
        .ok_or_else(|| Failure::parameter(name, text, &format!("1 to {max}")))
}

/// Digits only: `parse` alone would take a plus sign.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Nanoseconds of `15m`, `90s`, `1h`, `2d`.
fn span_of_time(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    whole(number)?.checked_mul(seconds * 1_000_000_000)
}

/// A point in time.
pub(crate) fn time(name: &str, text: &str, now_unix_ns: u64) -> Result<u64, Failure> {
    let at = if let Some(offset) = text.strip_prefix("now") {
        match offset.strip_prefix('-') {
            None => offset.is_empty().then_some(now_unix_ns),
            Some(back) => span_of_time(back).map(|back| now_unix_ns.saturating_sub(back)),
        }
    } else {
        whole(text).or_else(|| rfc_3339(text))
    };
    at.ok_or_else(|| Failure::parameter(name, text, TIMES))
}

fn rfc_3339(text: &str) -> Option<u64> {
    // In a query string a bare + is a space; an offset of +01:00 arrives as " 01:00".
    let text = match text.rsplit_once(' ') {
        Some((time, offset)) if time.contains(['T', 't']) => format!("{time}+{offset}"),
        _ => text.to_owned(),
    };
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok()
}

/// Milliseconds with fractions, exact: no double in between.
pub(crate) fn milliseconds(name: &str, text: &str) -> Result<u64, Failure> {
    let read = || {
        let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if fraction.len() > 6 {
            return None;
        }
        let fraction = whole(fraction)?.checked_mul(10u64.pow(6 - fraction.len() as u32))?;
        whole(digits)?.checked_mul(1_000_000)?.checked_add(fraction)
    };
    read().ok_or_else(|| Failure::parameter(name, text, DURATIONS))
}

/// A length of time from a minute to an hour.
pub(crate) fn window(name: &str, text: &str) -> Result<u64, Failure> {
    const MINUTE: u64 = 60_000_000_000;
    span_of_time(text)
        .filter(|ns| (MINUTE..=60 * MINUTE).contains(ns))
        .ok_or_else(|| Failure::parameter(name, text, "1m to 1h, as in 5m or 90s"))
}

pub(crate) fn trace_id(text: &str) -> Result<TraceId, Failure> {
    TraceId::from_hex(text)
        .ok_or_else(|| Failure::parameter("trace_id", text, "1 to 32 hex digits, not all zero"))
}

pub(crate) fn span_id(name: &str, text: &str) -> Result<SpanId, Failure> {
    SpanId::from_hex(text)
        .ok_or_else(|| Failure::parameter(name, text, "1 to 16 hex digits each, not all zero"))
}

/// A condition on an attribute: split at the first `=` (D17).
pub(crate) fn tag(name: &str, text: &str) -> Result<TagFilter, Failure> {
    let (key, condition) = match text.split_once('=') {
        None => (text, TagCondition::Exists),
        Some((left, value)) => {
            if let Some(key) = left.strip_suffix('!') {
                (key, TagCondition::NotEquals(value.to_owned()))
            } else if let Some(key) = left.strip_suffix('~') {
                (key, TagCondition::Matches(regex(name, value)?))
            } else {
                (left, TagCondition::Equals(value.to_owned()))
            }
        }
    };
    if key.is_empty() {
        return Err(Failure::parameter(name, text, TAGS));
    }
    Ok(TagFilter {
        key: key.to_owned(),
        condition,
    })
}

fn regex(name: &str, pattern: &str) -> Result<regex::Regex, Failure> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_NESTING_MAX)
        .build()
        .map_err(|error| {
            let why = match error {
                regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
                // The parser draws the place over several lines; its last line says what is wrong.
                error => error
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim()
                    .to_owned(),
            };
            let accepted =
                format!("a regular expression without look-around or backreferences ({why})");
            Failure::parameter(name, pattern, &accepted)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("now", Some(NOW)),
            ("now-15m", Some(NOW - 900_000_000_000)),
            ("now-3650d", Some(NOW - 315_360_000_000_000_000)),
            ("now-99999d", Some(0)),
            ("now-99999999999999999d", None),
            ("now-1w", None),
            ("now-", None),
            ("now+1m", None),
            ("nowhere", None),
            ("-1", None),
            ("+1", None),
            ("", None),
            ("1e9", None),
            ("2023-11-14T22:13:20Z", Some(NOW)),
            ("2023-11-14T23:13:20.000000001+01:00", Some(NOW + 1)),
            ("2023-11-14T23:13:20 01:00", Some(NOW)),
            ("1960-01-01T00:00:00Z", None),
            ("2023-11-14", None),
        ] {
            assert_eq!(time("start", text, NOW).ok(), expected, "{text}");
        }
    }

    #[test]
    fn durations_are_exact() {
        for (text, expected) in [
            ("0", Some(0)),
            ("12.5", Some(12_500_000)),
            ("0.000001", Some(1)),
            ("9007199254.740993", Some(9_007_199_254_740_993)),
            ("18446744073709.551615", Some(u64::MAX)),
            ("18446744073709.551616", None),
            ("0.0000001", None),
            (".5", None),
            ("5.", None),
            ("-1", None),
            ("1e3", None),
            ("NaN", None),
        ] {
            assert_eq!(
                milliseconds("min_duration_ms", text).ok(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn windows_are_bounded() {
        for (text, expected) in [
            ("1m", Some(60)),
            ("90s", Some(90)),
            ("1h", Some(3_600)),
            ("59s", None),
            ("61m", None),
            ("1d", None),
            ("5", None),
            ("é", None),
            ("", None),
        ] {
            let expected = expected.map(|seconds: u64| seconds * 1_000_000_000);
            assert_eq!(window("window", text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn tags_are_split_at_the_first_equals_sign() {
        let shown = |text| {
            tag("tag", text).ok().map(|filter| match filter.condition {
                TagCondition::Exists => format!("{}?", filter.key),
                TagCondition::Equals(value) => format!("{} is {value}", filter.key),
                TagCondition::NotEquals(value) => format!("{} is not {value}", filter.key),
                TagCondition::Matches(regex) => format!("{} like {regex}", filter.key),
            })
        };
        for (text, expected) in [
            ("a=b", Some("a is b")),
            ("a=b=c!=d", Some("a is b=c!=d")),
            ("a=", Some("a is ")),
            ("a!=b", Some("a is not b")),
            ("a~=^b.*$", Some("a like ^b.*$")),
            ("a", Some("a?")),
            ("a~b", Some("a~b?")),
            ("=b", None),
            ("", None),
            ("!=b", None),
            ("a~=(", None),
            ("a~=(?=b)", None),
            ("a~=(a{1000}){1000}", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
        let nested = format!("a~={}{}", "(".repeat(1_000), ")".repeat(1_000));
        assert!(tag("tag", &nested).is_err());
    }
}
