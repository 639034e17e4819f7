//! How good a split is. A criterion looks at the rows of a node once, then follows a scan that moves them to the left one by one.

use std::marker::PhantomData;

/// One measure of a node's disorder.
pub(super) trait Criterion: Copy + Sync {
    /// What a row answers.
    type Answer: Copy + Send + Sync;
    /// What is known of a node's rows.
    type Node: Default + Send + Sync;
    /// What lies left and right of a split.
    type Scan: Default + Send;

    /// Numbers a leaf predicts.
    fn outputs(&self) -> usize;
    /// Takes in the rows of a node, with their weights.
    fn enter(&self, node: &mut Self::Node, rows: impl Iterator<Item = (Self::Answer, f64)>);
    /// The weight of a node.
    fn weight(&self, node: &Self::Node) -> f64;
    /// Whether nothing is left to tell apart.
    fn pure(&self, node: &Self::Node) -> bool;
    /// Disorder per unit of weight.
    fn impurity(&self, node: &Self::Node) -> f64;
    /// What the node would predict as a leaf, appended.
    fn predict(&self, node: &Self::Node, out: &mut Vec<f64>);
    /// All rows on the right.
    fn start(&self, node: &Self::Node, scan: &mut Self::Scan);
    /// Moves row `i` of the node to the left.
    fn take(&self, node: &Self::Node, scan: &mut Self::Scan, i: usize);
    /// Moves the rows that go left, one answer for each row of the node, from a start to a random cut.
    fn cut(&self, node: &Self::Node, scan: &mut Self::Scan, goes_left: impl Iterator<Item = bool>);
    /// The weight on the left.
    fn left(&self, scan: &Self::Scan) -> f64;
    /// Weight times impurity of the node, less those of both sides.
    fn decrease(&self, node: &Self::Node, scan: &Self::Scan) -> f64;
}

/// Disorder of classes: a sum over classes of a function of their weight.
pub(super) trait Disorder: Copy + Sync {
    /// Such that weight times impurity is `order(part(W), W) - order(Σ part(w), W)`.
    fn part(weight: f64) -> f64;
    /// Order of the parts, as a share of the whole: Σ part over all classes of weights that sum to `total`.
    fn order(parts: f64, total: f64) -> f64;
}

/// `W · gini = W - Σ w² / W`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gini;

/// `W · entropy = W log₂ W - Σ w log₂ w`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entropy;

impl Disorder for Gini {
    #[inline(always)]
    fn part(weight: f64) -> f64 {
        weight * weight
    }
    #[inline(always)]
    fn order(parts: f64, total: f64) -> f64 {
        if total > 0.0 { parts / total } else { 0.0 }
    }
}

impl Disorder for Entropy {
    #[inline(always)]
    fn part(weight: f64) -> f64 {
        if weight > 0.0 { weight * weight.log2() } else { 0.0 }
    }
    #[inline(always)]
    fn order(parts: f64, total: f64) -> f64 {
        parts - Entropy::part(total)
    }
}

/// Classes told apart by gini or entropy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Classes<D> {
    count: usize,
    disorder: PhantomData<D>,
}

impl<D> Classes<D> {
    pub fn new(count: usize) -> Classes<D> {
        Classes { count, disorder: PhantomData }
    }
}

/// A node of labelled rows.
#[derive(Debug, Default)]
pub(super) struct Labelled {
    rows: Vec<(u32, f64)>,
    sums: Vec<f64>,
    weight: f64,
    order: f64,
}

/// Weights of classes on both sides, and the sums of their parts.
#[derive(Debug, Default)]
pub(super) struct Sides {
    classes: Vec<[f64; 2]>, // left and right
    weight: [f64; 2],
    parts: [f64; 2],
}

impl<D: Disorder> Criterion for Classes<D> {
    type Answer = u32;
    type Node = Labelled;
    type Scan = Sides;

    fn outputs(&self) -> usize {
        self.count
    }

    fn enter(&self, node: &mut Labelled, rows: impl Iterator<Item = (u32, f64)>) {
        node.rows.clear();
        node.rows.extend(rows);
        node.sums.clear();
        node.sums.resize(self.count, 0.0);
        for &(label, weight) in &node.rows {
            node.sums[label as usize] += weight; // labels were checked
        }
        node.weight = node.sums.iter().sum();
        node.order = D::order(node.sums.iter().map(|&w| D::part(w)).sum(), node.weight);
    }

    fn weight(&self, node: &Labelled) -> f64 {
        node.weight
    }

    fn pure(&self, node: &Labelled) -> bool {
        node.sums.iter().filter(|&&sum| sum > 0.0).count() < 2
    }

    fn impurity(&self, node: &Labelled) -> f64 {
        let whole = D::order(D::part(node.weight), node.weight);
        ((whole - node.order) / node.weight).max(0.0)
    }

    fn predict(&self, node: &Labelled, out: &mut Vec<f64>) {
        out.extend(node.sums.iter().map(|sum| sum / node.weight));
    }

