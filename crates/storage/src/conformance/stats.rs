//! Cases of statistics: sums, quantiles, windows, edges, and what a crash may count twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracewell_model::clock::ManualClock;

use super::store_bench::{NOW, SECOND};
use super::{
    Case, Durability, Failure, OpenStats, Passed, Restart, StatsFixture, ensure, run, worked,
};
use crate::log::Position;
use crate::roll::{Instance, Loss, RollCall};
use crate::stats::{Basis, Figures, STEP_NS, SeriesKey, StatsDelta, StatsReader, Window};

const CASES: &[Case<StatsCheck>] = &[
    (
        "statistics without figures have no rows",
        Durability::None,
        empty,
    ),
    (
        "figures are the sums of what was written",
        Durability::None,
        sums,
    ),
    (
        "a window counts the steps inside it",
        Durability::None,
        windows,
    ),
    ("a series adds up to its window", Durability::None, series),
    (
        "a service is shown by its entry spans, or by all",
        Durability::None,
        basis,
    ),
    (
        "figures of hours and days ago are there",
        Durability::None,
        old_figures,
    ),
    (
        "a clean stop loses nothing and counts nothing twice",
        Durability::CleanStop,
        clean_stop,
    ),
    (
        "a crash loses nothing and over-counts ten seconds at most",
        Durability::Crash,
        crash,
    ),
    (
        "the roll tells when each instance was heard",
        Durability::CleanStop,
        roll,
    ),
];

type StatsCheck = fn(&dyn StatsFixture) -> Result<(), String>;

/// Everything statistics must do.
pub fn stats_suite(fixture: &dyn StatsFixture) -> Result<Passed, Failure> {
    let mut passed = Passed::default();
    run(
        fixture.durability(),
        CASES,
        |check| check(fixture),
        &mut passed,
    )?;
    Ok(passed)
}

/// The start of the step that `NOW` lies in, of the longest rung.
const STEP: u64 = NOW - NOW % (600 * SECOND);

type Rows = BTreeMap<(String, String), Figures>;

struct Bench {
    stats: Option<Box<dyn OpenStats>>,
    rng: fastrand::Rng,
    /// All deltas, as the log would make them again.
    deltas: Vec<StatsDelta>,
}

impl Bench {
    fn new(fixture: &dyn StatsFixture, seed: u64) -> Self {
        let stats = Some(fixture.open_new(Arc::new(ManualClock::at(STEP))));
        Bench {
            stats,
            rng: fastrand::Rng::with_seed(seed),
            deltas: Vec::new(),
        }
    }

    fn stats(&self) -> Result<&dyn OpenStats, String> {
        self.stats
            .as_deref()
            .ok_or_else(|| "statistics did not come back".to_owned())
    }

    /// The reader, which sees all that was written.
    fn reader(&self) -> Result<&dyn StatsReader, String> {
        let stats = self.stats()?;
        stats.settle();
        Ok(stats.reader())
    }

    /// A delta of random spans that started in the minute before `now`.
    fn random(&mut self, now_unix_ns: u64) -> StatsDelta {
        let mut delta = StatsDelta {
            now_unix_ns,
            ..StatsDelta::default()
        };
        for _ in 0..self.rng.usize(1..40) {
            let name = |rng: &mut fastrand::Rng, of: &[&str]| of[rng.usize(0..of.len())].to_owned();
            let service = name(&mut self.rng, &["shop", "cart", "", "é\0"]);
            let series = match self.rng.u8(0..3) {
                0 => SeriesKey::Edge {
                    parent: name(&mut self.rng, &["shop", "web"]),
                    child: service,
                },
                _ => SeriesKey::Operation {
                    service,
                    operation: name(&mut self.rng, &["GET /", "SELECT", ""]),
                    entry: self.rng.bool(),
                },
            };
            let step = (now_unix_ns - self.rng.u64(0..60) * SECOND) / STEP_NS;
            let duration = 1 << self.rng.u32(0..40);
            let error = self.rng.u8(0..10) == 0;
            delta
                .figures
                .entry((step, series))
                .or_default()
                .record(duration, error);
        }
        delta
    }

    fn write(&mut self, mut delta: StatsDelta) -> Result<(), String> {
        let offset = self.deltas.len() as u64 + 1;
        delta.positions = vec![Position {
            partition: 0,
            offset,
        }];
        self.deltas.push(delta.clone());
        let before = self.durable()?;
        worked("write", self.stats()?.writer().write(delta))?;
        self.check_durable(before)
    }

