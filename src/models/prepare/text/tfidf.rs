//! Counts of terms as weights: what is in few texts says more.

use super::count::{CountVectorizer, DocumentFrequency, FittedCountVectorizer};
use super::terms::Analyzer;
use crate::data::Sparse;
use crate::error::{Error, Result};
use crate::models::prepare::Norm;
use crate::models::{Reader, Writer};
use serde::{Deserialize, Serialize};

/// Weights of counts, scikit-learn's `TfidfTransformer`: a count times `ln(N / texts with the term) + 1`, each text then divided
/// by its length.
///
/// ```
/// use tilework::{data::Sparse, models::prepare::TfidfTransformer};
/// let counts = Sparse::of(&[[3.0, 0.0], [3.0, 4.0]])?;
/// let fitted = TfidfTransformer { use_idf: false, ..Default::default() }.fit(&counts)?;
/// assert_eq!(fitted.transform(&counts)?.to_dense(), ndarray::array![[1.0, 0.0], [0.6, 0.8]]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TfidfTransformer {
    /// What a text is divided by: its length so measured; nothing when left out.
    pub norm: Option<Norm>,
    /// Whether terms of few texts weigh more.
    pub use_idf: bool,
    /// Whether they are counted as if one more text held every term once.
    pub smooth_idf: bool,
    /// Whether a count becomes `1 + ln count`.
    pub sublinear_tf: bool,
}

/// Texts as weights of terms, scikit-learn's `TfidfVectorizer`: a [`CountVectorizer`] and a [`TfidfTransformer`].
///
/// ```
/// use tilework::models::{Estimator, linear::LogisticRegression, prepare::TfidfVectorizer};
/// let texts = ["good, really good", "a good book", "bad", "really bad ending"];
/// let (words, x) = TfidfVectorizer::default().fit_transform(&texts)?;
/// let model = LogisticRegression::default().fit(&x, &[1u32, 1, 0, 0])?;
/// assert_eq!(model.predict(&words.transform(&["a good ending", "bad book"])?)?, [1, 0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TfidfVectorizer {
    /// As [`CountVectorizer::analyzer`].
    pub analyzer: Analyzer,
    /// As [`CountVectorizer::lowercase`].
    pub lowercase: bool,
    /// As [`CountVectorizer::ngram_range`].
    pub ngram_range: (usize, usize),
    /// As [`CountVectorizer::stop_words`].
    pub stop_words: Vec<String>,
    /// As [`CountVectorizer::min_df`].
    pub min_df: DocumentFrequency,
    /// As [`CountVectorizer::max_df`].
    pub max_df: DocumentFrequency,
    /// As [`CountVectorizer::max_features`].
    pub max_features: Option<usize>,
    /// As [`CountVectorizer::binary`].
    pub binary: bool,
    /// As [`TfidfTransformer::norm`].
    pub norm: Option<Norm>,
    /// As [`TfidfTransformer::use_idf`].
    pub use_idf: bool,
    /// As [`TfidfTransformer::smooth_idf`].
    pub smooth_idf: bool,
    /// As [`TfidfTransformer::sublinear_tf`].
    pub sublinear_tf: bool,
}

impl Default for TfidfTransformer {
    fn default() -> TfidfTransformer {
        TfidfTransformer { norm: Some(Norm::L2), use_idf: true, smooth_idf: true, sublinear_tf: false }
    }
}

impl Default for TfidfVectorizer {
    fn default() -> TfidfVectorizer {
        TfidfVectorizer::of(CountVectorizer::default(), TfidfTransformer::default())
    }
}

/// A fitted [`TfidfTransformer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedTfidfTransformer {
    settings: TfidfTransformer,
    width: usize,
    /// What each term's counts are multiplied by, `[F]`; none without `use_idf`.
    idf: Option<Vec<f64>>,
}

/// A fitted [`TfidfVectorizer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedTfidfVectorizer {
    counts: FittedCountVectorizer,
    weights: FittedTfidfTransformer,
}

impl TfidfTransformer {
    /// Learns in how many rows of counts, `[N, F]`, each term is.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for counts that are not finite; [`Error::Argument`] for negative ones.
    pub fn fit(&self, counts: &Sparse) -> Result<FittedTfidfTransformer> {
        check("tfidf", counts)?;
        let smooth = f64::from(u8::from(self.smooth_idf));
        let mut texts = vec![0.0; counts.width()];
        (0..counts.rows()).flat_map(|row| counts.entries(row)).for_each(|(column, _)| texts[column] += 1.0);
        let all = counts.rows() as f64 + smooth;
        let idf = |texts: f64| (all / (texts + smooth).max(1.0)).ln() + 1.0; // a term of no text as one of a single text
        let idf = self.use_idf.then(|| texts.into_iter().map(idf).collect());
        Ok(FittedTfidfTransformer { settings: self.clone(), width: counts.width(), idf })
    }
}

fn check(op: &'static str, counts: &Sparse) -> Result<()> {
    crate::data::Matrix::from(counts).check_finite(op, None)?;
    for row in 0..counts.rows() {
        if let Some((column, value)) = counts.entries(row).find(|&(_, value)| value < 0.0) {
            return Err(Error::argument(op, format!("{value} in row {row}, column {column}; counts are at least 0")));
        }
    }
    Ok(())
}

impl FittedTfidfTransformer {
    /// What each term's counts are multiplied by, `[F]`; `None` without `use_idf`.
    pub fn idf(&self) -> Option<&[f64]> {
        self.idf.as_deref()
    }

