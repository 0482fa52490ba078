//! `DIR/addresses.json` (D22): the listeners that run, written by rename once the node is ready,
//! removed when it stops. Tests and scripts start a server on free ports and read this file.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;

/// Where the listeners listen.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) ingest: SocketAddr,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) query: SocketAddr,
    pub(crate) admin: SocketAddr,
}

const FILE: &str = "addresses.json";

impl Addresses {
    /// Each listener's name and address.
    pub(crate) fn rows(&self) -> [(&'static str, String); 4] {
        [
            ("ingest", self.ingest.to_string()),
            ("otlp_grpc", self.otlp_grpc.to_string()),
            ("query", self.query.to_string()),
            ("admin", self.admin.to_string()),
        ]
    }

    /// Puts the file in place in one step.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let json: serde_json::Map<String, serde_json::Value> = self
            .rows()
            .into_iter()
            .map(|(name, address)| (name.to_owned(), address.into()))
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
