//! `bench query`: questions to a server that holds so many spans, at rest, beside ingest, and cold.

use rustix::fs::{Advice, fadvise};
use tracewell_model::clock::{Clock, SystemClock};

use crate::api::Api;
use crate::cli::QueryArgs;
use crate::drive::Driver;
use crate::interrupt::Scratch;
use crate::questions::{BY_ID, Expect, FRESH, Question, Questions};
use crate::record::{Figures, Query, QueryRow, rounded};
use crate::server::{Recipe, Server};
use crate::session::{self, Portion, Traffic};
use crate::tally::Tally;
use crate::traffic::random::Random;
use crate::verify::hex;
use crate::{process, verify};

mod beside;

/// What is asked for as fresh was acknowledged so long ago: within a second it is found (D8).
const FRESH_NS: std::ops::Range<u64> = 1_000_000_000..10_000_000_000;
/// Data begins so long ago: its time runs ahead of the clock while more is sent than `--density`.
const BEGAN_S: u64 = 45 * 60;
/// Of each question, so many cold: the file's pages come back with the first.
const COLD_MAX: usize = 30;

/// A server with stored traffic.
struct Bench {
    traffic: Traffic,
    recipe: Recipe,
    scratch: Scratch,
    server: Option<Server>,
    questions: Questions,
    full_rate: f64,
    peak_bytes: u64,
    /// Of a load at most.
    seconds: u64,
}

/// Runs it.
pub(crate) fn run(args: &QueryArgs) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.traffic.encoding.name().is_none(),
        "--encoding: questions are asked beside bodies that are not compressed"
    );
    let (mut bench, mut query) = Bench::fill(args)?;
    for load in &args.loads {
        let words = load.map_or("cold".to_owned(), |percent| format!("{percent} %"));
        session::note(&format!("asking at load {words}"));
        match load {
            None => bench.cold(&mut query.rows)?,
            Some(0) => bench.ask("0 %", None, &mut query.rows)?,
            Some(percent) => bench.under_load(*percent, &mut query.rows)?,
        }
    }
    if let Some(qps) = args.qps {
        session::note(&format!("asking {qps} questions a second beside ingest"));
        query.beside = Some(bench.beside(qps, args.qps_seconds)?);
    }
    bench.note_peak()?;
    query.peak_rss_mb = rounded(bench.peak_bytes as f64 / 1e6, 1);
    let settings = bench.traffic.settings(&args.server);
    session::tell(
        &args.output,
        &session::parent(&args.server),
        settings,
        Figures::Query(query),
    )
}

impl Bench {
    /// Stores whole cycles, and reads some back.
    fn fill(args: &QueryArgs) -> anyhow::Result<(Bench, Query)> {
        // Whole cycles of equal size, so that all of what is stored can be looked at for an answer.
        let cycles = args.spans.div_ceil(args.traffic.pool).max(1);
        let pool = args.spans / cycles;
        let giant_spans = session::giant_spans(pool);
        let mut traffic = Traffic::new(&args.traffic, pool, giant_spans, BEGAN_S);
        let spans = traffic.plan.spans() * cycles;
        let recipe = session::recipe(&args.server)?;
        let scratch = Scratch::new(&session::parent(&args.server))?;
        let server = Server::start(&recipe, scratch.path())?;
        let url = session::ingest_url(&server, args.traffic.format);
        let sent = traffic.send(&url, &Portion::full(spans), None)?;
        let mut api = Api::new(&server.address("query"))?;
        let waiting = session::busy("waiting until all is settled");
        api.settle()?;
        waiting.finish_and_clear();
        let verified_traces = verify::some(&mut api, &traffic, &sent.ledger, args.verify)?;
        let looking = session::busy("looking at every span for the answers");
        let questions = Questions::new(
            &traffic.plan,
            cycles,
            traffic.began_unix_ns,
            args.queries as usize,
        );
        looking.finish_and_clear();
        let full_rate = sent.spans as f64 / sent.seconds;
        let query = Query {
            spans: sent.spans,
            full_rate: rounded(full_rate, 0),
            verified_traces,
            ..Query::default()
        };
        let bench = Bench {
            traffic,
            recipe,
            scratch,
            server: Some(server),
            questions,
            full_rate,
            peak_bytes: 0,
            seconds: args.seconds,
        };
        Ok((bench, query))
    }

    fn server(&self) -> anyhow::Result<&Server> {
        self.server
            .as_ref()
            .ok_or_else(|| anyhow::anyhow!("no server runs"))
    }

    fn note_peak(&mut self) -> anyhow::Result<()> {
        let pid = self.server()?.pid();
        self.peak_bytes = self.peak_bytes.max(process::memory(pid)?.peak);
        Ok(())
    }

