//! Series of rows in the order of time: windows that slide over them, and columns made of rows before.
//!
//! All of it looks at a row and those before it, never ahead, so that it is done once on the whole table, before
//! [`TimeSeriesSplit`](crate::models::selection::TimeSeriesSplit) cuts it into folds. It is no step of a pipeline: a step sees one
//! row at a time.

use super::matrix::Matrix;
use super::table::{Column, Table, Values};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::tensor::Tensor;
use ndarray::{Array2, Array3, s};

/// A column made of another column of a series.
///
/// ```
/// use tilework::data::{FromPast, Table};
/// let table = Table::parse_csv("day,sold\n1,5\n2,7\n3,6\n4,9\n".as_bytes(), "sales.csv")?;
/// let wide = table.with_past("sold", &[FromPast::Lag(1), FromPast::Mean(2)])?;
/// let wide = wide.drop_missing_rows(&["sold_lag_1", "sold_mean_2"])?; // the first row has no past
/// assert_eq!(wide.column("sold_lag_1")?.values, tilework::data::Values::Numbers(vec![5.0, 7.0, 6.0]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FromPast {
    /// The value so many rows before: pandas' `shift`.
    Lag(usize),
    /// What has been added since so many rows before: pandas' `diff`. [`integrate`] takes it back.
    Difference(usize),
    /// The mean of so many rows up to this one: pandas' `rolling(n).mean()`. Of a column that is to be predicted take the lag
    /// first: the mean holds the row's own value.
    Mean(usize),
    /// The weighted mean of all rows up to this one, each older one weighing `1 − alpha` times the next, from the first value
    /// on: pandas' `ewm(alpha, adjust=False).mean()`. `alpha` lies in (0, 1]. A missing value leaves it as it is; but what was
    /// before ages by it, and the next value counts for more.
    Smoothed(f64),
}

impl FromPast {
    /// The new column's values, as many as `values`; NaN, a missing value, where the past does not reach.
    ///
    /// ```
    /// use tilework::data::FromPast;
    /// assert_eq!(FromPast::Difference(1).of(&[1.0, 4.0, 9.0])?[1..], [3.0, 5.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Argument`] for 0 rows, or `alpha` outside (0, 1].
    pub fn of(self, values: &[f64]) -> Result<Vec<f64>> {
        const OP: &str = "from_past";
        let before = |row: usize, lag: usize| row.checked_sub(lag).and_then(|at| values.get(at)).copied();
        let rows = values.iter().enumerate();
        match self {
            FromPast::Lag(0) | FromPast::Difference(0) | FromPast::Mean(0) => {
                Err(Error::argument(OP, format!("{self:?}: no rows; give 1 or more")))
            }
            FromPast::Smoothed(alpha) if !(alpha > 0.0 && alpha <= 1.0) => {
                Err(Error::argument(OP, format!("{self:?}; give an alpha above 0, at most 1")))
            }
            FromPast::Lag(lag) => Ok(rows.map(|(row, _)| before(row, lag).unwrap_or(f64::NAN)).collect()),
            FromPast::Difference(lag) => Ok(rows.map(|(row, v)| v - before(row, lag).unwrap_or(f64::NAN)).collect()),
            // Each window is summed anew: no rounding is carried along.
            FromPast::Mean(n) => Ok((0..values.len())
                .map(|row| (row + 1).checked_sub(n).and_then(|start| values.get(start..=row)))
                .map(|window| window.map_or(f64::NAN, |window| window.iter().sum::<f64>() / n as f64))
                .collect()),
            FromPast::Smoothed(alpha) => {
                let (mut level, mut old) = (f64::NAN, 1.0);
                let step = |&value: &f64| {
                    if level.is_nan() {
                        level = value;
                        return level;
                    }
                    old *= 1.0 - alpha;
                    if !value.is_nan() {
                        // pandas (`ewma`, to 3.1 at least) takes a half, its `com` of 1, as its sign for rows at uneven times.
                        let new = if alpha == 0.5 { 1.0 - old } else { alpha };
                        level += new / (old + new) * (value - level);
                        old = 1.0;
                    }
                    level
                };
                Ok(values.iter().map(step).collect())
            }
        }
    }

