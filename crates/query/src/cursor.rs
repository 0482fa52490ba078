//! The search cursor (D18): opaque, stateless, validated. It holds where the page ended, as of when,
//! and of which query; a checksum and the query's hash make a forged or foreign one a 400.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tracewell_model::TraceId;
use tracewell_storage::{Cursor, Order};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::errors::Failure;

/// Changes with the layout; an old cursor is then refused, not misread.
const VERSION: u8 = 1;
/// Tells our checksums from anyone's xxh3.
const SEED: u64 = 0x7261_6365_7765_6c6c;
const PAYLOAD_BYTES: usize = 50;

/// A cursor together with what it belongs to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bookmark {
    pub(crate) cursor: Cursor,
    pub(crate) order: Order,
    /// What `now` was on the first page, so that `now-15m` is the same time on every page.
    pub(crate) now_unix_ns: u64,
    pub(crate) query_hash: u64,
}

/// The hash of a query's canonical text.
pub(crate) fn query_hash(canonical: &str) -> u64 {
    xxh3_64(canonical.as_bytes())
}

pub(crate) fn encode(bookmark: &Bookmark) -> String {
    let order = match bookmark.order {
        Order::Newest => 0,
        Order::Slowest => 1,
    };
    let mut bytes = vec![VERSION, order];
    bytes.extend_from_slice(&bookmark.cursor.trace_id.0);
    for number in [
        bookmark.cursor.key,
        bookmark.cursor.horizon_unix_ns,
        bookmark.now_unix_ns,
        bookmark.query_hash,
    ] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    debug_assert_eq!(bytes.len(), PAYLOAD_BYTES);
    bytes.extend_from_slice(&xxh3_64_with_seed(&bytes, SEED).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a cursor back, if it is one of ours and belongs to this query.
pub(crate) fn decode(text: &str, order: Order, query_hash: u64) -> Result<Bookmark, Failure> {
    let malformed = || Failure::parameter("cursor", text, "next_cursor of an answer, unchanged");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
    let bookmark = read(&bytes).ok_or_else(malformed)?;
    if bookmark.query_hash != query_hash || bookmark.order != order {
        let message = "cursor belongs to another query; accepted: next_cursor of an answer to the same parameters";
        return Err(Failure::about("cursor", message));
    }
    Ok(bookmark)
}

fn read(bytes: &[u8]) -> Option<Bookmark> {
    let (payload, checksum) = bytes.split_at_checked(PAYLOAD_BYTES)?;
    let sound = checksum == xxh3_64_with_seed(payload, SEED).to_be_bytes();
    let (head, numbers) = payload.split_at_checked(18)?;
    let (version, order, trace_id) = match head {
        [version, order, id @ ..] => (*version, *order, TraceId(id.try_into().ok()?)),
        _ => return None,
    };
    if !sound || version != VERSION {
        return None;
    }
    let order = match order {
        0 => Order::Newest,
        1 => Order::Slowest,
        _ => return None,
    };
    let mut numbers = numbers.chunks_exact(8).map(|chunk| {
        chunk
            .iter()
            .fold(0u64, |number, byte| (number << 8) | u64::from(*byte))
    });
    let cursor = Cursor {
        key: numbers.next()?,
        trace_id,
        horizon_unix_ns: numbers.next()?,
    };
    Some(Bookmark {
        cursor,
        order,
        now_unix_ns: numbers.next()?,
        query_hash: numbers.next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_cursors_for_the_same_query_are_taken() {
        let bookmark = Bookmark {
            cursor: Cursor {
                key: u64::MAX,
                trace_id: TraceId([9; 16]),
                horizon_unix_ns: 3,
            },
            order: Order::Slowest,
            now_unix_ns: 4,
            query_hash: query_hash("service=4:cart"),
        };
        let text = encode(&bookmark);
        let hash = bookmark.query_hash;
        assert_eq!(decode(&text, Order::Slowest, hash).ok(), Some(bookmark));
        assert!(decode(&text, Order::Newest, hash).is_err());
        assert!(decode(&text, Order::Slowest, hash + 1).is_err());
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(decode(&forged, Order::Slowest, hash).is_err(), "byte {at}");
        }
        for foreign in [
            "",
            "x",
            "AAAA",
            "é",
            "%00",
            &"A".repeat(78),
            &format!("{text}A"),
        ] {
            assert!(decode(foreign, Order::Slowest, hash).is_err(), "{foreign}");
        }
    }
}
