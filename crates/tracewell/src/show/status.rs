//! `tracewell status`: the account (D9) and what an operator should look at, in a few lines.

use serde_json::Value;

use super::{Paint, count, line, safe, text_of};
use crate::cli::ServerArgs;
use crate::client::Client;

/// Asks the server and prints its answer.
pub(crate) fn run(args: &ServerArgs) -> anyhow::Result<()> {
    let status = Client::new(&args.url)?.get("/api/status", &[])?;
    print(&status)
}

fn print(status: &Value) -> anyhow::Result<()> {
    let paint = Paint::for_stdout();
    let account = &status["account"]["log"];
    line!(
        "tracewell {}  up {:.0} s  {}",
        text_of(&status["version"]),
        status["uptime_s"].as_f64().unwrap_or(0.0),
        if status["ready"] == true {
            "ready"
        } else {
            "replaying"
        },
    );
    line!(
        "accepted {} = stored {} + duplicate {} + sampled out {} + dead-lettered {} + in flight {} + expired {} + erased {}{}",
        count(account, "accepted"),
        count(account, "stored"),
        count(account, "duplicate"),
        count(account, "sampled_out"),
        count(account, "dead_lettered"),
        count(account, "in_flight"),
        count(account, "expired"),
        count(account, "erased"),
        if status["account"]["balances"] == true {
            ""
        } else {
            "  DOES NOT BALANCE"
        },
    );
    let since = &status["account"]["since_start"];
    line!(
        "since start: received {} = accepted {} + refused {} {}",
        count(since, "received"),
        count(since, "accepted"),
        count(since, "refused"),
        paint.dim(&safe(&since["refused_by_reason"].to_string())),
    );
    let (log, store) = (&status["log"], &status["store"]);
    line!(
        "log: {} bytes in {} files",
        count(log, "bytes"),
        count(log, "files")
    );
    line!(
        "store: {} segments with {} spans, {} spans in memory, {} bytes on disk, {} spans unsettled",
        count(store, "segments"),
        count(store, "segment_spans"),
        count(store, "head_spans"),
        count(store, "disk_bytes"),
        count(store, "unsettled_spans"),
    );
    line!(
        "merges since start: {}, {} spans copied and {} written anew, {} bytes read and {} written",
        count(store, "merges"),
        count(store, "merge_copied_spans"),
        count(store, "merge_rewritten_spans"),
        count(store, "merge_read_bytes"),
        count(store, "merge_written_bytes"),
    );
    for problem in status["problems"].as_array().into_iter().flatten() {
        line!("{} {}", paint.red("problem:"), safe(&text_of(problem)));
    }
    Ok(())
}
