//! Four points of alternating classes along a line, told apart by a support vector machine.
//!
//! No straight line separates them; a kernel does. Run it with `cargo run --release --example support_vectors`.

use tilework::Result;
use tilework::models::{Estimator, Labels, Svc};

fn main() -> Result<()> {
    let x = [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]];
    let y = Labels::new([1, -1, 1, -1]);

    // C = 1 and a radial kernel, its width from the data.
    let model = Svc { c: 1.0, max_iter: Some(1000), ..Svc::default() }.fit(&x, &y)?;
    let names = |labels: Vec<u32>| labels.into_iter().map(|label| y.name(label).to_owned()).collect::<Vec<_>>();
    println!("decisions: {:.3?}", model.decision_function(&x)?.iter().collect::<Vec<_>>());
    println!("predictions {:?}; the classes are [\"1\", \"-1\", \"1\", \"-1\"]", names(model.predict(&x)?));
    Ok(())
}
