//! Tensors with a description in one safetensors file: a model, a checkpoint, or plain weights.
//!
//! Any safetensors reader can open it. Our part stands under `__metadata__`: `tilework` is one JSON text of format version,
//! kind, writer and the model's own description; `tilework.checksum` is FNV-1a 64 over that text and all tensors.

use super::file::write_atomic;
use super::header::{Entry, Header, MAX_HEADER};
use super::host::{FileType, HostTensor};
use crate::checksum::{BASIS, fnv1a};
use crate::error::{Error, Result};
use crate::shape::Shape;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

/// The format that this version writes; it reads this one and all before it.
const FORMAT_VERSION: u32 = 1;
const DESCRIPTION: &str = "tilework";
const CHECKSUM: &str = "tilework.checksum";

/// Named tensors and what they belong to.
///
/// ```
/// use tilework::io::{Archive, HostTensor};
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("line.safetensors");
///
/// let mut line = Archive::new("line");
/// line.tensors.insert("slope".into(), HostTensor::new(&[2.0f32], ())?);
/// line.metadata = serde_json::json!({ "feature": "age" });
/// line.save(&path)?;
///
/// let same = Archive::load(&path)?;
/// assert_eq!(same.tensor("slope")?.to_vec::<f32>()?, [2.0]);
/// assert_eq!(same, line);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Archive {
    /// What it is: the name of a model, `checkpoint`, or `weights` for tensors without a description.
    pub kind: String,
    /// The tensors by name.
    pub tensors: BTreeMap<String, HostTensor>,
    /// What the kind needs beside tensors: settings, feature names, classes, counters.
    pub metadata: Value,
    /// The file it was read from, for errors.
    source: PathBuf,
}

/// How much a file may ask of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadOptions {
    /// The largest file that is read, in bytes.
    pub max_bytes: u64,
    /// What happens to NaN and infinity.
    pub non_finite: NonFinite,
}

/// What happens to NaN and infinity among the values of float tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonFinite {
    /// They are an error: a model that holds them predicts nothing.
    Refuse,
    /// They are values like any other, as in a mask of negative infinities.
    Allow,
}

impl Default for LoadOptions {
    fn default() -> LoadOptions {
        LoadOptions { max_bytes: 2 << 30, non_finite: NonFinite::Refuse }
    }
}

/// The JSON text under the key `tilework`.
#[derive(Serialize, Deserialize)]
struct Description {
    format_version: u32,
    kind: String,
    writer: String,
    metadata: Value,
}

/// The one field that every version has.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

impl PartialEq for Archive {
    fn eq(&self, other: &Archive) -> bool {
        self.kind == other.kind && self.tensors == other.tensors && self.metadata == other.metadata
    }
}

impl Archive {
    /// The kind of files without a description, such as PyTorch's.
    pub const WEIGHTS: &'static str = "weights";

    /// An archive without tensors.
    pub fn new(kind: impl Into<String>) -> Archive {
        Archive { kind: kind.into(), tensors: BTreeMap::new(), metadata: Value::Null, source: PathBuf::new() }
    }

