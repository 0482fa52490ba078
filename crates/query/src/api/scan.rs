//! What the endpoints over many spans share: which time is asked for, how much of their own time reading may
//! take, and what their answers say of a sample.

use tracewell_analysis::sample::{Names, Sample};
use tracewell_storage::{ReadContext, Scanned};

use super::{Answer, Ask};
use crate::errors::Failure;
use crate::json::Json;
use crate::values;

pub(super) const HOUR_NS: u64 = 3_600_000_000_000;
/// Of more blocks than this no store has enough.
pub(super) const SAMPLE_MAX: usize = 1_024;
/// The part of the time left that reading may take; the rest is for the answer.
const READ_PART: f64 = 0.8;
/// The same of each of two scans.
const READ_TWICE_PART: f64 = 0.4;

/// The range that `start` and `end` name: the last hour, unless said.
pub(super) fn range(ask: &Ask<'_>) -> Result<(u64, u64), Failure> {
    let time = |name, text: &str| values::time(name, text, ask.now_unix_ns);
    let to_unix_ns = ask.params.read("end", time)?.unwrap_or(ask.now_unix_ns);
    let start = ask.params.read("start", time)?;
    let from_unix_ns = start.unwrap_or_else(|| to_unix_ns.saturating_sub(HOUR_NS));
    if from_unix_ns >= to_unix_ns {
        let message = "nothing can lie in this range; accepted for end: a time after start";
        return Err(Failure::about("end", message));
    }
    Ok((from_unix_ns, to_unix_ns))
}

/// Bounds of a question that reads once.
pub(super) fn bounds(ask: &Ask<'_>) -> ReadContext {
    ask.context.part(READ_PART)
}

/// The traces of two ranges of time, to be compared.
pub(super) fn two_samples(
    ask: &Ask<'_>,
    names: &mut Names,
    ranges: [(u64, u64); 2],
) -> Result<[Sample; 2], Failure> {
    let mut read = |range| {
        let context = ask.context.part(READ_TWICE_PART);
        Sample::read(ask.readers.scanner.as_ref(), range, names, &context)
    };
    let samples = [read(ranges[0])?, read(ranges[1])?];
    ask.context.check()?;
    Ok(samples)
}

/// A sample is no complete answer.
pub(super) fn name_sample(scanned: &mut Scanned) {
    if scanned.one_of > 1 {
        let of = scanned.one_of;
        scanned.incomplete.push(format!(
            "one of {of} blocks was looked at; sample=1 looks at all"
        ));
    }
}

/// The member `sampled`: the part that was looked at; null where nobody knows.
pub(super) fn sampled(json: &mut Json, scanned: &Scanned) {
    let read = scanned.searched.blocks_read as f64;
    let reached = match scanned.blocks_left {
        0 => 1.0,
        left => read / (read + left as f64),
    };
    let share = reached / f64::from(scanned.one_of.max(1));
    let known = Some(share).filter(|_| !scanned.is_cut_short);
    json.key("sampled").optional(known, |json, share| {
        json.double(share);
    });
}

impl Answer {
    /// Of what a scan handed over.
    pub(super) fn of_scan(json: Json, scanned: &Scanned) -> Answer {
        Answer::new(json.into_text(), &scanned.searched, &scanned.incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_was_looked_at_is_told_or_that_nobody_knows() {
        let told = |scanned: &Scanned| {
            let mut json = Json::default();
            json.object(|json| sampled(json, scanned));
            json.into_text()
        };
        let mut scanned = Scanned {
            one_of: 4,
            ..Scanned::default()
        };
        assert_eq!(told(&scanned), r#"{"sampled":0.25}"#);
        (scanned.searched.blocks_read, scanned.blocks_left) = (1, 1);
        assert_eq!(told(&scanned), r#"{"sampled":0.125}"#);
        scanned.is_cut_short = true;
        assert_eq!(told(&scanned), r#"{"sampled":null}"#);
    }
}
