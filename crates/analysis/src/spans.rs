//! What every analysis over stored spans shares.

use tracewell_storage::{Class, Error, Scanned};

pub use tracewell_storage::SpanQuery;

/// A scan whose time was up is one of what was read so far.
pub(crate) fn as_far_as_read(read: Result<Scanned, Error>) -> Result<Scanned, Error> {
    match read {
        Err(error) if error.class == Class::DeadlineExceeded => Ok(Scanned {
            incomplete: vec![format!("not all spans were read: {}", error.message)],
            is_cut_short: true,
            ..Scanned::default()
        }),
        read => read,
    }
}
