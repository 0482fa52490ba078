//! Hot spots against faults of all kinds, planted in systems of all shapes.
#![allow(clippy::unwrap_used, unreachable_pub)] // tests

mod planted;

use std::sync::Arc;

use fastrand::Rng;
use planted::{Fault, System};
use tracewell_analysis::hotspots::{self, Change, Kind};
use tracewell_analysis::sample::{Names, Sample};
use tracewell_model::clock::ManualClock;
use tracewell_storage::ReadContext;
use tracewell_storage::memory::MemoryStore;

fn read(store: &MemoryStore, names: &mut Names) -> Sample {
    let context = ReadContext::new(Arc::new(ManualClock::at(0)), u64::MAX);
    Sample::read(store, (0, u64::MAX), names, &context).unwrap()
}

/// The services of all hot spots, the worst first, with what they are charged.
fn ranked(before: &MemoryStore, now: &MemoryStore) -> Vec<(String, String)> {
    let mut names = Names::default();
    let (before, now) = (read(before, &mut names), read(now, &mut names));
    let found = hotspots::find(&now, &before, &names);
    let row = |spot: &hotspots::Hotspot| {
        let service = names.service(names.service_of(spot.op)).to_owned();
        let what = format!(
            "{:?} {} {:.0} ms",
            spot.kind,
            names.operation_name(spot.op),
            spot.charged_ms
        );
        (service, what)
    };
    found.iter().map(row).collect()
}

/// Of so many cases at least, one can tell.
const CASES_MIN: f64 = 8.0;

/// A service to plant the fault in, if one of the system shows it.
fn place(system: &System, fault: Fault, requests: usize, random: &mut Rng) -> Option<usize> {
    let rounds = requests as f64 / system.routes() as f64;
    let shows = |&(_, shows): &(usize, u64)| shows as f64 * rounds * fault.part() >= CASES_MIN;
    let services = system.shows(fault).into_iter().filter(shows);
    let services: Vec<usize> = services.map(|(service, _)| service).collect();
    random.choice(services)
}

/// Systems of each kind.
const SYSTEMS: u64 = 3;

/// Systems in which another service ranks first.
fn wrong(fault: Fault, kinds: bool, (requests_before, requests): (usize, usize)) -> Vec<String> {
    let mut wrong = Vec::new();
    for seed in 0..SYSTEMS {
        let mut random = Rng::with_seed(seed);
        let system = System::of(&mut random, kinds);
        let Some(service) = place(&system, fault, requests, &mut random) else {
            continue;
        };
        let before = system.traffic(&mut random, requests_before, &[]);
        let now = system.traffic(&mut random, requests, &[(fault, service)]);
        let found = ranked(&before, &now);
        let expected = planted::name(service);
        if found.first().is_none_or(|(first, _)| *first != expected) {
            let shown: Vec<_> = found.iter().take(4).collect();
            wrong.push(format!("seed {seed}, in {expected}: {shown:?}"));
        }
    }
    wrong
}

#[test]
fn the_service_with_the_planted_fault_ranks_first() {
    for requests in [(400, 200), (100, 25)] {
        for kinds in [true, false] {
            for fault in Fault::ALL {
                let wrong = wrong(fault, kinds, requests);
                let what = format!("{fault:?}, kinds {kinds}, {requests:?}");
                assert!(wrong.is_empty(), "{what}:\n{}", wrong.join("\n"));
            }
        }
    }
}

/// The same system twice: nothing is slower, whatever chance made of it.
#[test]
fn chance_is_not_charged() {
    for seed in 0..SYSTEMS {
        let mut random = Rng::with_seed(seed);
        let system = System::of(&mut random, true);
        let before = system.traffic(&mut random, 400, &[]);
        let now = system.traffic(&mut random, 200, &[]);
        let mut names = Names::default();
        let (before, now) = (read(&before, &mut names), read(&now, &mut names));
        let charged: f64 = hotspots::find(&now, &before, &names)
            .iter()
            .filter(|spot| spot.kind == Kind::Latency)
            .map(|spot| spot.charged_ms)
            .sum();
        let taken: f64 = now
            .traces()
            .map(|trace| trace[0].duration_ns as f64 / 1e6)
            .sum();
        assert!(
            charged < taken * 0.1,
            "seed {seed}: {charged} of {taken} ms"
        );
    }
}

