//! OpenTelemetry's SDK with our ring behind it: its API, propagators and instrumentation stay as they
//! are, and its spans are never waited for, dropped oldest first, counted, and sent by our flusher.
//!
//! ```
//! use opentelemetry::trace::{Tracer as _, TracerProvider as _};
//! use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
//! use tracewell_sdk::{Tracer, bridge::opentelemetry::RingProcessor};
//!
//! let provider = SdkTracerProvider::builder()
//!     .with_resource(Resource::builder().with_service_name("checkout").build())
//!     .with_span_processor(RingProcessor::new(Tracer::builder().endpoint("http://127.0.0.1:4318")))
//!     .build();
//! provider.tracer("shop").in_span("charge card", |_| {});
//! # provider.shutdown_with_timeout(std::time::Duration::ZERO).ok();
//! ```

use std::future::{Future, ready};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{SpanContext as OtherContext, SpanKind, Status as OtherStatus};
use opentelemetry::{Array, Context, KeyValue, Value as OtherValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanExporter, SpanProcessor};

use crate::clock;
use crate::context::SpanContext;
use crate::encode::record::{Head, Parent, Record};
use crate::id::{SpanId, TraceFlags, TraceId};
use crate::propagation::tracestate::{Level, TraceState};
use crate::span::{Kind, Status};
use crate::tracer::{Tracer, TracerBuilder};
use crate::value::Value;

/// Puts every span that ends into our ring. Install it as the span processor; where something else
/// batches already, it is an exporter as well.
#[derive(Debug)]
pub struct RingProcessor {
    /// Until the provider has said its resource, or the first span ends.
    builder: Mutex<Option<TracerBuilder>>,
    tracer: OnceLock<Tracer>,
}

impl RingProcessor {
    /// Over a tracer of these settings, whose resource the provider completes. The provider's sampler
    /// decides, and the tracer's is not asked.
    pub fn new(builder: TracerBuilder) -> Self {
        RingProcessor {
            builder: Mutex::new(Some(builder)),
            tracer: OnceLock::new(),
        }
    }

    /// The tracer, for its [account](Tracer::account).
    pub fn tracer(&self) -> Tracer {
        let build = || {
            let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
            builder
                .take()
                .map_or_else(Tracer::disabled, TracerBuilder::build)
        };
        *self.tracer.get_or_init(build)
    }

    fn adopt(&mut self, resource: &Resource) {
        let builder = self
            .builder
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        *builder = builder.take().map(|builder| {
            builder.settings(|settings| {
                for (key, value) in resource {
                    settings.set_resource(key.as_str(), value.to_string());
                }
            })
        });
    }

    fn take(&self, span: &SpanData) {
        if span.span_context.is_sampled() {
            record(self.tracer(), span);
        }
    }

    fn stop(&self, timeout: Duration) -> OTelSdkResult {
        done(self.tracer().shutdown(timeout), timeout)
    }

    fn send(&self) -> OTelSdkResult {
        let timeout = self.tracer().settings().exchange_timeout;
        done(self.tracer().flush(timeout), timeout)
    }
}

fn done(in_time: bool, timeout: Duration) -> OTelSdkResult {
    match in_time {
        true => Ok(()),
        false => Err(OTelSdkError::Timeout(timeout)),
    }
}

impl SpanProcessor for RingProcessor {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.take(&span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.send()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.stop(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.adopt(resource);
    }
}

impl SpanExporter for RingProcessor {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        batch.iter().for_each(|span| self.take(span));
        ready(Ok(()))
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.send()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.stop(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.adopt(resource);
    }
}

fn record(tracer: Tracer, span: &SpanData) {
    let scope = &span.instrumentation_scope;
    let tracer = tracer.with_scope(scope.name(), scope.version().unwrap_or_default());
    let core = tracer.core();
    let context = context(&span.span_context);
    let parent = SpanContext::new(
        context.trace_id(),
        SpanId::from_bytes(span.parent_span_id.to_bytes()),
        context.flags(),
        span.parent_span_is_remote,
        TraceState::default(),
    );
    let start_unix_ns = clock::unix_ns_of(span.start_time);
    let head = Head {
        scope: tracer.scope(),
        context: &context,
        parent: Parent::of(&parent),
        name: &span.name,
        kind: kind(&span.span_kind),
        start_unix_ns,
    };
    let mut record = Record::begin(&head, &core.settings.limits);
    with_values(&span.attributes, |pairs| {
        for (key, value) in pairs {
            record.set_attribute(key, *value);
        }
    });
    for event in &span.events.events {
        let at = clock::unix_ns_of(event.timestamp);
        with_values(&event.attributes, |pairs| {
            record.add_event(at, &event.name, pairs)
        });
    }
    for link in &span.links.links {
        let to = self::context(&link.span_context);
        with_values(&link.attributes, |pairs| record.add_link(&to, pairs));
    }
    record.note_dropped(
        span.dropped_attributes_count,
        span.events.dropped_count,
        span.links.dropped_count,
    );
    record.set_status(match &span.status {
        OtherStatus::Unset => Status::Unset,
        OtherStatus::Ok => Status::Ok,
        OtherStatus::Error { description } => Status::Error(description.clone()),
    });
    let end_unix_ns = clock::unix_ns_of(span.end_time).max(start_unix_ns);
    core.end(&mut record, start_unix_ns, end_unix_ns);
}

fn context(other: &OtherContext) -> SpanContext {
    let state = other.trace_state().header();
    SpanContext::new(
        TraceId::from_bytes(other.trace_id().to_bytes()),
        SpanId::from_bytes(other.span_id().to_bytes()),
        TraceFlags::from_bits(other.trace_flags().to_u8()),
        other.is_remote(),
        TraceState::parse(&state, Level::Two).unwrap_or_default(),
    )
}

fn kind(kind: &SpanKind) -> Kind {
    match kind {
        SpanKind::Client => Kind::Client,
        SpanKind::Server => Kind::Server,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
        SpanKind::Internal => Kind::Internal,
    }
}

/// Lends attributes as our values, for the length of one call.
fn with_values(attributes: &[KeyValue], mut lend: impl FnMut(&[(&str, Value<'_>)])) {
    let lists: Vec<Vec<Value<'_>>> = attributes.iter().map(|pair| list(&pair.value)).collect();
    let pairs: Vec<(&str, Value<'_>)> = attributes
        .iter()
        .zip(&lists)
        .map(|(pair, list)| (pair.key.as_str(), value(&pair.value, list)))
        .collect();
    lend(&pairs);
}

fn list(value: &OtherValue) -> Vec<Value<'_>> {
    match value {
        OtherValue::Array(Array::Bool(values)) => values.iter().map(|v| Value::Bool(*v)).collect(),
        OtherValue::Array(Array::I64(values)) => values.iter().map(|v| Value::I64(*v)).collect(),
        OtherValue::Array(Array::F64(values)) => values.iter().map(|v| Value::F64(*v)).collect(),
        OtherValue::Array(Array::String(values)) => {
            values.iter().map(|v| Value::Str(v.as_str())).collect()
        }
        _ => Vec::new(),
    }
}

fn value<'a>(value: &'a OtherValue, list: &'a [Value<'a>]) -> Value<'a> {
    match value {
        OtherValue::Bool(yes) => Value::Bool(*yes),
        OtherValue::I64(number) => Value::I64(*number),
        OtherValue::F64(number) => Value::F64(*number),
        OtherValue::String(text) => Value::Str(text.as_str()),
        _ => Value::List(list),
    }
}
