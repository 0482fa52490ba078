//! A directory with a log in it, and batches that can be told apart.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracewell_model::clock::ManualClock;
use tracewell_model::{
    Attribute, BatchBuilder, Marks, ResourceInput, ScopeInput, SpanBatch, SpanId, SpanInput,
    SpanKind, StatusCode, TraceId, Value,
};
use tracewell_storage::{Ack, Consumer, Error, Position, Record, SpanLog};
use tracewell_storage_embedded::fs::StdFs;
use tracewell_storage_embedded::fs::fault::FaultFs;
use tracewell_storage_embedded::log::{EmbeddedLog, Options, Recovery};

pub(crate) const NOW: u64 = 1_700_000_000_000_000_000;

pub(crate) struct Room {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) fs: FaultFs,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) options: Options,
}

/// Small files, no reserve: what a test can fill.
pub(crate) fn options() -> Options {
    Options {
        file_bytes_max: 4096,
        reserve_percent: 0,
        reserve_bytes: 0,
        salt_seed: 7,
        ..Options::default()
    }
}

impl Room {
    pub(crate) fn new() -> Room {
        Room::with(options())
    }

    pub(crate) fn with(options: Options) -> Room {
        let dir = tempfile::tempdir().unwrap();
        let fs = FaultFs::new(StdFs::shared());
        Room {
            dir,
            fs,
            clock: Arc::new(ManualClock::at(NOW)),
            options,
        }
    }

    pub(crate) fn try_open(&self) -> Result<(EmbeddedLog, Recovery), Error> {
        let clock = Arc::clone(&self.clock);
        EmbeddedLog::open(
            Arc::new(self.fs.clone()),
            self.dir.path(),
            self.options.clone(),
            clock,
        )
    }

    pub(crate) fn open(&self) -> (EmbeddedLog, Recovery) {
        self.try_open().unwrap()
    }

    /// The log's files, oldest first.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.dir.path().join("log")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| path.extension().is_some_and(|end| end == "log"))
            .collect();
        paths.sort();
        paths
    }

    pub(crate) fn set_aside(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("log/damaged")).map_or(0, |entries| entries.count())
    }

    /// A copy of the directory, opened: for trying damage again and again.
    pub(crate) fn copy(&self) -> Room {
        let room = Room::with(self.options.clone());
        let log = room.dir.path().join("log");
        std::fs::create_dir_all(&log).unwrap();
        for entry in std::fs::read_dir(self.dir.path().join("log")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), log.join(entry.file_name())).unwrap();
            }
        }
        room
    }
}

/// A batch that says its number in every span.
pub(crate) fn batch(number: u64, spans: u64) -> SpanBatch {
    let mut builder = BatchBuilder::new(1);
    let service = format!("service {number}");
    let resource = builder.resource(&ResourceInput {
        service: &service,
        ..ResourceInput::default()
    });
    let scope = builder.scope(&ScopeInput::default());
    for span in 0..spans {
        builder.push(&SpanInput {
            trace_id: TraceId(u128::from(number + 1).to_be_bytes()),
            span_id: SpanId((span + 1).to_be_bytes()),
            parent: (span > 0).then_some(SpanId(1u64.to_be_bytes())),
            resource,
            scope,
            start_unix_ns: NOW + span,
            duration_ns: number,
            operation: "GET /",
            kind: SpanKind::Server,
            status: StatusCode::Unset,
            status_message: "",
            flags: 0,
            attributes: &[Attribute::new("number", Value::Int(number as i64))],
            event_attributes: &[],
            rest: b"rest",
            marks: Marks::default(),
        });
    }
    builder.finish_one()
}

/// Batch `number` has this many spans.
pub(crate) fn spans_of(number: u64) -> u64 {
    number % 5 + 1
}

/// The answer of an append, if it came at once.
pub(crate) fn append_at(log: &EmbeddedLog, batches: Vec<SpanBatch>, ack: Ack) -> Answer {
    let answer = Answer::default();
    let slot = Arc::clone(&answer.0);
    let done = move |result| {
        assert!(
            slot.lock().unwrap().replace(result).is_none(),
            "answered twice"
        )
    };
    log.append(batches, ack, Box::new(done));
    answer
}

#[derive(Debug, Default)]
pub(crate) struct Answer(Arc<Mutex<Option<Result<(), Error>>>>);

impl Answer {
    pub(crate) fn get(&self) -> Option<Result<(), Error>> {
        self.0.lock().unwrap().clone()
    }
}

pub(crate) fn append(log: &EmbeddedLog, number: u64) -> Result<(), Error> {
    let answer = append_at(log, vec![batch(number, spans_of(number))], Ack::Logged);
    answer
        .get()
        .expect("a logged append answers before it returns")
}

pub(crate) fn append_all(log: &EmbeddedLog, numbers: std::ops::Range<u64>) {
    numbers.for_each(|number| append(log, number).unwrap());
}

pub(crate) fn poll_all(consumer: &mut dyn Consumer) -> Vec<Record> {
    let mut all = Vec::new();
    loop {
        let records = consumer.poll(7, Duration::ZERO).unwrap();
        if records.is_empty() {
            return all;
        }
        all.extend(records);
    }
}

/// The numbers of the batches, each checked to be exactly what was appended.
pub(crate) fn numbers(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| {
        let number = record.batch.columns().duration_ns[0];
        assert_eq!(
            *record.batch,
            batch(number, spans_of(number)),
            "altered data"
        );
        number
    };
    records.iter().map(number).collect()
}

pub(crate) fn read_all(log: &EmbeddedLog, group: &str) -> Vec<u64> {
    let mut consumer = log.subscribe(group, &[]).unwrap();
    numbers(&poll_all(consumer.as_mut()))
}

pub(crate) fn at(offset: u64) -> Vec<Position> {
    vec![Position {
        partition: 0,
        offset,
    }]
}

pub(crate) fn total_spans(numbers: impl IntoIterator<Item = u64>) -> u64 {
    numbers.into_iter().map(spans_of).sum()
}
