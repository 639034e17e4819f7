//! Lloyd's method on rows that are read part by part.

use super::FittedKMeans;
use crate::data::Matrix;
use crate::device::cpu::parallel::for_chunks;
use crate::device::host_threads;
use crate::models::problem::Problem;
use crate::rng::Rng;
use ndarray::Array2;
use pulp::{Arch, Simd, WithSimd};
use rand::RngExt;

/// Rows of a part: its features and its products with the centres stay in cache.
pub(super) const PART: usize = 256;
/// Parts whose sums are kept together.
const RUN: usize = 8;

/// Rows, what each counts, and the point that all are measured from: their mean, so that a far origin costs no digits.
pub(super) struct Cloud<'a> {
    x: Matrix<'a>,
    weights: Vec<f64>,
    mean: Vec<f64>,
}

/// What a run of parts adds up to.
#[derive(Default, Clone)]
struct Sums {
    centres: Vec<f64>,
    weights: Vec<f64>,
    changed: bool,
}

impl Cloud<'_> {
    pub(super) fn new<'a>(problem: &Problem<'a>) -> Cloud<'a> {
        let weights = problem.row_weights();
        let mut cloud = Cloud { x: problem.x, weights, mean: vec![0.0; problem.x.width()] };
        let mut mean = vec![0.0; problem.x.width()];
        for sums in cloud.runs(problem.x.width(), |block, _, sum| {
            block.chunks(sum.len().max(1)).for_each(|row| sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x));
        }) {
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum);
        }
        mean.iter_mut().for_each(|sum| *sum /= problem.x.rows() as f64);
        cloud.mean = mean;
        cloud
    }

    /// For each run of parts, `size` numbers that `add(rows, first row, numbers)` adds to part by part.
    fn runs(&self, size: usize, add: impl Fn(&[f64], usize, &mut [f64]) + Sync) -> Vec<Vec<f64>> {
        let mut runs = vec![vec![0.0; size]; self.x.rows().div_ceil(PART * RUN)];
        let work = (4 * RUN * PART * self.mean.len()) as u64;
        for_chunks(host_threads(), &mut runs, 1, work, |run, out| {
            let mut block = Vec::new();
            for part in run * RUN..(run + 1) * RUN {
                self.part(part, &mut block);
                out.iter_mut().for_each(|out| add(&block, part * PART, out));
            }
        });
        runs
    }

    /// The rows of a part, measured from the mean.
    fn part(&self, part: usize, block: &mut Vec<f64>) {
        block.clear();
        block.extend_from_slice(&self.x.block(part * PART..(part + 1) * PART));
        self.centre(block);
    }

    pub(super) fn centre(&self, rows: &mut [f64]) {
        for row in rows.chunks_mut(self.mean.len().max(1)) {
            row.iter_mut().zip(&self.mean).for_each(|(x, mean)| *x -= mean);
        }
    }

    pub(super) fn rows_at(&self, rows: &[u32]) -> Vec<f64> {
        let values = rows.iter().flat_map(|&row| (0..self.mean.len()).map(move |j| self.x.get(row as usize, j)));
        let mut values: Vec<f64> = values.collect();
        self.centre(&mut values);
        values
    }

    pub(super) fn mean_variance(&self) -> f64 {
        let sum = |block: &[f64], _: usize, out: &mut [f64]| {
            if let [out] = out {
                *out += block.iter().map(|v| v * v).sum::<f64>();
            }
        };
        self.runs(1, sum).iter().flatten().sum::<f64>() / (self.x.rows() * self.mean.len()).max(1) as f64
    }

    /// k-means++.
    pub(super) fn spread(&self, k: usize, rng: &mut Rng) -> Vec<f64> {
        let trials = 2 + (k as f64).ln() as usize;
        let first = draw(&self.weights, self.weights.iter().sum(), rng);
        let mut centres = self.rows_at(&[first]);
        let mut nearest = self.nearer(&vec![f64::INFINITY; self.x.rows()], &centres).swap_remove(0);
        for _ in 1..k {
            let odds: Vec<f64> = nearest.iter().zip(&self.weights).map(|(d, w)| d * w).collect();
            let potential = odds.iter().sum();
            let candidates: Vec<u32> = (0..trials).map(|_| draw(&odds, potential, rng)).collect();
            let at = self.rows_at(&candidates);
            let left = |near: &Vec<f64>| near.iter().zip(&self.weights).map(|(d, w)| d * w).sum::<f64>();
            let tried = self.nearer(&nearest, &at).into_iter().zip(at.chunks(self.mean.len().max(1)));
            let tried = tried.map(|(near, at)| (left(&near), near, at));
            if let Some((_, near, at)) = tried.min_by(|(a, ..), (b, ..)| a.total_cmp(b)) {
                centres.extend_from_slice(at);
                nearest = near;
            }
        }
        centres
    }

    /// For each of some centres, the lesser of `so_far` and the squared distance from it, for each row.
    fn nearer(&self, so_far: &[f64], centres: &[f64]) -> Vec<Vec<f64>> {
        let turned = Turned::of(centres, &self.mean);
        let mut out = vec![0.0; so_far.len() * turned.k];
        let work = (2 * PART * self.mean.len() * turned.padded) as u64;
        for_chunks(host_threads(), &mut out, PART * turned.k, work, |part, out| {
            let rows = self.x.block(part * PART..(part + 1) * PART);
            let mut dots = Vec::new();
            turned.products(&rows, &mut dots);
            let so_far = so_far.iter().skip(part * PART);
            let each = rows.chunks(self.mean.len().max(1)).zip(dots.chunks(turned.padded)).zip(so_far);
            for (((row, dots), so_far), out) in each.zip(out.chunks_mut(turned.k)) {
                let own: f64 = row.iter().zip(&self.mean).map(|(x, mean)| (x - mean) * (x - mean)).sum();
                for ((out, dot), constant) in out.iter_mut().zip(dots).zip(&turned.constants) {
                    *out = so_far.min((own + constant - 2.0 * dot).max(0.0));
                }
            }
        });
        (0..turned.k).map(|centre| out.iter().skip(centre).step_by(turned.k).copied().collect()).collect()
    }

    /// Moves centres to the means of their rows until nothing changes.
    pub(super) fn lloyd(&self, mut centres: Vec<f64>, tol: f64, max_iter: usize) -> FittedKMeans {
        let width = self.mean.len().max(1);
        let mut labels = vec![u32::MAX; self.x.rows()];
        let (mut n_iter, mut converged, mut settled) = (0, false, false);
        while n_iter < max_iter && !converged {
            n_iter += 1;
            let sums = self.assign(&centres, &mut labels);
            if !sums.changed {
                (converged, settled) = (true, true);
                break;
            }
            let next = self.means(&centres, &labels, sums);
            let moved: f64 = centres.iter().zip(&next).map(|(a, b)| (a - b) * (a - b)).sum();
            centres = next;
            converged = moved <= tol;
        }
        if !settled {
            self.assign(&centres, &mut labels); // to the centres that are handed out
        }
        let inertia = self.inertia(&centres, &labels);
        for row in centres.chunks_mut(width) {
            row.iter_mut().zip(&self.mean).for_each(|(c, mean)| *c += mean);
        }
        let cluster_centers = Array2::from_shape_fn((centres.len() / width, width), |(i, j)| centres[i * width + j]);
        FittedKMeans { cluster_centers, labels, inertia, n_iter, converged }
    }

    /// Gives each row to its nearest centre, the first of equally near ones; the sums of each group.
    fn assign(&self, centres: &[f64], labels: &mut [u32]) -> Sums {
        let width = self.mean.len().max(1);
        let turned = Turned::of(centres, &self.mean);
        let mut runs: Vec<(Sums, &mut [u32])> = labels.chunks_mut(PART * RUN).map(|l| (Sums::default(), l)).collect();
        let work = (2 * RUN * PART * width * (turned.padded + 2)) as u64;
        for_chunks(host_threads(), &mut runs, 1, work, |run, out| {
            let mut dots = Vec::new();
            for (sums, labels) in out {
                sums.centres = vec![0.0; turned.k * width];
                sums.weights = vec![0.0; turned.k];
                for (p, labels) in labels.chunks_mut(PART).enumerate() {
                    let part = run * RUN + p;
                    let rows = self.x.block(part * PART..(part + 1) * PART);
                    turned.products(&rows, &mut dots);
                    let weights = &self.weights[part * PART..];
                    Arch::new().dispatch(
                        #[inline(always)]
                        || gather(&rows, &dots, &turned, weights, labels, sums),
                    );
                }
            }
        });
        runs.into_iter().map(|(sums, _)| sums).reduce(Sums::join).unwrap_or_default()
    }

    /// The groups' means; an empty group takes the row farthest from its centre (scikit-learn's rule).
    fn means(&self, centres: &[f64], labels: &[u32], sums: Sums) -> Vec<f64> {
        let width = self.mean.len().max(1);
        let Sums { centres: mut next, mut weights, .. } = sums;
        let empty: Vec<usize> = (0..weights.len()).filter(|&group| weights[group] == 0.0).collect();
        if !empty.is_empty() {
            let mut far: Vec<(f64, usize)> = Vec::with_capacity(labels.len());
            let mut block = Vec::new();
            for part in 0..labels.len().div_ceil(PART) {
                self.part(part, &mut block);
                for (i, row) in block.chunks(width).enumerate() {
                    let at = part * PART + i;
                    let own = &centres[labels[at] as usize * width..][..width];
                    far.push((row.iter().zip(own).map(|(x, c)| (x - c) * (x - c)).sum(), at));
                }
            }
            far.sort_by(|a, b| b.0.total_cmp(&a.0));
            for (group, (_, row)) in empty.into_iter().zip(far) {
                let (weight, from) = (self.weights[row], labels[row] as usize);
                let x = self.x.block(row..row + 1);
                next[from * width..][..width].iter_mut().zip(&*x).for_each(|(sum, x)| *sum -= weight * x);
                next[group * width..][..width].iter_mut().zip(&*x).for_each(|(sum, x)| *sum = weight * x);
                weights[from] -= weight;
                weights[group] = weight;
            }
        }
        for ((next, weight), old) in next.chunks_mut(width).zip(&weights).zip(centres.chunks(width)) {
            match *weight > 0.0 {
                true => next.iter_mut().zip(&self.mean).for_each(|(sum, mean)| *sum = *sum / weight - mean),
                false => next.copy_from_slice(old), // all its rows went elsewhere
            }
        }
        next
    }

    fn inertia(&self, centres: &[f64], labels: &[u32]) -> f64 {
        let width = self.mean.len().max(1);
        let add = |block: &[f64], first: usize, out: &mut [f64]| {
            let rows = block.chunks(width).zip(labels.iter().skip(first)).zip(self.weights.iter().skip(first));
            for ((row, &label), weight) in rows {
                let own = &centres[label as usize * width..][..width];
                out[0] += weight * row.iter().zip(own).map(|(x, c)| (x - c) * (x - c)).sum::<f64>();
            }
        };
        self.runs(1, add).iter().flatten().sum()
    }
}

