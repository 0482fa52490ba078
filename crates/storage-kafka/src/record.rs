//! A batch as Kafka records and back (D12). The value is OTLP alone; version, span count and arrival
//! are headers, absent on records of others.

use rdkafka::Timestamp;
use rdkafka::message::{Header, Headers, Message, OwnedHeaders};
use tracewell_model::{BatchBuilder, SpanBatch, SpanRef};
use tracewell_wire::otlp::encode::BatchEncoder;
use tracewell_wire::{Report, otlp};

use crate::options::RECORD_BYTES;

/// Only records that Tracewell wrote have it.
const VERSION: &str = "tracewell-version";
const SPANS: &str = "tracewell-spans";
const ARRIVED: &str = "tracewell-arrived-unix-ns";
/// The version that is written, and the only one that is read.
const VERSION_1: &str = "1";

/// So far a collector's clock is believed where it is ahead of the broker's.
const AHEAD_NS_MAX: u64 = 1_000_000_000;

/// A record to be sent.
pub(crate) struct Outgoing {
    pub(crate) partition: u16,
    pub(crate) spans: usize,
    pub(crate) value: Vec<u8>,
}

/// Encodes a batch, one record for each partition that it has traces of; several where one would be
/// larger than a record should be.
pub(crate) fn encode(batch: &SpanBatch, partitions: u16, out: &mut Vec<Outgoing>) {
    let of = |span: &SpanRef<'_>| span.trace_id().shard(partitions);
    let mut spans: Vec<_> = batch.spans().map(|span| (of(&span), span)).collect();
    spans.sort_by_key(|(partition, span)| (*partition, BatchEncoder::group_of(span)));
    let partitions: Vec<u16> = spans.iter().map(|(partition, _)| *partition).collect();
    let spans: Vec<SpanRef<'_>> = spans.into_iter().map(|(_, span)| span).collect();
    let mut encoder = BatchEncoder::new(batch);
    let mut rest = &spans[..];
    for same in partitions.chunk_by(|a, b| a == b) {
        let (these, others) = rest.split_at(same.len());
        rest = others;
        let partition = same.first().copied().unwrap_or_default();
        encode_some(&mut encoder, these, partition, out);
    }
}

fn encode_some(
    encoder: &mut BatchEncoder,
    spans: &[SpanRef<'_>],
    partition: u16,
    out: &mut Vec<Outgoing>,
) {
    let value = encoder.encode(spans);
    if value.len() > RECORD_BYTES && spans.len() > 1 {
        let (front, back) = spans.split_at(spans.len() / 2);
        encode_some(encoder, front, partition, out);
        encode_some(encoder, back, partition, out);
    } else {
        out.push(Outgoing {
            partition,
            spans: spans.len(),
            value,
        });
    }
}

/// The headers of a record of ours.
pub(crate) fn headers(spans: usize, arrived_unix_ns: u64) -> OwnedHeaders {
    OwnedHeaders::new_with_capacity(3)
        .insert(header(VERSION, VERSION_1))
        .insert(header(SPANS, &spans.to_string()))
        .insert(header(ARRIVED, &arrived_unix_ns.to_string()))
}

/// A header of text.
pub(crate) fn header<'a>(key: &'a str, value: &'a str) -> Header<'a, &'a str> {
    Header {
        key,
        value: Some(value),
    }
}

/// What a record's headers say.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Envelope {
    version: Option<String>,
    spans: Option<u64>,
    arrived_unix_ns: Option<u64>,
}

impl Envelope {
    pub(crate) fn of(message: &impl Message) -> Envelope {
        let mut envelope = Envelope::default();
        let Some(headers) = message.headers() else {
            return envelope;
        };
        for header in headers.iter() {
            let text = header
                .value
                .and_then(|value| std::str::from_utf8(value).ok());
            match header.key {
                VERSION => envelope.version = Some(text.unwrap_or("").to_owned()),
                SPANS => envelope.spans = text.and_then(|text| text.parse().ok()),
                ARRIVED => envelope.arrived_unix_ns = text.and_then(|text| text.parse().ok()),
                _ => {}
            }
        }
        envelope
    }

    /// True for a record that somebody else put into the topic.
    pub(crate) fn is_foreign(&self) -> bool {
        self.version.is_none()
    }

