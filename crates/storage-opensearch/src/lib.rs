//! The search index in OpenSearch or Elasticsearch (R49–R51): one small document per trace and day,
//! from which a search is answered alone, without the trace store.
//!
//! The indexer holds the traces of the last moments and unites a trace's fragments (D13) before they
//! are written: a trace that goes on has its document replaced, under the trace's own id. Whoever
//! does not hold it, after a crash say, asks for a *new* document, is told that there is one, and
//! adds to that. So redelivery changes nothing, and the fields of a document are the trace's: its
//! start, its duration, whether it failed. OpenSearch itself can narrow, sort and page by them.
//!
//! A document has *terms* (`k`), by which traces are narrowed, and *rows* (`x`, `b`), its spans in
//! brief, on which every predicate is decided again: the terms may say too much, never too little.
//! A trace that is silent for longer than it is held and goes on after midnight has two documents:
//! they are united when one is found; sorting and trace predicates see them one by one.
#![warn(missing_docs)]

mod bulk;
mod checkup;
mod columns;
mod document;
mod eraser;
mod finder;
mod http;
mod indices;
mod names;
mod query;
mod rows;
mod search;
mod settings;
mod sink;

pub use checkup::check;
pub use eraser::OpenSearchEraser;
pub use finder::OpenSearchFinder;
pub use indices::{expire, migrate};
pub use settings::{Attributes, Settings};
pub use sink::OpenSearchSink;
