//! The process's memory, held under `memory_bytes_max` (D15, P8).
//!
//! Each kind of buffer has its share. But no sum of shares knows what a seal needs at its height,
//! what questions hold, or what the allocator keeps; so what is resident is looked at itself, up
//! to a hundred times a second. When it is tight, heads are sealed at a part of their size, and the
//! cache and the allocator let go; when it is full, nothing more is taken in (429) until there is room again.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tracewell_collector::{Collector, Hold};
use tracewell_storage_embedded::engine::Engine;
use tracewell_workers::Stop;

use crate::allocator;

/// In so little time some ten megabytes come in at most.
const LOOK_EVERY_MS: u64 = 10;
/// With so much room for each of them, that time may be longer: up to `LOOK_EVERY_MS_MAX`.
const ROOM_PER_MS: u64 = 2 << 20;
const LOOK_EVERY_MS_MAX: u64 = 100;
/// Percent of `memory_bytes_max` at which memory is tight, and full. The default stays below both
/// at full rate; between full and the promised tenth above the maximum lies what is on its way.
const TIGHT: u64 = 80;
const FULL: u64 = 90;
/// So many percent lower it is so no longer, lest it change a hundred times a second.
const SLACK: u64 = 8;

/// Shares of `memory_bytes_max` in bytes, in parts of 768: a head, the tail of the log, the cache,
/// trace-id filters, bodies in flight.
pub(crate) struct Shares {
    pub(crate) head: usize,
    pub(crate) tail: usize,
    pub(crate) cache: usize,
    pub(crate) filters: usize,
    pub(crate) bodies: usize,
}

impl Shares {
    pub(crate) fn of(memory_bytes_max: usize) -> Shares {
        let part = |of_768: usize| memory_bytes_max / 768 * of_768;
        // A head lives on beside its successor while it is sealed and while readers hold it, and
        // sealing makes copies: a quarter of the 384 for each.
        Shares {
            head: part(96),
            tail: part(64),
            cache: part(64),
            filters: part(48),
            bodies: part(128),
        }
    }
}

/// How much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pressure {
    None,
    Tight,
    Full,
}

impl Pressure {
    fn of(resident_bytes: u64, bytes_max: u64, before: Pressure) -> Pressure {
        let reaches = |level: Pressure, percent: u64| {
            let slack = if before >= level { SLACK } else { 0 };
            resident_bytes >= bytes_max / 100 * (percent - slack)
        };
        if reaches(Pressure::Full, FULL) {
            Pressure::Full
        } else if reaches(Pressure::Tight, TIGHT) {
            Pressure::Tight
        } else {
            Pressure::None
        }
    }
}

/// How long it takes at least until memory can be tight.
fn time_to_look(resident_bytes: u64, bytes_max: u64) -> Duration {
    let room = (bytes_max / 100 * TIGHT).saturating_sub(resident_bytes);
    Duration::from_millis((room / ROOM_PER_MS).clamp(LOOK_EVERY_MS, LOOK_EVERY_MS_MAX))
}

/// Who is told.
pub(crate) struct Watch {
    pub(crate) bytes_max: usize,
    pub(crate) engine: Arc<Engine>,
    pub(crate) collector: Collector,
}

impl Watch {
    fn tell(&self, pressure: Pressure) {
        // Again and again while it is so: the cache fills meanwhile.
        self.engine.set_tight(pressure >= Pressure::Tight);
        allocator::set_tight(pressure >= Pressure::Tight);
        self.collector
            .hold(Hold::Memory, pressure == Pressure::Full);
    }
}

/// Watches until told to stop. Where the system does not say what is resident, shares must do.
pub(crate) fn spawn(watch: Watch, stop: Stop) -> anyhow::Result<JoinHandle<()>> {
    let run = move || {
        let mut before = Pressure::None;
        let mut look_after = Duration::ZERO;
        while !stop.wait(look_after) {
            let Some(resident_bytes) = resident_bytes() else {
                return;
            };
            let pressure = Pressure::of(resident_bytes, watch.bytes_max as u64, before);
            if pressure == Pressure::Full && before != Pressure::Full {
                tracing::warn!(resident_bytes, "memory is full: ingest is held off");
            }
            if pressure != Pressure::None || before != Pressure::None {
                watch.tell(pressure);
            }
            before = pressure;
            look_after = time_to_look(resident_bytes, watch.bytes_max as u64);
        }
    };
    let thread = std::thread::Builder::new().name("memory".to_owned());
    thread.spawn(run).context("start the watch over memory")
}

/// What the process has in memory, as the kernel counts it: second in `statm`, in pages.
pub(crate) fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_shrink_first_and_then_the_door_closes() {
        let level = |bytes| Pressure::of(bytes, 1_000, Pressure::None);
        assert_eq!(level(799), Pressure::None);
        assert_eq!(level(800), Pressure::Tight);
        assert_eq!(level(899), Pressure::Tight);
        assert_eq!(level(900), Pressure::Full);
        assert_eq!(level(5_000), Pressure::Full);
    }

    #[test]
    fn what_is_full_stays_so_until_there_is_some_room() {
        assert_eq!(Pressure::of(830, 1_000, Pressure::Full), Pressure::Full);
        assert_eq!(Pressure::of(819, 1_000, Pressure::Full), Pressure::Tight);
        assert_eq!(Pressure::of(750, 1_000, Pressure::Tight), Pressure::Tight);
        assert_eq!(Pressure::of(719, 1_000, Pressure::Full), Pressure::None);
    }

    #[test]
    fn the_less_room_the_sooner_the_next_look() {
        let ms = |mib: u64| time_to_look(mib << 20, 1_000 << 20).as_millis();
        assert_eq!((ms(0), ms(700), ms(790), ms(950)), (100, 50, 10, 10));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_kernel_says_what_is_resident() {
        let before = resident_bytes().unwrap();
        let more = vec![1u8; 64 << 20];
        assert!(resident_bytes().unwrap() >= before + (48 << 20));
        drop(more);
    }
}
