//! Fields of `tracing`, as attributes.

use std::error::Error;
use std::fmt::Debug;

use tracing_core::field::{Field, Visit};

use crate::span::{Kind, Span, Status};
use crate::value::Value;

/// What has to be known before a span begins.
#[derive(Default)]
pub(super) struct KindOf(pub(super) Kind);

impl Visit for KindOf {
    fn record_str(&mut self, field: &Field, value: &str) {
        let kinds = [
            Kind::Internal,
            Kind::Server,
            Kind::Client,
            Kind::Producer,
            Kind::Consumer,
        ];
        if field.name() == "otel.kind" {
            let named = |kind: &Kind| format!("{kind:?}").eq_ignore_ascii_case(value);
            self.0 = kinds.into_iter().find(named).unwrap_or_default();
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "otel.kind" {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// Sets the attributes of a span.
pub(super) struct Attributes<'a>(pub(super) &'a mut Span);

impl Visit for Attributes<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "otel.name" => self.0.set_name(value),
            "otel.kind" => {}
            name => self.0.set_attribute(name, value),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.set_attribute(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.set_attribute(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.set_attribute(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.set_attribute(field.name(), value);
    }

    fn record_error(&mut self, _field: &Field, value: &(dyn Error + 'static)) {
        self.0.record_error(value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Gathers an event's fields: they are lent one by one, and an event wants them together.
#[derive(Default)]
pub(super) struct Gathered {
    message: String,
    fields: Vec<(&'static str, Owned)>,
}

enum Owned {
    Text(String),
    Bool(bool),
    I64(i64),
    F64(f64),
}

impl Gathered {
    /// Adds the event to its span.
    pub(super) fn add_to(self, span: &mut Span, metadata: &tracing_core::Metadata<'_>) {
        let mut attributes = vec![
            ("level", Value::Str(metadata.level().as_str())),
            ("target", Value::Str(metadata.target())),
        ];
        attributes.extend(self.fields.iter().map(|(name, value)| {
            let value = match value {
                Owned::Text(text) => Value::Str(text),
                Owned::Bool(yes) => Value::Bool(*yes),
                Owned::I64(number) => Value::I64(*number),
                Owned::F64(number) => Value::F64(*number),
            };
            (*name, value)
        }));
        let name = match self.message.as_str() {
            "" => metadata.name(),
            message => message,
        };
        span.add_event(name, &attributes);
        if *metadata.level() == tracing_core::Level::ERROR {
            span.set_status(Status::error(name.to_owned()));
        }
    }
}

impl Visit for Gathered {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, Owned::Text(value.to_owned()))),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), Owned::Bool(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), Owned::I64(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let value = i64::try_from(value).map_or(Owned::F64(value as f64), Owned::I64);
        self.fields.push((field.name(), value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), Owned::F64(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
