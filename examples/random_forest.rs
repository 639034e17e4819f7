//! A forest of ten trees, each grown on rows drawn anew and on features drawn at each split.
//!
//! Run it with `cargo run --release --example random_forest`.

use tilework::Result;
use tilework::models::{Estimator, Labels, RandomForestClassifier};

fn main() -> Result<()> {
    let x = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]];
    let y = Labels::new([1, -1, 1, -1]);

    let settings =
        RandomForestClassifier { n_estimators: 10, max_depth: Some(10), ..RandomForestClassifier::default() };
    let model = settings.fit(&x, &y)?;
    // The mean of the trees: each has seen some of the rows only, so a forest of four rows is less sure than one tree.
    let names = |labels: Vec<u32>| labels.into_iter().map(|label| y.name(label).to_owned()).collect::<Vec<_>>();
    println!("share of the trees for class 1: {:.2?}", model.predict_proba(&x)?.column(1).to_vec());
    println!("predictions {:?}; the classes are [\"1\", \"-1\", \"1\", \"-1\"]", names(model.predict(&x)?));
    Ok(())
}
