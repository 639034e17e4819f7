//! Support vector classification: a machine for each pair of classes, and votes.

use super::kernel::{Function, Gamma, Kernel};
use super::machine::{Common, Machine, pair_problem};
use super::platt;
use super::smo::{self, Solution};
use crate::data::Matrix;
use crate::device::cpu::parallel::{WORK_PER_THREAD, for_chunks};
use crate::device::host_threads;
use crate::error::{Error, Result};
use crate::models::calibration::Sigmoid;
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Ended, Estimator, Influence, Model, Prediction, largest};
use crate::models::problem::Problem;
use crate::models::store::{Reader, Writer};
use crate::models::tiles::Rows;
use crate::rng::Rng;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What [`FittedSvc::decision_function`] gives for more than two classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionShape {
    /// One number a class: votes, with ties ordered by how sure they were.
    #[default]
    Ovr,
    /// One number a pair of classes (0 and 1, 0 and 2, …, 1 and 2, …), positive for the first.
    Ovo,
}

/// C-support vector classification with kernels; one machine a pair of classes. scikit-learn's `SVC`, which is LIBSVM's.
///
/// Features of like scale are needed. Time grows with the square of the rows and more: beyond some ten thousand, see
/// [`LinearSvc`](super::LinearSvc).
///
/// ```
/// use tilework::models::{Estimator, Svc};
/// let x = [[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
/// let model = Svc { c: 10.0, ..Svc::default() }.fit(&x, &[0u32, 0, 1, 1])?; // exclusive or
/// assert_eq!(model.predict(&x)?, [0, 0, 1, 1]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Svc {
    /// How much a row on the wrong side costs, above 0; scikit-learn's `C`.
    #[serde(alias = "C")]
    pub c: f64,
    /// How alike rows are.
    pub kernel: Kernel,
    /// Of [`Kernel::Poly`].
    pub degree: u32,
    /// Of all kernels but the linear one.
    pub gamma: Gamma,
    /// Of [`Kernel::Poly`] and [`Kernel::Sigmoid`].
    pub coef0: f64,
    /// Whether rows that will not change are left out on the way; the result is the same.
    pub shrinking: bool,
    /// Whether probabilities are fitted too (Platt's method): five more fits on parts of the rows.
    pub probability: bool,
    /// How far the optimality conditions may be missed.
    pub tol: f64,
    /// Kernel rows that are kept, in MiB.
    pub cache_size: f64,
    /// How much each class counts: no change when left out.
    pub class_weight: Option<ClassWeight>,
    /// The most steps; no limit when left out.
    pub max_iter: Option<usize>,
    /// What [`FittedSvc::decision_function`] gives for more than two classes.
    pub decision_function_shape: DecisionShape,
    /// Whether equal votes go to the class of the largest decision, and not to the first.
    pub break_ties: bool,
    /// Of the parts that probabilities are fitted on.
    pub seed: u64,
}

impl Default for Svc {
    fn default() -> Svc {
        Svc {
            c: 1.0,
            kernel: Kernel::Rbf,
            degree: 3,
            gamma: Gamma::Scale,
            coef0: 0.0,
            shrinking: true,
            probability: false,
            tol: 1e-3,
            cache_size: 200.0,
            class_weight: None,
            max_iter: None,
            decision_function_shape: DecisionShape::Ovr,
            break_ties: false,
            seed: 0,
        }
    }
}

/// A fitted [`Svc`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedSvc {
    machine: Machine,
    shape: DecisionShape,
    break_ties: bool,
    /// Which classes had rows.
    present: Vec<u32>,
    sigmoids: Option<Vec<Sigmoid>>,
    /// The rows that support vectors are, class by class.
    pub support: Vec<u32>,
    /// Support vectors of each class, `[C]`.
    pub n_support: Vec<u32>,
    /// Coefficients of the support vectors, `[C' - 1, SV]` of `C'` classes with rows: those of class `i` against class `j` stand in
    /// row `j - 1` for `j > i` and in row `j` otherwise, as in LIBSVM. Of two classes they are positive for class 1.
    pub dual_coef: Array2<f64>,
    /// Of each pair of classes with rows.
    pub intercept: Vec<f64>,
    /// Steps of each pair.
    pub n_iter: Vec<u32>,
    /// Whether all pairs reached the tolerance.
    pub converged: bool,
}

impl Svc {
    fn common(&self) -> Common {
        let Svc { c, kernel, degree, gamma, coef0, shrinking, tol, cache_size, max_iter, .. } = *self;
        Common { op: Svc::NAME, c, kernel, degree, gamma, coef0, shrinking, tol, cache_size, max_iter }
    }
}

/// The machine of one pair.
#[derive(Default)]
struct Pair {
    solution: Option<Solution>,
    sigmoid: Option<Result<Sigmoid>>,
}

