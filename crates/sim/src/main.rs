//! Lives through many stories and stops at the first broken promise.
#![allow(clippy::print_stdout)] // a program for developers, whose output is its answer

use clap::Parser;
use tracewell_sim::{Weather, live};

/// Lives through many stories, each from its seed, and stops at the first promise that is broken.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// How many stories
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first one's seed; the same seed is the same story
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Steps of a story
    #[arg(long, default_value_t = 400)]
    steps: usize,
    /// The power never goes
    #[arg(long)]
    no_power_cuts: bool,
    /// The disk never fails
    #[arg(long)]
    no_faults: bool,
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    let (mut restarts, mut spans, mut merges, mut failed) = (0, 0, 0, 0);
    let weather = Weather {
        power_cuts: !arguments.no_power_cuts,
        faults: !arguments.no_faults,
        ..Weather::STORM
    };
    for seed in arguments.first..arguments.first.saturating_add(arguments.seeds) {
        match live(seed, arguments.steps, weather) {
            Ok(story) => {
                restarts += story.restarts;
                spans += story.spans;
                merges += story.merges;
                failed += story.disk_calls.1;
            }
            Err(broken) => {
                println!("seed {seed}, {} steps: {broken}", arguments.steps);
                return std::process::ExitCode::FAILURE;
            }
        }
        if seed % 100 == 0 {
            println!(
                "seed {seed}: {restarts} restarts, {spans} spans, {merges} merges, {failed} failed disk calls so far"
            );
        }
    }
    println!(
        "{} stories, {restarts} restarts, {spans} spans, {merges} merges, {failed} failed disk calls: no promise broken",
        arguments.seeds
    );
    std::process::ExitCode::SUCCESS
}
