//! Samples of `tree_ensemble`.

use super::{Bad, Data, OpInfo, Sample, Variant};
use crate::device::Device;
use crate::dtype::DType;
use crate::ops::tree_ensemble::{CATEGORIES, MISSING, MISSING_RIGHT, NODE, Trees, key, tree_ensemble};
use crate::rng::Rng;
use crate::shape::Shape;
use crate::tensor::Tensor;
use ndarray::ArrayD;

pub(super) static ROWS: &[OpInfo] =
    &[OpInfo::new("tree_ensemble", "ONNX's TreeEnsemble, in 64-bit integers; no gradient", ensemble, ensemble_bad)];

/// Trees of nodes drawn at random, as words.
struct Drawn {
    roots: Vec<u32>,
    nodes: Vec<u32>,
    sets: Vec<u32>,
    leaves: Vec<u32>,
}

/// `trees` of up to `depth` splits over `width` columns: thresholds are thirds from -2 to 2 in the even ones, sets hold some of 40
/// categories in the odd ones.
fn drawn(trees: u32, depth: u32, width: u32, outputs: usize, seed: u64) -> Drawn {
    let mut rng = Rng::seed(seed);
    let mut below = |n: u32| (f64::from(rng.uniforms(1)[0]) * f64::from(n)) as u32;
    let mut all = Drawn { roots: Vec::new(), nodes: Vec::new(), sets: Vec::new(), leaves: Vec::new() };
    let mut rows = 0;
    for _ in 0..trees {
        let root = all.nodes.len() as u32 / 4;
        all.roots.push(root);
        all.nodes.extend([0; NODE]);
        let mut open = vec![(root as usize, 0)];
        while let Some((at, level)) = open.pop() {
            let left = all.nodes.len() as u32 / 4;
            if level == depth || level > 0 && below(5) == 0 {
                all.nodes[NODE * at + 1] = rows; // a leaf
                rows += 1;
                continue;
            }
            let column = below(width);
            let missing = [0, MISSING_RIGHT][below(2) as usize];
            let [flags, high, low] = match column % 2 {
                0 => {
                    let threshold = key(f64::from(below(13)) / 3.0 - 2.0);
                    [missing, (threshold >> 32) as u32, threshold as u32]
                }
                _ => {
                    let place = all.sets.len() as u32;
                    all.sets.extend([2, below(u32::MAX), below(256)]);
                    [missing | CATEGORIES, place, 0]
                }
            };
            all.nodes[NODE * at..NODE * (at + 1)].copy_from_slice(&[column | flags, high, low, left]);
            all.nodes.extend([0; 2 * NODE]);
            open.extend([(left as usize, level + 1), (left as usize + 1, level + 1)]);
        }
    }
    all.leaves = (0..rows as usize * outputs * 2).map(|_| below(u32::MAX)).collect();
    all.sets.push(0); // not to be empty
    all
}

/// Numbers on thresholds, next to them, and missing ones; they differ in their last bits alone.
const ODD: &[f64] = &[
    1.0 / 3.0,
    -0.0,
    f64::NAN,
    0.333_333_333_333_333_4,
    f64::INFINITY,
    -5.0 / 3.0,
    0.0,
    1e30,
    f64::NEG_INFINITY,
    0.333_333_333_333_333_26,
    f64::NAN,
    -1.0,
    0.250_1,
];

/// Categories that sets can hold, some beyond them, and missing ones.
const NAMED: &[u32] = &[7, 39, 0, u32::MAX, 31, 64, 1_000_000, 32, 12, 3, u32::MAX - 1];

/// Rows of numbers in the even columns and categories in the odd ones.
fn mixed(rows: usize, width: usize, number: impl Fn(usize) -> f64) -> Data {
    let value = |i: usize| match i % width % 2 {
        0 => key(number(i)),
        _ => match NAMED[i * 5 % NAMED.len()] {
            u32::MAX => MISSING,
            category => u64::from(category) << 32,
        },
    };
    let words: Vec<u32> = (0..rows * width).map(value).flat_map(|key| [(key >> 32) as u32, key as u32]).collect();
    self::words(&[rows, width, 2], &words)
}

