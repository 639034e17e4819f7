//! Counts of terms.

use super::terms::{Analyzer, Cut};
use crate::data::Sparse;
use crate::error::{Error, Result};
use crate::models::{Reader, Writer};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const OP: &str = "count-vectorizer";

/// Counts of the terms of texts, scikit-learn's `CountVectorizer`: the vocabulary is learnt, terms outside it are passed over.
///
/// ```
/// use tilework::models::prepare::CountVectorizer;
/// let (fitted, counts) = CountVectorizer::default().fit_transform(&["The cat sat.", "The cat, the dog."])?;
/// assert_eq!(fitted.vocabulary(), ["cat", "dog", "sat", "the"]);
/// assert_eq!(counts.to_dense(), ndarray::array![[1.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 2.0]]);
/// assert_eq!(fitted.transform(&["a dog sat on a mat"])?.stored(), 2);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CountVectorizer {
    /// What terms are made of.
    pub analyzer: Analyzer,
    /// Whether capitals are made small first.
    pub lowercase: bool,
    /// The least and the most words, or characters, of a term.
    pub ngram_range: (usize, usize),
    /// Words that are left out, before terms are made of several; written as the texts are after `lowercase`.
    pub stop_words: Vec<String>,
    /// The fewest texts that a term is in.
    pub min_df: DocumentFrequency,
    /// The most texts that a term is in.
    pub max_df: DocumentFrequency,
    /// The most terms, the commonest in all texts together; all when left out.
    pub max_features: Option<usize>,
    /// Whether a term is only there or not, 1 or 0.
    pub binary: bool,
}

/// In how many texts a term is. In JSON, 1 is one text and 1.0 is all of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DocumentFrequency {
    /// In so many.
    Count(usize),
    /// In this share of them, 0 to 1.
    Share(f64),
}

impl Default for CountVectorizer {
    fn default() -> CountVectorizer {
        CountVectorizer {
            analyzer: Analyzer::Word,
            lowercase: true,
            ngram_range: (1, 1),
            stop_words: Vec::new(),
            min_df: DocumentFrequency::Count(1),
            max_df: DocumentFrequency::Share(1.0),
            max_features: None,
            binary: false,
        }
    }
}

/// A fitted [`CountVectorizer`].
#[derive(Debug, Clone, PartialEq)]
pub struct FittedCountVectorizer {
    settings: CountVectorizer,
    vocabulary: Vec<String>,
    places: HashMap<String, u32>,
}

impl DocumentFrequency {
    fn of(self, name: &str, texts: usize) -> Result<f64> {
        match self {
            DocumentFrequency::Count(count) => Ok(count as f64),
            DocumentFrequency::Share(share) if (0.0..=1.0).contains(&share) => Ok(share * texts as f64),
            DocumentFrequency::Share(share) => {
                Err(Error::argument(OP, format!("{name} is {share}; give a number of texts, or a share from 0 to 1")))
            }
        }
    }
}

impl CountVectorizer {
    /// Learns the vocabulary of texts.
    ///
    /// # Errors
    /// As [`CountVectorizer::fit_transform`].
    pub fn fit(&self, texts: &[impl AsRef<str>]) -> Result<FittedCountVectorizer> {
        self.fit_transform(texts).map(|(fitted, _)| fitted)
    }

