//! Collectors in every state of health.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use tracewell_sdk::{Sampler, Tracer};

pub(crate) const STATES: [&str; 3] = ["healthy", "hung", "dead"];

/// A tracer whose collector is in this state.
pub(crate) fn tracer(state: &str) -> Tracer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    match state {
        "healthy" => {
            std::thread::spawn(move || listener.incoming().for_each(|s| serve(s.unwrap())));
        }
        // The kernel takes the connection and the first bytes; nobody ever answers.
        "hung" => std::mem::forget(listener),
        _ => drop(listener),
    }
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