/// What was found between two stretches of traffic of a system: service, operation and change.
fn changes(
    system: &System,
    random: &mut Rng,
    [before, now]: [&[(Fault, usize)]; 2],
) -> Vec<(String, Kind, Change)> {
    let before = system.traffic(random, 400, before);
    let now = system.traffic(random, 200, now);
    let mut names = Names::default();
    let (before, now) = (read(&before, &mut names), read(&now, &mut names));
    let found = hotspots::find(&now, &before, &names);
    let row = |spot: &hotspots::Hotspot| {
        let service = names.service(names.service_of(spot.op)).to_owned();
        (service, spot.kind, spot.change)
    };
    found.iter().map(row).collect()
}

/// Errors as many as ever, and something that is new: both are told, the new one first.
#[test]
fn what_fails_as_ever_stands_beneath_what_changed() {
    for seed in 0..SYSTEMS {
        let mut random = Rng::with_seed(seed);
        let system = System::of(&mut random, true);
        let failing = place(&system, Fault::Error, 200, &mut random).unwrap();
        let steady = (planted::name(failing), Kind::Error, Change::Steady);
        let fault = (Fault::Error, failing);
        let found = changes(&system, &mut random, [&[fault], &[fault]]);
        assert!(found.contains(&steady), "seed {seed}: {found:?}");
        assert_eq!(
            found[found.len() - 1].2,
            Change::Steady,
            "seed {seed}: {found:?}"
        );

        let mut others = system.shows(Fault::Cpu).into_keys();
        let slow = others.find(|other| *other != failing).unwrap();
        let found = changes(
            &system,
            &mut random,
            [&[fault], &[fault, (Fault::Cpu, slow)]],
        );
        let first = (planted::name(slow), Kind::Latency, Change::Worse);
        assert_eq!(found.first(), Some(&first), "seed {seed}: {found:?}");
        assert!(found.contains(&steady), "seed {seed}: {found:?}");
        let changed = found
            .iter()
            .take_while(|(.., change)| *change != Change::Steady);
        let after = found.iter().skip(changed.count());
        assert!(
            after.clone().all(|(.., change)| *change == Change::Steady),
            "{found:?}"
        );

        let found = changes(&system, &mut random, [&[], &[fault]]);
        let (.., change) = found
            .iter()
            .find(|(name, kind, _)| (name, *kind) == (&steady.0, Kind::Error))
            .unwrap();
        assert_ne!(*change, Change::Steady, "seed {seed}: {found:?}");
    }
}

/// A service that is new and takes hardly any time is no trouble, whatever else is the matter.
#[test]
fn a_newcomer_is_no_hot_spot() {
    for seed in 0..SYSTEMS {
        let mut random = Rng::with_seed(seed);
        let system = System::of(&mut random, true);
        let newcomer = planted::name(system.services);
        let shows = system.shows(Fault::Newcomer);
        let asks: Vec<_> = shows
            .keys()
            .map(|&service| (Fault::Newcomer, service))
            .collect();
        let slow = place(&system, Fault::Delay, 200, &mut random).unwrap();
        let with_trouble = [&asks[..], &[(Fault::Delay, slow)]].concat();
        for now in [&asks, &with_trouble] {
            let found = changes(&system, &mut random, [&[], now]);
            let listed = found.iter().find(|(service, ..)| *service == newcomer);
            assert_eq!(listed, None, "seed {seed}: {found:?}");
        }
    }
}
