//! Rows as the mini-batch solver reads them, again for each pass: all in memory, or a part after another of more than memory
//! holds. A first pass checks them and finds means and deviations.

use super::FittedLinear;
use super::batches::{Batches, Block, Each, Task, Trained};
use super::rows::Rows;
use super::softmax::standardised;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::models::class_weight::ClassWeight;
use crate::models::estimator::{Estimator, Model, check_range};
use crate::models::linear::{LinearRegression, LogisticRegression, Ridge};
use crate::models::problem::{Answer, Problem};
use crate::models::settings::settled;
use crate::tensor::Tensor;
use ndarray::ArrayView2;
use serde_json::{Map, Value};

/// One pass over rows that are too many for memory: it gives each part of them to the function, as a problem of its own with the
/// same features and classes, in the same order each time it is called.
pub type Pass<'a> = dyn Fn(&mut dyn FnMut(&Problem<'_>) -> Result<()>) -> Result<()> + 'a;

/// Bytes of the rows that are shuffled together.
const BLOCK_BYTES: usize = 64 << 20;

/// The models that learn from parts.
pub(crate) const STREAMED: [&str; 3] = [LinearRegression::NAME, Ridge::NAME, LogisticRegression::NAME];

/// Learns from parts with a model by its name in `MODELS` and its settings.
///
/// # Errors
/// [`Error::Argument`] for a model that does not learn so; those of its fit.
pub(crate) fn learn_parts(model: &str, settings: &Map<String, Value>, read: &Pass<'_>) -> Result<Box<dyn Model>> {
    let settings = Value::Object(settings.clone());
    Ok(match model {
        LinearRegression::NAME => {
            Box::new(settled::<LinearRegression>(LinearRegression::NAME, &settings)?.learn_parts(read)?)
        }
        Ridge::NAME => Box::new(settled::<Ridge>(Ridge::NAME, &settings)?.learn_parts(read)?),
        LogisticRegression::NAME => {
            Box::new(settled::<LogisticRegression>(LogisticRegression::NAME, &settings)?.learn_parts(read)?)
        }
        _ => {
            let message = format!("{model} needs all rows in memory; {} do not", STREAMED.join(", "));
            return Err(Error::argument("stream", message));
        }
    })
}

/// Where rows come from.
pub(super) enum Source<'a, 'p> {
    Whole(&'a Problem<'p>),
    Parts(&'a Pass<'a>),
}

/// What a first pass finds.
pub(super) struct Survey {
    pub op: &'static str,
    pub rows: usize,
    pub width: usize,
    /// The number of classes; 0 of numbers.
    pub classes: usize,
    /// The sum of the weights, and those of each class.
    pub weight: f64,
    pub of_classes: Vec<f64>,
    /// Of the features and then the target, where that is numbers: weighted means, zeros without an intercept.
    pub mean: Vec<f64>,
    /// Weighted sums of squares about the means.
    squares: Vec<f64>,
    device: Option<Device>,
}

