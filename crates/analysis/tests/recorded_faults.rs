//! Hot spots against faults that were injected into a real system and recorded.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // tests

use std::path::PathBuf;
use std::sync::Arc;

use tracewell_analysis::hotspots;
use tracewell_analysis::sample::{Names, Sample};
use tracewell_model::clock::ManualClock;
use tracewell_storage::ReadContext;
use tracewell_storage::memory::MemoryStore;
use tracewell_wire::import;

fn load(file: &str) -> Option<MemoryStore> {
    let folder = "../../../shared/data/nezha-onlineboutique";
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let bytes = std::fs::read(folder.join(file)).ok()?;
    let store = MemoryStore::new();
    import::decode_file(&bytes, 1, &mut |builder, _| {
        for batch in builder.finish() {
            store.push(batch, 0);
        }
    })
    .unwrap();
    Some(store)
}

fn read(store: &MemoryStore, names: &mut Names) -> Sample {
    let context = ReadContext::new(Arc::new(ManualClock::at(0)), u64::MAX);
    Sample::read(store, (0, u64::MAX), names, &context).unwrap()
}

/// The normal minute is of another day.
#[test]
fn the_service_with_the_injected_fault_ranks_first() {
    let faults = [
        ("07_02_trace.csv", "recommendationservice"),
        ("05_19_trace.csv", "currencyservice"),
    ];
    for (file, injected) in faults {
        let (Some(normal), Some(faulty)) = (load("17_00_trace.csv"), load(file)) else {
            println!("skipped: ../shared/data is absent");
            return;
        };
        let mut names = Names::default();
        let (before, now) = (read(&normal, &mut names), read(&faulty, &mut names));
        let found = hotspots::find(&now, &before, &names);
        let first = names.service_of(found.first().unwrap().op);
        assert_eq!(names.service(first), injected, "{file}");
        assert!(found[0].share > 0.5 && found[0].sample.is_some(), "{file}");
        let victims = found[0].victims.iter().map(|&(op, _)| names.service_of(op));
        let frontend = |service| names.service(service) == "frontend";
        assert!(victims.into_iter().any(frontend), "{file}");
    }
}
