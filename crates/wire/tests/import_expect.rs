//! Real files of other tools, decoded and counted against `EXPECT.json`, and every other file of the
//! shared data: each is either used or refused with a sentence.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // tests

mod expect;

use std::path::{Path, PathBuf};

use tracewell_model::SpanBatch;
use tracewell_wire::import::{self, BATCH_SPANS_MAX, Decoded};
use tracewell_wire::{DecodeError, Report};

/// A file's batches, its reports, and what it was.
struct File {
    batches: Vec<SpanBatch>,
    reports: Vec<Report>,
    decoded: Result<Decoded, DecodeError>,
}

fn decode(bytes: &[u8], shards: u16) -> File {
    let (mut batches, mut reports) = (Vec::new(), Vec::new());
    let decoded = import::decode_file(bytes, shards, &mut |builder, report| {
        assert!(
            builder.len() <= BATCH_SPANS_MAX,
            "{} spans in one batch",
            builder.len()
        );
        assert_eq!(builder.len(), report.accepted);
        batches.extend(builder.finish());
        reports.push(report);
    });
    File {
        batches,
        reports,
        decoded,
    }
}

#[test]
fn real_files_count_as_an_independent_reader_counted_them() {
    let Some(dir) = expect::data_dir() else {
        println!("skipped: ../shared/data is absent");
        return;
    };
    let mut lines = Vec::new();
    for (name, expected) in expect::expected(&dir) {
        let file = decode(&std::fs::read(dir.join(&name)).unwrap(), 4);
        if let Err(error) = &file.decoded {
            lines.push(format!("{name}: {error}"));
            continue;
        }
        let refused: Vec<_> = file.reports.iter().map(Report::refusals).collect();
        lines.extend(refused.into_iter().filter(|line| !line.is_empty()));
        let spans = file.batches.iter().flat_map(SpanBatch::spans).collect();
        lines.extend(expect::differences(
            &name,
            &expected,
            &expect::figures(spans),
        ));
    }
    assert!(
        lines.is_empty(),
        "{} differences:\n{}",
        lines.len(),
        lines.join("\n")
    );
}

fn files_under(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_under(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn every_file_is_used_or_refused_with_a_sentence() {
    let Some(dir) = expect::data_dir() else {
        println!("skipped: ../shared/data is absent");
        return;
    };
    let mut files = Vec::new();
    files_under(&dir, &mut files);
    files.sort();
    for path in files {
        let file = decode(&std::fs::read(&path).unwrap(), 1);
        let refused = file
            .reports
            .iter()
            .find(|report| report.refused_count() > 0);
        let name = path.strip_prefix(&dir).unwrap().display();
        match (&file.decoded, refused) {
            (Ok(decoded), None) => println!(
                "{name}: {} spans of {}",
                decoded.spans,
                decoded.format.name()
            ),
            (Ok(_), Some(report)) => println!("{name}: refused {}", report.refusals()),
            (Err(error), _) => {
                println!("{name}: {error}");
                assert!(
                    error.to_string().contains("accepted are")
                        || error.to_string().contains("no JSON"),
                    "{error}"
                );
            }
        }
    }
}
