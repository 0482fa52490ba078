//! `GET /api/shares`: in which operations the time of one operation is spent.

use tracewell_analysis::sample::{Names, Sample};
use tracewell_analysis::shares::{self, Shares};

use super::{Answer, Ask, scan};
use crate::errors::Failure;
use crate::json::Json;
use crate::params::{Param, once};

pub(crate) const PARAMS: &[Param] = &[
    once("service"),
    once("operation"),
    once("start"),
    once("end"),
];

pub(crate) fn get_shares(ask: &Ask<'_>) -> Result<Answer, Failure> {
    let needed = |name: &'static str| {
        let missing = || {
            Failure::about(
                name,
                format!("{name} is needed; accepted: one by its exact name"),
            )
        };
        ask.params.one(name).ok_or_else(missing)
    };
    let (service, operation) = (needed("service")?, needed("operation")?);
    let range = scan::range(ask)?;
    let mut names = Names::default();
    let context = scan::bounds(ask);
    let sample = Sample::read(ask.readers.scanner.as_ref(), range, &mut names, &context)?;
    let found = match names.find(service, operation) {
        Some(op) => shares::of(&sample, op, &names),
        None => Shares::default(),
    };
    let mut json = Json::default();
    json.object(|json| {
        json.key("service").text(service);
        json.key("operation").text(operation);
        json.key("calls").plain(found.calls);
        for (name, q) in [("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)] {
            json.key(name)
                .optional(found.latency.quantile(q), Json::milliseconds);
        }
        json.key("operations")
            .array(&found.operations, |json, share| {
                json.object(|json| {
                    json.key("service")
                        .text(names.service(names.service_of(share.op)));
                    json.key("operation").text(names.operation_name(share.op));
                    json.key("share").double(share.all);
                    json.key("p99_share").double(share.tail);
                    json.key("exclusive_ms").milliseconds(share.exclusive_ns);
                });
            });
        json.key("sampled").double(sample.share());
        json.outcome(&sample.scanned.searched, &sample.scanned.incomplete);
    });
    Ok(Answer::of_scan(json, &sample.scanned))
}
