//! Whether a GPU computes in f16 as the CPU does. Drivers may round conversions either way, flush subnormal numbers, or join a
//! product with a sum; where one does, `f16` is not used, and results are the same.

use super::Gpu;
use crate::device::cache;
use crate::device::launch::{Arg, Launch};
use crate::device::shader::{Access, bindings};
use crate::error::Result;
use crate::expr::F16;
use half::f16;
use std::hash::BuildHasher;

/// `0`: f16 is not used, whatever the adapter says.
const CHOICE: &str = "TILEWORK_F16";
/// What verdicts are kept as.
const KIND: &str = "f16";

/// Pairs of numbers that are tried, and threads of a workgroup.
const PAIRS: usize = 4096;
const GROUP: usize = 64;
/// Results of a pair.
const RESULTS: usize = 5;

impl Gpu {
    /// Whether what this crate does in f16 is right here: tested once on each adapter and driver, and kept on disk. A test that
    /// cannot run says no, and runs again when a device is opened next.
    pub(crate) fn is_right_in_f16(&self) -> bool {
        if std::env::var(CHOICE).as_deref() == Ok("0") {
            return false;
        }
        let (key, version) = (self.info().key(), version(F16));
        let kept = cache::load(KIND, &key);
        if let Some(right) = kept.and_then(|kept| verdict(&kept, &version)) {
            return right;
        }
        match computes(self, F16) {
            Ok(right) => {
                cache::store(KIND, &key, format!("{version} {right}").as_bytes());
                right
            }
            Err(error) => {
                log::warn!("{}: f16 is not used, as its test did not run: {error}", self.info().name);
                false
            }
        }
    }
}

/// Which functions a verdict is of.
fn version(functions: &str) -> String {
    format!("{:016x}", rustc_hash::FxBuildHasher.hash_one(functions))
}

/// A kept verdict, if it is one, of these functions.
fn verdict(kept: &[u8], version: &str) -> Option<bool> {
    let (of, right) = std::str::from_utf8(kept).ok()?.split_once(' ')?;
    if of == version { right.parse().ok() } else { None }
}

/// Pairs of numbers around everything that may go wrong: ties, the ends of the range, subnormal numbers, zeros, infinity, NaN.
fn pairs() -> Vec<[f32; 2]> {
    const EDGES: [f32; 16] = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        65504.0,
        65519.0,
        65520.0,
        -70000.0,
        6.103_515_6e-5,
        6.1e-5,
        5.960_464_5e-8,
        2.980_232_3e-8,
        -3e-8,
        2049.0,
        f32::INFINITY,
        f32::NAN,
    ];
    let number = |i: usize| {
        let bits = (i as u32 ^ 0x51).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
        let fraction = match bits & 3 {
            0 => bits >> 9,
            tie => bits >> 9 & !0x1fff | (0x0fff + (tie - 1)), // below, at and above the middle of two f16
        };
        let exponent = 127 - 27 + (bits >> 4) % 44; // 2^-27 to 2^16
        f32::from_bits((bits & 8) << 28 | exponent << 23 | fraction)
    };
    let edge = |i: usize| [EDGES[i / EDGES.len()], EDGES[i % EDGES.len()]];
    let of = |i: usize| if i < EDGES.len() * EDGES.len() { edge(i) } else { [number(2 * i), number(2 * i + 1)] };
    (0..PAIRS).map(of).collect()
}

/// What is right for a pair, as f16.
fn wanted([a, b]: [f32; 2]) -> [f16; RESULTS] {
    let (x, y) = (f16::from_f32(a), f16::from_f32(b));
    let of = |value: f32| f16::from_f32(value);
    let product = of(x.to_f32() * y.to_f32());
    let joined = of(product.to_f32() + x.to_f32());
    [x, of(x.to_f32() + y.to_f32()), of(x.to_f32() - y.to_f32()), joined, y]
}

