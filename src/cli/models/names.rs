//! Short names of models, which mean one kind for classes and another for numbers.

use super::super::failure::{Failure, Outcome};
use crate::data::Kind;
use crate::models::{MODELS, Predicts, Row};

/// A short name, and the kinds it means: for classes, for numbers.
const SHORT: &[(&str, Option<&str>, Option<&str>)] = &[
    ("linear", None, Some("linear-regression")),
    ("ridge", None, Some("ridge")),
    ("lasso", None, Some("lasso")),
    ("elastic-net", None, Some("elastic-net")),
    ("logistic", Some("logistic-regression"), None),
    ("linear-svc", Some("linear-svc"), None),
    ("svc", Some("svc"), None),
    ("svr", None, Some("svr")),
    ("tree", Some("decision-tree-classifier"), Some("decision-tree-regressor")),
    ("forest", Some("random-forest-classifier"), Some("random-forest-regressor")),
    ("extra-trees", Some("extra-trees-classifier"), Some("extra-trees-regressor")),
    ("boosting", Some("hist-gradient-boosting-classifier"), Some("hist-gradient-boosting-regressor")),
    ("knn", Some("knn-classifier"), Some("knn-regressor")),
    ("naive-bayes", Some("gaussian-nb"), None),
    ("dummy", Some("dummy-classifier"), Some("dummy-regressor")),
];

/// Models that hold others, and so are no candidates of their own.
const HOLDERS: &[&str] = &["calibrated", "voting", "stacking"];

/// Whether it is the network that this command has always trained.
pub(crate) fn is_mlp(name: &str) -> bool {
    name == "mlp"
}

/// The kinds that a name may mean: one for classes, one for numbers, or one of them.
pub(super) fn meant(name: &str) -> Outcome<Vec<&'static Row>> {
    let row = |name: &str| MODELS.iter().find(|row| row.name == name);
    let rows: Vec<_> = match SHORT.iter().find(|(short, ..)| *short == name) {
        Some((_, classes, values)) => [classes, values].into_iter().flatten().filter_map(|name| row(name)).collect(),
        None => row(name).into_iter().collect(),
    };
    match rows.is_empty() {
        false => Ok(rows),
        true => {
            let known = SHORT.iter().filter(|(_, a, b)| [a, b].into_iter().flatten().any(|name| row(name).is_some()));
            let short = known.map(|(short, ..)| *short).collect::<Vec<_>>().join(", ");
            let all = MODELS.iter().map(|row| row.name).collect::<Vec<_>>().join(", ");
            Err(Failure::usage(format!(
                "--model {name}: no such model; there are mlp, {short}, and by full name {all}"
            )))
        }
    }
}

/// The kind for what is predicted.
pub(super) fn row(name: &str, predicts: Predicts) -> Outcome<&'static Row> {
    let rows = meant(name)?;
    rows.into_iter().find(|row| row.predicts == predicts).ok_or_else(|| {
        let (what, other) = match predicts {
            Predicts::Labels => ("classes", "predicts numbers"),
            Predicts::Values => ("numbers", "tells classes apart"),
        };
        Failure::failed(format!("--model {name}: the target is of {what} and this model {other}; choose another model"))
    })
}

/// What integers are taken for: classes, unless it is said otherwise or a model is asked for that predicts numbers alone.
pub(crate) struct Integers<'a> {
    regression: bool,
    /// A model that predicts numbers alone.
    alone: Option<&'a str>,
}

impl<'a> Integers<'a> {
    pub fn of(regression: bool, models: &'a [impl AsRef<str>]) -> Outcome<Integers<'a>> {
        let mut alone = None;
        for name in models.iter().map(AsRef::as_ref).filter(|name| !is_mlp(name)) {
            let values = meant(name)?.iter().all(|row| row.predicts == Predicts::Values);
            alone = alone.or(values.then_some(name));
        }
        Ok(Integers { regression, alone })
    }

    /// What is predicted of a target of that kind: texts are classes too.
    pub fn predicts(&self, kind: Kind) -> Predicts {
        match kind {
            Kind::Number => Predicts::Values,
            Kind::Integer if self.regression || self.alone.is_some() => Predicts::Values,
            _ => Predicts::Labels,
        }
    }

    /// What is said of a target of integers.
    pub fn line(&self, target: &str) -> String {
        let how = match (self.regression, self.alone) {
            (true, _) => "numbers, as --regression says".to_owned(),
            (false, Some(model)) => format!("numbers, as {model} predicts no classes"),
            (false, None) => "classes; --regression takes them as numbers".to_owned(),
        };
        format!("target: {target} holds integers, which are taken as {how}")
    }
}

/// All kinds that predict this, but those that hold others.
pub(super) fn candidates(predicts: Predicts) -> Vec<&'static Row> {
    let holds = |row: &Row| HOLDERS.iter().any(|holder| row.name.starts_with(holder));
    MODELS.iter().filter(|row| row.predicts == predicts && !holds(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_kinds_that_predict_what_they_say() {
        for (short, classes, values) in SHORT {
            for (name, predicts) in [(classes, Predicts::Labels), (values, Predicts::Values)] {
                let row = name.as_ref().and_then(|name| MODELS.iter().find(|row| row.name == *name));
                assert!(row.is_none_or(|row| row.predicts == predicts), "{short}");
            }
        }
        assert!(meant("nosuch").is_err());
        assert_eq!(row("dummy", Predicts::Labels).map(|row| row.name).unwrap(), "dummy-classifier");
        assert!(row("dummy-classifier", Predicts::Values).is_err());
        for (models, predicts) in [
            (&["tree"][..], Predicts::Labels),
            (&["tree", "ridge"], Predicts::Values),
            (&["logistic"], Predicts::Labels),
            (&[], Predicts::Labels),
        ] {
            let integers = Integers::of(false, models).unwrap();
            assert_eq!(integers.predicts(Kind::Integer), predicts, "{models:?}");
            assert_eq!(integers.predicts(Kind::Number), Predicts::Values);
        }
        assert_eq!(Integers::of(true, &["tree"]).unwrap().predicts(Kind::Integer), Predicts::Values);
        assert!(candidates(Predicts::Labels).iter().all(|row| !row.name.starts_with("calibrated")));
    }
}