fn words(shape: &[usize], words: &[u32]) -> Data {
    Data::typed(DType::U32, shape, &words.iter().map(|&word| f64::from(word)).collect::<Vec<_>>())
}

/// One tree after another, in f64 and wrapping u64.
fn walked(x: &[ArrayD<f64>], depth: usize, groups: usize) -> ArrayD<f64> {
    let (rows, nodes, sets, leaves) = (&x[0], &x[2], &x[3], &x[4]);
    let outputs = leaves.shape()[1];
    let mut sums = vec![0u64; rows.shape()[0] * outputs * groups];
    for (n, sums) in sums.chunks_exact_mut(outputs * groups).enumerate() {
        for (tree, &root) in x[1].iter().enumerate() {
            let mut at = root as usize;
            let mut steps = 0;
            while steps <= depth && at < nodes.shape()[0] && nodes[[at, 3]] != 0.0 {
                let split = nodes[[at, 0]] as u32;
                let column = (split & 0x3fff_ffff) as usize;
                let long = |high: f64, low: f64| (high as u64) << 32 | low as u64;
                let value = long(rows[[n, column, 0]], rows[[n, column, 1]]);
                let right = if value == MISSING {
                    split & MISSING_RIGHT != 0
                } else if split & CATEGORIES != 0 {
                    let set = nodes[[at, 1]] as usize;
                    let held = (0..32 * sets[[set]] as u64).filter(|bit| {
                        let word = sets[[set + 1 + *bit as usize / 32]] as u32;
                        word >> (bit % 32) & 1 == 1
                    });
                    !held.into_iter().any(|category| category == value >> 32)
                } else {
                    value > long(nodes[[at, 1]], nodes[[at, 2]])
                };
                at = nodes[[at, 3]] as usize + usize::from(right);
                steps += 1;
            }
            if steps > depth || at >= nodes.shape()[0] {
                continue;
            }
            let leaf = nodes[[at, 1]] as usize;
            for k in 0..outputs {
                let long = leaves[[leaf, k, 0]] as u64 | (leaves[[leaf, k, 1]] as u64) << 32;
                let sum = &mut sums[k * groups + tree % groups];
                *sum = sum.wrapping_add(long);
            }
        }
    }
    let halves: Vec<f64> =
        sums.iter().flat_map(|sum| [f64::from(*sum as u32), f64::from((sum >> 32) as u32)]).collect();
    ArrayD::from_shape_vec(vec![rows.shape()[0], outputs * groups, 2], halves).unwrap_or_default()
}

fn call(x: &[Tensor], depth: usize, groups: usize) -> Tensor {
    let [roots, nodes, sets, leaves] = [1, 2, 3, 4].map(|i| x[i].clone());
    tree_ensemble(&x[0], &Trees { roots, nodes, sets, leaves, depth, groups })
}

