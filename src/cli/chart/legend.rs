//! Names that fit and stay apart, and the place of a legend.

use super::{Curve, Role};
use plotters::prelude::SeriesLabelPosition;
use std::collections::HashMap;

/// Pixels of a legend: of a letter across (of the mean in the font at its size), of a line, and of all that is not text.
const LETTER: f64 = 13.0;
const LINE: f64 = 32.0;
const AROUND: (f64, f64) = (120.0, 48.0);

/// Names of at most so many characters, of which none are one that were not: longer ones are cut in the middle, since many
/// differ at their ends alone, and those that are one even so are told apart by their places, from 1.
pub(super) fn apart<'a>(names: impl IntoIterator<Item = &'a str>, most: usize) -> Vec<String> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut cut: Vec<String> = names.iter().map(|name| shortened(name, most)).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    cut.iter().for_each(|name| *counts.entry(name.clone()).or_default() += 1);
    for (place, (cut, name)) in cut.iter_mut().zip(&names).enumerate() {
        if counts.get(cut).is_some_and(|count| *count > 1) {
            let number = format!("#{}", place + 1);
            let head = most.saturating_sub(number.chars().count() + 1);
            *cut = name.chars().take(head).chain(['…']).chain(number.chars()).collect();
        }
    }
    cut
}

fn shortened(name: &str, most: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= most {
        return name.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let ends = letters.iter().take(head).chain(['…'].iter()).chain(letters.iter().skip(letters.len() - tail));
    ends.collect()
}

/// Where in the unit square, so many pixels large, a legend hides least of the curves.
pub(super) fn place(curves: &[Curve], (width, height): (u32, u32)) -> SeriesLabelPosition {
    use SeriesLabelPosition::{
        LowerLeft, LowerMiddle, LowerRight, MiddleLeft, MiddleMiddle, MiddleRight, UpperLeft, UpperMiddle, UpperRight,
    };
    let named: Vec<usize> =
        curves.iter().filter_map(|curve| curve.name.as_ref()).map(|name| name.chars().count()).collect();
    let longest = named.iter().copied().max().unwrap_or(0) as f64;
    let across = ((LETTER * longest + AROUND.0) / f64::from(width.max(1))).min(1.0);
    let up = ((LINE * named.len() as f64 + AROUND.1) / f64::from(height.max(1))).min(1.0);
    let places = [
        (LowerRight, 1.0, 0.0),
        (LowerLeft, 0.0, 0.0),
        (UpperLeft, 0.0, 1.0),
        (UpperRight, 1.0, 1.0),
        (LowerMiddle, 0.5, 0.0),
        (MiddleMiddle, 0.5, 0.5),
        (MiddleRight, 1.0, 0.5),
        (MiddleLeft, 0.0, 0.5),
        (UpperMiddle, 0.5, 1.0),
    ];
    let hidden = |x: f64, y: f64| {
        let (left, low) = ((1.0 - across) * x, (1.0 - up) * y);
        let within = |(x, y): (f64, f64)| (left..=left + across).contains(&x) && (low..=low + up).contains(&y);
        curves.iter().map(|curve| length_within(curve, &within)).sum::<f64>()
    };
    let best = places.into_iter().map(|(place, x, y)| (place, hidden(x, y))).min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(LowerRight, |(place, _)| place) // of equals, the first in the list
}

/// How much of a curve lies within, roughly; what stands in the background counts less.
fn length_within(curve: &Curve, within: &dyn Fn((f64, f64)) -> bool) -> f64 {
    const STEPS: usize = 20;
    let weight = if curve.role == Role::Faint { 0.2 } else { 1.0 };
    let pairs = curve.points.iter().zip(curve.points.iter().skip(1));
    let of_pair = |(&(x0, y0), &(x1, y1)): (&(f64, f64), &(f64, f64))| {
        let at = |step: usize| (step as f64 + 0.5) / STEPS as f64;
        let inside = (0..STEPS).map(at).filter(|t| within((x0 + t * (x1 - x0), y0 + t * (y1 - y0)))).count();
        (x1 - x0).hypot(y1 - y0) * inside as f64 / STEPS as f64
    };
    weight * pairs.map(of_pair).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_names_stay_apart() {
        assert_eq!(
            apart(["class-with-a-long-name-1", "class-with-a-long-name-2", "short"], 12),
            ["class-…ame-1", "class-…ame-2", "short"]
        );
        assert_eq!(apart(["left-a-right", "left-b-right", "né"], 6), ["lef…#1", "lef…#2", "né"]);
        let many: Vec<String> = (0..300).map(|i| format!("the same beginning {i} and the same end")).collect();
        let cut = apart(many.iter().map(String::as_str), 8);
        assert!(cut.iter().all(|name| name.chars().count() <= 8));
        let distinct: std::collections::HashSet<&String> = cut.iter().collect();
        assert_eq!(distinct.len(), 300);
    }

    #[test]
    fn a_legend_stands_where_no_curve_is() {
        let curve = |points: &[(f64, f64)]| Curve {
            name: Some("name: 0.9".into()),
            points: points.to_vec(),
            role: Role::Plain,
        };
        let of = |points: &[(f64, f64)]| format!("{:?}", place(&[curve(points)], (800, 600)));
        assert_eq!(of(&[(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]), "LowerRight");
        assert_eq!(of(&[(1.0, 1.0), (1.0, 0.0)]), "LowerLeft");
        assert_eq!(of(&[(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]), "UpperLeft");
        assert_eq!(of(&[(0.0, 1.0), (0.0, 0.0), (1.0, 0.0)]), "UpperRight");
    }
}
