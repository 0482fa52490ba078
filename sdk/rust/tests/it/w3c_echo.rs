//! The example that the W3C's harness examines, examined from outside with the same kind of cases: what
//! goes in with a request, and what comes out with the calls it makes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use crate::collector::Collector;

const TRACE: &str = "12345678901234567890123456789012";
const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

/// The example in a process of its own, and someone for it to call.
struct Echo {
    process: Child,
    address: String,
    called: Collector,
}

/// The headers of one call it made.
#[derive(Debug)]
struct Call {
    traceparent: String,
    tracestate: Option<String>,
}

impl Call {
    fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap()
    }

    fn span_id(&self) -> &str {
        self.traceparent.split('-').nth(2).unwrap()
    }
}

impl Echo {
    fn start(propagators: &str) -> Echo {
        let tests = std::env::current_exe().unwrap();
        let example = tests.ancestors().nth(2).unwrap().join("examples/w3c_echo");
        let mut process = Command::new(&example)
            .args(["--port", "0"])
            .env("TRACEWELL_SDK_ENDPOINT", "http://127.0.0.1:1")
            .env("TRACEWELL_SDK_PROPAGATORS", propagators)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}: cargo build --examples", example.display())
            });
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        let address = said.trim().rsplit('/').next().unwrap().to_owned();
        let called = Collector::healthy();
        Echo {
            process,
            address,
            called,
        }
    }

    /// What it calls with, when it is called with these headers.
    fn calls(&self, headers: &[(&str, &str)], count: usize) -> Vec<Call> {
        let before = self.called.received().len();
        let call = format!(
            r#"{{"url": "{}/callback", "arguments": []}}"#,
            self.called.url()
        );
        let body = format!("[{}]", vec![call; count].join(","));
        let mut request = format!("POST /test HTTP/1.1\r\nhost: {}\r\n", self.address);
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!(
            "connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ));
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let received = self.called.wait_for(before + count);
        let calls = received[before..].iter().map(|request| {
            assert_eq!(
                (request.path.as_str(), request.body.as_slice()),
                ("/callback", &b"[]"[..])
            );
            Call {
                traceparent: request.header("traceparent").unwrap().to_owned(),
                tracestate: request.header("tracestate").map(str::to_owned),
            }
        });
        calls.collect()
    }

    fn call(&self, headers: &[(&str, &str)]) -> Call {
        self.calls(headers, 1).remove(0)
    }

    /// A `traceparent` that is continued.
    fn continues(&self, traceparent: &str) -> Call {
        let call = self.call(&[("traceparent", traceparent)]);
        assert_eq!(call.trace_id(), TRACE, "{traceparent:?}");
        assert_ne!(call.span_id(), "1234567890123456", "{traceparent:?}");
        call
    }

    /// Headers after which the trace begins anew.
    fn restarts(&self, headers: &[(&str, &str)]) -> Call {
        let call = self.call(headers);
        assert_ne!(call.trace_id(), TRACE, "{headers:?}");
        assert_ne!(call.trace_id(), "0".repeat(32));
        assert_eq!(call.traceparent.len(), 55);
        assert_eq!(call.tracestate, None, "{headers:?}");
        call
    }

    /// The `tracestate` sent on, beside a good `traceparent`.
    fn state(&self, states: &[&str]) -> Option<String> {
        let states = states.iter().map(|state| ("tracestate", *state));
        let headers: Vec<_> = std::iter::once(("traceparent", PARENT))
            .chain(states)
            .collect();
        let call = self.call(&headers);
        assert_eq!(call.trace_id(), TRACE);
        call.tracestate
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _it_may_have_ended = self.process.kill();
        let _its_status_is_of_no_interest = self.process.wait();
    }
}

