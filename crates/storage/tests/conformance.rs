//! The memory backend passes every suite, and every broken backend fails one: the suites see.

use tracewell_storage::conformance::memory::MemoryFixture;
use tracewell_storage::conformance::{expect_passed, log_suite, stats_suite, store_suite};

#[test]
fn memory_log_passes() {
    let passed = expect_passed(log_suite(&MemoryFixture));
    assert!(passed.left_out.is_empty());
}

#[test]
fn memory_store_passes() {
    let passed = expect_passed(store_suite(&MemoryFixture));
    assert!(passed.left_out.is_empty());
}

#[test]
fn memory_stats_pass() {
    let passed = expect_passed(stats_suite(&MemoryFixture));
    assert!(passed.left_out.is_empty());
}