    /// Learns the vocabulary of texts, and counts its terms in them: `[N, terms]`, terms in the order of their characters.
    ///
    /// # Errors
    /// [`Error::Argument`] for settings out of range, and when no term is left.
    pub fn fit_transform(&self, texts: &[impl AsRef<str>]) -> Result<(FittedCountVectorizer, Sparse)> {
        let (low, high) = (self.min_df.of("min_df", texts.len())?, self.max_df.of("max_df", texts.len())?);
        if high < low {
            return Err(Error::argument(OP, format!("max_df means {high} texts, min_df {low}; give a range")));
        }
        if self.max_features == Some(0) {
            return Err(Error::argument(OP, "max_features is 0; give 1 or more, or none"));
        }
        // Terms by the order in which they are met, then the vocabulary that is left of them.
        let mut met: HashMap<String, u32> = HashMap::new();
        let rows = self.rows(texts, |term| match met.get(term) {
            Some(&place) => Some(place),
            None => {
                let place = met.len() as u32;
                met.insert(term.to_owned(), place);
                Some(place)
            }
        })?;
        let (mut of_texts, mut sums) = (vec![0.0; met.len()], vec![0.0; met.len()]);
        for &(place, count) in rows.iter().flatten() {
            of_texts[place as usize] += 1.0;
            sums[place as usize] += count;
        }
        let within = |place: u32| (low..=high).contains(&of_texts[place as usize]);
        let mut kept: Vec<(String, u32)> = met.into_iter().filter(|&(_, place)| within(place)).collect();
        kept.sort();
        if let Some(most) = self.max_features {
            let count = |entry: &(String, u32)| sums[entry.1 as usize];
            kept.sort_by(|a, b| count(b).total_cmp(&count(a))); // stable: of equals the first in the alphabet
            kept.truncate(most);
            kept.sort();
        }
        if kept.is_empty() {
            let message =
                format!("no term is left of {} texts; lower min_df, raise max_df, or look at them", texts.len());
            return Err(Error::argument(OP, message));
        }
        let mut place = vec![None; of_texts.len()];
        kept.iter().zip(0..).for_each(|((_, old), new)| place[*old as usize] = Some(new));
        let rows = rows
            .into_iter()
            .map(|row| row.into_iter().filter_map(|(old, v)| Some((place[old as usize]?, v))).collect());
        let counts = Sparse::from_rows(kept.len(), rows)?;
        let vocabulary = kept.into_iter().map(|(term, _)| term).collect();
        Ok((FittedCountVectorizer::new(self.clone(), vocabulary), counts))
    }

    /// The counts of each text's terms that `place` knows.
    fn rows(
        &self,
        texts: &[impl AsRef<str>],
        mut place: impl FnMut(&str) -> Option<u32>,
    ) -> Result<Vec<Vec<(u32, f64)>>> {
        let cut = Cut::new(OP, self.analyzer, self.lowercase, self.ngram_range, &self.stop_words)?;
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let mut found: Vec<u32> = Vec::new();
            cut.each(text.as_ref(), |term| found.extend(place(term)));
            found.sort_unstable();
            let count = |same: &[u32]| if self.binary { 1.0 } else { same.len() as f64 };
            rows.push(found.chunk_by(|a, b| a == b).filter_map(|same| Some((*same.first()?, count(same)))).collect());
        }
        Ok(rows)
    }
}

impl FittedCountVectorizer {
    fn new(settings: CountVectorizer, vocabulary: Vec<String>) -> FittedCountVectorizer {
        let places = vocabulary.iter().cloned().zip(0..).collect();
        FittedCountVectorizer { settings, vocabulary, places }
    }

    /// The terms, one a column.
    pub fn vocabulary(&self) -> &[String] {
        &self.vocabulary
    }

    /// Counts of the vocabulary's terms in texts, `[N, terms]`.
    ///
    /// # Errors
    /// None of texts; [`Error::Argument`] for settings out of range.
    pub fn transform(&self, texts: &[impl AsRef<str>]) -> Result<Sparse> {
        Sparse::from_rows(self.vocabulary.len(), self.settings.rows(texts, |term| self.places.get(term).copied())?)
    }

    /// The vocabulary as numbers, so that it may be of any size: its characters, and how many each term has.
    pub(super) fn store(&self, out: &mut Writer<'_>) -> Result<()> {
        out.note(&self.settings)?;
        let characters: Vec<u32> = self.vocabulary.iter().flat_map(|term| term.chars().map(u32::from)).collect();
        let lengths: Vec<u32> = self.vocabulary.iter().map(|term| term.chars().count() as u32).collect();
        out.counts("characters", &characters, &[characters.len()])?;
        out.counts("lengths", &lengths, &[lengths.len()])
    }

    pub(super) fn restore(from: &Reader<'_>) -> Result<FittedCountVectorizer> {
        let (characters, lengths) = (from.counts("characters")?.0, from.counts("lengths")?.0);
        let mut rest = characters.into_iter().map(char::from_u32);
        let term = |&length: &u32| (0..length).map(|_| rest.next().flatten()).collect::<Option<String>>();
        let vocabulary: Option<Vec<String>> = lengths.iter().map(term).collect();
        match vocabulary {
            Some(terms) if rest.next().is_none() && !terms.is_empty() && terms.is_sorted_by(|a, b| a < b) => {
                Ok(FittedCountVectorizer::new(from.note()?, terms))
            }
            _ => Err(from.error("a vocabulary that is empty, out of order, or no text")),
        }
    }
}
