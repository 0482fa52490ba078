//! Errors as OpenTelemetry's exception events.

use std::error::Error;
use std::fmt;

use serde_json::Value as Json;
use tracewell_sdk::Tracer;
use tracewell_sdk::settings::Protocol;

use crate::PATIENCE;
use crate::collector::Collector;

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the price is no number")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// An error that is its own cause, as no error should be.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("round")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Circle)
    }
}

fn recorded(error: &(impl Error + 'static)) -> Json {
    let collector = Collector::healthy();
    let tracer = Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans)
        .build();
    let mut span = tracer.start("work");
    span.record_error(error);
    span.end();
    assert!(tracer.shutdown(PATIENCE));
    collector.spans()[0].clone()
}

#[test]
fn an_error_says_its_type_its_message_and_its_causes() {
    let span = recorded(&Outer("x".parse::<u32>().unwrap_err()));
    assert_eq!(span["status"], "error");
    assert_eq!(span["status_message"], "the price is no number");
    let event = &span["events"][0];
    assert_eq!(event["name"], "exception");
    let attributes = &event["attributes"];
    assert!(
        attributes["exception.type"]
            .as_str()
            .unwrap()
            .ends_with("Outer")
    );
    assert_eq!(attributes["exception.message"], "the price is no number");
    let stack = attributes["exception.stacktrace"].as_str().unwrap();
    assert!(
        stack.contains("caused by: invalid digit found in string"),
        "{stack}"
    );
}

#[test]
fn causes_without_end_have_one() {
    let span = recorded(&Circle);
    let stack = span["events"][0]["attributes"]["exception.stacktrace"]
        .as_str()
        .unwrap();
    assert_eq!(stack.matches("caused by: round").count(), 32);
}

#[test]
fn a_span_that_a_panic_ends_is_an_error() {
    let collector = Collector::healthy();
    let tracer = Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans)
        .build();
    let panicked = std::thread::spawn(move || {
        let _span = tracer.start("work");
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(tracer.shutdown(PATIENCE));
    let span = &collector.spans()[0];
    assert_eq!(
        (&span["status"], &span["status_message"]),
        (&"error".into(), &"panicked".into())
    );
}
