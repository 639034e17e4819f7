//! Sentences into classes: words weighed by TF-IDF, sparse from the text to the model.

use tilework::models::linear::LogisticRegression;
use tilework::models::prepare::TfidfVectorizer;
use tilework::models::{Estimator, Labels};

const SENTENCES: [(&str, &str); 12] = [
    ("the keeper saved a penalty in the last minute", "sport"),
    ("two goals before half time won the match", "sport"),
    ("the team trains for the cup final", "sport"),
    ("a record over a hundred metres", "sport"),
    ("whisk the eggs with sugar and butter", "food"),
    ("bake the bread until the crust is golden", "food"),
    ("add salt, pepper and a little oil to the soup", "food"),
    ("fresh basil makes the sauce", "food"),
    ("the telescope saw a planet around a distant star", "science"),
    ("cells copy their genes before they divide", "science"),
    ("the probe measured the magnetic field of the planet", "science"),
    ("light bends near a star of great mass", "science"),
];

fn main() -> tilework::Result<()> {
    let texts = SENTENCES.map(|(text, _)| text);
    let labels = Labels::new(SENTENCES.map(|(_, class)| class));
    let (words, x) = TfidfVectorizer::default().fit_transform(&texts)?;
    println!("{} sentences, {} words, {} numbers that are not 0", x.rows(), x.width(), x.stored());
    let model = LogisticRegression { c: 10.0, ..LogisticRegression::default() }.fit(&x, &labels)?;

    let new = ["the match was won by a late penalty", "butter and salt on fresh bread", "a star with a planet"];
    let asked = words.transform(&new)?;
    let (classes, p) = (model.predict(&asked)?, model.predict_proba(&asked)?);
    for ((text, &class), p) in new.iter().zip(&classes).zip(p.rows()) {
        println!("{text:?}: {} ({:.0} %)", labels.name(class), 100.0 * p[class as usize]);
    }
    Ok(())
}
