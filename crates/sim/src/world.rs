//! One history: a program on a disk, clients that send and ask, and what befalls them.

use std::cell::Cell;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tracewell_model::Clock;
use tracewell_storage::conformance::SpanSpec;
use tracewell_storage::conformance::spans::batch;
use tracewell_storage::memory::MemoryStore;
use tracewell_storage::{
    Account, Error, Found, Position, ReadContext, Record, Sink, SpanLog, TraceFinder, TraceReader,
};
use tracewell_storage_embedded::books::{self, InHand};
use tracewell_storage_embedded::engine::{Engine, EngineOptions};
use tracewell_storage_embedded::log::{self, EmbeddedLog};
use tracewell_storage_embedded::stats::EmbeddedStats;
use tracewell_workers::{Options, Worker, aggregator, storage_writer};

use crate::disk::{Faults, SimDisk};
use crate::ledger::Ledger;
use crate::traffic::Traffic;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const NOON: u64 = 1_700_000_000 * SECOND;
/// Events kept to tell what led to a failure.
const EVENTS_KEPT: usize = 60;
/// Steps within which a healthy program has done all it has to do.
const DRAIN_STEPS_MAX: usize = 10_000;

/// What may befall a story, besides kills and clean stops, which always do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// The power goes.
    pub power_cuts: bool,
    /// The disk fails or is full for a while.
    pub faults: bool,
    /// Syncs do nothing and say they worked: the storm must notice, or it is worth nothing.
    pub lying_disk: bool,
}

impl Weather {
    /// Everything that a program must withstand.
    pub const STORM: Weather = Weather {
        power_cuts: true,
        faults: true,
        lying_disk: false,
    };
}

/// What a story came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// A digest of everything that happened: the same seed gives the same one.
    pub digest: u64,
    /// Calls of the disk, and how many of them failed on purpose.
    pub disk_calls: (u64, u64),
    /// Starts after a kill, a power cut or a clean stop.
    pub restarts: u64,
    /// Spans sent.
    pub spans: u64,
    /// Merges of segments that came to their end.
    pub merges: u64,
}

/// Lives through one story; an error tells which promise was broken, and the last events.
pub fn live(seed: u64, steps: usize, weather: Weather) -> Result<Story, String> {
    let mut world = World::new(seed, weather);
    let outcome = (0..steps).try_for_each(|_| world.step());
    let outcome = outcome.and_then(|()| world.calm());
    outcome.map_err(|broken| world.tell(&broken))?;
    Ok(Story {
        digest: world.digest,
        disk_calls: world.disk.calls(),
        restarts: world.restarts,
        spans: world.spans,
        merges: world.merges,
    })
}

/// Wall clock and monotonic clock apart: only the first one leaps.
#[derive(Debug)]
struct SimClock {
    unix_ns: AtomicU64,
    monotonic_ns: AtomicU64,
}

