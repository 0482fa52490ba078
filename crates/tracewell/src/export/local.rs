//! From the directory of a server that is stopped: what its log still has is taken in first, as a
//! start would, so that an export has the same spans as the server would show.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use indicatif::ProgressBar;
use tracewell_export::Summary;
use tracewell_model::Clock;
use tracewell_model::clock::SystemClock;
use tracewell_storage::{ReadContext, ScanQuery, SpanLog as _};

use super::Out;
use crate::assemble::Embedded;
use crate::cli::ExportArgs;
use crate::config::Layers;
use crate::show::{note, safe};

pub(super) fn export(
    args: &ExportArgs,
    dir: &Path,
    out: Out<'_>,
    progress: &ProgressBar,
) -> anyhow::Result<Summary> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let query = query(args, clock.unix_ns())?;
    // Opening would make a directory of a name that was mistyped.
    if !dir.join("lock").exists() {
        bail!("{} is no data directory of tracewell", dir.display());
    }
    let data = Some(dir.display().to_string());
    let config = Layers::defaults().flags([("data", data)]).parse();
    let config = config.map_err(|problems| anyhow::anyhow!(problems.join("; ")))?;
    let backend = Embedded::open(&config, &clock)
        .context("export from a stopped server; for a running one there is --url")?;
    backend.take_in(&clock)?;
    let engine = backend.engine.status();
    for problem in backend.log.status().problems.iter().chain(&engine.problems) {
        note(&safe(problem));
    }
    let context = ReadContext::new(clock, u64::MAX);
    let stored = engine.stored;
    let mut told = |spans| progress.set_message(format!("{spans} of {stored} spans"));
    let scanner = backend.readers().exporter;
    let done = tracewell_export::export(
        scanner.as_ref(),
        &query,
        &context,
        args.format,
        out,
        &mut told,
    );
    Ok(done?.0)
}

fn query(args: &ExportArgs, now_unix_ns: u64) -> anyhow::Result<ScanQuery> {
    let time = |name: &str, text: &Option<String>| {
        let read = |text: &String| tracewell_query::read_time(name, text, now_unix_ns);
        text.as_ref()
            .map(read)
            .transpose()
            .map_err(anyhow::Error::msg)
    };
    Ok(ScanQuery {
        start_unix_ns: time("--start", &args.start)?,
        end_unix_ns: time("--end", &args.end)?,
        service: args.service.clone(),
        ..ScanQuery::default()
    })
}
