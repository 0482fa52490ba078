//! `DIR/addresses.json` (D22): the listeners that run, written by rename once the node is ready,
//! removed when it stops. Tests and scripts start a server on free ports and read this file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

/// Where the listeners listen: those that run, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(BTreeMap<&'static str, SocketAddr>);

const FILE: &str = "addresses.json";

impl Addresses {
    /// One more listener.
    pub(crate) fn add(&mut self, name: &'static str, address: SocketAddr) {
        self.0.insert(name, address);
    }

    /// Where this listener listens, if it runs.
    pub(crate) fn get(&self, name: &str) -> Option<SocketAddr> {
        self.0.get(name).copied()
    }

    /// Each listener's name and address.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (String, String)> {
        let rows = self.0.iter();
        rows.map(|(name, address)| ((*name).to_owned(), address.to_string()))
    }

    /// Puts the file in place in one step.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let json: serde_json::Map<String, serde_json::Value> = self
            .rows()
            .map(|(name, address)| (name, address.into()))
            .collect();
        let temporary = dir.join("addresses.json.tmp");
        std::fs::write(&temporary, serde_json::to_vec(&json)?)
            .and_then(|()| std::fs::rename(&temporary, dir.join(FILE)))
            .with_context(|| format!("write {}", dir.join(FILE).display()))
    }

    /// Removes what this or a killed process left.
    pub(crate) fn remove(dir: &Path) {
        match std::fs::remove_file(dir.join(FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "cannot remove addresses.json");
            }
            Ok(()) | Err(_) => {}
        }
    }
}
