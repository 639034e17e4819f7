//! Fitted models in files: numbers as tensors of their own, all else as JSON beside them, parts of a model below its name.

use super::estimator::{Model, check_range};
use crate::error::{Error, Result};
use crate::io::{Archive, HostTensor, to_json};
use ndarray::Array2;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Where a fitted model puts what it needs to predict.
#[derive(Debug)]
pub struct Writer<'a> {
    to: To<'a>,
    path: String,
}

#[derive(Debug)]
enum To<'a> {
    /// A file: tensors, and the JSON of each part by its path.
    File(&'a mut Archive, &'a mut Map<String, Value>),
    /// Nowhere: all numbers of what is called so are to be finite.
    Check(&'static str),
}

/// Where it finds it again.
#[derive(Debug)]
pub struct Reader<'a> {
    archive: &'a Archive,
    notes: &'a Map<String, Value>,
    path: String,
}

/// Writes a fitted model as one safetensors file. It appears whole or not at all.
///
/// # Errors
/// What the file system reports; numbers that are not finite.
pub fn save(model: &dyn Model, path: impl AsRef<Path>) -> Result<()> {
    archive_of(model)?.save(path)
}

/// A fitted model as the archive that [`save`] writes.
///
/// # Errors
/// As [`Model::store`].
pub fn archive_of(model: &dyn Model) -> Result<Archive> {
    archive(model.kind(), |out| model.store(out))
}