    /// The weights of rows of counts, `[N, F]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns; as [`TfidfTransformer::fit`].
    pub fn transform(&self, counts: &Sparse) -> Result<Sparse> {
        if counts.width() != self.width {
            let message =
                format!("{} terms were learnt: given {}; give counts of the same", self.width, counts.width());
            return Err(Error::shape("tfidf", message));
        }
        check("tfidf", counts)?;
        let weigh = |column: usize, count: f64| {
            let count = if self.settings.sublinear_tf { count.ln() + 1.0 } else { count };
            self.idf.as_ref().map_or(count, |idf| count * idf.get(column).copied().unwrap_or(0.0))
        };
        let weighed = counts.clone().map(|_, column, count| weigh(column, count));
        Ok(normalised(weighed, self.settings.norm))
    }
}

/// Each row divided by its length; a row of zeros stays.
pub(super) fn normalised(x: Sparse, norm: Option<Norm>) -> Sparse {
    let Some(norm) = norm else { return x };
    let length = |row: usize| {
        let values = || x.entries(row).map(|(_, value)| value.abs());
        match norm {
            Norm::L1 => values().sum::<f64>(),
            Norm::L2 => values().map(|v| v * v).sum::<f64>().sqrt(),
            Norm::Max => values().fold(0.0, f64::max),
        }
    };
    let lengths: Vec<f64> = (0..x.rows()).map(length).collect();
    x.map(|row, _, value| if lengths[row] > 0.0 { value / lengths[row] } else { value })
}

impl TfidfVectorizer {
    fn of(counts: CountVectorizer, weights: TfidfTransformer) -> TfidfVectorizer {
        let CountVectorizer { analyzer, lowercase, ngram_range, stop_words, min_df, max_df, max_features, binary } =
            counts;
        let TfidfTransformer { norm, use_idf, smooth_idf, sublinear_tf } = weights;
        TfidfVectorizer {
            analyzer,
            lowercase,
            ngram_range,
            stop_words,
            min_df,
            max_df,
            max_features,
            binary,
            norm,
            use_idf,
            smooth_idf,
            sublinear_tf,
        }
    }

    /// Plain counts.
    pub(super) fn of_counts(counts: CountVectorizer) -> TfidfVectorizer {
        let weights = TfidfTransformer { norm: None, use_idf: false, smooth_idf: false, sublinear_tf: false };
        TfidfVectorizer::of(counts, weights)
    }

    fn parts(&self) -> (CountVectorizer, TfidfTransformer) {
        let TfidfVectorizer { analyzer, lowercase, ngram_range, min_df, max_df, max_features, binary, .. } = *self;
        let TfidfVectorizer { norm, use_idf, smooth_idf, sublinear_tf, .. } = *self;
        let stop_words = self.stop_words.clone();
        (
            CountVectorizer { analyzer, lowercase, ngram_range, stop_words, min_df, max_df, max_features, binary },
            TfidfTransformer { norm, use_idf, smooth_idf, sublinear_tf },
        )
    }

    /// Learns the vocabulary of texts and the weight of each term.
    ///
    /// # Errors
    /// As [`CountVectorizer::fit_transform`].
    pub fn fit(&self, texts: &[impl AsRef<str>]) -> Result<FittedTfidfVectorizer> {
        self.fit_transform(texts).map(|(fitted, _)| fitted)
    }

    /// Learns the vocabulary of texts and the weight of each term, and weighs them in these texts: `[N, terms]`.
    ///
    /// # Errors
    /// As [`CountVectorizer::fit_transform`].
    pub fn fit_transform(&self, texts: &[impl AsRef<str>]) -> Result<(FittedTfidfVectorizer, Sparse)> {
        let (counts, weights) = self.parts();
        let (counts, x) = counts.fit_transform(texts)?;
        let weights = weights.fit(&x)?;
        let x = weights.transform(&x)?;
        Ok((FittedTfidfVectorizer { counts, weights }, x))
    }
}

impl FittedTfidfVectorizer {
    /// The terms, one a column.
    pub fn vocabulary(&self) -> &[String] {
        self.counts.vocabulary()
    }

    /// As [`FittedTfidfTransformer::idf`].
    pub fn idf(&self) -> Option<&[f64]> {
        self.weights.idf()
    }

    /// Weights of the vocabulary's terms in texts, `[N, terms]`.
    ///
    /// # Errors
    /// As [`FittedCountVectorizer::transform`].
    pub fn transform(&self, texts: &[impl AsRef<str>]) -> Result<Sparse> {
        self.weights.transform(&self.counts.transform(texts)?)
    }

    pub(super) fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        self.counts.store(&mut out.part("counts"))?;
        let mut out = out.part("weights");
        out.note(&self.weights.settings)?;
        self.idf().map_or(Ok(()), |idf| out.doubles("idf", idf, &[idf.len()]))
    }

    pub(super) fn restore(from: &Reader<'_>) -> Result<FittedTfidfVectorizer> {
        let counts = FittedCountVectorizer::restore(&from.part("counts"))?;
        let (width, from) = (counts.vocabulary().len(), from.part("weights"));
        let settings: TfidfTransformer = from.note()?;
        let idf = if settings.use_idf { Some(from.vector("idf", width)?) } else { None };
        Ok(FittedTfidfVectorizer { counts, weights: FittedTfidfTransformer { settings, width, idf } })
    }
}
