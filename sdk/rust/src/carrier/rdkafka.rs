//! The headers of Kafka's messages, as rdkafka has them.
//!
//! ```
//! use rdkafka::message::OwnedHeaders;
//! use tracewell_sdk::{Kind, Tracer};
//!
//! # let tracer = Tracer::builder().build();
//! let publish = tracer.span("orders publish").kind(Kind::Producer).start();
//! let mut headers = OwnedHeaders::new();
//! tracer.propagator().inject(&publish.context(), &mut headers);
//! // FutureRecord::to("orders").headers(headers)…
//!
//! // The consumer, with what `message.headers()` gives:
//! let caller = tracer.propagator().extract(headers.as_borrowed());
//! let process = tracer.span("orders process").kind(Kind::Consumer).parent(&caller).start();
//! assert_eq!(process.span_context().trace_id(), publish.span_context().trace_id());
//! # tracer.shutdown(std::time::Duration::ZERO);
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::message::{BorrowedHeaders, Header, Headers, OwnedHeaders};

use crate::carrier::{Extract, Inject};

impl Extract for BorrowedHeaders {
    /// A value that is no text is none of ours, and left out.
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        for header in all(self) {
            if header.key.eq_ignore_ascii_case(name)
                && let Some(Ok(value)) = header.value.map(std::str::from_utf8)
            {
                each(value);
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        all(self).map(|header| header.key).collect()
    }
}

impl Extract for OwnedHeaders {
    fn each_value<'a>(&'a self, name: &str, each: &mut dyn FnMut(&'a str)) {
        self.as_borrowed().each_value(name, each);
    }

    fn names(&self) -> Vec<&str> {
        self.as_borrowed().names()
    }
}

impl Inject for OwnedHeaders {
    /// rdkafka's headers cannot be taken out again: where there is one of this name, all others are copied.
    fn set(&mut self, name: &'static str, value: String) {
        let is_it = |header: &Header<'_, &[u8]>| header.key.eq_ignore_ascii_case(name);
        if all(self.as_borrowed()).any(|header| is_it(&header)) {
            let room = OwnedHeaders::new_with_capacity(self.count());
            let others = all(self.as_borrowed()).filter(|header| !is_it(header));
            *self = others.fold(room, OwnedHeaders::insert);
        }
        *self = std::mem::take(self).insert(Header {
            key: name,
            value: Some(&value),
        });
    }
}

/// All but those whose names are no UTF-8, at which rdkafka panics: whoever may write to the topic could
/// stop every consumer with one.
fn all<H: Headers>(headers: &H) -> impl Iterator<Item = Header<'_, &[u8]>> {
    (0..headers.count()).filter_map(|at| {
        let header = catch_unwind(AssertUnwindSafe(|| headers.try_get(at)));
        header.ok().flatten()
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::message::FromBytes;

    use super::*;

    /// Three headers as rdkafka has them when the second's name is no UTF-8.
    struct Hostile;

    impl Headers for Hostile {
        fn count(&self) -> usize {
            3
        }

        fn try_get(&self, at: usize) -> Option<Header<'_, &[u8]>> {
            assert_ne!(at, 1, "on purpose");
            let key = ["first", "", "third"].get(at)?;
            Some(Header { key, value: None })
        }

        fn try_get_as<V>(&self, _: usize) -> Option<Result<Header<'_, &V>, V::Error>>
        where
            V: FromBytes + ?Sized,
        {
            None
        }
    }

    #[test]
    fn a_header_that_rdkafka_panics_at_takes_no_other_with_it() {
        let names: Vec<&str> = all(&Hostile).map(|header| header.key).collect();
        assert_eq!(names, ["first", "third"]);
    }
}