impl SimClock {
    fn advance(&self, by_ns: u64) {
        self.unix_ns.fetch_add(by_ns, Ordering::SeqCst);
        self.monotonic_ns.fetch_add(by_ns, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn unix_ns(&self) -> u64 {
        self.unix_ns.load(Ordering::SeqCst)
    }

    fn monotonic_ns(&self) -> u64 {
        self.monotonic_ns.load(Ordering::SeqCst)
    }
}

/// The process: what `assemble.rs` of the binary puts together, driven by hand.
struct Program {
    log: EmbeddedLog,
    engine: Arc<Engine>,
    stats: Arc<EmbeddedStats>,
    storage: Worker,
    aggregator: Worker,
}

impl Program {
    fn open(disk: &SimDisk, clock: &Arc<SimClock>, options: EngineOptions) -> Result<Self, Error> {
        let (fs, dir) = (Arc::new(disk.clone()), Path::new("/data"));
        let log_options = log::Options {
            file_bytes_max: 16 << 10,
            ring_bytes_max: 8 << 10,
            groups: vec![
                storage_writer::GROUP.to_owned(),
                aggregator::GROUP.to_owned(),
            ],
            passed_bytes_max: 4 << 10,
            salt_seed: 7,
            ..log::Options::default()
        };
        let (log, _recovery) = EmbeddedLog::open(fs.clone(), dir, log_options, clock.clone())?;
        let engine = Engine::open(fs.clone(), dir, clock.clone(), options)?;
        log.note_stored(&engine.durable(), engine.status().applied_spans());
        let stats = Arc::new(EmbeddedStats::open(fs, dir, clock.clone())?);
        let sink = Box::new(engine.sink());
        let storage = storage_writer::start(&log, sink, clock.clone(), Options::default())?;
        let aggregator = aggregator::start(&log, stats.clone(), clock.clone(), Options::default())?;
        Ok(Program {
            log,
            engine,
            stats,
            storage,
            aggregator,
        })
    }

    /// As the node's status works it out.
    fn account(&self) -> Account {
        let worker = self.storage.status().snapshot();
        let in_hand = InHand {
            pending: worker.pending_spans,
            dead_lettered: worker.dead_lettered_spans,
        };
        let (log, engine) = (self.log.status(), self.engine.status());
        books::account(&log, &engine, storage_writer::GROUP, in_hand)
    }
}

struct World {
    random: Rng,
    weather: Weather,
    clock: Arc<SimClock>,
    disk: SimDisk,
    options: EngineOptions,
    program: Option<Program>,
    traffic: Traffic,
    ledger: Ledger,
    last_request: Vec<SpanSpec>,
    /// Whether an answer may lack something: the disk fails at present.
    foul: bool,
    events: VecDeque<String>,
    digest: u64,
    restarts: u64,
    spans: u64,
    merges: u64,
}

impl World {
    fn new(seed: u64, weather: Weather) -> World {
        let mut random = Rng::with_seed(seed);
        let options = EngineOptions {
            head_spans_max: random.u64(40..400),
            block_spans: random.usize(4..40),
            head_age_ns: random.u64(1..60) * SECOND,
            small_head_age_ns: random.u64(60..600) * SECOND,
            small_head_spans: random.u64(..40),
            cache_bytes_max: random.usize(..2) << 20,
            seal_inline: random.bool(),
            merge_segments_min: random.usize(2..6),
            ..EngineOptions::default()
        };
        let clock = SimClock {
            unix_ns: AtomicU64::new(NOON),
            monotonic_ns: AtomicU64::new(SECOND),
        };
        World {
            weather,
            clock: Arc::new(clock),
            disk: SimDisk::new(random.u64(..)),
            options,
            program: None,
            traffic: Traffic::new(random.u64(..)),
            ledger: Ledger::default(),
            last_request: Vec::new(),
            foul: false,
            events: VecDeque::new(),
            digest: seed,
            restarts: 0,
            spans: 0,
            merges: 0,
            random,
        }
    }

    fn note(&mut self, event: String) {
        self.digest = xxhash_rust::xxh3::xxh3_64_with_seed(event.as_bytes(), self.digest);
        self.events.push_back(event);
        if self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
    }

    fn tell(&self, broken: &str) -> String {
        let events: Vec<&str> = self.events.iter().map(String::as_str).collect();
        format!(
            "{broken}\nafter:\n  {}\noptions: {:?}",
            events.join("\n  "),
            self.options
        )
    }

    fn step(&mut self) -> Result<(), String> {
        if self.program.is_none() {
            return self.start();
        }
        match self.random.u8(..100) {
            0..35 => self.send(),
            35..55 => self.work(),
            55..63 => self.sync(),
            63..67 => self.seal(),
            67..71 => self.compact(),
            71..77 => self.pass_time(),
            77..85 => self.ask(),
            85..91 => self.change_weather(),
            91..94 => self.kill(),
            94..96 if self.weather.power_cuts => self.cut_power(),
            94..98 => self.stop(),
            _ => return self.calm(),
        }
        Ok(())
    }

    /// Opens what there is. On a healthy disk that must work; on a failing one it may not.
    fn start(&mut self) -> Result<(), String> {
        match Program::open(&self.disk, &self.clock, self.options) {
            Ok(program) => {
                self.program = Some(program);
                self.restarts += 1;
                self.note("start".to_owned());
                Ok(())
            }
            Err(error) if self.foul => {
                self.note(format!("start fails: {:?}", error.class));
                self.clear_up();
                Ok(())
            }
            Err(error) => Err(format!("it does not start: {error}")),
        }
    }

    fn program(&mut self) -> &mut Program {
        self.program
            .as_mut()
            .expect("a step without a program starts one")
    }

    fn send(&mut self) {
        let now = self.clock.unix_ns();
        let again = !self.last_request.is_empty() && self.random.u8(..12) == 0;
        if !again {
            self.last_request = self.traffic.request(now);
        }
        let spans = self.last_request.clone();
        let ack = self.traffic.ack();
        let done = self.ledger.sent(&spans, ack);
        self.program().log.append(vec![batch(&spans)], ack, done);
        self.spans += spans.len() as u64;
        self.note(format!("send {} spans, {}", spans.len(), ack.name()));
        // Requests do not come at one instant.
        self.clock.advance(self.random.u64(..20) * MS);
    }

    fn work(&mut self) {
        let storage = self.random.u8(..3) > 0;
        let program = self.program();
        let worker = if storage {
            &mut program.storage
        } else {
            &mut program.aggregator
        };
        let step = worker.step(Duration::ZERO);
        self.note(format!("work, storage {storage}: {step:?}"));
    }

    fn sync(&mut self) {
        self.program().log.sync_step();
        self.note("sync".to_owned());
    }

    fn seal(&mut self) {
        let sealed = self.program().engine.seal_step();
        self.note(format!("seal: {:?}", sealed.map_err(|error| error.class)));
    }

    /// Merges segments; now and then it is told to stop somewhere in between.
    fn compact(&mut self) {
        let looks = Cell::new(match self.random.bool() {
            true => self.random.u32(..20),
            false => u32::MAX,
        });
        let go_on = || looks.replace(looks.get().saturating_sub(1)) > 0;
        let merged = self.program().engine.compact_step(None, &go_on);
        let merged = merged.map_err(|error| error.class);
        self.merges += u64::from(matches!(merged, Ok(Some(_))));
        self.note(format!("compact: {merged:?}"));
    }

    fn pass_time(&mut self) {
        let by_ns = match self.random.u8(..4) {
            0 => self.random.u64(..200) * SECOND,
            _ => self.random.u64(..2_000) * MS,
        };
        self.clock.advance(by_ns);
        self.note(format!("{} ms pass", by_ns / MS));
        if self.random.u8(..20) == 0 {
            // An hour forward or back, by NTP or by an operator.
            let hour = 3_600 * SECOND;
            let now = self.clock.unix_ns();
            let then = if self.random.bool() {
                now + hour
            } else {
                now - hour
            };
            self.clock.unix_ns.store(then, Ordering::SeqCst);
            self.note("the clock leaps".to_owned());
        }
    }

    /// Answers during the storm may lack something, if they say so; they never make anything up.
    fn ask(&mut self) {
        let (id, now) = (self.traffic.trace(), self.clock.unix_ns());
        let query = self.traffic.query(now);
        let context = self.context();
        let traces = self.program().engine.traces();
        let found = traces.get_trace(id, &context).map(|found| found.len());
        let hits = traces
            .find_traces(&query, &context)
            .map(|found| found.hits.len());
        self.note(format!(
            "ask: {:?} spans, {:?} hits",
            found.is_ok(),
            hits.is_ok()
        ));
    }

    fn change_weather(&mut self) {
        if self.foul || !self.weather.faults {
            return self.clear_up();
        }
        let mut faults = Faults::default();
        let one_in = self.random.u32(1..20);
        match self.random.u8(..6) {
            0 => faults.sync_one_in = one_in,
            1 => faults.write_one_in = one_in,
            2 => faults.short_one_in = one_in,
            3 => faults.read_one_in = one_in,
            4 => faults.name_one_in = one_in,
            _ => self.disk.set_full(true),
        }
        self.foul = true;
        self.disk.set_faults(faults);
        self.note(format!("foul weather: {faults:?}"));
    }

    fn clear_up(&mut self) {
        self.foul = false;
        self.disk.set_full(false);
        self.disk.set_faults(Faults {
            lying_sync: self.weather.lying_disk,
            ..Faults::default()
        });
        self.note("the weather clears up".to_owned());
    }

    fn kill(&mut self) {
        self.program = None;
        self.ledger.process_ended();
        self.note("kill -9".to_owned());
    }

    fn cut_power(&mut self) {
        self.program = None;
        self.ledger.power_cut();
        self.disk.cut_power();
        self.note("power cut".to_owned());
    }

    fn stop(&mut self) {
        let Some(mut program) = self.program.take() else {
            return;
        };
        program.storage.finish();
        program.aggregator.finish();
        let closed = program.log.close();
        if closed.is_ok() && !self.foul && !self.disk.has_lost() {
            self.ledger.all_synced();
        }
        self.ledger.process_ended();
        self.note(format!("clean stop: {:?}", closed.is_ok()));
    }

    fn context(&self) -> ReadContext {
        ReadContext::new(self.clock.clone(), 60 * SECOND)
    }

    /// Good weather, and time to finish: now everything must be as promised.
    fn calm(&mut self) -> Result<(), String> {
        self.clear_up();
        if self.program.is_none() {
            self.start()?;
        }
        self.drain()?;
        self.ledger.settle();
        self.note("calm".to_owned());
        self.check_account()?;
        let model = self.check_traces()?;
        self.check_searches(&model)
    }

    /// Until nothing is in flight.
    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..DRAIN_STEPS_MAX {
            self.clock.advance(100 * MS);
            let program = self.program();
            program.log.sync_step();
            program.storage.step(Duration::ZERO);
            program.aggregator.step(Duration::ZERO);
            let sealed = program.engine.seal_step();
            program.engine.reopen_step();
            let account = program.account();
            if account.in_flight == 0 && matches!(sealed, Ok(false)) {
                return Ok(());
            }
        }
        let status = self.program().storage.status().snapshot();
        Err(format!("it never comes to rest: {status:?}"))
    }

    fn check_account(&mut self) -> Result<(), String> {
        let program = self.program();
        let account = program.account();
        let problems = (program.log.status().problems, program.stats.problems());
        match account.balances() {
            true => Ok(()),
            false => Err(format!(
                "the account does not balance: {account:?}; {problems:?}"
            )),
        }
    }

    /// Every trace against the ledger; what is there goes into a model for the searches.
    fn check_traces(&mut self) -> Result<MemoryStore, String> {
        let context = self.context();
        let traces = self.program().engine.traces();
        let mut model = MemoryStore::new();
        for (offset, id) in (1u64..).zip(self.ledger.traces()) {
            let found = traces
                .get_trace(id, &context)
                .map_err(|e| format!("by id: {e}"))?;
            if !found.incomplete.is_empty() {
                return Err(format!("in good weather it lacks: {:?}", found.incomplete));
            }
            self.ledger.check(id, &found, true)?;
            let spans: Vec<SpanSpec> = found.spans().map(SpanSpec::of).collect();
            let record = Record {
                position: Position {
                    partition: 0,
                    offset,
                },
                arrived_unix_ns: offset,
                batch: Arc::new(batch(&spans)),
            };
            model
                .apply(&[record])
                .map_err(|e| format!("the model: {e}"))?;
        }
        Ok(model)
    }

    fn check_searches(&mut self, model: &MemoryStore) -> Result<(), String> {
        let context = self.context();
        let traces = self.program().engine.traces();
        for _ in 0..4 {
            let query = self.traffic.query(self.clock.unix_ns());
            let ours = traces
                .find_traces(&query, &context)
                .map_err(|e| format!("search: {e}"))?;
            let theirs = model
                .find_traces(&query, &context)
                .map_err(|e| format!("the model: {e}"))?;
            let hits = |found: &Found| format!("{:?}", found.hits);
            if hits(&ours) != hits(&theirs) {
                return Err(format!("{query:?}\nfound {ours:?}\ninstead of {theirs:?}"));
            }
        }
        Ok(())
    }
}
