//! When a panic takes the process down, what has ended by then is sent first, within the time that a
//! shutdown may take. A panic that the process survives only wakes the flusher: nobody waits for it.

use std::sync::{Mutex, Once, PoisonError, TryLockError};

use crate::core::Core;
use crate::flush::THREAD_NAME;

static CORES: Mutex<Vec<&'static Core>> = Mutex::new(Vec::new());

/// Flushes this core on a panic from here on. The hook that was there before runs first.
pub(crate) fn watch(core: &'static Core) {
    static ONCE: Once = Once::new();
    CORES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(core);
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            before(panic);
            flush_all();
        }));
    });
}

fn flush_all() {
    let thread = std::thread::current();
    if thread.name() == Some(THREAD_NAME) {
        return; // a transport's panic: the flusher cannot wait for itself
    }
    let cores = match CORES.try_lock() {
        Ok(cores) => cores.clone(),
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
        Err(TryLockError::WouldBlock) => return,
    };
    let fatal = cfg!(panic = "abort") || thread.name() == Some("main");
    for core in cores {
        if fatal {
            core.flush(core.settings.shutdown_timeout);
        } else {
            core.ask();
        }
    }
}
