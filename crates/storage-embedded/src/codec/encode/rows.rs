//! The columns: row by row, in as many bits as it takes to tell a row's numbers from the others'.
//! What all rows have in common takes none.

mod values;

use tracewell_model::SpanId;
use tracewell_model::batch::Columns;

use self::values::Values;
use super::super::bits::{BitWriter, Field, Packing};
use super::super::parent;
use super::super::primitive::{put_varint, zigzag};

/// Bits of two numbers that are put as they come.
const START_AND_DURATION: usize = 2 * (6 + 64);

/// Appends the rows.
pub(super) fn put(out: &mut Vec<u8>, c: &Columns) {
    let rows = c.span_id.len();
    put_varint(out, rows as u64);
    if rows == 0 {
        return;
    }
    c.span_id.iter().for_each(|id| out.extend_from_slice(&id.0));
    let parents = put_parents(out, c);
    let kinds = c.kind.iter().zip(&c.status);
    let kinds: Vec<u32> = kinds
        .map(|(&kind, &status)| u32::from(kind | status << 4))
        .collect();
    let rare = Rare::of(c);
    let columns: [&[u32]; 9] = [
        &c.shape,
        &rare.is_there,
        &c.trace,
        &parents,
        &c.operation,
        &c.resource,
        &c.scope,
        &kinds,
        &c.flags,
    ];
    let heads = put_fields(out, &columns.map(Field::of));
    rare.usual
        .iter()
        .for_each(|&number| put_varint(out, number));
    let rares = put_fields(out, &rare.fields);
    let values = Values::put_slots(out, c);

    let bits_max = rows * (heads.width() + rares.width() + START_AND_DURATION) + values.bits();
    let words = heads.pack(&columns);
    let at = out.len();
    out.resize(at + bits_max / 8 + 16, 0);
    let mut bits = BitWriter::new(&mut out[at..]);
    let mut starts = vec![None; c.traces.len()];
    let mut before = 0;
    for row in 0..rows {
        for (width, words) in &words {
            bits.put(words[row], *width);
        }
        if rare.is_there[row] == 1 {
            let numbers = Rare::numbers(c, row);
            rares.put(&mut bits, |field| numbers[field]);
        }
        // Nearest to the start of the span before it in its trace, or in the batch.
        let start = c.start_unix_ns[row];
        let near = starts[c.trace[row] as usize]
            .replace(start)
            .unwrap_or(before);
        before = start;
        bits.put_any(zigzag(start.wrapping_sub(near) as i64));
        bits.put_any(c.duration_ns[row]);
        values.put(&mut bits, c, row);
    }
    let end = at + bits.bytes();
    out.truncate(end);
}

fn put_fields(out: &mut Vec<u8>, fields: &[Field]) -> Packing {
    fields.iter().for_each(|field| field.put(out));
    Packing::new(fields)
}

/// Which rows have their parents, and the ids of those that are elsewhere.
fn put_parents(out: &mut Vec<u8>, c: &Columns) -> Vec<u32> {
    // A direct-mapped table instead of a hash map: what collides is written out.
    let slots_log2 = (c.span_id.len() * 2).next_power_of_two().ilog2().min(16);
    let mut rows = vec![u32::MAX; 1 << slots_log2];
    let slot = |id: SpanId| {
        let mixed = u64::from_le_bytes(id.0).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> (u64::BITS - slots_log2)) as usize
    };
    for (row, &id) in c.span_id.iter().enumerate() {
        rows[slot(id)] = row as u32;
    }
    let mut elsewhere = Vec::new();
    let code = |&id: &SpanId| {
        if id.is_zero() {
            return parent::NONE;
        }
        let row = rows[slot(id)];
        if c.span_id.get(row as usize) == Some(&id) {
            return parent::FIRST_ROW + row;
        }
        elsewhere.extend_from_slice(&id.0);
        parent::ELSEWHERE
    };
    let codes = c.parent.iter().map(code).collect();
    put_varint(out, (elsewhere.len() / size_of::<SpanId>()) as u64);
    out.extend_from_slice(&elsewhere);
    codes
}

/// What few rows have of their own: status messages, events, marks, unmodelled bytes.
struct Rare {
    /// 1 for those rows.
    is_there: Vec<u32>,
    /// What the other rows have.
    usual: [u64; Rare::FIELDS],
    fields: [Field; Rare::FIELDS],
}

impl Rare {
    const FIELDS: usize = 4;

    fn numbers(c: &Columns, row: usize) -> [u64; Rare::FIELDS] {
        let before = row.checked_sub(1).map_or(0, |before| c.rest_end[before]);
        [
            u64::from(c.status_message[row]),
            u64::from(c.event_shape[row]),
            u64::from(c.marks[row]),
            u64::from(c.rest_end[row] > before),
        ]
    }

    fn of(c: &Columns) -> Rare {
        let rows = c.span_id.len();
        // Two of three are mostly the usual.
        let [first, middle, last] = [0, rows / 2, rows - 1].map(|row| Rare::numbers(c, row));
        let usual = if middle == last { middle } else { first };
        let (mut is_there, mut before) = (Vec::with_capacity(rows), 0);
        let mut differing = [0u64; Rare::FIELDS];
        let columns = c
            .status_message
            .iter()
            .zip(&c.event_shape)
            .zip(&c.marks)
            .zip(&c.rest_end);
        for (((&message, &events), &marks), &rest_end) in columns {
            let has_rest = rest_end > std::mem::replace(&mut before, rest_end);
            let numbers: [u64; Rare::FIELDS] =
                [message.into(), events.into(), marks.into(), has_rest.into()];
            let differs: [u64; Rare::FIELDS] =
                std::array::from_fn(|field| numbers[field] ^ usual[field]);
            is_there.push(u32::from(differs != [0; Rare::FIELDS]));
            differing
                .iter_mut()
                .zip(differs)
                .for_each(|(all, bits)| *all |= bits);
        }
        let field = |field| Field::of_differing(usual[field], differing[field]);
        let fields = std::array::from_fn(field);
        Rare {
            is_there,
            usual,
            fields,
        }
    }
}
