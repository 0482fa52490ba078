//! `bench all`: the runs that docs/performance.md is made of.

use clap::{Args, Command, FromArgMatches};

use crate::cli::{AllArgs, GrowthArgs, IngestArgs, QueryArgs, RecoveryArgs};
use crate::{growth, ingest, query, recovery, session};

/// Ingest runs: what differs from the defaults.
const INGEST: &[&str] = &[
    "",
    "--layout service",
    "--format otlp-grpc",
    "--format spans-json",
    "--format zipkin",
    "--encoding gzip",
    "--encoding zstd",
    "--batch 100",
    "--services 500",
    "--dataset low-entropy",
    "--dataset adversarial",
    // Half of what a good day's full rate was: for memory, and for who does not run at the limit.
    "--rate 250k",
    "--server --ack=durable",
    "--server --memory-bytes-max=384MiB",
];

/// Runs all.
pub(crate) fn run(args: &AllArgs) -> anyhow::Result<()> {
    for more in INGEST {
        // An adversary's spans are ten times as large.
        let spans = if more.contains("adversarial") {
            args.spans.div_ceil(10)
        } else {
            args.spans
        };
        session::note(&format!("ingest {more}"));
        let mut one: IngestArgs = parsed(&format!(
            "--spans {spans} --runs {} --seed {} {more}",
            args.runs, args.seed
        ))?;
        one.server.binary.clone_from(&args.server.binary);
        one.server.dir.clone_from(&args.server.dir);
        one.server
            .arguments
            .extend(args.server.arguments.iter().cloned());
        one.output = args.output.clone();
        ingest::run(&one)?;
    }
    session::note("query");
    let mut query: QueryArgs = parsed(&format!(
        "--spans {} --seed {} --loads cold,0,50,90 --qps 300",
        args.stored, args.seed
    ))?;
    (query.server, query.output) = (args.server.clone(), args.output.clone());
    query::run(&query)?;
    session::note("recovery");
    let mut recovery: RecoveryArgs = parsed(&format!("--kills 5 --seed {}", args.seed))?;
    (recovery.server, recovery.output) = (args.server.clone(), args.output.clone());
    recovery::run(&recovery)?;
    session::note("growth");
    let mut growth: GrowthArgs = parsed(&format!("--seed {}", args.seed))?;
    (growth.server, growth.output, growth.steps) =
        (args.server.clone(), args.output.clone(), args.steps.clone());
    growth::run(&growth)
}

/// The arguments of a command as if typed.
fn parsed<A: Args + FromArgMatches>(line: &str) -> anyhow::Result<A> {
    let command = A::augment_args(Command::new("bench"));
    let words = std::iter::once("bench").chain(line.split_whitespace());
    Ok(A::from_arg_matches(&command.try_get_matches_from(words)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_its_lines_are_arguments() {
        for line in INGEST {
            parsed::<IngestArgs>(line).unwrap();
        }
    }
}
