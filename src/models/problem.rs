//! What is to be learnt from: features, answers, weights, and the checks that every model asks of them.

use crate::cost::Work;
use crate::data::{Features, Matrix};
use crate::device::Device;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// What is to be learnt from: rows, their answers, and what is known about them.
///
/// ```
/// use tilework::models::Problem;
/// let problem = Problem::new(&[[1.0], [2.0]], &[1.5, 2.5]).weights(&[1.0, 2.0]);
/// assert!(problem.check("fit").is_ok());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// The features, `[N, F]`.
    pub x: Matrix<'a>,
    /// What is to be predicted, one a row.
    pub y: Answer<'a>,
    /// How much each row counts, `[N]`; all the same when left out. A weight of 2 is as good as the row twice.
    pub weights: Option<&'a [f64]>,
    /// The features' names, for messages and tables.
    pub names: Option<&'a [String]>,
    /// Where models that are built on tensors run: what [`Device::auto_for`] takes when left out.
    pub device: Option<&'a Device>,
}

/// The answers to learn.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// Numbers to regress on.
    Values(&'a [f64]),
    /// Classes.
    Labels {
        /// Positions in a list of classes, from 0.
        of: &'a [u32],
        /// How many classes there are.
        classes: usize,
    },
    /// None: groups or directions are found in the features alone.
    None,
}

/// Classes given by any names: labels as positions in the sorted list of distinct names (numbers by value).
///
/// ```
/// use tilework::models::Labels;
/// let labels = Labels::new([1, -1, 1, 10]);
/// assert_eq!(labels.names, ["-1", "1", "10"]);
/// assert_eq!(labels.of, [1, 0, 1, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// The class of each row: a position in `names`.
    pub of: Vec<u32>,
    /// The classes.
    pub names: Vec<String>,
}

/// More classes than any data has: a label that is meant as a name, such as 4,000,000,000, would ask for memory for all below.
const MOST_CLASSES: usize = 1 << 20;

