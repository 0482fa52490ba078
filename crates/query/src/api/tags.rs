//! `GET /api/tags` and `GET /api/tags/{key}/values`: what the search box completes from.

use tracewell_model::limits::SEARCH_LIMIT_MAX;
use tracewell_storage::Names;

use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;
use crate::values;

const LIMIT_DEFAULT: usize = 100;

pub(crate) fn list_keys(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let (prefix, limit) = read(ask)?;
    let names = ask
        .readers
        .finder
        .list_tag_keys(prefix, limit, ask.context)?;
    Ok(answer(&names, limit, "keys", |_| {}))
}

pub(crate) fn list_values(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let (prefix, limit) = read(ask)?;
    let key = ask.segment(0);
    let names = ask
        .readers
        .finder
        .list_tag_values(key, prefix, limit, ask.context)?;
    Ok(answer(&names, limit, "values", |json| {
        json.key("key").text(key)
    }))
}

fn read<'a>(ask: &'a Ask<'_>) -> Result<(&'a str, usize), Failure> {
    let limit = |name, text: &str| values::count(name, text, SEARCH_LIMIT_MAX);
    let limit = ask.params.read("limit", limit)?.unwrap_or(LIMIT_DEFAULT);
    Ok((ask.params.one("prefix").unwrap_or(""), limit))
}

fn answer(names: &Names, limit: usize, list: &str, head: impl FnOnce(&mut Json)) -> Answer {
    let mut json = Json::default();
    json.object(|json| {
        head(json);
        json.key(list).texts(names.names.iter().take(limit));
        json.outcome(&names.searched, &names.incomplete);
    });
    Answer::new(json.into_text(), &names.searched, &names.incomplete)
}
