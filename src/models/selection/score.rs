//! Every score that a model can be chosen by, in one table.

use super::trial::Outcomes;
use crate::error::{Error, Result};
use crate::metrics::{self, Average};
use crate::models::{Answers, Prediction, Predicts};
use ndarray::Array2;
use std::borrow::Cow;

/// A score of a model on rows with known answers.
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// As options and reports spell it.
    pub name: &'static str,
    /// Whether more is better; of errors and losses, less is.
    pub greater_is_better: bool,
    how: How,
}

/// From what it is computed.
#[derive(Debug, Clone, Copy)]
enum How {
    Labels(fn(&[u32], &[u32]) -> Result<f64>),
    /// Scores of class 1, or of each class against the rest.
    Ranking(fn(&[u32], &[f64]) -> Result<f64>),
    /// `[N, C]` and `C`.
    Probabilities(fn(&[u32], &[f64], usize) -> Result<f64>),
    Values(fn(&[f64], &[f64]) -> Result<f64>),
    /// The same of at least two rows.
    Spread(fn(&[f64], &[f64]) -> Result<f64>),
}

/// Every score. The first of each sort is the one that models are chosen by unless told otherwise, as in scikit-learn.
pub const SCORES: &[Score] = &[
    row("accuracy", true, How::Labels(metrics::accuracy)),
    row("balanced_accuracy", true, How::Labels(metrics::balanced_accuracy)),
    row("precision_macro", true, How::Labels(|t, p| metrics::precision(t, p, Average::Macro))),
    row("recall_macro", true, How::Labels(|t, p| metrics::recall(t, p, Average::Macro))),
    row("f1_macro", true, How::Labels(|t, p| metrics::f1(t, p, Average::Macro))),
    row("f1_weighted", true, How::Labels(|t, p| metrics::f1(t, p, Average::Weighted))),
    row("matthews", true, How::Labels(metrics::matthews)),
    row("cohen_kappa", true, How::Labels(metrics::cohen_kappa)),
    row("roc_auc", true, How::Ranking(metrics::roc_auc)),
    row("average_precision", true, How::Ranking(metrics::average_precision)),
    row("log_loss", false, How::Probabilities(metrics::log_loss)),
    row("brier", false, How::Probabilities(metrics::brier)),
    row("r2", true, How::Spread(metrics::r2)),
    row("explained_variance", true, How::Values(metrics::explained_variance)),
    row("mse", false, How::Values(metrics::mse)),
    row("rmse", false, How::Values(metrics::rmse)),
    row("mae", false, How::Values(metrics::mae)),
    row("mape", false, How::Values(metrics::mape)),
];

const fn row(name: &'static str, greater_is_better: bool, how: How) -> Score {
    Score { name, greater_is_better, how }
}

/// The score of that name.
///
/// # Errors
/// [`Error::Argument`] with the names there are.
pub fn score(name: &str) -> Result<&'static Score> {
    SCORES.iter().find(|score| score.name == name).ok_or_else(|| {
        let names = SCORES.iter().map(|score| score.name).collect::<Vec<_>>().join(", ");
        Error::argument("score", format!("no score is called {name:?}: there are {names}"))
    })
}

