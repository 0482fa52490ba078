//! `GET /api/status`.

use crate::errors::Failure;
use crate::status::StatusSource;

/// The report as JSON.
pub(crate) fn get_status(source: &dyn StatusSource) -> Result<String, Failure> {
    serde_json::to_string(&source.status())
        .map_err(|error| Failure::internal(format!("the status report cannot be written: {error}")))
}
