//! What one cell of a CSV file holds: a number, nothing, text, or a number that is written in a way nobody can trust.

/// The content of a trimmed cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A finite number.
    Number(f64),
    /// Empty or a marker of a missing value.
    Missing,
    /// Meant as a number, but not usable as one: what is wrong, and what to do.
    Unusable(&'static str, &'static str),
    /// Anything else.
    Text,
}

/// What stands for a missing value, in any case, unless the reader is told otherwise: what pandas takes for one.
pub(super) const MARKERS: [&str; 13] = [
    "NA", "N/A", "NaN", "null", PYTHONS, "#N/A", "#N/A N/A", "#NA", "<NA>", "-1.#IND", "-1.#QNAN", "1.#IND", "1.#QNAN",
];

/// The marker that is one as it stands alone: `none` is a word, and a level of many a column.
const PYTHONS: &str = "None";

fn is_marker(cell: &str, marker: &str) -> bool {
    if marker == PYTHONS { cell == marker } else { cell.eq_ignore_ascii_case(marker) }
}

impl Cell {
    /// Reads a cell that has been trimmed.
    pub(super) fn read(cell: &str, markers: &[impl AsRef<str>]) -> Cell {
        if cell.is_empty() || markers.iter().any(|mark| is_marker(cell, mark.as_ref())) {
            return Cell::Missing;
        }
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Cell::Number(value),
            Ok(value) if value.is_nan() => Cell::Missing,
            Ok(_) if cell.bytes().any(|b| b.is_ascii_digit()) => {
                Cell::Unusable("number too large", "the largest finite value is about 1.8e308")
            }
            Ok(_) => Cell::Unusable("infinite value", "remove the row or give a finite number"),
            Err(_) => Cell::read_grouped(cell),
        }
    }

    /// Whether the cell was meant as a number.
    pub(super) fn is_numeric(self) -> bool {
        matches!(self, Cell::Number(_) | Cell::Unusable(..))
    }

    /// Numbers of other locales: `1,5` and `1.234,5`, `1,234`, `1 234`, `1'234`.
    fn read_grouped(cell: &str) -> Cell {
        const SEPARATORS: [char; 6] = [',', ' ', '\'', '_', '\u{a0}', '\u{202f}'];
        let parses = |text: String| text.parse::<f64>().is_ok_and(f64::is_finite);
        let starts_as_number = cell.starts_with(|c: char| c.is_ascii_digit() || "+-.,".contains(c));
        if !starts_as_number || !cell.contains(SEPARATORS) && cell.matches('.').count() < 2 {
            return Cell::Text;
        }
        // With a single comma, `1,234` may mean either; the advice names both.
        if cell.matches(',').count() == 1
            && parses(cell.replace(['.', ' ', '\'', '\u{a0}', '\u{202f}'], "").replace(',', "."))
        {
            return Cell::Unusable("comma in a number", "write 1.5 with a point and 1234 without separators");
        }
        if parses(cell.replace(SEPARATORS, "")) {
            return Cell::Unusable("thousands separators in a number", "write 1234 without separators");
        }
        Cell::Text
    }
}

/// Integers of at least this size are not told apart by `f64`: 2^53.
pub(super) const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether a cell that is written as an integer, in digits alone, reads the same once it is a number: `007` and integers from 2^53
/// on do not. `None` for all other cells.
pub(super) fn keeps_digits(cell: &str) -> Option<bool> {
    let digits = cell.strip_prefix(['+', '-']).unwrap_or(cell);
    let integer = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let kept = || (digits == "0" || !digits.starts_with('0')) && digits.parse().is_ok_and(|v: f64| v < EXACT);
    integer.then(kept)
}

/// A cell or name as it stands in a message: quoted, on one line, at most 40 characters.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cell: &str) -> Cell {
        Cell::read(cell, &MARKERS)
    }

    #[test]
    fn numbers_are_read_as_rust_reads_them() {
        for (cell, value) in [("1", 1.0), ("-0.5", -0.5), ("+2.", 2.0), (".25", 0.25), ("1e3", 1e3), ("1E-400", 0.0)] {
            assert_eq!(read(cell), Cell::Number(value), "{cell}");
        }
    }

    #[test]
    fn marks_of_a_missing_value_are_known_in_any_case() {
        for cell in ["", "NA", "na", "N/A", "NaN", "-nan", "NULL"] {
            assert_eq!(read(cell), Cell::Missing, "{cell}");
        }
        // pandas._libs.parsers.STR_NA_VALUES of pandas 3.1
        let pandas =
            "|#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|nan|null";
        for cell in pandas.split('|') {
            assert_eq!(read(cell), Cell::Missing, "{cell}");
        }
        for cell in ["none", "NONE", "nothing", "#", "N"] {
            assert_eq!(read(cell), Cell::Text, "{cell}");
        }
    }

    #[test]
    fn infinity_and_overflow_are_told_apart() {
        for cell in ["inf", "-Infinity", "+INF"] {
            assert!(matches!(read(cell), Cell::Unusable("infinite value", _)), "{cell}");
        }
        for cell in ["1e400", "-1e309"] {
            assert!(matches!(read(cell), Cell::Unusable("number too large", _)), "{cell}");
        }
    }

    #[test]
    fn numbers_of_other_locales_are_recognised_and_refused() {
        for cell in ["1,5", "-3,25", ",5", "1.234,5", "1 234,5", "1,234"] {
            assert!(matches!(read(cell), Cell::Unusable("comma in a number", _)), "{cell}");
        }
        for cell in ["1,234,567", "1 234", "1'234.5", "1_000", "1\u{a0}000"] {
            assert!(matches!(read(cell), Cell::Unusable("thousands separators in a number", _)), "{cell}");
        }
    }

    #[test]
    fn words_dates_and_codes_are_text() {
        for cell in ["setosa", "2024-01-02", "12A", "1 apple", "0x10", "a,b", "-", ",", "1.2.3", "$5", "5%"] {
            assert_eq!(read(cell), Cell::Text, "{cell}");
        }
    }

    #[test]
    fn integers_that_would_not_read_the_same_are_known() {
        for cell in ["0", "7", "-7", "+7", "9007199254740991"] {
            assert_eq!(keeps_digits(cell), Some(true), "{cell}");
        }
        for cell in ["007", "-01", "00", "9007199254740992", "9007199254740993", "12345678901234567890"] {
            assert_eq!(keeps_digits(cell), Some(false), "{cell}");
        }
        for cell in ["", "-", "1.0", "1e3", "a7", "0x7"] {
            assert_eq!(keeps_digits(cell), None, "{cell}");
        }
    }

    #[test]
    fn long_cells_are_cut_on_a_character() {
        assert_eq!(shown("é\n"), r#""é\n""#);
        assert_eq!(shown(&"é".repeat(50)), format!("{:?}...", "é".repeat(40)));
    }
}