    fn start(&self, node: &Labelled, scan: &mut Sides) {
        scan.classes.clear();
        scan.classes.extend(node.sums.iter().map(|&sum| [0.0, sum]));
        scan.weight = [0.0, node.weight];
        scan.parts = [0.0, node.sums.iter().map(|&w| D::part(w)).sum()];
    }

    #[inline(always)]
    fn take(&self, node: &Labelled, scan: &mut Sides, i: usize) {
        let (label, weight) = node.rows[i];
        let class = &mut scan.classes[label as usize];
        let [left, right] = *class;
        *class = [left + weight, right - weight];
        scan.weight[0] += weight;
        scan.weight[1] -= weight;
        scan.parts[0] += D::part(class[0]) - D::part(left);
        scan.parts[1] += D::part(class[1]) - D::part(right);
    }

    #[inline(always)]
    fn cut(&self, node: &Labelled, scan: &mut Sides, goes_left: impl Iterator<Item = bool>) {
        for (&(label, weight), left) in node.rows.iter().zip(goes_left) {
            scan.classes[label as usize][0] += if left { weight } else { 0.0 }; // no branch to guess
        }
        (scan.weight, scan.parts) = ([0.0; 2], [0.0; 2]);
        for class in &mut scan.classes {
            class[1] -= class[0];
            for ((weight, part), side) in scan.weight.iter_mut().zip(&mut scan.parts).zip(*class) {
                *weight += side;
                *part += D::part(side);
            }
        }
    }

    #[inline(always)]
    fn left(&self, scan: &Sides) -> f64 {
        scan.weight[0]
    }

    #[inline(always)]
    fn decrease(&self, node: &Labelled, scan: &Sides) -> f64 {
        D::order(scan.parts[0], scan.weight[0]) + D::order(scan.parts[1], scan.weight[1]) - node.order
    }
}

/// Numbers by their variance.
#[derive(Debug, Clone, Copy)]
pub(super) struct SquaredError;

/// A node of numbers, each less their mean, so that sums of squares keep their digits.
#[derive(Debug, Default)]
pub(super) struct Centred {
    rows: Vec<(f64, f64)>,
    mean: f64,
    weight: f64,
    rest: f64, // Σ w (y - mean): rounding
    squares: f64,
    pure: bool,
}

/// Weights and sums of both sides.
#[derive(Debug, Default)]
pub(super) struct Moments {
    weight: [f64; 2],
    sum: [f64; 2],
}

impl Criterion for SquaredError {
    type Answer = f64;
    type Node = Centred;
    type Scan = Moments;

    fn outputs(&self) -> usize {
        1
    }

    fn enter(&self, node: &mut Centred, rows: impl Iterator<Item = (f64, f64)>) {
        node.rows.clear();
        node.rows.extend(rows);
        let (weight, sum) = node.rows.iter().fold((0.0, 0.0), |(weight, sum), &(y, w)| (weight + w, sum + w * y));
        node.pure = node.rows.iter().all(|&(y, _)| Some(y) == node.rows.first().map(|first| first.0));
        let mean = if node.pure { node.rows.first().map_or(0.0, |first| first.0) } else { sum / weight };
        (node.weight, node.mean, node.rest, node.squares) = (weight, mean, 0.0, 0.0);
        for (y, w) in &mut node.rows {
            *y -= mean;
            node.rest += *w * *y;
            node.squares += *w * *y * *y;
        }
    }

    fn weight(&self, node: &Centred) -> f64 {
        node.weight
    }

    fn pure(&self, node: &Centred) -> bool {
        node.pure
    }

    fn impurity(&self, node: &Centred) -> f64 {
        node.squares / node.weight
    }

    fn predict(&self, node: &Centred, out: &mut Vec<f64>) {
        out.push(node.mean);
    }

    fn start(&self, node: &Centred, scan: &mut Moments) {
        *scan = Moments { weight: [0.0, node.weight], sum: [0.0, node.rest] };
    }

    #[inline(always)]
    fn take(&self, node: &Centred, scan: &mut Moments, i: usize) {
        let (y, w) = node.rows[i];
        scan.weight[0] += w;
        scan.weight[1] -= w;
        scan.sum[0] += w * y;
        scan.sum[1] -= w * y;
    }

    #[inline(always)]
    fn cut(&self, node: &Centred, scan: &mut Moments, goes_left: impl Iterator<Item = bool>) {
        let (mut weight, mut sum) = (0.0, 0.0);
        for (&(y, w), left) in node.rows.iter().zip(goes_left) {
            let w = if left { w } else { 0.0 };
            weight += w;
            sum += w * y;
        }
        *scan = Moments { weight: [weight, node.weight - weight], sum: [sum, node.rest - sum] };
    }

    #[inline(always)]
    fn left(&self, scan: &Moments) -> f64 {
        scan.weight[0]
    }

    #[inline(always)]
    fn decrease(&self, _: &Centred, scan: &Moments) -> f64 {
        let side = |i: usize| if scan.weight[i] > 0.0 { scan.sum[i] * scan.sum[i] / scan.weight[i] } else { 0.0 };
        side(0) + side(1) // less rest² / weight, which is rounding
    }
}
