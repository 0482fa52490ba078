//! The last answer to each question: shown, marked as stale, while Redis is down (P15).

use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;
use tracewell_storage::Error;
use tracewell_storage::stats::{Answer, Window};

/// Questions whose answers are kept: what a screen or two ask again and again.
const QUESTIONS_MAX: usize = 64;

/// Which service, how long a window, how many steps.
type Question = (String, u64, usize);

#[derive(Debug)]
pub(crate) struct Last<T> {
    answers: Mutex<HashMap<Question, (u64, Answer<T>)>>,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        let answers = Mutex::default();
        Last { answers }
    }
}

impl<T: Clone> Last<T> {
    /// The answer, to be remembered; or the one before, if this one failed.
    pub(crate) fn or_last(
        &self,
        service: &str,
        window: &Window,
        now_unix_ns: u64,
        answer: Result<Answer<T>, Error>,
    ) -> Result<Answer<T>, Error> {
        let length_ns = window.to_unix_ns.saturating_sub(window.from_unix_ns);
        let question = (service.to_owned(), length_ns, window.steps);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(mut answer) => {
                answer.searched.backend = "redis";
                let oldest = answers.iter().min_by_key(|(_, (at, _))| *at);
                let oldest = oldest.map(|(question, _)| question.clone());
                if answers.len() >= QUESTIONS_MAX
                    && !answers.contains_key(&question)
                    && let Some(oldest) = oldest
                {
                    answers.remove(&oldest);
                }
                answers.insert(question, (now_unix_ns, answer.clone()));
                Ok(answer)
            }
            Err(error) => {
                let (at, last) = answers.get(&question).ok_or_else(|| error.clone())?;
                let age_s = now_unix_ns.saturating_sub(*at) / 1_000_000_000;
                let mut last = last.clone();
                let stale = format!("figures are stale, they were read {age_s} s ago: {error}");
                last.incomplete.push(stale);
                Ok(last)
            }
        }
    }
}
