//! Where what a source tells of stands in the merged segment: stretch by stretch, since blocks that
//! are copied stay side by side but for those that are not.

/// Numbers that moved together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    from: u32,
    end: u32,
    to: u32,
}

/// Numbers of one kind, ascending in both places.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Moved(Vec<Part>);

/// See the module.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stretches {
    pub(super) fragments: Moved,
    pub(super) rows: Moved,
    pub(super) blocks: Moved,
}

impl Moved {
    /// These, which are beyond all before, went there.
    pub(super) fn push(&mut self, from: u32, count: u32, to: u32) {
        let end = from + count;
        match self.0.last_mut() {
            Some(last) if last.end == from && last.to + (last.end - last.from) == to => {
                last.end = end;
            }
            _ => self.0.push(Part { from, end, to }),
        }
    }

    /// Follows numbers that ascend from this one on.
    pub(super) fn from(&self, first: u32) -> Following<'_> {
        let at = self.0.partition_point(|part| part.end <= first);
        Following {
            parts: self.0.get(at..).unwrap_or_default(),
        }
    }
}

/// See [`Moved::from`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Following<'a> {
    parts: &'a [Part],
}

impl Following<'_> {
    /// Where this one is now; none when it was left behind.
    #[inline]
    pub(super) fn moved(&mut self, number: u32) -> Option<u32> {
        while let [part, rest @ ..] = self.parts {
            if number < part.end {
                return Some(number.checked_sub(part.from)? + part.to);
            }
            self.parts = rest;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_side_by_side_is_one_part() {
        let mut moved = Moved::default();
        for (from, count, to) in [(0, 4, 10), (4, 6, 14), (12, 3, 20), (15, 1, 40)] {
            moved.push(from, count, to);
        }
        let parts: Vec<_> = moved.0.iter().map(|part| part.from..part.end).collect();
        assert_eq!(parts, [0..10, 12..15, 15..16]);
        let all = |first: u32| {
            let mut following = moved.from(first);
            (first..18).map(|n| following.moved(n)).collect::<Vec<_>>()
        };
        let expected: Vec<Option<u32>> = (10..20)
            .map(Some)
            .chain([
                None,
                None,
                Some(20),
                Some(21),
                Some(22),
                Some(40),
                None,
                None,
            ])
            .collect();
        for first in 0..18 {
            assert_eq!(all(first), expected[first as usize..]);
        }
    }
}