impl Estimator for Svc {
    type Fitted = FittedSvc;
    const NAME: &'static str = "svc";

    fn gives_probabilities(&self) -> bool {
        self.probability
    }

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedSvc> {
        problem.check(Self::NAME)?;
        let (labels, classes) = problem.labels(Self::NAME)?;
        let mut weights = problem.row_weights();
        let function = self.common().function(problem.x, &weights)?;
        if let Some(class_weight) = &self.class_weight {
            class_weight.apply(Self::NAME, labels, classes, &mut weights)?;
        }
        let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
        for (row, (&label, &weight)) in labels.iter().zip(&weights).enumerate() {
            if weight > 0.0 {
                of_class[label as usize].push(row); // below `classes`: checked
            }
        }
        let present: Vec<u32> = (0..classes as u32).filter(|&c| !of_class[c as usize].is_empty()).collect();
        let groups: Vec<Vec<usize>> = of_class.into_iter().filter(|rows| !rows.is_empty()).collect();
        let pairs = pairs(groups.len());
        let options = self.common().options(problem.x.rows(), pairs.len());
        let mut solved: Vec<Pair> = Vec::new();
        solved.resize_with(pairs.len(), Pair::default);
        for_chunks(host_threads(), &mut solved, 1, WORK_PER_THREAD, |p, out| {
            let (i, j) = pairs[p];
            let rows = [&groups[i][..], &groups[j]].concat();
            let x = Rows::new(problem.x, &rows);
            let first = groups[i].len();
            let limits: Vec<f64> = rows.iter().map(|&row| self.c * weights[row]).collect();
            let aims: Vec<f64> = (0..rows.len()).map(|at| if at < first { 1.0 } else { -1.0 }).collect();
            let sigmoid = self.probability.then(|| {
                let mut rng = Rng::seed(self.seed).fork(p as u64);
                platt::fit(function, &x, &aims, &limits, options, &mut rng)
            });
            let solution = smo::solve(function, &x, pair_problem(&aims, &limits), options);
            if let [out] = out {
                *out = Pair { solution: Some(solution), sigmoid };
            }
        });
        self.fitted(problem, classes, present, &groups, solved, function)
    }
}

impl Svc {
    /// Gathers the pairs' machines.
    fn fitted(
        &self,
        problem: &Problem<'_>,
        classes: usize,
        present: Vec<u32>,
        groups: &[Vec<usize>],
        solved: Vec<Pair>,
        function: Function,
    ) -> Result<FittedSvc> {
        let pairs = pairs(groups.len());
        // The coefficients of every row of every class, then those of support vectors alone.
        let mut coefficients: Vec<Vec<Vec<f64>>> =
            groups.iter().map(|rows| vec![vec![0.0; groups.len() - 1]; rows.len()]).collect();
        let sign = if classes == 2 { -1.0 } else { 1.0 };
        let (mut intercept, mut n_iter, mut converged) = (Vec::new(), Vec::new(), true);
        let mut sigmoids = Vec::new();
        for (&(i, j), pair) in pairs.iter().zip(solved) {
            let Some(solution) = pair.solution else { continue };
            solution.check(Self::NAME)?;
            let (left, right) = solution.beta.split_at(groups[i].len());
            coefficients[i].iter_mut().zip(left).for_each(|(to, beta)| to[j - 1] = sign * beta);
            coefficients[j].iter_mut().zip(right).for_each(|(to, beta)| to[i] = sign * beta);
            intercept.push(sign * solution.bias);
            n_iter.push(u32::try_from(solution.iterations).unwrap_or(u32::MAX));
            converged &= solution.converged;
            sigmoids.extend(pair.sigmoid.transpose()?);
        }
        if !converged {
            log::warn!(
                "svc: stopped after max_iter steps, before the tolerance was reached; scale the features, or allow more"
            );
        }
        let (mut support, mut kept, mut n_support) = (Vec::new(), Vec::new(), vec![0; classes]);
        for ((rows, coefficients), &class) in groups.iter().zip(coefficients).zip(&present) {
            for (&row, of_row) in rows.iter().zip(coefficients) {
                if of_row.iter().any(|&beta| beta != 0.0) {
                    support.push(row);
                    kept.push(of_row);
                    n_support[class as usize] += 1;
                }
            }
        }
        let dual_coef = Array2::from_shape_fn((groups.len() - 1, kept.len()), |(k, sv)| kept[sv][k]);
        let vectors = Rows::new(problem.x, &support);
        Ok(FittedSvc {
            machine: Machine { function, vectors },
            shape: self.decision_function_shape,
            break_ties: self.break_ties,
            present,
            sigmoids: self.probability.then_some(sigmoids),
            support: support.into_iter().map(|row| row as u32).collect(),
            n_support,
            dual_coef,
            intercept,
            n_iter,
            converged,
        })
    }
}

