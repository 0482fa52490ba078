//! One statement for Cassandra, by the native protocol: a driver would be most of this crate.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, bail};

const STARTUP: u8 = 1;
const QUERY: u8 = 7;
const ERROR: u8 = 0;
/// Answers are short.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Runs a statement that answers nothing, on a node that asks for no password.
pub(super) fn run(node: &str, statement: &str) -> anyhow::Result<()> {
    let mut node = TcpStream::connect(node).with_context(|| format!("connect to {node}"))?;
    let mut startup = vec![0, 1];
    for word in ["CQL_VERSION", "3.0.0"] {
        startup.extend((word.len() as u16).to_be_bytes());
        startup.extend(word.as_bytes());
    }
    exchange(&mut node, STARTUP, &startup)?;
    let mut query = (statement.len() as u32).to_be_bytes().to_vec();
    query.extend(statement.as_bytes());
    // Consistency ONE, no flags.
    query.extend([0, 1, 0]);
    exchange(&mut node, QUERY, &query).with_context(|| statement.to_owned())
}

fn exchange(node: &mut TcpStream, opcode: u8, body: &[u8]) -> anyhow::Result<()> {
    let mut frame = vec![4, 0, 0, 0, opcode];
    frame.extend((body.len() as u32).to_be_bytes());
    frame.extend(body);
    node.write_all(&frame)?;
    let mut head = [0; 9];
    node.read_exact(&mut head)?;
    let [.., opcode, a, b, c, d] = head;
    let bytes = u32::from_be_bytes([a, b, c, d]) as usize;
    if bytes > ANSWER_BYTES_MAX {
        bail!("Cassandra answers {bytes} bytes");
    }
    let mut answer = vec![0; bytes];
    node.read_exact(&mut answer)?;
    match opcode {
        // A number of four bytes, a length of two, words.
        ERROR => bail!(
            "Cassandra: {}",
            String::from_utf8_lossy(answer.get(6..).unwrap_or_default())
        ),
        _ => Ok(()),
    }
}
