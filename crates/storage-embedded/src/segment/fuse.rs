//! Binary fuse filters: whether a set of hashes may hold one. Three looks into an array that is an
//! eighth longer than the set; no set member is ever denied, and of the others one in 256 is let
//! through with one byte a slot, one in 65,536 with two. The layout is ours and pinned
//! (docs/formats/segment.md, *filter*): a library's own may change under us.
//!
//! The array is cut into segments of equal length. A hash names a slot in each of three
//! neighbouring segments; the exclusive or of the three is its *print*. To build one, slots that
//! only one hash names are taken away one after the other, with their hashes, until none is left;
//! in reverse order each hash then finds its own slot still free to make the three add up.
#![warn(clippy::indexing_slicing)]

use crate::codec::{Damaged, Reader, put_varint};

/// Prints of one byte: 9 to 10 bits for each hash of a set of thousands.
pub(crate) type Fuse8 = Fuse<1>;
/// Prints of two bytes.
pub(crate) type Fuse16 = Fuse<2>;

/// Bits of a mixed hash.
const MIXED_BITS: u32 = 58;
/// One hash, as a builder counts them.
const ONE: u64 = 1 << MIXED_BITS;
/// Longest segment, as a power of two: a hash has bits for this many slots twice.
const SEGMENT_BITS_MAX: u32 = 18;
/// Attempts before a set counts as unfit. The first fails about once in fifty with few hashes,
/// hardly ever with many; whoever chooses hashes to spoil one has to spoil all.
const ATTEMPTS_MAX: u32 = 8;

/// See the module. `W` is the bytes of a print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fuse<const W: usize> {
    shape: Shape,
    prints: Vec<u8>,
}

/// What the slots of a hash follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Which attempt succeeded: it gives the seed.
    attempt: u32,
    /// Length of a segment, as a power of two.
    segment_bits: u32,
    /// Segments in which a first slot may lie; two more follow.
    segments: u32,
}

impl Shape {
    /// Segments grow with the set, so that neighbours overlap enough to be peeled. Each attempt has
    /// one more of them than that before.
    fn of(hashes: usize, attempt: u32) -> Shape {
        let count = hashes.max(2) as f64;
        let segment_bits = (count.ln() / 3.33_f64.ln() + 2.25).floor() as u32;
        let segment_bits = segment_bits.min(SEGMENT_BITS_MAX);
        let surplus = (0.885 + 0.25 * 1e6_f64.ln() / count.ln()).max(1.125);
        let slots = (count * surplus).round() as usize;
        let segments = slots.div_ceil(1 << segment_bits).saturating_sub(2).max(1);
        Shape {
            attempt,
            segment_bits,
            segments: segments as u32 + attempt,
        }
    }

    fn slots(self) -> usize {
        (self.segments as usize + 2) << self.segment_bits
    }

    /// A hash as this attempt sees it: 58 bits, which leaves a builder six to count with.
    #[inline]
    fn mixed(self, hash: u64) -> u64 {
        let mixed = hash ^ u64::from(self.attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
        (mixed ^ mixed >> 32) & (ONE - 1)
    }

    /// Its three slots: the high bits choose the first, two spans of low bits move the others.
    #[inline]
    fn slots_of(self, mixed: u64) -> [usize; 3] {
        let firsts = u128::from(self.segments) << self.segment_bits;
        let first = ((u128::from(mixed) * firsts) >> MIXED_BITS) as usize;
        let length = 1usize << self.segment_bits;
        let mask = length - 1;
        let second = (first + length) ^ ((mixed >> SEGMENT_BITS_MAX) as usize & mask);
        let third = (first + 2 * length) ^ (mixed as usize & mask);
        [first, second, third]
    }
}

/// The print of a mixed hash: its highest bytes after one more multiplication.
#[inline]
fn print_of<const W: usize>(mixed: u64) -> u16 {
    (mixed.wrapping_mul(0xA076_1D64_78BD_642F) >> (64 - 8 * W)) as u16
}

impl<const W: usize> Fuse<W> {
    /// True for each hash of the set, and rarely for another.
    #[inline]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let mixed = self.shape.mixed(hash);
        let prints = self.shape.slots_of(mixed).map(|slot| self.print(slot));
        prints.into_iter().fold(print_of::<W>(mixed), |a, b| a ^ b) == 0
    }

