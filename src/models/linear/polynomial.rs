//! Products of features as further features, so that a linear model fits a polynomial.

use crate::data::Matrix;
use crate::error::{Error, Result};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// All products of up to `degree` features, scikit-learn's `PolynomialFeatures` with its order of columns: the constant, the
/// features, the products of two, and so on. It learns nothing from data.
///
/// ```
/// use tilework::models::linear::PolynomialFeatures;
/// let products = PolynomialFeatures::default();
/// assert_eq!(products.transform(&[[2.0, 3.0]])?, ndarray::array![[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]);
/// assert_eq!(products.names(&["a", "b"])?, ["1", "a", "b", "a^2", "a b", "b^2"]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolynomialFeatures {
    /// The most factors of a product.
    pub degree: usize,
    /// Whether products of different features only are made: no powers.
    pub interaction_only: bool,
    /// Whether there is a column of ones; the models here fit an intercept without it.
    pub include_bias: bool,
}

impl Default for PolynomialFeatures {
    fn default() -> PolynomialFeatures {
        PolynomialFeatures { degree: 2, interaction_only: false, include_bias: true }
    }
}

/// Columns that are made at most.
const MOST: usize = 1 << 20;

impl PolynomialFeatures {
    /// The products of each row of `[N, F]`. A product is the rounded product of a shorter one and a feature.
    ///
    /// # Errors
    /// [`Error::Argument`] for more than 2²⁰ columns or none; [`Error::Shape`] when the result is beyond memory's reach.
    pub fn transform<'a>(&self, x: impl Into<Matrix<'a>>) -> Result<Array2<f64>> {
        let x = x.into();
        let terms = self.terms(x.width())?;
        let columns = terms.len() - usize::from(!self.include_bias);
        let size = x.rows().checked_mul(columns).filter(|size| *size <= isize::MAX as usize / 8);
        let mut values = Vec::new();
        if size.is_none_or(|size| values.try_reserve_exact(size).is_err()) {
            let message = format!("{} rows of {columns} products do not fit in memory; take fewer", x.rows());
            return Err(Error::shape("polynomial-features", message));
        }
        let mut products = vec![1.0; terms.len()];
        for row in 0..x.rows() {
            for (at, (shorter, factor)) in terms.iter().enumerate().skip(1) {
                products[at] = products[*shorter] * x.get(row, *factor);
            }
            values.extend_from_slice(&products[terms.len() - columns..]);
        }
        Array2::from_shape_vec((x.rows(), columns), values)
            .map_err(|e| Error::internal("polynomial-features", e.to_string()))
    }

    /// The names of the columns, such as `1`, `a`, `a^2` and `a b`, from those of the features.
    ///
    /// # Errors
    /// As [`PolynomialFeatures::transform`].
    pub fn names(&self, features: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let terms = self.terms(features.len())?;
        let name = |mut at: usize| {
            let mut powers: Vec<(usize, usize)> = Vec::new(); // a feature and its power, the last one first
            while at > 0 {
                let (shorter, factor) = terms[at];
                match powers.last_mut().filter(|(feature, _)| *feature == factor) {
                    Some((_, power)) => *power += 1,
                    None => powers.push((factor, 1)),
                }
                at = shorter;
            }
            let words = powers.iter().rev().map(|&(feature, power)| match power {
                1 => features[feature].as_ref().to_owned(),
                _ => format!("{}^{power}", features[feature].as_ref()),
            });
            let words: Vec<String> = words.collect();
            if words.is_empty() { "1".to_owned() } else { words.join(" ") }
        };
        Ok((usize::from(!self.include_bias)..terms.len()).map(name).collect())
    }

    /// Each product as a shorter one, by its place, times a feature; the first is the constant.
    fn terms(&self, width: usize) -> Result<Vec<(usize, usize)>> {
        let error = |what: String| Err(Error::argument("polynomial-features", what));
        let mut terms = vec![(0, 0)];
        let mut last = 0..1; // the products of one factor less
        for degree in 0..self.degree {
            let start = terms.len();
            for shorter in last {
                let first = match degree {
                    0 => 0,
                    _ => terms[shorter].1 + usize::from(self.interaction_only),
                };
                if terms.len() + width.saturating_sub(first) > MOST {
                    return error(format!("more than {MOST} products of {width} features; lower degree"));
                }
                terms.extend((first..width).map(|factor| (shorter, factor)));
            }
            last = start..terms.len();
            if last.is_empty() {
                break;
            }
        }
        match terms.len() > usize::from(!self.include_bias) {
            true => Ok(terms),
            false => error("no products: degree 0 without the constant; raise degree".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_scikit_learn_in_its_order() {
        let names = |degree, interaction_only, include_bias| {
            PolynomialFeatures { degree, interaction_only, include_bias }.names(&["a", "b", "c"]).unwrap().join(", ")
        };
        assert_eq!(names(2, false, true), "1, a, b, c, a^2, a b, a c, b^2, b c, c^2");
        assert_eq!(names(3, true, false), "a, b, c, a b, a c, b c, a b c");
        assert_eq!(names(9, true, true), names(3, true, true));
        let cubes = PolynomialFeatures { degree: 3, ..PolynomialFeatures::default() };
        assert_eq!(cubes.transform(&[[2.0, 3.0]]).unwrap().as_slice().unwrap()[6..], [8.0, 12.0, 18.0, 27.0]);
    }

    #[test]
    fn too_many_and_no_products_are_refused() {
        let wide = [[1.0; 50]];
        let text = |degree, include_bias| {
            let products = PolynomialFeatures { degree, include_bias, ..PolynomialFeatures::default() };
            products.transform(&wide).unwrap_err().to_string()
        };
        assert!(text(9, true).starts_with("polynomial-features: more than 1048576 products of 50 features"));
        assert!(text(0, false).contains("no products"));
    }
}
