//! The SDK from outside: what it sends, to collectors that behave and to those that do not.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)] // a test's way to fail

mod allocations;
mod bridges;
mod collector;
mod delivery;
mod errors;
mod figures;
mod fork;
mod invisible;
mod layers;
mod outage;
mod overload;
mod panic;
mod propagation;
mod protocols;
mod server;
mod shop;
mod spans;
mod w3c;
mod w3c_echo;

use std::process::{Command, Output};
use std::time::Duration;

/// Long enough for anything that happens at all; nothing is measured by it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs one of our own tests in a process of its own, which finds `TRACEWELL_TEST_CHILD` set.
fn child(test: &str, collector: &str) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command
        .env("TRACEWELL_TEST_CHILD", collector)
        .output()
        .unwrap()
}

/// In such a child: where its collector is.
fn as_child() -> Option<String> {
    std::env::var("TRACEWELL_TEST_CHILD").ok()
}
