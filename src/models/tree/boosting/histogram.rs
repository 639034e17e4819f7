//! Sums of gradients by bin, in whole numbers: they are the same in whatever order rows come, on however many threads, and those
//! of one child are the parent's less its sibling's, exactly.

use super::bins::LANES;

/// Bins of a feature.
pub(super) const BINS: usize = crate::ops::histogram::BINS;
/// Bins of a block of features.
pub(super) const BLOCK: usize = LANES * BINS;
/// Bits of an entry's second word that count rows; hessians lie above.
const COUNT_BITS: u32 = 28;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
/// 2^52 as bits: what stands in its mantissa counts ones; in that of 2^84, 2^32 each.
const UNIT: u64 = 0x4330 << 48;
const HIGH: u64 = 0x4530 << 48;
const LOW: u64 = (1 << 32) - 1;
/// Rows that can be counted.
pub(super) const MAX_ROWS: usize = (1 << COUNT_BITS) - 1;

/// The sum of gradients in fixed point, and that of hessians with the number of rows: two words that are added as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(16))]
pub(super) struct Entry(pub(super) [u64; 2]);

impl Entry {
    #[inline(always)]
    pub fn add(&mut self, other: Entry) {
        self.0 = [self.0[0].wrapping_add(other.0[0]), self.0[1].wrapping_add(other.0[1])];
    }

    #[inline(always)]
    pub fn subtract(&mut self, other: Entry) {
        self.0 = [self.0[0].wrapping_sub(other.0[0]), self.0[1].wrapping_sub(other.0[1])];
    }

    /// As words, the low half of each integer first.
    #[inline(always)]
    pub fn words(self) -> [u32; 4] {
        let [first, second] = self.0;
        [first as u32, (first >> 32) as u32, second as u32, (second >> 32) as u32]
    }

    /// The entry of four such words.
    pub fn of(words: &[u32]) -> Entry {
        let long = |i: usize| {
            let word = |i: usize| u64::from(words.get(i).copied().unwrap_or(0));
            word(2 * i) | word(2 * i + 1) << 32
        };
        Entry([long(0), long(1)])
    }

    #[inline(always)]
    pub fn count(self) -> u32 {
        (self.0[1] & COUNT) as u32
    }

    /// Whether there are as many rows.
    #[inline(always)]
    pub fn has(self, rows: u32) -> bool {
        self.0[1] & COUNT >= u64::from(rows) // of one width with the sums, for loops over vectors
    }

    /// In units. As `as` rounds it, but by halves that are put behind exponents: AVX2 has no instruction for 64-bit integers.
    #[inline(always)]
    pub fn gradient(self) -> f64 {
        const SIGN: u64 = 1 << 31; // of the high half, which the exponent makes an excess
        let (high, low) = (f64::from_bits(self.0[0] >> 32 ^ (HIGH | SIGN)), f64::from_bits(self.0[0] & LOW | UNIT));
        (high - f64::from_bits(HIGH | SIGN | 1 << 20)) + low // bit 20 is the low half's 2^52
    }

    #[inline(always)]
    pub fn hessian(self) -> f64 {
        f64::from_bits(self.0[1] >> COUNT_BITS | UNIT) - f64::from_bits(UNIT)
    }
}

/// Bins that are looked at side by side.
pub(super) const WIDE: usize = 8;

/// For each bin, the sum up to it, first words and second words apart: loops over bins take whole vectors.
#[derive(Debug)]
pub(super) struct Running {
    words: [[u64; BINS]; 2],
    bins: usize,
}

impl Running {
    pub const NONE: Running = Running { words: [[0; BINS]; 2], bins: 0 };

    /// Takes the sums of a histogram; the last one again up to a whole vector. In place: four thousand bytes that a caller gets
    /// by value are copied.
    pub fn fill(&mut self, histogram: &[Entry]) {
        self.bins = histogram.len().min(BINS);
        let [first, second] = &mut self.words;
        let mut sum = Entry::default();
        for ((first, second), &entry) in first.iter_mut().zip(&mut *second).zip(histogram) {
            sum.add(entry);
            [*first, *second] = sum.0;
        }
        let rest = self.bins..self.bins.next_multiple_of(WIDE);
        first[rest.clone()].fill(sum.0[0]);
        second[rest].fill(sum.0[1]);
    }

