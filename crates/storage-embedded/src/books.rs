//! The account of D9 between the log and the engine, over restarts.
//!
//! What the engine has ever applied is exact: it is saved with the position it reaches to. What the
//! log has accepted is exact too, unless a power cut took its end. So at each start the two are
//! held against each other where the engine's position lies. A difference is explained by what the
//! log itself says it lost, or it stays, and the account does not balance.

use tracewell_storage::{Account, LogStatus};

use crate::engine::EngineStatus;

/// What the books said when log and engine were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Accepted, and lost by the log before the engine had them.
    lost: u64,
    /// Applied, but gone from the log before its count of them was safe.
    uncounted: u64,
}

/// Spans a worker holds, or will never apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InHand {
    /// Polled, not yet applied.
    pub pending: u64,
    /// Set aside.
    pub dead_lettered: u64,
}

impl Books {
    /// Compares them once the storage group has joined, before anything is applied.
    pub fn open(log: &LogStatus, engine: &EngineStatus, group: &str) -> Books {
        let accepted = log.accepted_spans.saturating_sub(log.lag_spans(group));
        let applied = engine.stored + engine.duplicate + engine.expired + engine.sampled_out;
        // Losses that the store had already are no losses: the log's figure is the most there is.
        let lost = accepted.saturating_sub(applied).min(log.damaged_spans);
        let is_cut = log.damaged_records > 0 || !log.problems.is_empty();
        let uncounted = applied.saturating_sub(accepted);
        Books {
            lost,
            uncounted: if is_cut { uncounted } else { 0 },
        }
    }

    /// The account now.
    pub fn account(
        &self,
        log: &LogStatus,
        engine: &EngineStatus,
        group: &str,
        in_hand: InHand,
    ) -> Account {
        let lost = self.lost + log.group(group).map_or(0, |group| group.lost_spans);
        Account {
            accepted: log.accepted_spans + self.uncounted,
            // What a missing or unreadable file held is not stored, whatever the manifest says.
            stored: engine.stored.saturating_sub(engine.lost),
            duplicate: engine.duplicate,
            sampled_out: engine.sampled_out,
            dead_lettered: lost + in_hand.dead_lettered + engine.lost,
            in_flight: log.lag_spans(group) + in_hand.pending,
            expired: engine.expired,
            ..Account::default()
        }
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
        let books = Books::open(log, &engine, "storage");
        books
            .account(log, &engine, "storage", InHand::default())
            .balances()
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
    fn only_a_log_that_lost_something_may_have_counted_too_little() {
        assert!(balances(&log(100, 40, 10), 70));
        assert!(!balances(&log(100, 40, 0), 61), "a span is there twice");
    }
}
