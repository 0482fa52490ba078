//! Named points at which a test kills the process: `TRACEWELL_FAILPOINT=name[:nth]` aborts at the
//! n-th passage (F-02). Outside tests and the `failpoints` feature a point is an empty function.

/// Passes the point of this name.
#[cfg(not(any(test, feature = "failpoints")))]
#[inline(always)]
pub(crate) fn hit(_name: &'static str) {}

/// Passes the point of this name; the process ends here if the environment asked for it.
#[cfg(any(test, feature = "failpoints"))]
pub(crate) fn hit(name: &'static str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    static ASKED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PASSED: AtomicU64 = AtomicU64::new(0);
    let asked = ASKED.get_or_init(|| parse(&std::env::var("TRACEWELL_FAILPOINT").ok()?));
    let Some((point, nth)) = asked else { return };
    if point == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        // SIGABRT runs no destructor and flushes nothing of ours, as kill -9 would.
        std::process::abort();
    }
}

#[cfg(any(test, feature = "failpoints"))]
fn parse(text: &str) -> Option<(String, u64)> {
    match text.split_once(':') {
        Some((name, nth)) => Some((name.to_owned(), nth.parse().ok()?)),
        None => Some((text.to_owned(), 1)),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_point_has_a_name_and_a_count() {
        assert_eq!(super::parse("a"), Some(("a".to_owned(), 1)));
        assert_eq!(super::parse("a:3"), Some(("a".to_owned(), 3)));
        assert_eq!(super::parse("a:x"), None);
    }
}
