//! Values of options, checked while they are parsed, so that the message names the option.

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_string()),
        Ok(number) => Ok(number),
    }
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && f64::is_finite(number) => Ok(number),
        _ => Err("give a positive number, for example 0.001".to_string()),
    }
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if number > 0.0 && number < 1.0 => Ok(number),
        _ => Err("give a share between 0 and 1, for example 0.1".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_and_no_numbers_are_refused() {
        assert_eq!((at_least_one("3"), positive("1e-3"), share("0.1")), (Ok(3), Ok(0.001), Ok(0.1)));
        for text in ["0", "-1", "1.5", "", "many", "99999999999999999999999"] {
            assert!(at_least_one(text).is_err(), "{text}");
        }
        for text in ["0", "-1", "nan", "inf", "1e999", ""] {
            assert!(positive(text).is_err() && share(text).is_err(), "{text}");
        }
        assert!(share("1").is_err());
    }
}
