//! Knows, for the price of one relaxed load, that this process is a forked child. Asking for the pid
//! instead would be a system call for every span (105 ns measured, most of a span's whole cost).
#![cfg_attr(unix, allow(unsafe_code))] // one foreign function, see below

use std::sync::atomic::{AtomicU64, Ordering};

/// How many forks lie between the process that first used the SDK and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Changes in a forked child; equal in every thread of one process.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has the C library count forks from here on. A child made by a bare `clone` system call is not seen.
pub(crate) fn watch() {
    #[cfg(unix)]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: the signature is POSIX's; both other handlers may be null; `count` lives as long
            // as the process and does one atomic addition, which is async-signal-safe. A failure
            // (ENOMEM) leaves forks unseen, no worse.
            let _enomem = unsafe { pthread_atfork(None, None, Some(count)) };
        });
    }
}

#[cfg(unix)]
extern "C" fn count() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[cfg(unix)]
type Handler = Option<extern "C" fn()>;

#[cfg(unix)]
unsafe extern "C" {
    fn pthread_atfork(prepare: Handler, parent: Handler, child: Handler) -> i32;
}
