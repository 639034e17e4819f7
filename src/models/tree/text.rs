//! A tree as text, as scikit-learn's `export_text` prints it.

use super::nodes::Tree;
use std::fmt::Write;

/// Names for what a drawing shows; positions stand in for those that are not given.
#[derive(Debug, Clone, Copy, Default)]
pub struct TreeNames<'a> {
    /// Of the columns.
    pub features: Option<&'a [String]>,
    /// Of the classes; of a tree that predicts numbers, none.
    pub classes: Option<&'a [String]>,
}

impl TreeNames<'_> {
    pub(super) fn feature(&self, feature: usize) -> String {
        self.features.and_then(|names| names.get(feature)).cloned().unwrap_or_else(|| format!("feature_{feature}"))
    }

    pub(super) fn class(&self, class: usize) -> String {
        self.classes.and_then(|names| names.get(class)).cloned().unwrap_or_else(|| class.to_string())
    }
}

/// The place of the largest share, the first of equals.
pub(super) fn commonest(shares: &[f64]) -> usize {
    (0..shares.len()).rev().max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap_or(0)
}

impl Tree {
    /// The tree as lines of text, in the form of scikit-learn's `export_text` with `decimals` digits.
    ///
    /// ```
    /// use tilework::models::{DecisionTreeClassifier, Estimator, TreeNames};
    /// let model = DecisionTreeClassifier::default().fit(&[[1.0], [2.0], [3.0]], &[0u32, 0, 1])?;
    /// let text = model.tree.to_text(2, TreeNames::default());
    /// assert_eq!(text, "|--- feature_0 <= 2.50\n|   |--- class: 0\n|--- feature_0 >  2.50\n|   |--- class: 1\n");
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn to_text(&self, decimals: usize, names: TreeNames<'_>) -> String {
        let mut text = String::new();
        // nodes still to print, each with its depth and the line that leads to it
        let mut next = vec![(0, 1, String::new())];
        while let Some((index, depth, lead)) = next.pop() {
            text += &lead;
            let Some(node) = self.node(index) else { continue };
            let indent = "|   ".repeat(depth - 1);
            match node.split {
                Some(split) => {
                    let line = |sign: &str| match split.threshold.is_nan() {
                        true => format!("{indent}|--- {} {sign} set\n", names.feature(split.feature)),
                        false => {
                            let name = names.feature(split.feature);
                            format!("{indent}|--- {name} {sign} {:.decimals$}\n", split.threshold)
                        }
                    };
                    let signs = if split.threshold.is_nan() { ["in", "not in"] } else { ["<=", "> "] };
                    next.push((split.right, depth + 1, line(signs[1])));
                    next.push((split.left, depth + 1, line(signs[0])));
                }
                // a `String` takes all that is written
                None if self.outputs > 1 => {
                    let _ = writeln!(text, "{indent}|--- class: {}", names.class(commonest(node.value)));
                }
                None => {
                    let value = node.value.first().copied().unwrap_or(0.0);
                    let _ = writeln!(text, "{indent}|--- value: [{value:.decimals$}]");
                }
            }
        }
        text
    }
}
