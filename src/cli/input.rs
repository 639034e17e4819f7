//! What a command reads: a data set with its test part, and devices by name.

use super::columns::ColumnArgs;
use super::count;
use super::failure::{Failure, Outcome};
use super::models::Integers;
use super::score::short;
use crate::data::{
    Dataset, Kind, ReadOptions, Schema, Table, Target, Task, Values, digits, shuffled_split, stratified_split,
};
use crate::device::Device;
use crate::rng::Rng;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// The share of a file that becomes its test part when there is no file for it.
pub(super) const TEST_SHARE: f64 = 0.2;

/// A stream of its own, so that the split does not move the start weights.
pub(super) const SPLIT_STREAM: u64 = 0x7e57_0000;

/// So many classes that are integers may well be meant as numbers.
const MANY_CLASSES: usize = 30;

/// Rows to learn from and rows to score on.
pub(super) struct Parts {
    pub train: Dataset,
    pub test: Dataset,
    /// Both in a line, and where the test part is from.
    pub line: String,
    /// What is said of a target of integers.
    pub integers: Option<String>,
}

/// How the columns of a file are to be taken.
pub(super) enum Columns<'a> {
    /// As a model file knows them.
    Known(&'a Schema),
    /// The target by name, else the last; integers are classes.
    Target(Option<&'a str>),
    /// The same, with integers as numbers.
    Numbers(Option<&'a str>),
}

/// Reads `data`, and `test` or a part of `data` to score on. What the network cannot learn from comes with the models that can.
pub(super) fn parts(
    data: &Path,
    test: Option<&Path>,
    (columns, chosen): (&Columns<'_>, &ColumnArgs),
    seed: u64,
) -> Outcome<Parts> {
    let parts = read_parts(data, test, (columns, chosen), seed);
    let known = matches!(columns, Columns::Known(_)); // what goes on cannot become another model
    parts.map_err(|failure| match failure {
        Failure::Failed(text) if !known && unprepared(data, test, (columns, chosen)) => {
            Failure::Failed(format!("{text}; or give --model {PREPARING}, which prepare columns by themselves"))
        }
        failure => failure,
    })
}

/// The networks that fill in, scale and encode columns by themselves.
pub(super) const PREPARING: &str = "mlp-classifier or --model mlp-regressor";

/// Whether features have gaps, or are no numbers.
fn unprepared(data: &Path, test: Option<&Path>, (columns, chosen): (&Columns<'_>, &ColumnArgs)) -> bool {
    let (Columns::Target(target) | Columns::Numbers(target)) = columns else { return false };
    let lacks = |file: &Path| {
        let options = chosen.choose_of(data, ReadOptions::lenient(), *target).ok()?;
        let table = Table::read(file, &options).ok()?;
        let target = target.map(str::to_owned).or_else(|| table.columns().last().map(|column| column.name.clone()))?;
        table.column(&target).ok()?; // another model would not find it either
        let number = |kind| matches!(kind, Kind::Number | Kind::Integer);
        let mut features = table.columns().iter().filter(|column| column.name != target);
        Some(features.any(|column| column.missing() > 0 || !number(column.kind())))
    };
    [Some(data), test].into_iter().flatten().any(|file| lacks(file).unwrap_or(false))
}

fn read_parts(
    data: &Path,
    test: Option<&Path>,
    (columns, chosen): (&Columns<'_>, &ColumnArgs),
    seed: u64,
) -> Outcome<Parts> {
    if is_digits(data) {
        chosen.refuse("digits has columns of its own")?;
        if test.is_some() || matches!(columns, Columns::Target(Some(_)) | Columns::Numbers(_)) {
            let text = "digits has its own target and test part; leave --target, --test and --regression out";
            return Err(Failure::usage(text));
        }
        let digits = digits()?;
        if matches!(columns, Columns::Known(schema) if *schema != digits.train.schema()) {
            return Err(Failure::failed(
                "digits: other columns or classes than the model's; resume with the same data",
            ));
        }
        let origin = "its fixed split".to_string();
        return Ok(Parts::new("digits", digits.train, digits.test, &origin));
    }
    let name = data.display().to_string();
    let options = match columns {
        Columns::Known(schema) => {
            chosen.refuse("the file to go on with says which columns are read, and how")?;
            schema.read_options()
        }
        Columns::Target(target) | Columns::Numbers(target) => {
            chosen.choose_of(data, ReadOptions { separator: None, ..ReadOptions::default() }, *target)?
        }
    };
    let mut table = Table::read(data, &options)?;
    chosen.check(table.source(), table.columns().iter().map(|column| (column.name.as_str(), column.kind())))?;
    if let Columns::Target(target) | Columns::Numbers(target) = columns
        && let Some(target) = target.or(table.columns().last().map(|column| column.name.as_str()))
        && let Some(name) = chosen.text_but(target)
    {
        let text = format!(
            "--text {name}: mlp learns from numbers alone; leave it out, or choose another --model, such as {PREPARING}"
        );
        return Err(Failure::usage(text));
    }
    if let Columns::Target(target) = columns
        && let Some(name) = target.or(table.columns().last().map(|column| column.name.as_str())).map(String::from)
        && table.has_codes(&name)
        && !chosen.is_text(&name)
    {
        table = Table::read(data, &options.kind(name, Kind::Text))?;
    }
    let integers = match columns {
        Columns::Known(_) => None,
        Columns::Target(target) | Columns::Numbers(target) => of_integers(&table, *target, columns)?,
    };
    let all = match columns {
        Columns::Known(schema) => Dataset::matching(&table, schema)?,
        Columns::Target(target) => Dataset::from_table(&table, *target)?,
        Columns::Numbers(target) => Dataset::regression(&table, *target)?,
    };
    if !matches!(columns, Columns::Known(_)) {
        check_narrow(&table, all.schema())?;
    }
    if let Some(file) = test {
        let test = Dataset::matching(&Table::read(file, &all.schema().read_options())?, all.schema())?;
        return Ok(Parts { integers, ..Parts::new(&name, all, test, &file.display().to_string()) });
    }
    let mut rng = Rng::seed(seed ^ SPLIT_STREAM);
    let (split, how) = match all.target() {
        Target::Labels(labels) => (stratified_split(labels, TEST_SHARE, &mut rng), ", classes in proportion"),
        Target::Values(values) => (shuffled_split(values.len(), TEST_SHARE, &mut rng), ""),
    };
    let percent = 100.0 * TEST_SHARE;
    let split = split.map_err(|_| {
        let few = format!("{} of {}", count(all.rows(), "row"), columns_of(all.schema()));
        Failure::failed(format!(
            "{name}: too few rows to hold out {percent} % for a test: {few}; give a file by --test"
        ))
    })?;
    let origin = format!("{percent} % held out by seed {seed}{how}; --test FILE gives others");
    Ok(Parts { integers, ..Parts::new(&name, all.select(&split.train)?, all.select(&split.held_out)?, &origin) })
}

/// Refuses a column of numbers that differ by too little to be told apart in the 32 bits of the network's features, such as
/// seconds since 1970 within an hour: the scaling comes after.
fn check_narrow(table: &Table, schema: &Schema) -> Outcome {
    /// Of a column's deviation, what narrowing may take: a hundredth of it is a ten-thousandth of its variance.
    const MOST: f64 = 1e-2;
    let of_values = (schema.task == Task::Regression).then_some(&schema.target);
    for name in schema.features.iter().chain(of_values) {
        let Values::Numbers(values) = &table.column(name)?.values else { continue };
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let lost = (values.iter().map(|v| (v - f64::from(*v as f32)).powi(2)).sum::<f64>() / n).sqrt();
        if lost > MOST * deviation && values.iter().any(|v| Some(v) != values.first()) {
            let (mean, deviation, source) = (short(mean), short(deviation), table.source());
            let advice = if of_values == Some(name) {
                "subtract a number near its mean".to_owned()
            } else {
                format!("subtract a number near its mean, or give --model {PREPARING}, which scale it before")
            };
            return Err(Failure::failed(format!(
                "{source}: {name} is {mean} ± {deviation}, and mlp reads 32-bit floats, in which such values merge; {advice}"
            )));
        }
    }
    Ok(())
}

/// What is said of the target where it is of integers.
fn of_integers(table: &Table, target: Option<&str>, columns: &Columns<'_>) -> Outcome<Option<String>> {
    let column = match target {
        Some(name) => Some(table.column(name)?),
        None => table.columns().last(),
    };
    let integers = Integers::of(matches!(columns, Columns::Numbers(_)), &[""; 0])?;
    Ok(column.filter(|column| column.kind() == Kind::Integer).map(|column| integers.line(&column.name)))
}

pub(super) fn is_digits(data: &Path) -> bool {
    data == Path::new("digits")
}

impl Parts {
    fn new(name: &str, train: Dataset, test: Dataset, origin: &str) -> Parts {
        let line = format!(
            "{name}: {} to learn from, {} to test on ({origin}); {}",
            count(train.rows(), "row"),
            count(test.rows(), "row"),
            columns_of(train.schema())
        );
        Parts { train, test, line, integers: None }
    }
}

/// `64 features, 10 classes of digit`.
fn columns_of(schema: &Schema) -> String {
    let features = count(schema.features.len(), "feature");
    match &schema.task {
        Task::Classes(classes) => {
            let hint = integers_hint(classes);
            format!("{features}, {} classes of {}{hint}", classes.len(), schema.target)
        }
        Task::Regression => format!("{features}, {} as a number", schema.target),
    }
}

/// What is said where classes may be meant as numbers.
pub(super) fn integers_hint(classes: &[String]) -> &'static str {
    let integers = classes.len() > MANY_CLASSES && classes.iter().all(|class| class.parse::<i64>().is_ok());
    if integers { "; --regression takes these integers as numbers" } else { "" }
}

/// What is said where all numbers to learn from are one.
pub(super) fn constant<T: PartialEq + Display>(target: &str, values: &[T]) -> Option<String> {
    let first = values.first().filter(|first| values.iter().all(|value| value == *first))?;
    Some(format!(
        "warning: {target} is {first} in all rows; there is nothing to learn, and R² is 0 unless that is predicted exactly"
    ))
}

/// The devices of these names; every one of this machine without any.
pub(super) fn devices(names: &[String]) -> Outcome<Vec<Device>> {
    if names.is_empty() {
        return (0..Device::list().len()).map(|index| Ok(Device::open(&index.to_string())?)).collect();
    }
    names.iter().map(|name| Ok(Device::open(name)?)).collect()
}

/// Refuses an output that is also an input: it would be gone with the first mistake.
pub(super) fn apart(option: &str, output: &Path, inputs: &[&Path]) -> Outcome {
    let real = |path: &Path| path.canonicalize().ok();
    let same = inputs.iter().find(|input| real(output).is_some_and(|output| real(input) == Some(output)));
    match same {
        Some(input) => {
            Err(Failure::usage(format!("{option} {} would overwrite the input; name another file", input.display())))
        }
        None => Ok(()),
    }
}

/// The file's name without its ending, in the current folder, with another ending.
pub(super) fn beside(data: &Path, ending: &str) -> PathBuf {
    let mut name = data.file_stem().unwrap_or(data.as_os_str()).to_os_string();
    name.push(ending);
    PathBuf::from(name)
}
