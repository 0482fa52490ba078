//! The live answer to a question that many tabs ask again and again and that reads an hour of spans: made once,
//! and given to all who ask within half a minute. It says itself which time it is of.

use std::sync::{Arc, Mutex, PoisonError};

use crate::api::Answer;
use crate::errors::Failure;

const KEPT_NS: u64 = 30_000_000_000;

/// The last live answer. Copies share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live(Arc<Mutex<Option<(u64, Answer)>>>);

impl Live {
    /// The last answer, or a new one. While one is made, others who ask wait for it.
    pub(crate) fn or_make(
        &self,
        now_unix_ns: u64,
        make: impl FnOnce() -> Result<Answer, Failure>,
    ) -> Result<Answer, Failure> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, answer)) = &*last
            && now_unix_ns.abs_diff(*at) < KEPT_NS
        {
            return Ok(answer.clone());
        }
        let answer = make()?;
        // Half an answer is not for others: their deadline may be longer, their luck better.
        *last = answer.complete.then(|| (now_unix_ns, answer.clone()));
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str, complete: bool) -> Answer {
        Answer {
            json: json.to_owned(),
            bytes_read: 0,
            complete,
        }
    }

    #[test]
    fn an_answer_is_made_once_in_half_a_minute_if_it_is_whole() {
        let live = Live::default();
        let ask = |at, json: &str, complete| {
            let made = live.or_make(at, || Ok(answer(json, complete)));
            made.map(|answer| answer.json).unwrap_or_default()
        };
        assert_eq!(ask(KEPT_NS, "half", false), "half");
        assert_eq!(ask(KEPT_NS, "whole", true), "whole");
        assert_eq!(ask(2 * KEPT_NS - 1, "later", true), "whole");
        assert_eq!(ask(2 * KEPT_NS, "new", true), "new");
    }
}
