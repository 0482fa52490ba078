//! The allocator, told how soon to give memory back.
//!
//! mimalloc keeps freed pages for a second: what a seal or a request leaves serves the next one, and
//! the kernel need not clear it again, which was a twentieth of a span's CPU. But a server that decodes,
//! seals and searches at full speed frees hundreds of megabytes in that time, and its resident memory
//! was twice `memory_bytes_max` (P8): where memory is tight, pages go at once.
//!
//! Huge pages are refused. mimalloc asks the kernel for them, and where its room comes and goes with heads
//! and seals, two megabytes are cleared for what needs a few kilobytes, in stretches that a virtual machine
//! has given back to its host: a tenth of a span's CPU, and a sixth of the resident memory (docs/performance.md).

// Spans are many small values in few large buffers; glibc's allocator gives memory back too eagerly
// for that, and every page that comes back is cleared by the kernel first.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h, versions 2 and 3; the crate names only the options before it.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Milliseconds: mimalloc's own, and where memory is tight.
const PURGE_DELAY_MS: std::ffi::c_long = 1_000;
const PURGE_DELAY_TIGHT_MS: std::ffi::c_long = 10;

/// Tells how long freed pages are kept from now on.
#[allow(unsafe_code)]
pub(crate) fn set_tight(is_tight: bool) {
    let ms = match is_tight {
        true => PURGE_DELAY_TIGHT_MS,
        false => PURGE_DELAY_MS,
    };
    // SAFETY: `mi_option_set` takes two numbers and stores the second in mimalloc's own table of
    // options; an option that does not exist is ignored. No memory of ours is touched. The option is
    // read anew at each purge, so that there is no moment at which it may not be set.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, ms) }
}

/// Tells the kernel, once, before there are threads.
pub(crate) fn refuse_huge_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!(%error, "huge pages stay allowed: memory and CPU may be higher");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn huge_pages_are_refused() {
        refuse_huge_pages();
        assert!(rustix::thread::transparent_huge_pages_are_disabled().unwrap());
    }

    #[test]
    #[allow(unsafe_code)]
    fn the_option_set_is_the_purge_delay() {
        // SAFETY: reads a number of mimalloc's table.
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // Its default tells that 15 is the delay in the version that is linked.
        assert_eq!(get(), PURGE_DELAY_MS);
        set_tight(true);
        assert_eq!(get(), PURGE_DELAY_TIGHT_MS);
        set_tight(false);
        assert_eq!(get(), PURGE_DELAY_MS);
    }
}
