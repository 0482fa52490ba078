//! `GET /api/errors` and `GET /api/errors/{fingerprint}`: errors in groups, where they began.

use std::collections::BTreeMap;

use tracewell_analysis::errors::{self, Errors, Group};
use tracewell_model::Trace;

use super::{Answer, Ask, scan};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, once};
use crate::values;

pub(crate) const PARAMS: &[Param] = &[once("service"), once("start"), once("end"), once("limit")];
pub(crate) const ONE_PARAMS: &[Param] = &[once("start"), once("end")];

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

fn grouped(ask: &Ask<'_>, range: (u64, u64)) -> Result<Errors, Failure> {
    let scanner = ask.readers.scanner.as_ref();
    Ok(errors::group(scanner, range, &scan::bounds(ask))?)
}

pub(crate) fn list_errors(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let limit = |name, text: &str| values::count(name, text, LIMIT_MAX);
    let limit = ask.params.read("limit", limit)?.unwrap_or(LIMIT_DEFAULT);
    let range = scan::range(ask)?;
    let found = grouped(ask, range)?;
    let service = ask.params.one("service");
    let reaches = |group: &&Group| service.is_none_or(|wanted| group.services.contains_key(wanted));
    let groups: Vec<&Group> = found.groups.iter().filter(reaches).collect();

    let mut json = Json::default();
    json.object(|json| {
        json.key("groups")
            .array(groups.iter().take(limit), |json, found| {
                json.object(|json| group(json, found));
            });
        json.key("group_count").plain(groups.len());
        json.key("other_errors").plain(found.others);
        within(json, range, &found);
    });
    Ok(Answer::of_scan(json, &found.scanned))
}

pub(crate) fn get_error(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let text = ask.segment(0);
    let wanted = u64::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 16);
    let wanted = wanted.ok_or_else(|| {
        Failure::parameter(
            "fingerprint",
            text,
            "16 hex digits, as /api/errors has them",
        )
    })?;
    let range = scan::range(ask)?;
    let mut found = grouped(ask, range)?;
    let known = found
        .groups
        .iter()
        .position(|group| group.fingerprint == wanted);
    let Some(known) = known else {
        let nothing = "no error of this group is in the range";
        return Err(Failure::not_seen(nothing, &found.scanned.incomplete));
    };
    let of_group = found.groups.swap_remove(known);
    let mut json = Json::default();
    let mut incomplete = found.scanned.incomplete.clone();
    let mut samples = Vec::new();
    for &(_, trace, span) in &of_group.samples {
        let read = ask.readers.traces.get_trace(trace, ask.context)?;
        found.scanned.searched.add(&read.searched);
        incomplete.extend_from_slice(&read.incomplete);
        samples.push((read, span));
    }
    found.scanned.incomplete = incomplete;
    json.object(|json| {
        group(json, &of_group);
        json.key("samples").array(&samples, |json, (read, span)| {
            let trace = Trace::assemble(read.spans());
            let row = trace
                .rows
                .iter()
                .find(|row| row.span.span_id() == *span && row.span.is_error());
            json.optional(row, Json::span);
        });
        within(json, range, &found);
    });
    Ok(Answer::of_scan(json, &found.scanned))
}

fn within(json: &mut Json, (from_unix_ns, to_unix_ns): (u64, u64), found: &Errors) {
    json.key("start_unix_ns").plain(from_unix_ns);
    json.key("end_unix_ns").plain(to_unix_ns);
    json.key("sampled").double(found.share);
    json.outcome(&found.scanned.searched, &found.scanned.incomplete);
}

fn group(json: &mut Json, group: &Group) {
    json.key("fingerprint")
        .quoted(format_args!("{:016x}", group.fingerprint));
    json.key("root_cause_service").text(&group.service);
    json.key("exception_type").text(&group.exception_type);
    json.key("message").text(&group.message);
    json.key("example").text(&group.example);
    json.key("frames").texts(&group.frames);
    json.key("count").plain(group.count);
    json.key("trend").array(&group.trend, Json::plain);
    json.key("first_seen_unix_ns").plain(group.first_unix_ns);
    json.key("last_seen_unix_ns").plain(group.last_unix_ns);
    for (name, counts) in [
        ("operations", &group.operations),
        ("versions", &group.versions),
        ("services", &group.services),
    ] {
        json.key(name)
            .array(most_first(counts), |json, (text, count)| {
                json.object(|json| {
                    json.key("name").text(text);
                    json.key("count").plain(count);
                });
            });
    }
    let latest = group.samples.first();
    json.key("sample_trace_id")
        .optional(latest, |json, (_, trace, _)| json.quoted(trace));
    json.key("span_id")
        .optional(latest, |json, (_, _, span)| json.quoted(span));
}

fn most_first(counts: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut sorted: Vec<_> = counts
        .iter()
        .map(|(name, &count)| (name.as_str(), count))
        .collect();
    sorted.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    sorted
}
