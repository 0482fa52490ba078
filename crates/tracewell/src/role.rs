//! Roles: what parts a process runs. One table; `assemble` is the only other place that looks at it.

/// A part of Tracewell that can run in a process of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Receives spans and appends them to the log.
    Collector,
    /// Writes the log into the trace store.
    StorageWriter,
    /// Makes rates, errors, latencies and edges from the log.
    Aggregator,
    /// Answers the API and serves the UI.
    Query,
}

impl Role {
    /// Every role with its name, its duty, and what it needs to run apart from the others.
    pub(crate) const TABLE: [(Role, &str, &str); 4] = [
        (Role::Collector, "collector", "a shared span log (Kafka)"),
        (
            Role::StorageWriter,
            "storage-writer",
            "a shared span log (Kafka) and a shared trace store (Cassandra)",
        ),
        (
            Role::Aggregator,
            "aggregator",
            "a shared span log (Kafka) and a shared statistics store (Redis)",
        ),
        (
            Role::Query,
            "query",
            "a shared trace store (Cassandra), search index (OpenSearch) and statistics store (Redis)",
        ),
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

    /// Embedded stores live in one process: a subset of roles cannot share them (D22).
    pub(crate) fn check_embedded(roles: &[Role]) -> Result<(), String> {
        if roles.len() == Role::TABLE.len() {
            return Ok(());
        }
        let needs: Vec<String> = Role::TABLE
            .iter()
            .filter(|(role, ..)| roles.contains(role))
            .map(|(_, name, needs)| format!("{name} needs {needs}"))
            .collect();
        Err(format!(
            "role = {}: embedded stores belong to one process, which must run all roles; {}; \
             this build has no external backends (they come with the cluster feature)",
            roles
                .iter()
                .map(|role| role.name())
                .collect::<Vec<_>>()
                .join(","),
            needs.join("; ")
        ))
    }
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
}
