//! Randomness that is the same on every machine and in every version: a seed names its traffic.

/// Spreads a number over all 64 bits (the finalizer of SplitMix64).
#[inline]
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    pub fn new(seed: u64) -> Random {
        Random(mix(seed))
    }

    /// The sequence of a part of what a seed makes.
    pub fn of(seed: u64, part: u64) -> Random {
        Random(mix(seed ^ mix(part)))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        let number = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        number
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.any() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.unit() * end as f64) as usize
    }

    /// A number below `end`, small ones more often: as customers, routes and tenants are.
    pub fn skewed(&mut self, end: usize) -> usize {
        (self.unit().powi(3) * end as f64) as usize
    }

    /// True this often.
    pub fn chance(&mut self, often: f64) -> bool {
        self.unit() < often
    }

    /// One of these, which are some.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Lognormal around this median, as durations are.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        median * (sigma * normal).exp()
    }
}
