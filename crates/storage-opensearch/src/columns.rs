//! The rows of a document as bytes, column by column: numbers of one kind side by side compress best.

use hashbrown::HashMap;
use tracewell_model::SpanId;
use tracewell_storage::varint::{Reader, put};

use crate::rows::{Row, Rows};

const VERSION: u8 = 1;

/// Rows by column: ids, then parents (0 none, 1 another trace's, n + 2 a row's), then the rest.
pub(crate) fn encode(rows: &Rows) -> Vec<u8> {
    let all = &rows.rows;
    let mut out = vec![VERSION];
    put(&mut out, all.len() as u64);
    put(&mut out, rows.left_out);
    let at = (2..).zip(all).map(|(at, row)| (row.span_id, at));
    let at: HashMap<SpanId, u64> = at.collect();
    all.iter()
        .for_each(|row| out.extend_from_slice(&row.span_id.0));
    all.iter()
        .for_each(|row| out.extend_from_slice(&row.content.to_le_bytes()));
    for row in all {
        match row.parent.map(|parent| (parent, at.get(&parent))) {
            None => put(&mut out, 0),
            Some((_, Some(&row))) => put(&mut out, row),
            Some((SpanId(id), None)) => {
                put(&mut out, 1);
                out.extend_from_slice(&id);
            }
        }
    }
    let start = all.iter().map(|row| row.start_unix_ns).min().unwrap_or(0);
    let arrived = all.iter().map(|row| row.arrived_unix_ns).min().unwrap_or(0);
    put(&mut out, start);
    put(&mut out, arrived);
    let columns: [&dyn Fn(&Row) -> u64; 5] = [
        &|row| row.start_unix_ns - start,
        &|row| row.duration_ns,
        &|row| row.arrived_unix_ns - arrived,
        &|row| u64::from(row.service),
        &|row| u64::from(row.operation) << 1 | u64::from(row.error),
    ];
    for column in columns {
        all.iter().for_each(|row| put(&mut out, column(row)));
    }
    for row in all {
        put(&mut out, row.tags.len() as u64);
        for &(key, text) in &row.tags {
            put(&mut out, key.into());
            put(&mut out, text.into());
        }
    }
    out
}

/// Reads what [`encode`] wrote; the texts are there already.
pub(crate) fn decode(bytes: &[u8], into: &mut Rows) -> Option<()> {
    let mut reader = Reader(bytes);
    if reader.take(1)? != [VERSION] {
        return None;
    }
    let count = usize::try_from(reader.number()?).ok()?;
    into.left_out = reader.number()?;
    let ids = reader.take(count.checked_mul(8)?)?.chunks_exact(8);
    let ids: Vec<SpanId> = ids.map(SpanId::from_slice).collect::<Option<_>>()?;
    let contents = reader.take(count.checked_mul(8)?)?.chunks_exact(8);
    let mut rows: Vec<Row> = Vec::new();
    for (&span_id, content) in ids.iter().zip(contents) {
        let parent = match reader.number()? {
            0 => None,
            1 => Some(SpanId::from_slice(reader.take(8)?)?),
            at => Some(*ids.get(usize::try_from(at - 2).ok()?)?),
        };
        rows.push(Row {
            span_id,
            parent,
            start_unix_ns: 0,
            duration_ns: 0,
            service: 0,
            operation: 0,
            error: false,
            content: u64::from_le_bytes(content.try_into().ok()?),
            arrived_unix_ns: 0,
            tags: Vec::new(),
        });
    }
    let (start, arrived) = (reader.number()?, reader.number()?);
    for row in &mut rows {
        row.start_unix_ns = start.checked_add(reader.number()?)?;
    }
    for row in &mut rows {
        row.duration_ns = reader.number()?;
    }
    for row in &mut rows {
        row.arrived_unix_ns = arrived.checked_add(reader.number()?)?;
    }
    let texts = into.texts.len() as u64;
    let text = |at: u64| (at < texts).then_some(at as u32);
    for row in &mut rows {
        row.service = text(reader.number()?)?;
    }
    for row in &mut rows {
        let operation = reader.number()?;
        (row.operation, row.error) = (text(operation >> 1)?, operation & 1 == 1);
    }
    for mut row in rows {
        for _ in 0..reader.number()? {
            row.tags
                .push((text(reader.number()?)?, text(reader.number()?)?));
        }
        into.push(row);
    }
    reader.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_rows_are_refused_or_read_as_something() {
        let mut rows = Rows::default();
        let service = rows.intern("shop");
        for number in 1..40u8 {
            rows.push(Row {
                span_id: SpanId([number; 8]),
                parent: (number > 1).then_some(SpanId([number / 2 * 3; 8])),
                start_unix_ns: u64::MAX - u64::from(number),
                duration_ns: u64::from(number) << 20,
                service,
                operation: service,
                error: number == 3,
                content: u64::MAX / u64::from(number),
                arrived_unix_ns: 7,
                tags: vec![(0, 0); usize::from(number % 3)],
            });
        }
        let bytes = encode(&rows);
        let read = |bytes: &[u8]| {
            let mut read = Rows::default();
            read.intern("shop");
            decode(bytes, &mut read).map(|()| read.rows)
        };
        assert_eq!(read(&bytes), Some(rows.rows.clone()));
        for cut in 0..bytes.len() {
            assert_eq!(read(&bytes[..cut]), None, "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&altered).is_none_or(|read| read.len() <= bytes.len()));
        }
    }
}
