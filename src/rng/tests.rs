use super::*;
use rand::TryRng;

/// From `kat_vectors` of Random123 1.14: counter, key, answer of philox4x32 with 10 rounds.
const KNOWN: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
    ([0; 4], [0; 2], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]),
    ([u32::MAX; 4], [u32::MAX; 2], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]),
    (
        [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
        [0xa4093822, 0x299f31d0],
        [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ),
];

/// How far counts are from those expected, in standard deviations of the chi-square distribution.
fn surprise(counts: &[u64], expected: &[f64]) -> f64 {
    let chi2: f64 = counts.iter().zip(expected).map(|(n, e)| (*n as f64 - e).powi(2) / e).sum();
    let freedom = counts.len() as f64 - 1.0;
    (chi2 - freedom) / (2.0 * freedom).sqrt()
}

fn uniforms(seed: u64, n: usize) -> Vec<f32> {
    let mut out = vec![f32::NAN; n];
    fill_uniform(seed, 0, 0, &mut out);
    out
}

/// Sample correlation of two series, times √n: a standard normal number when they are independent.
fn correlation(x: &[f32], y: &[f32]) -> f64 {
    let n = x.len().min(y.len()) as f64;
    let mean = |v: &[f32]| v.iter().map(|x| f64::from(*x)).sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let terms = x.iter().zip(y).map(|(x, y)| (f64::from(*x) - mx, f64::from(*y) - my));
    let (xy, xx, yy) = terms.fold((0.0, 0.0, 0.0), |s, (x, y)| (s.0 + x * y, s.1 + x * x, s.2 + y * y));
    xy / (xx * yy).sqrt() * n.sqrt()
}

#[test]
fn philox_gives_the_published_answers() {
    for (counter, key, answer) in KNOWN {
        assert_eq!(philox(key, counter.map(|c| [c])), answer.map(|a| [a]));
        assert_eq!(philox(key, counter.map(|c| [c; 5])), answer.map(|a| [a; 5]));
    }
    assert_eq!(block(0, 0), KNOWN[0].2);
}

#[test]
fn any_part_of_a_tensor_is_filled_as_the_whole_is() {
    let (seed, base) = (3, u64::MAX - 5); // blocks wrap around inside
    let whole: Vec<u32> = (0..300).map(|i| word(seed, base, i)).collect();
    for start in [0, 1, 2, 3, 4, 5, 31, 32, 33, 100] {
        for len in [0, 1, 2, 3, 4, 5, 31, 32, 33, 150] {
            let mut part = vec![0; len];
            fill_words(seed, base, start as u64, &mut part);
            assert_eq!(part, whole[start..start + len], "{start} {len}");
            let mut floats = vec![0.0; len];
            fill_uniform(seed, base, start as u64, &mut floats);
            assert!(floats.iter().zip(&part).all(|(f, w)| *f == uniform(*w)));
            fill_normal(seed, base, start as u64, &mut floats);
            let at = |i: usize| normals(block(seed, base.wrapping_add(i as u64 / 4)))[i % 4];
            assert!(floats.iter().enumerate().all(|(i, f)| *f == at(start + i)));
        }
    }
}

#[test]
fn reserved_numbers_do_not_overlap() {
    let mut rng = Rng::seed(1);
    let (a, b) = (rng.reserve(5), rng.reserve(1));
    let (c, next) = (rng.reserve(0), rng.state().1);
    assert_eq!((a, b, c, next), (0, 2, 3, 3));
}

#[test]
fn vectors_of_numbers_are_those_set_aside() {
    let mut rng = Rng::seed(8);
    let (a, b, c) = (rng.uniforms(6), rng.normals(5), rng.uniforms(1));
    assert!(a.iter().enumerate().all(|(i, x)| *x == uniform(word(8, 0, i as u64))));
    assert!(b.iter().enumerate().all(|(i, x)| *x == normals(block(8, 2 + i as u64 / 4))[i % 4]));
    assert_eq!(c, [uniform(word(8, 4, 0))]);
    assert_eq!(rng.state(), (8, 5));
}

#[test]
fn uniform_reaches_from_zero_to_just_below_one() {
    assert_eq!(uniform(0), 0.0);
    assert_eq!(uniform(u32::MAX), 1.0 - f32::EPSILON / 2.0);
    assert_eq!(uniform(1 << 31), 0.5);
}

#[test]
fn uniform_numbers_are_uniform_and_uncorrelated() {
    let n = 1 << 20;
    for seed in [0, 1, 0xdead_beef_0000_0001] {
        let x = uniforms(seed, n);
        let mut counts = [0u64; 256];
        x.iter().for_each(|x| counts[(x * 256.0) as usize] += 1);
        // 5 standard deviations: one seed in a million would fail by chance, and these are fixed
        assert!(surprise(&counts, &[n as f64 / 256.0; 256]).abs() < 5.0, "seed {seed}");
        for lag in [1, 2, 3, 4, 5, 32] {
            assert!(correlation(&x, &x[lag..]).abs() < 5.0, "seed {seed}, lag {lag}");
        }
        let neighbour = uniforms(seed + 1, n);
        assert!(correlation(&x, &neighbour).abs() < 5.0, "seeds {seed} and the next");
        let fork = uniforms(Rng::seed(seed).fork(1).state().0, n);
        assert!(correlation(&x, &fork).abs() < 5.0, "seed {seed} and its fork");
    }
}

#[test]
fn every_bit_of_a_word_is_fair() {
    let n = 1 << 18;
    let mut words = vec![0; n];
    fill_words(9, 0, 0, &mut words);
    for bit in 0..32 {
        let ones = words.iter().filter(|w| *w >> bit & 1 == 1).count() as f64;
        assert!((ones - n as f64 / 2.0).abs() < 5.0 * (n as f64).sqrt() / 2.0, "bit {bit}: {ones} of {n}");
    }
}

#[test]
fn normal_numbers_have_the_moments_and_the_tails_of_a_normal() {
    let n = 1 << 20;
    let mut x = vec![0.0; n];
    fill_normal(5, 0, 0, &mut x);
    let moment = |p: i32| x.iter().map(|x| f64::from(*x).powi(p)).sum::<f64>() / n as f64;
    // E x^p = 0, 1, 0, 3; Var x^p = 1, 2, 15, 96
    for (p, expected, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0f64)] {
        assert!((moment(p) - expected).abs() < 5.0 * (variance / n as f64).sqrt(), "moment {p}: {}", moment(p));
    }
    // P(|x| < 0.5, 1, 1.5, 2, 3), by tables of the error function
    let within = [0.382924922548026, 0.682689492137086, 0.866385597462284, 0.954499736103642, 0.997300203936740];
    let edges = [0.5, 1.0, 1.5, 2.0, 3.0];
    let mut counts = [0u64; 6];
    x.iter().for_each(|x| counts[edges.partition_point(|edge| *edge <= x.abs())] += 1);
    let shares: Vec<f64> =
        (0..6).map(|i| within.get(i).unwrap_or(&1.0) - if i == 0 { 0.0 } else { within[i - 1] }).collect();
    let expected: Vec<f64> = shares.iter().map(|p| p * n as f64).collect();
    assert!(surprise(&counts, &expected).abs() < 5.0, "{counts:?}");
    assert!(correlation(&x, &x[1..]).abs() < 5.0, "the two of a pair");
}