impl Source<'_, '_> {
    fn read(&self, each: &mut dyn FnMut(&Problem<'_>) -> Result<()>) -> Result<()> {
        match self {
            Source::Whole(problem) => each(problem),
            Source::Parts(read) => read(&mut |part| if part.x.rows() == 0 { Ok(()) } else { each(part) }),
        }
    }

    /// Checks all rows and measures the columns. `factors` are those of the classes, in a second survey.
    pub fn survey(&self, op: &'static str, fit_intercept: bool, factors: Option<&[f64]>) -> Result<Survey> {
        let mut found: Option<Survey> = None;
        self.read(&mut |part| {
            let first = found.as_ref().map_or(0, |found| found.rows);
            part.check(op).map_err(|e| below(e, first))?;
            let weights = weights(part, factors);
            let y = match part.y {
                Answer::Values(values) => ArrayView2::from(values.as_chunks::<1>().0),
                _ => ArrayView2::from_shape((part.x.rows(), 0), &[]).map_err(|e| Error::internal(op, e.to_string()))?,
            };
            let classes = if let Answer::Labels { classes, .. } = part.y { classes } else { 0 };
            let columns = part.x.width() + y.ncols();
            let found = found.get_or_insert_with(|| Survey {
                op,
                rows: 0,
                width: part.x.width(),
                classes,
                weight: 0.0,
                of_classes: vec![0.0; classes],
                mean: vec![0.0; columns],
                squares: vec![0.0; columns],
                device: part.device.cloned(),
            });
            if (found.width, found.classes, found.mean.len()) != (part.x.width(), classes, columns) {
                let message = format!("a part from row {first} on has other features or classes than those before");
                return Err(Error::shape(op, message));
            }
            found.rows += part.x.rows();
            if let Answer::Labels { of, .. } = part.y {
                for (&label, weight) in of.iter().zip(&weights) {
                    found.of_classes.get_mut(label as usize).into_iter().for_each(|sum| *sum += weight);
                }
            }
            let rows = Rows { x: part.x, y, weights: Some(&weights) };
            if weights.iter().any(|w| *w > 0.0) {
                let centre = rows.centre(fit_intercept);
                found.add(centre.weight, &[centre.x.as_slice(), &centre.y].concat(), &rows.variance(&centre));
            }
            Ok(())
        })?;
        let found = found.ok_or_else(|| Error::shape(op, "nothing to learn from: 0 rows; give at least one"))?;
        check_range(op, "variances of the columns", &found.squares)?;
        Ok(found)
    }

    /// One pass over the rows in blocks that are shuffled together.
    fn blocks(&self, survey: &Survey, batches: &Batches, how: &How<'_>, each: &mut Each<'_>) -> Result<()> {
        let (mean, deviation) = (&survey.mean[..survey.width], &how.deviation);
        let parts = match self {
            Source::Parts(_) => self,
            Source::Whole(problem) => {
                return each(&Block {
                    rows: survey.rows,
                    x: &|rows| Ok(standardised((&problem.x.select(rows)?).into(), mean, deviation)),
                    targets: &|rows| (how.targets)(problem, rows),
                    weights: &weights(problem, how.factors),
                });
            }
        };
        let (width, outputs) = (survey.width, how.outputs);
        let fitting = BLOCK_BYTES / size_of::<f32>() / (width + outputs);
        let size = (batches.shuffle_rows.min(fitting) / batches.batch_size).max(1) * batches.batch_size;
        let (mut x, mut targets, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let mut read = 0;
        let mut take = |x: &mut Vec<f32>, targets: &mut Vec<f32>, counts: &mut Vec<f64>, rows: usize| {
            read += rows;
            each(&Block {
                rows,
                x: &|rows| Ok(gather(x, width, rows)),
                targets: &|rows| gather(targets, outputs, rows),
                weights: counts,
            })?;
            x.drain(..rows * width);
            targets.drain(..rows * outputs);
            counts.drain(..rows);
            Ok::<(), Error>(())
        };
        parts.read(&mut |part| {
            if part.x.width() != width || part.y.len() != Some(part.x.rows()) {
                return Err(Error::shape(survey.op, "a pass gave other features or answers than the one before"));
            }
            x.extend(standardised(part.x, mean, deviation));
            targets.extend((how.targets)(part, &(0..part.x.rows()).collect::<Vec<_>>()));
            counts.extend(weights(part, how.factors));
            while counts.len() >= size {
                take(&mut x, &mut targets, &mut counts, size)?;
            }
            Ok(())
        })?;
        let rest = counts.len();
        if rest > 0 {
            take(&mut x, &mut targets, &mut counts, rest)?;
        }
        match read == survey.rows {
            true => Ok(()),
            false => {
                let message = format!("a pass gave {read} rows, the one before {}; give the same", survey.rows);
                Err(Error::shape(survey.op, message))
            }
        }
    }

    /// Trains on what a survey found.
    pub fn train(&self, survey: &Survey, batches: &Batches, how: &How<'_>) -> Result<Trained> {
        let task = Task {
            op: survey.op,
            rows: survey.rows,
            weight: survey.weight,
            deviation: &how.deviation,
            outputs: how.outputs,
            fit_intercept: how.fit_intercept,
            l2: how.l2,
        };
        let pass = |each: &mut Each<'_>| self.blocks(survey, batches, how, each);
        let work = || batches.work(survey.rows, &[survey.width, how.outputs]);
        let device = survey.device.clone().unwrap_or_else(|| Device::auto_for(&work()));
        batches.train(&task, &pass, how.loss, &device)
    }
}

/// What is trained on the rows.
pub(super) struct How<'a> {
    pub outputs: usize,
    pub fit_intercept: bool,
    /// What each feature is divided by.
    pub deviation: Vec<f64>,
    /// As [`Task::l2`].
    pub l2: f64,
    /// What the rows of each class count.
    pub factors: Option<&'a [f64]>,
    /// Of some rows, `[B, K]`.
    pub targets: &'a dyn Fn(&Problem<'_>, &[usize]) -> Vec<f32>,
    pub loss: fn(&Tensor, &Tensor) -> Tensor,
}

