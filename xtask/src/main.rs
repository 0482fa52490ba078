//! All automation of the house, in Rust: `cargo xtask test` runs everything CI runs, `cargo xtask
//! tidy` checks what compilers do not (crate edges, names, dead files, links, licences).
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit)] // a command-line tool: printing and exiting is its job

mod bench;
mod collector;
mod graph;
mod stack;
mod steps;
mod test;
mod tidy;
mod tools;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["test", options @ ..] => test::run(options),
        ["torture", options @ ..] => test::torture(options),
        ["tidy"] => tidy::run(),
        ["stack", arguments @ ..] => stack::run(arguments),
        ["collector"] => collector::run(),
        ["bench-baseline"] => bench::write_baseline(),
        _ => {
            println!("{HELP}");
            std::process::exit(2);
        }
    };
    if let Err(error) = outcome {
        println!("xtask: {error:#}");
        std::process::exit(1);
    }
}

const HELP: &str = "cargo xtask COMMAND

  test            install what the tests need, then run them all; prints `N passed, N failed, N skipped`
  test STEP…      only these steps: format, tidy, clippy, release, rust, bench, ui, browser, sdks, deploy
  stack up [ENGINE…], stack down
                  start the real engines for tests (dev/stack), stop them
  collector       build the OpenTelemetry Collector that tests of the topic use (dev/collector); where it is
  test --no-stack without the tests that need the real engines
  torture [--kills N --power-cuts N]
                  kill -9 and power cuts under load, 200 and 100 times, with a ledger of what was acknowledged
  tidy            crate edges, banned names, dead files, links, licences
  bench-baseline  count anew what a span costs, and write it to dev/bench-baseline.json";
