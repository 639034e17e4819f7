//! `--balance`, `--threshold`, `--costs`: classes of different size, and mistakes that do not cost the same.

use super::super::count;
use super::super::failure::{Failure, Outcome};
use crate::data::{Task, list};
use crate::models::balance::{Balance, Decision, RandomOverSampler, RandomUnderSampler, Smote, TunedThreshold};
use crate::models::prepare::{Frame, Pipeline, Plan};
use crate::models::{Answers, ClassWeight, Row};
use clap::Args;

/// What a classifier may be told about its classes.
#[derive(Args)]
pub(crate) struct ClassArgs {
    /// Even out the classes in the rows to learn from: over (draw rows of small ones again), under (leave out rows of large ones),
    /// smote (make up rows of small ones), weights
    #[arg(long, value_name = "HOW", help_heading = super::train::HEADING)]
    balance: Option<String>,
    /// Decide for the second of two classes from this probability on; tuned: from the one with the best balanced accuracy in
    /// cross-validation
    #[arg(long, value_name = "P|tuned", allow_negative_numbers = true, help_heading = super::train::HEADING)]
    threshold: Option<String>,
    /// Decide for the class that costs least: of each class, in their order, the cost of each decision, for example 0,1;5,0
    #[arg(long, value_name = "COSTS", conflicts_with = "threshold", help_heading = super::train::HEADING)]
    costs: Option<String>,
}

impl ClassArgs {
    /// The options, and whether they were given.
    pub fn given(&self) -> [(&'static str, bool); 3] {
        [
            ("--balance", self.balance.is_some()),
            ("--threshold", self.threshold.is_some()),
            ("--costs", self.costs.is_some()),
        ]
    }

    /// The option that needs all rows in memory, where it was given.
    pub fn needs_rows(&self) -> Option<&'static str> {
        let tuned = self.threshold.as_deref() == Some("tuned");
        self.balance.as_ref().map(|_| "--balance").or(tuned.then_some("--threshold tuned"))
    }

    /// Refuses what does not go with the target and the model, before any work.
    pub fn check(&self, frame: &Frame, pipeline: &Pipeline) -> Outcome {
        let Some((option, _)) = self.given().into_iter().find(|(_, given)| *given) else { return Ok(()) };
        let target = &frame.target;
        let wrong = |text: String| Err(Failure::usage(text));
        let (Task::Classes(names), Answers::Labels(labels, _)) = (&frame.task, &frame.answers) else {
            return wrong(format!("{option} is of classes, and {target} is predicted as a number; leave it out"));
        };
        let (n, shown) = (names.len(), list(names.iter().map(String::as_str)));
        if let (Some(text), true) = (&self.threshold, n != 2) {
            return wrong(format!("--threshold {text} parts two classes, and {target} has {n}: {shown}; give --costs"));
        }
        let probabilities = Row::named(&pipeline.model)?.gives_probabilities(&pipeline.settings)?;
        match &pipeline.decision {
            Some(Decision::Threshold(t)) if probabilities && !(0.0..=1.0).contains(t) => {
                return wrong(format!(
                    "--threshold {t}: {} gives probabilities, which lie between 0 and 1",
                    pipeline.model
                ));
            }
            Some(Decision::CostMatrix(_)) if !probabilities => {
                let advice = "take a model that does (svc by --set probability=true)";
                return wrong(format!(
                    "--costs weighs probabilities, which {} does not give; {advice}",
                    pipeline.model
                ));
            }
            Some(Decision::CostMatrix(costs)) if costs.len() != n || costs.iter().any(|row| row.len() != n) => {
                return wrong(format!(
                    "--costs: {target} has {n} classes: {shown}; give {n} rows of {n} costs, as 0,1;5,0 are of two classes"
                ));
            }
            _ => {}
        }
        let Some(Balance::Smote(smote)) = &pipeline.balance else { return Ok(()) };
        let mut rows = vec![0usize; n];
        for &label in labels {
            rows.get_mut(label as usize).into_iter().for_each(|rows| *rows += 1);
        }
        let most = rows.iter().max().copied().unwrap_or(0);
        match names.iter().zip(rows).find(|(_, rows)| *rows <= smote.k_neighbors && *rows < most) {
            Some((name, rows)) => wrong(format!(
                "--balance smote makes up rows between {} neighbours of a class, and {name:?} of {target} has {}; take \
                 --balance over",
                smote.k_neighbors,
                count(rows, "row")
            )),
            None => Ok(()),
        }
    }

    /// Puts what was asked for into the plan, a line each.
    pub fn apply(&self, plan: &mut Plan, seed: u64) -> Outcome {
        if let Some(how) = &self.balance {
            let (balance, line) = match how.as_str() {
                "over" => {
                    let sampler = RandomOverSampler { seed, ..RandomOverSampler::default() };
                    (Balance::RandomOverSampler(sampler), "rows of small classes drawn again until classes are even")
                }
                "under" => {
                    let sampler = RandomUnderSampler { seed, ..RandomUnderSampler::default() };
                    (Balance::RandomUnderSampler(sampler), "rows of large classes left out until classes are even")
                }
                "smote" => {
                    let sampler = Smote { seed, ..Smote::default() };
                    (Balance::Smote(sampler), "rows of small classes made up between neighbours until classes are even")
                }
                "weights" => {
                    (Balance::ClassWeight(ClassWeight::Balanced), "rows weighed so that classes count the same")
                }
                _ => {
                    let text = format!("--balance {how}: no such way; there are over, under, smote, weights");
                    return Err(Failure::usage(text));
                }
            };
            plan.pipeline.balance = Some(balance);
            plan.lines.push(format!("{line}, in what the model learns from alone"));
        }
        if let Some(text) = &self.threshold {
            let given = || Failure::usage(format!("--threshold {text}: give a number, or tuned"));
            plan.pipeline.decision = Some(match text.as_str() {
                "tuned" => Decision::Tuned(TunedThreshold::default()),
                text => Decision::Threshold(text.parse().ok().filter(|p: &f64| p.is_finite()).ok_or_else(given)?),
            });
        }
        if let Some(text) = &self.costs {
            let row = |row: &str| row.split(',').map(|cost| cost.trim().parse()).collect::<Result<Vec<f64>, _>>();
            let costs = text.split(';').map(row).collect::<Result<Vec<_>, _>>();
            let finite = costs.ok().filter(|rows| rows.iter().flatten().all(|cost| cost.is_finite()));
            let costs =
                finite.ok_or_else(|| Failure::usage(format!("--costs {text}: give numbers such as 0,1;5,0")))?;
            plan.pipeline.decision = Some(Decision::CostMatrix(costs));
        }
        Ok(())
    }
}