fn ensemble() -> Vec<Sample> {
    let sample = |rows: Data, trees: u32, depth: u32, outputs: usize, groups: usize| {
        let width = rows.values.shape()[1];
        let Drawn { roots, nodes, sets, leaves } = drawn(trees, depth, width as u32, outputs, 3);
        let label = format!("{rows:?}, {trees} trees of depth {depth}, {outputs} outputs in {groups} groups");
        let inputs = vec![
            rows,
            words(&[roots.len()], &roots),
            words(&[nodes.len() / NODE, NODE], &nodes),
            words(&[sets.len()], &sets),
            words(&[leaves.len() / 2 / outputs, outputs, 2], &leaves),
        ];
        let depth = depth as usize;
        Sample::new(label, inputs, move |x| call(x, depth, groups), move |x| walked(x, depth, groups)).dtype(DType::U32)
    };
    let mut all = Vec::new();
    for (rows, width, trees, depth, outputs, groups) in [
        (1, 1, 1, 0, 1, 1),
        (17, 1, 1, 1, 1, 1),
        (13, 3, 7, 4, 2, 1),
        (257, 5, 10, 3, 3, 1),
        (19, 4, 9, 5, 1, 3),
        (19, 4, 10, 5, 2, 4), // not as many trees in each group
        (5, 6, 12, 3, 17, 1), // more outputs than a thread keeps
        (5, 6, 4, 3, 33, 2),
        (0, 2, 3, 2, 2, 1),
    ] {
        all.push(sample(mixed(rows, width, |i| ODD[i % ODD.len()]), trees, depth, outputs, groups));
        let spread = |i: usize| (i * 37 % 101) as f64 / 20.0 - 2.5;
        all.push(sample(mixed(rows, width, spread), trees, depth, outputs, groups));
    }
    // more rows than a dimension of some grids has threads for
    let many = mixed(20_000, 3, |i| (i * 37 % 1009) as f64 / 200.0 - 2.5);
    all.push(sample(many, 5, 3, 2, 1).variants(&[Variant::Plain]));
    // a way so long that few trees fit a launch: missing values and negative numbers go all of it
    let steps = 25_000u32;
    let nodes = long_way(steps);
    let inputs = vec![
        mixed(3, 1, |i| [f64::NAN, 1.0, -1.0][i]),
        words(&[3], &[0, 0, 1]),
        words(&[nodes.len() / NODE, NODE], &nodes),
        words(&[1], &[0]),
        words(&[2, 1, 2], &[7, 0, u32::MAX, 1]),
    ];
    let depth = steps as usize;
    let long = Sample::new("25,000 splits", inputs, move |x| call(x, depth, 1), move |x| walked(x, depth, 1));
    all.push(long.dtype(DType::U32).variants(&[Variant::Plain]));
    all
}

/// A tree that leads down on the left over so many splits at 0.
fn long_way(steps: u32) -> Vec<u32> {
    let (high, low) = ((key(0.0) >> 32) as u32, key(0.0) as u32);
    let mut nodes = vec![0, high, low, 1];
    for step in 1..=steps {
        let below = 2 * step + 1;
        nodes.extend(if step < steps { [0, high, low, below] } else { [0, 1, 0, 0] });
        nodes.extend([0; NODE]);
    }
    nodes
}

fn ensemble_bad() -> Vec<Bad> {
    type Shapes<'a> = [&'a [usize]; 5];
    let trees = |shapes: Shapes<'_>, dtype: DType, depth: usize, device: &Device| {
        let [rows, roots, nodes, sets, leaves] =
            shapes.map(|shape| Tensor::zeros(Shape::of(shape), device).to_dtype(dtype));
        tree_ensemble(&rows, &Trees { roots, nodes, sets, leaves, depth, groups: 1 })
    };
    const RIGHT: Shapes<'_> = [&[2, 1, 2], &[1], &[1, 4], &[1], &[1, 1, 2]];
    vec![
        Bad::new("tree_ensemble: rows are u32: given i32", move |device| trees(RIGHT, DType::I32, 0, device)),
        Bad::new("tree_ensemble: depth 40000 of 1 groups", move |device| trees(RIGHT, DType::U32, 40_000, device)),
        Bad::new("tree_ensemble: shapes of rows [2, 2], roots [1]", move |device| {
            trees([&[2, 2], &[1], &[1, 4], &[1], &[1, 1, 2]], DType::U32, 0, device)
        }),
        Bad::new("tree_ensemble: shapes of rows [2, 1, 2], roots [0]", move |device| {
            trees([&[2, 1, 2], &[0], &[1, 4], &[1], &[1, 1, 2]], DType::U32, 0, device)
        }),
        Bad::new("tree_ensemble: shapes of rows [2, 1, 2], roots [1], nodes [1, 3]", move |device| {
            trees([&[2, 1, 2], &[1], &[1, 3], &[1], &[1, 1, 2]], DType::U32, 0, device)
        }),
    ]
}
