//! Four points of alternating classes along a line, told apart by a decision tree.
//!
//! Each split is the one that leaves the least mixed sides. Run it with `cargo run --release --example decision_tree`.

use tilework::Result;
use tilework::models::{DecisionTreeClassifier, Estimator, Labels};

fn main() -> Result<()> {
    let x = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]];
    let y = Labels::new([1, -1, 1, -1]);

    let model = DecisionTreeClassifier { max_depth: Some(10), ..DecisionTreeClassifier::default() }.fit(&x, &y)?;
    let names = |labels: Vec<u32>| labels.into_iter().map(|label| y.name(label).to_owned()).collect::<Vec<_>>();
    println!("importances of the features: {:.3?}", model.feature_importances());
    println!("predictions {:?}; the classes are [\"1\", \"-1\", \"1\", \"-1\"]", names(model.predict(&x)?));
    Ok(())
}
