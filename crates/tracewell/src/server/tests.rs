//! A connection over a pipe, in tokio's own paused time: no second passes in these tests.

use std::time::Duration;

use axum::routing::{get, post};
use http_body_util::channel::Channel;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use super::*;

/// The client's end of a connection that is being served.
fn connect(pipe_bytes: usize) -> (DuplexStream, tokio::task::JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(pipe_bytes);
    let router = axum::Router::new()
        .route("/", post(|_body: String| async { "ok" }))
        .route("/big", get(|| async { "x".repeat(1 << 20) }))
        .route("/slow", get(|| async { Body::new(slow()) }));
    let serving = async move {
        // Dropped, it would end its connections.
        let graceful = GracefulShutdown::new();
        converse(ours, router, graceful.watcher()).await;
    };
    (theirs, tokio::spawn(serving))
}

/// A body of a byte every half minute, ten times.
fn slow() -> Channel<axum::body::Bytes, std::io::Error> {
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        for _ in 0..10 {
            sleep(Duration::from_secs(30)).await;
            if sender.send_data("x".into()).await.is_err() {
                return;
            }
        }
    });
    body
}

/// Sends a request and reads its answer.
async fn post_one(client: &mut DuplexStream) {
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]";
    client.write_all(request).await.unwrap();
    let mut answer = vec![0; 4_096];
    let bytes = client.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..bytes]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

/// After how many seconds this connection is closed, when its client says nothing more.
async fn closed_after_s(client: &mut DuplexStream) -> u64 {
    let since = Instant::now();
    let mut rest = Vec::new();
    let _closed_or_reset = client.read_to_end(&mut rest).await;
    since.elapsed().as_secs()
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    let (mut client, _served) = connect(4_096);
    assert_eq!(closed_after_s(&mut client).await, 10);
    for begun in ["P", "PRI * HTTP", "POST / HTTP/1.1\r\nhost: x\r\n"] {
        let (mut client, _served) = connect(4_096);
        client.write_all(begun.as_bytes()).await.unwrap();
        assert_eq!(closed_after_s(&mut client).await, 10, "{begun}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_cut_off() {
    let (mut client, served) = connect(4_096);
    post_one(&mut client).await;
    let since = Instant::now();
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nx-slow: 0123456789";
    for byte in head {
        let _refused_at_the_end = client.write_all(&[*byte]).await;
        sleep(Duration::from_secs(1)).await;
        if served.is_finished() {
            break;
        }
    }
    assert!(served.is_finished() && since.elapsed().as_secs() < 13);
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_flushes_once_a_minute_keeps_its_connection() {
    let (mut client, _served) = connect(4_096);
    for _ in 0..5 {
        post_one(&mut client).await;
        sleep(Duration::from_secs(60)).await;
    }
    post_one(&mut client).await;
    assert_eq!(closed_after_s(&mut client).await, 65);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_of_its_answer_is_let_go() {
    let (mut client, served) = connect(1_024);
    let request = b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    let since = Instant::now();
    served.await.unwrap();
    assert_eq!(since.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_made_while_it_is_sent_takes_its_time() {
    let (mut client, _served) = connect(4_096);
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    let since = Instant::now();
    let mut answer = Vec::new();
    // Kept for the next request after its end, as any other connection.
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(since.elapsed().as_secs(), 300 + 65);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_ends_an_answer_that_is_being_made() {
    let (mut client, served) = connect(4_096);
    let request = b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n";
    client.write_all(request).await.unwrap();
    let mut head = [0; 15];
    client.read_exact(&mut head).await.unwrap();
    // Long before the body has its first byte.
    drop(client);
    let ended = tokio::time::timeout(Duration::from_secs(1), served).await;
    assert!(ended.is_ok(), "the answer is still being made");
}

#[tokio::test(start_paused = true)]
async fn http_2_is_left_to_its_pings() {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    let mut patient = Patient::new(ours, Turn::new());
    // The preface in two pieces, as a slow link may bring it.
    theirs.write_all(b"PRI * HTTP/2.0\r\n\r\n").await.unwrap();
    let mut seen = [0; 18];
    patient.read_exact(&mut seen).await.unwrap();
    theirs.write_all(b"SM\r\n\r\n").await.unwrap();
    let mut seen = [0; 6];
    patient.read_exact(&mut seen).await.unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(600), patient.read_u8());
    assert!(silence.await.is_err(), "not closed in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_header_list_has_a_cap_over_http_1_too() {
    for (bytes, expected) in [(15_000, "HTTP/1.1 200"), (17_000, "HTTP/1.1 431")] {
        let (mut client, _served) = connect(64 * 1024);
        let request = format!(
            "POST / HTTP/1.1\r\nhost: x\r\nx: {}\r\ncontent-length: 0\r\n\r\n",
            "a".repeat(bytes)
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer), expected);
    }
}
