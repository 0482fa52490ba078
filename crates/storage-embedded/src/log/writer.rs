//! Appending: batches become records, one `write(2)` a request, under one lock.
//!
//! Readers never see a byte before the write returned, because the file's readable length and the
//! ring move only after it. A write that fails is cut away again; where even that fails, the file
//! is left as it is and another one begun.

use std::io;
use std::sync::Arc;

use tracewell_model::SpanBatch;
use tracewell_storage::{Error, Position, Record};

use super::record::{FILE_HEAD_BYTES, FileHead, RECORD_HEAD_BYTES, RecordHead};
use super::saved::Mark;
use super::state::FileMeta;
use super::{Shared, lock};
use crate::codec;
use crate::failpoint;
use crate::format::checksum;
use crate::fs::{self, File, Space};

/// The disk's room is asked for again after so many bytes, or after `PROBE_NS`.
const PROBE_BYTES: u64 = 8 << 20;
const PROBE_NS: u64 = 1_000_000_000;
/// Encode buffers kept for the next request: fresh memory costs more than the encoding.
const SPARE_BUFFERS: usize = 4;
const SPARE_BYTES_MAX: usize = 4 << 20;

/// The end of the log.
#[derive(Debug, Default)]
pub(super) struct Writer {
    /// The file that is appended to; none when the next append must begin one.
    pub(super) active: Option<Active>,
    pub(super) end: Mark,
    pub(super) last_arrived_unix_ns: u64,
    /// What the next file follows, where that is not `end.next_offset`: offsets were left out.
    pub(super) follows: Option<u64>,
    pub(super) files_made: u64,
    space: Option<Space>,
    probed_ns: u64,
    written_since_probe: u64,
    spare: Vec<Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Active {
    pub(super) file: Arc<dyn File>,
    pub(super) base: u64,
    pub(super) salt: u64,
    pub(super) length: u64,
}

/// Records in one buffer, their heads still to be stamped.
struct Encoded {
    buffer: Vec<u8>,
    heads: Vec<(usize, RecordHead)>,
}

impl Shared {
    /// Writes these batches; answers the base of the file they are in. All or nothing, but for a
    /// crash in between.
    pub(super) fn write(&self, batches: Vec<SpanBatch>) -> Result<u64, Error> {
        // Encoding is the long part and needs no lock.
        let spare = lock(&self.writer).spare.pop().unwrap_or_default();
        let mut encoded = encode(&batches, spare)?;
        let mut writer = lock(&self.writer);
        let written = self.write_locked(&mut writer, &mut encoded, batches);
        if writer.spare.len() < SPARE_BUFFERS && encoded.buffer.capacity() <= SPARE_BYTES_MAX {
            encoded.buffer.clear();
            writer.spare.push(encoded.buffer);
        }
        if let Err(error) = &written {
            lock(&self.state).refusal = Some(format!("ingest is refused: {error}"));
        }
        written
    }

    fn write_locked(
        &self,
        writer: &mut Writer,
        encoded: &mut Encoded,
        batches: Vec<SpanBatch>,
    ) -> Result<u64, Error> {
        self.check_room(writer)?;
        let bytes = encoded.buffer.len() as u64;
        let full = |active: &Active| {
            active.length > FILE_HEAD_BYTES && active.length + bytes > self.options.file_bytes_max
        };
        if writer.active.as_ref().is_none_or(full) {
            self.begin_file(writer)?;
        }
        // Strictly rising, whatever the clock does: a search's later pages tell what came before
        // their horizon from what came after it by this time alone (D18).
        let mut arrived = self.clock.unix_ns();
        let mut end = writer.end;
        let active = writer
            .active
            .as_mut()
            .ok_or_else(|| Error::retryable("no log file is open"))?;
        for (at, head) in &mut encoded.heads {
            head.offset = end.next_offset;
            arrived = arrived.max(writer.last_arrived_unix_ns.saturating_add(1));
            writer.last_arrived_unix_ns = arrived;
            head.arrived_unix_ns = arrived;
            head.accepted_before = end.accepted;
            end = Mark {
                next_offset: head.offset + 1,
                accepted: head.accepted_after(),
            };
            if let Some(room) = encoded.buffer.get_mut(*at..*at + RECORD_HEAD_BYTES) {
                head.write(active.salt, room);
            }
        }
        failpoint::hit("log-before-write");
        if let Err(error) = fs::append_all(active.file.as_ref(), &encoded.buffer) {
            return Err(self.undo(writer, &error));
        }
        failpoint::hit("log-after-write");
        active.length += bytes;
        let (base, length, file) = (active.base, active.length, Arc::clone(&active.file));
        writer.end = end;
        writer.written_since_probe += bytes;
        self.note_dirty(base, file);
        self.publish(base, length, end, &encoded.heads, batches);
        Ok(base)
    }

    /// Lets readers see what was written.
    fn publish(
        &self,
        base: u64,
        length: u64,
        end: Mark,
        heads: &[(usize, RecordHead)],
        batches: Vec<SpanBatch>,
    ) {
        let mut state = lock(&self.state);
        if let Some(meta) = state.files.get_mut(&base) {
            meta.length = length;
        }
        for ((_, head), batch) in heads.iter().zip(batches) {
            let position = Position {
                partition: 0,
                offset: head.offset,
            };
            let arrived_unix_ns = head.arrived_unix_ns;
            let record = Record {
                position,
                arrived_unix_ns,
                batch: Arc::new(batch),
            };
            state.publish(record, head.accepted_after());
        }
        debug_assert_eq!(state.end, end);
        state.refusal = None;
        drop(state);
        self.appended.notify_all();
    }

