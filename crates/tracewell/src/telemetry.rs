//! Our own log lines: to standard error, as text for people or JSON for machines. Control
//! characters are escaped by the formatter, so that nothing from outside can forge a line.

use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// Clients of engines say each second again that one is away; those who use them say it once. A
/// filter may ask for them by name.
const QUIET: &str = "scylla=off,librdkafka=off";

/// Starts printing log lines as the settings say.
pub(crate) fn start(config: &Config) {
    let filter = EnvFilter::new(format!("{QUIET},{}", config.log_level));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    // A second start (tests in one process) keeps the first printer.
    let started = if config.log_json {
        lines.json().try_init()
    } else {
        lines.with_target(false).try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "log lines are printed already");
    }
}
