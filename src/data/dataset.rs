//! Rows of features with their target, made from a table.

use super::cell::shown;
use super::schema::{Schema, Task, class_of, classes_of, labels_of, numbers_of};
use super::table::{Column, Table, list};
use crate::error::{Error, Result};
use std::collections::HashMap;

/// The target of each row.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Class labels: positions in the schema's list of classes.
    Labels(Vec<u32>),
    /// Numbers to regress on.
    Values(Vec<f32>),
}

/// Rows of `F` features with their target.
///
/// ```
/// use tilework::data::{Dataset, Table, Target, Task};
/// let table = Table::parse_csv("x,y,kind\n1,2,b\n3,4,a\n5,6,b\n".as_bytes(), "points.csv")?;
/// let data = Dataset::from_table(&table, None)?; // the last column is the target
/// assert_eq!(data.features(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
/// assert_eq!(data.schema().task, Task::Classes(vec!["a".into(), "b".into()]));
/// assert_eq!(data.target(), &Target::Labels(vec![1, 0, 1]));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    schema: Schema,
    features: Vec<f32>,
    target: Target,
    rows: usize,
}

impl Dataset {
    /// Takes features row by row, `[N, F]` with `F = schema.features.len()`, and their `N` targets.
    ///
    /// # Errors
    /// [`Error::Shape`] when the lengths do not fit, [`Error::NonFinite`] for a NaN or infinity, [`Error::Argument`] for no
    /// features, no rows, a label past the classes, or a target that is not of the schema's task.
    pub fn new(schema: Schema, features: Vec<f32>, target: Target) -> Result<Dataset> {
        const OP: &str = "dataset";
        let width = schema.features.len();
        let rows = match &target {
            Target::Labels(labels) => labels.len(),
            Target::Values(values) => values.len(),
        };
        if width == 0 || rows == 0 {
            return Err(Error::argument(OP, format!("nothing to learn from: {rows} rows of {width} features")));
        }
        if rows.checked_mul(width) != Some(features.len()) {
            let message =
                format!("{} feature values for {rows} targets; {rows} rows of {width} are needed", features.len());
            return Err(Error::shape(OP, message));
        }
        finite(OP, &features, |at| format!("row {}, feature {}", at / width, at % width))?;
        match (&target, &schema.task) {
            (Target::Labels(labels), Task::Classes(classes)) => {
                if let Some(label) = labels.iter().find(|&&label| label as usize >= classes.len()) {
                    return Err(Error::argument(
                        OP,
                        format!("label {label} of {} classes; count from 0", classes.len()),
                    ));
                }
            }
            (Target::Values(values), Task::Regression) => finite(OP, values, |at| format!("target of row {at}"))?,
            _ => {
                return Err(Error::argument(
                    OP,
                    "labels go with classes, values with regression; the schema says otherwise",
                ));
            }
        }
        Ok(Dataset { schema, features, target, rows })
    }

    /// Splits a table into features and target. The target is the last column unless named.
    ///
    /// A target of text or of integers is a class; classes are kept sorted, integers by value. Any other target is a number to
    /// regress on; [`Dataset::regression`] takes integers as numbers too.
    ///
    /// # Errors
    /// [`Error::Data`] for a missing target column, one class only, classes such as `007` in a column read as numbers, no feature columns, a feature column of
    /// text, or a number beyond `f32`.
    pub fn from_table(table: &Table, target: Option<&str>) -> Result<Dataset> {
        let column = target_column(table, target)?;
        if table.has_codes(&column.name) {
            table.check_classes(&column.name)?;
        }
        let task = match labels_of(column) {
            Some(_) => Task::Classes(classes_of(column)),
            None => Task::Regression,
        };
        Dataset::with_task(table, column, task)
    }

    /// As [`Dataset::from_table`], with a target of integers taken as numbers to regress on.
    ///
    /// # Errors
    /// As [`Dataset::from_table`], and for a target of text.
    pub fn regression(table: &Table, target: Option<&str>) -> Result<Dataset> {
        let column = target_column(table, target)?;
        Dataset::with_task(table, column, Task::Regression)
    }

    fn with_task(table: &Table, target: &Column, task: Task) -> Result<Dataset> {
        let features: Vec<String> =
            table.columns().iter().filter(|c| c.name != target.name).map(|c| c.name.clone()).collect();
        if features.is_empty() {
            return Err(Error::data(
                table.source(),
                format!("no features: {} is the only column", shown(&target.name)),
            ));
        }
        if matches!(&task, Task::Classes(classes) if classes.len() < 2) {
            let place = table.place(0, table.index_of(&target.name)?);
            return Err(Error::data(place, "target has one value in all rows; there is nothing to learn"));
        }
        let ignored = table.left_out().to_vec();
        Dataset::matching(table, &Schema { features, target: target.name.clone(), task, ignored })
    }

