//! `/api/openapi.json`: written by hand beside the code; a test holds the two together.

/// The OpenAPI 3.1 document.
pub(crate) const DOCUMENT: &str = include_str!("openapi.json");
