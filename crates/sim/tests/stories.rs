//! A few hundred stories on every run; `cargo run --release -p tracewell-sim` lives through more.

use tracewell_sim::{Weather, live};

const KILLS_ONLY: Weather = Weather {
    power_cuts: false,
    faults: false,
    lying_disk: false,
};

#[test]
fn no_promise_is_broken_by_kills() {
    for seed in 1..=60 {
        if let Err(broken) = live(seed, 300, KILLS_ONLY) {
            panic!("seed {seed}: {broken}");
        }
    }
}

#[test]
fn no_promise_is_broken_by_any_storm() {
    let mut merges = 0;
    for seed in 1..=150 {
        match live(seed, 300, Weather::STORM) {
            Ok(story) => merges += story.merges,
            Err(broken) => panic!("seed {seed}: {broken}"),
        }
    }
    assert!(merges > 50, "only {merges} merges came to their end");
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [3, 17, 88] {
        let [once, twice] = [(); 2].map(|()| live(seed, 300, Weather::STORM));
        assert_eq!(once, twice);
        assert!(
            once.is_ok_and(|story| story.disk_calls.1 > 0),
            "seed {seed} had no fault"
        );
    }
}

#[test]
fn a_disk_that_lies_about_syncs_is_noticed() {
    let weather = Weather {
        faults: false,
        lying_disk: true,
        ..Weather::STORM
    };
    let noticed = (1..=30).filter(|&seed| live(seed, 300, weather).is_err());
    assert!(
        noticed.count() > 0,
        "no story noticed that nothing is synced"
    );
}