    /// Reads a table as the data of a schema: a test file, or more data for a model. Columns are matched by name.
    ///
    /// # Errors
    /// As [`Schema::features_of`]; [`Error::Data`] for a missing target column or a class that the schema does not have.
    pub fn matching(table: &Table, schema: &Schema) -> Result<Dataset> {
        let features = schema.features_of(table)?;
        let column = table.column(&schema.target)?;
        let index = table.index_of(&schema.target)?;
        if let Some(row) = (0..table.rows()).find(|&row| column.is_missing(row)) {
            return Err(Error::data(table.place(row, index), "target is missing; fill it in or remove the row"));
        }
        let target = match &schema.task {
            Task::Regression => Target::Values(numbers_of(table, index)?),
            Task::Classes(classes) => {
                let position: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
                table.check_classes(&schema.target)?;
                let labels = labels_of(column).ok_or_else(|| {
                    Error::data(
                        table.place(0, index),
                        format!("target is not integer; the classes are {}", names(classes)),
                    )
                })?;
                let label = |(row, name): (usize, String)| {
                    class_of(&position, &name).ok_or_else(|| {
                        let message =
                            format!("class {} is not known; the classes are {}", shown(&name), names(classes));
                        Error::data(table.place(row, index), message)
                    })
                };
                Target::Labels(labels.enumerate().map(label).collect::<Result<_>>()?)
            }
        };
        Dataset::new(schema.clone(), features, target)
    }

    /// The names and classes.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of rows, `N`.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of features, `F`.
    pub fn width(&self) -> usize {
        self.schema.features.len()
    }

    /// The features, row by row: `[N, F]`.
    pub fn features(&self) -> &[f32] {
        &self.features
    }

    /// The target, one a row.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The rows at `indices`, in that order; a row may be taken more than once.
    ///
    /// # Errors
    /// [`Error::Argument`] for an index past the end or no index at all.
    pub fn select(&self, indices: &[usize]) -> Result<Dataset> {
        let width = self.width();
        if indices.is_empty() {
            return Err(Error::argument("select", "no rows chosen; a data set has at least one"));
        }
        if let Some(index) = indices.iter().find(|&&index| index >= self.rows) {
            return Err(Error::argument("select", format!("row {index} of {}; count from 0", self.rows)));
        }
        let features =
            indices.iter().flat_map(|&row| &self.features[row * width..(row + 1) * width]).copied().collect();
        let target = match &self.target {
            Target::Labels(labels) => Target::Labels(indices.iter().map(|&row| labels[row]).collect()),
            Target::Values(values) => Target::Values(indices.iter().map(|&row| values[row]).collect()),
        };
        Ok(Dataset { schema: self.schema.clone(), features, target, rows: indices.len() })
    }
}

fn target_column<'a>(table: &'a Table, target: Option<&str>) -> Result<&'a Column> {
    match target {
        Some(name) => table.column(name),
        None => table.columns().last().ok_or_else(|| Error::data(table.source(), "no columns")),
    }
}

fn finite(op: &'static str, values: &[f32], at: impl Fn(usize) -> String) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(Error::NonFinite { op, message: format!("{} at {}", values[index], at(index)) }),
        None => Ok(()),
    }
}

