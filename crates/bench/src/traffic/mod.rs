//! Traffic that looks like a company's: services that call each other, traces of their requests, and
//! what changes when the same requests are made again. Everything follows from a seed.
//!
//! A trace is a pure function of (landscape, ordinal); nothing is kept. Bodies are made of a pool of
//! traces that is sent again and again in *cycles*: each cycle has other ids, other times and, where a
//! value is [`Drawn`], other values, so that no dictionary and no cache meets what it has seen before.

mod dress;
mod landscape;
mod names;
pub mod random;
mod tree;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use tracewell_model::SpanKind;

pub use landscape::{Landscape, Origin};
use random::mix;

/// Spans of a trace on average; what time between two traces is reckoned with.
pub const SPANS_PER_TRACE: u64 = 19;

/// Whose traffic it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dataset {
    /// A company's: many values few times, few values many times
    Realistic,
    /// A demo's: the same requests again and again, nothing drawn
    LowEntropy,
    /// A vandal's: 64 attributes a span, every value unique, stack traces of 8 KB
    Adversarial,
}

/// A text that is compiled in or shared.
#[derive(Clone)]
pub enum Word {
    /// Compiled in.
    Static(&'static str),
    /// Made once, shared by all who say it.
    Shared(Arc<str>),
}

impl Deref for Word {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Word::Static(text) => text,
            Word::Shared(text) => text,
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl From<&'static str> for Word {
    fn from(text: &'static str) -> Word {
        Word::Static(text)
    }
}

impl From<String> for Word {
    fn from(text: String) -> Word {
        Word::Shared(text.into())
    }
}

/// A value that is another one in each cycle, of the same encoded length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// 16 hex digits, never the same twice: a request's id.
    RequestId,
    /// Seven digits, one of 400,000: a customer.
    Customer,
    /// Nine digits: an order.
    Order,
    /// An integer: a client's port.
    Port,
    /// An integer of ten digits: a message's offset.
    Offset,
}

impl Form {
    /// How many digits its text has.
    pub fn digits(self) -> usize {
        match self {
            Form::RequestId => 16,
            Form::Customer => 7,
            Form::Order => 9,
            Form::Port => 5,
            Form::Offset => 10,
        }
    }

    /// The value this number stands for.
    #[inline]
    pub fn value(self, number: u64) -> u64 {
        match self {
            Form::RequestId => number,
            Form::Customer => 1_000_000 + number % 400_000,
            Form::Order => 100_000_000 + number % 900_000_000,
            Form::Port => 32_768 + number % 28_232,
            Form::Offset => 1_000_000_000 + number % 9_000_000_000,
        }
    }
}

/// A value and where it is drawn from.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// Text before it; an integer has none.
    pub before: Word,
    /// How it looks.
    pub form: Form,
    /// Equal slots draw equal values.
    pub slot: u64,
}

/// An attribute's value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A text.
    Text(Word),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A truth.
    Bool(bool),
    /// Another one in each cycle.
    Drawn(Drawn),
}

/// An attribute.
pub type Attribute = (Word, Value);

/// Something that happened in a span.
#[derive(Clone, Debug)]
pub struct Event {
    /// Since the span's start.
    pub after_ns: u64,
    /// Its name.
    pub name: &'static str,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
}

/// A span, but for what a cycle decides.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its parent's position in the trace.
    pub parent: Option<u32>,
    /// The service's instance it comes from: [`Landscape::origins`].
    pub origin: u32,
    /// The library that made it, and its version.
    pub scope: (&'static str, &'static str),
    /// Its name.
    pub name: Word,
    /// Its kind.
    pub kind: SpanKind,
    /// Since the trace's start.
    pub start_ns: u64,
    /// How long it took.
    pub duration_ns: u64,
    /// Why it failed, if it did.
    pub failure: Option<&'static str>,
    /// Its attributes.
    pub attributes: Vec<Attribute>,
    /// Its events.
    pub events: Vec<Event>,
}

/// A trace, but for what a cycle decides.
#[derive(Clone, Debug)]
pub struct Trace {
    /// When it starts, since its cycle began.
    pub start_ns: u64,
    /// Parents before their children.
    pub spans: Vec<Span>,
}

/// What a cycle decides: ids, times and drawn values.
#[derive(Clone, Copy, Debug)]
pub struct Cycle {
    salt: u64,
    /// When it began.
    pub begin_unix_ns: u64,
}

impl Cycle {
    /// The cycle with this number.
    pub fn new(seed: u64, number: u64, begin_unix_ns: u64) -> Cycle {
        Cycle {
            salt: mix(mix(seed) ^ number),
            begin_unix_ns,
        }
    }

    /// The id of a trace of the pool.
    #[inline]
    pub fn trace_id(self, trace: u64) -> [u8; 16] {
        let high = mix(self.salt ^ trace);
        let low = mix(high ^ self.salt);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&high.to_be_bytes());
        id[8..].copy_from_slice(&low.to_be_bytes());
        id
    }

    /// The id of a span of the pool.
    #[inline]
    pub fn span_id(self, span: u64) -> [u8; 8] {
        mix(!self.salt ^ span).to_be_bytes()
    }

    /// The value drawn from a slot.
    #[inline]
    pub fn draw(self, form: Form, slot: u64) -> u64 {
        form.value(mix(self.salt.rotate_left(17) ^ slot))
    }

    /// The text of a value in this cycle.
    pub fn text(self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Drawn(drawn) => {
                let number = self.draw(drawn.form, drawn.slot);
                match drawn.form {
                    Form::RequestId => format!("{}{number:016x}", &*drawn.before),
                    _ => format!("{}{number}", &*drawn.before),
                }
            }
        }
    }
}
