//! What a column holds beyond numbers and text: whole numbers, yes and no, dates.

use super::cell::{Cell, EXACT, keeps_digits};
use serde::{Deserialize, Serialize};

/// What the cells of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers, some of them with a fraction.
    Number,
    /// Whole numbers.
    Integer,
    /// `true` and `false` or `yes` and `no`, in any case: 1 and 0 as numbers.
    Boolean,
    /// Dates, alone or with a time of day, written as ISO 8601 has it (`2024-03-01`, `2024-03-01T12:30:00Z`, a space for the `T`,
    /// slashes for the dashes): days since 1970-01-01 as numbers.
    Date,
    /// Anything else.
    Text,
}

impl Kind {
    /// The kind of a column of numbers; NaN stands for a missing one.
    pub(super) fn of_numbers(values: &[f64]) -> Kind {
        let mut seen = Seen::default();
        seen.add_numbers(values);
        seen.kind(true)
    }

    /// The kind of a column of text; an empty one is missing.
    pub(super) fn of_text(values: &[String]) -> Kind {
        let mut seen = Seen::default();
        seen.add_texts(values);
        seen.kind(false)
    }

    /// The number that a text of this kind stands for, `0` and `1` among booleans; `None` when it is not of this kind, or the
    /// kind has no numbers.
    pub fn number(self, text: &str) -> Option<f64> {
        match self {
            // How others write what a column of yes and no was: it is known by the fit alone, for a column of 0 and 1 is of integers.
            Kind::Boolean => boolean(text).or_else(|| text.parse().ok().filter(|v| *v == 0.0 || *v == 1.0)),
            Kind::Date => date(text),
            Kind::Number | Kind::Integer => text.parse().ok().filter(|v: &f64| v.is_finite()),
            Kind::Text => None,
        }
    }

    /// How it reads in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Text => "text",
        }
    }
}

/// What the cells of a column that are not missing have had in common so far.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    empty: bool,
    whole: bool,
    boolean: bool,
    date: bool,
    /// Whether all are written as integers.
    digits: bool,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen { empty: true, whole: true, boolean: true, date: true, digits: true }
    }
}

impl Seen {
    /// One more cell, and how it is written.
    pub(super) fn add(&mut self, cell: Cell, text: &str) {
        self.empty = false;
        self.whole = self.whole && matches!(cell, Cell::Number(v) if v.fract() == 0.0 && v.abs() < EXACT);
        self.digits = self.digits && keeps_digits(text).is_some();
        self.boolean = self.boolean && boolean(text).is_some();
        self.date = self.date && date(text).is_some();
    }

    /// Whether all cells are written as integers.
    pub(super) fn are_integers(&self) -> bool {
        !self.empty && self.digits
    }

    pub(super) fn add_numbers(&mut self, values: &[f64]) {
        values.iter().filter(|v| !v.is_nan()).for_each(|&v| self.add(Cell::Number(v), ""));
    }

    pub(super) fn add_texts(&mut self, values: &[String]) {
        values.iter().filter(|text| !text.is_empty()).for_each(|text| self.add(Cell::Text, text));
    }

    /// The kind of the column that holds them as numbers, or as text.
    pub(super) fn kind(&self, numbers: bool) -> Kind {
        match self {
            Seen { empty: false, whole: true, .. } if numbers => Kind::Integer,
            _ if numbers => Kind::Number,
            Seen { empty: false, boolean: true, .. } => Kind::Boolean,
            Seen { empty: false, date: true, .. } => Kind::Date,
            _ => Kind::Text,
        }
    }
}

fn boolean(text: &str) -> Option<f64> {
    let is = |words: [&str; 2]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "yes"]) { Some(1.0) } else { is(["false", "no"]).then_some(0.0) }
}