#[test]
fn the_echo_propagates_as_the_w3c_harness_asks() {
    let echo = Echo::start("tracecontext");
    traceparents(&echo);
    future_versions(&echo);
    flags(&echo, ["00", "01", "02", "03", "03"], "03");
    tracestates(&echo);
    let kept = [
        ("foo@=1,bar=2", "foo@=1,bar=2"),
        ("foo@@bar=1,bar=2", "foo@@bar=1,bar=2"),
        ("foo@bar@baz=1,bar=2", "foo@bar@baz=1,bar=2"),
        ("1foo=1", "1foo=1"),
        ("foo=1,foo=1", "foo=1"),
        ("foo=1,bar=3,foo=2", "foo=1,bar=3"),
    ];
    for (sent, expected) in kept {
        assert_eq!(echo.state(&[sent]).as_deref(), Some(expected), "{sent}");
    }
    assert_eq!(echo.state(&["foo=1", "foo=2"]).as_deref(), Some("foo=1"));
    let long = format!("{}@v=1", "t".repeat(242));
    assert_eq!(echo.state(&[&long]), Some(long));
    many_calls(&echo);
}

#[test]
fn the_echo_propagates_by_level_one_where_it_is_told_to() {
    let echo = Echo::start("tracecontext1");
    traceparents(&echo);
    future_versions(&echo);
    flags(&echo, ["00", "01", "00", "01", "01"], "01");
    tracestates(&echo);
    let (long, longer) = ("t".repeat(241), "t".repeat(242));
    let longest = format!("{long}@{}=1", "v".repeat(14));
    assert_eq!(echo.state(&[&longest]), Some(longest));
    for bad in [
        &["foo@=1,bar=2"][..],
        &["foo@@bar=1,bar=2"],
        &["foo@bar@baz=1,bar=2"],
        &["1foo=1"],
        &["foo=1,foo=1"],
        &["foo=1,foo=2"],
        &["foo=1", "foo=2"],
        &["foo=1", &format!("{longer}@v=1")],
        &["foo=1", &format!("t@{}=1", "v".repeat(15))],
    ] {
        assert_eq!(echo.state(bad), None, "{bad:?}");
    }
    many_calls(&echo);
}

fn traceparents(echo: &Echo) {
    echo.continues(PARENT);
    for wrapped in [
        format!(" {PARENT}"),
        format!("\t{PARENT}"),
        format!("{PARENT} "),
        format!("{PARENT}\t"),
        format!(" \t {PARENT} \t"),
    ] {
        echo.continues(&wrapped);
    }
    for name in ["TraceParent", "TrAcEpArEnT", "TRACEPARENT"] {
        assert_eq!(echo.call(&[(name, PARENT)]).trace_id(), TRACE, "{name}");
    }
    for name in ["trace-parent", "trace.parent"] {
        echo.restarts(&[(name, PARENT)]);
    }
    let first = echo.restarts(&[]);
    assert_ne!(first.trace_id(), echo.restarts(&[]).trace_id());
    echo.restarts(&[("tracestate", "foo=1")]);
    let other = PARENT.replace("12345", "23456");
    echo.restarts(&[("traceparent", PARENT), ("traceparent", &other)]);
    echo.restarts(&[("traceparent", PARENT), ("traceparent", PARENT)]);
    let (zeros, zero) = ("0".repeat(32), "0".repeat(16));
    for bad in [
        "".to_owned(),
        format!("{PARENT}."),
        format!("{PARENT}-"),
        format!("{PARENT}-what-the-future-will-be-like"),
        format!("ff-{TRACE}-1234567890123456-01"),
        format!(".0-{TRACE}-1234567890123456-01"),
        format!("0.-{TRACE}-1234567890123456-01"),
        format!("000-{TRACE}-1234567890123456-01"),
        format!("0000-{TRACE}-1234567890123456-01"),
        format!("0-{TRACE}-1234567890123456-01"),
        format!("00-{zeros}-1234567890123456-01"),
        PARENT.replace("-1234567890123456789", "-.234567890123456789"),
        PARENT.replace("-1234567890123456789", "-A234567890123456789"),
        format!("00-{TRACE}3-1234567890123456-01"),
        PARENT.replace("-1234567890123456789", "-234567890123456789"),
        format!("00-{TRACE}-{zero}-01"),
        format!("00-{TRACE}-123456789012345.-01"),
        format!("00-{TRACE}-12345678901234567-01"),
        format!("00-{TRACE}-123456789012345-01"),
        format!("00-{TRACE}-1234567890123456-.0"),
        format!("00-{TRACE}-1234567890123456-0."),
        format!("00-{TRACE}-1234567890123456-001"),
        format!("00-{TRACE}-1234567890123456-1"),
        format!("00-{TRACE}-1234567890123456"),
    ] {
        echo.restarts(&[("traceparent", &bad), ("tracestate", "foo=1")]);
    }
}

