//! One batch to the collector, one try.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::bytes::Bytes;
use crate::clock;
use crate::core::Core;
use crate::drops::DropReason;
use crate::encode::batch::{self, Losses};
use crate::encode::spans_json;
use crate::flush::compress::Packed;
use crate::flush::http1::Http1;
use crate::flush::reply::Outcome;
use crate::flush::transport::{Request, SendError, Transport};
use crate::flush::window;
use crate::settings::Protocol;

pub(crate) struct Delivery {
    core: &'static Core,
    transport: Box<dyn Transport>,
    path: String,
    resource: Vec<(String, String)>,
    resource_bytes: Bytes,
    body: Bytes,
    packed: Packed,
}

/// What became of a try.
pub(crate) enum Attempt {
    /// Every span of the batch is with the collector or counted as dropped.
    Done,
    /// It may be tried again, not before what the collector asked for.
    Later(Option<Duration>),
}

impl Delivery {
    pub(crate) fn new(core: &'static Core, resource: Vec<(String, String)>) -> Self {
        let settings = &core.settings;
        let transport = settings.transport.as_ref().map(|make| make(settings));
        Delivery {
            core,
            transport: transport.unwrap_or_else(|| Box::new(Http1::new(settings))),
            path: settings.endpoint.path(settings.protocol),
            resource_bytes: batch::resource(&resource),
            resource,
            body: Bytes::default(),
            packed: Packed::default(),
        }
    }

    pub(crate) fn attempt(&mut self, spans: &[Bytes]) -> Attempt {
        let losses = Losses::take(&self.core.drops);
        self.encode(spans, &losses);
        let outcome = self.exchange();
        if let Some(window) = losses.window
            && !matches!(outcome, Some(Outcome::Accepted { .. }))
        {
            self.core.drops.widen(window); // the server has not heard of these
        }
        let all = spans.len() as u64;
        let (reason, dropped) = match outcome {
            Some(Outcome::Accepted { refused }) => (DropReason::Refused, refused.min(all)),
            Some(Outcome::Refused) => (DropReason::Refused, all),
            Some(Outcome::Later(asked)) => return Attempt::Later(asked),
            None => (DropReason::Encode, all),
        };
        self.core.drops.add_sent(all - dropped);
        if dropped > 0
            && let Some(window) = window(spans)
        {
            self.core.drops.add(reason, dropped, window);
        }
        Attempt::Done
    }

    fn encode(&mut self, spans: &[Bytes], losses: &Losses) {
        let (body, scopes) = (&mut self.body, &self.core.scopes);
        match self.core.settings.protocol {
            Protocol::Otlp => batch::request(body, &self.resource_bytes, scopes, spans, losses),
            Protocol::Spans => {
                let text = spans_json::body(&self.resource, scopes, spans, losses);
                *body = text.into_bytes().into();
            }
        }
    }

    /// Nothing if the batch could not be put into the form to send.
    fn exchange(&mut self) -> Option<Outcome> {
        let settings = &self.core.settings;
        let (body, encoding) = self.packed.pack(&self.body, settings.compression)?;
        let content_type = match settings.protocol {
            Protocol::Otlp => "application/x-protobuf",
            Protocol::Spans => "application/json",
        };
        let agent = concat!("tracewell-sdk/", env!("CARGO_PKG_VERSION"));
        let mut headers = vec![("content-type", content_type), ("user-agent", agent)];
        headers.extend(encoding.map(|encoding| ("content-encoding", encoding)));
        let own = settings.headers.iter();
        headers.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
        let mut timeout = settings.exchange_timeout;
        if let Some(by) = self.core.control.close_by() {
            timeout = timeout.min(clock::left_until(by));
        }
        let request = Request::new(&self.path, &headers, body, timeout);
        let transport = &mut self.transport;
        // A transport of the application's may panic; the flusher goes on.
        let exchanged = catch_unwind(AssertUnwindSafe(|| transport.exchange(&request)));
        let reply = exchanged.unwrap_or_else(|_| Err(SendError::new("the transport panicked")));
        Some(reply.map_or(Outcome::Later(None), |reply| Outcome::of(&reply)))
    }
}