impl<'a> Problem<'a> {
    /// Features and answers, all rows alike.
    pub fn new(x: impl Into<Matrix<'a>>, y: impl Into<Answer<'a>>) -> Problem<'a> {
        Problem { x: x.into(), y: y.into(), weights: None, names: None, device: None }
    }

    /// The same with a weight for each row.
    pub fn weights(self, weights: &'a [f64]) -> Problem<'a> {
        Problem { weights: Some(weights), ..self }
    }

    /// The same with the features' names.
    pub fn names(self, names: &'a [String]) -> Problem<'a> {
        Problem { names: Some(names), ..self }
    }

    /// The same on a device.
    pub fn on(self, device: &'a Device) -> Problem<'a> {
        Problem { device: Some(device), ..self }
    }

    /// What every model asks of its input: rows, features, as many answers and weights as rows, all of them finite.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NonFinite`] and [`Error::Argument`] that begin with `op` and say where.
    pub fn check(&self, op: &'static str) -> Result<()> {
        self.check_all_but_features(op)?;
        self.x.check_finite(op, self.names)
    }

    /// As [`Problem::check`], but NaN among the features stands for a missing value and passes.
    ///
    /// # Errors
    /// As [`Problem::check`].
    pub fn check_but_missing(&self, op: &'static str) -> Result<()> {
        self.check_all_but_features(op)?;
        self.x.check_not_infinite(op, self.names)
    }

    fn check_all_but_features(&self, op: &'static str) -> Result<()> {
        let (rows, width) = (self.x.rows(), self.x.width());
        if rows == 0 || width == 0 {
            let message = format!("nothing to learn from: {rows} rows of {width} features; give at least one of each");
            return Err(Error::shape(op, message));
        }
        check_sparse(op, self.x)?;
        let answers = self.y.len().unwrap_or(rows);
        if answers != rows {
            return Err(Error::shape(op, format!("{rows} rows of features and {answers} answers; give one a row")));
        }
        match self.y {
            Answer::Values(values) => {
                if let Some(row) = values.iter().position(|v| !v.is_finite()) {
                    let message = format!("target {} in row {row}; drop the row or correct it", values[row]);
                    return Err(Error::NonFinite { op, message });
                }
            }
            Answer::Labels { classes, .. } if classes > MOST_CLASSES => {
                let message = format!("{classes} classes; at most {MOST_CLASSES}: give names through Labels::new");
                return Err(Error::argument(op, message));
            }
            Answer::Labels { of, classes } => {
                if let Some(row) = of.iter().position(|&label| label as usize >= classes) {
                    let message = format!("label {} of {classes} classes in row {row}; count from 0", of[row]);
                    return Err(Error::argument(op, message));
                }
            }
            Answer::None => {}
        }
        self.check_weights(op)
    }

    fn check_weights(&self, op: &'static str) -> Result<()> {
        let Some(weights) = self.weights else { return Ok(()) };
        let rows = self.x.rows();
        if weights.len() != rows {
            return Err(Error::shape(
                op,
                format!("{rows} rows of features and {} weights; give one a row", weights.len()),
            ));
        }
        if let Some(row) = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0)) {
            let message = format!("weight {} of row {row}; weights are finite and not negative", weights[row]);
            return Err(Error::argument(op, message));
        }
        match weights.iter().any(|&w| w > 0.0) {
            true => Ok(()),
            false => {
                Err(Error::argument(op, "all weights are 0: nothing is left to learn from; give some rows a weight"))
            }
        }
    }

    /// The numbers to regress on.
    ///
    /// # Errors
    /// [`Error::Argument`] when the answers are classes.
    pub fn values(&self, op: &'static str) -> Result<&'a [f64]> {
        match self.y {
            Answer::Values(values) => Ok(values),
            _ => Err(Error::argument(op, "needs numbers as its target: given classes; give f64 values")),
        }
    }

    /// The labels and the number of classes. At least two classes have rows of some weight.
    ///
    /// # Errors
    /// [`Error::Argument`] when the answers are numbers, or of one class only.
    pub fn labels(&self, op: &'static str) -> Result<(&'a [u32], usize)> {
        let Answer::Labels { of, classes } = self.y else {
            return Err(Error::argument(op, "needs classes as its target: given numbers; give u32 labels or Labels"));
        };
        let counts = |row: &usize| self.weights.is_none_or(|w| w.get(*row).is_some_and(|&w| w > 0.0));
        let mut seen = (0..of.len()).filter(counts).filter_map(|row| of.get(row));
        let first = seen.next();
        match seen.any(|label| Some(label) != first) {
            true => Ok((of, classes)),
            false => {
                let only = first.map_or_else(String::new, |label| format!(": all rows are of class {label}"));
                Err(Error::argument(op, format!("needs at least two classes{only}; nothing is to be told apart")))
            }
        }
    }

    /// The weight of each row, 1 where none were given.
    pub fn row_weights(&self) -> Vec<f64> {
        self.weights.map_or_else(|| vec![1.0; self.x.rows()], <[f64]>::to_vec)
    }

    /// The device to run on: the one given, else the one that is done with this work first.
    pub fn device(&self, work: &Work) -> Device {
        self.device.cloned().unwrap_or_else(|| Device::auto_for(work))
    }

    /// The rows at `indices`, as owned parts: features, and answers as they are taken by [`Answer::select`].
    ///
    /// # Errors
    /// [`Error::Argument`] for a row past the end.
    pub fn select(&self, indices: &[usize]) -> Result<Part> {
        let x = self.x.take(indices)?;
        let weights = self.weights.map(|w| indices.iter().filter_map(|&i| w.get(i)).copied().collect());
        Ok(Part { x, y: self.y.select(indices), weights })
    }
}

/// The models that take a sparse matrix as it is.
const SPARSE: &[&str] = &[
    "linear-regression",
    "ridge",
    "logistic-regression",
    "linear-svc",
    "linear-svr",
    "multinomial-nb",
    "bernoulli-nb",
];

/// The most cells of a sparse matrix that are made dense for a model that needs it so: a gigabyte.
const MOST_DENSE: usize = 1 << 27;

/// Refuses a sparse matrix that a model would have to make dense and that is too large for it.
pub(super) fn check_sparse(op: &'static str, x: Matrix<'_>) -> Result<()> {
    let cells = x.rows().saturating_mul(x.width());
    if !matches!(x, Matrix::Sparse(_)) || SPARSE.contains(&op) || cells <= MOST_DENSE {
        return Ok(());
    }
    let message = format!(
        "needs a dense matrix, and {} rows of {} features would take {:.1} GB; take fewer, or one of those that take a \
         sparse one: {}",
        x.rows(),
        x.width(),
        cells as f64 * 8e-9,
        SPARSE.join(", ")
    );
    Err(Error::argument(op, message))
}

/// Some rows of a [`Problem`], copied.
#[derive(Debug, Clone)]
pub struct Part {
    /// Features, sparse where the problem's are.
    pub x: Features,
    /// Answers.
    pub y: Answers,
    /// Weights, where there are any.
    pub weights: Option<Vec<f64>>,
}

/// Answers that are owned.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Numbers.
    Values(Vec<f64>),
    /// Labels, and the number of classes.
    Labels(Vec<u32>, usize),
    /// None.
    None,
}