fn names(classes: &[String]) -> String {
    list(classes.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::parse_csv(text.as_bytes(), "t.csv").unwrap()
    }

    fn classes(names: &[&str]) -> Task {
        Task::Classes(names.iter().map(|&n| n.to_owned()).collect())
    }

    #[test]
    fn integer_targets_are_classes_sorted_by_value() {
        let data = Dataset::from_table(&table("x,y\n1,10\n2,-1\n3,9\n4,10\n"), None).unwrap();
        assert_eq!(data.schema().task, classes(&["-1", "9", "10"]));
        assert_eq!(data.target(), &Target::Labels(vec![2, 0, 1, 2]));
    }

    #[test]
    fn other_numbers_are_regressed_on_and_integers_on_demand() {
        let data = Dataset::from_table(&table("x,y\n1,0.5\n2,1\n"), None).unwrap();
        assert_eq!((&data.schema().task, data.target()), (&Task::Regression, &Target::Values(vec![0.5, 1.0])));
        let data = Dataset::regression(&table("x,y\n1,3\n2,1\n"), None).unwrap();
        assert_eq!(data.target(), &Target::Values(vec![3.0, 1.0]));
        let constant = Dataset::regression(&table("x,y\n1,2\n3,2\n"), None).unwrap();
        assert_eq!(constant.target(), &Target::Values(vec![2.0, 2.0]), "as other models of numbers take it");
    }

    #[test]
    fn the_target_may_be_any_column_by_name() {
        let data = Dataset::from_table(&table("kind,x,y\nb,1,2\na,3,4\n"), Some("kind")).unwrap();
        assert_eq!((data.features(), data.width(), data.rows()), (&[1.0, 2.0, 3.0, 4.0][..], 2, 2));
        assert_eq!(data.target(), &Target::Labels(vec![1, 0]));
    }

    #[test]
    fn tables_that_cannot_be_learned_from_are_refused_with_their_place() {
        let error = |text, target| Dataset::from_table(&table(text), target).unwrap_err().to_string();
        let cases = [
            ("a,b\n1,2\n", Some("c"), "t.csv: no column of that name: given \"c\"; the file has \"a\", \"b\""),
            ("a,b\n1,2\n3,2\n", None, "t.csv:2:2 (b): target has one value in all rows"),
            ("a,b\n1,x\n3,x\n", None, "t.csv:2:2 (b): target has one value in all rows"),
            ("b\n1\n3\n", None, "t.csv: no features: \"b\" is the only column"),
            ("a,b\n1,2\nx,3\ny,4\n", None, "t.csv:3:1 (a): column of text where numbers are needed: \"x\""),
            ("a,b\n1,2\n1e39,3\n", None, "t.csv:3:1 (a): number too large: 1e39 is beyond 32-bit floats"),
            ("a,b\n1,2.5\n2,-1e39\n", None, "t.csv:3:2 (b): number too large: -1e39"),
        ];
        for (text, target, begin) in cases {
            let message = error(text, target);
            assert!(message.starts_with(begin), "{text:?} gave {message}");
        }
    }

    #[test]
    fn new_data_is_matched_by_name_whatever_the_order() {
        let data = Dataset::from_table(&table("x,y,kind\n1,2,b\n3,4,a\n"), None).unwrap();
        let shuffled = table("kind,y,x\na,20,10\n");
        assert_eq!(data.schema().features_of(&shuffled).unwrap(), [10.0, 20.0]);
        assert_eq!(data.schema().features_of(&table("y,x\n20,10\n")).unwrap(), [10.0, 20.0]);
        let test = Dataset::matching(&shuffled, data.schema()).unwrap();
        assert_eq!(test.target(), &Target::Labels(vec![0]));
    }

    #[test]
    fn new_data_of_other_columns_or_classes_is_refused() {
        let data = Dataset::from_table(&table("x,y,kind\n1,2,1\n3,4,2\n"), None).unwrap();
        let error = data.schema().features_of(&table("x,z\n1,2\n")).unwrap_err().to_string();
        assert_eq!(
            error,
            "t.csv: other columns than the model's: 2 features given, 2 expected; missing \"y\"; not known to the model \"z\""
        );
        let error = data.schema().features_of(&table("x\n1\n")).unwrap_err().to_string();
        assert_eq!(error, "t.csv: other columns than the model's: 1 features given, 2 expected; missing \"y\"");
        let error = Dataset::matching(&table("x,y,kind\n1,2,3\n"), data.schema()).unwrap_err().to_string();
        assert_eq!(error, "t.csv:2:3 (kind): class \"3\" is not known; the classes are \"1\", \"2\"");
        let error = Dataset::matching(&table("x,y,kind\n1,2,0.5\n"), data.schema()).unwrap_err().to_string();
        assert!(error.starts_with("t.csv:2:3 (kind): target is not integer"), "{error}");
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let schema = Schema {
            features: vec!["x".into(), "y".into()],
            target: "t".into(),
            task: classes(&["a", "b"]),
            ignored: Vec::new(),
        };
        let new =
            |features: &[f32], target| Dataset::new(schema.clone(), features.to_vec(), target).map_err(|e| e.code());
        assert_eq!(new(&[1.0, 2.0, 3.0], Target::Labels(vec![0])), Err("shape"));
        assert_eq!(new(&[1.0, f32::NAN], Target::Labels(vec![0])), Err("non-finite"));
        assert_eq!(new(&[1.0, 2.0], Target::Labels(vec![2])), Err("argument"));
        assert_eq!(new(&[1.0, 2.0], Target::Values(vec![1.0])), Err("argument"));
        assert_eq!(new(&[], Target::Labels(vec![])), Err("argument"));
    }

    #[test]
    fn selected_rows_come_in_the_order_asked_for() {
        let data = Dataset::from_table(&table("x,y\n1,0\n2,1\n3,2\n"), None).unwrap();
        let part = data.select(&[2, 0, 2]).unwrap();
        assert_eq!((part.features(), part.target()), (&[3.0, 1.0, 3.0][..], &Target::Labels(vec![2, 0, 2])));
        assert!(data.select(&[3]).is_err() && data.select(&[]).is_err());
    }
}
