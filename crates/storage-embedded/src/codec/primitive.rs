//! Varints and raw bytes: what every coded file is made of.
#![warn(clippy::indexing_slicing)]

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Damaged(pub &'static str);

/// Appends a number, seven bits a byte, the low ones first.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number such that small ones of either sign are short.
pub fn put_zigzag(out: &mut Vec<u8>, number: i64) {
    put_varint(out, zigzag(number));
}

pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Reads what was put; never beyond the end, never more than is there.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes from their start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.0.len()
    }

    /// The next bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (head, tail) = self
            .0
            .split_at_checked(length)
            .ok_or(Damaged("cut short"))?;
        self.0 = tail;
        Ok(head)
    }

    /// The next bytes, as many as the array has.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (head, tail) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(Damaged("cut short"))?;
        self.0 = tail;
        Ok(*head)
    }

    /// One byte.
    pub fn byte(&mut self) -> Result<u8, Damaged> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A number. Most take one byte.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Damaged> {
        match self.0 {
            [byte @ 0..0x80, rest @ ..] => {
                self.0 = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Damaged> {
        let mut number = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged("number beyond 64 bits"))
    }

    /// A signed number.
    pub fn zigzag(&mut self) -> Result<i64, Damaged> {
        Ok(unzigzag(self.varint()?))
    }

    /// A number of at most 32 bits.
    pub fn u32(&mut self) -> Result<u32, Damaged> {
        u32::try_from(self.varint()?).map_err(|_| Damaged("number beyond 32 bits"))
    }

    /// A number of at most 16 bits.
    pub fn u16(&mut self) -> Result<u16, Damaged> {
        u16::try_from(self.varint()?).map_err(|_| Damaged("number beyond 16 bits"))
    }

    /// How many things of at least `bytes_min` bytes each follow. More than the rest can hold is
    /// refused here, so that callers may loop or allocate by it.
    pub fn count(&mut self, bytes_min: usize) -> Result<usize, Damaged> {
        let count = usize::try_from(self.varint()?).map_err(|_| Damaged("count"))?;
        let fits = count
            .checked_mul(bytes_min.max(1))
            .is_some_and(|bytes| bytes <= self.0.len());
        if fits {
            Ok(count)
        } else {
            Err(Damaged("count beyond the end"))
        }
    }

    /// Text with its length before it.
    pub fn text(&mut self) -> Result<&'a str, Damaged> {
        let length = self.count(1)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Damaged("text is not UTF-8"))
    }
}

/// Appends text with its length before it.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_in_and_out() {
        let mut out = Vec::new();
        let numbers = [0, 1, 127, 128, 1 << 32, u64::MAX - 1, u64::MAX];
        numbers
            .iter()
            .for_each(|&number| put_varint(&mut out, number));
        let signed = [0, -1, 1, i64::MIN, i64::MAX];
        signed
            .iter()
            .for_each(|&number| put_zigzag(&mut out, number));
        put_text(&mut out, "é");
        let mut reader = Reader::new(&out);
        numbers
            .iter()
            .for_each(|&number| assert_eq!(reader.varint(), Ok(number)));
        signed
            .iter()
            .for_each(|&number| assert_eq!(reader.zigzag(), Ok(number)));
        assert_eq!(reader.text(), Ok("é"));
        assert_eq!(reader.byte(), Err(Damaged("cut short")));
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(Reader::new(&[0xff; 11]).varint().is_err());
        assert!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2])
                .varint()
                .is_err()
        );
        assert!(Reader::new(&[3, 0, 0]).count(1).is_err());
        assert!(Reader::new(&[1, 0, 0]).count(8).is_err());
    }
}