impl Part {
    /// The part as a problem; names and device are those of `whole`.
    pub fn problem<'a>(&'a self, whole: &'a Problem<'_>) -> Problem<'a> {
        let (names, device) = (whole.names, whole.device);
        Problem {
            x: self.x.matrix().with_texts_of(&whole.x),
            y: self.y.answer(),
            weights: self.weights.as_deref(),
            names,
            device,
        }
    }
}

impl Answers {
    /// A view of them.
    pub fn answer(&self) -> Answer<'_> {
        match self {
            Answers::Values(values) => Answer::Values(values),
            Answers::Labels(of, classes) => Answer::Labels { of, classes: *classes },
            Answers::None => Answer::None,
        }
    }
}

impl Answer<'_> {
    /// How many there are.
    pub fn len(&self) -> Option<usize> {
        match self {
            Answer::Values(values) => Some(values.len()),
            Answer::Labels { of, .. } => Some(of.len()),
            Answer::None => None,
        }
    }

    /// Whether there are answers, and none of them.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Those of the rows at `indices`; rows past the end are passed over.
    pub fn select(&self, indices: &[usize]) -> Answers {
        match self {
            Answer::Values(values) => Answers::Values(indices.iter().filter_map(|&i| values.get(i)).copied().collect()),
            Answer::Labels { of, classes } => {
                Answers::Labels(indices.iter().filter_map(|&i| of.get(i)).copied().collect(), *classes)
            }
            Answer::None => Answers::None,
        }
    }
}

impl Labels {
    /// Names of any sort that prints.
    pub fn new<T: ToString>(names: impl IntoIterator<Item = T>) -> Labels {
        let given: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
        let mut names = given.clone();
        names.sort();
        names.dedup();
        if let Some(values) = names.iter().map(|name| name.parse().ok()).collect::<Option<Vec<f64>>>() {
            let mut order: Vec<usize> = (0..names.len()).collect();
            order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            names = order.into_iter().map(|i| std::mem::take(&mut names[i])).collect();
        }
        let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
        let of = given.iter().filter_map(|name| place.get(name.as_str()).copied()).collect();
        Labels { of, names }
    }

    /// The name of a predicted label; empty for one that is no class.
    pub fn name(&self, label: u32) -> &str {
        self.names.get(label as usize).map_or("", String::as_str)
    }
}

impl<'a> From<&'a Labels> for Answer<'a> {
    fn from(labels: &'a Labels) -> Answer<'a> {
        Answer::Labels { of: &labels.of, classes: labels.names.len() }
    }
}

