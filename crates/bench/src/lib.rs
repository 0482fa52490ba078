//! `tracewell bench`: what a server costs, measured from outside, and the page that shows it.
//!
//! Traffic is made of a seed (`traffic`), encoded into bodies before the clock starts (`body`) and sent
//! (`drive`) to a child of the same binary (`server`) or to any URL. What the kernel says of the server
//! (`process`) and what the server answers (`api`, `questions`, `tally`) becomes a record of a run (`record`), for
//! eyes (`table`) and, as JSON lines that are committed, for the page (`report`).
//!
//! This is a command, not a library: errors are `anyhow`'s, as in the binary. `body` and `traffic` are
//! public for the instruction counts of `benches/stages.rs`.

mod api;
pub mod body;
mod cli;
mod cluster;
mod drive;
mod growth;
mod ingest;
mod interrupt;
mod machine;
mod process;
mod query;
mod questions;
mod record;
mod recovery;
mod report;
mod server;
mod session;
mod suite;
mod table;
mod tally;
pub mod traffic;
mod verify;

use std::time::Duration;

use cli::Bench;
pub use cli::BenchArgs;

/// Runs what was asked for.
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    if let Bench::Report(args) = &args.command {
        return report::run(args);
    }
    interrupt::watch()?;
    match &args.command {
        Bench::Ingest(args) => ingest::run(args),
        Bench::Query(args) => query::run(args),
        Bench::Growth(args) => growth::run(args),
        Bench::Recovery(args) => recovery::run(args),
        Bench::Cluster(args) => cluster::run(args),
        Bench::All(args) => suite::run(args),
        Bench::Report(_) => Ok(()),
    }
}

/// Waits between two looks at another process.
#[allow(clippy::disallowed_methods)] // another process wakes no condition of ours
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