    fn durable(&self) -> Result<u64, String> {
        let durable = self.stats()?.writer().durable();
        Ok(durable
            .iter()
            .map(|position| position.offset)
            .max()
            .unwrap_or(0))
    }

    fn check_durable(&self, before: u64) -> Result<(), String> {
        let (after, last) = (self.durable()?, self.deltas.len() as u64);
        ensure!(
            after >= before,
            "durable went back from {before} to {after}"
        );
        ensure!(after <= last, "durable is {after} of {last} deltas");
        Ok(())
    }

    fn restart(&mut self, how: Restart) -> Result<(), String> {
        let before = self.durable()?;
        let stats = self.stats.take().ok_or("statistics did not come back")?;
        self.stats = Some(stats.restart(how));
        self.check_durable(before)
    }

    /// What the aggregator does after a restart: counts again what is not saved.
    fn replay(&mut self) -> Result<(), String> {
        let from = self.durable()? as usize;
        for delta in &self.deltas[from..] {
            worked("write", self.stats()?.writer().write(delta.clone()))?;
        }
        Ok(())
    }

    /// Operations of every service, by (service, operation), and edges, by ("→" parent, child).
    fn rows(&self, window: &Window) -> Result<Rows, String> {
        let reader = self.reader()?;
        let mut rows = Rows::new();
        let services = worked("read_services", reader.read_services(window))?;
        ensure!(
            services.rows.is_sorted_by_key(|row| &row.service),
            "services are not sorted"
        );
        for row in services.rows {
            let of_service = worked(
                "read_operations",
                reader.read_operations(&row.service, window),
            )?;
            for operation in of_service.rows {
                rows.insert(
                    (row.service.clone(), operation.operation),
                    operation.figures,
                );
            }
        }
        for edge in worked("read_graph", reader.read_graph(window))?.rows {
            rows.insert((format!("→{}", edge.parent), edge.child), edge.figures);
        }
        Ok(rows)
    }

    /// The same from the deltas that were written.
    fn expected(&self, from_unix_ns: u64, to_unix_ns: u64) -> Rows {
        let mut rows = Rows::new();
        for ((step, series), figures) in self.deltas.iter().flat_map(|delta| &delta.figures) {
            let inside = (from_unix_ns..to_unix_ns).contains(&(step * STEP_NS));
            let name = match series.clone() {
                SeriesKey::Operation {
                    service, operation, ..
                } => (service, operation),
                SeriesKey::Edge { parent, child } => (format!("→{parent}"), child),
            };
            if inside {
                rows.entry(name).or_default().merge(figures);
            }
        }
        rows
    }

    fn expect(&self, from_unix_ns: u64, to_unix_ns: u64) -> Result<(), String> {
        let got = self.rows(&window(from_unix_ns, to_unix_ns))?;
        expect_rows(&got, &self.expected(from_unix_ns, to_unix_ns))
    }
}

fn expect_rows(got: &Rows, expected: &Rows) -> Result<(), String> {
    for (name, figures) in expected {
        let got = got.get(name);
        ensure!(
            got == Some(figures),
            "figures of {name:?} are {got:?}, not {figures:?}"
        );
        let quantile = |q| got.and_then(|figures| figures.latency.quantile(q));
        ensure!(
            [0.5, 0.95, 0.99]
                .into_iter()
                .all(|q| quantile(q) == figures.latency.quantile(q)),
            "quantiles of {name:?} differ"
        );
    }
    let extra = got.keys().find(|name| !expected.contains_key(*name));
    ensure!(extra.is_none(), "figures of {extra:?} were made up");
    Ok(())
}

fn window(from_unix_ns: u64, to_unix_ns: u64) -> Window {
    Window {
        from_unix_ns,
        to_unix_ns,
        steps: 0,
    }
}

fn operation(service: &str, operation: &str, entry: bool) -> SeriesKey {
    SeriesKey::Operation {
        service: service.to_owned(),
        operation: operation.to_owned(),
        entry,
    }
}

/// One span of `shop`.
fn one(now_unix_ns: u64, started_unix_ns: u64) -> StatsDelta {
    let mut delta = StatsDelta {
        now_unix_ns,
        ..StatsDelta::default()
    };
    let key = (started_unix_ns / STEP_NS, operation("shop", "GET /", true));
    delta.figures.entry(key).or_default().record(5, false);
    delta
}

