//! Kafka's errors in the house's words: a class to act on, a sentence to read.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tracewell_storage::{Class, Error};

/// What went wrong, while doing what.
pub(crate) fn of_kafka(doing: &str, error: &KafkaError) -> Error {
    let code = error.rdkafka_error_code();
    let class = match code {
        Some(RDKafkaErrorCode::QueueFull) => Class::Overloaded,
        Some(
            RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidTopic,
        ) => Class::Invalid,
        // Whatever else a broker says today, it may say otherwise once someone looked after it.
        _ => Class::Retryable,
    };
    let said = code.map_or_else(|| error.to_string(), |code| code.to_string());
    Error::new(class, format!("Kafka: {doing}: {said}"))
}