/// Centres feature by feature, in whole vectors: one row's products with all of them are sums that stay in registers.
struct Turned {
    k: usize,
    padded: usize,
    /// Less the mean, `[F, padded]`.
    values: Vec<f64>,
    /// What is left of `|x - c|² - |x - mean|² + 2 x · (c - mean)`: the rows themselves need not be moved to the mean.
    constants: Vec<f64>,
}

impl Turned {
    /// Columns that are taken together.
    const BLOCK: usize = 16;

    fn of(centres: &[f64], mean: &[f64]) -> Turned {
        let width = mean.len().max(1);
        let k = centres.len() / width;
        let padded = k.next_multiple_of(Turned::BLOCK);
        let mut values = vec![0.0; width * padded];
        for (c, centre) in centres.chunks(width).enumerate() {
            values.iter_mut().skip(c).step_by(padded).zip(centre).for_each(|(to, v)| *to = *v);
        }
        let constant = |centre: &[f64]| centre.iter().zip(mean).map(|(c, mean)| c * (c + 2.0 * mean)).sum();
        Turned { k, padded, values, constants: centres.chunks(width).map(constant).collect() }
    }

    /// `x · (c - mean)` of rows with all centres, `[rows, padded]`.
    fn products(&self, rows: &[f64], out: &mut Vec<f64>) {
        let width = self.values.len() / self.padded;
        out.resize(rows.len() / width * self.padded, 0.0);
        Arch::new().dispatch(Products { turned: self, width, rows, out });
    }
}

