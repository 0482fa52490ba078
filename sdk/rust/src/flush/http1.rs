//! HTTP/1.1 over TCP, as much of it as posting to a collector needs: one kept connection, a deadline for
//! the whole exchange, and a cap on everything that is read.
#![warn(clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::clock;
use crate::flush::transport::{Reply, Request, SendError, Transport};
use crate::settings::{Endpoint, Settings};

/// Bytes of a reply's head; what is longer is no collector's.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes of a reply's body; an OTLP answer has a sentence in it at most. What is longer is not read.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Interim (1xx) heads before the reply.
const INTERIM_MAX: usize = 4;

pub(crate) struct Http1 {
    endpoint: Endpoint,
    connect_timeout: Duration,
    kept: Option<TcpStream>,
    head: String,
    /// What was read and not yet used.
    read: Vec<u8>,
}

impl Http1 {
    pub(crate) fn new(settings: &Settings) -> Self {
        Http1 {
            endpoint: settings.endpoint.clone(),
            connect_timeout: settings.connect_timeout,
            kept: None,
            head: String::new(),
            read: Vec::new(),
        }
    }
}

impl Transport for Http1 {
    fn exchange(&mut self, request: &Request<'_>) -> Result<Reply, SendError> {
        if self.endpoint.is_tls() {
            return Err(SendError::new(
                "https needs a transport of the application's",
            ));
        }
        let by = clock::after(request.timeout);
        self.write_head(request);
        // A kept connection may have been closed by the other side meanwhile, which shows only now. The
        // server tells a batch sent twice from two, so a second try on a new one is safe.
        if let Some(kept) = self.kept.take()
            && let Ok(reply) = self.exchange_on(kept, request.body, by)
        {
            return Ok(reply);
        }
        let stream = self.connect(by)?;
        self.exchange_on(stream, request.body, by)
    }
}

impl Http1 {
    fn write_head(&mut self, request: &Request<'_>) {
        self.head.clear();
        let (path, host) = (request.path, self.endpoint.authority());
        let length = request.body.len();
        let _to_a_string = write!(
            self.head,
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n"
        );
        for (name, value) in request.headers {
            let _to_a_string = write!(self.head, "{name}: {value}\r\n");
        }
        self.head.push_str("\r\n");
    }

