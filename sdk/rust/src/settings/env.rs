//! The environment to settings. See [`Settings::from_env`] for the names.

use std::str::FromStr;
use std::time::Duration;

use crate::propagation::{Format, Propagator};
use crate::sampler::Sampler;
use crate::settings::{Compression, Endpoint, Protocol, Settings};

/// Ring slots a process may ask for: a mistyped number must not take all its memory.
const RING_SPANS_MAX: usize = 10_000_000;

pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> (Settings, Vec<String>) {
    let mut reader = Reader {
        lookup,
        problems: Vec::new(),
    };
    let mut settings = Settings::default();
    reader.way(&mut settings);
    reader.resource(&mut settings);
    reader.sampling(&mut settings);
    reader.sizes(&mut settings);
    (settings, reader.problems)
}

struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn way(&mut self, settings: &mut Settings) {
        let base = |value: &str| Endpoint::base(value).map_err(|error| error.to_string());
        let exact = |value: &str| Endpoint::exact(value).map_err(|error| error.to_string());
        let endpoint = self.parsed(&["OTEL_EXPORTER_OTLP_ENDPOINT"], base);
        let endpoint = self
            .parsed(&["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], exact)
            .or(endpoint);
        if let Some(endpoint) = self.parsed(&["TRACEWELL_SDK_ENDPOINT"], base).or(endpoint) {
            settings.endpoint = endpoint;
        }
        let names = [
            "TRACEWELL_SDK_PROTOCOL",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ];
        let protocol = self.parsed(&names, |value| match value {
            "otlp" | "http/protobuf" => Ok(Protocol::Otlp),
            "spans" => Ok(Protocol::Spans),
            _ => Err("accepted are otlp (http/protobuf) and spans".to_owned()),
        });
        settings.protocol = protocol.unwrap_or(settings.protocol);
        let names = [
            "TRACEWELL_SDK_COMPRESSION",
            "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
            "OTEL_EXPORTER_OTLP_COMPRESSION",
        ];
        let compression = self.parsed(&names, |value| match value {
            "none" => Ok(Compression::None),
            #[cfg(feature = "gzip")]
            "gzip" => Ok(Compression::Gzip),
            #[cfg(feature = "zstd")]
            "zstd" => Ok(Compression::Zstd),
            _ => Err(
                "accepted are none, and gzip and zstd where the crate's features have them"
                    .to_owned(),
            ),
        });
        settings.compression = compression.unwrap_or_default();
        let names = [
            "TRACEWELL_SDK_HEADERS",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ];
        settings.headers = self.parsed(&names, pairs).unwrap_or_default();
        let names = [
            "TRACEWELL_SDK_TIMEOUT_MS",
            "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
            "OTEL_EXPORTER_OTLP_TIMEOUT",
        ];
        settings.exchange_timeout = self
            .milliseconds(&names)
            .unwrap_or(settings.exchange_timeout);
    }

    fn resource(&mut self, settings: &mut Settings) {
        let names = [
            "TRACEWELL_SDK_RESOURCE_ATTRIBUTES",
            "OTEL_RESOURCE_ATTRIBUTES",
        ];
        for (key, value) in self.parsed(&names, pairs).unwrap_or_default() {
            settings.set_resource(&key, value);
        }
        let names = ["TRACEWELL_SDK_SERVICE_NAME", "OTEL_SERVICE_NAME"];
        if let Some(name) = self.parsed(&names, |value| Ok(value.to_owned())) {
            settings.set_resource("service.name", name);
        }
        settings.disabled = self.flag(&["TRACEWELL_SDK_DISABLED", "OTEL_SDK_DISABLED"]);
    }

    fn sampling(&mut self, settings: &mut Settings) {
        let share = self.parsed(
            &["TRACEWELL_SDK_SAMPLER_ARG", "OTEL_TRACES_SAMPLER_ARG"],
            |value| {
                let share = value
                    .parse()
                    .ok()
                    .filter(|share| (0.0..=1.0).contains(share));
                share.ok_or_else(|| "accepted is a number from 0 to 1".to_owned())
            },
        );
        let share = share.unwrap_or(1.0);
        let sampler = self.parsed(&["TRACEWELL_SDK_SAMPLER", "OTEL_TRACES_SAMPLER"], |value| {
            let root = |name: &str| match name {
                "always_on" => Some(Sampler::always()),
                "always_off" => Some(Sampler::never()),
                "traceidratio" => Some(Sampler::ratio(share)),
                _ => None,
            };
            let sampler = match value.strip_prefix("parentbased_") {
                Some(name) => root(name).map(Sampler::parent_based),
                None => root(value),
            };
            let accepted =
                "accepted are always_on, always_off, traceidratio, each also as parentbased_…";
            sampler.ok_or_else(|| accepted.to_owned())
        });
        settings.sampler = sampler.unwrap_or_else(|| settings.sampler.clone());
        let propagator = self.parsed(
            &["TRACEWELL_SDK_PROPAGATORS", "OTEL_PROPAGATORS"],
            |value| {
                let names = value
                    .split(',')
                    .map(str::trim)
                    .filter(|name| *name != "none" && !name.is_empty());
                let formats: Option<Vec<Format>> = names.map(Format::named).collect();
                let accepted =
                    "accepted are tracecontext, tracecontext1, baggage, b3, b3multi, none";
                formats
                    .map(Propagator::new)
                    .ok_or_else(|| accepted.to_owned())
            },
        );
        settings.propagator = propagator.unwrap_or_default();
    }

    fn sizes(&mut self, settings: &mut Settings) {
        let ring = self.whole(&["TRACEWELL_SDK_RING_SPANS", "OTEL_BSP_MAX_QUEUE_SIZE"], 1);
        settings.ring_spans_max = ring.unwrap_or(settings.ring_spans_max).min(RING_SPANS_MAX);
        let bytes = self.whole(&["TRACEWELL_SDK_RING_BYTES"], 1);
        settings.ring_bytes_max = bytes.unwrap_or(settings.ring_bytes_max);
        let batch = self.whole(
            &[
                "TRACEWELL_SDK_BATCH_SPANS",
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
            ],
            1,
        );
        settings.batch_spans = batch.unwrap_or(settings.batch_spans);
        let interval =
            self.milliseconds(&["TRACEWELL_SDK_FLUSH_INTERVAL_MS", "OTEL_BSP_SCHEDULE_DELAY"]);
        settings.flush_interval = interval.unwrap_or(settings.flush_interval);
        let limits = &mut settings.limits;
        for (limit, names) in [
            (
                &mut limits.attributes_max,
                [
                    "TRACEWELL_SDK_ATTRIBUTES_MAX",
                    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
                ],
            ),
            (
                &mut limits.events_max,
                ["TRACEWELL_SDK_EVENTS_MAX", "OTEL_SPAN_EVENT_COUNT_LIMIT"],
            ),
            (
                &mut limits.links_max,
                ["TRACEWELL_SDK_LINKS_MAX", "OTEL_SPAN_LINK_COUNT_LIMIT"],
            ),
        ] {
            *limit = self.whole(&names, 0).unwrap_or(*limit);
        }
    }

    /// The first of the names that is set and not empty, as OpenTelemetry wants it.
    fn parsed<T>(
        &mut self,
        names: &[&str],
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let set = names.iter().find_map(|name| {
            let value = (self.lookup)(name)?;
            let value = value.trim();
            (!value.is_empty()).then(|| (*name, value.to_owned()))
        });
        let (name, value) = set?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(accepted) => {
                // Headers hold credentials.
                let shown = if name.ends_with("HEADERS") {
                    "its value"
                } else {
                    value.as_str()
                };
                self.problems
                    .push(format!("{name}: {shown} is left aside: {accepted}"));
                None
            }
        }
    }

    fn whole<T: FromStr + PartialOrd + From<u8>>(
        &mut self,
        names: &[&str],
        least: u8,
    ) -> Option<T> {
        self.parsed(names, |value| {
            let number = value
                .parse()
                .ok()
                .filter(|number| *number >= T::from(least));
            number.ok_or_else(|| format!("accepted is a whole number from {least} on"))
        })
    }

    fn milliseconds(&mut self, names: &[&str]) -> Option<Duration> {
        self.whole(names, 1).map(Duration::from_millis)
    }

    fn flag(&mut self, names: &[&str]) -> bool {
        let flag = self.parsed(names, |value| match value.to_ascii_lowercase().as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("accepted are true and false".to_owned()),
        });
        flag.unwrap_or(false)
    }
}

