//! The few requests that are made, over plain HTTP, and what their failures mean.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use tracewell_storage::{Class, Error};

use crate::settings::Settings;

/// Beyond this a server counts as hung.
const TIMEOUT: Duration = Duration::from_secs(20);
/// An answer larger than this is none to a question of ours.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// A client. Clones share its connections.
#[derive(Clone)]
pub(crate) struct Http {
    agent: ureq::Agent,
    pub(crate) settings: Arc<Settings>,
    authorization: Option<String>,
}

impl std::fmt::Debug for Http {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Http")
            .field("url", &self.settings.url)
            .finish_non_exhaustive()
    }
}

impl Http {
    pub(crate) fn new(settings: Settings) -> Result<Http, Error> {
        // Without a hyphen, no tenant's pattern matches the indices of another.
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if settings.prefix.is_empty() || !settings.prefix.chars().all(letter) {
            let prefix = &settings.prefix;
            return Err(Error::invalid(format!(
                "the prefix of indices {prefix:?} is not of lower-case letters and digits"
            )));
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build()
            .new_agent();
        let credentials = settings.credentials.as_ref();
        let authorization = credentials.map(|(user, password)| {
            let both = STANDARD.encode(format!("{user}:{password}"));
            format!("Basic {both}")
        });
        Ok(Http {
            agent,
            settings: Arc::new(settings),
            authorization,
        })
    }

    /// Makes a request; the answer as JSON, if it is of a status that says it was done.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
    ) -> Result<T, Error> {
        let answer = self.send(method, path, body)?;
        serde_json::from_slice(&answer).map_err(|error| {
            self.failed(
                Class::Retryable,
                path,
                &format!("its answer is not understood: {error}"),
            )
        })
    }

    /// Makes a request; the answer's bytes.
    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        let url = format!("{}/{path}", self.settings.url.trim_end_matches('/'));
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let kind = match path.starts_with("_bulk") {
            true => "application/x-ndjson",
            false => "application/json",
        };
        let request = request
            .header("content-type", kind)
            .body(body)
            .map_err(|error| self.failed(Class::Invalid, path, &error))?;
        let passing = |error: ureq::Error| self.failed(Class::Retryable, path, &error);
        let mut answer = self.agent.run(request).map_err(passing)?;
        let limited = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX);
        let bytes = limited.read_to_vec().map_err(passing)?;
        let status = answer.status().as_u16();
        if status < 300 {
            return Ok(bytes);
        }
        // Requests of ours are sound: what is refused now, for a missing right or a full disk, passes.
        let class = match status {
            429 => Class::Overloaded,
            _ => Class::Retryable,
        };
        let said: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
        Err(self.failed(class, path, &format!("status {status}, {said}")))
    }

    fn failed(&self, class: Class, path: &str, why: &dyn std::fmt::Display) -> Error {
        let path = path.split('?').next().unwrap_or_default();
        Error::new(
            class,
            format!("OpenSearch at {}, {path}: {why}", self.settings.url),
        )
    }
}
