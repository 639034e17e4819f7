//! Text as numbers: tokens, counts of terms, their weights, all of them sparse; and the same as a step that takes a table's column
//! of text.

mod count;
mod hashing;
mod step;
mod terms;
mod tfidf;

pub use count::{CountVectorizer, DocumentFrequency, FittedCountVectorizer};
pub use hashing::HashingVectorizer;
pub use step::FittedTexts;
pub(super) use step::takes_texts;
pub use terms::{Analyzer, tokens};
pub use tfidf::{FittedTfidfTransformer, FittedTfidfVectorizer, TfidfTransformer, TfidfVectorizer};