/// Days since 1970-01-01, UTC where an offset is given.
fn date(text: &str) -> Option<f64> {
    let (day, time) = match text.split_once(['T', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mark = if day.contains('/') { '/' } else { '-' };
    let mut parts = day.split(mark);
    let mut part = |digits: usize| digits_of(parts.next()?, digits);
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let days = f64::from(days_from_civil(year, month, day));
    time.map_or(Some(days), |time| Some(days + seconds(time)? / 86_400.0))
}

/// Seconds of `12:30`, `12:30:15.25`, with `Z` or `+02:00` after it.
fn seconds(text: &str) -> Option<f64> {
    let end = text.find(['Z', '+', '-']).unwrap_or(text.len());
    let (clock, zone) = text.split_at_checked(end)?;
    let mut parts = clock.trim_end().split(':');
    let hours = digits_of(parts.next()?, 2).filter(|h| *h < 24)?;
    let minutes = digits_of(parts.next()?, 2).filter(|m| *m < 60)?;
    let rest = match parts.next() {
        Some(text) if text.len() >= 2 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') => text.parse().ok()?,
        Some(_) => return None,
        None => 0.0,
    };
    let offset = match zone.split_at_checked(1) {
        None | Some(("Z", "")) => 0,
        Some((sign @ ("+" | "-"), zone)) => {
            let (hours, minutes) = zone.split_once(':').or_else(|| zone.split_at_checked(2))?;
            let minutes = if minutes.is_empty() { 0 } else { digits_of(minutes, 2)? };
            (digits_of(hours, 2)? * 3600 + minutes * 60) * if sign == "+" { 1 } else { -1 }
        }
        Some(_) => return None,
    };
    let good = parts.next().is_none() && rest < 61.0; // a leap second is 60
    good.then(|| f64::from(hours * 3600 + minutes * 60 - offset) + rest)
}

fn digits_of(text: &str, digits: usize) -> Option<i32> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn days_in(year: i32, month: i32) -> i32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, for years of four digits.
fn days_from_civil(year: i32, month: i32, day: i32) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Kind {
        Kind::of_text(&texts.iter().map(|&t| t.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn dates_are_days_since_1970() {
        // Python: (date(...) - date(1970, 1, 1)).days
        for (text, days) in [
            ("1970-01-01", 0.0),
            ("1969-12-31", -1.0),
            ("2024-02-29", 19782.0),
            ("2000/03/01", 11017.0),
            ("0001-01-01", -719_162.0),
            ("9999-12-31", 2_932_896.0),
            ("1970-01-02T12:00", 1.5),
            ("1970-01-02 06:00:00", 1.25),
            ("1970-01-02T06:00:00.000Z", 1.25),
            ("1970-01-02T06:00:00+06:00", 1.0),
            ("1970-01-01T18:00:00-0600", 1.0),
        ] {
            assert_eq!(date(text), Some(days), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_date_is_text() {
        for text in [
            "2024-13-01",
            "2024-02-30",
            "2023-02-29",
            "1900-02-29",
            "24-01-01",
            "2024-1-1",
            "2024-01-01-01",
            "01/02/2024",
            "2024-01-01T",
            "2024-01-01T25:00",
            "2024-01-01T10:61",
            "2024-01-01T10",
            "2024-01-01T10:00Zz",
            "2024-01-01T1é:00",
            "2024-01-01T10:00:",
            "2024-01-01T10:00+é",
            "--",
            "",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn a_kind_is_that_of_all_cells_but_the_missing() {
        assert_eq!(of(&["yes", "", "No"]), Kind::Boolean);
        assert_eq!(of(&["2024-01-01", "", "2024-01-02"]), Kind::Date);
        assert_eq!(of(&["2024-01-01", "soon"]), Kind::Text);
        assert_eq!(of(&["", ""]), Kind::Text);
        assert_eq!(Kind::of_numbers(&[1.0, f64::NAN]), Kind::Integer);
        assert_eq!(Kind::of_numbers(&[1.0, 0.5]), Kind::Number);
        assert_eq!(Kind::of_numbers(&[f64::NAN]), Kind::Number);
    }
}
