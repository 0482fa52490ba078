//! What leaves by age or for want of room: whole segments, by the arrival of their last span; and,
//! earlier, their search indexes. Pure, as the policy is; `expire` does it.
//!
//! **Age is measured by a clock that does not jump.** A wall clock that is set ten days ahead by
//! mistake would otherwise delete ten days of spans in a second. [`Believed`] goes with the
//! monotonic clock, is saved with the manifest, and never exceeds the wall clock; when the wall
//! clock is ahead of it, because it was set or because the process did not run for a while, nobody
//! can tell which, it is believed only after a seventh of the shortest retention (a day) of running:
//! time for an operator to see the problem that the status names. The other way round, a clock that
//! was set back, only makes everything younger.

use crate::segment::meta::SegmentMeta;

/// How long things are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Spans, by arrival.
    pub spans_ns: u64,
    /// Search indexes; without one a trace is found by its id only.
    pub search_ns: u64,
    /// Bytes of segments; beyond them the oldest go. 0 is no cap.
    pub disk_bytes_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY_NS: u64 = 86_400 * 1_000_000_000;
        Retention {
            spans_ns: 30 * DAY_NS,
            search_ns: 7 * DAY_NS,
            disk_bytes_max: 0,
        }
    }
}

impl Retention {
    /// How long a wall clock that is ahead is doubted.
    fn doubt_ns(&self) -> u64 {
        self.spans_ns.min(self.search_ns) / 7
    }

    /// What is no jump: clocks are slewed, and a restart takes a while.
    fn tolerance_ns(&self) -> u64 {
        self.doubt_ns() / 48
    }

    /// How old the saved time may be, so that a kill costs less than the tolerance.
    fn save_every_ns(&self) -> u64 {
        self.tolerance_ns() / 3
    }
}

/// The time by which things age, as it is saved. See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Believed {
    pub(crate) unix_ns: u64,
    pub(crate) doubt: Option<Doubt>,
}

/// The wall clock is ahead of the time that is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    /// Since when, by the time that is believed.
    pub(crate) since_unix_ns: u64,
    /// By how much at least, all that while.
    pub(crate) ahead_ns: u64,
}

impl Doubt {
    fn age_ns(&self, now: u64) -> u64 {
        now.saturating_sub(self.since_unix_ns)
    }
}

/// The same while the process runs.
#[derive(Debug)]
pub(super) struct RetentionClock {
    believed: Believed,
    saved: Option<Believed>,
    monotonic_ns: u64,
}

impl RetentionClock {
    /// Goes on from what was saved; with nothing saved, nothing is old and the wall clock is right.
    pub(super) fn new(saved: Option<Believed>, unix_ns: u64, monotonic_ns: u64) -> Self {
        let believed = saved.unwrap_or(Believed {
            unix_ns,
            doubt: None,
        });
        RetentionClock {
            believed,
            saved,
            monotonic_ns,
        }
    }

    /// Moves on to this moment.
    pub(super) fn advance(&mut self, unix_ns: u64, monotonic_ns: u64, retention: &Retention) {
        let elapsed = monotonic_ns.saturating_sub(self.monotonic_ns);
        self.monotonic_ns = monotonic_ns;
        let mut now = self.believed.unix_ns.saturating_add(elapsed);
        let mut doubt = self.believed.doubt.take();
        if let Some(ended) = doubt.filter(|doubt| doubt.age_ns(now) >= retention.doubt_ns()) {
            now = now.saturating_add(ended.ahead_ns);
            doubt = None;
        }
        let ahead_ns = unix_ns.saturating_sub(now);
        if ahead_ns <= retention.tolerance_ns() {
            (now, doubt) = (unix_ns, None);
        } else {
            let begun = doubt.unwrap_or(Doubt {
                since_unix_ns: now,
                ahead_ns,
            });
            doubt = Some(Doubt {
                ahead_ns: begun.ahead_ns.min(ahead_ns),
                ..begun
            });
        }
        self.believed = Believed {
            unix_ns: now,
            doubt,
        };
    }

    pub(super) fn believed(&self) -> Believed {
        self.believed
    }