/// The pairs of `classes`, in LIBSVM's order.
pub(super) fn pairs(classes: usize) -> Vec<(usize, usize)> {
    (0..classes).flat_map(|i| (i + 1..classes).map(move |j| (i, j))).collect()
}

impl FittedSvc {
    /// The class of each row, `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        let pairs = self.pair_values(x.into())?;
        if self.break_ties {
            return Ok(largest(&self.scores(&pairs)));
        }
        let votes = Array2::from_shape_fn((pairs.nrows(), self.classes()), |_| 0.0);
        Ok(largest(&self.count(&pairs, votes)))
    }

    /// The probability of each class, `[N, C]`; of a model that was fitted with `probability`. They need not agree with
    /// [`FittedSvc::predict`]: they come from other fits, on parts of the rows.
    ///
    /// # Errors
    /// As [`Model::outcome`]; a model without probabilities.
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let Some(sigmoids) = &self.sigmoids else {
            return Err(Error::argument(Svc::NAME, "has no probabilities: fit with probability = true"));
        };
        let pairs = self.pair_values(x.into())?;
        let mut out = Array2::zeros((pairs.nrows(), self.classes()));
        for (values, mut out) in pairs.rows().into_iter().zip(out.rows_mut()) {
            let first: Vec<f64> = sigmoids.iter().zip(values).map(|(s, &v)| platt::share_of_first(s, v)).collect();
            for (&class, p) in self.present.iter().zip(platt::couple(self.present.len(), &first)) {
                out[class as usize] = p;
            }
        }
        Ok(out)
    }

    /// Of two classes, how far each row is on the side of class 1, `[N, 1]`; of more, as the setting `decision_function_shape`
    /// says, `[N, C]` or `[N, pairs]`. A class without rows has the least number that there is, as in scikit-learn's
    /// `cross_val_predict`: it ranks all rows alike.
    ///
    /// # Errors
    /// As [`Model::outcome`].
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let pairs = self.pair_values(x.into())?;
        Ok(match (self.classes(), self.shape) {
            (2, _) => -pairs,
            (_, DecisionShape::Ovo) => pairs,
            (_, DecisionShape::Ovr) => self.scores(&pairs),
        })
    }

    /// The support vectors, `[SV, F]`.
    pub fn support_vectors(&self) -> Array2<f64> {
        self.machine.vectors()
    }

    /// The weights of the features, `[pairs, F]`; of a linear kernel only.
    pub fn coef(&self) -> Option<Array2<f64>> {
        let starts = self.starts();
        let pairs = pairs(self.present.len());
        (self.machine.function.kernel == Kernel::Linear).then(|| {
            let mut coef = Array2::zeros((pairs.len(), self.width()));
            for (p, &(i, j)) in pairs.iter().enumerate() {
                for (k, class) in [(j - 1, i), (i, j)] {
                    for sv in starts[class]..starts[class + 1] {
                        let beta = self.dual_coef[[k, sv]];
                        coef.row_mut(p).iter_mut().zip(self.machine.vectors.row(sv)).for_each(|(c, x)| *c += beta * x);
                    }
                }
            }
            coef
        })
    }

    /// Where the support vectors of each class with rows begin, and the last end.
    fn starts(&self) -> Vec<usize> {
        let mut starts = vec![0];
        let mut end = 0;
        for &class in &self.present {
            end += self.n_support.get(class as usize).map_or(0, |&n| n as usize);
            starts.push(end);
        }
        starts
    }

    /// The decision of each pair, positive for its first class, `[N, pairs]`.
    fn pair_values(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        let (starts, pairs) = (self.starts(), pairs(self.present.len()));
        let sign = if self.classes() == 2 { -1.0 } else { 1.0 };
        let coef = |k: usize, class: usize| {
            let row = self.dual_coef.row(k);
            row.to_slice().and_then(|row| row.get(starts[class]..starts[class + 1])).unwrap_or_default()
        };
        self.machine.decide(Svc::NAME, x, pairs.len(), |kernel, out| {
            for ((&(i, j), bias), out) in pairs.iter().zip(&self.intercept).zip(out) {
                let sum = |k, class: usize| -> f64 {
                    coef(k, class).iter().zip(&kernel[starts[class]..]).map(|(c, k)| c * k).sum()
                };
                *out = sign * (sum(j - 1, i) + sum(i, j) + bias);
            }
        })
    }

    /// Adds the pairs' votes.
    fn count(&self, pairs: &Array2<f64>, mut votes: Array2<f64>) -> Array2<f64> {
        let names = self::pairs(self.present.len());
        for (values, mut votes) in pairs.rows().into_iter().zip(votes.rows_mut()) {
            for (&(i, j), &value) in names.iter().zip(values) {
                let winner = if value > 0.0 { i } else { j };
                votes[self.present[winner] as usize] += 1.0;
            }
        }
        votes
    }

    /// One number a class: votes, and within a third of one how sure they were (scikit-learn's `_ovr_decision_function`).
    fn scores(&self, pairs: &Array2<f64>) -> Array2<f64> {
        let names = self::pairs(self.present.len());
        let mut scores = Array2::from_elem((pairs.nrows(), self.classes()), f64::MIN);
        for (values, mut scores) in pairs.rows().into_iter().zip(scores.rows_mut()) {
            let mut sure = vec![0.0; self.present.len()];
            for (&(i, j), &value) in names.iter().zip(values) {
                sure[i] += value;
                sure[j] -= value;
            }
            for (&class, sure) in self.present.iter().zip(sure) {
                scores[class as usize] = sure / (3.0 * (sure.abs() + 1.0));
            }
        }
        self.count(pairs, scores)
    }
}

