//! `bench report`: a page made of recorded runs. A frame of text has lines `<!-- bench: NAME -->`; each
//! becomes the table of that name, with medians of the runs that were made alike.

mod cluster;
mod tables;

use std::io::Write as _;

use anyhow::{Context, bail};

use crate::cli::ReportArgs;
use crate::record::Run;

/// Prints the page, or says whether it is what it should be.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for file in &args.files {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
        runs.extend(parse(&text).with_context(|| format!("{}", file.display()))?);
    }
    let frame = std::fs::read_to_string(&args.frame)
        .with_context(|| format!("read {}", args.frame.display()))?;
    let page = page(&frame, &runs)?;
    match &args.check {
        None => std::io::stdout()
            .lock()
            .write_all(page.as_bytes())
            .context("write the page"),
        Some(path) => {
            let there = std::fs::read_to_string(path)
                .with_context(|| format!("read {}", path.display()))?;
            let differs = page
                .lines()
                .zip(there.lines())
                .position(|(made, there)| made != there);
            match differs {
                _ if page == there => Ok(()),
                Some(line) => bail!(
                    "{} differs from its runs in line {}: make it anew",
                    path.display(),
                    line + 1
                ),
                None => bail!(
                    "{} is not as long as its runs make it: make it anew",
                    path.display()
                ),
            }
        }
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<Run>> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("line {} is no run", number + 1))
        })
        .collect()
}

/// The frame with its tables.
fn page(frame: &str, runs: &[Run]) -> anyhow::Result<String> {
    let mut page = String::new();
    for line in frame.lines() {
        match line
            .strip_prefix("<!-- bench: ")
            .and_then(|rest| rest.strip_suffix(" -->"))
        {
            Some(name) => page += &table(name, runs)?,
            None => {
                page += line;
                page.push('\n');
            }
        }
    }
    Ok(page)
}

fn table(name: &str, runs: &[Run]) -> anyhow::Result<String> {
    Ok(match name {
        "machine" => tables::machine(runs),
        "ingest" => tables::ingest(runs),
        "threads" => tables::threads(runs),
        "row" => tables::row(runs),
        "peers" => tables::peers(runs),
        "query" => tables::query(runs),
        "beside" => tables::beside(runs),
        "growth" => tables::growth(runs),
        "recovery" => tables::recovery(runs),
        "cluster roles" => cluster::roles(runs),
        "cluster alone" => cluster::alone(runs),
        "cluster engines" => cluster::engines(runs),
        "cluster query" => cluster::query(runs),
        _ => bail!(
            "the frame asks for a table {name:?}, which is none of machine, ingest, threads, row, peers, query, beside, growth, recovery, cluster roles, cluster alone, cluster engines, cluster query"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::tables::{ingest, peers, query};
    use super::*;
    use crate::body::{Encoding, Format, Layout};
    use crate::machine::Machine;
    use crate::record::{Disk, Figures, Ingest, Latency, Query, QueryRow, ServerUse, Settings};
    use crate::traffic::Dataset;

    fn run(figures: Figures, change: impl FnOnce(&mut Settings)) -> Run {
        let mut settings = Settings {
            format: Format::OtlpHttp,
            layout: Layout::Gateway,
            encoding: Encoding::Identity,
            dataset: Dataset::Realistic,
            services: 50,
            seed: 1,
            batch: 500,
            connections: 4,
            pool: 250_000,
            rate: None,
            server: Vec::new(),
            url: None,
        };
        change(&mut settings);
        let machine = Machine {
            cpu: "abacus".to_owned(),
            cores: 2,
            ..Machine::default()
        };
        Run {
            version: "1".to_owned(),
            at_unix_s: 0,
            label: None,
            machine,
            settings,
            figures,
        }
    }

    fn ingested(cpu_s_per_m: f64, change: impl FnOnce(&mut Settings)) -> Run {
        let ingest = Ingest {
            spans: 1_000_312,
            spans_per_s: 480_123.0,
            server: Some(ServerUse {
                cpu_s_per_m,
                ..ServerUse::default()
            }),
            disk: Some(Disk {
                bytes_per_span: 40.04,
                ..Disk::default()
            }),
            ..Ingest::default()
        };
        run(Figures::Ingest(ingest), change)
    }

    #[test]
    fn runs_made_alike_share_a_row_with_their_median_and_spread() {
        let runs = [
            ingested(2.5, |_| {}),
            ingested(1.5, |settings| settings.encoding = Encoding::Gzip),
            ingested(2.0, |_| {}),
            ingested(3.0, |settings| settings.seed = 2),
            ingested(9.0, |settings| {
                settings.url = Some("http://peer".to_owned())
            }),
        ];
        let table = ingest(&runs);
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), 2, "{table}");
        assert!(
            rows[0].starts_with("| OTLP/HTTP | 3 | 2.50 (2.00–3.00) | 0.00 | 480,123 |"),
            "{table}"
        );
        assert!(rows[0].contains("| 40.0 |"), "{table}");
        assert!(
            rows[1].starts_with("| OTLP/HTTP, gzip | 1 | 1.50 |"),
            "{table}"
        );
        assert!(peers(&runs).starts_with("| http://peer | 9.0 |"));
    }

    #[test]
    fn questions_are_rows_and_loads_columns() {
        let row = |load: &str, question: &str, p50_ms| QueryRow {
            load: load.to_owned(),
            question: question.to_owned(),
            latency: Latency {
                p50_ms,
                p99_ms: 12.34,
                max_ms: 100.0,
            },
            ..QueryRow::default()
        };
        let rows = vec![
            row("cold", "a", 1.0),
            row("0 %", "a", 0.25),
            row("0 %", "b", 2.0),
        ];
        let table = query(&[run(
            Figures::Query(Query {
                rows,
                ..Query::default()
            }),
            |_| {},
        )]);
        assert!(
            table.contains("| p50/p99/max, ms | cold | 0 % |\n"),
            "{table}"
        );
        assert!(
            table.contains("| a | 1.0/12/100 | 0.2/12/100 |\n| b | – | 2.0/12/100 |\n"),
            "{table}"
        );
    }

    #[test]
    fn a_frame_keeps_its_text_and_a_wrong_name_is_told() {
        let runs = [ingested(2.0, |_| {})];
        let made = page("a\n<!-- bench: machine -->\nb\n", &runs).unwrap();
        assert!(made.starts_with("a\n* 2 cores of abacus"), "{made}");
        assert!(made.ends_with(": 1 runs\nb\n"), "{made}");
        assert!(page("<!-- bench: nothing -->", &runs).is_err());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let run = ingested(2.125, |settings| settings.rate = Some(250_000));
        let line = serde_json::to_string(&run).unwrap();
        assert_eq!(
            parse(&format!("{line}\n\n{line}\n")).unwrap(),
            vec![run.clone(), run]
        );
        assert!(parse("{}").is_err());
    }

    #[test]
    fn the_page_is_made_of_the_committed_runs() {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let mut files: Vec<_> = std::fs::read_dir(docs.join("performance"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "jsonl")
            })
            .collect();
        files.sort();
        let (frame, check) = (
            docs.join("performance/frame.txt"),
            Some(docs.join("performance.md")),
        );
        super::run(&ReportArgs {
            files,
            frame,
            check,
        })
        .unwrap();
    }
}
