//! gRPC metadata, and an interceptor for tonic's clients that writes the current context into it.
//! Where spans of the calls are wanted as well, [`layer`](crate::layer) is the way.

use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, KeyRef, MetadataMap};
use tonic::{Request, Status, service::Interceptor};

use crate::carrier::{Extract, Inject};
use crate::context::Context;
use crate::tracer::Tracer;

impl Extract for MetadataMap {
    /// A value that is no text is none of ours, and left out.
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        for value in self.get_all(name) {
            if let Ok(value) = value.to_str() {
                each(value);
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        let name = |key| match key {
            KeyRef::Ascii(key) => Some(key.as_str()),
            KeyRef::Binary(_) => None,
        };
        self.keys().filter_map(name).collect()
    }
}

impl Inject for MetadataMap {
    fn set(&mut self, name: &'static str, value: String) {
        if let Ok(value) = AsciiMetadataValue::try_from(value) {
            self.insert(AsciiMetadataKey::from_static(name), value);
        }
    }
}

/// Writes the current context into the metadata of every call, and begins no span of its own:
/// `StockClient::with_interceptor(channel, CurrentContext::new(tracer))`.
#[derive(Clone, Copy, Debug)]
pub struct CurrentContext {
    tracer: Tracer,
}

impl CurrentContext {
    /// In this tracer's formats.
    pub fn new(tracer: Tracer) -> Self {
        CurrentContext { tracer }
    }
}

impl Interceptor for CurrentContext {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let propagator = self.tracer.propagator();
        propagator.inject(&Context::current(), request.metadata_mut());
        Ok(request)
    }
}
