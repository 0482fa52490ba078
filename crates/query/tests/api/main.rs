//! The API over the memory backend: everything docs/api.md says, and what must be refused.

mod bad_input;
mod big;
mod difference;
mod documented;
mod errors;
mod export;
mod hotspots;
mod kept;
mod overview;
mod paging;
mod partial;
mod pool;
mod schema;
mod search;
mod traces;
mod world;
