//! The figures an hour, a day and a week before those that are asked for: the aggregator's, exact and of all
//! spans.

use std::borrow::Borrow;
use std::hash::Hash;

use hashbrown::HashMap;
use tracewell_storage::stats::{self, Figures};
use tracewell_storage::{Error, Searched, Window};

use super::scan::HOUR_NS;
use super::services::{is_away, percentiles, rates};
use crate::errors::Failure;
use crate::json::Json;

const BACK: [(&str, u64); 3] = [
    ("hour", HOUR_NS),
    ("day", 24 * HOUR_NS),
    ("week", 7 * 24 * HOUR_NS),
];

/// See the module.
#[derive(Debug)]
pub(super) struct Past<K> {
    windows: Vec<(&'static str, Window, HashMap<K, Figures>)>,
}

impl<K> Default for Past<K> {
    fn default() -> Self {
        Past {
            windows: Vec::new(),
        }
    }
}

impl<K: Eq + Hash> Past<K> {
    /// Reads what was before this window. A store that is away costs these figures, and a word about it (P15).
    pub(super) fn read<T>(
        now: &Window,
        (searched, incomplete): (&mut Searched, &mut Vec<String>),
        read: impl Fn(&Window) -> Result<Vec<stats::Answer<T>>, Error>,
        row: impl Fn(T) -> Option<(K, Figures)>,
    ) -> Result<Past<K>, Failure> {
        let mut past = Past::default();
        for (name, back_ns) in BACK {
            let window = Window {
                from_unix_ns: now.from_unix_ns.saturating_sub(back_ns),
                to_unix_ns: now.to_unix_ns.saturating_sub(back_ns),
                steps: 0,
            };
            let answers = match read(&window) {
                Err(error) if is_away(&error) => {
                    incomplete.push(format!("no figures of what was before: {error}"));
                    break;
                }
                answers => answers?,
            };
            let mut rows = HashMap::new();
            for answer in answers {
                searched.add(&answer.searched);
                for reason in answer.incomplete {
                    if !incomplete.contains(&reason) {
                        incomplete.push(reason);
                    }
                }
                rows.extend(answer.rows.into_iter().filter_map(&row));
            }
            past.windows.push((name, window, rows));
        }
        Ok(past)
    }

    /// The members `hour`, `day` and `week`.
    pub(super) fn write<Q: Eq + Hash + ?Sized>(&self, json: &mut Json, key: &Q)
    where
        K: Borrow<Q>,
    {
        let empty = Figures::default();
        for (name, window, rows) in &self.windows {
            let figures = rows.get(key).unwrap_or(&empty);
            json.key(name).object(|json| {
                rates(json, figures, window);
                percentiles(json, figures);
            });
        }
    }
}
