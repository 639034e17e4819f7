//! `--balance`, `--threshold`, `--costs`: classes of different size, and mistakes that do not cost the same.

use super::super::failure::{Failure, Outcome};
use crate::models::ClassWeight;
use crate::models::balance::{Balance, Decision, RandomOverSampler, RandomUnderSampler, Smote, TunedThreshold};
use crate::models::prepare::Plan;
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
            let costs = costs.map_err(|_| Failure::usage(format!("--costs {text}: give numbers such as 0,1;5,0")))?;
            plan.pipeline.decision = Some(Decision::CostMatrix(costs));
        }
        Ok(())
    }
}
