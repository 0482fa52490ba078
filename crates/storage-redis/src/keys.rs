//! Names of keys.

use tracewell_model::TraceId;

/// Names of keys under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Keys {
        let prefix = prefix.to_owned();
        Keys { prefix }
    }

    /// One operation's figures, for people (Q5).
    pub(crate) fn operation(&self, service: &str, operation: &str) -> String {
        let (service, operation) = (escaped(service), escaped(operation));
        format!("{}service:{service}:{operation}", self.prefix)
    }

    /// What each writer counted in a slot of time.
    pub(crate) fn slot(&self, rung: usize, number: u64) -> String {
        format!("{}tracewell:slot:{rung}:{number}", self.prefix)
    }

    /// How far the partitions of a log are counted.
    pub(crate) fn positions(&self, log: &str) -> String {
        format!("{}tracewell:positions:{log}", self.prefix)
    }

    /// Spans that made no edge, by reason.
    pub(crate) fn unjoined(&self) -> String {
        format!("{}tracewell:unjoined", self.prefix)
    }

    /// What each writer heard of a service's instances.
    pub(crate) fn roll(&self, service: &str) -> String {
        format!("{}tracewell:roll:{}", self.prefix, escaped(service))
    }

    /// The latest end of a span that each writer saw.
    pub(crate) fn heard(&self) -> String {
        format!("{}tracewell:heard", self.prefix)
    }

    /// Held by the writer whose turn it is to publish.
    pub(crate) fn turn(&self) -> String {
        format!("{}tracewell:turn", self.prefix)
    }

    /// What was published last, and when.
    pub(crate) fn head(&self) -> String {
        format!("{}tracewell:packed", self.prefix)
    }

    /// The services that have a packed key.
    pub(crate) fn services(&self) -> String {
        format!("{}tracewell:packed:services", self.prefix)
    }

    /// A service's figures by step.
    pub(crate) fn service(&self, service: &str) -> String {
        format!("{}tracewell:packed:service:{service}", self.prefix)
    }

    /// A service's operations by step.
    pub(crate) fn operations(&self, service: &str) -> String {
        format!("{}tracewell:packed:operations:{service}", self.prefix)
    }

    /// The service graph by step.
    pub(crate) fn graph(&self) -> String {
        format!("{}tracewell:packed:graph", self.prefix)
    }

    /// There while a trace is known to have failed.
    pub(crate) fn error(&self, id: TraceId) -> String {
        format!("{}error:{id}", self.prefix)
    }
}

/// The name without `:`; different names stay different.
fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_have_the_keys_that_were_asked_for() {
        let keys = Keys::new("");
        assert_eq!(
            keys.operation("payment-service", "checkout"),
            "service:payment-service:checkout"
        );
        assert_eq!(keys.operation("a:b", "c%3A"), "service:a%3Ab:c%253A");
        assert_ne!(keys.operation("a:b", "c"), keys.operation("a", "b:c"));
    }
}
