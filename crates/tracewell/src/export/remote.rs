//! From a running server: its answer as it comes. The end of an export says what it is; one without
//! it was cut.

use std::io::Read as _;

use anyhow::{Context, bail};
use tracewell_export::Summary;

use super::Out;
use crate::cli::ExportArgs;
use crate::client::Client;

const READ_BYTES: usize = 128 * 1024;

pub(super) fn export(args: &ExportArgs, out: Out<'_>) -> anyhow::Result<Summary> {
    let query = [
        ("format", Some(args.format.name().to_owned())),
        ("start", args.start.clone()),
        ("end", args.end.clone()),
        ("service", args.service.clone()),
    ];
    let query: Vec<_> = query
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let mut answer = Client::new(&args.url)?.stream("/api/export", &query)?;
    let (mut buffer, mut tail) = (vec![0; READ_BYTES], Vec::new());
    loop {
        let bytes = answer
            .read(&mut buffer)
            .context("the server broke the export off")?;
        let chunk = buffer.get(..bytes).unwrap_or_default();
        if chunk.is_empty() {
            break;
        }
        out.write_all(chunk).context("write the export")?;
        tail.extend_from_slice(chunk);
        let before = tail.len().saturating_sub(Summary::TAIL_BYTES);
        tail.drain(..before);
    }
    match Summary::find(&tail) {
        Some(summary) => Ok(summary),
        None => bail!("the server's answer has no end"),
    }
}
