//! The indices: one a day (UTC) of arrival, made of a template, dropped when they are old (R51). No
//! index state management is asked for: not every cluster has it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil::Date};
use serde::Deserialize;
use serde_json::{Value, json};
use tracewell_storage::Error;

use crate::http::Http;
use crate::settings::Settings;

/// Of the template; a newer one is put over an older one by `tracewell schema`.
pub(crate) const TEMPLATE_VERSION: u64 = 1;

/// Puts the template that every day's index is made of.
pub fn migrate(settings: &Settings) -> Result<(), Error> {
    let indexed = json!({"type": "long"});
    let template = json!({
        "index_patterns": [format!("{}-*", settings.prefix)],
        "version": TEMPLATE_VERSION,
        "template": {
            "settings": {
                "number_of_shards": settings.shards,
                "number_of_replicas": settings.replicas,
                "refresh_interval": "1s",
                "codec": "best_compression",
            },
            "mappings": {
                "dynamic": false,
                // The terms are in the rows too; they need not be stored twice.
                "_source": {"excludes": ["k"]},
                "properties": {
                    "s": indexed, "d": indexed, "a": indexed,
                    "t": {"type": "keyword", "index": false},
                    "k": {"type": "keyword", "doc_values": false},
                    "n": {"type": "keyword", "ignore_above": 8_000},
                },
            },
        },
    });
    let path = format!("_index_template/{}", settings.prefix);
    let http = Http::new(settings.clone())?;
    http.send("PUT", &path, template.to_string().as_bytes())
        .map(drop)
}

/// Drops the indices whose last trace is older than it is to be found; answers their names.
pub fn expire(settings: &Settings, now_unix_ns: u64) -> Result<Vec<String>, Error> {
    expire_with(&Http::new(settings.clone())?, now_unix_ns)
}

#[derive(Deserialize)]
struct Listed {
    index: String,
}

pub(crate) fn expire_with(http: &Http, now_unix_ns: u64) -> Result<Vec<String>, Error> {
    let settings = &http.settings;
    let path = format!("_cat/indices/{}-*?format=json&h=index", settings.prefix);
    let listed: Vec<Listed> = http.ask("GET", &path, &[])?;
    let kept_from = date(now_unix_ns).saturating_sub(i64::from(settings.kept_days).days());
    let beginning = format!("{}-", settings.prefix);
    let mut expired = Vec::new();
    for Listed { index } in listed {
        let day = index.strip_prefix(&beginning).map(str::parse::<Date>);
        // A name that is no day of ours is somebody else's index.
        if !matches!(day, Some(Ok(day)) if day < kept_from) {
            continue;
        }
        http.ask::<Value>("DELETE", &index, &[])?;
        expired.push(index);
    }
    Ok(expired)
}

/// The index of what arrives now.
pub(crate) fn index_of(settings: &Settings, arrived_unix_ns: u64) -> String {
    format!("{}-{}", settings.prefix, date(arrived_unix_ns))
}

fn date(unix_ns: u64) -> Date {
    let time = Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(Timestamp::MAX);
    TimeZone::UTC.to_datetime(time).date()
}