fn empty(fixture: &dyn StatsFixture) -> Result<(), String> {
    let bench = Bench::new(fixture, 61);
    let everything = window(0, STEP * 2);
    ensure!(
        bench.rows(&everything)?.is_empty(),
        "empty statistics have rows"
    );
    let reader = bench.reader()?;
    let unknown = worked(
        "read_operations",
        reader.read_operations("unknown", &everything),
    )?;
    ensure!(unknown.rows.is_empty(), "an unknown service has operations");
    Ok(())
}

fn sums(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 62);
    for second in 0..120 {
        let delta = bench.random(STEP + second * SECOND);
        bench.write(delta)?;
        if second % 37 == 0 {
            bench.expect(STEP - 600 * SECOND, STEP + 600 * SECOND)?;
        }
    }
    bench.expect(STEP - 600 * SECOND, STEP + 600 * SECOND)
}

fn windows(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 63);
    for second in 0..60 {
        let delta = bench.random(STEP + second * SECOND);
        bench.write(delta)?;
    }
    for from in 0..12 {
        for length in 1..6 {
            let from = STEP - 60 * SECOND + from * STEP_NS;
            bench.expect(from, from + length * STEP_NS)?;
        }
    }
    // `from` is rounded down to a step.
    let got = bench.rows(&window(STEP + SECOND, STEP + STEP_NS))?;
    expect_rows(&got, &bench.expected(STEP, STEP + STEP_NS))
}

fn series(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 64);
    for second in 0..60 {
        let delta = bench.random(STEP + second * SECOND);
        bench.write(delta)?;
    }
    let window = Window {
        steps: 6,
        ..window(STEP, STEP + 6 * STEP_NS)
    };
    let rows = worked("read_services", bench.reader()?.read_services(&window))?.rows;
    ensure!(!rows.is_empty(), "no service has figures");
    for row in rows {
        ensure!(row.series.len() == 6, "{} steps of 6", row.series.len());
        let mut sum = Figures::default();
        for (at, (start, figures)) in row.series.iter().enumerate() {
            let expected = STEP + at as u64 * STEP_NS;
            ensure!(
                *start == expected,
                "step {at} starts at {start}, not {expected}"
            );
            sum.merge(figures);
            let alone = Window {
                steps: 0,
                ..self::window(*start, start + STEP_NS)
            };
            let alone = worked("read_services", bench.reader()?.read_services(&alone))?;
            let alone = alone
                .rows
                .into_iter()
                .find(|other| other.service == row.service);
            // Alone in its window, a step may stand on another basis.
            let alone = alone.filter(|other| other.basis == row.basis);
            let differs = alone.is_some_and(|alone| alone.figures != *figures);
            ensure!(
                !differs,
                "step {at} of {} differs from its window",
                row.service
            );
        }
        ensure!(
            sum == row.figures,
            "the steps of {} do not add up",
            row.service
        );
    }
    Ok(())
}

fn basis(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 65);
    let mut delta = StatsDelta {
        now_unix_ns: STEP,
        ..StatsDelta::default()
    };
    let step = STEP / STEP_NS;
    for (at, key, count) in [
        (step, operation("shop", "GET /", true), 2),
        (step, operation("shop", "SELECT", false), 5),
        (step - 1, operation("shop", "SELECT", false), 3),
        (step, operation("cron", "work", false), 4),
    ] {
        let figures = delta.figures.entry((at, key)).or_default();
        (0..count).for_each(|_| figures.record(7, true));
    }
    bench.write(delta)?;
    let read = |from, to| -> Result<Vec<_>, String> {
        let rows = worked(
            "read_services",
            bench.reader()?.read_services(&window(from, to)),
        )?;
        let row =
            |row: crate::stats::ServiceFigures| (row.service, row.basis, row.figures.error_count);
        Ok(rows.rows.into_iter().map(row).collect())
    };
    let got = read(STEP - STEP_NS, STEP + STEP_NS)?;
    let cron = ("cron".to_owned(), Basis::AllSpans, 4);
    ensure!(
        got == [cron, ("shop".to_owned(), Basis::EntrySpans, 2)],
        "{got:?}"
    );
    let got = read(STEP - STEP_NS, STEP)?;
    ensure!(got == [("shop".to_owned(), Basis::AllSpans, 3)], "{got:?}");
    Ok(())
}

