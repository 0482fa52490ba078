//! The engines' programs: Java, Maven and Redis by apt, jars by one Maven run a machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::tools;

/// The Maven projects, and what OpenSearch's modules may do.
const PROJECTS: [(&str, &str); 4] = [
    ("pom.xml", include_str!("../../../dev/stack/pom.xml")),
    ("kafka.xml", include_str!("../../../dev/stack/kafka.xml")),
    (
        "cassandra.xml",
        include_str!("../../../dev/stack/cassandra.xml"),
    ),
    (
        "opensearch.xml",
        include_str!("../../../dev/stack/opensearch.xml"),
    ),
];
const POLICY: &str = include_str!("../../../dev/stack/opensearch-module.policy");

/// OpenSearch's modules: name, class, and what the names of its jars begin with.
const MODULES: [(&str, &str, &[&str]); 2] = [
    (
        "transport-netty4",
        "org.opensearch.transport.Netty4Plugin",
        &["transport-netty4-client-", "netty-"],
    ),
    (
        "reindex",
        "org.opensearch.index.reindex.ReindexPlugin",
        &[
            "reindex-client-",
            "opensearch-rest-client-",
            "opensearch-ssl-config-",
            "http",
            "commons-",
        ],
    ),
];

/// The folder with the jars, fetched if they are not there.
pub(super) fn fetched() -> anyhow::Result<PathBuf> {
    tools::apt_program("java", "openjdk-17-jre-headless")?;
    tools::apt_program("mvn", "maven")?;
    tools::apt_program("redis-server", "redis-server")?;
    tools::made_once("stack", (PROJECTS, POLICY, MODULES), make)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    for (name, text) in PROJECTS {
        std::fs::write(folder.join(name), text)?;
    }
    tools::run(
        Command::new("mvn")
            .args(["-q", "-B", "package"])
            .stdout(std::io::stderr())
            .current_dir(folder),
    )?;
    for (name, class, jars) in MODULES {
        module(&folder.join("opensearch"), name, class, jars)
            .with_context(|| format!("make OpenSearch's module {name}"))?;
    }
    Ok(())
}

/// OpenSearch loads a module from a folder of its own, apart from the server's class path.
fn module(home: &Path, name: &str, class: &str, begins: &[&str]) -> anyhow::Result<()> {
    let folder = home.join("modules").join(name);
    std::fs::create_dir_all(&folder)?;
    let mut version = String::new();
    for jar in std::fs::read_dir(home.join("lib"))? {
        let jar = jar?;
        let file = jar.file_name().to_string_lossy().into_owned();
        if let Some(begin) = begins.iter().find(|begin| file.starts_with(**begin)) {
            std::fs::rename(jar.path(), folder.join(&file))?;
            if *begin == begins[0] {
                version = file
                    .trim_start_matches(begin)
                    .trim_end_matches(".jar")
                    .to_owned();
            }
        }
    }
    let descriptor = format!(
        "name={name}\ndescription={name}\nversion={version}\nopensearch.version={version}\njava.version=11\nclassname={class}\n"
    );
    std::fs::write(folder.join("plugin-descriptor.properties"), descriptor)?;
    Ok(std::fs::write(
        folder.join("plugin-security.policy"),
        POLICY,
    )?)
}
