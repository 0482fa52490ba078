//! The query side of a server, asked over one connection, a question at a time.

use std::time::Duration;

use anyhow::Context;
use http::Method;
use serde_json::Value;
use tokio::runtime::Runtime;
use tracewell_model::clock::{Clock, SystemClock};

use crate::drive::{Answer, Connection};
use crate::pause;

/// How long to wait for what was sent to be applied and compacted.
pub(crate) const SETTLE_S_MAX: u64 = 180;
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug)]
pub(crate) struct Api {
    runtime: Runtime,
    connection: Connection,
    host: String,
}

impl Api {
    /// Connects to `host:port`.
    pub(crate) fn new(host: &str) -> anyhow::Result<Api> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let connection = runtime.block_on(Connection::open(host, false))?;
        Ok(Api {
            runtime,
            connection,
            host: host.to_owned(),
        })
    }

    /// The answer, and the nanoseconds it took.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<(Answer, u64)> {
        self.ask(Method::GET, path)
    }

    /// The same, of any method.
    pub(crate) fn ask(&mut self, method: Method, path: &str) -> anyhow::Result<(Answer, u64)> {
        let began_ns = SystemClock.monotonic_ns();
        let answer = self
            .runtime
            .block_on(self.connection.ask(method.clone(), path));
        let answer = match answer {
            Ok(answer) => answer,
            // A server closes a connection that nobody used for long.
            Err(_) => {
                self.connection = self.runtime.block_on(Connection::open(&self.host, false))?;
                self.runtime
                    .block_on(self.connection.ask(method, path))
                    .with_context(|| format!("ask for {path}"))?
            }
        };
        Ok((answer, SystemClock.monotonic_ns() - began_ns))
    }

    /// An answer as JSON.
    pub(crate) fn json(&mut self, path: &str) -> anyhow::Result<Value> {
        let (answer, _) = self.get(path)?;
        anyhow::ensure!(
            answer.status == 200,
            "GET {path}: {} {:.200}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        serde_json::from_slice(&answer.body).with_context(|| format!("GET {path}: no JSON"))
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&mut self, name: &str) -> anyhow::Result<Option<f64>> {
        let (answer, _) = self.get("/metrics")?;
        Ok(gauge(&String::from_utf8_lossy(&answer.body), name))
    }

    /// Waits until everything sent is applied and compacted; false when it took too long. A server
    /// without the gauge has settled when its log is drained: the rest is done by a clean stop.
    pub(crate) fn settle(&mut self) -> anyhow::Result<bool> {
        let began_ns = SystemClock.monotonic_ns();
        loop {
            let unsettled = self.gauge("tracewell_storage_unsettled_spans")?;
            let in_flight = self.json("/api/status")?["account"]["log"]["in_flight"].as_u64();
            if in_flight == Some(0) && unsettled.is_none_or(|spans| spans == 0.0) {
                return Ok(true);
            }
            if SystemClock.monotonic_ns() - began_ns > SETTLE_S_MAX * 1_000_000_000 {
                return Ok(false);
            }
            pause(LOOK_EVERY);
        }
    }
}

fn gauge(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_found_by_its_whole_name() {
        let page = "# HELP a_b x\na_b_c 3\na_b{d=\"e\"} 4\na_b 12\n";
        assert_eq!(gauge(page, "a_b"), Some(12.0));
        assert_eq!(gauge(page, "a"), None);
    }
}