fn future_versions(echo: &Echo) {
    let future = PARENT.replacen("00", "cc", 1);
    echo.continues(&future);
    let call = echo.continues(&format!("{future}-what-the-future-will-be-like"));
    assert!(call.traceparent.starts_with("00-"), "we speak what we know");
    echo.restarts(&[(
        "traceparent",
        &format!("{future}.what-the-future-will-not-be-like"),
    )]);
}

fn flags(echo: &Echo, expected: [&str; 5], own: &str) {
    for (sent, expected) in ["00", "01", "02", "03", "ff"].into_iter().zip(expected) {
        let call = echo.continues(&format!("00-{TRACE}-1234567890123456-{sent}"));
        assert!(call.traceparent.ends_with(expected), "{sent}: {call:?}");
    }
    let root = echo.restarts(&[]);
    assert!(root.traceparent.ends_with(own), "{root:?}");
}

fn tracestates(echo: &Echo) {
    let check = |sent: &[&str], expected: Option<&str>| {
        assert_eq!(echo.state(sent).as_deref(), expected, "{sent:?}");
    };
    check(&["foo=1,bar=2"], Some("foo=1,bar=2"));
    check(
        &["foo=1", "bar=2", "rojo=1,congo=2"],
        Some("foo=1,bar=2,rojo=1,congo=2"),
    );
    check(&[""], None);
    check(&["foo=1", ""], Some("foo=1"));
    check(&["", "foo=1"], Some("foo=1"));
    check(
        &["foo=1 \t , \t bar=2, \t baz=3"],
        Some("foo=1,bar=2,baz=3"),
    );
    check(
        &["foo=1\t \t,\t \tbar=2,\t \tbaz=3 "],
        Some("foo=1,bar=2,baz=3"),
    );
    for around in [" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t"] {
        check(&[around], Some("foo=1"));
    }
    check(&["foo=1;"], Some("foo=1;"));
    for bad in [
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "@foo=1,bar=2",
        "foo=bar=baz",
        "foo=,bar=3",
        "foo",
    ] {
        check(&[bad], None);
    }
    let (long, longer) = ("z".repeat(256), "z".repeat(257));
    let longest = format!("foo=1,{long}=2");
    check(&[&longest], Some(&longest));
    check(&[&format!("foo=1,{longer}=2")], None);
    let members: Vec<String> = (0..33).map(|n| format!("bar{n:02}={n:02}")).collect();
    check(&[&members[..32].join(",")], Some(&members[..32].join(",")));
    check(&[&members.join(",")], None);
    let characters: String = (0x20..0x7f_u8)
        .map(char::from)
        .filter(|c| !",= ".contains(*c))
        .collect();
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    for key in [key.to_owned(), format!("{key}@a-z0-9_-*/")] {
        let member = format!("{key}= {characters}");
        check(&[&member], Some(&member));
    }
    for name in ["TraceState", "TrAcEsTaTe", "TRACESTATE"] {
        let call = echo.call(&[("traceparent", PARENT), (name, "foo=1")]);
        assert_eq!(call.tracestate.as_deref(), Some("foo=1"), "{name}");
    }
    for name in ["trace-state", "trace.state"] {
        let call = echo.call(&[("traceparent", PARENT), (name, "foo=1")]);
        assert_eq!(call.tracestate, None, "{name}");
    }
}

/// Calls of one request share its trace and nothing else.
fn many_calls(echo: &Echo) {
    for headers in [
        &[("traceparent", PARENT)][..],
        &[],
        &[("traceparent", "00-bad")],
    ] {
        let calls = echo.calls(headers, 3);
        let mut spans: Vec<&str> = calls.iter().map(Call::span_id).collect();
        spans.sort_unstable();
        spans.dedup();
        assert_eq!(spans.len(), 3, "{calls:?}");
        assert!(
            calls
                .iter()
                .all(|call| call.trace_id() == calls[0].trace_id())
        );
    }
}
