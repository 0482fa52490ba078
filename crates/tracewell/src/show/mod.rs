//! Answers for the terminal: one trace as a tree, hits as a table, the account in a few lines.

pub(crate) mod sampling;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod trace;

use serde_json::Value;

/// Writes a line to standard output; a closed pipe (`| head`) is no error.
macro_rules! line {
    ($($part:tt)*) => {{
        use std::io::Write as _;
        if writeln!(std::io::stdout(), $($part)*).is_err() {
            return Ok(());
        }
    }};
}
pub(crate) use line;

/// Says on standard error what went wrong, and what to do about it if the error knows.
#[allow(clippy::print_stderr)] // the last word of a command that failed
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("tracewell: {error:#}");
}

/// Says something beside the answer, on standard error.
#[allow(clippy::print_stderr)] // what is piped on must be rows only
pub(crate) fn note(words: &str) {
    eprintln!("{words}");
}

/// A duration with three digits that matter and a unit.
pub(crate) fn duration(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns}ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    match value {
        value if value < 10.0 => format!("{value:.2}{unit}"),
        value if value < 100.0 => format!("{value:.1}{unit}"),
        value => format!("{value:.0}{unit}"),
    }
}

/// Text of strangers for a terminal: no control characters, so no escape sequences, and nothing that
/// turns the direction of the rest of the line, so that one tag cannot dress up as another.
pub(crate) fn safe(text: &str) -> String {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| {
        if c.is_control() || turns(c) {
            '\u{fffd}'
        } else {
            c
        }
    };
    text.chars().map(shown).collect()
}

/// A JSON value's text, without quotes around strings.
pub(crate) fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A member that is a text, or nothing.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or("")
}

/// A member that is a count, or zero.
pub(crate) fn count(value: &Value, member: &str) -> u64 {
    value[member].as_u64().unwrap_or(0)
}

/// Cuts a text to a width, with an ellipsis.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return format!("{text:<width$}");
    }
    let head: String = text.chars().take(width.saturating_sub(1)).collect();
    format!("{head}…")
}

/// Colours, when standard output is a terminal that wants them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn for_stdout() -> Paint {
        let wanted = std::env::var_os("NO_COLOR").is_none();
        Paint(wanted && std::io::IsTerminal::is_terminal(&std::io::stdout()))
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.paint("31;1", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let shown: Vec<String> = [999, 1_500, 12_345_678, 2_100_250_000, 732_000_000_000]
            .map(duration)
            .into();
        assert_eq!(shown, ["999ns", "1.50µs", "12.3ms", "2.10s", "732s"]);
    }

    #[test]
    fn a_stranger_cannot_drive_the_terminal() {
        assert_eq!(safe("a\x1b[2Jb"), "a\u{fffd}[2Jb");
        assert_eq!(safe("ok\u{202e}rorre\u{2069}"), "ok\u{fffd}rorre\u{fffd}");
    }
}
