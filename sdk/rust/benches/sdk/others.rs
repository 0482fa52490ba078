//! The same span by others' SDKs, each in the way that is fastest for it. Their spans go nowhere where only the
//! thread that speaks is measured, or to a collector by OTLP, as ours do.

use std::borrow::Cow;
use std::cell::RefCell;
use std::time::Duration;

use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::prelude::LocalSpan;
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::trace::{Span as _, SpanKind, Tracer as _, TracerProvider as _};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use tracewell_sdk::Tracer;
use tracewell_sdk::bridge::opentelemetry::RingProcessor;

/// Records the span of this number; lets what was recorded go.
pub(crate) type Ways = (Box<dyn Fn(u64)>, Box<dyn Fn()>);

#[derive(Debug)]
pub(crate) struct Nowhere;

impl SpanExporter for Nowhere {
    fn export(&self, _: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        std::future::ready(Ok(()))
    }
}

impl Reporter for Nowhere {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}

/// OpenTelemetry's own exporter: protobuf over HTTP.
pub(crate) fn otlp(url: &str) -> opentelemetry_otlp::SpanExporter {
    let builder = opentelemetry_otlp::SpanExporter::builder().with_http();
    let builder = builder.with_protocol(opentelemetry_otlp::Protocol::HttpBinary);
    builder
        .with_endpoint(format!("{url}/v1/traces"))
        .build()
        .unwrap()
}

/// fastrace's way to the same.
pub(crate) fn fastrace_otlp(url: &str) -> OpenTelemetryReporter {
    let resource = Resource::builder().with_service_name("bench").build();
    let scope = InstrumentationScope::builder("bench").build();
    OpenTelemetryReporter::new(otlp(url), Cow::Owned(resource), scope)
}

/// `opentelemetry_sdk` with its own batch processor.
pub(crate) fn opentelemetry_batch(exporter: impl SpanExporter + 'static) -> Ways {
    let batch = BatchSpanProcessor::builder(exporter).build();
    opentelemetry(
        SdkTracerProvider::builder()
            .with_span_processor(batch)
            .build(),
    )
}

/// `opentelemetry_sdk` with our ring in that place.
pub(crate) fn opentelemetry_ring() -> Ways {
    let builder = Tracer::builder()
        .transport(|_| |_: &tracewell_sdk::Request<'_>| Ok(tracewell_sdk::Reply::new(200)));
    let ring = RingProcessor::new(builder);
    opentelemetry(
        SdkTracerProvider::builder()
            .with_span_processor(ring)
            .build(),
    )
}

fn opentelemetry(provider: SdkTracerProvider) -> Ways {
    let (tracer, root) = (provider.tracer("bench"), Context::new());
    let record = move |number: u64| {
        let builder = tracer
            .span_builder("GET /cart/{id}")
            .with_kind(SpanKind::Server);
        let builder = builder.with_attributes([
            KeyValue::new("http.request.method", "GET"),
            KeyValue::new("http.route", "/cart/{id}"),
            KeyValue::new("http.response.status_code", 200),
            KeyValue::new("user.id", "u-12345678"),
            KeyValue::new("cart.items", number as i64),
            KeyValue::new("cache.hit", true),
        ]);
        builder.start_with_context(&tracer, &root).end();
    };
    (
        Box::new(record),
        Box::new(move || provider.force_flush().unwrap()),
    )
}

fn properties(number: u64) -> [(&'static str, Cow<'static, str>); 6] {
    [
        ("http.request.method", "GET".into()),
        ("http.route", "/cart/{id}".into()),
        ("http.response.status_code", "200".into()),
        ("user.id", "u-12345678".into()),
        ("cart.items", number.to_string().into()),
        ("cache.hit", "true".into()),
    ]
}

fn report_to(reporter: impl Reporter) {
    let config = Config::default().report_interval(Duration::from_millis(50));
    fastrace::set_reporter(reporter, config);
}

/// fastrace, a trace a span.
pub(crate) fn fastrace_root(reporter: impl Reporter) -> Ways {
    report_to(reporter);
    let record = |number| {
        let root = fastrace::Span::root("GET /cart/{id}", SpanContext::random());
        drop(root.with_properties(|| properties(number)));
    };
    (Box::new(record), Box::new(fastrace::flush))
}

/// fastrace where it is fastest: a local span, of whose thousand the parent takes care when it ends.
pub(crate) fn fastrace_local(reporter: impl Reporter) -> Ways {
    report_to(reporter);
    let parent = RefCell::new(None);
    let settle = move || {
        drop(parent.take());
        fastrace::flush();
        let root = fastrace::Span::root("parent", SpanContext::random());
        let local = root.set_local_parent();
        parent.replace(Some((local, root)));
    };
    let record = |number| {
        let span = LocalSpan::enter_with_local_parent("GET /cart/{id}");
        drop(span.with_properties(|| properties(number)));
    };
    (Box::new(record), Box::new(settle))
}
