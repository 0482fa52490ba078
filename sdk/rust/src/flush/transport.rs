//! The seam between the flusher and the network.

use std::fmt;
use std::time::Duration;

/// Carries requests to the collector, from the flusher's thread. The SDK's own speaks HTTP/1.1 over TCP; give
/// another to [`TracerBuilder::transport`](crate::TracerBuilder::transport) for TLS or for a test.
pub trait Transport: Send {
    /// Sends one request and waits for its reply, within `request.timeout`. A panic counts as an error.
    fn exchange(&mut self, request: &Request<'_>) -> Result<Reply, SendError>;
}

impl<F: FnMut(&Request<'_>) -> Result<Reply, SendError> + Send> Transport for F {
    fn exchange(&mut self, request: &Request<'_>) -> Result<Reply, SendError> {
        self(request)
    }
}

/// A `POST`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Request<'a> {
    /// The path, with a query if there is one.
    pub path: &'a str,
    /// Names are lower case; `host` and `content-length` are not among them.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
    /// How long the exchange may take.
    pub timeout: Duration,
}

impl<'a> Request<'a> {
    pub(crate) fn new(
        path: &'a str,
        headers: &'a [(&'a str, &'a str)],
        body: &'a [u8],
        timeout: Duration,
    ) -> Self {
        Request {
            path,
            headers,
            body,
            timeout,
        }
    }
}

/// What the collector answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Names are lower case.
    pub headers: Vec<(String, String)>,
    /// The body, or as much of it as the SDK is ready to read.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply of a status and nothing else.
    pub fn new(status: u16) -> Self {
        Reply {
            status,
            ..Reply::default()
        }
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Why there is no reply. All are tried again; the words are for people.
#[derive(Debug)]
pub struct SendError(String);

impl SendError {
    /// With these words.
    pub fn new(what: impl fmt::Display) -> Self {
        SendError(what.to_string())
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SendError {}

impl From<std::io::Error> for SendError {
    fn from(error: std::io::Error) -> Self {
        SendError::new(error)
    }
}
