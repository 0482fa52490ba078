//! The allocator, told to give memory back soon.
//!
//! mimalloc keeps freed pages for a second (and an arena's for ten). A server that decodes, seals and
//! searches at full speed frees hundreds of megabytes in that time, and its resident memory was
//! twice `memory_bytes_max` (P8). The delay can only be set by the environment, before the first
//! allocation; so a server that finds it unset begins again with it set, as the same process.

use std::os::unix::process::CommandExt;

// Spans are many small values in few large buffers; glibc's allocator gives memory back too eagerly
// for that, and every page that comes back is cleared by the kernel first.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const DELAY: &str = "MIMALLOC_PURGE_DELAY";
/// Milliseconds: long enough for one request's buffers to serve the next.
const DELAY_MS: &str = "10";

/// To be called first in a process that serves. An operator's own value is left alone; where the
/// process cannot begin again, it goes on as it is.
pub(crate) fn give_back_soon() {
    if std::env::var_os(DELAY).is_some() {
        return;
    }
    let mut arguments = std::env::args_os();
    let Some((name, program)) = arguments.next().zip(std::env::current_exe().ok()) else {
        return;
    };
    let mut again = std::process::Command::new(program);
    again.arg0(name).args(arguments).env(DELAY, DELAY_MS);
    let _goes_on_as_it_is: std::io::Error = again.exec();
}
