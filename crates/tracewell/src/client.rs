//! Talks to a running server, for the commands that are clients: get, search, status, load, demo.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

/// How often an overloaded server is asked again before giving up.
const TRIES_MAX: u32 = 60;

/// How long an answer may take; of one that goes on and on, its beginning.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What the server said of a body of spans.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    /// Spans it refused, and why.
    pub(crate) refused: u64,
    pub(crate) reason: String,
}

impl Client {
    /// A client of the server at this URL, `http://host:port`.
    pub(crate) fn new(base: &str) -> anyhow::Result<Client> {
        if !base.starts_with("http://") {
            bail!("{base}: a URL such as http://127.0.0.1:4320 is accepted");
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_TIMEOUT))
            .build()
            .new_agent();
        Ok(Client {
            agent,
            base: base.trim_end_matches('/').to_owned(),
        })
    }

    /// The server's answer as JSON; its error message if it is one.
    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let mut response = request.call().with_context(|| self.unreachable())?;
        let text = response
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()?;
        let answer: Value = serde_json::from_str(&text).with_context(|| {
            format!(
                "{}: not a tracewell server? it answered {text:.80}",
                self.base
            )
        })?;
        match answer.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => bail!("{message}"),
            None => Ok(answer),
        }
    }

    /// The server's answer as it comes, however long that takes; its error message if it is one.
    pub(crate) fn stream(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> anyhow::Result<impl Read + use<>> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        for (name, value) in query {
            request = request.query(*name, value);
        }
        let request = request.config().timeout_global(None);
        let request = request.timeout_recv_response(Some(ANSWER_TIMEOUT)).build();
        let mut response = request.call().with_context(|| self.unreachable())?;
        if response.status() == 200 {
            return Ok(response.into_body().into_reader());
        }
        let text = response.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let message = answer.pointer("/error/message").and_then(Value::as_str);
        bail!("{}", message.unwrap_or("not a tracewell server?"))
    }

    /// Sends an OTLP request; waits and repeats while the server is overloaded, as it asks.
    pub(crate) fn send_otlp(&self, body: &[u8]) -> anyhow::Result<Accepted> {
        for _ in 0..TRIES_MAX {
            let mut response = self
                .agent
                .post(format!("{}/v1/traces", self.base))
                .content_type("application/x-protobuf")
                .send(body)
                .with_context(|| self.unreachable())?;
            let status = response.status().as_u16();
            let answer = response.body_mut().read_to_vec()?;
            match status {
                200 => return Ok(partial_success(&answer)),
                429 | 502 | 503 | 504 => {
                    let after = response.headers().get("retry-after");
                    let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
                    wait(Duration::from_secs(after.unwrap_or(1)));
                }
                404 | 405 => bail!(
                    "{} takes no spans: is it the ingest address (port 4318)?",
                    self.base
                ),
                _ => bail!(
                    "the server answered {status}: {}",
                    String::from_utf8_lossy(&answer)
                ),
            }
        }
        bail!("the server stayed overloaded through {TRIES_MAX} tries")
    }

    fn unreachable(&self) -> String {
        format!(
            "{} does not answer; is `tracewell start` running there?",
            self.base
        )
    }
}

/// Waits without a wall clock: nobody wakes this condition.
pub(crate) fn wait(time: Duration) {
    let (lock, condition) = (std::sync::Mutex::new(()), std::sync::Condvar::new());
    let guard = lock
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    drop(condition.wait_timeout_while(guard, time, |()| true));
}

/// Reads `ExportTraceServiceResponse.partial_success {rejected_spans = 1, error_message = 2}`.
fn partial_success(answer: &[u8]) -> Accepted {
    use tracewell_wire::proto::{Field, Fields};
    let mut accepted = Accepted::default();
    let mut outer = Fields::of(answer);
    while let Ok(Some((number, field, _))) = outer.next_field() {
        let (1, Field::Bytes(partial)) = (number, field) else {
            continue;
        };
        let mut inner = Fields::of(partial);
        while let Ok(Some(field)) = inner.next_field() {
            match field {
                (1, Field::Varint(count), _) => accepted.refused = count,
                (2, Field::Bytes(text), _) => {
                    accepted.reason = String::from_utf8_lossy(text).into_owned();
                }
                _ => {}
            }
        }
    }
    accepted
}