    /// Reads a file with the default [`LoadOptions`].
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Format`] when it is no safetensors file, damaged, cut short, of a newer
    /// format, over 2 GiB, with an element type that this crate does not have, or with a NaN or infinity.
    pub fn load(path: impl AsRef<Path>) -> Result<Archive> {
        Archive::load_with(path, LoadOptions::default())
    }

    /// Reads a file. Sizes are checked against its length before anything is allocated for them.
    ///
    /// # Errors
    /// As [`Archive::load`], with the bounds of `options`.
    pub fn load_with(path: impl AsRef<Path>, options: LoadOptions) -> Result<Archive> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        Archive::read(&mut BufReader::new(file), length, path, options)
    }

    /// Reads bytes that hold a whole file. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Archive::load_with`].
    pub fn from_bytes(mut bytes: &[u8], name: &str, options: LoadOptions) -> Result<Archive> {
        let length = bytes.len() as u64;
        Archive::read(&mut bytes, length, Path::new(name), options)
    }

    /// Writes a file as [`write_atomic`] does: the old content or the new, never a part.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written; [`Error::NonFinite`] when a tensor holds a NaN or infinity, so that a good model
    /// is not replaced by a broken one; [`Error::Format`] when names and metadata take over 1 MiB.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, NonFinite::Refuse)
    }

    /// As [`Archive::save`], with NaN and infinity allowed or not.
    ///
    /// # Errors
    /// As [`Archive::save`].
    pub fn save_with(&self, path: impl AsRef<Path>, non_finite: NonFinite) -> Result<()> {
        let path = path.as_ref();
        if let Some((name, index)) = self.tensors.iter().find_map(|(name, t)| Some((name, t.first_non_finite()?)))
            && non_finite == NonFinite::Refuse
        {
            let message = format!("NaN or infinity in {name:?} at element {index}; {} is not written", path.display());
            return Err(Error::NonFinite { op: "save", message });
        }
        let description = Description {
            format_version: FORMAT_VERSION,
            kind: self.kind.clone(),
            writer: concat!("tilework ", env!("CARGO_PKG_VERSION")).to_owned(),
            metadata: self.metadata.clone(),
        };
        let description = serde_json::to_string(&description).map_err(|e| Error::format(path, e.to_string()))?;
        let order = Header::order(&self.tensors);
        let mut sum = Checksum::new(&description);
        for (name, tensor) in &order {
            sum.head(name, tensor.dtype(), tensor.shape());
            tensor.write(&mut sum).map_err(|e| Error::io(path, e))?;
        }
        let metadata = [(DESCRIPTION.to_owned(), description), (CHECKSUM.to_owned(), sum.text())].into();
        let header = Header::compose(metadata, &order).map_err(|message| Error::format(path, message))?;
        write_atomic(path, |out| {
            out.write_all(&header)?;
            order.iter().try_for_each(|(_, tensor)| tensor.write(out))
        })
    }

    /// The tensor of that name.
    ///
    /// # Errors
    /// [`Error::Format`] when there is none.
    pub fn tensor(&self, name: &str) -> Result<&HostTensor> {
        self.tensors.get(name).ok_or_else(|| {
            let message = format!("no tensor {name:?} among {} of kind {:?}", self.tensors.len(), self.kind);
            Error::format(&self.source, message)
        })
    }

    /// The file that it was read from; empty for one that was made here.
    pub fn source(&self) -> &Path {
        &self.source
    }

    /// Refuses an archive of another kind.
    ///
    /// # Errors
    /// [`Error::Format`] that names both kinds.
    pub fn expect_kind(&self, kind: &str) -> Result<()> {
        match self.kind == kind {
            true => Ok(()),
            false => Err(Error::format(&self.source, format!("holds kind {:?}; {kind:?} is needed here", self.kind))),
        }
    }

    /// The metadata as the type that it was made of.
    ///
    /// # Errors
    /// [`Error::Format`] when a field is missing or of another type.
    pub fn metadata_as<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.metadata).map_err(|e| Error::format(&self.source, format!("unusable metadata: {e}")))
    }

    fn read(input: &mut dyn Read, length: u64, path: &Path, options: LoadOptions) -> Result<Archive> {
        let wrong = |message: String| Error::format(path, message);
        if length > options.max_bytes {
            return Err(wrong(format!(
                "too large: {length} bytes; at most {}, unless allowed more",
                options.max_bytes
            )));
        }
        let mut size = [0; 8];
        let header = match length.checked_sub(8) {
            Some(rest) => {
                input.read_exact(&mut size).map_err(|e| read_error(path, e))?;
                Some(u64::from_le_bytes(size)).filter(|&header| header <= rest.min(MAX_HEADER))
            }
            None => None,
        };
        let Some(header) = header else {
            return Err(wrong(format!("not a safetensors file, or cut short: {length} bytes without a whole header")));
        };
        let mut json = vec![0; header as usize]; // at most MAX_HEADER
        input.read_exact(&mut json).map_err(|e| read_error(path, e))?;
        let Header { metadata, entries } = Header::parse(&json, length - 8 - header).map_err(wrong)?;
        let description = describe(&metadata).map_err(wrong)?;
        let mut sum = Checksum::new(metadata.get(DESCRIPTION).map_or("", String::as_str));
        let mut tensors = BTreeMap::new();
        for Entry { name, dtype, shape } in entries {
            sum.head(&name, dtype, shape);
            let mut summed = Summed { input: &mut *input, sum: &mut sum };
            let tensor = HostTensor::read(dtype, shape, &mut summed).map_err(|e| read_error(path, e))?;
            tensors.insert(name, tensor);
        }
        if description.is_some() && metadata.get(CHECKSUM) != Some(&sum.text()) {
            return Err(wrong("damaged: the checksum differs; take a copy of the file".to_owned()));
        }
        if let Some((name, index)) = tensors.iter().find_map(|(name, t)| Some((name, t.first_non_finite()?)))
            && options.non_finite == NonFinite::Refuse
        {
            return Err(wrong(format!("NaN or infinity in {name:?} at element {index}; such weights are refused")));
        }
        let (kind, metadata) = match description {
            Some(description) => (description.kind, description.metadata),
            None => (Archive::WEIGHTS.to_owned(), Value::Null),
        };
        Ok(Archive { kind, tensors, metadata, source: path.to_path_buf() })
    }
}

/// Our description; `None` in a file of another program.
fn describe(metadata: &BTreeMap<String, String>) -> Result<Option<Description>, String> {
    let Some(text) = metadata.get(DESCRIPTION) else {
        return match metadata.contains_key(CHECKSUM) {
            true => Err("damaged: a checksum without a description".to_owned()),
            false => Ok(None),
        };
    };
    let Version { format_version } = serde_json::from_str(text).map_err(|e| format!("damaged description: {e}"))?;
    if format_version > FORMAT_VERSION {
        return Err(format!(
            "written by a newer version: format {format_version}, this one reads up to {FORMAT_VERSION}; update tilework"
        ));
    }
    serde_json::from_str(text).map(Some).map_err(|e| format!("damaged description: {e}"))
}

fn read_error(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(path, "cut short while it was read"),
        io::ErrorKind::InvalidData => Error::format(path, format!("damaged: {error}")),
        _ => Error::io(path, error),
    }
}

/// [`fnv1a`] of all that is in a file.
struct Checksum(u64);

impl Checksum {
    fn new(description: &str) -> Checksum {
        let mut sum = Checksum(BASIS);
        sum.update(description.as_bytes());
        sum
    }

    fn head(&mut self, name: &str, dtype: FileType, shape: Shape) {
        self.update(format!("{name}\0{dtype}\0{}\0", shape.rank()).as_bytes());
        shape.dims().iter().for_each(|&dim| self.update(&(dim as u64).to_le_bytes()));
    }

    fn update(&mut self, bytes: &[u8]) {
        self.0 = fnv1a(self.0, bytes);
    }

    fn text(&self) -> String {
        format!("{:016x}", self.0)
    }
}

impl Write for Checksum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reader that sums what passes.
struct Summed<'a> {
    input: &'a mut dyn Read,
    sum: &'a mut Checksum,
}

impl Read for Summed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.sum.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
