//! Distinct byte strings of columns, by position. They are copied, so that those that are asked for
//! again and again lie together, and not all over the batches.

#[derive(Clone, Copy, Debug)]
struct Held {
    from: usize,
    length: u32,
    column: u32,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Interner {
    bytes: Vec<u8>,
    held: Vec<Held>,
    /// A power of two of them, half of them free or more. What is held stands in the place that its
    /// hash says, or in the next free one after it.
    places: Vec<Place>,
}

/// Of whom this is not is mostly told by the hash, without a look at what is held.
#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    at: u32,
}

const PLACES_MIN: usize = 1 << 10;

/// A place to insert what was not found.
#[derive(Debug)]
pub(super) struct Vacant {
    place: usize,
    hash: u32,
}

impl Place {
    const FREE: Place = Place {
        hash: 0,
        at: u32::MAX,
    };
}

impl Default for Interner {
    fn default() -> Self {
        Interner {
            bytes: Vec::new(),
            held: Vec::new(),
            places: vec![Place::FREE; PLACES_MIN],
        }
    }
}

impl Interner {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Forgets everything. Places that were far too many are given up, so that it does not take long
    /// for ever after it once was large.
    pub(super) fn clear(&mut self) {
        if self.places.len() > PLACES_MIN && self.held.len() * 16 < self.places.len() {
            self.places = vec![Place::FREE; PLACES_MIN.max(self.places.len() / 4)];
        } else {
            self.places.fill(Place::FREE);
        }
        self.bytes.clear();
        self.held.clear();
    }

    /// The bytes at this position.
    #[inline]
    pub(super) fn bytes(&self, at: u32) -> &[u8] {
        self.held[at as usize].bytes(&self.bytes)
    }

    /// The column of those at this position.
    pub(super) fn column(&self, at: u32) -> u32 {
        self.held[at as usize].column
    }

    /// The position, or where to insert it.
    #[inline]
    pub(super) fn find(&self, hash: u64, column: u32, bytes: &[u8]) -> Result<u32, Vacant> {
        let hash = (hash >> 32) as u32;
        let mut place = first_place(hash, self.places.len());
        loop {
            let Place { hash: known, at } = self.places[place];
            if at == Place::FREE.at {
                return Err(Vacant { place, hash });
            }
            if known == hash && self.held[at as usize].is(column, bytes, &self.bytes) {
                return Ok(at);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
    }

    /// Takes in what was not found; answers its position.
    pub(super) fn insert(&mut self, vacant: Vacant, column: u32, bytes: &[u8]) -> u32 {
        let Vacant { place, hash } = vacant;
        let at = self.held.len() as u32;
        self.places[place] = Place { hash, at };
        self.held.push(Held {
            from: self.bytes.len(),
            length: bytes.len() as u32,
            column,
        });
        self.bytes.extend_from_slice(bytes);
        if self.held.len() * 2 > self.places.len() {
            self.grow();
        }
        at
    }

    /// The position; a new one if need be.
    #[inline]
    pub(super) fn intern(&mut self, hash: u64, column: u32, bytes: &[u8]) -> u32 {
        match self.find(hash, column, bytes) {
            Ok(at) => at,
            Err(vacant) => self.insert(vacant, column, bytes),
        }
    }

    fn grow(&mut self) {
        let mut places = vec![Place::FREE; self.places.len() * 4];
        let mask = places.len() - 1;
        for &taken in self
            .places
            .iter()
            .filter(|place| place.at != Place::FREE.at)
        {
            let mut place = first_place(taken.hash, places.len());
            while places[place].at != Place::FREE.at {
                place = (place + 1) & mask;
            }
            places[place] = taken;
        }
        self.places = places;
    }
}

/// The high bits of a hash say where it is looked for first.
#[inline]
fn first_place(hash: u32, places: usize) -> usize {
    ((u64::from(hash) * places as u64) >> 32) as usize
}

impl Held {
    #[inline]
    fn bytes(self, all: &[u8]) -> &[u8] {
        &all[self.from..self.from + self.length as usize]
    }

    #[inline]
    fn is(self, column: u32, bytes: &[u8], all: &[u8]) -> bool {
        self.column == column && self.bytes(all) == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of many, of one for all, and of the last place, from where the search goes on at the
    /// first.
    #[test]
    fn what_was_interned_is_found_again_and_nothing_else() {
        let spread = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for hash in [spread, |_| 0, |_| u64::MAX] {
            let mut interner = Interner::default();
            for round in 0..2 {
                for number in 0..1_500u64 {
                    let (column, bytes) = (number as u32 % 2, (number / 2).to_le_bytes());
                    let is_there = interner.find(hash(number), column, &bytes).is_ok();
                    assert_eq!(is_there, round == 1);
                    let at = interner.intern(hash(number), column, &bytes);
                    assert_eq!(u64::from(at), number);
                    assert_eq!(interner.bytes(at), bytes);
                    assert_eq!(interner.column(at), column);
                }
            }
            assert_eq!(interner.len(), 1_500);
            interner.clear();
            assert!(interner.find(hash(0), 0, &0u64.to_le_bytes()).is_err());
        }
    }
}
