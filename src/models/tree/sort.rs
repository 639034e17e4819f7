//! Sorting of numbers by some of their bits: where there are many, in passes that count.

use std::ops::Range;

/// Costs of a pass, measured on an EPYC, 2 cores.
const COUNTER: usize = 1; // nanoseconds for four counters to be zeroed and summed, about
const ITEM: usize = 8; // quarters of a nanosecond for an item to be counted and moved

/// Sorts `keys` in ascending order. Only bits in `bits` differ between keys that must not keep their order; what is below comes
/// along, in ascending order too when it was so at first.
pub(super) fn sort_keys(keys: &mut [u64], scratch: &mut Vec<u64>, bits: Range<u32>) {
    let n = keys.len();
    let width = bits.end.saturating_sub(bits.start);
    let comparing = n * (16 + 4 * n.max(1).ilog2() as usize); // quarters of a nanosecond
    let passes = (1..=4).min_by_key(|&passes| counting(n, width, passes)).unwrap_or(1);
    if n <= 32 || comparing <= counting(n, width, passes) {
        keys.sort_unstable();
    } else {
        radix(keys, scratch, bits, width.div_ceil(passes), |&key| key);
    }
}

fn counting(n: usize, width: u32, passes: u32) -> usize {
    passes as usize * (n * ITEM + (COUNTER << width.div_ceil(passes).min(32)))
}

/// Sorts by `bits` of `key`, in passes of `digit` bits, from the lowest; equal ones keep their order. A digit that all items
/// share costs no pass.
pub(super) fn radix<T: Copy + Default>(
    items: &mut [T],
    scratch: &mut Vec<T>,
    bits: Range<u32>,
    digit: u32,
    key: impl Fn(&T) -> u64,
) {
    let digit = digit.clamp(1, 16);
    scratch.clear();
    scratch.resize(items.len(), T::default());
    let (mut from, mut to) = (&mut *items, scratch.as_mut_slice());
    let mut moved = false;
    let mut starts = vec![0u32; 1 << digit];
    for shift in bits.clone().step_by(digit as usize) {
        let mask = (1u64 << digit.min(bits.end - shift)) - 1;
        let place = |item: &T| (key(item) >> shift & mask) as usize; // below 2^digit
        starts.fill(0);
        from.iter().for_each(|item| starts[place(item)] += 1);
        if from.first().is_some_and(|first| starts[place(first)] as usize == from.len()) {
            continue;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += std::mem::replace(start, sum);
        }
        for item in from.iter() {
            let start = &mut starts[place(item)];
            to[*start as usize] = *item;
            *start += 1;
        }
        std::mem::swap(&mut from, &mut to);
        moved = !moved;
    }
    if moved {
        to.copy_from_slice(from);
    }
}

/// A double as an integer of the same order. -0 is 0.
pub(super) fn ordered(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    bits ^ if bits >> 63 == 1 { u64::MAX } else { 1 << 63 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_come_in_order_whatever_their_number(n in 0usize..3000, width in 1u32..20, seed in 0u64..1000) {
            let word = |i: usize| u64::from(crate::rng::word(seed, 0, i as u64)) & ((1 << width) - 1);
            let mut keys: Vec<u64> = (0..n).map(|i| word(i) << 32 | i as u64).collect();
            let mut expected = keys.clone();
            expected.sort_unstable();
            sort_keys(&mut keys, &mut Vec::new(), 32..32 + width);
            prop_assert_eq!(keys, expected);
        }

        #[test]
        fn doubles_keep_their_order_as_integers(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(ordered(a).cmp(&ordered(b)), a.partial_cmp(&b).unwrap());
        }
    }
}
