//! The suites that every backend runs (D10): fed through `append`, `apply` and `write`, asked
//! through the readers, ended by a crash or a clean stop, and compared with what was pushed.
//!
//! A backend gives a *fixture* that opens it in a new place; `log_suite`, `store_suite` and
//! `stats_suite` answer what was violated, in a sentence. Everything comes from a seed and a
//! [`tracewell_model::clock::ManualClock`]: a failure repeats. [`broken`] proves the suites themselves.

pub mod aside;
pub mod broken;
mod fixture;
mod log;
pub mod memory;
mod oracle;
mod paging;
mod random;
mod scan;
mod search;
mod search_random;
pub mod spans;
mod stats;
mod store;
mod store_bench;
pub mod traffic;
mod values;

use std::fmt;

pub use crate::memory::Restart;
pub use fixture::{
    Durability, LogFixture, OpenLog, OpenStats, OpenStore, StatsFixture, StoreFixture,
};
pub use log::log_suite;
pub use spans::{OwnedValue, SpanSpec};
pub use stats::stats_suite;

/// What a backend did that its seam's contract forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which case noticed, as a sentence of what should hold.
    pub case: &'static str,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "violated: {}: {}", self.case, self.seen)
    }
}

impl std::error::Error for Failure {}

/// What a suite that found nothing wrong looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// The cases that ran.
    pub cases: Vec<&'static str>,
    /// The cases that could not, because the backend declares it cannot do what they need.
    pub left_out: Vec<&'static str>,
}

/// One case: the sentence that must hold, what the backend must survive to be asked, the check.
type Case<Check> = (&'static str, Durability, Check);

type StoreCheck = fn(&dyn StoreFixture) -> Result<(), String>;

/// Everything a store must do: as a sink, as a reader by id, as a finder, and as a scanner.
pub fn store_suite(fixture: &dyn StoreFixture) -> Result<Passed, Failure> {
    let mut passed = Passed::default();
    let durability = fixture.durability();
    run(
        durability,
        store::CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    run(
        durability,
        search::CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    run(
        durability,
        search_random::CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    run(durability, scan::CASES, |check| check(fixture), &mut passed)?;
    run(
        durability,
        values::CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    run(
        durability,
        paging::CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    Ok(passed)
}

/// Panics with the failure's sentence: for a backend's own test.
#[track_caller]
pub fn expect_passed(result: Result<Passed, Failure>) -> Passed {
    match result {
        Ok(passed) => passed,
        Err(failure) => panic!("{failure}"),
    }
}

fn run<Check: Copy>(
    durability: Durability,
    cases: &[Case<Check>],
    call: impl Fn(Check) -> Result<(), String>,
    passed: &mut Passed,
) -> Result<(), Failure> {
    for &(case, needed, check) in cases {
        if durability < needed {
            passed.left_out.push(case);
            continue;
        }
        call(check).map_err(|seen| Failure { case, seen })?;
        passed.cases.push(case);
    }
    Ok(())
}

/// Says what was seen, unless this holds.
macro_rules! ensure {
    ($holds:expr, $($seen:tt)+) => {
        if !$holds {
            return Err(format!($($seen)+));
        }
    };
}
use ensure;

/// An unexpected error of the backend, as what was seen.
fn worked<T>(what: &str, result: Result<T, crate::Error>) -> Result<T, String> {
    result.map_err(|error| format!("{what} answered the error {error:?}"))
}
