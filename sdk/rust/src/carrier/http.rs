//! `http::HeaderMap`: hyper, axum, tower, reqwest and tonic's inner headers are made of it.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::carrier::{Extract, Inject};

impl Extract for HeaderMap {
    /// A value that is no text is none of ours, and left out.
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        for value in self.get_all(name) {
            if let Ok(value) = value.to_str() {
                each(value);
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        self.keys().map(HeaderName::as_str).collect()
    }
}

impl Inject for HeaderMap {
    fn set(&mut self, name: &'static str, value: String) {
        if let Ok(value) = HeaderValue::try_from(value) {
            self.insert(HeaderName::from_static(name), value);
        }
    }
}