/// Runs the pairs through `functions`, which are those of [`F16`], through memory of f16 and shared memory of f16.
fn computes(gpu: &Gpu, functions: &str) -> Result<bool> {
    let declared = bindings(
        &[("pairs", "f32", Access::Read), ("made", "f32", Access::Write), ("stored", "f16", Access::Write)],
        0,
    );
    let source = format!(
        "enable f16;
{functions}
{declared}
var<workgroup> tile: array<f16, {GROUP}>;

@compute @workgroup_size({GROUP})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let i = group.x * {GROUP}u + lane;
    let a = tw_f16(pairs[2u * i]);
    let b = tw_f16(pairs[2u * i + 1u]);
    let at = i * {RESULTS}u;
    made[at] = a;
    made[at + 1u] = tw_f16_add(a, b);
    made[at + 2u] = tw_f16_sub(a, b);
    made[at + 3u] = tw_f16_add(tw_f16(a * b), a);
    stored[i] = f16(a);
    tile[lane ^ 1u] = f16(b);
    workgroupBarrier();
    made[at + 4u] = f32(tile[lane ^ 1u]);
}}
"
    );
    let pairs = pairs();
    let launch = Launch {
        name: "f16",
        source: source.into(),
        args: vec![Arg::Read(0), Arg::Write(1), Arg::Write(2)],
        words: Vec::new(),
        groups: (PAIRS / GROUP) as u64,
        work: (20 * PAIRS) as u64,
    };
    let given = gpu.upload(bytemuck::cast_slice(&pairs))?;
    let (made, stored) = (gpu.alloc(PAIRS * RESULTS)?, gpu.alloc(PAIRS / 2)?);
    gpu.run(&gpu.prepare(vec![launch])?, &[given, made.clone(), stored.clone()], &[])?;
    let (made, stored) = (gpu.read(&made, 0, PAIRS * RESULTS)?, gpu.read(&stored, 0, PAIRS / 2)?);
    let halves: &[f16] = bytemuck::cast_slice(&stored);
    // equal bits; NaN is NaN
    let same =
        |bits: u32, right: f16| bits == right.to_f32().to_bits() || f32::from_bits(bits).is_nan() && right.is_nan();
    let rows = pairs.iter().zip(made.chunks_exact(RESULTS)).zip(halves);
    let is_right = |((&pair, made), half): ((&[f32; 2], &[u32]), &f16)| {
        let right = wanted(pair);
        made.iter().zip(right).all(|(&bits, right)| same(bits, right)) && same(half.to_f32().to_bits(), right[0])
    };
    Ok({ rows }.all(is_right))
}

#[cfg(test)]
mod tests {
    use super::super::tests::open;
    use super::*;

    #[test]
    fn arithmetic_that_is_not_that_of_the_cpu_is_found() {
        let Some(gpu) = open() else { return };
        if !gpu.caps().shader_f16 {
            println!("{} has no f16", gpu.info().name);
            return;
        }
        println!("{}: f16 is right: {}", gpu.info().name, computes(&gpu, F16).unwrap());
        let towards_zero = "return f32(f16(bitcast<f32>(bitcast<u32>(x) & 0xffffe000u)));";
        let flushed = "return f32(f16(select(x, 0.0, abs(x) < 6.1035156e-5)));";
        for (right, wrong) in [
            ("return f32(f16(x));", towards_zero),
            ("return f32(f16(x));", flushed),
            ("return f32(f16(x));", "return x;"),
            ("f16(a) + f16(b)", "f16(a) - f16(b)"),
            ("f16(a) - f16(b)", "f16(a) + f16(b)"),
        ] {
            assert!(F16.contains(right), "{right}");
            assert!(!computes(&gpu, &F16.replace(right, wrong)).unwrap(), "{wrong}");
        }
        assert!(computes(&gpu, "not WGSL").is_err());
    }

    #[test]
    fn a_kept_verdict_counts_for_the_functions_that_it_is_of() {
        assert_eq!(verdict(b"1f true", "1f"), Some(true));
        assert_eq!(verdict(b"1f false", "1f"), Some(false));
        for other in [&b"1e true"[..], b"1f", b"1f maybe", b"", b"\xff true"] {
            assert_eq!(verdict(other, "1f"), None);
        }
        assert_ne!(version(F16), version(""));
    }
}
