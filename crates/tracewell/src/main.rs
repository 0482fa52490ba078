//! The binary: parses the command line and hands it to the one who does it.

mod about;
mod addresses;
mod admin;
mod allocator;
mod assemble;
mod backlog;
mod cli;
mod client;
#[cfg(feature = "cluster")]
mod cluster;
mod config;
mod demo;
mod export;
mod load;
mod log_metrics;
mod memory;
mod node;
mod readiness;
mod role;
mod server;
mod show;
mod start;
mod status;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let outcome = match command {
        Command::Export(args) => return ended(export::run(&args)),
        Command::Start(args) => start::start(&args),
        Command::Demo(args) => start::demo(&args),
        Command::Load(args) => load::run(&args),
        Command::Get(args) => show::trace::run(&args),
        Command::Search(args) => show::search::run(&args),
        Command::Status(args) => show::status::run(&args),
        Command::Sampling(args) => show::sampling::run(&args),
        Command::CheckConfig(args) => start::check_config(&args),
        #[cfg(feature = "cluster")]
        Command::Schema(args) => cluster::schema(&args),
        #[cfg(feature = "cluster")]
        Command::Doctor(args) => cluster::doctor(&args),
        Command::Bench(args) => tracewell_bench::run(&args),
    };
    ended(outcome.map(|()| ExitCode::SUCCESS))
}

fn ended(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) => {
            show::complain(&error);
            ExitCode::FAILURE
        }
    }
}
