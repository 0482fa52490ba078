//! Carriers of names and bytes: the headers of Kafka's messages, of AMQP's, of NATS'. The client's own
//! type is not ours to implement a trait for, and linking every client is not ours to do: a few lines
//! of the application's join the two.

/// The pairs whose values are text, to extract from. rdkafka's headers, say:
///
/// ```
/// # // What stands for rdkafka here, in rdkafka's words.
/// # struct Header<'a, V> { key: &'a str, value: Option<V> }
/// # struct OwnedHeaders(Vec<(String, Vec<u8>)>);
/// # impl OwnedHeaders {
/// #     fn iter(&self) -> impl Iterator<Item = Header<'_, &[u8]>> {
/// #         self.0.iter().map(|(key, value)| Header { key, value: Some(value.as_slice()) })
/// #     }
/// #     fn insert<V: AsRef<[u8]>>(mut self, header: Header<'_, V>) -> Self {
/// #         self.0.push((header.key.into(), header.value.unwrap().as_ref().to_vec()));
/// #         self
/// #     }
/// # }
/// use tracewell_sdk::{Context, Tracer, carrier};
/// // use rdkafka::message::{Header, Headers, OwnedHeaders};
///
/// fn write(tracer: &Tracer, context: &Context, headers: OwnedHeaders) -> OwnedHeaders {
///     let mut ours: Vec<(&str, String)> = Vec::new();
///     tracer.propagator().inject(context, &mut ours);
///     ours.iter().fold(headers, |headers, (key, value)| {
///         headers.insert(Header { key, value: Some(value) })
///     })
/// }
///
/// fn read(tracer: &Tracer, headers: &OwnedHeaders) -> Context {
///     let pairs = headers.iter().map(|header| (header.key, header.value));
///     tracer.propagator().extract(&carrier::text_of(pairs))
/// }
/// # let tracer = Tracer::builder().build();
/// # let span = tracer.start("orders publish");
/// # let headers = write(&tracer, &span.context(), OwnedHeaders(Vec::new()));
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