    fn name(self, column: &str) -> String {
        match self {
            FromPast::Lag(n) => format!("{column}_lag_{n}"),
            FromPast::Difference(n) => format!("{column}_diff_{n}"),
            FromPast::Mean(n) => format!("{column}_mean_{n}"),
            FromPast::Smoothed(alpha) => format!("{column}_smooth_{alpha}"),
        }
    }
}

/// The inverse of [`FromPast::Difference`]: `start` is how the series began, as many values as the difference reaches back, and
/// the differences follow it.
///
/// ```
/// use tilework::data::integrate;
/// assert_eq!(integrate(&[1.0, 2.0], &[10.0, 20.0, 30.0]), [1.0, 2.0, 11.0, 22.0, 41.0]); // of Difference(2)
/// ```
pub fn integrate(start: &[f64], differences: &[f64]) -> Vec<f64> {
    let mut series = start.to_vec();
    for (place, difference) in differences.iter().enumerate() {
        series.push(series.get(place).copied().unwrap_or(0.0) + difference);
    }
    series
}

impl Table {
    /// The table with columns made of the past of one of its columns, beside the others: `sold_lag_1`, `sold_diff_1`,
    /// `sold_mean_7`, `sold_smooth_0.3`. Rows are in the order of time. Cells where the past does not reach are missing:
    /// [`Table::drop_missing_rows`] removes their rows.
    ///
    /// # Errors
    /// [`Error::Data`] for a column that is not there, or of text; for a new name that is there already; as [`FromPast::of`].
    pub fn with_past(&self, column: &str, made: &[FromPast]) -> Result<Table> {
        let Values::Numbers(values) = &self.column(column)?.values else {
            let message = format!("column {column} is of text; the past is taken of numbers");
            return Err(Error::data(self.source(), message));
        };
        let mut columns = self.columns().to_vec();
        for made in made {
            columns.push(Column::numbers(made.name(column), made.of(values)?));
        }
        Ok(Table { columns: Table::new(self.source(), columns)?.columns, ..self.clone_without_columns() })
    }
}

/// Windows of rows that follow each other, and what comes after each.
///
/// ```
/// use tilework::data::Windows;
/// let series = [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]];
/// let windows = Windows { length: 2, ..Windows::default() };
/// assert_eq!(windows.matrix(&series)?, ndarray::array![[1.0, 10.0, 2.0, 20.0], [2.0, 20.0, 3.0, 30.0]]);
/// assert_eq!(windows.targets(&[1.0, 2.0, 3.0, 4.0])?, [3.0, 4.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Rows of a window.
    pub length: usize,
    /// How many rows after a window's last its target lies: 1 for the next. 0 for windows alone, which may end at the last row.
    pub horizon: usize,
    /// Rows from one window's first to that of the next.
    pub stride: usize,
}

impl Default for Windows {
    fn default() -> Windows {
        Windows { length: 1, horizon: 1, stride: 1 }
    }
}

impl Windows {
    /// The first row of each window in so many rows.
    ///
    /// # Errors
    /// [`Error::Argument`] for windows of 0 rows, a stride of 0, and fewer rows than a window and its target take.
    pub fn starts(&self, rows: usize) -> Result<Vec<usize>> {
        let Windows { length, horizon, stride } = *self;
        match length.checked_add(horizon).and_then(|needed| rows.checked_sub(needed)) {
            Some(last) if length > 0 && stride > 0 => Ok((0..=last).step_by(stride).collect()),
            _ => {
                let message = format!(
                    "{rows} rows do not hold a window of {length} and a target {horizon} after it, {stride} apart; \
                     give more rows, and at least 1 as length and stride"
                );
                Err(Error::argument("windows", message))
            }
        }
    }

