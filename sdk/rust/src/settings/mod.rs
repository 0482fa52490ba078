//! What can be set, its defaults with their reasons, and the environment that sets it.

mod endpoint;
mod env;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use endpoint::{BadEndpoint, Endpoint};

use crate::flush::transport::Transport;
use crate::propagation::Propagator;
use crate::sampler::Sampler;

/// How spans are put to the collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// OTLP protobuf over HTTP, `POST /v1/traces`. The default: spans are kept in this form anyway, it
    /// is two thirds of the size of the other, and the server reads it in a fifth of the time.
    #[default]
    Otlp,
    /// Tracewell's own JSON, `POST /v1/spans`.
    Spans,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all: the default, for processor time is dearer than a local network.
    #[default]
    None,
    /// gzip, at its fastest level.
    #[cfg(feature = "gzip")]
    Gzip,
    /// zstd, level 1.
    #[cfg(feature = "zstd")]
    Zstd,
}

/// What one span may hold. What is over is left out and counted in the span itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Attributes of a span, of an event, of a link: OpenTelemetry's 128.
    pub attributes_max: u32,
    /// Events of a span: OpenTelemetry's 128.
    pub events_max: u32,
    /// Links of a span: OpenTelemetry's 128.
    pub links_max: u32,
    /// Bytes of a span: 256 KiB, room for the longest stack traces.
    pub span_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            attributes_max: 128,
            events_max: 128,
            links_max: 128,
            span_bytes_max: 256 << 10,
        }
    }
}

type MakeTransport = Arc<dyn Fn(&Settings) -> Box<dyn Transport> + Send + Sync>;

/// Everything that can be set. [`Settings::from_env`] reads the environment;
/// [`Tracer::builder`](crate::Tracer::builder) has a method for each.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where spans go.
    pub endpoint: Endpoint,
    /// In what form.
    pub protocol: Protocol,
    /// How compressed.
    pub compression: Compression,
    /// Headers sent along: credentials, tenants.
    pub headers: Vec<(String, String)>,
    /// What the spans' resource says; `service.name` is among it.
    pub resource: Vec<(String, String)>,
    /// Which traces are recorded.
    pub sampler: Sampler,
    /// The headers that contexts travel in.
    pub propagator: Propagator,
    /// What one span may hold.
    pub limits: Limits,
    /// Spans the ring holds: 50,000.
    pub ring_spans_max: usize,
    /// Memory the ring's spans may take: 64 MiB.
    pub ring_bytes_max: usize,
    /// A batch goes at least this often: 5 s.
    pub flush_interval: Duration,
    /// A batch goes when so many spans wait: 500; larger batches are never sent.
    pub batch_spans: usize,
    /// Until a connection stands: 3 s.
    pub connect_timeout: Duration,
    /// For one exchange, from its first byte to the answer's last: 10 s.
    pub exchange_timeout: Duration,
    /// How long dropping the last guard, and a panic that ends the process, wait for the rest to be
    /// sent: 2 s.
    pub shutdown_timeout: Duration,
    /// Whether a panic that ends the process sends what there is first (the hook installed before goes
    /// on working): yes.
    pub flush_on_panic: bool,
    /// Whether nothing is recorded at all; contexts still travel.
    pub disabled: bool,
    /// Makes the way to the collector, in place of HTTP/1.1 over TCP; for TLS, or for tests.
    pub transport: Option<MakeTransport>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            endpoint: Endpoint::default(),
            protocol: Protocol::default(),
            compression: Compression::default(),
            headers: Vec::new(),
            resource: vec![("service.name".to_owned(), unknown_service())],
            sampler: Sampler::default(),
            propagator: Propagator::default(),
            limits: Limits::default(),
            ring_spans_max: 50_000,
            ring_bytes_max: 64 << 20,
            flush_interval: Duration::from_secs(5),
            batch_spans: 500,
            connect_timeout: Duration::from_secs(3),
            exchange_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(2),
            flush_on_panic: true,
            disabled: false,
            transport: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers hold credentials, and are not shown.
        f.debug_struct("Settings")
            .field("endpoint", &self.endpoint)
            .field("protocol", &self.protocol)
            .field("compression", &self.compression)
            .field("resource", &self.resource)
            .field("sampler", &self.sampler)
            .field("propagator", &self.propagator)
            .field("limits", &self.limits)
            .field("ring_spans_max", &self.ring_spans_max)
            .field("ring_bytes_max", &self.ring_bytes_max)
            .field("flush_interval", &self.flush_interval)
            .field("batch_spans", &self.batch_spans)
            .field("disabled", &self.disabled)
            .finish_non_exhaustive()
    }
}

