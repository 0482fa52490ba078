//! The log on a real Kafka (`cargo xtask stack up kafka`), in one binary: rdkafka is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test's ways

mod conformance;
mod faults;
mod foreign;
mod support;
