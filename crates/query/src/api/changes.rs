//! `GET /api/changes`: what changed at that minute.

use tracewell_analysis::changes::{self, Around};

use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[once("at"), once("service")];

const MINUTE_NS: u64 = 60_000_000_000;
/// Changes are this far from the time asked for.
const NEAR_NS: u64 = 5 * MINUTE_NS;
/// What was seen in so long before them is not new.
const BEFORE_NS: u64 = 30 * MINUTE_NS;

pub(crate) fn list_changes(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let time = |name, text: &str| values::time(name, text, ask.now_unix_ns);
    let at = ask.params.read("at", time)?.unwrap_or(ask.now_unix_ns);
    let from_unix_ns = at.saturating_sub(NEAR_NS);
    let around = Around {
        before_unix_ns: from_unix_ns.saturating_sub(BEFORE_NS),
        from_unix_ns,
        to_unix_ns: at.saturating_add(NEAR_NS),
    };
    let found = changes::around(ask.readers.scanner.as_ref(), around, ask.context)?;
    let service = ask.params.one("service");
    let asked = found.changes.iter();
    let asked = asked.filter(|change| service.is_none_or(|service| service == change.service));

    let mut json = Json::default();
    json.object(|json| {
        json.key("changes").array(asked, |json, change| {
            json.object(|json| {
                json.key("at_unix_ns").plain(change.at_unix_ns);
                json.key("service").text(&change.service);
                json.key("kind").text(change.kind);
                json.key("key").text(&change.key);
                json.key("value").text(&change.value);
                json.key("change")
                    .text(if change.began { "began" } else { "ended" });
            });
        });
        json.key("start_unix_ns").plain(around.from_unix_ns);
        json.key("end_unix_ns").plain(around.to_unix_ns);
        json.key("before_unix_ns").plain(around.before_unix_ns);
        json.key("capped").plain(found.capped);
        json.outcome(&found.scanned.searched, &found.scanned.incomplete);
    });
    Ok(Answer::of_scan(json, &found.scanned))
}
