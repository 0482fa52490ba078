//! What a span says arrives as it was said.

use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{
    Baggage, Context, Kind, Sampler, Span, SpanContext, SpanId, Status, TraceFlags, TraceId,
    TraceState, Tracer, Value,
};

use crate::PATIENCE;
use crate::collector::Collector;

fn tracer(collector: &Collector) -> Tracer {
    let builder = Tracer::builder()
        .service_name("cart")
        .endpoint(&collector.url());
    builder.protocol(Protocol::Spans).build()
}

/// The one span that `speak` speaks to, as it arrives.
fn arrived(speak: impl FnOnce(&mut Span)) -> Json {
    let collector = Collector::healthy();
    let tracer = tracer(&collector);
    let mut span = tracer.start("work");
    speak(&mut span);
    span.end();
    assert!(tracer.shutdown(PATIENCE));
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    spans[0].clone()
}

#[test]
fn values_arrive_verbatim() {
    let list = [Value::Str("a"), Value::I64(-1), Value::List(&[])];
    let span = arrived(|span| {
        span.set_attribute("text", "größe \"q\" \\ \u{0}\u{1f}\n\u{202e}");
        span.set_attribute("empty", "");
        span.set_attribute("min", i64::MIN);
        span.set_attribute("max", u64::MAX);
        span.set_attribute("half", 0.5);
        span.set_attribute("nan", f64::NAN);
        span.set_attribute("yes", true);
        span.set_attribute("list", &list[..]);
        span.set_attribute("bytes", &[0u8, 255, 16, 1][..]);
        span.set_attribute("long", &"x".repeat(70_000));
    });
    let expected = json!({
        "text": "größe \"q\" \\ \u{0}\u{1f}\n\u{202e}", "empty": "", "min": i64::MIN,
        "max": u64::MAX as f64, "half": 0.5, "nan": "NaN", "yes": true,
        "list": ["a", -1, []], "bytes": {"bytes": "AP8QAQ=="}, "long": "x".repeat(70_000),
    });
    assert_eq!(span["tags"], expected);
    assert_eq!(span["service_name"], "cart");
    assert_eq!(span["operation_name"], "work");
    assert_eq!(span["kind"], "internal");
    assert_eq!(span["status"], "ok");
    assert_eq!(span["resource"]["service.name"], "cart");
    assert_eq!(span["resource"]["telemetry.sdk.language"], "rust");
    assert_eq!(span["scope"]["name"], "tracewell-sdk");
    assert_eq!(
        span["scope"]["attributes"],
        json!({}),
        "nothing was lost, so nothing is told"
    );
}

#[test]
fn the_last_value_of_a_key_counts() {
    let span = arrived(|span| {
        span.set_name("a name known only later");
        for number in 0..300 {
            span.set_attribute(["a", "bb", "b"][number % 3], number);
        }
        span.add_event("between", &[("a", Value::I64(7))]);
        span.set_attribute("a", "last");
        span.set_attribute("ab", 1);
        span.set_name("renamed");
    });
    assert_eq!(
        span["tags"],
        json!({"a": "last", "bb": 298, "b": 299, "ab": 1})
    );
    assert_eq!(span["operation_name"], "renamed");
    assert_eq!(span["events"][0]["attributes"], json!({"a": 7}));
}

#[test]
fn parents_kinds_and_links() {
    let collector = Collector::healthy();
    let tracer = tracer(&collector);
    let root = tracer.span("root").kind(Kind::Server).start();
    let current = root.enter();
    let child = tracer.span("child").kind(Kind::Client).start();
    let mut alone = tracer.span("alone").root().kind(Kind::Consumer).start();
    alone.add_link(child.span_context(), &[("why", Value::Str("batch"))]);
    alone.add_link(&SpanContext::default(), &[]);
    drop(current);
    let beside = tracer
        .span("beside")
        .kind(Kind::Producer)
        .parent(&root.context())
        .start();
    let ids = [&root, &child, &alone, &beside].map(|span| span.span_context().clone());
    drop((beside, alone, child, root));
    assert!(tracer.shutdown(PATIENCE));

    let spans = collector.spans();
    let of = |name: &str| {
        spans
            .iter()
            .find(|span| span["operation_name"] == name)
            .unwrap()
    };
    let id = |number: usize| ids[number].span_id().to_string();
    assert_eq!(of("root").get("parent_span_id"), None);
    assert_eq!(
        of("root")["flags"],
        0x103,
        "sampled, random, and the parent is not remote"
    );
    assert_eq!(of("child")["parent_span_id"], id(0));
    assert_eq!(of("beside")["parent_span_id"], id(0));
    assert_eq!(of("child")["trace_id"], of("root")["trace_id"]);
    assert_eq!(of("alone").get("parent_span_id"), None);
    assert_ne!(of("alone")["trace_id"], of("root")["trace_id"]);
    let links = &of("alone")["links"];
    assert_eq!(
        links.as_array().unwrap().len(),
        1,
        "a link to nothing is none"
    );
    assert_eq!(links[0]["span_id"], id(1));
    assert_eq!(links[0]["attributes"], json!({"why": "batch"}));
    let kinds = ["root", "child", "alone", "beside"].map(|name| of(name)["kind"].clone());
    assert_eq!(kinds, ["server", "client", "consumer", "producer"]);
}