    /// The windows of features `[N, F]`: `[samples, length, F]`.
    ///
    /// # Errors
    /// As [`Windows::starts`].
    pub fn cut<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array3<f64>> {
        let x = x.into();
        let starts = self.starts(x.rows())?;
        let mut cut = Array3::zeros((starts.len(), self.length, x.width()));
        for (i, start) in starts.into_iter().enumerate() {
            let block = x.block(start..start + self.length);
            cut.slice_mut(s![i, .., ..]).iter_mut().zip(&*block).for_each(|(to, from)| *to = *from);
        }
        Ok(cut)
    }

    /// As [`Windows::cut`], a window a row, its rows side by side: `[samples, length · F]`.
    ///
    /// # Errors
    /// As [`Windows::starts`].
    pub fn matrix<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let cut = self.cut(x)?;
        let (samples, length, width) = cut.dim();
        cut.into_shape_with_order((samples, length * width)).map_err(|e| Error::internal("windows", e.to_string()))
    }

    /// As [`Windows::cut`], in singles on a device, as recurrent and convolutional layers take it: `[samples, length, F]`.
    ///
    /// # Errors
    /// As [`Windows::starts`] and [`Matrix::to_tensor`].
    pub fn tensor<'a>(&self, x: impl Into<Matrix<'a>>, device: &Device) -> Result<Tensor> {
        let x = x.into();
        let (wide, width) = (self.matrix(x)?, x.width());
        let samples = wide.nrows();
        Matrix::from(&wide).to_tensor(device)?.reshape([samples, self.length, width]).check().cloned()
    }

    /// What each window is to predict, `[samples]`: the value `horizon` rows after its last, of `values` as long as the series.
    ///
    /// # Errors
    /// As [`Windows::starts`]; [`Error::Argument`] for a horizon of 0, which has no target.
    pub fn targets(&self, values: &[f64]) -> Result<Vec<f64>> {
        if self.horizon == 0 {
            return Err(Error::argument("windows", "horizon 0 has no target; give 1 for the next row"));
        }
        let last = |start: usize| values.get(start + self.length + self.horizon - 1).copied();
        Ok(self.starts(values.len())?.into_iter().filter_map(last).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(left: &[f64], right: &[f64]) {
        assert_eq!(left.len(), right.len());
        assert!(left.iter().zip(right).all(|(l, r)| l == r || l.is_nan() && r.is_nan()), "{left:?} is not {right:?}");
    }

    /// What pandas gives for shift, diff, rolling and ewm.
    #[test]
    fn columns_of_the_past_are_those_of_pandas() {
        const NAN: f64 = f64::NAN;
        let y = [3.0, 5.0, 4.0, 8.0];
        same(&FromPast::Lag(2).of(&y).unwrap(), &[NAN, NAN, 3.0, 5.0]);
        same(&FromPast::Difference(2).of(&y).unwrap(), &[NAN, NAN, 1.0, 3.0]);
        same(&FromPast::Mean(3).of(&y).unwrap(), &[NAN, NAN, 4.0, 17.0 / 3.0]);
        same(&FromPast::Smoothed(0.5).of(&y).unwrap(), &[3.0, 4.0, 4.0, 6.0]);
        same(&FromPast::Smoothed(0.5).of(&[NAN, 2.0, NAN, 4.0]).unwrap(), &[NAN, 2.0, 2.0, 3.5]);
        let gaps = [1.0, NAN, 3.0, 4.0, NAN, NAN, 6.0];
        same(&FromPast::Smoothed(0.5).of(&gaps).unwrap(), &[1.0, 1.0, 2.5, 3.25, 3.25, 3.25, 5.65625]);
        let third = [1.0, 1.0, 1.759493670886076, 2.431645569620253, 2.431645569620253, 2.431645569620253];
        let found = FromPast::Smoothed(0.3).of(&gaps).unwrap();
        let expected = third.into_iter().chain([4.096507667775656]);
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-14), "{found:?}");
        same(&FromPast::Lag(9).of(&y).unwrap(), &[NAN; 4]);
        for wrong in [FromPast::Lag(0), FromPast::Mean(0), FromPast::Smoothed(0.0), FromPast::Smoothed(NAN)] {
            assert!(wrong.of(&y).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn integration_takes_differences_back() {
        let y = [3.0, 5.0, 4.0, 8.0, -1.0, 0.5];
        for lag in 1..=6 {
            let differences = FromPast::Difference(lag).of(&y).unwrap();
            same(&integrate(&y[..lag], &differences[lag..]), &y);
        }
    }

    /// A column of the past changes no more than rows to come: nothing that lies ahead is looked at.
    #[test]
    fn the_past_is_the_same_whatever_comes_after() {
        let y: Vec<f64> = (0..40).map(|i| f64::from(i * i % 17)).collect();
        for made in [FromPast::Lag(3), FromPast::Difference(2), FromPast::Mean(5), FromPast::Smoothed(0.3)] {
            let whole = made.of(&y).unwrap();
            (0..y.len()).for_each(|end| same(&made.of(&y[..end]).unwrap(), &whole[..end]));
        }
    }

    #[test]
    fn windows_never_hold_their_target() {
        let y: Vec<f64> = (0..20).map(f64::from).collect();
        let x = Array2::from_shape_fn((20, 2), |(i, j)| (i * 10 + j) as f64);
        for (length, horizon, stride) in [(1, 1, 1), (3, 1, 1), (4, 5, 2), (19, 1, 1), (2, 3, 7)] {
            let windows = Windows { length, horizon, stride };
            let (cut, targets) = (windows.cut(&x).unwrap(), windows.targets(&y).unwrap());
            assert_eq!(cut.dim(), (targets.len(), length, 2));
            for (i, target) in targets.iter().enumerate() {
                assert_eq!(cut[[i, 0, 0]], (10 * i * stride) as f64);
                assert_eq!(*target, cut[[i, length - 1, 0]] / 10.0 + horizon as f64);
            }
            let tensor = windows.tensor(&x, &Device::cpu()).unwrap();
            assert_eq!(tensor.shape().dims(), [targets.len(), length, 2]);
            let flat: Vec<f64> = tensor.to_vec::<f32>().unwrap().into_iter().map(f64::from).collect();
            assert_eq!(flat, cut.iter().copied().collect::<Vec<_>>());
        }
        for (length, horizon, stride) in [(0, 1, 1), (20, 1, 1), (1, 1, 0), (usize::MAX, 2, 1)] {
            assert!(Windows { length, horizon, stride }.cut(&x).is_err());
        }
        assert_eq!(Windows { length: 20, horizon: 0, stride: 1 }.cut(&x).unwrap().dim(), (1, 20, 2));
    }

    #[test]
    fn a_table_gets_columns_of_its_past_and_keeps_its_lines() {
        let table = Table::parse_csv("a,b\n1,x\n3,y\n6,z\n".as_bytes(), "t.csv").unwrap();
        let wide = table.with_past("a", &[FromPast::Lag(1), FromPast::Smoothed(0.5)]).unwrap();
        let names: Vec<&str> = wide.columns().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a_lag_1", "a_smooth_0.5"]);
        let rest = wide.drop_missing_rows(&["a_lag_1"]).unwrap();
        assert_eq!((rest.rows(), rest.place(0, 0)), (2, "t.csv:3:1 (a)".to_owned()));
        assert!(table.with_past("b", &[FromPast::Lag(1)]).is_err());
        assert!(wide.with_past("a", &[FromPast::Lag(1)]).unwrap_err().to_string().contains("a_lag_1"));
    }
}
