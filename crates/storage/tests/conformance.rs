//! The memory backend passes every suite, and every broken backend fails one: the suites see.

use tracewell_storage::conformance::broken::{
    BrokenLog, BrokenStats, BrokenStore, LogFault, StatsFault, StoreFault,
};
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

#[test]
fn broken_logs_fail() {
    for fault in LogFault::ALL {
        let result = log_suite(&BrokenLog(fault));
        let failure = result.expect_err(&format!("{fault:?} was not noticed"));
        println!("{fault:?} fails: {}", failure.case);
    }
}

#[test]
fn broken_stores_fail() {
    for fault in StoreFault::ALL {
        let result = store_suite(&BrokenStore(fault));
        let failure = result.expect_err(&format!("{fault:?} was not noticed"));
        println!("{fault:?} fails: {}", failure.case);
    }
}

#[test]
fn broken_stats_fail() {
    for fault in StatsFault::ALL {
        let result = stats_suite(&BrokenStats(fault));
        let failure = result.expect_err(&format!("{fault:?} was not noticed"));
        println!("{fault:?} fails: {}", failure.case);
    }
}