#[derive(Serialize, Deserialize)]
struct Note {
    width: usize,
    function: Function,
    shape: DecisionShape,
    break_ties: bool,
    converged: bool,
    probability: bool,
}

impl Model for FittedSvc {
    fn kind(&self) -> &'static str {
        Svc::NAME
    }

    fn width(&self) -> usize {
        self.machine.vectors.width
    }

    fn classes(&self) -> usize {
        self.n_support.len()
    }

    fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
        self.predict(x).map(Prediction::Labels)
    }

    fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        self.sigmoids.as_ref().map(|_| self.predict_proba(x)).transpose()
    }

    fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
        let pairs = self.pair_values(x)?;
        Ok(Some(if self.classes() == 2 { -pairs } else { self.scores(&pairs) }))
    }

    fn influence(&self) -> Option<Influence> {
        self.coef().map(Influence::Coefficients)
    }

    fn ended(&self) -> Ended {
        Ended::of(self.converged)
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        let (width, function, converged) = (self.width(), self.machine.function, self.converged);
        let probability = self.sigmoids.is_some();
        out.note(&Note { width, function, shape: self.shape, break_ties: self.break_ties, converged, probability })?;
        out.matrix("support_vectors", &self.support_vectors())?;
        out.counts("support", &self.support, &[self.support.len()])?;
        out.counts("n_support", &self.n_support, &[self.classes()])?;
        out.counts("present", &self.present, &[self.present.len()])?;
        out.matrix("dual_coef", &self.dual_coef)?;
        out.doubles("intercept", &self.intercept, &[self.intercept.len()])?;
        out.counts("n_iter", &self.n_iter, &[self.n_iter.len()])?;
        let Some(sigmoids) = &self.sigmoids else { return Ok(()) };
        let numbers: Vec<f64> = sigmoids.iter().flat_map(|s| [s.slope, s.intercept]).collect();
        out.doubles("sigmoids", &numbers, &[sigmoids.len(), 2])
    }

    fn restore(from: &Reader<'_>) -> Result<FittedSvc> {
        let note: Note = from.note()?;
        let (support, n_support, present) =
            (from.counts("support")?.0, from.counts("n_support")?.0, from.counts("present")?.0);
        let machine = Machine::restore(from, note.function, note.width)?;
        let vectors = machine.vectors.count;
        let rising = present.windows(2).all(|pair| pair[0] < pair[1]);
        let known = present.last().is_some_and(|&last| (last as usize) < n_support.len());
        let of_present: Option<u64> =
            present.iter().map(|&class| n_support.get(class as usize).map(|&n| u64::from(n))).sum();
        if present.len() < 2 || !rising || !known || support.len() != vectors || of_present != Some(vectors as u64) {
            return Err(from.error("classes and support vectors do not fit together"));
        }
        let count = present.len() * (present.len() - 1) / 2; // at least 2 are present
        let dual_coef = from.matrix("dual_coef")?;
        if dual_coef.dim() != (present.len() - 1, vectors) {
            return Err(from.error(format!("dual_coef has shape {:?} for {vectors} vectors", dual_coef.dim())));
        }
        let n_iter = from.counts("n_iter")?.0;
        let sigmoids = match note.probability {
            false => None,
            true => {
                let numbers = from.matrix("sigmoids")?;
                if numbers.dim() != (count, 2) {
                    return Err(from.error(format!("sigmoids have shape {:?} for {count} pairs", numbers.dim())));
                }
                Some(numbers.rows().into_iter().map(|row| Sigmoid { slope: row[0], intercept: row[1] }).collect())
            }
        };
        let intercept = from.vector("intercept", count)?;
        let (shape, break_ties, converged) = (note.shape, note.break_ties, note.converged);
        Ok(FittedSvc {
            machine,
            shape,
            break_ties,
            present,
            sigmoids,
            support,
            n_support,
            dual_coef,
            intercept,
            n_iter,
            converged,
        })
    }
}