    fn connect(&self, by: u64) -> Result<TcpStream, SendError> {
        let addresses = (self.endpoint.host(), self.endpoint.port()).to_socket_addrs()?;
        let mut failed = SendError::new("the host has no address");
        for address in addresses {
            let timeout = left(by)?.min(self.connect_timeout);
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = error.into(),
            }
        }
        Err(failed)
    }

    fn exchange_on(
        &mut self,
        mut stream: TcpStream,
        body: &[u8],
        by: u64,
    ) -> Result<Reply, SendError> {
        self.read.clear();
        let written = write_by(&mut stream, self.head.as_bytes(), by)
            .and_then(|()| write_by(&mut stream, body, by));
        // A server that refuses a body early answers and closes: its answer is worth more than our error.
        let (reply, keep) = match (self.read_reply(&mut stream, by), written) {
            (Ok(reply), _) => reply,
            (Err(_), Err(error)) | (Err(error), Ok(())) => return Err(error),
        };
        self.kept = keep.then_some(stream);
        Ok(reply)
    }

    /// The reply, and whether the connection can be used again.
    fn read_reply(&mut self, stream: &mut TcpStream, by: u64) -> Result<(Reply, bool), SendError> {
        let (mut reply, version) = self.read_head(stream, by)?;
        let is = |name, value: &str| {
            reply
                .header(name)
                .is_some_and(|v: &str| v.eq_ignore_ascii_case(value))
        };
        let mut keep = version == b"HTTP/1.1" && !is("connection", "close");
        let length = reply.header("content-length").map(str::parse::<usize>);
        reply.body = match length {
            _ if matches!(reply.status, 204 | 304) => Vec::new(),
            _ if is("transfer-encoding", "chunked") => self.read_chunks(stream, by)?,
            Some(Ok(length)) if length <= BODY_BYTES_MAX => self.take(stream, length, by)?,
            // Too long, or without an end but the connection's: what it says is not needed.
            _ => {
                keep = false;
                Vec::new()
            }
        };
        Ok((reply, keep && self.read.is_empty()))
    }

    fn read_head(
        &mut self,
        stream: &mut TcpStream,
        by: u64,
    ) -> Result<(Reply, Vec<u8>), SendError> {
        for _ in 0..=INTERIM_MAX {
            let end = loop {
                if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end;
                }
                if self.read.len() > HEAD_BYTES_MAX {
                    return Err(SendError::new("the reply's head has no end"));
                }
                self.read_more(stream, by)?;
            };
            let head: Vec<u8> = self.read.drain(..end + 4).collect();
            let (reply, version) =
                parse_head(&head).ok_or_else(|| SendError::new("no HTTP reply"))?;
            if reply.status >= 200 {
                return Ok((reply, version));
            }
        }
        Err(SendError::new("interim replies without end"))
    }

    fn read_chunks(&mut self, stream: &mut TcpStream, by: u64) -> Result<Vec<u8>, SendError> {
        let mut body = Vec::new();
        loop {
            let line = self.take_line(stream, by)?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length =
                usize::from_str_radix(digits, 16).map_err(|_| SendError::new("no chunk"))?;
            if length == 0 {
                // Trailers, and the empty line after them.
                while !self.take_line(stream, by)?.is_empty() {}
                return Ok(body);
            }
            if length.saturating_add(body.len()) > BODY_BYTES_MAX {
                return Err(SendError::new("the reply is too long"));
            }
            body.extend(self.take(stream, length, by)?);
            self.take_line(stream, by)?;
        }
    }

    fn take_line(&mut self, stream: &mut TcpStream, by: u64) -> Result<String, SendError> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line = self.read.drain(..end + 2).take(end).collect();
                return String::from_utf8(line).map_err(SendError::new);
            }
            if self.read.len() > HEAD_BYTES_MAX {
                return Err(SendError::new("a line without end"));
            }
            self.read_more(stream, by)?;
        }
    }

    fn take(
        &mut self,
        stream: &mut TcpStream,
        length: usize,
        by: u64,
    ) -> Result<Vec<u8>, SendError> {
        while self.read.len() < length {
            self.read_more(stream, by)?;
        }
        Ok(self.read.drain(..length).collect())
    }

    fn read_more(&mut self, stream: &mut TcpStream, by: u64) -> Result<(), SendError> {
        let mut buffer = [0; 4096];
        loop {
            stream.set_read_timeout(Some(left(by)?))?;
            match stream.read(&mut buffer) {
                Ok(0) => return Err(SendError::new("the connection was closed")),
                Ok(read) => {
                    self.read
                        .extend_from_slice(buffer.get(..read).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is left of the time; nothing left is an error.
fn left(by: u64) -> Result<Duration, SendError> {
    let left = clock::left_until(by);
    if left.is_zero() {
        Err(SendError::new("timed out"))
    } else {
        Ok(left)
    }
}

fn write_by(stream: &mut TcpStream, mut bytes: &[u8], by: u64) -> Result<(), SendError> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(by)?))?;
        match stream.write(bytes) {
            Ok(0) => return Err(SendError::new("the connection was closed")),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Status and headers, and the version.
fn parse_head(head: &[u8]) -> Option<(Reply, Vec<u8>)> {
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.split("\r\n");
    let mut status = lines.next()?.splitn(3, ' ');
    let version = status
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    let code = status.next().filter(|code| code.len() == 3)?;
    let mut reply = Reply::new(code.parse().ok().filter(|code| (100..600).contains(code))?);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        reply
            .headers
            .push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some((reply, version.as_bytes().to_vec()))
}
