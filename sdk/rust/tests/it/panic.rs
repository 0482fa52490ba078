//! Panics that end the process, and those that do not.

use tracewell_sdk::Tracer;
use tracewell_sdk::settings::Protocol;

use crate::collector::Collector;
use crate::{as_child, child};

#[test]
fn a_panic_that_ends_the_process_sends_what_has_ended() {
    if let Some(url) = as_child() {
        let tracer = Tracer::builder()
            .endpoint(&url)
            .protocol(Protocol::Spans)
            .build();
        (0..120).for_each(|_| tracer.start("ended").end());
        // The test runner catches panics of its threads; this one gets no further than the hook.
        std::panic::set_hook({
            let before = std::panic::take_hook();
            Box::new(move |panic| {
                before(panic);
                std::process::abort();
            })
        });
        std::thread::Builder::new()
            .name("main".to_owned())
            .spawn(|| panic!("on purpose"))
            .unwrap()
            .join()
            .unwrap();
    }
    let collector = Collector::healthy();
    let test = "panic::a_panic_that_ends_the_process_sends_what_has_ended";
    let output = child(test, &collector.url());
    assert!(!output.status.success());
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        words.contains("on purpose"),
        "the hook before ours still speaks: {words}"
    );
    assert_eq!(collector.spans().len(), 120);
}

#[test]
fn a_guard_sends_what_a_panicking_main_leaves() {
    if let Some(url) = as_child() {
        let tracer = Tracer::builder()
            .endpoint(&url)
            .protocol(Protocol::Spans)
            .build();
        let _guard = tracer.guard();
        let _open = tracer.start("open while it panics");
        panic!("on purpose");
    }
    let collector = Collector::healthy();
    let output = child(
        "panic::a_guard_sends_what_a_panicking_main_leaves",
        &collector.url(),
    );
    assert!(!output.status.success());
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!(spans[0]["status_message"], "panicked");
}

#[test]
fn a_panic_that_is_survived_waits_for_nobody() {
    let collector = Collector::answering(|_| crate::collector::Answer::Hang);
    let tracer = Tracer::builder().endpoint(&collector.url()).build();
    tracer.start("ended").end();
    let survived = std::thread::spawn(|| panic!("on purpose")).join();
    assert!(survived.is_err());
    collector.wait_for(1); // the panic woke the flusher, and did not wait for its answer
    assert_eq!(tracer.account().queued, 1);
}