struct Products<'a> {
    turned: &'a Turned,
    width: usize,
    rows: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        const ROWS: usize = 4;
        let Products { turned, width, rows, out } = self;
        let groups = rows.chunks_exact(ROWS * width);
        let rest = groups.remainder();
        let (out, out_rest) = out.split_at_mut((rows.len() - rest.len()) / width * turned.padded);
        for (group, out) in groups.zip(out.chunks_exact_mut(ROWS * turned.padded)) {
            let (head, tail) = group.split_at(2 * width);
            let ((a, b), (c, d)) = (head.split_at(width), tail.split_at(width));
            multiply(simd, [a, b, c, d], turned, out);
        }
        for (row, out) in rest.chunks_exact(width).zip(out_rest.chunks_exact_mut(turned.padded)) {
            multiply(simd, [row], turned, out);
        }
    }
}

/// The products of `R` rows with all centres, two vectors of them at a time.
#[inline(always)]
fn multiply<S: Simd, const R: usize>(simd: S, rows: [&[f64]; R], turned: &Turned, out: &mut [f64]) {
    let (values, _) = S::as_simd_f64s(&turned.values);
    let (out, _) = S::as_mut_simd_f64s(out);
    let across = turned.padded / S::F64_LANES;
    for column in (0..across).step_by(2) {
        let mut sums = [[simd.splat_f64s(0.0); 2]; R];
        for (f, centres) in values.chunks_exact(across).enumerate() {
            let Some([left, right]) = centres.get(column..column + 2) else { continue };
            for (sums, row) in sums.iter_mut().zip(rows) {
                let x = simd.splat_f64s(row[f]);
                sums[0] = simd.mul_add_e_f64s(x, *left, sums[0]);
                sums[1] = simd.mul_add_e_f64s(x, *right, sums[1]);
            }
        }
        for (sums, out) in sums.iter().zip(out.chunks_exact_mut(across)) {
            out[column..column + 2].copy_from_slice(sums);
        }
    }
}

