//! Spans of `tracing` and of OpenTelemetry arrive as they were told, under the right parents.

use std::io::Write;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::{
    Span as _, SpanKind, Status, TraceContextExt, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context as OtherContext, KeyValue, Value as OtherValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SimpleSpanProcessor};
use serde_json::{Value as Json, json};
use tracewell_sdk::bridge::opentelemetry::RingProcessor;
use tracewell_sdk::bridge::tracing::{JoinKey, SpanLayer};
use tracewell_sdk::settings::Protocol;
use tracewell_sdk::{Tracer, TracerBuilder};
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;

use crate::PATIENCE;
use crate::collector::Collector;

fn builder(collector: &Collector) -> TracerBuilder {
    Tracer::builder()
        .endpoint(&collector.url())
        .protocol(Protocol::Spans)
}

fn named<'a>(spans: &'a [Json], name: &str) -> &'a Json {
    let mut found = spans.iter().filter(|span| span["operation_name"] == name);
    found
        .next()
        .unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

#[test]
fn spans_of_tracing_and_ours_nest_in_each_other() {
    let collector = Collector::healthy();
    let tracer = builder(&collector).build();
    let subscriber = tracing_subscriber::registry().with(SpanLayer::new(tracer));
    tracing::subscriber::with_default(subscriber, || {
        let page = tracer.start("page");
        let _page = page.enter();
        let charge = tracing::info_span!(
            "charge",
            otel.kind = "client",
            amount = 1999,
            late = tracing::field::Empty
        );
        let explicit = tracing::info_span!(parent: &charge, "explicit");
        charge.in_scope(|| {
            charge.record("late", "value");
            tracer.start("ours").end();
            tracing::info!(bank = "b1", tries = 2_u64, "asking");
            let _inner = tracing::info_span!("inner").entered();
            tracing::error!("the bank is closed");
        });
        drop(explicit);
        tracing::info_span!(parent: None, "root");
        tracing::info_span!("after").in_scope(|| ());
    });
    assert!(tracer.shutdown(PATIENCE));
    let spans = collector.spans();
    let parent_of = |name: &str| named(&spans, name)["parent_span_id"].clone();
    let id_of = |name: &str| named(&spans, name)["span_id"].clone();
    assert_eq!(parent_of("charge"), id_of("page"));
    assert_eq!(parent_of("ours"), id_of("charge"));
    assert_eq!(parent_of("inner"), id_of("charge"));
    assert_eq!(parent_of("explicit"), id_of("charge"));
    assert_eq!(
        parent_of("after"),
        id_of("page"),
        "what was left is no parent"
    );
    assert_eq!(parent_of("root"), Json::Null);
    let charge = named(&spans, "charge");
    assert_eq!(
        (&charge["kind"], &charge["status"]),
        (&"client".into(), &"ok".into())
    );
    assert_eq!(charge["tags"]["amount"], 1999);
    assert_eq!(charge["tags"]["late"], "value");
    assert_eq!(charge["scope"]["name"], "tracing");
    let asking = &charge["events"][0];
    assert_eq!(asking["name"], "asking");
    assert_eq!(
        (
            &asking["attributes"]["bank"],
            &asking["attributes"]["tries"]
        ),
        (&"b1".into(), &2.into())
    );
    assert_eq!(named(&spans, "inner")["status"], "error");
}

/// Where log lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn log_lines_carry_the_join_key() {
    let tracer = Tracer::builder().build();
    let (text, jsons) = (Lines::default(), Lines::default());
    let (to_text, to_json) = (text.clone(), jsons.clone());
    let plain = fmt::format().without_time().with_ansi(false);
    let text_layer = fmt::layer().event_format(JoinKey::text(plain.clone()));
    let json_layer = fmt::layer().fmt_fields(fmt::format::JsonFields::new());
    let json_layer = json_layer.event_format(JoinKey::json(plain.json()));
    let subscriber = tracing_subscriber::registry()
        .with(SpanLayer::new(tracer))
        .with(text_layer.with_writer(move || to_text.clone()))
        .with(json_layer.with_writer(move || to_json.clone()));
    let ids = tracing::subscriber::with_default(subscriber, || {
        tracing::info!("outside");
        let _span = tracing::info_span!("charge").entered();
        tracing::info!("inside");
        tracewell_sdk::Context::current().span().clone()
    });
    let read = |lines: &Lines| String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let (text, jsons) = (read(&text), read(&jsons));
    let prefix = format!("trace_id={} span_id={} ", ids.trace_id(), ids.span_id());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].trim_start().starts_with("INFO"), "{text}");
    assert!(
        lines[1].starts_with(&prefix) && lines[1].ends_with("inside"),
        "{text}"
    );
    let lines: Vec<Json> = jsons
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0].get("trace_id"), None);
    assert_eq!(lines[1]["trace_id"], ids.trace_id().to_string());
    assert_eq!(lines[1]["span_id"], ids.span_id().to_string());
    assert_eq!(lines[1]["fields"]["message"], "inside");
    tracer.shutdown(std::time::Duration::ZERO);
}

fn otel_spans(provider: &SdkTracerProvider) {
    let tracer = provider.tracer("shop");
    let mut order = tracer
        .span_builder("order")
        .with_kind(SpanKind::Server)
        .start(&tracer);
    order.set_attribute(KeyValue::new("items", 3));
    let list = Array::String(vec!["a".into(), "b".into()]);
    order.set_attribute(KeyValue::new("names", OtherValue::Array(list)));
    order.add_event("packed", vec![KeyValue::new("boxes", 2)]);
    let context = OtherContext::new().with_span(order);
    let mut charge = tracer.start_with_context("charge", &context);
    charge.set_status(Status::error("declined"));
    charge.end();
    context.span().end();
}

fn check_otel(spans: &[Json]) {
    assert_eq!(spans.len(), 2);
    let (order, charge) = (named(spans, "order"), named(spans, "charge"));
    assert_eq!(charge["parent_span_id"], order["span_id"]);
    assert_eq!(charge["trace_id"], order["trace_id"]);
    assert_eq!(order["parent_span_id"], Json::Null);
    assert_eq!(
        (&order["kind"], &order["status"]),
        (&"server".into(), &"ok".into())
    );
    assert_eq!(charge["status"], "error");
    assert_eq!(order["tags"], json!({"items": 3, "names": ["a", "b"]}));
    assert_eq!(order["events"][0]["name"], "packed");
    assert_eq!(order["events"][0]["attributes"], json!({"boxes": 2}));
    assert_eq!(order["scope"]["name"], "shop");
    assert_eq!(order["service_name"], "checkout", "the provider's resource");
    assert_eq!(order["resource"]["region"], "eu");
}

fn resource() -> Resource {
    let resource = Resource::builder().with_service_name("checkout");
    resource
        .with_attribute(KeyValue::new("region", "eu"))
        .build()
}

#[test]
fn opentelemetrys_spans_go_through_our_ring() {
    let collector = Collector::healthy();
    let processor = RingProcessor::new(builder(&collector));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(processor)
        .build();
    otel_spans(&provider);
    provider.force_flush().unwrap();
    check_otel(&collector.spans());
    provider.shutdown().unwrap();
}

#[test]
fn the_ring_is_an_exporter_as_well() {
    let collector = Collector::healthy();
    let exporter = SimpleSpanProcessor::new(RingProcessor::new(builder(&collector)));
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(exporter)
        .build();
    otel_spans(&provider);
    provider.shutdown().unwrap();
    check_otel(&collector.spans());
}