impl Score {
    /// The score that models of this sort are chosen by unless told otherwise: accuracy or R².
    pub fn of_choice(predicts: Predicts) -> &'static Score {
        const CLASSES: &Score = &SCORES[0];
        const VALUES: &Score = &SCORES[12];
        match predicts {
            Predicts::Labels => CLASSES,
            Predicts::Values => VALUES,
        }
    }

    /// What sort of model has it.
    pub fn predicts(&self) -> Predicts {
        match self.how {
            How::Values(_) | How::Spread(_) => Predicts::Values,
            _ => Predicts::Labels,
        }
    }

    /// The fewest rows that have it.
    pub(crate) fn least_rows(&self) -> usize {
        if matches!(self.how, How::Spread(_)) { 2 } else { 1 }
    }

    /// Whether a model with these outcomes has it: probabilities or a ranking are not given by all, and rows of one class alone
    /// have none to be told apart from; one row alone has no variance.
    pub fn applies(&self, outcomes: &Outcomes) -> bool {
        let labels = matches!(outcomes.predicted, Prediction::Labels(_));
        match self.how {
            How::Labels(_) => labels,
            How::Ranking(_) => {
                let given = outcomes.decision.is_some() || outcomes.probabilities.is_some();
                given
                    && matches!(&outcomes.truth, Answers::Labels(of, _) if of.iter().any(|label| Some(label) != of.first()))
            }
            How::Probabilities(_) => labels && outcomes.probabilities.is_some(),
            How::Values(_) | How::Spread(_) => {
                matches!(&outcomes.truth, Answers::Values(of) if of.len() >= self.least_rows())
            }
        }
    }

    /// The score.
    ///
    /// # Errors
    /// [`Error::Argument`] for outcomes of another sort, or of a model without the probabilities that it needs; what the score
    /// itself refuses, such as one class alone.
    pub fn of(&self, outcomes: &Outcomes) -> Result<f64> {
        match (self.how, &outcomes.truth, &outcomes.predicted) {
            (How::Values(of) | How::Spread(of), Answers::Values(truth), Prediction::Values(predicted)) => {
                of(truth, predicted)
            }
            (How::Labels(of), Answers::Labels(truth, _), Prediction::Labels(predicted)) => of(truth, predicted),
            (How::Probabilities(of), Answers::Labels(truth, classes), _) => match &outcomes.probabilities {
                Some(p) => of(truth, &flat(p), *classes),
                None => Err(self.needs("probabilities, which this model does not give")),
            },
            (How::Ranking(of), Answers::Labels(truth, classes), _) => {
                let scores = match (&outcomes.decision, &outcomes.probabilities) {
                    (Some(decision), _) if *classes == 2 => decision,
                    (_, Some(p)) => p,
                    (Some(decision), None) => decision,
                    (None, None) => return Err(self.needs("scores or probabilities, which this model does not give")),
                };
                ranked(of, truth, *classes, scores)
            }
            (How::Values(_) | How::Spread(_), ..) => Err(self.needs("a model of numbers")),
            _ => Err(self.needs("a model of classes")),
        }
    }

    /// The score of rows with weights, of which some are above 0: of those that are a mean over rows, the weighted one, and R².
    ///
    /// # Errors
    /// As [`Score::of`]; [`Error::Argument`] for a score that takes no weights, with those that do.
    pub(super) fn weighted(&self, outcomes: &Outcomes, weights: &[f64]) -> Result<f64> {
        const MEANS: [&str; 6] = ["accuracy", "log_loss", "brier", "mse", "mae", "mape"];
        let total: f64 = weights.iter().sum();
        let mean = |score: &Score| -> Result<f64> {
            let terms = weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
            let sum = terms.map(|(row, weight)| Ok(weight * score.of(&outcomes.row(row))?)).sum::<Result<f64>>()?;
            Ok(sum / total)
        };
        match self.name {
            name if MEANS.contains(&name) => mean(self),
            "rmse" => mean(score("mse")?).map(f64::sqrt),
            "r2" => {
                let left = mean(score("mse")?)?;
                let Answers::Values(truth) = &outcomes.truth else { return Err(self.needs("a model of numbers")) };
                let centre = truth.iter().zip(weights).map(|(t, w)| t * w).sum::<f64>() / total;
                let whole = truth.iter().zip(weights).map(|(t, w)| w * (t - centre).powi(2)).sum::<f64>() / total;
                Ok(match (left == 0.0, whole == 0.0) {
                    (true, _) => 1.0,
                    (false, true) => 0.0,
                    (false, false) => 1.0 - left / whole,
                })
            }
            _ => {
                let message = format!(
                    "{} takes no weights that differ; choose one of {}, rmse, r2, or leave the weights out",
                    self.name,
                    MEANS.join(", ")
                );
                Err(Error::argument("score", message))
            }
        }
    }

    fn needs(&self, what: &str) -> Error {
        Error::argument("score", format!("{} needs {what}; choose another score", self.name))
    }
}

fn flat(matrix: &Array2<f64>) -> Cow<'_, [f64]> {
    match matrix.as_slice() {
        Some(values) => Cow::Borrowed(values),
        None => Cow::Owned(matrix.iter().copied().collect()),
    }
}

