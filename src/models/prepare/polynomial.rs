//! Products of features.

use super::transformer::{Feature, Transform, Transformer};
use crate::data::Matrix;
use crate::error::{Error, Result};
use crate::models::{Problem, Reader, Writer, check_rows};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// All products of up to `degree` features: scikit-learn's `PolynomialFeatures`, in its order.
///
/// ```
/// use tilework::models::prepare::{PolynomialFeatures, Transform, Transformer};
/// let fitted = PolynomialFeatures::default().fit(&[[2.0, 3.0]])?;
/// assert_eq!(fitted.transform(&[[2.0, 3.0]])?, ndarray::array![[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolynomialFeatures {
    /// The most factors of a product.
    pub degree: usize,
    /// Whether no feature is multiplied by itself.
    pub interaction_only: bool,
    /// Whether there is a column of 1, the product of no features.
    pub include_bias: bool,
}

impl Default for PolynomialFeatures {
    fn default() -> PolynomialFeatures {
        PolynomialFeatures { degree: 2, interaction_only: false, include_bias: true }
    }
}

/// A fitted [`PolynomialFeatures`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPolynomialFeatures {
    width: usize,
    settings: PolynomialFeatures,
    /// The features of each product, in order.
    terms: Vec<Vec<usize>>,
}

/// More products than this are refused: they would take 8 MB a row.
const MOST_TERMS: usize = 1 << 20;
/// More factors in all of them, too: many powers of few features.
const MOST_FACTORS: usize = 16 * MOST_TERMS;

impl PolynomialFeatures {
    /// Each product extends one of a degree less by a feature that is no earlier than its last: lexicographic within a degree.
    fn terms(&self, width: usize) -> Option<Vec<Vec<usize>>> {
        let mut all: Vec<Vec<usize>> = if self.include_bias { vec![vec![]] } else { vec![] };
        let mut last: Vec<Vec<usize>> = vec![vec![]];
        for factors in 1..=self.degree {
            let mut next = Vec::new();
            for term in &last {
                let from = term.last().map_or(0, |&i| i + usize::from(self.interaction_only));
                let terms = all.len() + next.len() + width.saturating_sub(from);
                if terms > MOST_TERMS || terms.saturating_mul(factors) > MOST_FACTORS {
                    return None;
                }
                next.extend((from..width).map(|i| [term.as_slice(), &[i]].concat()));
            }
            if next.is_empty() {
                break;
            }
            all.extend(next.iter().cloned());
            last = next;
        }
        (!all.is_empty()).then_some(all)
    }
}

impl Transformer for PolynomialFeatures {
    type Fitted = FittedPolynomialFeatures;
    const NAME: &'static str = "polynomial-features";

    fn compute(&self, problem: &Problem<'_>) -> Result<FittedPolynomialFeatures> {
        problem.check(Self::NAME)?;
        let width = problem.x.width();
        let terms = self.terms(width).ok_or_else(|| {
            let message = format!(
                "degree {} of {width} features: no products, or more than {MOST_TERMS}; choose another degree",
                self.degree
            );
            Error::argument(Self::NAME, message)
        })?;
        Ok(FittedPolynomialFeatures { width, settings: *self, terms })
    }
}

impl Transform for FittedPolynomialFeatures {
    fn kind(&self) -> &'static str {
        PolynomialFeatures::NAME
    }

    fn width(&self) -> usize {
        self.width
    }

    fn outputs(&self) -> usize {
        self.terms.len()
    }

    fn apply(&self, x: Matrix<'_>) -> Result<Array2<f64>> {
        check_rows(PolynomialFeatures::NAME, self.width, x)?;
        let made = Array2::from_shape_fn((x.rows(), self.terms.len()), |(row, term)| {
            self.terms[term].iter().map(|&column| x.get(row, column)).product()
        });
        Matrix::from(&made).check_finite(PolynomialFeatures::NAME, None).map(|()| made)
    }

    fn features(&self, from: &[Feature]) -> Vec<Feature> {
        let name = |i: usize| from.get(i).map_or("", |feature| feature.name.as_str());
        let power = |run: &[usize]| match run {
            [one] => name(*one).to_owned(),
            _ => format!("{}^{}", name(run[0]), run.len()),
        };
        let term = |term: &Vec<usize>| match term.is_empty() {
            true => "1".to_owned(),
            false => term.chunk_by(|a, b| a == b).map(power).collect::<Vec<_>>().join(" "),
        };
        self.terms.iter().map(term).map(Feature::number).collect()
    }

    fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&(self.width, self.settings))
    }

    fn restore(from: &Reader<'_>) -> Result<FittedPolynomialFeatures> {
        let (width, settings): (usize, PolynomialFeatures) = from.note()?;
        let terms = settings.terms(width).ok_or_else(|| from.error("products of an impossible number of features"))?;
        Ok(FittedPolynomialFeatures { width, settings, terms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::prepare::names_of;

    #[test]
    fn columns_are_those_of_scikit_learn_in_its_order() {
        let names = |degree, interaction_only, include_bias| {
            let settings = PolynomialFeatures { degree, interaction_only, include_bias };
            let from = ["a", "b", "c"].map(Feature::number);
            names_of(&settings.fit(&[[1.0, 2.0, 3.0]]).unwrap().features(&from)).join(", ")
        };
        assert_eq!(names(2, false, true), "1, a, b, c, a^2, a b, a c, b^2, b c, c^2");
        assert_eq!(names(3, true, false), "a, b, c, a b, a c, b c, a b c");
        assert_eq!(names(9, true, true), names(3, true, true));
        let cubes = PolynomialFeatures { degree: 3, ..PolynomialFeatures::default() };
        let made = cubes.fit(&[[2.0, 3.0]]).unwrap().transform(&[[2.0, 3.0]]).unwrap();
        assert_eq!(made.as_slice().unwrap()[6..], [8.0, 12.0, 18.0, 27.0]);
    }

    #[test]
    fn too_many_and_no_products_are_refused() {
        let text = |degree, include_bias| {
            let products = PolynomialFeatures { degree, include_bias, ..PolynomialFeatures::default() };
            products.fit(&[[1.0; 50]]).unwrap_err().to_string()
        };
        let many = text(9, true);
        assert!(many.starts_with("polynomial-features: ") && many.contains("more than 1048576"), "{many}");
        assert!(text(0, false).contains("no products"));
    }
}
