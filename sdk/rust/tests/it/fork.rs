//! A process that forks after the tracer was made: the child has ids of its own, a flusher of its own, and
//! none of its parent's spans.
#![allow(unsafe_code)] // fork(2)

use std::collections::BTreeSet;

use tracewell_sdk::Tracer;
use tracewell_sdk::settings::Protocol;

use crate::collector::Collector;
use crate::{PATIENCE, as_child, child};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(code: i32) -> !;
}

#[test]
fn a_forked_child_goes_on_by_itself() {
    if let Some(url) = as_child() {
        return forking(&url);
    }
    let collector = Collector::healthy();
    let output = child("fork::a_forked_child_goes_on_by_itself", &collector.url());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let spans = collector.spans();
    let of = |name: &str| {
        spans
            .iter()
            .filter(|span| span["operation_name"] == name)
            .count()
    };
    assert_eq!((of("before"), of("parent"), of("child")), (300, 200, 250));
    let ids: BTreeSet<&str> = spans
        .iter()
        .map(|span| span["span_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), 750, "no id twice");
    let traces: BTreeSet<&str> = spans
        .iter()
        .map(|span| span["trace_id"].as_str().unwrap())
        .collect();
    assert_eq!(traces.len(), 750);
    let instance = |name: &str| {
        let found = spans
            .iter()
            .find(|span| span["operation_name"] == name)
            .unwrap();
        found["resource"]["service.instance.id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(instance("before"), instance("parent"));
    assert_ne!(instance("parent"), instance("child"));
}

/// In a process of its own.
fn forking(url: &str) {
    let tracer = Tracer::builder()
        .endpoint(url)
        .protocol(Protocol::Spans)
        .build();
    (0..300).for_each(|_| tracer.start("before").end());
    // SAFETY: the child uses only what a forked child of a threaded process may: memory that no other
    // thread holds a lock of, as the SDK promises, and then `_exit`.
    let pid = unsafe { fork() };
    if pid == 0 {
        (0..250).for_each(|_| tracer.start("child").end());
        let account = tracer.account();
        let fine =
            tracer.shutdown(PATIENCE) && account.ended == 250 && account.dropped_total() == 0;
        // SAFETY: ends the child without running the parent's destructors.
        unsafe { _exit(if fine { 0 } else { 9 }) }
    }
    (0..200).for_each(|_| tracer.start("parent").end());
    let mut status = -1;
    // SAFETY: `status` is ours to write to.
    let waited = unsafe { waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0), "the child's account");
    assert!(tracer.shutdown(PATIENCE));
    assert_eq!(tracer.account().sent, 500);
}