impl<'a> From<&'a [f64]> for Answer<'a> {
    fn from(values: &'a [f64]) -> Answer<'a> {
        Answer::Values(values)
    }
}

impl<'a> From<&'a Vec<f64>> for Answer<'a> {
    fn from(values: &'a Vec<f64>) -> Answer<'a> {
        Answer::Values(values)
    }
}

impl<'a, const N: usize> From<&'a [f64; N]> for Answer<'a> {
    fn from(values: &'a [f64; N]) -> Answer<'a> {
        Answer::Values(values)
    }
}

impl<'a> From<&'a [u32]> for Answer<'a> {
    fn from(of: &'a [u32]) -> Answer<'a> {
        Answer::Labels { of, classes: of.iter().max().map_or(0, |&label| label as usize + 1) }
    }
}

impl<'a> From<&'a Vec<u32>> for Answer<'a> {
    fn from(of: &'a Vec<u32>) -> Answer<'a> {
        of.as_slice().into()
    }
}

/// Labels and the number of classes, of which not all need be there.
impl<'a> From<(&'a [u32], usize)> for Answer<'a> {
    fn from((of, classes): (&'a [u32], usize)) -> Answer<'a> {
        Answer::Labels { of, classes }
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Answer<'a> {
    fn from(of: &'a [u32; N]) -> Answer<'a> {
        of.as_slice().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(problem: Problem<'_>) -> String {
        problem.check("fit").map_or_else(|e| e.to_string(), |()| "fine".to_string())
    }

    #[test]
    fn problems_that_cannot_be_learnt_from_say_why() {
        let x = [[1.0], [2.0]];
        assert_eq!(text(Problem::new(&x, &[1.0, 2.0])), "fine");
        assert!(text(Problem::new(&x, &[1.0])).starts_with("fit: 2 rows of features and 1 answers"));
        assert!(text(Problem::new(&x, &[1.0, f64::NAN])).starts_with("fit: target NaN in row 1"));
        assert!(text(Problem::new(&[[0.0; 0]; 2], &[1.0, 2.0])).starts_with("fit: nothing to learn from: 2 rows of 0"));
        assert!(text(Problem::new(&x, &[1.0, 2.0]).weights(&[1.0])).contains("2 rows of features and 1 weights"));
        assert!(text(Problem::new(&x, &[1.0, 2.0]).weights(&[1.0, -1.0])).contains("weight -1 of row 1"));
        assert!(text(Problem::new(&x, &[1.0, 2.0]).weights(&[0.0, 0.0])).contains("all weights are 0"));
        assert!(text(Problem::new(&[[1.0], [f64::NAN]], &[1.0, 2.0])).contains("NaN in row 1, column 0"));
    }

    #[test]
    fn a_sparse_matrix_too_large_to_be_dense_is_refused_where_it_would_have_to_be() {
        let x = crate::data::Sparse::from_rows(1 << 26, [vec![], vec![(7, 1.0)], vec![]]).unwrap();
        let problem = Problem::new(&x, &[0u32, 1, 0]);
        assert!(problem.check("logistic-regression").is_ok());
        let error = problem.check("svc").unwrap_err().to_string();
        assert!(
            error.starts_with("svc: needs a dense matrix, and 3 rows of 67108864 features would take 1.6 GB"),
            "{error}"
        );
        assert!(problem.select(&[0, 1]).unwrap().problem(&problem).check("svc").is_ok());
    }

    #[test]
    fn one_class_is_none_to_tell_apart() {
        let x = [[1.0], [2.0]];
        let error = Problem::new(&x, &[1u32, 1]).labels("fit").unwrap_err().to_string();
        assert!(error.starts_with("fit: needs at least two classes: all rows are of class 1"), "{error}");
        assert!(Problem::new(&x, &[0u32, 1]).weights(&[1.0, 0.0]).labels("fit").is_err());
        assert_eq!(Problem::new(&x, &[0u32, 1]).labels("fit").unwrap(), (&[0, 1][..], 2));
    }
}
