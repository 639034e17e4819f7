//! Numbers by their distance from the median: sums over the smaller ones, kept in Fenwick's trees (1994), so that a row is moved
//! and the medians of both sides are found in `log N` steps.

use super::criterion::Criterion;

/// Numbers by their mean distance from the median.
#[derive(Debug, Clone, Copy)]
pub(super) struct AbsoluteError;

/// Weight, and weight times value.
type Sum = [f64; 2];

/// A node of numbers and their order.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    rows: Vec<(f64, f64)>,
    /// Of each row: its place in the order of the numbers.
    place: Vec<u32>,
    /// The numbers in order.
    sorted: Vec<f64>,
    all: Vec<Sum>,
    total: Sum,
    distance: f64,
}

/// What lies left.
#[derive(Debug, Default)]
pub(super) struct Left {
    sums: Vec<Sum>,
    total: Sum,
}

fn add(tree: &mut [Sum], place: usize, by: Sum) {
    let mut at = place + 1;
    while let Some(sum) = tree.get_mut(at - 1) {
        *sum = [sum[0] + by[0], sum[1] + by[1]];
        at += at & at.wrapping_neg();
    }
}

/// Σ w |y - median| of rows that number `sum(i)` in the i-th place of a Fenwick tree, and the place of their median: the first
/// whose sum reaches half of the weight.
fn distance(sorted: &[f64], total: Sum, sum: impl Fn(usize) -> Sum) -> (f64, usize) {
    let (mut at, mut below) = (0, [0.0; 2]);
    let mut step = 1 << sorted.len().max(1).ilog2();
    while step > 0 {
        let next = at + step;
        if next < sorted.len() {
            let with = sum(next - 1);
            if 2.0 * (below[0] + with[0]) < total[0] {
                (at, below) = (next, [below[0] + with[0], below[1] + with[1]]);
            }
        }
        step /= 2;
    }
    let median = sorted.get(at).copied().unwrap_or(0.0);
    (median * (2.0 * below[0] - total[0]) + total[1] - 2.0 * below[1], at)
}

impl Criterion for AbsoluteError {
    type Answer = f64;
    type Node = Ordered;
    type Scan = Left;

    fn outputs(&self) -> usize {
        1
    }

    fn enter(&self, node: &mut Ordered, rows: impl Iterator<Item = (f64, f64)>) {
        node.rows.clear();
        node.rows.extend(rows);
        let n = node.rows.len();
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.sort_unstable_by(|&a, &b| node.rows[a as usize].0.total_cmp(&node.rows[b as usize].0).then(a.cmp(&b)));
        node.place.resize(n, 0);
        node.sorted.clear();
        for (place, &row) in order.iter().enumerate() {
            node.place[row as usize] = place as u32;
            node.sorted.push(node.rows[row as usize].0);
        }
        node.all.clear();
        node.all.resize(n, [0.0; 2]);
        node.total = [0.0; 2];
        for &row in &order {
            let (y, w) = node.rows[row as usize];
            add(&mut node.all, node.place[row as usize] as usize, [w, w * y]);
            node.total = [node.total[0] + w, node.total[1] + w * y];
        }
        let all = &node.all;
        node.distance = distance(&node.sorted, node.total, |i| all[i]).0.max(0.0);
    }

    fn weight(&self, node: &Ordered) -> f64 {
        node.total[0]
    }

    fn pure(&self, node: &Ordered) -> bool {
        node.sorted.first() == node.sorted.last()
    }

    fn impurity(&self, node: &Ordered) -> f64 {
        node.distance / node.total[0]
    }

    fn predict(&self, node: &Ordered, out: &mut Vec<f64>) {
        let (_, at) = distance(&node.sorted, node.total, |i| node.all[i]);
        // where just half of the weight lies up to the median, any value up to the next is one: the middle, as in scikit-learn
        let upto: f64 = (0..node.rows.len()).filter(|&i| node.place[i] as usize <= at).map(|i| node.rows[i].1).sum();
        let median = node.sorted.get(at).copied().unwrap_or(0.0);
        let next = node.sorted.get(at + 1).copied().unwrap_or(median);
        out.push(if 2.0 * upto == node.total[0] { median / 2.0 + next / 2.0 } else { median });
    }

    fn start(&self, node: &Ordered, scan: &mut Left) {
        scan.sums.clear();
        scan.sums.resize(node.sorted.len(), [0.0; 2]);
        scan.total = [0.0; 2];
    }

    fn take(&self, node: &Ordered, scan: &mut Left, i: usize) {
        let (y, w) = node.rows[i];
        add(&mut scan.sums, node.place[i] as usize, [w, w * y]);
        scan.total = [scan.total[0] + w, scan.total[1] + w * y];
    }

    fn cut(&self, node: &Ordered, scan: &mut Left, goes_left: impl Iterator<Item = bool>) {
        goes_left.enumerate().filter(|(_, left)| *left).for_each(|(i, _)| self.take(node, scan, i));
    }

    fn left(&self, scan: &Left) -> f64 {
        scan.total[0]
    }

    fn decrease(&self, node: &Ordered, scan: &Left) -> f64 {
        let right = [node.total[0] - scan.total[0], node.total[1] - scan.total[1]];
        let (left, _) = distance(&node.sorted, scan.total, |i| scan.sums[i]);
        let rest = |i: usize| [node.all[i][0] - scan.sums[i][0], node.all[i][1] - scan.sums[i][1]];
        node.distance - left.max(0.0) - distance(&node.sorted, right, rest).0.max(0.0)
    }
}