    /// The sums up to each bin, vector by vector.
    #[inline(always)]
    pub fn vectors(&self) -> impl Iterator<Item = (&[u64; WIDE], &[u64; WIDE])> {
        let [first, second] = &self.words;
        first.as_chunks().0.iter().zip(second.as_chunks().0).take(self.bins.div_ceil(WIDE))
    }

    /// The sum up to a bin, and `more`.
    pub fn at(&self, bin: usize, more: Entry) -> Entry {
        let [first, second] = &self.words;
        let mut sum = Entry([first[bin % BINS], second[bin % BINS]]);
        sum.add(more);
        sum
    }
}

/// What one unit of the fixed point is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub gradient: f64,
    pub hessian: f64,
}

impl Scale {
    /// The finest powers of two with which no sum overflows, from the sums of absolute gradients and of hessians: 62 bits for
    /// the one (finer than the single precision they come in), 35 for the other.
    pub fn of(gradients: f64, hessians: f64) -> Scale {
        let fit = |sum: f64, bits: i32| match sum > 0.0 && sum.is_finite() {
            true => 2f64.powi((sum.log2().ceil() as i32 - bits).clamp(-1000, 1000)),
            false => 1.0,
        };
        Scale { gradient: fit(gradients, 61), hessian: fit(hessians, 35) }
    }

    /// One row: gradient and hessian, rounded to units.
    #[inline(always)]
    pub fn entry(self, [gradient, hessian]: [f32; 2]) -> Entry {
        let gradient = (f64::from(gradient) * (1.0 / self.gradient)) as i64;
        let hessian = (f64::from(hessian) * (1.0 / self.hessian) + 0.5) as i64;
        Entry([gradient as u64, (hessian as u64) << COUNT_BITS | 1])
    }
}

/// Adds rows to the histograms of a block. `entries` are those of `rows`, in their order.
pub(super) fn build(bins: &[[u8; LANES]], rows: &[u32], entries: &[Entry], out: &mut [Entry]) {
    let Ok(out) = <&mut [Entry; BLOCK]>::try_from(out) else { return };
    out.fill(Entry::default());
    for (&row, &entry) in rows.iter().zip(entries) {
        let bins = bins[row as usize];
        for (lane, &bin) in bins.iter().enumerate() {
            out[lane * BINS + bin as usize].add(entry); // below BLOCK
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn integers_become_doubles_as_a_cast_rounds_them(gradient in any::<i64>(), shift in 0u32..63, rest in any::<u64>()) {
            let gradient = gradient >> shift;
            let entry = Entry([gradient as u64, rest]);
            prop_assert_eq!(entry.gradient(), gradient as f64);
            prop_assert_eq!(entry.hessian(), (rest >> COUNT_BITS) as f64);
        }
    }

    #[test]
    fn sums_are_exact_and_undone_by_subtraction() {
        let scale = Scale::of(1000.0, 250.0);
        let rows: Vec<[f32; 2]> = (0..1000).map(|i| [(i as f32 * 0.37).sin(), (i % 7) as f32 / 28.0]).collect();
        let mut sum = Entry::default();
        rows.iter().for_each(|&row| sum.add(scale.entry(row)));
        let wanted: f64 = rows.iter().map(|row| f64::from(row[0])).sum();
        assert_eq!(sum.count(), 1000);
        assert!((sum.gradient() * scale.gradient - wanted).abs() < 1e-12 * 1000.0);
        let wanted: f64 = rows.iter().map(|row| f64::from(row[1])).sum();
        assert!((sum.hessian() * scale.hessian - wanted).abs() < 1000.0 * scale.hessian);
        rows.iter().rev().for_each(|&row| sum.subtract(scale.entry(row)));
        assert_eq!(sum, Entry::default());
    }
}
