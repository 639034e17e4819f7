//! Scores of forests and boosting on five draws of tab100k. The peers: `benches/peers/scores.py`. `cargo bench --bench scores`

mod common;

use common::tab100k;
use ndarray::s;
use tilework::metrics::{accuracy, r2};
use tilework::models::{
    EarlyStop, Estimator, ExtraTreesClassifier, ExtraTreesRegressor, HistGradientBoostingClassifier,
    HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor,
};

const DRAWS: u64 = 5;
const TRAIN: usize = 15_000;

fn main() {
    let early_stopping = EarlyStop::When(false);
    let mut means = [0.0; 6];
    for seed in 0..DRAWS {
        let (x, scores) = tab100k(seed, 2 * TRAIN);
        let labels: Vec<u32> = scores.iter().map(|&score| u32::from(score > 0.0)).collect();
        let values: Vec<f64> = scores.iter().map(|&score| f64::from(score as f32)).collect();
        let (train, test) = (x.slice(s![..TRAIN, ..]), x.slice(s![TRAIN.., ..]));
        macro_rules! score {
            ($settings:expr, $answers:expr, $score:ident) => {{
                let model = $settings.fit(train, &$answers[..TRAIN]).expect("it fits");
                $score(&$answers[TRAIN..], &model.predict(test).expect("it predicts")).expect("a score")
            }};
        }
        let found = [
            score!(RandomForestClassifier { seed, ..Default::default() }, labels, accuracy),
            score!(RandomForestRegressor { seed, ..Default::default() }, values, r2),
            score!(ExtraTreesClassifier { seed, ..Default::default() }, labels, accuracy),
            score!(ExtraTreesRegressor { seed, ..Default::default() }, values, r2),
            score!(HistGradientBoostingClassifier { early_stopping, ..Default::default() }, labels, accuracy),
            score!(HistGradientBoostingRegressor { early_stopping, ..Default::default() }, values, r2),
        ];
        means.iter_mut().zip(found).for_each(|(mean, score)| *mean += score / DRAWS as f64);
    }
    let names = ["forest", "forest, numbers", "extra trees", "extra trees, numbers", "boosting", "boosting, numbers"];
    names.iter().zip(means).for_each(|(name, mean)| println!("{name}: {mean:.4}"));
}
