//! `POST /api/difference`: what tells one set of spans from another.

use serde::Deserialize;
use serde_json::Value;
use tracewell_analysis::difference::{self, DIFFERENCES_MAX};
use tracewell_analysis::spans::SpanQuery;
use tracewell_model::limits::SEARCH_TAGS_MAX;

use super::{Answer, Ask, scan};
use crate::errors::Failure;
use crate::json::Json;
use crate::values;

/// Values of an answer, unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;

/// No question may take longer in any case.
const WITHIN_MS_MAX: usize = 60_000;

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Posted {
    a: Conditions,
    #[serde(default)]
    b: Option<Conditions>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    sample: Option<usize>,
    #[serde(default)]
    within_ms: Option<usize>,
}

/// Conditions as a search writes them, all of the span itself.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    service: Option<String>,
    operation: Option<String>,
    #[serde(alias = "span_error")]
    error: Option<bool>,
    #[serde(alias = "min_span_duration_ms")]
    min_duration_ms: Option<Value>,
    #[serde(alias = "max_span_duration_ms")]
    max_duration_ms: Option<Value>,
    #[serde(default, alias = "tags")]
    tag: Tags,
    start: Option<Value>,
    end: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Tags {
    One(String),
    Many(Vec<String>),
}

impl Default for Tags {
    fn default() -> Self {
        Tags::Many(Vec::new())
    }
}

impl Conditions {
    fn query(self, now_unix_ns: u64) -> Result<SpanQuery, Failure> {
        // A number and its text are one.
        let text = |value: Value| match value {
            Value::String(text) => text,
            value => value.to_string(),
        };
        let time = |name, value: Option<Value>| {
            let read = |value| values::time(name, &text(value), now_unix_ns);
            value.map(read).transpose()
        };
        let duration = |name, value: Option<Value>| {
            let read = |value| values::milliseconds(name, &text(value));
            value.map(read).transpose()
        };
        let tags = match self.tag {
            Tags::One(tag) => vec![tag],
            Tags::Many(tags) => tags,
        };
        if tags.len() > SEARCH_TAGS_MAX {
            let message = format!(
                "tag has {} members; accepted: up to {SEARCH_TAGS_MAX}",
                tags.len()
            );
            return Err(Failure::about("tag", message));
        }
        let tags = tags.iter().map(|text| values::tag("tag", text));
        Ok(SpanQuery {
            service: self.service,
            operation: self.operation,
            error: self.error,
            min_duration_ns: duration("min_duration_ms", self.min_duration_ms)?,
            max_duration_ns: duration("max_duration_ms", self.max_duration_ms)?,
            tags: tags.collect::<Result<_, _>>()?,
            start_unix_ns: time("start", self.start)?,
            end_unix_ns: time("end", self.end)?,
        })
    }
}

pub(crate) fn compare(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let posted: Posted = serde_json::from_slice(ask.body).map_err(|error| {
        let accepted = "{\"a\": {…conditions}, \"b\": {…} or null, \"limit\": 100, \"sample\": 1, \"within_ms\": 250}";
        Failure::about(
            "body",
            format!("the body is not what is accepted: {error}; accepted: {accepted}"),
        )
    })?;
    let within = |name: &'static str, given: Option<usize>, usual: usize, max: usize| {
        let number = given.unwrap_or(usual);
        let refused = || Failure::parameter(name, &number.to_string(), &format!("1 to {max}"));
        Some(number)
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(refused)
    };
    let limit = within("limit", posted.limit, LIMIT_DEFAULT, DIFFERENCES_MAX)?;
    let sample = within("sample", posted.sample, 1, scan::SAMPLE_MAX)? as u32;
    let time_ms = within("within_ms", posted.within_ms, WITHIN_MS_MAX, WITHIN_MS_MAX)?;
    let a = posted.a.query(ask.now_unix_ns)?;
    let b = posted.b.map(|b| b.query(ask.now_unix_ns)).transpose()?;

    let scanner = ask.readers.scanner.as_ref();
    let bounds = scan::bounds(ask).at_most(time_ms as u64 * 1_000_000);
    let mut compared = difference::compare(scanner, (&a, b.as_ref()), sample, &bounds)?;
    let scanned = &mut compared.scanned;
    scan::name_sample(scanned);
    let mut json = Json::default();
    json.object(|json| {
        json.key("n_a").plain(compared.spans_a);
        json.key("n_b").plain(compared.spans_b);
        let shown = compared.differences.iter().take(limit);
        json.key("attributes").array(shown, |json, found| {
            json.object(|json| {
                json.key("key").text(&found.key);
                json.key("value").text(&found.value);
                json.key("source").text(found.source.name());
                json.key("a").plain(found.a);
                json.key("b").plain(found.b);
                json.key("score").double(found.score);
            });
        });
        json.key("keys").plain(compared.keys);
        json.key("left_out").texts(&compared.left_out);
        scan::sampled(json, scanned);
        json.outcome(&scanned.searched, &scanned.incomplete);
    });
    Ok(Answer::of_scan(json, scanned))
}