    /// True when what is saved is too old to go on from.
    pub(super) fn is_to_be_saved(&self, retention: &Retention) -> bool {
        let Some(saved) = self.saved else { return true };
        let now = self.believed;
        let ahead_ns = |doubt: Option<Doubt>| doubt.map_or(0, |doubt| doubt.ahead_ns);
        saved.unix_ns.abs_diff(now.unix_ns) >= retention.save_every_ns().max(1)
            || saved.doubt.is_some() != now.doubt.is_some()
            || ahead_ns(saved.doubt).abs_diff(ahead_ns(now.doubt)) > retention.tolerance_ns()
    }

    pub(super) fn note_saved(&mut self, saved: Believed) {
        self.saved = Some(saved);
    }

    /// For the operator, while the wall clock is doubted.
    pub(super) fn problem(&self, unix_ns: u64, retention: &Retention) -> Option<String> {
        let now = self.believed.unix_ns;
        let doubt = self.believed.doubt?;
        let ahead_s = unix_ns.saturating_sub(now) / 1_000_000_000;
        let left = retention.doubt_ns().saturating_sub(doubt.age_ns(now));
        Some(format!(
            "the clock is {ahead_s} s ahead of what passed while this process ran: retention counts \
             that time only in {} s",
            left / 1_000_000_000
        ))
    }
}

/// What goes now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    /// Whole segments.
    pub(super) segments: Vec<u64>,
    /// Segments whose index alone goes.
    pub(super) indexes: Vec<u64>,
}

impl Leaving {
    pub(super) fn is_nothing(&self) -> bool {
        self.segments.is_empty() && self.indexes.is_empty()
    }
}