#[test]
fn normal_numbers_are_finite_at_the_ends() {
    let [largest, zero, ..] = normals([0, 0, 0, 0]);
    assert!((largest - 6.6604).abs() < 1e-3 && zero == 0.0, "{largest} {zero}");
    assert_eq!(normals([u32::MAX; 4]), [0.0, -0.0, 0.0, -0.0]);
}

#[test]
fn every_order_is_equally_likely() {
    let mut rng = Rng::seed(11);
    let n = 24_000;
    let mut counts = [0u64; 24];
    for _ in 0..n {
        let order = rng.permutation(4);
        let rank = order.iter().enumerate().fold(0, |rank, (i, a)| {
            let smaller = order[i + 1..].iter().filter(|b| *b < a).count();
            rank * (4 - i) + smaller
        });
        counts[rank] += 1;
    }
    assert!(surprise(&counts, &[n as f64 / 24.0; 24]).abs() < 5.0, "{counts:?}");
}

#[test]
fn a_permutation_holds_every_number_once() {
    for n in [0, 1, 2, 1000] {
        let mut order = Rng::seed(2).permutation(n);
        assert!(n < 1000 || !order.is_sorted());
        order.sort_unstable();
        assert!(order.into_iter().eq(0..n));
    }
}

#[test]
fn numbers_below_a_bound_are_fair_where_plain_remainders_are_not() {
    let mut rng = Rng::seed(4);
    let mut words = Words { rng: &mut rng, block: [0; 4], used: 4 };
    let bound = 3u32 << 30; // the remainder of a word would fall into the first third twice as often
    let n = 30_000;
    let mut counts = [0u64; 3];
    (0..n).for_each(|_| counts[(words.below(bound) >> 30) as usize] += 1);
    assert!(surprise(&counts, &[n as f64 / 3.0; 3]).abs() < 5.0, "{counts:?}");
}

#[test]
fn draws_for_rand_are_blocks_in_order() {
    let mut rng = Rng::seed(6);
    let Ok(a) = rng.try_next_u32();
    let Ok(b) = rng.try_next_u64();
    let mut bytes = [0; 20];
    let Ok(()) = rng.try_fill_bytes(&mut bytes);
    let at = |counter| block(6, counter);
    assert_eq!(a, at(0)[0]);
    assert_eq!(b, u64::from(at(1)[0]) | u64::from(at(1)[1]) << 32);
    let words: Vec<u32> = bytes.chunks(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(words, [&at(2)[..], &at(3)[..1]].concat());
    assert_eq!(rng.state(), (6, 4));
}

#[test]
fn a_saved_generator_goes_on_where_it_was() {
    let mut rng = Rng::seed(u64::MAX);
    rng.reserve(1 << 60);
    rng.permutation(100);
    let saved = serde_json::to_string(&rng).unwrap();
    assert_eq!(saved, format!(r#"{{"seed":{},"counter":{}}}"#, u64::MAX, rng.state().1));
    assert_eq!(serde_json::from_str::<Rng>(&saved).unwrap(), rng);
}
