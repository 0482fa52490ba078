//! What a body said before. Gateways group spans by resource and scope: the same ones come again and
//! again in a body, byte for byte, and need not be read and taken in again.
#![warn(clippy::indexing_slicing)]

use xxhash_rust::xxh3::xxh3_64;

use crate::report::Refused;

/// The bytes of a message, and the schema URL beside it.
pub(super) type Said<'a> = (&'a [u8], &'a str);

/// Values by what they were read from. Each has one slot, which its bytes name: of two that have the
/// same one the later stays, so that however many a body has, few are kept.
pub(super) struct Remembered<'a, T> {
    /// By slot: the place in `entries`, counted from 1; 0 for none.
    places: [u16; SLOTS],
    entries: Vec<Entry<'a, T>>,
}

/// Several times as many as the resources of an ordinary body.
const SLOTS: usize = 512;

struct Entry<'a, T> {
    said: Option<Said<'a>>,
    value: T,
}

impl<'a, T> Remembered<'a, T> {
    pub(super) fn new() -> Self {
        Remembered {
            places: [0; SLOTS],
            entries: Vec::new(),
        }
    }

    /// The value that was read from this before, or else what `read` gives; where nothing is said
    /// that could be compared, always that.
    pub(super) fn get(
        &mut self,
        said: Option<Said<'a>>,
        read: impl FnOnce() -> Result<T, Refused>,
    ) -> Result<&mut T, Refused> {
        let slot = said.map_or(0, |(message, _)| xxh3_64(message) as usize % SLOTS);
        let unplaced = &mut 0;
        let place = self.places.get_mut(slot).unwrap_or(unplaced);
        let at = match usize::from(*place).checked_sub(1) {
            Some(at) => at,
            None => {
                let value = read()?;
                self.entries.push(Entry { said, value });
                *place = self.entries.len() as u16;
                return Ok(&mut self.entries.last_mut().expect("just pushed").value);
            }
        };
        let entry = self.entries.get_mut(at).expect("places are of entries");
        if said.is_none() || entry.said != said {
            *entry = Entry {
                said,
                value: read()?,
            };
        }
        Ok(&mut entry.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Reason;

    #[test]
    fn what_was_said_before_is_read_once_and_what_was_not_each_time() {
        let texts: Vec<Vec<u8>> = (0..3 * SLOTS).map(|n| n.to_string().into_bytes()).collect();
        let mut remembered = Remembered::new();
        let mut reads = 0;
        let mut check = |text, url, expected_reads: u32| {
            let said = Some((text, url));
            let value = remembered.get(said, || {
                reads += 1;
                Ok((text, url))
            });
            assert_eq!(*value.unwrap(), (text, url));
            assert!(expected_reads == 0 || reads == expected_reads, "{reads}");
        };
        check(b"a", "", 1);
        check(b"a", "", 1);
        check(b"a", "url", 2);
        check(b"a", "", 3);
        // More than there are slots for: some are read again, none is taken for another.
        for text in texts.iter().chain(&texts) {
            check(text, "", 0);
        }
    }

    #[test]
    fn what_cannot_be_compared_or_was_refused_is_read_again() {
        let mut remembered = Remembered::new();
        for value in 0..3 {
            assert_eq!(*remembered.get(None, || Ok(value)).unwrap(), value);
        }
        let said = Some((&b"x"[..], ""));
        let refused = || Err(Refused::new(Reason::TraceId, String::new()));
        assert!(remembered.get(said, refused).is_err());
        assert_eq!(*remembered.get(said, || Ok(7)).unwrap(), 7);
        assert_eq!(*remembered.get(said, refused).unwrap(), 7);
    }
}