    #[inline]
    fn print(&self, slot: usize) -> u16 {
        match self.prints.as_chunks::<W>().0.get(slot) {
            Some(bytes) => bytes
                .iter()
                .rev()
                .fold(0, |print, &byte| print << 8 | u16::from(byte)),
            None => 0,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.prints.len()
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, u64::from(self.shape.attempt));
        put_varint(out, u64::from(self.shape.segment_bits));
        put_varint(out, u64::from(self.shape.segments));
        out.extend_from_slice(&self.prints);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Damaged> {
        let shape = Shape {
            attempt: r.u32()?,
            segment_bits: r.u32()?,
            segments: r.u32()?,
        };
        if shape.segment_bits > SEGMENT_BITS_MAX || shape.segments == 0 {
            return Err(Damaged("shape of a filter"));
        }
        let slots = (u64::from(shape.segments) + 2) << shape.segment_bits;
        let bytes = slots
            .checked_mul(W as u64)
            .and_then(|bytes| usize::try_from(bytes).ok());
        let prints = r.take(bytes.ok_or(Damaged("size of a filter"))?)?.to_vec();
        Ok(Fuse { shape, prints })
    }
}

/// Builds filters; its room is used again from one to the next.
#[derive(Debug, Default)]
pub(crate) struct FuseBuilder {
    /// For each slot how many hashes name it, times `ONE`, and the mixed ones under exclusive or:
    /// of one hash, itself.
    named: Vec<u64>,
    /// Slots that only one hash names.
    single: Vec<u32>,
    /// Mixed hashes as they were taken away, each with its own slot.
    peeled: Vec<(u64, u32)>,
}

impl FuseBuilder {
    /// The filter of these hashes, equal ones of which are rare; none when they are too many for one
    /// or spoilt on purpose.
    pub(crate) fn build<const W: usize>(&mut self, hashes: &[u64]) -> Option<Fuse<W>> {
        if hashes.len() > u32::MAX as usize / 8 {
            return None;
        }
        if let Some(fuse) = self.attempt(hashes, 0) {
            return Some(fuse);
        }
        // Equal hashes are never peeled: that there are some shows here, and costs nothing before.
        let mut distinct = hashes.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        (1..ATTEMPTS_MAX).find_map(|attempt| self.attempt(&distinct, attempt))
    }

    fn attempt<const W: usize>(&mut self, hashes: &[u64], attempt: u32) -> Option<Fuse<W>> {
        let shape = Shape::of(hashes.len(), attempt);
        let fits = self.name_slots(hashes, shape) && self.peel(hashes.len(), shape);
        fits.then(|| self.assign(shape))
    }

    /// Notes who names each slot; false when too many do.
    fn name_slots(&mut self, hashes: &[u64], shape: Shape) -> bool {
        self.named.clear();
        self.named.resize(shape.slots(), 0);
        let mut most = 0;
        for &hash in hashes {
            let mixed = shape.mixed(hash);
            for slot in shape.slots_of(mixed) {
                if let Some(named) = self.named.get_mut(slot) {
                    *named = named.wrapping_add(ONE) ^ mixed;
                    most = most.max(*named);
                }
            }
        }
        // Before a count overflows it is seen here.
        most < u64::MAX - ONE
    }

    /// Takes away hashes with a slot of their own until none is left; false when some stay.
    fn peel(&mut self, hashes: usize, shape: Shape) -> bool {
        self.peeled.clear();
        // A slot becomes single once at most.
        self.single.clear();
        self.single.resize(self.named.len() + 1, 0);
        let mut singles = 0;
        // Noted in any case and counted if so: half of these branches would be guessed wrong.
        let note = |single: &mut [u32], singles: &mut usize, slot: usize, named: u64| {
            if let Some(place) = single.get_mut(*singles) {
                *place = slot as u32;
            }
            *singles += usize::from(named / ONE == 1);
        };
        for (slot, &named) in self.named.iter().enumerate() {
            note(&mut self.single, &mut singles, slot, named);
        }
        while let Some(last) = singles.checked_sub(1) {
            singles = last;
            let own = self.single.get(last).copied().unwrap_or(0);
            let named = self.named.get(own as usize).copied().unwrap_or(0);
            // The hash may have been taken away by another slot of its own since.
            if named / ONE != 1 {
                continue;
            }
            let mixed = named % ONE;
            self.peeled.push((mixed, own));
            for slot in shape.slots_of(mixed) {
                if let Some(named) = self.named.get_mut(slot) {
                    *named = named.wrapping_sub(ONE) ^ mixed;
                    note(&mut self.single, &mut singles, slot, *named);
                }
            }
        }
        self.peeled.len() == hashes
    }

