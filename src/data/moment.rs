//! Dates and times of day as ISO 8601 writes them, from the counts that files keep.

use chrono::{Datelike, NaiveDate};

/// Seconds of a day.
const DAY: i64 = 86_400;
/// The number of 1970-01-01 among the days of which 0001-01-01 is the first.
const EPOCH: i64 = 719_163;

/// The date of so many days since 1970-01-01: the inverse of [`Kind::Date`](super::Kind::Date)'s number. `None` outside the
/// years 0000 to 9999, which four digits cannot write.
pub(super) fn date(days: i64) -> Option<String> {
    let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(days.checked_add(EPOCH)?).ok()?)?;
    let year = Some(date.year()).filter(|year| (0..=9999).contains(year))?;
    Some(format!("{year:04}-{:02}-{:02}", date.month(), date.day()))
}

/// The time of day after so many parts of a second since midnight, of which a second has `per_second`, a power of ten.
pub(super) fn clock(parts: i64, per_second: i64) -> Option<String> {
    let (seconds, rest) = (parts.div_euclid(per_second), parts.rem_euclid(per_second));
    if !(0..DAY).contains(&seconds) {
        return None;
    }
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let digits = per_second.checked_ilog10().and_then(|digits| usize::try_from(digits).ok())?;
    Some(if rest == 0 { text } else { format!("{text}.{rest:0digits$}").trim_end_matches('0').to_owned() })
}

/// Date and time of day after so many parts of a second since the beginning of 1970.
pub(super) fn moment(parts: i64, per_second: i64) -> Option<String> {
    let per_day = DAY * per_second;
    let (day, time) = (date(parts.div_euclid(per_day))?, clock(parts.rem_euclid(per_day), per_second)?);
    Some(format!("{day}T{time}"))
}

#[cfg(test)]
mod tests {
    use super::super::kind::Kind;
    use super::*;

    #[test]
    fn every_date_is_read_as_the_days_that_it_was_written_for() {
        for days in -719_528..=2_932_896 {
            let text = date(days).unwrap();
            assert_eq!(Kind::Date.number(&text), Some(days as f64), "{text}");
        }
        assert_eq!((date(-719_529), date(2_932_897), date(i64::MIN), date(i64::MAX)), (None, None, None, None));
    }

    #[test]
    fn a_moment_is_a_date_and_a_time_with_as_many_digits_as_it_needs() {
        // Python: datetime.fromtimestamp(seconds, timezone.utc).isoformat()
        for (parts, per_second, text) in [
            (0, 1, "1970-01-01T00:00:00"),
            (-1, 1, "1969-12-31T23:59:59"),
            (1_709_296_200_500, 1000, "2024-03-01T12:30:00.5"),
            (-1, 1_000_000, "1969-12-31T23:59:59.999999"),
            (10, 1_000_000_000, "1970-01-01T00:00:00.00000001"),
        ] {
            assert_eq!(moment(parts, per_second).as_deref(), Some(text));
        }
        assert_eq!((moment(i64::MAX, 1), moment(i64::MIN, 1000)), (None, None));
        assert_eq!((clock(86_400, 1), clock(-1, 1000)), (None, None));
    }
}
