//! A collector of the test's own, that answers as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use crate::PATIENCE;

/// What to do with a request.
pub(crate) enum Answer {
    /// A status, further head lines, a body.
    Status(u16, &'static str, &'static [u8]),
    /// These bytes, and the connection closed.
    Raw(Vec<u8>),
    /// The connection closed without a word.
    Close,
    /// Nothing, ever.
    Hang,
}

#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) path: String,
    pub(crate) head: Vec<String>,
    pub(crate) body: Vec<u8>,
    /// Connections are numbered.
    pub(crate) connection: usize,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}: ");
        self.head.iter().find_map(|line| line.strip_prefix(&prefix))
    }

    /// The spans of a `POST /v1/spans`.
    pub(crate) fn spans(&self) -> Vec<Value> {
        match serde_json::from_slice(&self.body).expect("a body of JSON") {
            Value::Array(spans) => spans,
            other => panic!("no array: {other}"),
        }
    }
}

pub(crate) struct Collector {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    received: Mutex<Vec<Received>>,
    more: Condvar,
    answer: Box<dyn Fn(usize) -> Answer + Send + Sync>,
}

impl Collector {
    /// One that takes everything.
    pub(crate) fn healthy() -> Self {
        Collector::answering(|_| Answer::Status(202, "", b""))
    }

    /// One that answers the n-th request, counted from 0, so.
    pub(crate) fn answering(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            more: Condvar::new(),
            answer: Box::new(answer),
        });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let shared = serving.clone();
                std::thread::spawn(move || shared.serve(stream.unwrap(), connection));
            }
        });
        Collector { port, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// All requests, once there are so many.
    pub(crate) fn wait_for(&self, requests: usize) -> Vec<Received> {
        let received = self.shared.received.lock().unwrap();
        let enough = |received: &mut Vec<Received>| received.len() < requests;
        let (received, timed_out) = self
            .shared
            .more
            .wait_timeout_while(received, PATIENCE, enough)
            .unwrap();
        assert!(
            !timed_out.timed_out(),
            "{} of {requests} requests came",
            received.len()
        );
        received.clone()
    }

    /// The spans of all bodies so far.
    pub(crate) fn spans(&self) -> Vec<Value> {
        self.received().iter().flat_map(Received::spans).collect()
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream, connection: usize) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut stream = stream;
        while let Some(received) = read_request(&mut reader, connection) {
            let mut all = self.received.lock().unwrap();
            let answer = (self.answer)(all.len());
            all.push(received);
            drop(all);
            self.more.notify_all();
            match answer {
                Answer::Status(status, head, body) => {
                    let length = body.len();
                    let head =
                        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{head}\r\n");
                    if stream.write_all(&[head.as_bytes(), body].concat()).is_err() {
                        return;
                    }
                }
                Answer::Raw(bytes) => {
                    let _the_client_may_be_gone = stream.write_all(&bytes);
                    return;
                }
                Answer::Close => return,
                Answer::Hang => std::thread::park(),
            }
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_owned();
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let length = lines
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        path,
        head: lines.split_off(1),
        body,
        connection,
    })
}