/// `key=value,…`, values percent-encoded, as OpenTelemetry has it (the form of W3C Baggage).
fn pairs(value: &str) -> Result<Vec<(String, String)>, String> {
    let members = value
        .split(',')
        .map(str::trim)
        .filter(|member| !member.is_empty());
    let pairs = members.map(|member| {
        let (key, value) = member.split_once('=')?;
        let value = crate::propagation::baggage::decoded(value.trim());
        // A line break would end a header early.
        let clean = !value.contains(['\r', '\n', '\0']) && !key.contains(['\r', '\n', '\0']);
        (clean && !key.trim().is_empty()).then(|| (key.trim().to_owned(), value))
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| "accepted is key=value,key=value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> (Settings, Vec<String>) {
        Settings::from_lookup(|name| {
            let found = pairs.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn ours_goes_before_opentelemetrys() {
        let (settings, problems) = from(&[
            ("OTEL_SERVICE_NAME", "theirs"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=older,team=a%20b"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://theirs:1"),
            ("TRACEWELL_SDK_ENDPOINT", "http://ours:2"),
            ("OTEL_BSP_SCHEDULE_DELAY", "250"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(settings.endpoint.authority(), "ours:2");
        assert_eq!(settings.flush_interval, Duration::from_millis(250));
        assert_eq!(
            format!("{:?}", settings.sampler),
            "Sampler(parent_based(ratio(0.25)))"
        );
        assert_eq!(
            settings.headers,
            [("authorization".to_owned(), "Bearer x".to_owned())]
        );
        let of = |key: &str| {
            settings
                .resource
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, v)| v.as_str())
        };
        assert_eq!(
            (of("service.name"), of("team")),
            (Some("theirs"), Some("a b"))
        );
        assert!(
            !format!("{settings:?}").contains("Bearer"),
            "credentials are not shown"
        );
    }

    #[test]
    fn what_is_not_understood_is_named_and_left_aside() {
        let (settings, problems) = from(&[
            ("TRACEWELL_SDK_ENDPOINT", "gopher://x"),
            ("TRACEWELL_SDK_RING_SPANS", "0"),
            ("TRACEWELL_SDK_SAMPLER", "sometimes"),
            ("TRACEWELL_SDK_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_PROPAGATORS", "jaeger"),
        ]);
        assert_eq!(settings.ring_spans_max, 50_000);
        assert_eq!(settings.endpoint, Endpoint::default());
        assert_eq!(problems.len(), 6, "{problems:?}");
        assert!(
            !problems.iter().any(|problem| problem.contains("secret")),
            "{problems:?}"
        );
    }
}
