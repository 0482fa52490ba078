//! Unmodelled bytes. They hold a span's events whole, whose attributes are lifted out for search too:
//! texts that stand in both are written once, and named here.

use tracewell_model::attribute::ValueType;
use tracewell_model::batch::Columns;

use super::super::copies::Copies;
use super::super::primitive::put_varint;

/// Shorter texts are not looked for.
const LENGTH_MIN: usize = 16;
/// How far a text is looked for behind the one before it: the frame of an event lies between.
const DISTANCE_MAX: usize = 256;

/// Appends the bytes of the rows that have some.
pub(super) fn put(out: &mut Vec<u8>, c: &Columns, copies: &mut Copies) {
    let mut from = 0;
    for (row, &end) in c.rest_end.iter().enumerate() {
        let bytes = &c.rest[from..end as usize];
        from = end as usize;
        if !bytes.is_empty() {
            put_row(out, bytes, event_texts(c, row), c, copies);
        }
    }
}

/// Parts: bytes that stand here, then a text, or the end.
fn put_row(
    out: &mut Vec<u8>,
    mut bytes: &[u8],
    texts: impl Iterator<Item = u32>,
    c: &Columns,
    copies: &mut Copies,
) {
    for position in texts {
        let text = c.text.get(position).as_bytes();
        let found = find(bytes, text).filter(|_| copies.take(text.len()));
        if let Some(at) = found {
            put_varint(out, (at as u64) << 1 | 1);
            out.extend_from_slice(&bytes[..at]);
            put_varint(out, u64::from(position));
            copies.note_own(at);
            bytes = &bytes[at + text.len()..];
        }
    }
    put_varint(out, (bytes.len() as u64) << 1);
    out.extend_from_slice(bytes);
    copies.note_own(bytes.len());
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let near = &bytes[..bytes.len().min(DISTANCE_MAX + text.len())];
    let long = text.len() >= LENGTH_MIN;
    let mut windows = near.windows(text.len().max(1));
    long.then(|| windows.position(|window| window == text))
        .flatten()
}

/// The texts of its events' attributes, in order.
fn event_texts(c: &Columns, row: usize) -> impl Iterator<Item = u32> + '_ {
    let shape = &c.shapes[c.event_shape[row] as usize];
    let words = &c.values[..c.value_end[row] as usize];
    let words = &words[words.len() - shape.len()..];
    let texts = shape
        .iter()
        .zip(words)
        .filter(|((_, value_type), _)| *value_type == ValueType::Str);
    texts.map(|(_, &word)| word as u32)
}
