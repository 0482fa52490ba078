//! Runs a test command, shows its output as it comes, and counts what its runner says: cargo's
//! `test result:` lines, node's `# pass`, Vitest's `Tests`, Python's `N passed`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Counts of a step, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Runs a command of tests. A command that fails without a failed test counts as one.
pub(crate) fn run_counted(command: &mut Command) -> anyhow::Result<Counts> {
    // Errors stay on standard error; only what runners print as results is read.
    let mut child = command
        .stdout(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("run {command:?}"))?;
    let stdout = child.stdout.take().context("the child's output is piped")?;
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).lines() {
        let line = line.unwrap_or_else(|error| format!("(a line that is no text: {error})"));
        println!("{line}");
        counts.add(read_line(&strip_colours(&line)));
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!("xtask: {command:?} ended with {status}");
        counts.failed += 1;
    }
    Ok(counts)
}

/// What a runner's line adds to the counts.
fn read_line(line: &str) -> Counts {
    let line = line.trim();
    let mut counts = Counts::default();
    if line.starts_with("test result:") {
        counts.passed = number_before(line, " passed");
        counts.failed = number_before(line, " failed");
        counts.skipped = number_before(line, " ignored");
    } else if let Some(skipped) = line.strip_prefix("skipped: ") {
        // Our own tests say so when what they need is absent; cargo counts them as passed.
        counts.skipped = u64::from(!skipped.is_empty());
    } else if line.starts_with("Tests ") {
        counts.passed = number_before(line, " passed");
        counts.failed = number_before(line, " failed");
        counts.skipped = number_before(line, " skipped");
    } else if let Some((word, number)) = node_line(line) {
        match word {
            "pass" => counts.passed = number,
            "fail" => counts.failed = number,
            "skipped" => counts.skipped = number,
            _ => {}
        }
    }
    counts
}

/// `# pass 12` and `ℹ pass 12` of node's test runner.
fn node_line(line: &str) -> Option<(&str, u64)> {
    let rest = line
        .strip_prefix("# ")
        .or_else(|| line.strip_prefix("ℹ "))?;
    let (word, number) = rest.split_once(' ')?;
    Some((word, number.parse().ok()?))
}

fn number_before(line: &str, word: &str) -> u64 {
    let before = line
        .split(word)
        .next()
        .filter(|before| before.len() < line.len());
    let digits = before.and_then(|before| before.rsplit(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn strip_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut parts = line.split('\u{1b}');
    plain.extend(parts.next());
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, text)| text));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_runner_is_counted() {
        let of = |passed, failed, skipped| Counts {
            passed,
            failed,
            skipped,
        };
        let cargo =
            "test result: FAILED. 7 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(read_line(cargo), of(7, 2, 1));
        assert_eq!(read_line("ℹ pass 12"), of(12, 0, 0));
        assert_eq!(read_line("# fail 1"), of(0, 1, 0));
        assert_eq!(
            read_line("      Tests  3 failed | 31 passed (34)"),
            of(31, 3, 0)
        );
        assert_eq!(
            read_line(&strip_colours(
                "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[32m31 passed\u{1b}[39m"
            )),
            of(31, 0, 0)
        );
        assert_eq!(read_line("skipped: no ../shared/data"), of(0, 0, 1));
        assert_eq!(read_line("12 tests passed the door"), of(0, 0, 0));
    }
}
