//! The sequence of bodies: the pool's, cycle after cycle, each made what its cycle says just before
//! it is sent; or, where bodies are compressed, all of them made ahead.

use std::sync::Arc;

use bytes::Bytes;

use crate::body::{Encoding, Plan};

/// A body to send.
#[derive(Debug)]
pub(super) struct Parcel {
    /// Its place in the sequence: bodies of the pool times cycle, plus body.
    pub number: u64,
    /// Spans in it.
    pub spans: u64,
    /// Spans in all before it.
    pub spans_before: u64,
    /// The body.
    pub bytes: Bytes,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Source {
    plan: Arc<Plan>,
    /// The pool's bodies, as they were last sent.
    pub(super) templates: Vec<Bytes>,
    /// Compressed, from `first` on.
    ahead: Option<Vec<Bytes>>,
    first: u64,
    next: u64,
    spans: u64,
    spans_max: u64,
    began_unix_ns: u64,
}

impl Source {
    /// The sequence from body `first` on, until there were `spans_max` spans.
    pub(super) fn new(
        plan: Arc<Plan>,
        templates: Vec<Bytes>,
        first: u64,
        spans_max: u64,
        began_unix_ns: u64,
    ) -> Source {
        Source {
            plan,
            templates,
            ahead: None,
            first,
            next: first,
            spans: 0,
            spans_max,
            began_unix_ns,
        }
    }

    /// Makes and compresses all bodies now, on all cores: compressing costs more than serving.
    pub(super) fn compress_ahead(
        &mut self,
        encoding: Encoding,
        framed: bool,
    ) -> anyhow::Result<()> {
        let mut numbers = Vec::new();
        let mut spans = 0;
        while spans < self.spans_max {
            numbers.push(self.first + numbers.len() as u64);
            spans += self.spans_of(self.first + numbers.len() as u64 - 1);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = numbers.len().div_ceil(threads).max(1);
        let this = &*self;
        let parts = std::thread::scope(|scope| {
            let compress = |numbers: &[u64]| -> std::io::Result<Vec<Bytes>> {
                numbers
                    .iter()
                    .map(|&number| this.compressed(number, encoding, framed))
                    .collect()
            };
            let threads: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| scope.spawn(move || compress(numbers)))
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread
                        .join()
                        .map_err(|_| anyhow::anyhow!("a compressing thread broke"))
                })
                .collect::<Vec<_>>()
        });
        let mut ahead = Vec::with_capacity(numbers.len());
        for part in parts {
            ahead.extend(part??);
        }
        self.ahead = Some(ahead);
        Ok(())
    }

    fn compressed(&self, number: u64, encoding: Encoding, framed: bool) -> std::io::Result<Bytes> {
        let (cycle, body) = (number / self.plan.bodies(), number % self.plan.bodies());
        let template = Bytes::copy_from_slice(&self.templates[body as usize]);
        let plain = self
            .plan
            .write(body, template, self.plan.cycle(cycle, self.began_unix_ns));
        if !framed {
            return encoding.compress(&plain).map(Bytes::from);
        }
        // gRPC compresses the message and frames it anew, with the flag that says so.
        let message = encoding.compress(&plain[5..])?;
        let mut frame = vec![1];
        frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
        frame.extend_from_slice(&message);
        Ok(frame.into())
    }

    fn spans_of(&self, number: u64) -> u64 {
        u64::from(self.plan.body_spans(number % self.plan.bodies()))
    }

    /// The next body; none when all were sent.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        if self.spans >= self.spans_max {
            return None;
        }
        let number = self.next;
        let (cycle, body) = (number / self.plan.bodies(), number % self.plan.bodies());
        let bytes = match &mut self.ahead {
            Some(ahead) => std::mem::take(ahead.get_mut((number - self.first) as usize)?),
            None => {
                // Written over the last cycle's bytes, or over a copy while those are on their way.
                let template = std::mem::take(&mut self.templates[body as usize]);
                let written =
                    self.plan
                        .write(body, template, self.plan.cycle(cycle, self.began_unix_ns));
                self.templates[body as usize] = written.clone();
                written
            }
        };
        let parcel = Parcel {
            number,
            spans: self.spans_of(number),
            spans_before: self.spans,
            bytes,
        };
        self.next += 1;
        self.spans += parcel.spans;
        Some(parcel)
    }

    /// Where the sequence goes on.
    pub(super) fn next(&self) -> u64 {
        self.next
    }
}
