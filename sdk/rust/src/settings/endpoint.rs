//! Where spans go: `http://host:port/path`.

use std::fmt;

use crate::settings::Protocol;

/// A collector's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    /// The whole path, where one was given.
    path: Option<String>,
    /// Before the path that the protocol asks for.
    base: String,
    tls: bool,
}

/// What an endpoint has to look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEndpoint(String);

impl fmt::Display for BadEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not of the form http://host[:port][/path]",
            self.0
        )
    }
}

impl std::error::Error for BadEndpoint {}

impl Default for Endpoint {
    /// A Tracewell on this machine.
    fn default() -> Self {
        Endpoint {
            host: "127.0.0.1".to_owned(),
            port: 4318,
            path: None,
            base: String::new(),
            tls: false,
        }
    }
}

impl Endpoint {
    /// The base of a collector's addresses, to which the protocol adds `/v1/traces` or `/v1/spans`.
    pub fn base(url: &str) -> Result<Self, BadEndpoint> {
        let (mut endpoint, path) = Endpoint::parse(url)?;
        endpoint.base = path.trim_end_matches('/').to_owned();
        Ok(endpoint)
    }

    /// The exact address to post to.
    pub fn exact(url: &str) -> Result<Self, BadEndpoint> {
        let (mut endpoint, path) = Endpoint::parse(url)?;
        endpoint.path = Some(if path.is_empty() {
            "/".to_owned()
        } else {
            path
        });
        Ok(endpoint)
    }

    fn parse(url: &str) -> Result<(Self, String), BadEndpoint> {
        let bad = || BadEndpoint(url.to_owned());
        // An endpoint is written into request lines: nothing invisible may be in it.
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(bad());
        }
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(bad()),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| bad())?),
            _ => (authority, if tls { 443 } else { 4318 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['@', '?', '#']) || path.contains('#') {
            return Err(bad());
        }
        let endpoint = Endpoint {
            host: host.to_owned(),
            port,
            tls,
            ..Endpoint::default()
        };
        Ok((endpoint, path.to_owned()))
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 4318 where none was given, 443 with `https`.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it asks for TLS, which needs a [`Transport`](crate::Transport) of your own.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// What a request's `Host` says.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The path to post to.
    pub fn path(&self, protocol: Protocol) -> String {
        let own = match protocol {
            Protocol::Otlp => "/v1/traces",
            Protocol::Spans => "/v1/spans",
        };
        self.path
            .clone()
            .unwrap_or_else(|| format!("{}{own}", self.base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let check = |url: &str, authority: &str, path: &str| {
            let endpoint = Endpoint::base(url).unwrap();
            let seen = (endpoint.authority(), endpoint.path(Protocol::Otlp));
            assert_eq!(seen, (authority.to_owned(), path.to_owned()), "{url}");
        };
        check("http://collector", "collector:4318", "/v1/traces");
        check("collector:4317", "collector:4317", "/v1/traces");
        check(
            "http://collector:80/base/",
            "collector:80",
            "/base/v1/traces",
        );
        check("http://[::1]:4318", "[::1]:4318", "/v1/traces");
        check("https://collector", "collector:443", "/v1/traces");
        let exact = Endpoint::exact("http://c:1/in?x=1").unwrap();
        assert_eq!(exact.path(Protocol::Spans), "/in?x=1");
        for bad in [
            "",
            "http://",
            "ftp://c",
            "http://c:99999",
            "http://c\r\nX: y",
            "http://u@c",
            "http://c d",
        ] {
            assert!(Endpoint::base(bad).is_err(), "{bad:?}");
        }
    }
}
