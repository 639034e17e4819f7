//! Texts cut into terms: words, or pieces of so many characters.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashSet;

/// What terms are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Analyzer {
    /// Words, as [`tokens`] finds them.
    #[default]
    Word,
    /// Characters; spaces in a row count as one.
    Char,
    /// Characters within words, with a space on both sides.
    CharWb,
}

/// The words of a text: letters, digits and underscores in a row, in any script, two or more of them; scikit-learn's default
/// pattern, `\b\w\w+\b`.
///
/// ```
/// use tilework::models::prepare::tokens;
/// assert_eq!(tokens("I don't; naïve 东京 x_1!").collect::<Vec<_>>(), ["don", "naïve", "东京", "x_1"]);
/// ```
pub fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| word.chars().nth(1).is_some())
}

/// How a text becomes terms.
pub(super) struct Cut<'a> {
    pub analyzer: Analyzer,
    pub lowercase: bool,
    pub ngram_range: (usize, usize),
    pub stop_words: HashSet<&'a str>,
}

impl<'a> Cut<'a> {
    pub fn new(
        op: &'static str,
        analyzer: Analyzer,
        lowercase: bool,
        ngram_range: (usize, usize),
        stop_words: &'a [String],
    ) -> Result<Cut<'a>> {
        let (least, most) = ngram_range;
        if least == 0 || most < least {
            return Err(Error::argument(op, format!("ngram_range is {ngram_range:?}; give (least, most), from 1 on")));
        }
        if analyzer != Analyzer::Word && !stop_words.is_empty() {
            return Err(Error::argument(op, "stop_words are words; leave them out, or take analyzer word"));
        }
        let stop_words = stop_words.iter().map(String::as_str).collect();
        Ok(Cut { analyzer, lowercase, ngram_range, stop_words })
    }

    /// Gives each term of a text to `take`, as often as it is there.
    pub fn each(&self, text: &str, mut take: impl FnMut(&str)) {
        let text = if self.lowercase { Cow::Owned(text.to_lowercase()) } else { Cow::Borrowed(text) };
        let (least, most) = self.ngram_range;
        match self.analyzer {
            Analyzer::Word => {
                let words: Vec<&str> = tokens(&text).filter(|word| !self.stop_words.contains(word)).collect();
                for n in least..=most.min(words.len()) {
                    match n {
                        1 => words.iter().for_each(|word| take(word)),
                        _ => words.windows(n).for_each(|words| take(&words.join(" "))),
                    }
                }
            }
            Analyzer::Char => {
                let text = spaced(&text);
                let ends = ends(&text);
                (least..=most).for_each(|n| pieces(&text, &ends, n, &mut take));
            }
            Analyzer::CharWb => {
                for word in text.split_whitespace() {
                    let word = format!(" {word} ");
                    let ends = ends(&word);
                    let length = ends.len() - 1;
                    for n in least..=most {
                        if n >= length {
                            take(&word); // a word of no more than a piece is one, once
                            break;
                        }
                        pieces(&word, &ends, n, &mut take);
                    }
                }
            }
        }
    }
}

/// The text with a space for each two and more.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut spaces = 0;
    let mut waiting = ' ';
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if c.is_whitespace() => {
                waiting = c;
                spaces += 1;
            }
            c => {
                match spaces {
                    0 => {}
                    1 => out.push(waiting),
                    _ => out.push(' '),
                }
                spaces = 0;
                out.extend(c);
            }
        }
    }
    out
}

/// Where each character begins, and where the last ends.
fn ends(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).collect()
}

fn pieces(text: &str, ends: &[usize], n: usize, take: &mut impl FnMut(&str)) {
    for ends in ends.windows(n + 1) {
        if let Some(piece) = ends.first().zip(ends.last()).and_then(|(&start, &end)| text.get(start..end)) {
            take(piece);
        }
    }
}