/// Labels rows by their products with the centres, and adds them to their groups.
#[inline(always)]
fn gather(rows: &[f64], dots: &[f64], turned: &Turned, weights: &[f64], labels: &mut [u32], sums: &mut Sums) {
    let width = rows.len() / labels.len().max(1);
    for (((row, dots), label), weight) in
        rows.chunks(width.max(1)).zip(dots.chunks(turned.padded)).zip(labels).zip(weights)
    {
        let (mut best, mut nearest) = (f64::INFINITY, 0);
        for (group, (dot, constant)) in dots.iter().zip(&turned.constants).enumerate() {
            let distance = constant - 2.0 * dot; // but for the row's own square
            if distance < best {
                (best, nearest) = (distance, group);
            }
        }
        sums.changed |= *label != nearest as u32;
        *label = nearest as u32;
        sums.weights[nearest] += weight;
        let sum = &mut sums.centres[nearest * width..][..width];
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += weight * x);
    }
}

impl Sums {
    fn join(mut self, other: Sums) -> Sums {
        self.centres.iter_mut().zip(other.centres).for_each(|(a, b)| *a += b);
        self.weights.iter_mut().zip(other.weights).for_each(|(a, b)| *a += b);
        Sums { changed: self.changed | other.changed, ..self }
    }
}

/// A row drawn with odds that sum to `total`; row 0 where all are 0.
fn draw(odds: &[f64], total: f64, rng: &mut Rng) -> u32 {
    let wanted = rng.random::<f64>() * total;
    let mut sum = 0.0;
    let mut last = 0;
    for (row, odds) in odds.iter().enumerate().filter(|(_, odds)| **odds > 0.0) {
        sum += odds;
        last = row;
        if sum > wanted {
            break;
        }
    }
    last as u32
}