    /// Takes a failed write back. What stays behind a failed truncate is never read: the file's
    /// readable length ends before it, and after a restart the next file's head says so.
    fn undo(&self, writer: &mut Writer, error: &io::Error) -> Error {
        let Some(active) = &writer.active else {
            return Error::retryable(error.to_string());
        };
        let path = file_path(self, active.base);
        if active.file.truncate(active.length).is_err() {
            writer.active = None;
        }
        // Whatever was measured before, the disk has just said otherwise.
        writer.space = None;
        fs::io_error("append to", &path, error)
    }

    /// Refuses while the disk is nearly full, so that what frees room can still work (P7).
    fn check_room(&self, writer: &mut Writer) -> Result<(), Error> {
        let reserve = |space: Space| {
            let share = space.total_bytes / 100 * u64::from(self.options.reserve_percent);
            share.max(self.options.reserve_bytes)
        };
        let now = self.clock.monotonic_ns();
        let stale = writer.written_since_probe >= PROBE_BYTES
            || now.saturating_sub(writer.probed_ns) >= PROBE_NS;
        let known = writer
            .space
            .filter(|&space| !stale && space.free_bytes >= reserve(space));
        if known.is_some() {
            return Ok(());
        }
        // A file system that cannot be asked is no reason to refuse spans.
        let Ok(space) = self.fs.space(&self.dir) else {
            return Ok(());
        };
        writer.space = Some(space);
        writer.probed_ns = now;
        writer.written_since_probe = 0;
        if space.free_bytes >= reserve(space) {
            return Ok(());
        }
        let (free, kept) = (space.free_bytes >> 20, reserve(space) >> 20);
        let said = format!(
            "the disk of {} has {free} MiB free, and {kept} MiB are kept for segments and retention",
            self.dir.display()
        );
        Err(Error::overloaded(said, 10))
    }

    /// Closes the active file and begins the next. Its name is made durable by the next sync, which
    /// no acknowledgement of level `logged` waits for.
    pub(super) fn begin_file(&self, writer: &mut Writer) -> Result<(), Error> {
        failpoint::hit("log-before-roll");
        let base = writer.end.next_offset;
        let path = file_path(self, base);
        let (emptied, previous) = {
            let state = lock(&self.state);
            let previous = state.files.range(..base).next_back().map(|(&base, _)| base);
            (state.files.contains_key(&base), previous)
        };
        if emptied {
            // The file that is closed holds no record, so the next one has its name.
            self.fs
                .unlink(&path)
                .map_err(|error| fs::io_error("unlink", &path, &error))?;
            writer.active = None;
            lock(&self.state).files.remove(&base);
        }
        writer.files_made += 1;
        let head = FileHead {
            base,
            follows: writer.follows.unwrap_or(base),
            previous_base: previous.unwrap_or(0),
            accepted_before: writer.end.accepted,
            arrived_before: writer.last_arrived_unix_ns,
            salt: salt(self.options.salt_seed, base, writer.files_made),
        };
        let file = self.make_file(&path, &head);
        let file = file.map_err(|error| fs::io_error("begin", &path, &error))?;
        failpoint::hit("log-after-roll");
        writer.follows = None;
        writer.active = Some(Active {
            file: Arc::clone(&file),
            base,
            salt: head.salt,
            length: FILE_HEAD_BYTES,
        });
        self.note_new_file(base, file);
        let meta = FileMeta {
            head,
            path,
            length: FILE_HEAD_BYTES,
        };
        let mut state = lock(&self.state);
        state.files.insert(base, meta);
        state.tail = base;
        Ok(())
    }

    fn make_file(&self, path: &std::path::Path, head: &FileHead) -> io::Result<Arc<dyn File>> {
        let file = match self.fs.create(path) {
            // Left by an attempt that failed half-way: it is in no list, so it holds no record.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.fs.unlink(path)?;
                self.fs.create(path)?
            }
            made => made?,
        };
        if let Err(error) = fs::append_all(file.as_ref(), &head.encode()) {
            let _left_for_next_time = self.fs.unlink(path);
            return Err(error);
        }
        Ok(file)
    }
}

/// `log/<base>.log`, padded so that names sort as offsets do.
pub(super) fn file_path(shared: &Shared, base: u64) -> std::path::PathBuf {
    shared.dir.join(format!("{base:020}.log"))
}

fn salt(seed: u64, base: u64, made: u64) -> u64 {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend_from_slice(&base.to_le_bytes());
    bytes.extend_from_slice(&made.to_le_bytes());
    xxhash_rust::xxh3::xxh3_64(&bytes)
}

fn encode(batches: &[SpanBatch], mut buffer: Vec<u8>) -> Result<Encoded, Error> {
    let mut heads = Vec::with_capacity(batches.len());
    for batch in batches {
        let at = buffer.len();
        buffer.resize(at + RECORD_HEAD_BYTES, 0);
        codec::encode(batch, &mut buffer);
        let payload = buffer.get(at + RECORD_HEAD_BYTES..).unwrap_or(&[]);
        let payload_bytes = u32::try_from(payload.len())
            .map_err(|_| Error::invalid("a batch of more than 4 GiB does not fit a record"))?;
        let payload_crc = checksum(payload);
        let spans = batch.len() as u32;
        heads.push((
            at,
            RecordHead {
                payload_bytes,
                payload_crc,
                spans,
                ..RecordHead::default()
            },
        ));
    }
    Ok(Encoded { buffer, heads })
}
