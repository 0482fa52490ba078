//! The columns, from what `encode::rows` wrote.
#![warn(clippy::indexing_slicing)]

mod values;

use tracewell_model::batch::Columns;
use tracewell_model::{SpanId, SpanKind, StatusCode};

use self::values::Values;
use super::super::bits::{BitReader, Field, Packing};
use super::super::parent;
use super::super::primitive::{Damaged, Reader, unzigzag};

/// Bits that the numbers of a row may have at most: shape, whether it is rare, trace, parent,
/// operation, resource, scope, kind and status, flags.
const HEADS: [u32; 9] = [32, 1, 32, 32, 32, 32, 32, 8, 32];
/// And of what is rare: status message, shape of events, marks, whether it has unmodelled bytes.
const RARES: [u32; 4] = [32, 32, 16, 1];

/// Reads the rows; answers which of them have unmodelled bytes.
pub(super) fn read(r: &mut Reader<'_>, c: &mut Columns) -> Result<Vec<usize>, Damaged> {
    // A row is eight bytes of span id at least: this bounds every column below.
    let rows = r.count(size_of::<SpanId>())?;
    if rows == 0 {
        return Ok(Vec::new());
    }
    c.span_id = read_ids(r, rows)?;
    let elsewhere = r.count(size_of::<SpanId>())?;
    let elsewhere = read_ids(r, elsewhere)?;
    let heads = Fields::read(r, HEADS)?;
    let mut usual = [0; RARES.len()];
    for number in &mut usual {
        *number = r.varint()?;
    }
    let rares = Fields::read(r, RARES)?;
    let mut values = Values::read(r, c)?;
    let mut bits = BitReader::new(r.take(r.remaining())?);
    let (mut parents, mut with_rest) = (Vec::with_capacity(rows), Vec::new());
    reserve(c, rows);
    let mut starts = vec![None; c.traces.len()];
    let mut before = 0u64;
    for row in 0..rows {
        let [
            shape,
            is_rare,
            trace,
            parent,
            operation,
            resource,
            scope,
            kind,
            flags,
        ] = heads.read_row(&mut bits)?;
        let [message, event_shape, marks, has_rest] = match is_rare {
            0 => usual,
            _ => rares.read_row(&mut bits)?,
        };
        let last = starts
            .get_mut(trace as usize)
            .ok_or(Damaged("position of a trace"))?;
        let near = last.unwrap_or(before);
        before = near.wrapping_add(unzigzag(bits.get_any()?) as u64);
        *last = Some(before);
        c.start_unix_ns.push(before);
        c.duration_ns.push(bits.get_any()?);
        values.read_row(&mut bits, &mut c.values, shape, event_shape)?;
        c.value_end
            .push(u32::try_from(c.values.len()).map_err(|_| Damaged("too many values"))?);
        c.shape.push(shape as u32);
        c.event_shape.push(event_shape as u32);
        c.trace.push(trace as u32);
        parents.push(parent as u32);
        c.operation.push(operation as u32);
        c.resource.push(resource as u32);
        c.scope.push(scope as u32);
        c.kind.push(kind as u8 & 15);
        c.status.push(kind as u8 >> 4);
        c.flags.push(flags as u32);
        c.status_message.push(message as u32);
        c.marks.push(marks as u16);
        if has_rest == 1 {
            with_rest.push(row);
        }
    }
    *r = Reader::new(bits.rest());
    c.parent = parents_of(&parents, &c.span_id, &elsewhere)?;
    values.check(c)?;
    check(c)?;
    Ok(with_rest)
}

fn read_ids(r: &mut Reader<'_>, count: usize) -> Result<Vec<SpanId>, Damaged> {
    let (ids, _) = r.take(count * size_of::<SpanId>())?.as_chunks();
    Ok(ids.iter().copied().map(SpanId).collect())
}

fn reserve(c: &mut Columns, rows: usize) {
    let numbers = [
        &mut c.shape,
        &mut c.event_shape,
        &mut c.trace,
        &mut c.operation,
        &mut c.resource,
        &mut c.scope,
        &mut c.flags,
        &mut c.status_message,
        &mut c.value_end,
        &mut c.rest_end,
    ];
    numbers
        .into_iter()
        .for_each(|column| column.reserve_exact(rows));
    c.start_unix_ns.reserve_exact(rows);
    c.duration_ns.reserve_exact(rows);
    c.kind.reserve_exact(rows);
    c.status.reserve_exact(rows);
    c.marks.reserve_exact(rows);
}

/// Numbers of a row.
struct Fields<const N: usize> {
    bases: [u64; N],
    packing: Packing,
}

impl<const N: usize> Fields<N> {
    fn read(r: &mut Reader<'_>, widths_max: [u32; N]) -> Result<Fields<N>, Damaged> {
        let mut fields = [Field::default(); N];
        for (field, width_max) in fields.iter_mut().zip(widths_max) {
            *field = Field::read(r, width_max)?;
        }
        Ok(Fields {
            bases: fields.map(|field| field.base),
            packing: Packing::new(&fields),
        })
    }

    #[inline]
    fn read_row(&self, bits: &mut BitReader<'_>) -> Result<[u64; N], Damaged> {
        let mut numbers = self.bases;
        self.packing.get(bits, &mut numbers)?;
        Ok(numbers)
    }
}

/// The ids of parents.
fn parents_of(
    codes: &[u32],
    rows: &[SpanId],
    elsewhere: &[SpanId],
) -> Result<Vec<SpanId>, Damaged> {
    let mut elsewhere = elsewhere.iter();
    let mut parents = Vec::with_capacity(codes.len());
    for &code in codes {
        let id = match code {
            parent::NONE => Some(SpanId::default()),
            parent::ELSEWHERE => elsewhere.next().copied(),
            row => rows.get((row - parent::FIRST_ROW) as usize).copied(),
        };
        parents.push(id.ok_or(Damaged("parent of a row"))?);
    }
    match elsewhere.next() {
        None => Ok(parents),
        Some(_) => Err(Damaged("more parents than rows")),
    }
}

/// Holds every position against what it points into. Shapes and traces were looked up already.
fn check(c: &Columns) -> Result<(), Damaged> {
    let below = |positions: &[u32], count: usize| {
        let largest = positions.iter().max();
        largest.is_none_or(|&largest| (largest as usize) < count)
    };
    let columns = [
        (&c.operation, c.text.len(), "operation of a row"),
        (&c.status_message, c.text.len(), "status message of a row"),
        (&c.resource, c.resources.len(), "resource of a row"),
        (&c.scope, c.scopes.len(), "scope of a row"),
    ];
    for (positions, count, what) in columns {
        if !below(positions, count) {
            return Err(Damaged(what));
        }
    }
    let kinds = c.kind.iter().all(|&kind| SpanKind::from_u8(kind).is_some());
    let statuses = c
        .status
        .iter()
        .all(|&status| StatusCode::from_u8(status).is_some());
    if !kinds || !statuses {
        return Err(Damaged("kind or status of a row"));
    }
    Ok(())
}
