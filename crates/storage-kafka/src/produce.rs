//! Records on their way to Kafka: one idempotent producer with a bounded queue, whose delivery reports
//! become the completions of appends.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tracewell_storage::{Completion, Error};

use crate::admin::absent;
use crate::errors::of_kafka;
use crate::options::Options;

/// One append: answered once, when all its records are.
pub(crate) struct Append {
    /// Records not answered yet, and one for whoever still sends.
    left: AtomicUsize,
    failure: Mutex<Option<Error>>,
    done: Mutex<Option<Completion>>,
}

impl Append {
    pub(crate) fn new(done: Completion) -> Arc<Append> {
        Arc::new(Append {
            left: AtomicUsize::new(1),
            failure: Mutex::default(),
            done: Mutex::new(Some(done)),
        })
    }

    /// No record will follow.
    pub(crate) fn all_sent(&self) {
        self.settle(Ok(()));
    }

    /// Answers before Kafka does: at the level `received`.
    pub(crate) fn answer_early(&self) {
        self.answer();
    }

    fn is_answered(&self) -> bool {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_none()
    }

    fn settle(&self, outcome: Result<(), Error>) {
        if let Err(error) = outcome {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(error);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.answer();
        }
    }

    fn answer(&self) {
        let failure = self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let done = self
            .done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(done) = done {
            done(failure.map_or(Ok(()), Err));
        }
    }
}

/// What is to be sent.
pub(crate) struct Sending<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<u16>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: OwnedHeaders,
    pub(crate) spans: usize,
}

/// What librdkafka carries along with a record.
pub(crate) struct Sent {
    append: Arc<Append>,
    spans: usize,
}

/// What Kafka took of this process.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) records: AtomicU64,
    pub(crate) spans: AtomicU64,
    /// Spans answered at the level `received` that never got there.
    pub(crate) lost_spans: AtomicU64,
}

/// Hears of deliveries, on the producer's own thread.
struct Deliveries(Arc<Taken>);

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        // Appends get errors of their own; this one is about brokers that come and go, each second.
        tracing::debug!(%error, reason, "Kafka producer");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        let outcome = match result {
            Ok(_message) => {
                self.0.records.fetch_add(1, Ordering::Relaxed);
                self.0.spans.fetch_add(sent.spans as u64, Ordering::Relaxed);
                Ok(())
            }
            Err((error, _message)) => {
                if sent.append.is_answered() {
                    self.0
                        .lost_spans
                        .fetch_add(sent.spans as u64, Ordering::Relaxed);
                }
                Err(of_kafka("appending", error))
            }
        };
        sent.append.settle(outcome);
    }
}

/// The producer of a process.
pub(crate) struct Producer {
    options: Options,
    pub(crate) dead_letter_topic: String,
    pub(crate) taken: Arc<Taken>,
    /// Made anew when the broker calls it beyond repair (an epoch fenced, a sequence lost).
    client: Mutex<Arc<ThreadedProducer<Deliveries>>>,
}

impl Producer {
    pub(crate) fn open(options: &Options) -> Result<Producer, Error> {
        let taken = Arc::new(Taken::default());
        Ok(Producer {
            options: options.clone(),
            dead_letter_topic: options.dead_letter_topic(),
            client: Mutex::new(open(options, &taken)?),
            taken,
        })
    }

    /// Queues a record for an append. What becomes of it is told to the append.
    pub(crate) fn send(&self, sending: Sending<'_>, append: &Arc<Append>) {
        append.left.fetch_add(1, Ordering::Relaxed);
        let sent = Sent {
            append: Arc::clone(append),
            spans: sending.spans,
        };
        let record: BaseRecord<'_, [u8], [u8], Box<Sent>> = BaseRecord {
            topic: sending.topic,
            partition: sending.partition.map(i32::from),
            payload: sending.value,
            key: sending.key,
            timestamp: None,
            headers: Some(sending.headers),
            delivery_opaque: Box::new(sent),
        };
        let client = self.client();
        if let Err((error, record)) = client.send(record) {
            if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
                self.renew(&client);
            }
            record
                .delivery_opaque
                .append
                .settle(Err(of_kafka("appending", &error)));
        }
    }

    /// Waits until Kafka has answered all that is queued.
    pub(crate) fn flush(&self, wait: Duration) -> Result<(), Error> {
        self.client()
            .flush(wait)
            .map_err(|error| of_kafka("flushing", &error))
    }

    /// The partitions of a topic, and a check that Kafka answers.
    pub(crate) fn partitions(&self, topic: &str, wait: Duration) -> Result<u16, Error> {
        let metadata = self.client().client().fetch_metadata(Some(topic), wait);
        let metadata = metadata.map_err(|error| of_kafka("asking for the topic", &error))?;
        let partitions = metadata
            .topics()
            .first()
            .map_or(0, |topic| topic.partitions().len());
        match u16::try_from(partitions) {
            Ok(0) => Err(absent(topic)),
            partitions => Ok(partitions.unwrap_or(u16::MAX)),
        }
    }

    fn client(&self) -> Arc<ThreadedProducer<Deliveries>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&client)
    }

    fn renew(&self, broken: &Arc<ThreadedProducer<Deliveries>>) {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&client, broken) {
            return; // another append was faster
        }
        tracing::error!(why = ?broken.client().fatal_error(), "the producer is beyond repair and is made anew");
        match open(&self.options, &self.taken) {
            Ok(next) => *client = next,
            Err(error) => tracing::error!(%error, "it cannot be made"),
        }
    }
}

fn open(options: &Options, taken: &Arc<Taken>) -> Result<Arc<ThreadedProducer<Deliveries>>, Error> {
    let client = options
        .producer()
        .create_with_context(Deliveries(Arc::clone(taken)));
    client
        .map(Arc::new)
        .map_err(|error| of_kafka("opening the producer", &error))
}
