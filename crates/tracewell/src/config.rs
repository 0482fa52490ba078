//! Settings: defaults < file (TOML) < environment < flags. One table holds every setting with its
//! default and its meaning; the file's keys, the environment's names, `check-config` and
//! docs/configuration.md all come from it. Unknown keys are refused; all problems are told at once.

mod cluster;
mod sampling;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use tracewell_storage::Ack;

use crate::role::Role;
pub(crate) use cluster::ClusterConfig;
#[cfg(feature = "cluster")]
pub(crate) use cluster::KafkaConfig;
pub(crate) use sampling::SamplingConfig;

/// One setting as users see it. Its environment name is `TRACEWELL_` and the key in upper case.
pub(crate) struct Setting {
    pub(crate) key: &'static str,
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

/// Every setting there is.
pub(crate) fn settings() -> impl Iterator<Item = &'static Setting> {
    let parts = [SETTINGS, sampling::SETTINGS, cluster::SETTINGS];
    parts.into_iter().flatten()
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "role",
        default: "all",
        meaning: "What this process does: `all`, or a list of `collector`, `storage-writer`, `indexer`, `aggregator`, `sampler`, `query`.",
    },
    Setting {
        key: "data",
        default: "tracewell-data",
        meaning: "Directory of the embedded log and stores. One process at a time.",
    },
    Setting {
        key: "listen_ingest",
        default: "127.0.0.1:4318",
        meaning: "Address for `/v1/spans`, OTLP/HTTP and Zipkin. Port 0 picks a free one.",
    },
    Setting {
        key: "listen_otlp_grpc",
        default: "127.0.0.1:4317",
        meaning: "Address for OTLP/gRPC.",
    },
    Setting {
        key: "listen_query",
        default: "127.0.0.1:4320",
        meaning: "Address for the query API and the UI.",
    },
    Setting {
        key: "listen_admin",
        default: "127.0.0.1:0",
        meaning: "Address for health and metrics, apart from the traffic.",
    },
    Setting {
        key: "insecure",
        default: "false",
        meaning: "Allow listening beyond loopback without TLS and authentication.",
    },
    Setting {
        key: "ack",
        default: "logged",
        meaning: "What an ingest answer promises unless the request asks otherwise: `received`, `logged` (survives kill -9), `durable` (survives a power cut), `replicated` (Kafka only).",
    },
    Setting {
        key: "memory_bytes_max",
        default: "768MiB",
        meaning: "Memory for heads, caches and bodies in flight; beyond it ingest answers 429.",
    },
    Setting {
        key: "seal_after_s",
        default: "600",
        meaning: "Even a few spans go from memory into a segment after this many seconds (they are in the log at once); many go sooner.",
    },
    Setting {
        key: "retention_s",
        default: "2592000",
        meaning: "Spans are removed this many seconds after they arrived (30 days), a segment at a time.",
    },
    Setting {
        key: "search_retention_s",
        default: "604800",
        meaning: "Until then (7 days) they are found by search; afterwards by trace id only.",
    },
    Setting {
        key: "disk_bytes_max",
        default: "0",
        meaning: "Disk for segments, a size such as `50GiB` or a share of the file system such as `80%`; beyond it the oldest are removed. `0` is no cap.",
    },
    Setting {
        key: "log_level",
        default: "info",
        meaning: "What to print: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,tracewell_collector=debug`.",
    },
    Setting {
        key: "log_format",
        default: "text",
        meaning: "How to print it: `text` or `json`.",
    },
];

/// The settings, parsed. What is here is right.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) roles: Vec<Role>,
    pub(crate) data: PathBuf,
    pub(crate) listen_ingest: SocketAddr,
    pub(crate) listen_otlp_grpc: SocketAddr,
    pub(crate) listen_query: SocketAddr,
    pub(crate) listen_admin: SocketAddr,
    pub(crate) ack: Ack,
    pub(crate) memory_bytes_max: usize,
    pub(crate) seal_after_s: u64,
    pub(crate) retention_s: u64,
    pub(crate) search_retention_s: u64,
    pub(crate) disk_cap: DiskCap,
    pub(crate) log_level: String,
    pub(crate) log_json: bool,
    pub(crate) sampling: SamplingConfig,
    pub(crate) cluster: ClusterConfig,
}