#[test]
fn times_are_as_given_and_durations_never_negative() {
    let collector = Collector::healthy();
    let tracer = tracer(&collector);
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let mut span = tracer.span("then").start_time(start).start();
    span.add_event_at(start + Duration::from_millis(1), "event", &[]);
    span.end_at(start + Duration::from_millis(3));
    tracer
        .span("backwards")
        .start_time(start)
        .start()
        .end_at(SystemTime::UNIX_EPOCH);
    assert!(tracer.shutdown(PATIENCE));
    let spans = collector.spans();
    assert_eq!(spans[0]["start_time_unix_ns"], 1_700_000_000_000_000_000u64);
    assert_eq!(spans[0]["duration_ns"], 3_000_000);
    assert_eq!(
        spans[0]["events"][0]["time_unix_ns"],
        1_700_000_000_001_000_000u64
    );
    assert_eq!(spans[1]["duration_ns"], 0);
}

#[test]
fn what_is_over_a_limit_is_counted_in_the_span() {
    let collector = Collector::healthy();
    let builder = Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans);
    let tracer = builder
        .settings(|settings| {
            settings.limits.attributes_max = 2;
            settings.limits.events_max = 1;
            settings.limits.links_max = 0;
            settings.limits.span_bytes_max = 2000;
        })
        .build();
    let mut span = tracer.start("work");
    let other = tracer.start("other");
    for number in 0..5 {
        span.set_attribute(&format!("key{number}"), number);
        span.add_event(
            "event",
            &[("a", 1.into()), ("b", 2.into()), ("c", 3.into())],
        );
        span.add_link(other.span_context(), &[]);
    }
    span.end();
    let mut big = tracer.start("big");
    big.set_attribute("too big", &"x".repeat(3000));
    big.set_attribute("small", 1);
    big.end();
    drop(other);
    tracer.start(&"a name beyond all measure".repeat(100)).end();
    assert!(tracer.shutdown(PATIENCE));

    let spans = collector.spans();
    assert_eq!(spans[0]["tags"], json!({"key0": 0, "key1": 1}));
    assert_eq!(spans[0]["dropped_attributes_count"], 3);
    assert_eq!(spans[0]["dropped_events_count"], 4);
    assert_eq!(spans[0]["dropped_links_count"], 5);
    assert_eq!(spans[0]["events"][0]["attributes"], json!({"a": 1, "b": 2}));
    assert_eq!(spans[0]["events"][0]["dropped_attributes_count"], 1);
    assert_eq!(spans[1]["tags"], json!({"small": 1}));
    assert_eq!(spans.len(), 3);
    let account = tracer.account();
    assert_eq!(account.dropped(tracewell_sdk::DropReason::TooLarge), 1);
    assert_eq!((account.ended, account.sent, account.queued), (4, 3, 0));
}

#[test]
fn an_ok_is_final_and_an_error_can_be_overruled() {
    let error = |message: &'static str| Status::error(message);
    let check = |statuses: &[Status], expected: (&str, Json)| {
        let span = arrived(|span| statuses.iter().for_each(|s| span.set_status(s.clone())));
        let message = span.get("status_message").cloned().unwrap_or(Json::Null);
        assert_eq!(
            (span["status"].as_str().unwrap(), message),
            expected,
            "{statuses:?}"
        );
    };
    check(&[], ("ok", Json::Null));
    check(&[error("a"), error("b")], ("error", json!("b")));
    check(&[Status::Ok, error("late")], ("ok", Json::Null));
    check(&[error("a"), Status::Unset], ("error", json!("a")));
    check(&[error("a"), Status::Ok], ("ok", Json::Null));
}

#[test]
fn what_is_not_sampled_is_not_sent_and_says_so_to_its_callees() {
    let collector = Collector::healthy();
    let builder = Tracer::builder().endpoint(&collector.url());
    let tracer = builder
        .sampler(Sampler::parent_based(Sampler::never()))
        .build();
    let mut root = tracer.start("root");
    assert!(!root.is_recording() && !root.span_context().is_sampled());
    root.set_attribute("costs", "nothing");
    let child = tracer.span("child").parent(&root.context()).start();
    assert!(!child.is_recording());
    assert_eq!(
        child.span_context().trace_id(),
        root.span_context().trace_id()
    );

    let ids = (TraceId::from_bytes([1; 16]), SpanId::from_bytes([2; 8]));
    let state = TraceState::default().with("other", "kept").unwrap();
    let sampled = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, true, state);
    let context = Context::of(sampled).with_baggage(Baggage::default().with("user", "u-17"));
    let below = tracer.span("below").parent(&context).start();
    assert!(below.is_recording(), "the caller decided");
    assert!(
        !below.span_context().flags().is_random(),
        "the caller did not say that it is"
    );
    assert_eq!(below.span_context().trace_state().header(), "other=kept");
    assert_eq!(below.context().baggage().get("user"), Some("u-17"));
    drop((root, child, below));
    assert!(tracer.shutdown(PATIENCE));
    assert_eq!(tracer.account().sent, 1);
}
