//! The account of D9: what became of every accepted span.

/// What became of every span the log ever accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Spans acknowledged into the log.
    pub accepted: u64,
    /// Spans the store holds, readable.
    pub stored: u64,
    /// Spans left out because an equal one is stored.
    pub duplicate: u64,
    /// Spans dropped by the tail sampler.
    pub sampled_out: u64,
    /// Spans set aside: damaged records, poison.
    pub dead_lettered: u64,
    /// Spans in the log that the store has not taken in yet.
    pub in_flight: u64,
    /// Spans removed by retention.
    pub expired: u64,
    /// Spans removed by request.
    pub erased: u64,
}

impl Account {
    /// True when nothing is missing and nothing is made up.
    pub fn balances(&self) -> bool {
        self.accepted
            == self.stored
                + self.duplicate
                + self.sampled_out
                + self.dead_lettered
                + self.in_flight
                + self.expired
                + self.erased
    }
}
