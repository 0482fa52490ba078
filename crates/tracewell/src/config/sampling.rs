//! Settings of the sampler: how long everything is kept, and what is kept then (docs/sampling.md).

use tracewell_workers::sampler::policy::{Policy, Rule, WHOLE};

use super::{Parser, Setting};

pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "live_window",
        default: "15m",
        meaning: "How long everything is kept and found where traces are sampled: `90s`, `15m`, `2h`. What is not kept goes soon after.",
    },
    Setting {
        key: "sampling_enabled",
        default: "false",
        meaning: "Drop most healthy traces after the live window. Errors, outliers, partial and pinned traces stay ([sampling.md](sampling.md)).",
    },
    Setting {
        key: "sampling_healthy_percent",
        default: "5",
        meaning: "Of healthy traces at most so many per cent stay.",
    },
    Setting {
        key: "sampling_diversity",
        default: "3",
        meaning: "Of each root operation and latency band so many healthy traces stay in each live window, within that share.",
    },
    Setting {
        key: "sampling_keep_roots",
        default: "",
        meaning: "Roots whose traces all stay, beside that share: `service,service/operation`.",
    },
];

/// Whether traces are sampled, and how.
#[derive(Clone, Debug)]
pub(crate) struct SamplingConfig {
    pub(crate) is_enabled: bool,
    pub(crate) policy: Policy,
}

impl SamplingConfig {
    pub(super) fn parse(parser: &mut Parser<'_>) -> SamplingConfig {
        let live_window_ns = parser.get("live_window", "10s to 30d, as in 90s, 15m, 2h, 1d", time);
        SamplingConfig {
            is_enabled: parser.get("sampling_enabled", "true or false", |text| {
                text.parse().ok()
            }),
            policy: Policy {
                live_window_ns,
                healthy_share: parser.get(
                    "sampling_healthy_percent",
                    "0 to 100, as in 5 or 0.5",
                    share,
                ),
                diversity: parser.get("sampling_diversity", "0 to 1000", |text| {
                    text.parse().ok().filter(|count| *count <= 1_000)
                }),
                rules: parser.get("sampling_keep_roots", "service,service/operation", |text| {
                    Some(rules(text))
                }),
                ..Policy::default()
            },
        }
    }

    /// Half a live window in seconds: what is not in a segment by then would be decided about late.
    pub(crate) fn seal_after_s_max(&self) -> u64 {
        match self.is_enabled {
            true => (self.policy.live_window_ns / 2_000_000_000).max(1),
            false => u64::MAX,
        }
    }
}

/// Nanoseconds of `15m`.
fn time(text: &str) -> Option<u64> {
    let unit_s = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u64 = text.get(..text.len() - 1)?.parse().ok()?;
    let seconds = count.checked_mul(unit_s)?;
    let is_sound = (10..=30 * 86_400).contains(&seconds);
    is_sound.then_some(seconds * 1_000_000_000)
}

/// Parts of a whole.
fn share(text: &str) -> Option<u64> {
    let percent: f64 = text.parse().ok()?;
    let is_sound = (0.0..=100.0).contains(&percent);
    is_sound.then_some((percent * WHOLE as f64 / 100.0).round() as u64)
}

fn rules(text: &str) -> Vec<Rule> {
    let parts = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let rule = |part: &str| {
        // An operation may have slashes of its own, as in `shop/GET /cart`.
        let (service, operation) = match part.split_once('/') {
            Some((service, operation)) => (service, Some(operation.to_owned())),
            None => (part, None),
        };
        let service = service.to_owned();
        Rule { service, operation }
    };
    parts.map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Layers;
    use super::*;

    fn parse(key: &'static str, value: &str) -> Result<SamplingConfig, Vec<String>> {
        let flags = [(key, Some(value.to_owned()))];
        let config = Layers::defaults().flags(flags).parse();
        config.map(|config| config.sampling)
    }

    #[test]
    fn it_is_off_unless_asked_for_and_keeps_one_in_twenty() {
        let config = parse("log_level", "info").unwrap();
        assert!(!config.is_enabled);
        assert_eq!(config.policy, Policy::default());
        assert!(parse("sampling_enabled", "true").unwrap().is_enabled);
    }

    #[test]
    fn in_a_cluster_the_log_holds_four_live_windows() {
        let problems = |live_window: &str, brokers: &str| {
            let flags = [
                ("sampling_enabled", "true"),
                ("kafka_brokers", brokers),
                ("live_window", live_window),
            ];
            let flags = flags.map(|(key, value)| (key, Some(value.to_owned())));
            let parsed = Layers::defaults().flags(flags).parse();
            parsed.err().unwrap_or_default()
        };
        assert_eq!(problems("15m", "k:9092"), [""; 0]);
        assert_eq!(problems("2h", ""), [""; 0]);
        let refused = problems("16m", "k:9092");
        assert!(refused[0].contains("3840 s"), "{refused:?}");
    }

    #[test]
    fn windows_shares_and_roots_are_read_or_refused() {
        let window = |text| {
            let config = parse("live_window", text).ok();
            config.map(|config| config.policy.live_window_ns / 1_000_000_000)
        };
        assert_eq!((window("90s"), window("2h")), (Some(90), Some(7_200)));
        assert_eq!(
            (window("9s"), window("15"), window("m"), window("31d")),
            (None, None, None, None)
        );
        let share = |text| {
            let config = parse("sampling_healthy_percent", text).ok();
            config.map(|config| config.policy.healthy_share)
        };
        assert_eq!(
            (share("0.5"), share("100"), share("101")),
            (Some(50), Some(10_000), None)
        );
        let roots = parse("sampling_keep_roots", "cart, shop/GET /").unwrap();
        let rule = |service: &str, operation: Option<&str>| Rule {
            service: service.to_owned(),
            operation: operation.map(str::to_owned),
        };
        assert_eq!(
            roots.policy.rules,
            [rule("cart", None), rule("shop", Some("GET /"))]
        );
    }
}
