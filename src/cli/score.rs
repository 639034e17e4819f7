//! How scores and mistakes are written.

use crate::error::Result;
use crate::metrics::ConfusionMatrix;

/// Classes whose confusion is shown whole; of more, the commonest mistakes are.
const SHOWN_CLASSES: usize = 20;
const SHOWN_MISTAKES: usize = 10;

/// Four decimals, or five digits of what is large.
pub(super) fn digits(value: f64) -> String {
    if value.abs() < 100.0 { format!("{value:.4}") } else { short(value) }
}

/// Five digits, whatever the unit of the target.
pub(super) fn short(value: f64) -> String {
    let size = value.abs();
    match value {
        0.0 => "0".to_string(),
        _ if (1e-3..1e6).contains(&size) => {
            let decimals = (4 - size.log10().floor() as i32).max(0) as usize;
            format!("{value:.decimals$}")
        }
        _ => format!("{value:.4e}"),
    }
}

pub(super) fn mistakes(truth: &[u32], predicted: &[u32], classes: &[String]) -> Result<Option<String>> {
    if classes.len() > ConfusionMatrix::MAX_CLASSES {
        return Ok(None);
    }
    let matrix = ConfusionMatrix::new(truth, predicted, classes)?;
    if classes.len() <= SHOWN_CLASSES {
        return Ok(Some(matrix.to_string()));
    }
    let names = matrix.names().iter().enumerate();
    let mut pairs: Vec<(u64, &str, &str)> = names
        .clone()
        .flat_map(|(t, truth)| names.clone().map(move |(p, name)| (t, truth, p, name)))
        .filter(|(t, _, p, _)| t != p && matrix.count(*t, *p) > 0)
        .map(|(t, truth, p, name)| (matrix.count(t, p), truth.as_str(), name.as_str()))
        .collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.0)); // stable: equals in the order of classes
    pairs.truncate(SHOWN_MISTAKES);
    let lines = pairs.iter().map(|(count, truth, taken)| format!("{count:>7} of {truth} taken for {taken}\n"));
    Ok(Some(format!("the commonest mistakes among {} classes:\n{}", classes.len(), lines.collect::<String>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_classes_show_the_commonest_mistakes() {
        let classes: Vec<String> = (0..30).map(|c| format!("c{c}")).collect();
        let text = mistakes(&[0, 1, 1, 2, 29], &[0, 2, 2, 3, 28], &classes).unwrap().unwrap();
        let lines: Vec<&str> = text.lines().skip(1).map(str::trim).collect();
        assert_eq!(lines, ["2 of c1 taken for c2", "1 of c2 taken for c3", "1 of c29 taken for c28"]);
        assert!(mistakes(&[0, 1], &[1, 1], &classes[..2]).unwrap().unwrap().starts_with("true \\ predicted"));
    }

    #[test]
    fn errors_of_any_size_have_five_digits() {
        assert_eq!(
            [0.0, 0.012345678, 2993.14159, 123456.7, 3.2e-9, -0.92068123, -41.5, -2.5e-4].map(short),
            ["0", "0.012346", "2993.1", "123457", "3.2000e-9", "-0.92068", "-41.500", "-2.5000e-4"]
        );
    }
}
