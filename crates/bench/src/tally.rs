//! What came of asking: how long answers took, and whether they were right.

use serde_json::Value as Json;
use tracewell_model::histogram::Histogram;

use crate::api::Api;
use crate::questions::{Expect, Question};
use crate::record::{Latency, QueryRow};
use crate::verify::hex;

/// A row of the table in the making.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latency: Histogram,
    asked: u64,
    pub(crate) wrong: u64,
    incomplete: u64,
    example: Option<String>,
}

impl Tally {
    /// Books an answer. `moving`: other spans are being sent meanwhile.
    pub(crate) fn note(
        &mut self,
        question: &Question,
        status: u16,
        body: &[u8],
        taken_ns: u64,
        moving: bool,
    ) {
        self.asked += 1;
        self.latency.record(taken_ns);
        let answer: Json = serde_json::from_slice(body).unwrap_or_default();
        self.incomplete += u64::from(answer["complete"] == false);
        if let Err(why) = check(&question.expect, status, &answer, moving) {
            self.wrong += 1;
            self.example
                .get_or_insert_with(|| format!("GET {}: {why}", question.path));
        }
    }

    /// Asks, and books the answer.
    pub(crate) fn ask(
        &mut self,
        api: &mut Api,
        question: &Question,
        moving: bool,
    ) -> anyhow::Result<()> {
        let (answer, taken_ns) = api.get(&question.path)?;
        self.note(question, answer.status, &answer.body, taken_ns, moving);
        Ok(())
    }

    pub(crate) fn latency(&self) -> Latency {
        Latency::of(&self.latency)
    }

    pub(crate) fn row(self, load: &str, question: &str) -> QueryRow {
        QueryRow {
            load: load.to_owned(),
            question: question.to_owned(),
            asked: self.asked,
            latency: self.latency(),
            wrong: self.wrong,
            incomplete: self.incomplete,
            example: self.example,
        }
    }
}

fn check(expect: &Expect, status: u16, answer: &Json, moving: bool) -> Result<(), String> {
    let wanted_status = if matches!(expect, Expect::Nothing) {
        404
    } else {
        200
    };
    if status != wanted_status {
        return Err(format!("status {status}: {:.200}", answer.to_string()));
    }
    let hits = || answer["traces"].as_array().map_or(&[][..], Vec::as_slice);
    match expect {
        Expect::Nothing | Expect::Any => Ok(()),
        Expect::Spans(spans) => {
            let got = answer["span_count"].as_u64().unwrap_or(0);
            // A fresh trace may still be on its way; more than all would be a repeat.
            let right = if moving {
                (1..=*spans).contains(&got)
            } else {
                got == *spans
            };
            if right {
                Ok(())
            } else {
                Err(format!("{got} spans of {spans}"))
            }
        }
        Expect::Hits(ids) if moving => {
            if hits().len() >= ids.len() {
                Ok(())
            } else {
                Err(format!(
                    "{} hits, {} at least are stored",
                    hits().len(),
                    ids.len()
                ))
            }
        }
        Expect::Hits(ids) => {
            let wanted: Vec<String> = ids.iter().map(|id| hex(id)).collect();
            let got: Vec<&str> = hits()
                .iter()
                .filter_map(|hit| hit["trace_id"].as_str())
                .collect();
            if wanted == got {
                Ok(())
            } else {
                Err(format!("hits {got:?}, wanted {wanted:?}"))
            }
        }
        Expect::Durations(wanted) => {
            let got: Vec<u64> = hits()
                .iter()
                .filter_map(|hit| hit["duration_ns"].as_u64())
                .collect();
            let right = if moving {
                got.len() >= wanted.len()
            } else {
                got == *wanted
            };
            if right {
                Ok(())
            } else {
                Err(format!("durations {got:?}, wanted {wanted:?}"))
            }
        }
    }
}
