//! Intervals around what a pipeline predicts.

use super::fitted::FittedPipeline;
use super::frame::Frame;
use crate::data::Table;
use crate::error::Result;
use crate::models::calibration::Conformal;

impl FittedPipeline {
    /// The same with intervals that hold the truth with this probability, measured on rows that it has not learnt from
    /// ([`Conformal::fit`]). They are saved with it.
    ///
    /// ```
    /// use tilework::data::{Column, Table};
    /// use tilework::models::{DummyRegressor, prepare::Pipeline};
    /// let table = Table::new("t", vec![Column::numbers("x", [0.0; 20]), Column::numbers("y", (0..20).map(f64::from).collect::<Vec<_>>())])?;
    /// let (learnt, held_out) = (table.select(&[9, 10])?, table.select(&(0..19).collect::<Vec<_>>())?);
    /// let fitted = Pipeline::new(&DummyRegressor::default())?.fit(&learnt, None)?;
    /// let fitted = fitted.with_intervals(&held_out, 0.9)?;
    /// assert_eq!(fitted.predict_intervals(&learnt)?, Some(vec![(9.5 - 8.5, 9.5 + 8.5); 2]));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Conformal::fit`] and [`FittedPipeline::frame`].
    pub fn with_intervals(mut self, held_out: &Table, coverage: f64) -> Result<FittedPipeline> {
        let frame: Frame = self.frame(held_out)?;
        self.intervals = Some(Conformal::fit(&self, &frame.problem(), coverage).map_err(|e| self.blame(e, &frame))?);
        Ok(self)
    }

    /// What its intervals promise, where it has some.
    pub fn intervals(&self) -> Option<Conformal> {
        self.intervals
    }

    /// The lower and upper end of each row's interval; `None` without [`FittedPipeline::with_intervals`].
    ///
    /// # Errors
    /// As [`FittedPipeline::predict`].
    pub fn predict_intervals(&self, table: &Table) -> Result<Option<Vec<(f64, f64)>>> {
        let Some(measured) = self.intervals else { return Ok(None) };
        self.of_table(table, |x| measured.intervals(self, x)).map(Some)
    }
}
