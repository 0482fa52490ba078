//! Collectors in every state of health.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use tracewell_sdk::{Sampler, Tracer};

pub(crate) const STATES: [&str; 3] = ["healthy", "hung", "dead"];

/// Where a healthy one listens.
pub(crate) fn healthy() -> String {
    let (listener, url) = listener();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(|| serve(stream.unwrap()));
        }
    });
    url
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A tracer whose collector is in this state.
pub(crate) fn tracer(state: &str) -> Tracer {
    let url = match state {
        "healthy" => healthy(),
        // The kernel takes the connection and the first bytes; nobody ever answers.
        "hung" => {
            let (listener, url) = listener();
            std::mem::forget(listener);
            url
        }
        _ => listener().1,
    };
    let builder = Tracer::builder().service_name("bench").endpoint(&url);
    builder.sampler(Sampler::always()).build()
}

/// Takes every request and answers 200.
fn serve(mut stream: TcpStream) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut body = Vec::new();
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(length, 0);
        let read = reader.read_exact(&mut body);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        if read.is_err() || stream.write_all(answer).is_err() {
            return;
        }
    }
}
