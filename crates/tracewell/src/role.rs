//! Roles: what parts a process runs. One table; `assemble` is the only other place that looks at it.

use crate::config::Config;

/// A part of Tracewell that can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Receives spans and appends them to the log.
    Collector,
    /// Writes the log into the trace store.
    StorageWriter,
    /// Makes the log searchable.
    Indexer,
    /// Makes rates, errors, latencies and edges from the log.
    Aggregator,
    /// Decides which traces stay after their live window, and has the others erased.
    Sampler,
    /// Answers the API and serves the UI.
    Query,
}

/// An engine that processes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    Kafka,
    Cassandra,
    OpenSearch,
    Redis,
}

use Engine::{Cassandra, Kafka, OpenSearch, Redis};

impl Engine {
    /// What it is to the roles.
    fn duty(self) -> &'static str {
        match self {
            Kafka => "a shared span log (Kafka)",
            Cassandra => "a shared trace store (Cassandra)",
            OpenSearch => "a shared search index (OpenSearch)",
            Redis => "a shared statistics store (Redis)",
        }
    }

    /// The setting that says where it is.
    fn setting(self) -> &'static str {
        match self {
            Kafka => "kafka_brokers",
            Cassandra => "cassandra_nodes",
            OpenSearch => "opensearch_url",
            Redis => "redis_url",
        }
    }

    /// Whether it is set where it is.
    pub(crate) fn is_set(self, config: &Config) -> bool {
        let cluster = &config.cluster;
        match self {
            Kafka => !cluster.kafka.brokers.is_empty(),
            Cassandra => !cluster.cassandra.nodes.is_empty(),
            OpenSearch => !cluster.opensearch.url.is_empty(),
            Redis => !cluster.redis.url.is_empty(),
        }
    }
}

impl Role {
    /// Every role with its name and what it needs to run apart from the others.
    pub(crate) const TABLE: [(Role, &str, &[Engine]); 6] = [
        (Role::Collector, "collector", &[Kafka]),
        (Role::StorageWriter, "storage-writer", &[Kafka, Cassandra]),
        (Role::Indexer, "indexer", &[Kafka, OpenSearch]),
        (Role::Aggregator, "aggregator", &[Kafka, Redis]),
        (
            Role::Sampler,
            "sampler",
            &[Kafka, Cassandra, OpenSearch, Redis],
        ),
        (Role::Query, "query", &[Cassandra, OpenSearch, Redis, Kafka]),
    ];

    /// The role's name in settings.
    pub(crate) fn name(self) -> &'static str {
        Role::TABLE
            .iter()
            .find(|(role, ..)| *role == self)
            .map_or("", |(_, name, _)| name)
    }

    /// `all`, or names separated by commas.
    pub(crate) fn parse_list(text: &str) -> Option<Vec<Role>> {
        if text.trim() == "all" {
            return Some(Role::TABLE.iter().map(|(role, ..)| *role).collect());
        }
        let by_name = |name: &str| Role::TABLE.iter().find(|(_, n, _)| *n == name.trim());
        let mut roles: Vec<Role> = text
            .split(',')
            .map(|name| by_name(name).map(|(role, ..)| *role))
            .collect::<Option<_>>()?;
        roles.sort_unstable();
        roles.dedup();
        (!roles.is_empty()).then_some(roles)
    }

    /// Whether these roles can do their work with what is set (D22).
    pub(crate) fn check(config: &Config) -> Result<(), String> {
        let roles = Role::TABLE
            .iter()
            .filter(|(role, ..)| config.roles.contains(role));
        if !config.cluster.is_set() {
            return Role::check_embedded(&config.roles);
        }
        if config.roles == [Role::Sampler] && !config.sampling.is_enabled {
            return Err(
                "role = sampler: nothing is to be sampled; set sampling_enabled".to_owned(),
            );
        }
        if !cfg!(feature = "cluster") {
            return Err("kafka_brokers is set, but this build has no external backends; build it with --features cluster".to_owned());
        }
        let missing: Vec<String> = roles
            .flat_map(|(_, name, needs)| needs.iter().map(move |engine| (name, engine)))
            .filter(|(_, engine)| !engine.is_set(config))
            .map(|(name, engine)| {
                format!("{name} needs {}: set {}", engine.duty(), engine.setting())
            })
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(format!(
                "role = {}: {}",
                names(&config.roles),
                missing.join("; ")
            )),
        }
    }

    /// Embedded stores live in one process: a subset of roles cannot share them (D22).
    fn check_embedded(roles: &[Role]) -> Result<(), String> {
        if roles.len() == Role::TABLE.len() {
            return Ok(());
        }
        let needs: Vec<String> = Role::TABLE
            .iter()
            .filter(|(role, ..)| roles.contains(role))
            .map(|(_, name, needs)| {
                let duties: Vec<&str> = needs.iter().map(|engine| engine.duty()).collect();
                format!("{name} needs {}", duties.join(", "))
            })
            .collect();
        Err(format!(
            "role = {}: embedded stores belong to one process, which must run all roles; {}; \
             external engines are set by kafka_brokers and the like, in a build with --features cluster",
            names(roles),
            needs.join("; ")
        ))
    }
}

fn names(roles: &[Role]) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subset_is_refused_naming_what_is_missing() {
        let roles = Role::parse_list("query, collector").unwrap();
        let refusal = Role::check_embedded(&roles).unwrap_err();
        assert!(
            refusal.contains("collector needs a shared span log"),
            "{refusal}"
        );
        assert!(refusal.contains("Cassandra"), "{refusal}");
        assert!(Role::check_embedded(&Role::parse_list("all").unwrap()).is_ok());
        assert_eq!(Role::parse_list("queen"), None);
    }

    #[test]
    #[cfg(feature = "cluster")]
    fn a_sampler_with_nothing_to_sample_is_refused() {
        let check = |roles: &str, is_enabled: &str| {
            let flags = [
                ("role", roles),
                ("sampling_enabled", is_enabled),
                ("kafka_brokers", "k:9092"),
                ("cassandra_nodes", "c:9042"),
                ("opensearch_url", "http://o:9200"),
                ("redis_url", "redis://r:6379"),
            ];
            let flags = flags.map(|(key, value)| (key, Some(value.to_owned())));
            let config = crate::config::Layers::defaults().flags(flags).parse();
            Role::check(&config.unwrap())
        };
        let refused = check("sampler", "false").unwrap_err();
        assert!(refused.contains("set sampling_enabled"), "{refused}");
        assert_eq!(check("sampler", "true"), Ok(()));
        assert_eq!(check("all", "false"), Ok(()));
    }

    #[test]
    fn every_role_is_deployed_from_one_file() {
        let compose = include_str!("../../../deploy/compose.yaml");
        for (_, name, _) in Role::TABLE {
            let command = format!("\"start\", \"--role\", \"{name}\"");
            assert!(
                compose.contains(&command),
                "no {name} in deploy/compose.yaml"
            );
        }
        let settings =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/tracewell.toml");
        let config = crate::config::Layers::defaults()
            .file(Some(&settings))
            .parse()
            .unwrap();
        let set = [Kafka, Cassandra, OpenSearch, Redis].map(|engine| engine.is_set(&config));
        assert_eq!(set, [true; 4]);
    }
}