/// Of two classes, the score of class 1; of more, the mean over the classes that have rows and of each against the rest.
fn ranked(of: fn(&[u32], &[f64]) -> Result<f64>, truth: &[u32], classes: usize, scores: &Array2<f64>) -> Result<f64> {
    let column = |class: usize| scores.columns().into_iter().nth(class).map(|column| column.to_vec());
    if classes == 2 {
        return of(truth, &column(scores.ncols().saturating_sub(1)).unwrap_or_default());
    }
    let (mut sum, mut count) = (0.0, 0.0);
    for class in (0..classes).filter(|&class| truth.contains(&(class as u32))) {
        let one: Vec<u32> = truth.iter().map(|&label| u32::from(label as usize == class)).collect();
        sum += of(&one, &column(class).unwrap_or_default())?;
        count += 1.0;
    }
    Ok(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Versus;
    use crate::models::Ended;
    use ndarray::array;

    fn outcomes(probabilities: Option<Array2<f64>>) -> Outcomes {
        Outcomes {
            truth: Answers::Labels(vec![0, 1, 2, 1], 3),
            predicted: Prediction::Labels(vec![0, 1, 2, 0]),
            probabilities,
            decision: None,
            ended: Ended::default(),
        }
    }

    #[test]
    fn names_are_unique_and_the_scores_of_choice_are_accuracy_and_r2() {
        for (i, row) in SCORES.iter().enumerate() {
            assert!(SCORES[..i].iter().all(|other| other.name != row.name), "{}", row.name);
        }
        assert_eq!(Score::of_choice(Predicts::Labels).name, "accuracy");
        assert_eq!(Score::of_choice(Predicts::Values).name, "r2");
        assert!(score("nosuch").unwrap_err().to_string().contains("balanced_accuracy"));
    }

    #[test]
    fn a_score_says_what_it_needs() {
        let said = |name: &str| score(name).unwrap().of(&outcomes(None)).unwrap_err().to_string();
        assert!(said("log_loss").contains("log_loss needs probabilities"), "{}", said("log_loss"));
        assert!(said("roc_auc").contains("roc_auc needs scores or probabilities"));
        assert!(said("mae").contains("mae needs a model of numbers"));
        assert_eq!(score("accuracy").unwrap().of(&outcomes(None)).unwrap(), 0.75);
    }

    #[test]
    fn weighted_scores_are_those_of_scikit_learn() {
        // accuracy_score and log_loss of scikit-learn 1.9.1 with sample_weight = w
        let w = [1.0, 2.0, 0.0, 0.5];
        let p = array![[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]];
        let of = |name: &str| score(name).unwrap().weighted(&outcomes(Some(p.clone())), &w);
        assert!((of("accuracy").unwrap() - 0.857_142_857_142_857_1).abs() < 1e-12);
        assert!((of("log_loss").unwrap() - 0.565803598181052).abs() < 1e-12);
        let text = of("f1_macro").unwrap_err().to_string();
        assert!(text.contains("f1_macro takes no weights that differ; choose one of accuracy, log_loss"), "{text}");
        // r2_score and root_mean_squared_error
        let numbers = Outcomes {
            truth: Answers::Values(vec![3.0, -0.5, 2.0, 7.0]),
            predicted: Prediction::Values(vec![2.5, 0.0, 2.0, 8.0]),
            ..outcomes(None)
        };
        let of = |name: &str| score(name).unwrap().weighted(&numbers, &w).unwrap();
        assert!(
            (of("r2") - 0.9507042253521126).abs() < 1e-12 && (of("rmse") - 0.5976143046671968).abs() < 1e-12,
            "{} {}",
            of("r2"),
            of("rmse")
        );
        let equal = [2.0; 4];
        for name in ["mse", "mae", "mape", "rmse", "r2"] {
            let score = score(name).unwrap();
            assert!((score.weighted(&numbers, &equal).unwrap() - score.of(&numbers).unwrap()).abs() < 1e-12, "{name}");
        }
    }

    #[test]
    fn ranking_of_many_classes_is_the_mean_of_each_against_the_rest() {
        let p = array![[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.3, 0.2]];
        let auc = score("roc_auc").unwrap().of(&outcomes(Some(p.clone()))).unwrap();
        let versus = Versus::Rest;
        let direct = metrics::roc_auc_multiclass(&[0, 1, 2, 1], &flat(&p), 3, versus, Average::Macro).unwrap();
        assert_eq!(auc, direct);
    }
}