    /// Sets each hash's own slot so that its three prints add up, the last one taken away first.
    fn assign<const W: usize>(&self, shape: Shape) -> Fuse<W> {
        let mut fuse = Fuse {
            shape,
            prints: vec![0; shape.slots() * W],
        };
        for &(mixed, own) in self.peeled.iter().rev() {
            // Its own slot is still 0 and adds nothing.
            let print = shape
                .slots_of(mixed)
                .into_iter()
                .fold(print_of::<W>(mixed), |print, slot| print ^ fuse.print(slot));
            if let Some(bytes) = fuse.prints.as_chunks_mut::<W>().0.get_mut(own as usize) {
                let print = print.to_le_bytes();
                bytes
                    .iter_mut()
                    .zip(print)
                    .for_each(|(to, from)| *to = from);
            }
        }
        fuse
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn hashes(seed: u64, count: usize) -> Vec<u64> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..count).map(|_| random.u64(..)).collect()
    }

    fn build<const W: usize>(hashes: &[u64]) -> Fuse<W> {
        FuseBuilder::default().build(hashes).expect("a fit set")
    }

    #[test]
    fn no_member_is_denied_whatever_the_size() {
        let mut builder = FuseBuilder::default();
        for count in (1..400).chain([1_000, 4_096, 5_000, 20_000, 300_000]) {
            let hashes = hashes(count as u64, count);
            let fuse: Fuse8 = builder.build(&hashes).expect("a fit set");
            assert!(hashes.iter().all(|&hash| fuse.may_hold(hash)), "{count}");
            let fuse: Fuse16 = builder.build(&hashes).expect("a fit set");
            assert!(hashes.iter().all(|&hash| fuse.may_hold(hash)), "{count}");
        }
    }

    #[test]
    fn strangers_are_let_through_as_rarely_as_said() {
        let strangers = hashes(99, 1_000_000);
        let through =
            |holds: &dyn Fn(u64) -> bool| strangers.iter().filter(|&&hash| holds(hash)).count();
        let members = hashes(1, 5_000);
        let eight: Fuse8 = build(&members);
        let sixteen: Fuse16 = build(&members);
        let share = through(&|hash| eight.may_hold(hash));
        assert!(
            (3_500..4_400).contains(&share),
            "{share} of a million, not 3,906"
        );
        let share = through(&|hash| sixteen.may_hold(hash));
        assert!(share < 40, "{share} of a million, not 15");
    }

    #[test]
    fn a_filter_is_small() {
        let bits = |count| build::<1>(&hashes(7, count)).prints.len() as f64 * 8.0 / count as f64;
        assert!(bits(300_000) < 9.5);
        assert!(bits(5_000) < 11.0);
        assert!(bits(100) < 16.0);
    }

    #[test]
    fn equal_hashes_and_hashes_of_one_slot_do_no_harm() {
        let mut repeated = hashes(3, 1_000);
        repeated.extend_from_within(..);
        let fuse: Fuse8 = build(&repeated);
        assert!(repeated.iter().all(|&hash| fuse.may_hold(hash)));
        let same = vec![42; 70_000];
        let fuse: Fuse16 = build(&same);
        assert!(fuse.may_hold(42));
        // All of these name one slot at the first attempt.
        let shape = Shape::of(300, 0);
        let slot = |hash: &u64| shape.slots_of(shape.mixed(*hash))[0] == 5;
        let mut random = fastrand::Rng::with_seed(4);
        let crowd = std::iter::repeat_with(|| random.u64(..)).filter(slot);
        let crowd: Vec<_> = crowd.take(300).collect();
        let fuse: Fuse8 = build(&crowd);
        assert!(fuse.shape.attempt > 0 && crowd.iter().all(|&hash| fuse.may_hold(hash)));
    }

    #[test]
    fn a_filter_goes_in_and_out_and_damage_is_no_panic() {
        let members = hashes(5, 500);
        let fuse: Fuse16 = build(&members);
        let mut bytes = Vec::new();
        fuse.put(&mut bytes);
        let read = |bytes: &[u8]| Fuse16::read(&mut Reader::new(bytes));
        assert_eq!(read(&bytes).as_ref(), Ok(&fuse));
        assert!((0..bytes.len()).all(|length| read(&bytes[..length]).is_err()));
        let huge = [0, 18, 0xff, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(read(&huge), Err(Damaged("cut short")));
        assert_eq!(read(&[0, 19, 1]), Err(Damaged("shape of a filter")));
    }

    /// Filters of an older release are asked with today's code.
    #[test]
    fn the_layout_is_pinned() {
        let members: Vec<u64> = (1..=100)
            .map(|n: u64| n.wrapping_mul(0x0123_4567_89AB_CDEF))
            .collect();
        let mut bytes = Vec::new();
        build::<1>(&members).put(&mut bytes);
        build::<2>(&members).put(&mut bytes);
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (582, 1_380_956_271));
    }
}
