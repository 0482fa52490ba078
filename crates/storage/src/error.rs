//! What a backend says when it cannot: a class, on which callers act, and a sentence, for people.

/// What the caller should do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Passing: the same call may succeed later. Workers retry, queries answer 503.
    Retryable,
    /// Too much at once, or no room: slow down. Ingest answers 429 or 503 with `Retry-After`.
    Overloaded,
    /// The call itself is wrong: never retry. Queries answer 400.
    Invalid,
    /// Stored bytes are damaged. The rest is answered, the damage named.
    Corrupt,
    /// The query's time was up, or its caller went away.
    DeadlineExceeded,
}

/// An error of a backend.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What to do about it.
    pub class: Class,
    /// What was being done, and what was seen.
    pub message: String,
    /// For [`Class::Overloaded`]: when to try again, in seconds, if the backend knows.
    pub retry_after_s: Option<u32>,
}

impl Error {
    /// An error of this class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Error {
            class,
            message: message.into(),
            retry_after_s: None,
        }
    }

    /// Passing trouble.
    pub fn retryable(message: impl Into<String>) -> Self {
        Error::new(Class::Retryable, message)
    }

    /// Damage.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Error::new(Class::Corrupt, message)
    }

    /// A wrong call.
    pub fn invalid(message: impl Into<String>) -> Self {
        Error::new(Class::Invalid, message)
    }

    /// Too much at once.
    pub fn overloaded(message: impl Into<String>, retry_after_s: u32) -> Self {
        Error {
            class: Class::Overloaded,
            message: message.into(),
            retry_after_s: Some(retry_after_s),
        }
    }
}
