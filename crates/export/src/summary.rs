//! What an export says of itself at its end, in every format: how many spans it has, and what was
//! missing. A file without it was cut.

use serde::{Deserialize, Serialize};
use tracewell_storage::Scanned;

/// The name under which a file has its summary.
pub(crate) const NAME: &str = "tracewellExport";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Spans written.
    pub spans: u64,
    /// Spans that could not be read, at most.
    pub spans_missing: u64,
    /// True when nothing is missing.
    pub complete: bool,
    /// Why something is; sentences.
    pub incomplete_reasons: Vec<String>,
}

impl Summary {
    /// Bytes at the end of any export that are enough to find its summary in.
    pub const TAIL_BYTES: usize = 128 * 1024;

    pub(crate) fn of(scanned: Scanned) -> Summary {
        Summary {
            spans: scanned.spans,
            spans_missing: scanned.spans_missing,
            complete: scanned.incomplete.is_empty() && scanned.spans_missing == 0,
            incomplete_reasons: scanned.incomplete,
        }
    }

    pub(crate) fn json(&self) -> String {
        // Numbers and texts: there is nothing in it that JSON could not hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The summary in the last bytes of an export, of any format; none when the file was cut.
    pub fn find(tail: &[u8]) -> Option<Summary> {
        // What is written behind it never names it again.
        let at = tail
            .windows(NAME.len())
            .rposition(|bytes| bytes == NAME.as_bytes())?;
        let behind = tail.get(at..)?;
        let start = behind.iter().position(|byte| *byte == b'{')?;
        let mut json = serde_json::Deserializer::from_slice(behind.get(start..)?).into_iter();
        json.next()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_found_in_the_tail_and_not_in_a_cut_one() {
        let summary = Summary {
            spans: 7,
            spans_missing: 2,
            complete: false,
            incomplete_reasons: vec!["block 3 is \"damaged\" {".to_owned()],
        };
        let line = format!("…{NAME}: {{}}\n{{\"{NAME}\":{}}}\n\0PAR1", summary.json());
        assert_eq!(Summary::find(line.as_bytes()), Some(summary));
        let cut = line.split("damaged").next().unwrap_or_default();
        assert_eq!(Summary::find(cut.as_bytes()), None);
        assert_eq!(Summary::find(b""), None);
    }
}
