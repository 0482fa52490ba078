//! The tracer: one a process, made once, copied freely.

use std::sync::OnceLock;
use std::time::Duration;

use crate::core::Core;
use crate::drops::Account;
use crate::flush::transport::Transport;
use crate::panic;
use crate::propagation::Propagator;
use crate::sampler::Sampler;
use crate::settings::{Compression, Endpoint, Protocol, Settings};
use crate::span::{Span, SpanBuilder};

/// Begins spans. A copy is as good as the original and costs nothing.
///
/// A tracer's ring and its flusher's thread belong to the process and stay until it ends
/// ([`shutdown`](Tracer::shutdown) ends the thread): make one, and keep it.
#[derive(Clone, Copy, Debug)]
pub struct Tracer {
    core: &'static Core,
    scope: u16,
}

impl Tracer {
    /// One whose settings are said in code.
    pub fn builder() -> TracerBuilder {
        TracerBuilder {
            settings: Settings::default(),
            problems: Vec::new(),
        }
    }

    /// One whose settings the environment says; see [`Settings::from_env`]. What it could not take is in
    /// [`problems`](Tracer::problems).
    pub fn from_env() -> Tracer {
        TracerBuilder::from_env().build()
    }

    /// One that records nothing and passes contexts on as they came.
    pub fn disabled() -> Tracer {
        static CORE: OnceLock<&'static Core> = OnceLock::new();
        let core = CORE.get_or_init(|| {
            let settings = Settings {
                disabled: true,
                ring_spans_max: 1,
                ..Settings::default()
            };
            Core::start(settings, Vec::new())
        });
        Tracer { core, scope: 0 }
    }

    /// Begins a span below the current one.
    #[inline]
    pub fn start(&self, name: &str) -> Span {
        SpanBuilder::new(*self, name).start()
    }

    /// A span to be begun, with more to say of it.
    #[inline]
    pub fn span<'a>(&self, name: &'a str) -> SpanBuilder<'a> {
        SpanBuilder::new(*self, name)
    }

    /// The same tracer for the spans of a library or a bridge, who are shown as its instrumentation
    /// scope. At most 31 different ones are told apart.
    pub fn with_scope(&self, name: &str, version: &str) -> Tracer {
        Tracer {
            scope: self.core.scopes.number(name, version),
            ..*self
        }
    }

    /// Writes and reads the headers that contexts travel in.
    pub fn propagator(&self) -> &'static Propagator {
        &self.core.settings.propagator
    }

    /// What it was made with.
    pub fn settings(&self) -> &'static Settings {
        &self.core.settings
    }

    /// What its settings could not take, a sentence each: log them.
    pub fn problems(&self) -> &'static [String] {
        &self.core.problems
    }

    /// What became of all spans so far: for the host's own metrics.
    pub fn account(&self) -> Account {
        self.core.account()
    }

    /// Sends what has ended so far. Says whether that was done within this time.
    pub fn flush(&self, timeout: Duration) -> bool {
        self.core.flush(timeout)
    }

    /// Sends what has ended so far, and stops. Says whether nothing was left when the time was over;
    /// spans that end later are counted, no more.
    pub fn shutdown(&self, timeout: Duration) -> bool {
        self.core.shutdown(timeout)
    }

    /// Shuts down when it is dropped, also while `main` unwinds: `let _guard = tracer.guard();`
    pub fn guard(&self) -> ShutdownGuard {
        ShutdownGuard { tracer: *self }
    }

    #[inline]
    pub(crate) fn core(&self) -> &'static Core {
        self.core
    }

    #[inline]
    pub(crate) fn scope(&self) -> u16 {
        self.scope
    }
}

/// See [`Tracer::guard`].
#[derive(Debug)]
#[must_use = "dropping the guard shuts the tracer down"]
pub struct ShutdownGuard {
    tracer: Tracer,
}

impl Drop for ShutdownGuard {
    fn drop(&mut self) {
        self.tracer
            .shutdown(self.tracer.settings().shutdown_timeout);
    }
}

/// Says what a tracer shall be like. Settings that have no method here are public fields of
/// [`Settings`]: see [`settings`](TracerBuilder::settings).
#[derive(Debug)]
#[must_use = "a tracer is made by `build`"]
pub struct TracerBuilder {
    settings: Settings,
    problems: Vec<String>,
}

impl TracerBuilder {
    /// Begins with what the environment says.
    pub fn from_env() -> Self {
        let (settings, problems) = Settings::from_env();
        TracerBuilder { settings, problems }
    }

    /// Changes any setting.
    ///
    /// ```
    /// use tracewell_sdk::Tracer;
    ///
    /// let builder = Tracer::builder().settings(|settings| settings.ring_spans_max = 10_000);
    /// # builder.build().shutdown(std::time::Duration::ZERO);
    /// ```
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// The service that the spans belong to.
    pub fn service_name(self, name: &str) -> Self {
        self.resource("service.name", name)
    }

    /// Something else to say of the service: its version, its region.
    pub fn resource(self, key: &str, value: &str) -> Self {
        self.settings(|settings| settings.set_resource(key, value))
    }

    /// Where spans go: `http://collector:4318`. One that cannot be read is left aside and named among the
    /// tracer's problems.
    pub fn endpoint(mut self, url: &str) -> Self {
        match Endpoint::base(url) {
            Ok(endpoint) => self.settings.endpoint = endpoint,
            Err(error) => self.problems.push(format!("endpoint: {error}")),
        }
        self
    }

    /// In what form.
    pub fn protocol(self, protocol: Protocol) -> Self {
        self.settings(|settings| settings.protocol = protocol)
    }

    /// How compressed.
    pub fn compression(self, compression: Compression) -> Self {
        self.settings(|settings| settings.compression = compression)
    }

    /// Which traces are recorded.
    pub fn sampler(self, sampler: Sampler) -> Self {
        self.settings(|settings| settings.sampler = sampler)
    }

    /// The headers that contexts travel in.
    pub fn propagator(self, propagator: Propagator) -> Self {
        self.settings(|settings| settings.propagator = propagator)
    }

    /// The way to the collector, in place of HTTP/1.1 over TCP. It is made on the flusher's thread, again
    /// in a forked child.
    pub fn transport<T: Transport + 'static>(
        self,
        make: impl Fn(&Settings) -> T + Send + Sync + 'static,
    ) -> Self {
        let make = move |settings: &Settings| Box::new(make(settings)) as Box<dyn Transport>;
        self.settings(|settings| settings.transport = Some(std::sync::Arc::new(make)))
    }

    /// Makes it and starts its flusher.
    pub fn build(mut self) -> Tracer {
        if self.settings.endpoint.is_tls() && self.settings.transport.is_none() {
            let problem =
                "an https endpoint needs a transport of the application's: nothing is sent";
            self.problems.push(problem.to_owned());
        }
        let core = Core::start(self.settings, self.problems);
        if core.settings.flush_on_panic && !core.settings.disabled {
            panic::watch(core);
        }
        Tracer { core, scope: 0 }
    }
}