/// What is too old at this time, and the oldest beyond the cap.
pub(super) fn leaving(metas: &[&SegmentMeta], now_unix_ns: u64, retention: &Retention) -> Leaving {
    let is_over = |meta: &SegmentMeta, kept_ns: u64| {
        meta.arrived_max_unix_ns.saturating_add(kept_ns) <= now_unix_ns
    };
    let mut leaving = Leaving::default();
    let mut kept: Vec<&SegmentMeta> = Vec::new();
    for &meta in metas {
        if is_over(meta, retention.spans_ns) {
            leaving.segments.push(meta.id);
        } else {
            kept.push(meta);
        }
    }
    kept.sort_unstable_by_key(|meta| (meta.arrived_max_unix_ns, meta.id));
    let bytes = |meta: &SegmentMeta| meta.data_bytes + meta.index_bytes;
    let mut held: u64 = kept.iter().map(|meta| bytes(meta)).sum();
    for meta in kept {
        if retention.disk_bytes_max > 0 && held > retention.disk_bytes_max {
            held -= bytes(meta);
            leaving.segments.push(meta.id);
        } else if meta.has_index() && is_over(meta, retention.search_ns) {
            leaving.indexes.push(meta.id);
        }
    }
    leaving
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const HOUR: u64 = 3_600 * SECOND;
    const DAY: u64 = 24 * HOUR;
    const START: u64 = 20_000 * DAY;

    /// A process that looks every ten minutes.
    struct Machine {
        clock: RetentionClock,
        monotonic: u64,
        /// The wall clock is this far from START + monotonic.
        off: i64,
    }

    impl Machine {
        fn new() -> Machine {
            Machine {
                clock: RetentionClock::new(None, START, 0),
                monotonic: 0,
                off: 0,
            }
        }

        fn wall(&self) -> u64 {
            (START + self.monotonic).saturating_add_signed(self.off)
        }

        fn run(&mut self, for_ns: u64) {
            for _ in 0..for_ns / (10 * 60 * SECOND) {
                self.monotonic += 10 * 60 * SECOND;
                let wall = self.wall();
                self.clock
                    .advance(wall, self.monotonic, &Retention::default());
                assert!(self.clock.believed().unix_ns <= wall);
            }
        }

        /// Stops for so long, after a last save at most ten minutes ago.
        fn restart(&mut self, off_for_ns: u64) {
            self.off = self.off.saturating_add_unsigned(off_for_ns);
            let saved = self.clock.saved;
            self.clock = RetentionClock::new(saved, self.wall(), self.monotonic);
        }

        fn save(&mut self) {
            let believed = self.clock.believed();
            self.clock.note_saved(believed);
        }

        fn behind(&self) -> u64 {
            self.wall() - self.clock.believed().unix_ns
        }
    }

    #[test]
    fn a_steady_clock_is_believed() {
        let mut machine = Machine::new();
        machine.run(40 * DAY);
        assert_eq!(machine.behind(), 0);
    }

    #[test]
    fn a_jump_ahead_ages_nothing_for_a_day_and_a_jump_back_is_followed_at_once() {
        let mut machine = Machine::new();
        machine.run(DAY);
        machine.off = 10 * DAY as i64;
        machine.run(23 * HOUR);
        assert_eq!(machine.behind(), 10 * DAY);
        let said = machine.clock.problem(machine.wall(), &Retention::default());
        assert!(said.is_some_and(|said| said.contains("864000 s ahead")));
        machine.off = 0;
        machine.run(HOUR);
        assert_eq!(machine.behind(), 0);
        assert_eq!(
            machine.clock.problem(machine.wall(), &Retention::default()),
            None
        );
        machine.off = -10 * DAY as i64;
        machine.run(HOUR);
        assert_eq!(machine.behind(), 0);
        // And right again: as a jump ahead.
        machine.off = 0;
        machine.run(HOUR);
        assert_eq!(machine.behind(), 10 * DAY);
        machine.run(DAY);
        assert_eq!(machine.behind(), 0);
    }

    #[test]
    fn a_machine_that_is_off_at_night_ages_all_the_same() {
        let mut machine = Machine::new();
        for _ in 0..40 {
            machine.run(9 * HOUR);
            machine.save();
            machine.restart(15 * HOUR);
            machine.run(HOUR);
        }
        assert!(machine.behind() <= 4 * DAY, "{} h", machine.behind() / HOUR);
    }

    #[test]
    fn a_quick_restart_is_no_jump() {
        let mut machine = Machine::new();
        machine.run(DAY);
        machine.save();
        machine.run(10 * 60 * SECOND);
        machine.restart(5 * 60 * SECOND);
        machine.run(HOUR);
        assert_eq!(machine.behind(), 0);
    }

    fn meta(id: u64, arrived: u64, bytes: u64) -> SegmentMeta {
        SegmentMeta {
            id,
            arrived_max_unix_ns: arrived,
            data_bytes: bytes,
            index_bytes: 1,
            ..SegmentMeta::default()
        }
    }

    #[test]
    fn indexes_go_before_data_and_the_oldest_go_beyond_the_cap() {
        let metas: Vec<_> = (0..40)
            .map(|day| meta(day, START + day * DAY, 99))
            .collect();
        let metas: Vec<_> = metas.iter().collect();
        let now = START + 40 * DAY;
        let gone = leaving(&metas, now, &Retention::default());
        assert_eq!(gone.segments, (0..=10).collect::<Vec<_>>());
        assert_eq!(gone.indexes, (11..=33).collect::<Vec<_>>());
        let capped = Retention {
            disk_bytes_max: 1_000,
            ..Retention::default()
        };
        let gone = leaving(&metas, now, &capped);
        assert_eq!(gone.segments, (0..30).collect::<Vec<_>>());
        assert_eq!(gone.indexes, [30, 31, 32, 33]);
    }

    proptest! {
        /// However the clock jumps about, nothing ages faster than it may: time on the believed
        /// clock passes as on the monotonic one, but for jumps that stood for a day.
        #[test]
        fn jumps_of_less_than_a_day_age_nothing(jumps in proptest::collection::vec((-20i64..20, 1u64..20), 0..30)) {
            let mut machine = Machine::new();
            for (days, hours) in jumps {
                // Away and back: the wall clock is wrong for some hours only.
                machine.off = days * DAY as i64;
                machine.run(hours * HOUR);
                machine.off = 0;
                machine.run(2 * HOUR);
                let passed = START + machine.monotonic;
                prop_assert!(machine.clock.believed().unix_ns <= passed);
            }
            machine.run(2 * DAY);
            prop_assert_eq!(machine.behind(), 0);
        }
    }
}
