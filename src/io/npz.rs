//! NumPy's `.npz` archives: a zip of `.npy` files, stored (`numpy.savez`) or deflated (`numpy.savez_compressed`).

use super::host::HostTensor;
use super::npy::NpyArray;
use crate::error::{Error, Result};
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator};
use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Named arrays of a `.npz` file, as `numpy.load` gives them. An array is read when it is asked for.
///
/// ```
/// use tilework::io::Npz;
/// let npz = Npz::open("tests/data/files/flowers.npz")?; // numpy.savez(path, X=x, y=y, size=size)
/// assert_eq!(npz.names(), ["X", "y", "size"]);
/// let x = npz.array("X")?.to_matrix()?; // an ndarray; `tensor` puts it on a device
/// assert_eq!(x.dim(), (6, 2));
/// assert_eq!(npz.texts("y")?[0], "setosa");
/// # Ok::<(), tilework::Error>(())
/// ```
///
/// [`Table::read`](crate::data::Table::read) makes columns of all arrays.
pub struct Npz {
    archive: ZipArchive<Box<dyn ReaderAt + Send + Sync>>,
    source: String,
    members: Vec<Member>,
}

/// An array's place.
struct Member {
    /// Without the `.npy`.
    name: String,
    method: CompressionMethod,
    place: ZipArchiveEntryWayfinder,
}

impl Npz {
    /// Opens a file and reads what is in it.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Format`] for what is no zip archive, is cut off or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Npz> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let length = file.metadata().map_err(|e| Error::io(path, e))?.len();
        Npz::of(Box::new(rawzip::FileReader::from(file)), length, path.display().to_string())
    }

    /// Of the bytes of a file. `name` stands for it in errors.
    ///
    /// # Errors
    /// As [`Npz::open`].
    pub fn parse(bytes: Vec<u8>, name: &str) -> Result<Npz> {
        let length = bytes.len() as u64;
        Npz::of(Box::new(bytes), length, name.to_owned())
    }

    fn of(input: Box<dyn ReaderAt + Send + Sync>, length: u64, source: String) -> Result<Npz> {
        let damaged = |e: rawzip::Error| match e.into_kind() {
            rawzip::ErrorKind::IO(e) => Error::io(&source, e),
            kind => Error::format(&source, format!("damaged archive: {kind}; save it again by numpy.savez")),
        };
        let mut start = [0; 4];
        let read = input.read_at(&mut start, 0).map_err(|e| Error::io(&source, e))?;
        if read < 4 || !(start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")) {
            let advice = match &start {
                b"\x93NUM" => "it is a .npy file, of one array; read it by HostTensor::load_npy",
                _ => "it is no zip archive; save it by numpy.savez",
            };
            return Err(Error::format(&source, format!("no .npz file: {advice}")));
        }
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive =
            ZipLocator::new().locate_in_reader(input, &mut buffer, length).map_err(|(_, e)| match e.kind() {
                rawzip::ErrorKind::MissingEndOfCentralDirectory => {
                    Error::format(&source, "cut off: the list of its arrays, at its end, is missing; save it again")
                }
                _ => damaged(e),
            })?;
        let mut members = Vec::new();
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(damaged)? {
            let path = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
            // Whatever else someone put there is no array.
            if let Some(name) = path.strip_suffix(".npy") {
                let (method, place) = (entry.compression_method(), entry.wayfinder());
                members.push(Member { name: name.to_owned(), method, place });
            }
        }
        Ok(Npz { archive, source, members })
    }

    /// The arrays' names, in the archive's order: `numpy.load(path).files`.
    pub fn names(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.name.as_str()).collect()
    }

    /// The file or the name given for it.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The numbers or truth values of an array, as [`HostTensor::load_npy`] gives them.
    ///
    /// # Errors
    /// [`Error::Format`] for a name that is not there (it says which are), an array that is damaged or compressed otherwise
    /// than NumPy does, and what [`HostTensor::load_npy`] refuses, Python objects among it.
    pub fn array(&self, name: &str) -> Result<HostTensor> {
        self.member(name)?.tensor(&self.place(name))
    }

    /// The texts of an array, row by row.
    ///
    /// # Errors
    /// As [`Npz::array`]; for an array of anything else.
    pub fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.member(name)?.texts(&self.place(name))
    }

    /// Bytes of all arrays together, as the archive has it.
    pub(crate) fn bytes(&self) -> u64 {
        self.members.iter().fold(0, |sum: u64, member| sum.saturating_add(member.place.uncompressed_size_hint()))
    }

    /// An array of any sort.
    pub(crate) fn member(&self, name: &str) -> Result<NpyArray> {
        // Of two that share a name NumPy takes the last.
        let Some(member) = self.members.iter().rev().find(|member| member.name == name) else {
            let there = crate::data::list(self.members.iter().map(|member| member.name.as_str()));
            let message = format!("no array of that name: given {name:?}; the archive has {there}");
            return Err(Error::format(&self.source, message));
        };
        let place = self.place(name);
        let entry = self.archive.get_entry(member.place).map_err(|e| match e.into_kind() {
            rawzip::ErrorKind::IO(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Error::io(&self.source, e),
            kind => Error::format(&place, format!("damaged archive: {kind}; save it again by numpy.savez")),
        })?;
        match member.method {
            CompressionMethod::STORE => NpyArray::read(entry.verifying_reader(entry.reader()), &place),
            CompressionMethod::DEFLATE => {
                let inflated = flate2::bufread::DeflateDecoder::new(BufReader::new(entry.reader()));
                NpyArray::read(entry.verifying_reader(inflated), &place)
            }
            other => {
                let message = format!("compressed by {other}; save it by numpy.savez or numpy.savez_compressed");
                Err(Error::format(&place, message))
            }
        }
    }

    /// How an array is called in errors.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{} ({name})", self.source)
    }
}

impl fmt::Debug for Npz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Npz").field("source", &self.source).field("names", &self.names()).finish_non_exhaustive()
    }
}
