//! `tracewell schema` makes what the engines have to have; `tracewell doctor` looks at every engine
//! that the roles need, and says what is wrong and what sets it right.

use std::collections::BTreeSet;

use anyhow::bail;
use tracewell_storage::Finding;

use crate::assemble::engines::{check, make_schema, place};
use crate::cli::StartArgs;
use crate::config::Config;
use crate::role::{Engine, Role};
use crate::show::line;
use crate::start;

/// Makes topics, keyspaces and templates that are not there yet.
pub(crate) fn schema(args: &StartArgs) -> anyhow::Result<()> {
    let config = start::settings(args)?;
    for engine in engines(&config)? {
        let made = make_schema(engine, &config).map_err(anyhow::Error::msg)?;
        match made.is_empty() {
            true => line!("{engine:?}: nothing was missing"),
            false => line!("{engine:?}: made {}", made.join(", ")),
        }
    }
    Ok(())
}

/// Looks at every engine; fails if one is not as it should be.
pub(crate) fn doctor(args: &StartArgs) -> anyhow::Result<()> {
    let config = start::settings(args)?;
    let mut problems = 0;
    for engine in engines(&config)? {
        let name = place(engine, &config);
        let checkup = match check(engine, &config) {
            Ok(checkup) => checkup,
            Err(error) => {
                problems += 1;
                line!("{name}: {error}");
                continue;
            }
        };
        line!("{name}: {}", checkup.seen);
        for Finding { problem, fix } in &checkup.findings {
            problems += 1;
            line!("  problem: {problem}\n  fix:     {fix}");
        }
    }
    if problems > 0 {
        bail!("{problems} problem(s)");
    }
    line!("all is as the roles need it");
    Ok(())
}

/// The engines that the roles of these settings need, each once.
fn engines(config: &Config) -> anyhow::Result<BTreeSet<Engine>> {
    if !config.cluster.is_set() {
        bail!(
            "kafka_brokers is not set: without it everything is in one process, and nothing is to be checked"
        );
    }
    let needed = Role::TABLE
        .iter()
        .filter(|(role, ..)| config.roles.contains(role));
    let set = |engine: &Engine| engine.is_set(config);
    Ok(needed
        .flat_map(|(_, _, needs)| needs.iter().copied())
        .filter(set)
        .collect())
}