impl Survey {
    /// Adds what a part has (Chan, Golub and LeVeque, 1979).
    fn add(&mut self, weight: f64, mean: &[f64], variance: &[f64]) {
        let all = self.weight + weight;
        let columns = self.mean.iter_mut().zip(&mut self.squares).zip(mean.iter().zip(variance));
        for ((known, squares), (mean, variance)) in columns {
            let apart = mean - *known;
            *squares += variance * weight + apart * apart * (self.weight * weight / all);
            *known += apart * (weight / all);
        }
        self.weight = all;
    }

    /// Deviations of features and target; 1 of what is constant.
    pub fn deviations(&self) -> Vec<f64> {
        let root = |squares: &f64| if *squares > 0.0 { (squares / self.weight).sqrt() } else { 1.0 };
        self.squares.iter().map(root).collect()
    }

    /// The factors of the classes; at least two are left.
    pub fn factors(&self, weights: Option<&ClassWeight>) -> Result<Option<Vec<f64>>> {
        if self.classes == 0 {
            let message = "needs classes as its target: given numbers; give u32 labels or Labels";
            return Err(Error::argument(self.op, message));
        }
        if self.of_classes.iter().filter(|sum| **sum > 0.0).count() < 2 {
            let message = "needs at least two classes: all rows are of one; nothing is to be told apart";
            return Err(Error::argument(self.op, message));
        }
        weights.map(|weights| weights.factors(self.op, &self.of_classes)).transpose()
    }
}

/// Least squares, with a price on the coefficients' squares, in mini-batches: of a target moved to mean 0 and divided by its
/// deviation.
pub(super) fn regress<E: Estimator>(
    source: &Source<'_, '_>,
    batches: &Batches,
    fit_intercept: bool,
    alpha: f64,
) -> Result<FittedLinear<E>> {
    batches.check(E::NAME)?;
    let survey = source.survey(E::NAME, fit_intercept, None)?;
    let mut deviation = survey.deviations();
    let (Some(of_y), Some(mean_y)) = (deviation.pop().filter(|_| survey.mean.len() > survey.width), survey.mean.last())
    else {
        let message = "needs numbers as its target: given classes; give f64 values";
        return Err(Error::argument(E::NAME, message));
    };
    let targets = |part: &Problem<'_>, rows: &[usize]| {
        let Answer::Values(values) = part.y else { return vec![f32::NAN; rows.len()] };
        rows.iter().map(|&row| values.get(row).map_or(f32::NAN, |y| ((y - mean_y) / of_y) as f32)).collect()
    };
    let how = How {
        outputs: 1,
        fit_intercept,
        deviation,
        l2: alpha / survey.weight,
        factors: None,
        targets: &targets,
        loss: |scores, targets| (scores - targets).square() * 0.5,
    };
    let trained = source.train(&survey, batches, &how)?;
    let coef: Vec<f64> = trained.coef.iter().map(|c| c * of_y).collect();
    let moved: f64 = coef.iter().zip(&survey.mean).map(|(c, mean)| c * mean).sum();
    let intercept = trained.constants.first().map_or(0.0, |b| b * of_y + mean_y - moved);
    let fitted = FittedLinear::new(coef, intercept)?;
    Ok(FittedLinear { n_iter: trained.epochs, converged: trained.converged, ..fitted })
}

/// Refuses a solver that cannot learn from parts.
pub(super) fn check_solver(op: &'static str, stochastic: bool) -> Result<()> {
    match stochastic {
        true => Ok(()),
        false => Err(Error::argument(op, "learns from parts with solver stochastic alone; set it")),
    }
}

fn weights(part: &Problem<'_>, factors: Option<&[f64]>) -> Vec<f64> {
    let mut weights = part.row_weights();
    if let (Some(factors), Answer::Labels { of, .. }) = (factors, part.y) {
        let factor = |label: &u32| factors.get(*label as usize).copied().unwrap_or(0.0);
        weights.iter_mut().zip(of).for_each(|(weight, label)| *weight *= factor(label));
    }
    weights
}

fn gather(values: &[f32], width: usize, rows: &[usize]) -> Vec<f32> {
    rows.iter().flat_map(|&row| values.get(row * width..(row + 1) * width).unwrap_or_default()).copied().collect()
}

/// The same error where rows are counted from the first of a part.
fn below(error: Error, first: usize) -> Error {
    match error {
        Error::NonFinite { op, message } if first > 0 => Error::NonFinite {
            op,
            message: format!("{message} (rows count from the part's first, row {first} of all)"),
        },
        error => error,
    }
}
