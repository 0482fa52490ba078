//! The command line: help worth reading, errors that say what to do, settings in layers.

use serde_json::json;

use crate::server::{Server, command, run, span};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_command() {
    let help = text(&run(&["--help"]).stdout);
    for command in [
        "start",
        "demo",
        "load",
        "get",
        "search",
        "export",
        "status",
        "check-config",
        "bench",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} in {help}"
        );
    }
}

#[test]
fn check_config_tells_all_problems_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("t.toml");
    std::fs::write(
        &file,
        "colour = \"red\"\nack = \"maybe\"\nlisten_query = \"0.0.0.0:4320\"\n",
    )
    .unwrap();
    let output = command()
        .args(["check-config", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output.stderr);
    for wanted in [
        "colour",
        "ack = \"maybe\"",
        "received, logged, durable or replicated",
        "0.0.0.0:4320",
    ] {
        assert!(words.contains(wanted), "{wanted} in {words}");
    }
}

#[test]
fn check_config_shows_each_setting_and_its_source() {
    let output = command()
        .env("TRACEWELL_ACK", "durable")
        .args(["check-config", "--seal-after-s", "9"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let words = text(&output.stdout);
    assert!(
        words
            .lines()
            .any(|l| l.starts_with("ack = \"durable\"") && l.contains("environment")),
        "{words}"
    );
    assert!(
        words
            .lines()
            .any(|l| l.starts_with("seal_after_s = \"9\"") && l.contains("flag")),
        "{words}"
    );
    assert!(
        words
            .lines()
            .any(|l| l.starts_with("listen_query") && l.contains("default")),
        "{words}"
    );
}

#[test]
fn a_subset_of_roles_is_refused_naming_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let output = command()
        .args(["start", "--role", "query", "--data"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let words = text(&output.stderr);
    assert!(
        words.contains("query needs a shared trace store"),
        "{words}"
    );
}

#[test]
fn get_and_search_show_a_trace_in_the_terminal() {
    let server = Server::start();
    let mut child = span(0xabc, 2, Some(1), "payment");
    child["status"] = "error".into();
    child["tags"]["evil"] = "\u{1b}[2Jboo".into();
    server.send_spans(&[span(0xabc, 1, None, "checkout"), child]);
    server.trace("abc");
    let url = server.url("query", "");
    let tree = run(&["get", "abc", "--url", &url]);
    let words = text(&tree.stdout);
    assert!(tree.status.success(), "{}", text(&tree.stderr));
    assert!(
        words.contains("checkout checkout works") && words.contains("!   payment payment works"),
        "{words}"
    );
    assert!(
        !words.contains('\u{1b}'),
        "no escape sequence of a stranger"
    );
    let found = text(&run(&["search", "--url", &url, "--service", "payment", "--error"]).stdout);
    assert!(
        found.contains("00000abc") && found.contains("error"),
        "{found}"
    );
    let none = run(&["get", "fff", "--url", &url]);
    assert_eq!(none.status.code(), Some(1));
    let status = text(&run(&["status", "--url", &url]).stdout);
    assert!(status.contains("accepted 2 = stored 2"), "{status}");
}

#[test]
fn a_file_that_is_not_usable_is_named_and_the_others_are_sent() {
    let server = Server::start();
    let good = server.dir.path().join("good.json");
    std::fs::write(&good, json!([span(0xf11e, 1, None, "cart")]).to_string()).unwrap();
    let to = server.url("ingest", "");
    let output = run(&["load", good.to_str().unwrap(), "no-such-file", "--to", &to]);
    // Only a load of which nothing was usable fails.
    assert_eq!(output.status.code(), Some(0));
    let words = text(&output.stdout);
    assert!(words.contains("not usable: no-such-file"), "{words}");
    assert_eq!(server.trace("f11e")["span_count"], 1);
}

#[test]
fn loading_into_the_query_address_says_which_one_it_should_be() {
    let server = Server::start();
    let file = server.dir.path().join("one.json");
    std::fs::write(&file, json!([span(1, 1, None, "cart")]).to_string()).unwrap();
    let to = server.url("query", "");
    let output = run(&["load", file.to_str().unwrap(), "--to", &to]);
    assert_eq!(output.status.code(), Some(1));
    let words = text(&output.stderr);
    assert!(words.contains("the ingest address (port 4318)"), "{words}");
}

#[test]
fn an_unreachable_server_is_said_to_be_so() {
    let output = run(&["get", "1", "--url", "http://127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("tracewell start"),
        "{}",
        text(&output.stderr)
    );
}
