//! What contexts are written into and read from: headers, metadata, attributes of messages.
//!
//! A carrier of your own is two small traits; everything that is a map or a list of string pairs (an
//! SQS message's attributes, say, behind [`Attributes`]) needs none.

mod attributes;
mod bytes;
#[cfg(feature = "http")]
mod http;
mod pairs;
#[cfg(feature = "rdkafka")]
mod rdkafka;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "tonic")]
mod tonic;

pub use attributes::{Attributes, StringAttributes};
pub use bytes::text_of;

#[cfg(feature = "reqwest")]
pub use self::reqwest::SendTraced;
#[cfg(feature = "tonic")]
pub use self::tonic::CurrentContext;

/// A carrier to read from.
pub trait Extract {
    /// Calls with every value of the name, in order. Names compare without case.
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str));

    /// Its names, as it has them.
    fn names(&self) -> Vec<&str>;
}

impl<T: Extract + ?Sized> Extract for &T {
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        (**self).each_value(name, each);
    }

    fn names(&self) -> Vec<&str> {
        (**self).names()
    }
}

/// A carrier to write into.
pub trait Inject {
    /// Sets the name to this one value, replacing what it had. The name is lower case.
    fn set(&mut self, name: &'static str, value: String);
}

/// The value of a name that must have no more than one.
pub(crate) fn single<'a>(carrier: &'a dyn Extract, name: &str) -> Option<&'a str> {
    let mut values = (None, 0);
    carrier.each_value(name, &mut |value| values = (Some(value), values.1 + 1));
    values.0.filter(|_| values.1 == 1)
}

/// Many values as the one they stand for (RFC 9110, 5.3).
pub(crate) fn combined(carrier: &dyn Extract, name: &str) -> String {
    let mut combined = String::new();
    carrier.each_value(name, &mut |value| {
        if !combined.is_empty() {
            combined.push(',');
        }
        combined.push_str(value);
    });
    combined
}