fn old_figures(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 66);
    let hour = 3_600 * SECOND;
    let ages = [0, 2 * hour, 20 * hour, 7 * 24 * hour];
    for age in ages {
        bench.write(one(STEP, STEP - age))?;
    }
    for (at, age) in ages.into_iter().enumerate() {
        bench.expect(STEP - age, STEP + STEP_NS)?;
        let rows = bench.rows(&window(STEP - age, STEP + STEP_NS))?;
        let count = rows.values().next().map_or(0, |figures| figures.count);
        ensure!(
            count == at as u64 + 1,
            "{count} spans since {} h",
            age / hour
        );
    }
    Ok(())
}

fn clean_stop(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 67);
    for second in 0..100 {
        let delta = bench.random(STEP + second * SECOND);
        bench.write(delta)?;
        if second % 23 == 22 {
            worked("flush", bench.stats()?.writer().flush())?;
            let (durable, last) = (bench.durable()?, bench.deltas.len() as u64);
            ensure!(
                durable == last,
                "after flush, durable is {durable} of {last} deltas"
            );
            bench.restart(Restart::CleanStop)?;
            bench.replay()?;
            bench.expect(STEP - 600 * SECOND, STEP + 600 * SECOND)?;
        }
    }
    bench.restart(Restart::CleanStop)?;
    bench.replay()?;
    bench.expect(STEP - 600 * SECOND, STEP + 600 * SECOND)
}

fn crash(fixture: &dyn StatsFixture) -> Result<(), String> {
    for seconds in [1, 9, 10, 11, 35, 60] {
        let mut bench = Bench::new(fixture, 68 + seconds);
        for second in 0..seconds {
            let delta = bench.random(STEP + second * SECOND);
            bench.write(delta)?;
        }
        let unsaved = bench.deltas.len() - bench.durable()? as usize;
        // A delta a second: ten seconds, and the one that was being saved.
        ensure!(unsaved <= 11, "{unsaved} seconds of figures were not saved");
        bench.restart(Restart::Crash)?;
        let from = bench.durable()? as usize;
        bench.replay()?;
        let (from_ns, to_ns) = (STEP - 600 * SECOND, STEP + 600 * SECOND);
        let (got, least) = (
            bench.rows(&window(from_ns, to_ns))?,
            bench.expected(from_ns, to_ns),
        );
        let again = bench.deltas.split_off(from);
        let saved = std::mem::replace(&mut bench.deltas, again);
        let twice = bench.expected(from_ns, to_ns);
        bench.deltas = saved;
        for (name, least) in &least {
            let most = least.count + twice.get(name).map_or(0, |figures| figures.count);
            let count = got.get(name).map_or(0, |figures| figures.count);
            ensure!(
                (least.count..=most).contains(&count),
                "{name:?} counts {count} spans, not {} to {most}",
                least.count
            );
        }
    }
    Ok(())
}

fn roll(fixture: &dyn StatsFixture) -> Result<(), String> {
    let mut bench = Bench::new(fixture, 70);
    let told = |service: &str, name: &str, first, last, lost: &[(u64, u64)]| {
        let mut instance = Instance {
            service: service.to_owned(),
            name: name.to_owned(),
            first_unix_ns: STEP + first,
            last_unix_ns: STEP + last,
            ..Instance::default()
        };
        for &(from, to) in lost {
            instance.lose(Loss {
                from_unix_ns: STEP + from,
                to_unix_ns: STEP + to,
                refused: false,
            });
        }
        instance
    };
    for instances in [
        vec![told("cart", "a", 5, 9, &[]), told("shop", "b", 1, 90, &[])],
        vec![
            told("cart", "a", 3, 7, &[(4, 5)]),
            told("cart", "", 2, 2, &[]),
        ],
    ] {
        bench.write(StatsDelta {
            instances,
            now_unix_ns: STEP,
            ..StatsDelta::default()
        })?;
    }
    let expected = RollCall {
        instances: vec![
            told("cart", "", 2, 2, &[]),
            told("cart", "a", 3, 9, &[(4, 5)]),
        ],
        latest_unix_ns: STEP + 90,
        incomplete: Vec::new(),
    };
    for when in ["before", "after"] {
        let got = worked("read_roll", bench.reader()?.read_roll("cart"))?;
        ensure!(got == expected, "{when} a stop: {got:?}");
        let nobody = worked("read_roll", bench.reader()?.read_roll("car"))?;
        ensure!(nobody.instances.is_empty(), "somebody answers for car");
        bench.restart(Restart::CleanStop)?;
    }
    Ok(())
}