/// How much disk segments may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskCap {
    /// So much; 0 is no cap.
    Bytes(u64),
    /// So many hundredths of the file system.
    Percent(u64),
}

impl DiskCap {
    fn parse(text: &str) -> Option<DiskCap> {
        match text.strip_suffix('%') {
            Some(share) => share
                .parse()
                .ok()
                .filter(|share| (1..=100).contains(share))
                .map(DiskCap::Percent),
            None => parse_bytes(text).map(|bytes| DiskCap::Bytes(bytes as u64)),
        }
    }
}

/// Where a value came from, for messages.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Source {
    Default,
    File(PathBuf),
    Environment,
    Flag,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Default => write!(f, "default"),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Environment => write!(f, "environment"),
            Source::Flag => write!(f, "flag"),
        }
    }
}

/// Values before parsing, by key, the last layer winning.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    values: BTreeMap<&'static str, (String, Source)>,
    problems: Vec<String>,
}

impl Layers {
    /// Every setting at its default.
    pub(crate) fn defaults() -> Self {
        let values = settings()
            .map(|setting| (setting.key, (setting.default.to_owned(), Source::Default)))
            .collect();
        Layers {
            values,
            problems: Vec::new(),
        }
    }

    /// Lays a TOML file over what is there. An absent file is a problem: it was asked for.
    pub(crate) fn file(mut self, path: Option<&Path>) -> Self {
        let Some(path) = path else { return self };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.problems
                    .push(format!("{}: cannot read it: {error}", path.display()));
                return self;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.table("", &table, path),
            Err(error) => self.problems.push(format!("{}: {error}", path.display())),
        }
        self
    }

    /// `[kafka] brokers` is the setting `kafka_brokers`.
    fn table(&mut self, above: &str, table: &toml::Table, path: &Path) {
        for (key, value) in table {
            let key = format!("{above}{key}");
            match (scalar(value), value) {
                (Some(text), _) => self.set(&key, text, Source::File(path.to_owned())),
                (None, toml::Value::Table(inner)) => self.table(&format!("{key}_"), inner, path),
                (None, _) => self.problems.push(format!(
                    "{}: {key} is {}; a text, a number, true/false or a list of texts is accepted",
                    path.display(),
                    value.type_str()
                )),
            }
        }
    }

    /// Lays the environment over what is there; foreign variables are none of our business.
    pub(crate) fn environment(mut self, variables: impl Iterator<Item = (String, String)>) -> Self {
        // Variables of our own that are no settings.
        const OTHERS: [&str; 5] = ["URL", "CONFIG", "UI_DIR", "BIN", "FAILPOINT"];
        for (name, value) in variables {
            let Some(key) = name.strip_prefix("TRACEWELL_") else {
                continue;
            };
            let anothers = key.starts_with("INGEST_") || key.starts_with("SDK_");
            if !OTHERS.contains(&key) && !anothers {
                self.set(&key.to_lowercase(), value, Source::Environment);
            }
        }
        self
    }

    /// Lays flags over what is there.
    pub(crate) fn flags<'a>(
        mut self,
        flags: impl IntoIterator<Item = (&'a str, Option<String>)>,
    ) -> Self {
        for (key, value) in flags {
            if let Some(value) = value {
                self.set(key, value, Source::Flag);
            }
        }
        self
    }

    fn set(&mut self, key: &str, value: String, source: Source) {
        match settings().find(|setting| setting.key == key) {
            Some(setting) => {
                self.values.insert(setting.key, (value, source));
            }
            None => {
                let known: Vec<&str> = settings().map(|setting| setting.key).collect();
                self.problems.push(format!(
                    "{source}: there is no setting {key}; accepted are {}",
                    known.join(", ")
                ));
            }
        }
    }

    /// Every setting with its value and where it came from.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'static Setting, &str, &Source)> {
        settings().filter_map(|setting| {
            let (value, source) = self.values.get(setting.key)?;
            Some((setting, value.as_str(), source))
        })
    }

    /// Parses every value; all problems together, each naming setting, value and what is accepted.
    pub(crate) fn parse(&self) -> Result<Config, Vec<String>> {
        let mut parser = Parser {
            layers: self,
            problems: self.problems.clone(),
        };
        let config = Config {
            roles: parser.get("role", "`all`, or a list of roles", Role::parse_list),
            data: parser.get("data", "a directory", |text| {
                (!text.is_empty()).then(|| PathBuf::from(text))
            }),
            listen_ingest: parser.address("listen_ingest"),
            listen_otlp_grpc: parser.address("listen_otlp_grpc"),
            listen_query: parser.address("listen_query"),
            listen_admin: parser.address("listen_admin"),
            ack: parser.get(
                "ack",
                "received, logged, durable or replicated",
                Ack::from_name,
            ),
            memory_bytes_max: parser.get(
                "memory_bytes_max",
                "a size of at least 64MiB, such as 768MiB or 2GiB",
                |text| parse_bytes(text).filter(|&bytes| bytes >= 64 << 20),
            ),
            seal_after_s: parser.get("seal_after_s", "seconds, 1 to 3600", |text| {
                text.parse()
                    .ok()
                    .filter(|seconds| (1..=3600).contains(seconds))
            }),
            retention_s: parser.seconds("retention_s"),
            search_retention_s: parser.seconds("search_retention_s"),
            disk_cap: parser.get(
                "disk_bytes_max",
                "a size such as 50GiB, a share such as 80%, or 0",
                DiskCap::parse,
            ),
            log_level: parser.get("log_level", "a level or a filter", |text| {
                text.parse::<tracing_subscriber::EnvFilter>()
                    .ok()
                    .map(|_| text.to_owned())
            }),
            log_json: parser.get("log_format", "text or json", |text| match text {
                "text" => Some(false),
                "json" => Some(true),
                _ => None,
            }),
            sampling: SamplingConfig::parse(&mut parser),
            cluster: ClusterConfig::parse(&mut parser),
        };
        parser.check_exposure(&config);
        parser.problems.extend(config.window_of_the_log());
        if config.ack == Ack::Replicated && !config.cluster.is_set() {
            let problem = "ack = \"replicated\": one machine has no replicas; accepted without Kafka: received, logged, durable";
            parser.problems.push(problem.to_owned());
        }
        if parser.problems.is_empty() {
            Ok(config)
        } else {
            Err(parser.problems)
        }
    }
}

