//! The subscriber's layer. Each span of `tracing` keeps one of ours among its extensions.

use std::cell::RefCell;

use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::{Context as Registry, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::bridge::tracing::visit;
use crate::context::{Context, CurrentGuard};
use crate::span::Span;
use crate::tracer::Tracer;

/// Makes `tracing`'s spans and events ours. See [`bridge::tracing`](crate::bridge::tracing).
#[derive(Clone, Copy, Debug)]
pub struct SpanLayer {
    tracer: Tracer,
}

/// Our span behind one of `tracing`'s.
#[derive(Debug)]
struct Ours(Span);

thread_local! {
    /// What this thread has entered and not left: a guard stays on its thread, and a span may be
    /// entered on several at once.
    static ENTERED: RefCell<Vec<(Id, CurrentGuard)>> = const { RefCell::new(Vec::new()) };
}

impl SpanLayer {
    /// With this tracer, under the scope `tracing`.
    pub fn new(tracer: Tracer) -> Self {
        let tracer = tracer.with_scope("tracing", "");
        SpanLayer { tracer }
    }
}

impl<S> Layer<S> for SpanLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, registry: Registry<'_, S>) {
        let Some(entry) = registry.span(id) else {
            return;
        };
        let context_of = |parent: &Id| {
            let parent = registry.span(parent)?;
            let extensions = parent.extensions();
            extensions.get::<Ours>().map(|ours| ours.0.context())
        };
        let parent = match attributes.parent() {
            Some(parent) => context_of(parent).unwrap_or_default(),
            None if attributes.is_root() => Context::default(),
            None => Context::current(),
        };
        let mut kind = visit::KindOf::default();
        if attributes.metadata().fields().field("otel.kind").is_some() {
            attributes.record(&mut kind);
        }
        let builder = self.tracer.span(attributes.metadata().name());
        let mut span = builder.kind(kind.0).parent(&parent).start();
        if span.is_recording() {
            attributes.record(&mut visit::Attributes(&mut span));
        }
        entry.extensions_mut().replace(Ours(span));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, registry: Registry<'_, S>) {
        let Some(entry) = registry.span(id) else {
            return;
        };
        if let Some(Ours(span)) = entry.extensions_mut().get_mut() {
            values.record(&mut visit::Attributes(span));
        }
    }

    fn on_event(&self, event: &Event<'_>, registry: Registry<'_, S>) {
        let Some(entry) = registry.event_span(event) else {
            return;
        };
        if let Some(Ours(span)) = entry.extensions_mut().get_mut()
            && span.is_recording()
        {
            let mut fields = visit::Gathered::default();
            event.record(&mut fields);
            fields.add_to(span, event.metadata());
        }
    }

    fn on_enter(&self, id: &Id, registry: Registry<'_, S>) {
        let Some(entry) = registry.span(id) else {
            return;
        };
        let Some(guard) = entry.extensions().get().map(|Ours(span)| span.enter()) else {
            return;
        };
        let _thread_is_ending = ENTERED.try_with(|entered| {
            if let Ok(mut entered) = entered.try_borrow_mut() {
                entered.push((id.clone(), guard));
            }
        });
    }

    fn on_exit(&self, id: &Id, _registry: Registry<'_, S>) {
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.try_borrow_mut().ok()?;
            let at = entered.iter().rposition(|(of, _)| of == id)?;
            Some(entered.remove(at))
        });
        drop(left);
    }

    fn on_close(&self, id: Id, registry: Registry<'_, S>) {
        let Some(entry) = registry.span(&id) else {
            return;
        };
        let ours = entry.extensions_mut().remove::<Ours>();
        drop(ours); // which ends it
    }
}
