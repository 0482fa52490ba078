//! The account of D9 between the log and the engine, over restarts.
//!
//! What the engine has ever applied is exact: it is saved with the position it reaches to. What the
//! log has accepted is exact too; where a power cut took its end, it goes on with the engine's count.
//! So the two can be held against each other where the group stands. What the log has passed and the
//! engine never got is lost if the log says so, or it stays, and the account does not balance.

use tracewell_storage::{Account, LogStatus};

use crate::engine::EngineStatus;

/// Spans a worker holds, or will never apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InHand {
    /// Polled, not yet applied.
    pub pending: u64,
    /// Set aside.
    pub dead_lettered: u64,
}

/// The account now.
pub fn account(log: &LogStatus, engine: &EngineStatus, group: &str, in_hand: InHand) -> Account {
    let in_flight = log.lag_spans(group) + in_hand.pending;
    let done = log.accepted_spans.saturating_sub(in_flight);
    let missing = done.saturating_sub(engine.applied_spans() + in_hand.dead_lettered);
    // Of what the log lost the store may have had a part before: its figure is the most there is.
    let lost = missing.min(log.damaged_spans);
    Account {
        accepted: log.accepted_spans,
        // What a missing or unreadable file held is not stored, whatever the manifest says.
        stored: engine.stored.saturating_sub(engine.lost),
        duplicate: engine.duplicate,
        sampled_out: engine.sampled_out,
        dead_lettered: lost + in_hand.dead_lettered + engine.lost,
        in_flight,
        expired: engine.expired,
        ..Account::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracewell_storage::GroupStatus;

    fn log(accepted: u64, lag: u64, damaged: u64) -> LogStatus {
        LogStatus {
            accepted_spans: accepted,
            damaged_spans: damaged,
            damaged_records: u64::from(damaged > 0),
            groups: vec![GroupStatus {
                group: "storage".to_owned(),
                lag_spans: lag,
                ..GroupStatus::default()
            }],
            ..LogStatus::default()
        }
    }

    fn balances(log: &LogStatus, stored: u64) -> bool {
        let engine = EngineStatus {
            stored,
            ..EngineStatus::default()
        };
        account(log, &engine, "storage", InHand::default()).balances()
    }

    #[test]
    fn only_what_the_log_says_it_lost_may_be_missing() {
        assert!(balances(&log(100, 40, 0), 60));
        assert!(balances(&log(100, 40, 10), 50), "ten were damaged");
        assert!(
            balances(&log(100, 40, 10), 60),
            "ten were damaged that the store had"
        );
        assert!(!balances(&log(100, 40, 10), 49));
        assert!(!balances(&log(100, 40, 0), 59));
    }

    #[test]
    fn nothing_may_be_there_twice() {
        assert!(!balances(&log(100, 40, 0), 61));
        assert!(!balances(&log(100, 40, 10), 61));
    }
}