impl Settings {
    /// What the environment says, and a sentence for each variable that says what is not understood: it
    /// is left aside, for tracing must not keep a service from starting. Log the sentences.
    ///
    /// A `TRACEWELL_SDK_…` variable goes before its `OTEL_…` counterpart:
    ///
    /// | ours | OpenTelemetry's |
    /// |---|---|
    /// | `TRACEWELL_SDK_ENDPOINT` | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, `OTEL_EXPORTER_OTLP_ENDPOINT` |
    /// | `TRACEWELL_SDK_PROTOCOL` = `otlp`, `spans` | `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL`, `OTEL_EXPORTER_OTLP_PROTOCOL` = `http/protobuf` |
    /// | `TRACEWELL_SDK_COMPRESSION` = `none`, `gzip`, `zstd` | `OTEL_EXPORTER_OTLP_TRACES_COMPRESSION`, `OTEL_EXPORTER_OTLP_COMPRESSION` |
    /// | `TRACEWELL_SDK_HEADERS` = `name=value,…` | `OTEL_EXPORTER_OTLP_TRACES_HEADERS`, `OTEL_EXPORTER_OTLP_HEADERS` |
    /// | `TRACEWELL_SDK_TIMEOUT_MS` | `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT`, `OTEL_EXPORTER_OTLP_TIMEOUT` |
    /// | `TRACEWELL_SDK_SERVICE_NAME` | `OTEL_SERVICE_NAME` |
    /// | `TRACEWELL_SDK_RESOURCE_ATTRIBUTES` = `key=value,…` | `OTEL_RESOURCE_ATTRIBUTES` |
    /// | `TRACEWELL_SDK_SAMPLER` = `always_on`, `always_off`, `traceidratio`, `parentbased_…` | `OTEL_TRACES_SAMPLER` |
    /// | `TRACEWELL_SDK_SAMPLER_ARG` = `0.1` | `OTEL_TRACES_SAMPLER_ARG` |
    /// | `TRACEWELL_SDK_PROPAGATORS` = `tracecontext,tracecontext1,baggage,b3,b3multi,none` | `OTEL_PROPAGATORS` |
    /// | `TRACEWELL_SDK_RING_SPANS` | `OTEL_BSP_MAX_QUEUE_SIZE` |
    /// | `TRACEWELL_SDK_RING_BYTES` | |
    /// | `TRACEWELL_SDK_FLUSH_INTERVAL_MS` | `OTEL_BSP_SCHEDULE_DELAY` |
    /// | `TRACEWELL_SDK_BATCH_SPANS` | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE` |
    /// | `TRACEWELL_SDK_ATTRIBUTES_MAX`, `TRACEWELL_SDK_EVENTS_MAX`, `TRACEWELL_SDK_LINKS_MAX` | `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_SPAN_EVENT_COUNT_LIMIT`, `OTEL_SPAN_LINK_COUNT_LIMIT` |
    /// | `TRACEWELL_SDK_DISABLED` = `true` | `OTEL_SDK_DISABLED` |
    pub fn from_env() -> (Settings, Vec<String>) {
        Settings::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Settings::from_env), with another environment.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> (Settings, Vec<String>) {
        env::read(&lookup)
    }

    /// Sets an attribute of the resource.
    pub fn set_resource(&mut self, key: &str, value: impl Into<String>) {
        let value = value.into();
        match self.resource.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.resource.push((key.to_owned(), value)),
        }
    }
}

/// OpenTelemetry's name for a service that has none.
fn unknown_service() -> String {
    let executable = std::env::current_exe().ok();
    let name = executable
        .as_deref()
        .and_then(|path| path.file_name())
        .and_then(|name| name.to_str());
    name.map_or_else(
        || "unknown_service".to_owned(),
        |name| format!("unknown_service:{name}"),
    )
}