    /// Asks everything. Questions take turns, so that none has the caches to itself.
    fn ask(
        &self,
        load: &str,
        driver: Option<&Driver>,
        rows: &mut Vec<QueryRow>,
    ) -> anyhow::Result<()> {
        let mut api = Api::new(&self.server()?.address("query"))?;
        let most = match load {
            "cold" => COLD_MAX,
            _ => usize::MAX,
        };
        let kinds = &self.questions.by_name;
        let mut tallies: Vec<Tally> = kinds.iter().map(|_| Tally::default()).collect();
        let mut fresh = Tally::default();
        let mut random = Random::new(rows.len() as u64);
        let rounds = kinds
            .iter()
            .map(|(_, questions)| questions.len())
            .max()
            .unwrap_or(0)
            .min(most);
        let began_ns = SystemClock.monotonic_ns();
        for round in 0..rounds {
            if SystemClock.monotonic_ns() - began_ns > self.seconds * 1_000_000_000 {
                break;
            }
            for ((_, questions), tally) in kinds.iter().zip(&mut tallies) {
                if let Some(question) = questions.get(round) {
                    // Stored traces stay as they are; the newest hits do not.
                    let moving = driver.is_some() && !matches!(question.expect, Expect::Spans(_));
                    tally.ask(&mut api, question, moving)?;
                }
            }
            if let Some(question) = driver.and_then(|driver| self.fresh(driver, &mut random)) {
                fresh.ask(&mut api, &question, true)?;
            }
        }
        for ((name, _), tally) in kinds.iter().zip(tallies) {
            rows.push(tally.row(load, name));
            if *name == BY_ID && driver.is_some() {
                rows.push(std::mem::take(&mut fresh).row(load, FRESH));
            }
        }
        Ok(())
    }

    /// A trace of which a part was acknowledged a moment ago; not the first, which is a giant and has
    /// a question of its own.
    fn fresh(&self, driver: &Driver, random: &mut Random) -> Option<Question> {
        let plan = &self.traffic.plan;
        let recent = driver.progress.acknowledged_ago(FRESH_NS);
        let body = *recent.get(random.below(recent.len().max(1)))?;
        let spans = plan.body_traces(body % plan.bodies());
        let traces: Vec<u64> = spans.filter(|&trace| trace != 0).collect();
        if traces.is_empty() {
            return None;
        }
        let trace = *random.pick(&traces);
        let cycle = plan.cycle(body / plan.bodies(), self.traffic.began_unix_ns);
        let path = format!("/api/traces/{}", hex(&cycle.trace_id(trace)));
        Some(Question {
            path,
            expect: Expect::Spans(plan.spans_of(trace)),
        })
    }

    /// Asks while a share of the full rate is sent.
    fn under_load(&mut self, percent: u64, rows: &mut Vec<QueryRow>) -> anyhow::Result<()> {
        let driver = self.load(self.full_rate as u64 * percent / 100)?;
        let asked = self.ask(&format!("{percent} %"), Some(&driver), rows);
        self.unload(driver)?;
        asked
    }

    /// Sends at a rate from now on.
    fn load(&mut self, rate: u64) -> anyhow::Result<Driver> {
        let server = self.server()?;
        let url = session::ingest_url(server, self.traffic.format());
        let portion = Portion {
            spans: u64::MAX,
            rate: Some(rate.max(1)),
            retry: true,
        };
        let driver = self.traffic.start(&url, &portion)?;
        // Until the sender runs at its rate.
        crate::pause(std::time::Duration::from_secs(1));
        Ok(driver)
    }

    /// Ends that, and waits until what it sent has settled.
    fn unload(&mut self, driver: Driver) -> anyhow::Result<()> {
        let mut sent = driver.stop()?;
        self.traffic.take_back(&mut sent);
        if let Some(failure) = sent.failure {
            anyhow::bail!("{failure}");
        }
        Api::new(&self.server()?.address("query"))?.settle()?;
        self.note_peak()
    }

    /// Restarts the server, drops its files from the page cache, and asks.
    fn cold(&mut self, rows: &mut Vec<QueryRow>) -> anyhow::Result<()> {
        self.note_peak()?;
        if let Some(server) = self.server.take() {
            server.stop()?;
        }
        evict(self.scratch.path())?;
        self.server = Some(Server::start(&self.recipe, self.scratch.path())?);
        self.ask("cold", None, rows)
    }
}

/// Asks the kernel to forget the pages of all files below; all were synced by a clean stop.
fn evict(dir: &std::path::Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            evict(&path)?;
        } else {
            let file = std::fs::File::open(&path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
