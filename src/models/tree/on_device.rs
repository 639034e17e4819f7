//! Fitted forests and boosting on a device: all rows pass all trees in one launch.

use super::boosting::{FittedHistGradientBoostingClassifier, FittedHistGradientBoostingRegressor};
use super::forests::{FittedForestClassifier, FittedForestRegressor};
use super::packed::{Packed, work};
use crate::cost::Work;
use crate::data::Matrix;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::models::estimator::{Influence, Model, Movable, Prediction, check_rows, check_width, largest};
use crate::models::store::{Reader, Writer};
use ndarray::Array2;
use std::borrow::Cow;

/// A fitted model whose trees lie on a device: what [`FittedForestClassifier::on`] and its like give. Trees go there once, rows
/// with each prediction.
///
/// A row ends in the same leaves as without it, and their values are added in units of at most 2⁻⁶⁰ of the largest possible sum:
/// predictions are the same on every device, and differ from those of the model itself by its own rounding in f64 alone.
#[derive(Debug)]
pub struct TreesOnDevice<'a, M: Clone> {
    model: Cow<'a, M>,
    trees: Packed,
}

impl<M: Clone> TreesOnDevice<'_, M> {
    /// Where it predicts.
    pub fn device(&self) -> &Device {
        self.trees.device()
    }
}

/// What each model has: its trees, how many groups of them add to outputs of their own, and its outputs; and on a device, what it
/// predicts, its probabilities and its scores.
macro_rules! on_device {
    ($(
        $fitted:ident, |$model:ident| $trees:expr, $groups:expr, $outputs:expr;
        $outcome:expr, $probabilities:expr, $decision:expr;
    )*) => {$(
        impl $fitted {
            /// The model on a device, for many rows at once: on a GPU, one kernel for all trees.
            ///
            /// # Errors
            /// Not enough memory on the device; a lost device.
            pub fn on(&self, device: &Device) -> Result<TreesOnDevice<'_, $fitted>> {
                let $model = self;
                let trees = Packed::new(self.kind(), $trees, $groups, device)?;
                Ok(TreesOnDevice { model: Cow::Borrowed(self), trees })
            }

            /// What predicting so many rows consists of, for [`Device::auto_for`].
            pub fn work(&self, rows: usize) -> Work {
                let $model = self;
                work($trees, self.width(), $outputs, rows)
            }
        }

        impl Movable for $fitted {
            fn work(&self, rows: usize) -> Work {
                $fitted::work(self, rows)
            }

            fn on(&self, device: &Device) -> Result<Box<dyn Model>> {
                let trees = $fitted::on(self, device)?.trees;
                Ok(Box::new(TreesOnDevice::<'static, $fitted> { model: Cow::Owned(self.clone()), trees }))
            }
        }

        impl Model for TreesOnDevice<'static, $fitted> {
            fn kind(&self) -> &'static str {
                self.model.kind()
            }

            fn width(&self) -> usize {
                self.model.width()
            }

            fn classes(&self) -> usize {
                self.model.classes()
            }

            fn outcome(&self, x: Matrix<'_>) -> Result<Prediction> {
                let of: fn(&Self, Matrix<'_>) -> Result<Prediction> = $outcome;
                of(self, x)
            }

            fn probabilities(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
                let of: fn(&Self, Matrix<'_>) -> Result<Option<Array2<f64>>> = $probabilities;
                of(self, x)
            }

            fn decision(&self, x: Matrix<'_>) -> Result<Option<Array2<f64>>> {
                let of: fn(&Self, Matrix<'_>) -> Result<Option<Array2<f64>>> = $decision;
                of(self, x)
            }

            fn influence(&self) -> Option<Influence> {
                self.model.influence()
            }

            fn store(&self, out: &mut Writer<'_>) -> Result<()> {
                self.model.store(out)
            }

            /// On the CPU: a file knows no device.
            fn restore(from: &Reader<'_>) -> Result<Self> {
                let model = $fitted::restore(from)?;
                let trees = model.on(&Device::cpu())?.trees;
                Ok(TreesOnDevice { model: Cow::Owned(model), trees })
            }

            fn movable(&self) -> Option<&dyn Movable> {
                Some(&*self.model)
            }
        }
    )*};
}

on_device! {
    FittedForestClassifier, |model| &model.trees, 1, model.classes();
    |at, x| at.predict(x).map(Prediction::Labels), |at, x| at.predict_proba(x).map(Some), |_, _| Ok(None);
    FittedForestRegressor, |model| &model.trees, 1, 1;
    |at, x| at.predict(x).map(Prediction::Values), |_, _| Ok(None), |_, _| Ok(None);
    FittedHistGradientBoostingClassifier, |model| model.trees(), model.start().len(), model.start().len();
    |at, x| at.predict(x).map(Prediction::Labels), |at, x| at.predict_proba(x).map(Some), |at, x| at.decision_function(x).map(Some);
    FittedHistGradientBoostingRegressor, |model| model.trees(), 1, 1;
    |at, x| at.predict(x).map(Prediction::Values), |_, _| Ok(None), |_, _| Ok(None);
}

impl TreesOnDevice<'_, FittedForestClassifier> {
    /// As [`FittedForestClassifier::predict`], `[N]`.
    ///
    /// ```
    /// use tilework::Device;
    /// use tilework::models::{Estimator, RandomForestClassifier};
    /// let x = [[1.0], [1.5], [2.0], [2.5], [7.0], [7.5], [8.0], [8.5]];
    /// let model = RandomForestClassifier::default().fit(&x, &[0u32, 0, 0, 0, 1, 1, 1, 1])?;
    /// let device = Device::auto_for(&model.work(2)); // the CPU, for two rows
    /// assert_eq!(model.on(&device)?.predict(&[[0.0], [9.0]])?, [0, 1]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(largest(&self.predict_proba(x)?))
    }

    /// As [`FittedForestClassifier::predict_proba`], `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let (kind, x) = (self.model.kind(), x.into());
        check_rows(kind, self.model.width(), x)?;
        let mut sums = self.trees.sums(x)?;
        sums.iter_mut().for_each(|sum| *sum /= self.model.trees.len() as f64);
        shaped(kind, (x.rows(), self.model.classes()), sums)
    }
}

