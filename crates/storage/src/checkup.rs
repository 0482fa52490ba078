//! What an external engine turned out to be like, for `tracewell doctor`.

/// Something that is not as the roles need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, what was seen, and what is wrong with it.
    pub problem: String,
    /// What sets it right: a command, if there is one.
    pub fix: String,
}

/// An engine that answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// What was seen, in one line.
    pub seen: String,
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// Notes a finding, unless all is well.
    pub fn expect(&mut self, holds: bool, problem: impl Into<String>, fix: impl Into<String>) {
        if !holds {
            self.findings.push(Finding {
                problem: problem.into(),
                fix: fix.into(),
            });
        }
    }
}