impl Config {
    /// In a cluster the sampler reads the live window out of the log again after a restart: what would
    /// have expired there by then is refused.
    fn window_of_the_log(&self) -> Option<String> {
        let live_s = self.sampling.policy.live_window_ns / 1_000_000_000;
        let (needed_s, kept_s) = (live_s * 4, self.cluster.kafka.retention_s);
        let is_sampled = self.sampling.is_enabled && self.cluster.is_set();
        (is_sampled && kept_s < needed_s).then(|| {
            format!(
                "live_window is {live_s} s and kafka_retention_s {kept_s}: the sampler needs four live windows of the log, {needed_s} s"
            )
        })
    }
}

struct Parser<'a> {
    layers: &'a Layers,
    problems: Vec<String>,
}

impl Parser<'_> {
    /// Parses one setting; a problem is noted and the default stands in, so that all are found.
    fn get<T>(&mut self, key: &str, accepted: &str, parse: impl Fn(&str) -> Option<T>) -> T {
        let setting = settings()
            .find(|s| s.key == key)
            .expect("asked by a key of the table");
        let (value, source) = &self.layers.values[setting.key];
        parse(value).unwrap_or_else(|| {
            self.problems
                .push(format!("{source}: {key} = {value:?}; accepted: {accepted}"));
            parse(setting.default).expect("a default is accepted")
        })
    }

    fn seconds(&mut self, key: &str) -> u64 {
        // 100 years: in nanoseconds it still fits 64 bits.
        let accepted = "seconds, 1 to 3155760000";
        self.get(key, accepted, |text| {
            text.parse()
                .ok()
                .filter(|seconds| (1..=3_155_760_000).contains(seconds))
        })
    }

    fn address(&mut self, key: &str) -> SocketAddr {
        self.get(
            key,
            "HOST:PORT with an IP address, such as 127.0.0.1:4318",
            |text| text.replace("localhost", "127.0.0.1").parse().ok(),
        )
    }

    /// A public bind without authentication is refused unless it was asked for in so many words.
    fn check_exposure(&mut self, config: &Config) {
        let insecure = self.get("insecure", "true or false", |text| {
            text.parse::<bool>().ok()
        });
        if insecure {
            return;
        }
        let listeners = [
            ("listen_ingest", config.listen_ingest),
            ("listen_otlp_grpc", config.listen_otlp_grpc),
            ("listen_query", config.listen_query),
            ("listen_admin", config.listen_admin),
        ];
        for (key, address) in listeners
            .iter()
            .filter(|(_, address)| !address.ip().is_loopback())
        {
            self.problems.push(format!(
                "{key} = {address} is reachable from other machines, without TLS or authentication; \
                 listen on 127.0.0.1 behind a proxy, or set insecure = true (--insecure)"
            ));
        }
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(bit) => bit.to_string(),
        toml::Value::Array(items) => {
            let items: Option<Vec<String>> = items.iter().map(scalar).collect();
            items?.join(",")
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => return None,
    })
}