impl TreesOnDevice<'_, FittedForestRegressor> {
    /// As [`FittedForestRegressor::predict`], `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let x = x.into();
        check_rows(self.model.kind(), self.model.width(), x)?;
        let mut sums = self.trees.sums(x)?;
        sums.iter_mut().for_each(|sum| *sum /= self.model.trees.len() as f64);
        Ok(sums)
    }
}

impl TreesOnDevice<'_, FittedHistGradientBoostingClassifier> {
    /// As [`FittedHistGradientBoostingClassifier::predict`], `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<u32>> {
        Ok(self.model.classes_of(&self.decision_function(x)?))
    }

    /// As [`FittedHistGradientBoostingClassifier::predict_proba`], `[N, C]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict_proba<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        Ok(self.model.probabilities_of(self.decision_function(x)?))
    }

    /// As [`FittedHistGradientBoostingClassifier::decision_function`], `[N, C]` or `[N, 1]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn decision_function<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let (kind, x, start) = (self.model.kind(), x.into(), self.model.start());
        check_width(kind, self.model.width(), x)?;
        let mut scores = self.trees.sums(x)?;
        scores.iter_mut().zip(start.iter().cycle()).for_each(|(score, start)| *score += start);
        shaped(kind, (x.rows(), start.len()), scores)
    }
}

impl TreesOnDevice<'_, FittedHistGradientBoostingRegressor> {
    /// As [`FittedHistGradientBoostingRegressor::predict`], `[N]`.
    ///
    /// # Errors
    /// As [`Model::outcome`]; what the device reports.
    pub fn predict<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Vec<f64>> {
        let x = x.into();
        check_width(self.model.kind(), self.model.width(), x)?;
        let start = self.model.start().first().copied().unwrap_or(0.0);
        let mut scores = self.trees.sums(x)?;
        scores.iter_mut().for_each(|score| *score += start);
        Ok(scores)
    }
}

fn shaped(kind: &'static str, shape: (usize, usize), values: Vec<f64>) -> Result<Array2<f64>> {
    Array2::from_shape_vec(shape, values).map_err(|e| Error::internal(kind, e.to_string()))
}
