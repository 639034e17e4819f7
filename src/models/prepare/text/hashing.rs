//! Counts of terms without a vocabulary: a term's column is its hash.

use super::terms::{Analyzer, Cut};
use super::tfidf::normalised;
use crate::data::Sparse;
use crate::error::{Error, Result};
use crate::models::prepare::Norm;
use serde::{Deserialize, Serialize};

/// Counts of terms, each in the column that its hash names, scikit-learn's `HashingVectorizer`: nothing is learnt or kept, so
/// that texts may come one after another without end; terms may share a column, and none can be named again.
///
/// ```
/// use tilework::models::prepare::HashingVectorizer;
/// let x = HashingVectorizer::default().transform(&["one text", "another text, too"])?;
/// assert_eq!((x.rows(), x.width(), x.stored()), (2, 1 << 20, 5));
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashingVectorizer {
    /// What terms are made of.
    pub analyzer: Analyzer,
    /// Whether capitals are made small first.
    pub lowercase: bool,
    /// The least and the most words, or characters, of a term.
    pub ngram_range: (usize, usize),
    /// Words that are left out.
    pub stop_words: Vec<String>,
    /// Columns.
    pub n_features: u32,
    /// Whether a term is only there or not, 1 or 0.
    pub binary: bool,
    /// What a text is divided by: its length so measured; nothing when left out.
    pub norm: Option<Norm>,
    /// Whether half of the terms count negatively, so that those that share a column cancel on the mean.
    pub alternate_sign: bool,
}

impl Default for HashingVectorizer {
    fn default() -> HashingVectorizer {
        HashingVectorizer {
            analyzer: Analyzer::Word,
            lowercase: true,
            ngram_range: (1, 1),
            stop_words: Vec::new(),
            n_features: 1 << 20,
            binary: false,
            norm: Some(Norm::L2),
            alternate_sign: true,
        }
    }
}

impl HashingVectorizer {
    /// Counts in texts, `[N, n_features]`.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range.
    pub fn transform(&self, texts: &[impl AsRef<str>]) -> Result<Sparse> {
        const OP: &str = "hashing-vectorizer";
        if self.n_features == 0 || self.n_features > i32::MAX as u32 {
            return Err(Error::argument(OP, format!("n_features is {}; give 1 to {}", self.n_features, i32::MAX)));
        }
        let cut = Cut::new(OP, self.analyzer, self.lowercase, self.ngram_range, &self.stop_words)?;
        let row = |text: &str| {
            let mut row = Vec::new();
            cut.each(text, |term| {
                let hash = murmur3(term.as_bytes()) as i32;
                let sign = if self.alternate_sign && !self.binary && hash < 0 { -1.0 } else { 1.0 };
                row.push((hash.unsigned_abs() % self.n_features, sign));
            });
            row
        };
        let x = Sparse::from_rows(self.n_features as usize, texts.iter().map(|text| row(text.as_ref())))?;
        let x = if self.binary { x.map(|_, _, _| 1.0) } else { x };
        Ok(normalised(x, self.norm))
    }
}

/// MurmurHash3, 32 bits, of seed 0 (Austin Appleby, public domain).
fn murmur3(bytes: &[u8]) -> u32 {
    let mix = |k: u32| k.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let (words, rest) = bytes.as_chunks::<4>();
    let mut hash = 0u32;
    for word in words {
        hash = (hash ^ mix(u32::from_le_bytes(*word))).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !rest.is_empty() {
        hash ^= mix(rest.iter().rev().fold(0, |k, &byte| k << 8 | u32::from(byte)));
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}
