//! Carriers of names and bytes: the headers of AMQP's messages, of NATS', of Kafka's in other clients than
//! rdkafka. A client's own type is not ours to implement a trait for, and linking every client is not ours
//! to do: a few lines of the application's join the two.

/// The pairs whose values are text, to extract from.
///
/// ```
/// use std::collections::BTreeMap;
/// use tracewell_sdk::{Context, Tracer, carrier};
///
/// /// As a client of AMQP has them.
/// type Headers = BTreeMap<String, Vec<u8>>;
///
/// fn write(tracer: &Tracer, context: &Context, headers: &mut Headers) {
///     let mut ours: Vec<(&str, String)> = Vec::new();
///     tracer.propagator().inject(context, &mut ours);
///     headers.extend(ours.into_iter().map(|(key, value)| (key.to_owned(), value.into_bytes())));
/// }
///
/// fn read(tracer: &Tracer, headers: &Headers) -> Context {
///     let pairs = headers.iter().map(|(key, value)| (key.as_str(), Some(value.as_slice())));
///     tracer.propagator().extract(&carrier::text_of(pairs))
/// }
/// # let tracer = Tracer::builder().build();
/// # let span = tracer.start("orders publish");
/// # let mut headers = Headers::new();
/// # write(&tracer, &span.context(), &mut headers);
/// # assert_eq!(read(&tracer, &headers).span().span_id(), span.span_context().span_id());
/// # tracer.shutdown(std::time::Duration::ZERO);
/// ```
///
/// A header that occurs twice is there twice, and means to a propagator what it means in HTTP.
pub fn text_of<'a>(
    pairs: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Vec<(&'a str, &'a str)> {
    let text = |(name, value): (&'a str, Option<&'a [u8]>)| {
        Some((name, std::str::from_utf8(value?).ok()?))
    };
    pairs.into_iter().filter_map(text).collect()
}