/// `768MiB`, `2GiB`, `1048576`.
fn parse_bytes(text: &str) -> Option<usize> {
    let (digits, shift) = [("KiB", 10), ("MiB", 20), ("GiB", 30)]
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    digits.trim().parse::<usize>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tracewell.toml");
        std::fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn defaults_are_sound_and_loopback() {
        let config = Layers::defaults().parse().unwrap();
        assert_eq!(config.listen_query.to_string(), "127.0.0.1:4320");
        assert_eq!(config.memory_bytes_max, 768 << 20);
    }

    #[test]
    fn flags_win_over_environment_over_file() {
        let (_dir, path) = file("seal_after_s = 1\nack = \"durable\"\nlog_format = \"json\"");
        let environment = [("TRACEWELL_SEAL_AFTER_S".to_owned(), "2".to_owned())];
        let layers = Layers::defaults()
            .file(Some(&path))
            .environment(environment.into_iter())
            .flags([("seal_after_s", Some("3".to_owned())), ("ack", None)]);
        let config = layers.parse().unwrap();
        assert_eq!((config.seal_after_s, config.ack), (3, Ack::Durable));
        assert!(config.log_json);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let (_dir, path) = file(
            "colour = 1\nack = \"replicated\"\nlisten_query = \"0.0.0.0:1\"\nlog = 1979-05-27\n[kafka]\nx = 1",
        );
        let problems = Layers::defaults()
            .file(Some(&path))
            .parse()
            .unwrap_err()
            .join("\n");
        for wanted in [
            "no setting colour",
            "ack = \"replicated\"",
            "0.0.0.0:1 is reachable",
            "log is datetime",
            "no setting kafka_x",
        ] {
            assert!(problems.contains(wanted), "{wanted} in {problems}");
        }
    }

    #[test]
    fn a_cap_on_disk_is_a_size_or_a_share() {
        let cap = |text: &str| {
            let flags = [("disk_bytes_max", Some(text.to_owned()))];
            let config = Layers::defaults().flags(flags).parse();
            config.ok().map(|config| config.disk_cap)
        };
        assert_eq!(cap("0"), Some(DiskCap::Bytes(0)));
        assert_eq!(cap("50GiB"), Some(DiskCap::Bytes(50 << 30)));
        assert_eq!(cap("80%"), Some(DiskCap::Percent(80)));
        assert_eq!((cap("101%"), cap("-1"), cap("all")), (None, None, None));
    }

    #[test]
    fn a_public_bind_needs_insecure() {
        let flags = |insecure: bool| {
            Layers::defaults().flags([
                ("listen_ingest", Some("0.0.0.0:4318".to_owned())),
                ("insecure", Some(insecure.to_string())),
            ])
        };
        assert!(flags(false).parse().is_err());
        assert!(flags(true).parse().is_ok());
    }
}