    /// When it came: by its collector's clock, or else by the broker's.
    pub(crate) fn arrived_unix_ns(&self, message: &impl Message) -> u64 {
        self.arrived_unix_ns_by(message.timestamp())
    }

    /// A collector's clock that is ahead must not hold up who waits until its records are old.
    fn arrived_unix_ns_by(&self, timestamp: Timestamp) -> u64 {
        let broker_ms = timestamp.to_millis().and_then(|ms| u64::try_from(ms).ok());
        let broker_ns = broker_ms.map(|ms| ms.saturating_mul(1_000_000));
        let is_appended = matches!(timestamp, Timestamp::LogAppendTime(_));
        let latest_ns = broker_ns.filter(|_| is_appended);
        let latest_ns = latest_ns.map_or(u64::MAX, |ns| ns.saturating_add(AHEAD_NS_MAX));
        let told_ns = self.arrived_unix_ns.or(broker_ns).unwrap_or(0);
        told_ns.min(latest_ns)
    }
}

/// Why some of a record's spans can never be used, and how many, as far as one can tell.
#[derive(Debug, PartialEq)]
pub(crate) struct Unusable {
    pub(crate) reason: String,
    pub(crate) spans: u64,
}

/// Reads a value: what can be used of it, and why not all of it can.
pub(crate) fn decode(
    envelope: &Envelope,
    value: Option<&[u8]>,
    builder: &mut BatchBuilder,
) -> (Option<SpanBatch>, Option<Unusable>) {
    match decode_value(envelope, value, builder) {
        Ok((batch, unusable)) => (Some(batch).filter(|batch| !batch.is_empty()), unusable),
        Err(reason) => {
            let spans = envelope.spans.unwrap_or(0);
            (None, Some(Unusable { reason, spans }))
        }
    }
}

fn decode_value(
    envelope: &Envelope,
    value: Option<&[u8]>,
    builder: &mut BatchBuilder,
) -> Result<(SpanBatch, Option<Unusable>), String> {
    if let Some(version) = envelope
        .version
        .as_deref()
        .filter(|version| *version != VERSION_1)
    {
        return Err(format!(
            "its version is {version:?}; this build reads {VERSION_1}"
        ));
    }
    let value = value.unwrap_or_default();
    if value.is_empty() {
        return Err("it has no value".to_owned());
    }
    let mut report = Report::default();
    otlp::protobuf::decode(value, builder, &mut report).map_err(|error| error.to_string())?;
    let batch = builder.finish_one();
    let refused = report.refused_count();
    let found = batch.len() + refused;
    let said = envelope.spans.unwrap_or(found as u64);
    let reason = match report.examples.first() {
        Some(refusal) => format!(
            "{refused} of its {found} spans cannot be used; the first: {}: {}",
            refusal.reason.name(),
            refusal.detail
        ),
        None if said != found as u64 => {
            format!("its header says {said} spans, its value has {found}")
        }
        None => return Ok((batch, None)),
    };
    let spans = (refused as u64).max(said.saturating_sub(batch.len() as u64));
    Ok((batch, Some(Unusable { reason, spans })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_comes_long_after_the_broker_had_it() {
        const SECOND: u64 = 1_000_000_000;
        let arrived = |told, by| {
            let envelope = Envelope {
                arrived_unix_ns: told,
                ..Envelope::default()
            };
            envelope.arrived_unix_ns_by(by)
        };
        let appended = Timestamp::LogAppendTime(7_000);
        assert_eq!(arrived(Some(5), appended), 5);
        assert_eq!(arrived(Some(7 * SECOND + 9), appended), 7 * SECOND + 9);
        assert_eq!(arrived(Some(86_400 * SECOND), appended), 8 * SECOND);
        assert_eq!(arrived(Some(u64::MAX), appended), 8 * SECOND);
        assert_eq!(arrived(None, appended), 7 * SECOND);
        // Whoever made the record says when that was: nothing to measure by.
        let made = Timestamp::CreateTime(7_000);
        assert_eq!(arrived(Some(9 * SECOND), made), 9 * SECOND);
        assert_eq!(arrived(None, made), 7 * SECOND);
        let unknown = Timestamp::LogAppendTime(-1);
        assert_eq!(arrived(Some(9 * SECOND), unknown), 9 * SECOND);
        assert_eq!(arrived(None, Timestamp::NotAvailable), 0);
    }
}