fn archive(kind: &str, store: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<Archive> {
    let mut archive = Archive::new(kind);
    let mut notes = Map::new();
    store(&mut Writer { to: To::File(&mut archive, &mut notes), path: String::new() })?;
    archive.metadata = Value::Object(notes);
    Ok(archive)
}

/// Refuses what was fitted where a number that its file would hold, and so one that it predicts by, is not finite.
pub(super) fn check_finite(op: &'static str, store: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
    store(&mut Writer { to: To::Check(op), path: String::new() })
}

/// Writes what is fitted but no [`Model`], as [`save`] does.
pub(super) fn save_part(kind: &str, path: &Path, store: impl FnOnce(&mut Writer<'_>) -> Result<()>) -> Result<()> {
    archive(kind, store)?.save(path)
}

/// Reads what [`save_part`] wrote.
pub(super) fn read_part<T>(kind: &str, path: &Path, restore: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
    let archive = Archive::load(path)?;
    archive.expect_kind(kind)?;
    restore(&Reader::of(&archive)?)
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

impl Writer<'_> {
    /// Where a part of the model goes, such as a step of a pipeline.
    pub fn part(&mut self, name: &str) -> Writer<'_> {
        let to = match &mut self.to {
            To::File(archive, notes) => To::File(archive, notes),
            To::Check(op) => To::Check(op),
        };
        Writer { to, path: join(&self.path, name) }
    }

    /// Settings, counts and texts: one note a part.
    ///
    /// # Errors
    /// A second note; [`Error::NonFinite`] that names a number which is not finite; what has no JSON, such as a map with keys that
    /// are no text.
    pub fn note(&mut self, note: &impl Serialize) -> Result<()> {
        let op = match self.to {
            To::File(..) => "save",
            To::Check(op) => op,
        };
        let value = to_json(op, note).map_err(|e| self.naming(e))?;
        let To::File(_, notes) = &mut self.to else { return Ok(()) };
        match notes.insert(self.path.clone(), value) {
            None => Ok(()),
            Some(_) => Err(Error::internal("save", format!("two notes of part {:?}", self.path))),
        }
    }

    /// An error that says in which part of the model.
    fn naming(&self, error: Error) -> Error {
        match error {
            Error::NonFinite { op, message } if !self.path.is_empty() => {
                Error::NonFinite { op, message: format!("{}: {message}", self.path) }
            }
            error => error,
        }
    }

    /// Doubles, row by row in `shape`.
    ///
    /// # Errors
    /// A name used twice; a shape of another size.
    pub fn doubles(&mut self, name: &str, values: &[f64], shape: &[usize]) -> Result<()> {
        match self.to {
            To::File(..) => self.insert(name, HostTensor::doubles(values, shape)?),
            To::Check(op) => check_range(op, &join(&self.path, name), values),
        }
    }

    /// Counts and positions, row by row in `shape`.
    ///
    /// # Errors
    /// As [`Writer::doubles`].
    pub fn counts(&mut self, name: &str, values: &[u32], shape: &[usize]) -> Result<()> {
        match self.to {
            To::File(..) => self.insert(name, HostTensor::new(values, shape)?),
            To::Check(_) => Ok(()),
        }
    }

    /// A matrix of doubles.
    ///
    /// # Errors
    /// As [`Writer::doubles`].
    pub fn matrix(&mut self, name: &str, matrix: &Array2<f64>) -> Result<()> {
        let values = matrix.as_standard_layout();
        self.doubles(name, values.as_slice().unwrap_or_default(), matrix.shape())
    }

    /// Any tensor, such as a network's parameters.
    ///
    /// # Errors
    /// A name used twice.
    pub fn insert(&mut self, name: &str, tensor: HostTensor) -> Result<()> {
        let To::File(archive, _) = &mut self.to else { return Ok(()) };
        match archive.tensors.insert(join(&self.path, name), tensor) {
            None => Ok(()),
            Some(_) => Err(Error::internal("save", format!("two tensors called {:?}", join(&self.path, name)))),
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads what [`archive_of`] made.
    ///
    /// # Errors
    /// [`Error::Format`] for an archive without notes.
    pub fn of(archive: &'a Archive) -> Result<Reader<'a>> {
        match &archive.metadata {
            Value::Object(notes) => Ok(Reader { archive, notes, path: String::new() }),
            _ => {
                Err(Error::format(PathBuf::from(archive.source()), "holds no fitted model: its description is missing"))
            }
        }
    }

    /// The kind of the whole file.
    pub fn kind(&self) -> &str {
        &self.archive.kind
    }

    /// A part of the model.
    pub fn part(&self, name: &str) -> Reader<'a> {
        Reader { archive: self.archive, notes: self.notes, path: join(&self.path, name) }
    }

    /// Refuses a part that lies too deep: models hold models and steps hold steps, in a file made to harm without end.
    pub(super) fn check_depth(&self) -> Result<()> {
        const MAX_DEPTH: usize = 16;
        match self.path.split('.').filter(|name| !name.is_empty()).count() {
            0..=MAX_DEPTH => Ok(()),
            depth => Err(self.error(format!("parts within parts, {depth} deep; at most {MAX_DEPTH}"))),
        }
    }

    /// The note of this part.
    ///
    /// # Errors
    /// [`Error::Format`] when there is none, or one of another form.
    pub fn note<T: DeserializeOwned>(&self) -> Result<T> {
        let note = self.notes.get(&self.path).ok_or_else(|| self.error(format!("no note of part {:?}", self.path)))?;
        T::deserialize(note).map_err(|e| self.error(format!("unusable note of part {:?}: {e}", self.path)))
    }

    /// Any tensor.
    ///
    /// # Errors
    /// [`Error::Format`] when there is none of that name.
    pub fn tensor(&self, name: &str) -> Result<&'a HostTensor> {
        self.archive.tensor(&join(&self.path, name))
    }

    /// Doubles and their shape.
    ///
    /// # Errors
    /// [`Error::Format`] when there are none of that name or they are of another type.
    pub fn doubles(&self, name: &str) -> Result<(Vec<f64>, Vec<usize>)> {
        let tensor = self.tensor(name)?;
        let values = tensor.to_doubles().map_err(|e| self.error(format!("{name}: {e}")))?;
        Ok((values, tensor.shape().dims().to_vec()))
    }

    /// Doubles of one dimension, `len` of them.
    ///
    /// # Errors
    /// As [`Reader::doubles`], and for another shape.
    pub fn vector(&self, name: &str, len: usize) -> Result<Vec<f64>> {
        match self.doubles(name)? {
            (values, shape) if shape == [len] => Ok(values),
            (_, shape) => Err(self.error(format!("{name} has shape {shape:?}; [{len}] is needed"))),
        }
    }

    /// A matrix of doubles, of any size.
    ///
    /// # Errors
    /// As [`Reader::doubles`], and when it is no matrix.
    pub fn matrix(&self, name: &str) -> Result<Array2<f64>> {
        let (values, shape) = self.doubles(name)?;
        let wrong = || self.error(format!("{name} has shape {shape:?}; a matrix is needed"));
        match shape[..] {
            [rows, columns] => Array2::from_shape_vec((rows, columns), values).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }

    /// Counts and positions, with their shape.
    ///
    /// # Errors
    /// As [`Reader::doubles`].
    pub fn counts(&self, name: &str) -> Result<(Vec<u32>, Vec<usize>)> {
        let tensor = self.tensor(name)?;
        let values = tensor.to_vec::<u32>().map_err(|e| self.error(format!("{name}: {e}")))?;
        Ok((values, tensor.shape().dims().to_vec()))
    }

    /// An error about this file.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::format(PathBuf::from(self.archive.source()), message)
    }
}
