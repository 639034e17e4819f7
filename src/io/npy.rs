//! NumPy's `.npy` files: one array each, after a header in Python's own notation (NEP 1, format versions 1 to 3).

use super::file::write_atomic;
use super::host::{FileType, HostTensor};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::shape::Shape;
use ndarray::Array2;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Bytes of a header that NumPy reads too; more is no array's.
const MAX_HEADER: usize = 10_000;

/// Characters of a text, as in a field of a CSV file.
const MAX_TEXT: usize = 1 << 20;

impl HostTensor {
    /// Reads a `.npy` file, as `numpy.save` writes it: truth values, integers of 8 to 64 bits, floats of 16 to 64 bits, in
    /// either byte order, row by row or column by column. Integers of 8 and 16 bits become 32-bit ones, and so do those of 64
    /// bits that fit.
    ///
    /// ```
    /// use tilework::io::HostTensor;
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("x.npy");
    /// HostTensor::doubles(&[1.0, 2.0, 3.0, 4.0], [2, 2])?.save_npy(&path)?;
    /// assert_eq!(HostTensor::load_npy(&path)?.to_matrix()?, ndarray::array![[1.0, 2.0], [3.0, 4.0]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Format`] for what is no `.npy` file, is damaged, or holds objects,
    /// text, records, complex numbers or integers beyond 32 bits.
    pub fn load_npy(path: impl AsRef<Path>) -> Result<HostTensor> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        HostTensor::read_npy(BufReader::new(file), &path.display().to_string())
    }

    /// Reads the bytes of a `.npy` file from anywhere, to their end. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`HostTensor::load_npy`].
    pub fn read_npy(input: impl Read, name: &str) -> Result<HostTensor> {
        NpyArray::read(input, name)?.tensor(name)
    }

    /// Writes a `.npy` file that `numpy.load` reads. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports; [`Error::DType`] for `bf16`, which NumPy does not have.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        let header = self.npy_header()?;
        write_atomic(path, |out| out.write_all(&header).and_then(|()| self.write(out)))
    }

    /// Magic, version, length and dictionary, padded so that the values begin at a multiple of 64 bytes.
    pub(super) fn npy_header(&self) -> Result<Vec<u8>> {
        let descr = match self.dtype() {
            FileType::F64 => "<f8",
            FileType::Device(DType::F32) => "<f4",
            FileType::Device(DType::F16) => "<f2",
            FileType::Device(DType::I32) => "<i4",
            FileType::Device(DType::U32) => "<u4",
            FileType::Device(DType::Bool) => "|b1",
            FileType::Device(DType::BF16) => {
                return Err(Error::dtype("save_npy", "NumPy has no bf16; convert the tensor to f32"));
            }
        };
        let shape: String = self.shape().dims().iter().map(|n| format!("{n}, ")).collect();
        let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
        let padded = (MAGIC.len() + 4 + text.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
        text.extend(std::iter::repeat_n(' ', padded - 1 - text.len()));
        text.push('\n');
        let length = u16::try_from(text.len()).map_err(|_| Error::internal("save_npy", "a header beyond 64 KiB"))?;
        Ok([MAGIC, &[1, 0], &length.to_le_bytes(), text.as_bytes()].concat())
    }

    /// All numbers as doubles, `[N, F]`; of one dimension, `[N, 1]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for more than two dimensions.
    pub fn to_matrix(&self) -> Result<Array2<f64>> {
        let shape = match *self.shape().dims() {
            [] => (1, 1),
            [n] => (n, 1),
            [n, f] => (n, f),
            ref more => {
                return Err(Error::shape("to_matrix", format!("{} dimensions; reshape it to [N, F]", more.len())));
            }
        };
        Array2::from_shape_vec(shape, self.flat()?).map_err(|e| Error::internal("to_matrix", e.to_string()))
    }

    /// All numbers as doubles, row by row.
    pub(crate) fn flat(&self) -> Result<Vec<f64>> {
        Ok(match self.dtype() {
            FileType::F64 => self.to_doubles()?,
            FileType::Device(DType::F32) => self.to_vec::<f32>()?.into_iter().map(f64::from).collect(),
            FileType::Device(DType::F16) => self.to_vec::<half::f16>()?.into_iter().map(f64::from).collect(),
            FileType::Device(DType::BF16) => self.to_vec::<half::bf16>()?.into_iter().map(f64::from).collect(),
            FileType::Device(DType::I32) => self.to_vec::<i32>()?.into_iter().map(f64::from).collect(),
            FileType::Device(DType::U32) => self.to_vec::<u32>()?.into_iter().map(f64::from).collect(),
            FileType::Device(DType::Bool) => self.to_vec::<bool>()?.into_iter().map(f64::from).collect(),
        })
    }
}

/// An array as it lies in a file, but row by row and lowest byte first.
pub(crate) struct NpyArray {
    element: Element,
    pub(crate) shape: Vec<usize>,
    values: Vec<u8>,
}

impl NpyArray {
    /// Reads a file's bytes to their end; `name` stands for the file in errors.
    pub(crate) fn read(mut input: impl Read, name: &str) -> Result<NpyArray> {
        let wrong = |message: String| Error::format(name, message);
        let cut = |e: io::Error| fault(e, "header", name);
        let mut start = [0; 8];
        let read = input.by_ref().take(8).read(&mut start).map_err(cut)?;
        if read < MAGIC.len() || !start.starts_with(MAGIC) {
            return Err(wrong("no .npy file: it does not begin with \\x93NUMPY; save it by numpy.save".into()));
        }
        input.by_ref().read_exact(start.get_mut(read..).unwrap_or_default()).map_err(cut)?;
        let mut length = [0; 4];
        let bytes = match start[6] {
            1 => 2,
            2 | 3 => 4,
            version => return Err(wrong(format!("format version {version}; 1 to 3 are known"))),
        };
        input.by_ref().read_exact(length.get_mut(..bytes).unwrap_or_default()).map_err(cut)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > MAX_HEADER {
            return Err(wrong(format!("a header of {length} bytes; at most {MAX_HEADER}: the file is damaged")));
        }
        let mut header = vec![0; length];
        input.by_ref().read_exact(&mut header).map_err(cut)?;
        let header = std::str::from_utf8(&header).map_err(|_| wrong("a header that is no text".into()))?;
        let header = Header::parse(header).ok_or_else(|| wrong(format!("unusable header: {:?}", header.trim_end())))?;
        let Some(element) = Element::of(&header.descr) else { return Err(wrong(refusal(&header.descr))) };
        let expected = header.shape.iter().try_fold(element.size, |bytes, &n| bytes.checked_mul(n));
        let Some(expected) = expected else { return Err(wrong(format!("shape {:?} is too large", header.shape))) };
        let mut values = Vec::new();
        input.take(expected as u64 + 1).read_to_end(&mut values).map_err(|e| fault(e, "values", name))?;
        if values.len() != expected {
            let more = if values.len() > expected { "more" } else { "only" };
            let shape = &header.shape;
            let message = format!(
                "shape {shape:?} of {:?} takes {expected} bytes: {more} {} follow the header; save it again",
                header.descr,
                values.len().min(expected)
            );
            return Err(wrong(message));
        }
        if element.swapped {
            values.chunks_exact_mut(element.unit()).for_each(<[u8]>::reverse);
        }
        if header.columns {
            values = by_rows(&values, &header.shape, element.size);
        }
        Ok(NpyArray { element, shape: header.shape, values })
    }

    /// Its numbers or truth values.
    pub(crate) fn tensor(&self, name: &str) -> Result<HostTensor> {
        let wrong = |message: String| Error::format(name, message);
        let shape = Shape::new(&self.shape).map_err(|e| wrong(e.to_string()))?;
        self.element.tensor(shape, &self.values).map_err(wrong)
    }
}

#[cfg(feature = "npz")]
impl NpyArray {
    /// Whether it holds text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.element.kind, b'U' | b'S')
    }

    /// Its texts, row by row, without the zeros that fill them up.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        let text = |bytes: &[u8]| match self.element.kind {
            b'U' => {
                let code = |unit: &[u8]| unit.iter().rev().fold(0, |code, &byte| code << 8 | u32::from(byte));
                bytes.chunks_exact(4).map(|unit| char::from_u32(code(unit))).collect::<Option<String>>()
            }
            _ => std::str::from_utf8(bytes).ok().map(str::to_owned),
        };
        if !self.is_text() {
            return Err(Error::format(name, "array of numbers, where text is needed; take it as an array"));
        }
        let filled = |text: String| text.trim_end_matches('\0').to_owned();
        let texts = self.values.chunks_exact(self.element.size).map(|bytes| text(bytes).map(filled));
        let unreadable = || Error::format(name, "text that is not Unicode; decode it before it is saved");
        texts.collect::<Option<_>>().ok_or_else(unreadable)
    }
}

/// What went wrong while a part of a file was read.
fn fault(error: io::Error, part: &str, name: &str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(name, format!("cut off in its {part}; save it again")),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::format(name, format!("damaged in its {part}: {error}; save it again"))
        }
        _ => Error::io(name, error),
    }
}

/// Why an element type is not read.
fn refusal(descr: &str) -> String {
    match descr.trim_start_matches(['|', '<', '>', '=']).chars().next() {
        Some('O') => format!(
            "array of {descr:?}, Python objects: a pickle may run any code and is never read; convert it by \
             astype(float) or astype(str)"
        ),
        _ => format!("array of {descr:?}; numbers and truth values are read: convert it by astype"),
    }
}

/// How an element lies in a file.
struct Element {
    /// `b`, `i`, `u`, `f`, `U`, `S` as in NumPy.
    kind: u8,
    size: usize,
    /// Whether its bytes lie highest first.
    swapped: bool,
}

impl Element {
    /// Of a `descr` such as `<f4`.
    fn of(descr: &str) -> Option<Element> {
        let (&[order, kind], size) = descr.as_bytes().split_first_chunk()?;
        let size: usize = std::str::from_utf8(size).ok()?.parse().ok()?;
        let known = match kind {
            b'b' => size == 1,
            b'i' | b'u' => [1, 2, 4, 8].contains(&size),
            b'f' => [2, 4, 8].contains(&size),
            b'U' | b'S' => (1..=MAX_TEXT).contains(&size),
            _ => false,
        };
        let size = if kind == b'U' { size.checked_mul(4)? } else { size };
        let swapped = match order {
            b'<' | b'=' => false, // `=` never stands in a file of NumPy's own, but others write it
            b'>' => true,
            b'|' if size == 1 || kind == b'S' => false,
            _ => return None,
        };
        known.then_some(Element { kind, size, swapped })
    }

    /// Bytes that swap places: of a character, or of a number.
    fn unit(&self) -> usize {
        if self.kind == b'U' { 4 } else { self.size }
    }

    /// The values as a tensor; says what is wrong with them.
    fn tensor(&self, shape: Shape, values: &[u8]) -> std::result::Result<HostTensor, String> {
        let signed = |bytes: &[u8]| {
            let negative = self.kind == b'i' && bytes.last().is_some_and(|high| high & 0x80 != 0);
            let fill = if negative { -1i128 } else { 0 };
            bytes.iter().rev().fold(fill, |value, &byte| value << 8 | i128::from(byte))
        };
        let beyond = |value: i128| format!("integer {value} is beyond 32 bits; save it as float64");
        let elements = || values.chunks_exact(self.size);
        let made = match (self.kind, self.size) {
            (b'U' | b'S', _) => return Err("array of text, where numbers are needed; encode it as numbers".into()),
            (b'i', 1 | 2 | 8) => {
                let narrow = |bytes| i32::try_from(signed(bytes)).map_err(|_| beyond(signed(bytes)));
                HostTensor::new(&elements().map(narrow).collect::<std::result::Result<Vec<_>, _>>()?, shape)
            }
            (b'u', 1 | 2 | 8) => {
                let narrow = |bytes| u32::try_from(signed(bytes)).map_err(|_| beyond(signed(bytes)));
                HostTensor::new(&elements().map(narrow).collect::<std::result::Result<Vec<_>, _>>()?, shape)
            }
            (kind, size) => {
                let dtype = match (kind, size) {
                    (b'f', 8) => FileType::F64,
                    (b'f', 4) => FileType::Device(DType::F32),
                    (b'f', _) => FileType::Device(DType::F16),
                    (b'i', _) => FileType::Device(DType::I32),
                    (b'u', _) => FileType::Device(DType::U32),
                    _ => FileType::Device(DType::Bool),
                };
                return HostTensor::read(dtype, shape, &mut &*values).map_err(|e| e.to_string());
            }
        };
        made.map_err(|e| e.to_string())
    }
}

/// Elements that lie column by column, row by row.
fn by_rows(values: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..values.len() / size {
        let place = index.iter().zip(shape).rev().fold(0, |place, (i, n)| place * n + i);
        out.extend_from_slice(values.get(place * size..(place + 1) * size).unwrap_or_default());
        for (i, n) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *n {
                break;
            }
            *i = 0;
        }
    }
    out
}

/// What the dictionary says.
#[derive(Debug, PartialEq)]
struct Header {
    descr: String,
    columns: bool,
    shape: Vec<usize>,
}

impl Header {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, in any order. Records have a list as their `descr`, which
    /// is none of ours.
    fn parse(text: &str) -> Option<Header> {
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        let (mut descr, mut columns, mut shape) = (None, None, None);
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let value = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" => {
                    let (text, after) = quoted(value)?;
                    descr = Some(text.to_owned());
                    after
                }
                "fortran_order" => {
                    let truth = [("True", true), ("False", false)];
                    let (after, is) = truth.iter().find_map(|(word, is)| Some((value.strip_prefix(word)?, *is)))?;
                    columns = Some(is);
                    after
                }
                "shape" => {
                    let (inside, after) = value.strip_prefix('(')?.split_once(')')?;
                    let inside = inside.trim();
                    let sizes = inside.strip_suffix(',').unwrap_or(inside).split(',').map(str::trim);
                    // Python 2 wrote 3L.
                    let sizes = sizes.filter(|_| !inside.is_empty());
                    shape = Some(sizes.map(|n| n.strip_suffix('L').unwrap_or(n).parse().ok()).collect::<Option<_>>()?);
                    after
                }
                _ => return None,
            };
            rest = rest.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) => after.trim_start(),
                None if rest.is_empty() => rest,
                None => return None,
            };
        }
        Some(Header { descr: descr?, columns: columns?, shape: shape? })
    }
}

/// A text in quotes, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let mark = text.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    text.get(1..)?.split_once(mark)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(header: &str, values: &[u8]) -> Vec<u8> {
        [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes(), values].concat()
    }

    fn error(bytes: &[u8]) -> String {
        HostTensor::read_npy(bytes, "x.npy").unwrap_err().to_string()
    }

    #[test]
    fn headers_are_read_as_python_writes_them() {
        let read = |text: &str| Header::parse(text);
        let header = |columns, shape: &[usize]| Some(Header { descr: "<f4".into(), columns, shape: shape.to_vec() });
        assert_eq!(read("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n"), header(false, &[3, 4]));
        assert_eq!(read("{\"shape\":(5,),'fortran_order':True,'descr':'<f4'}"), header(true, &[5]));
        assert_eq!(read("{'descr': '<f4', 'fortran_order': False, 'shape': (), }"), header(false, &[]));
        assert_eq!(read("{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 4L), }"), header(false, &[3, 4]));
        for text in [
            "",
            "{}",
            "{'descr': '<f4', 'shape': (3,)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
            "{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (3,)}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn every_type_of_numpy_that_fits_is_read() {
        let read = |descr: &str, order: &str, shape: &str, values: &[u8]| {
            let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
            HostTensor::read_npy(&file(&header, values)[..], "x.npy").unwrap()
        };
        let le = |values: &[f64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        // numpy.asfortranarray([[1, 2, 3], [4, 5, 6]]) lies as 1, 4, 2, 5, 3, 6.
        let x = read("<f8", "True", "(2, 3)", &le(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
        assert_eq!(x.to_matrix().unwrap(), ndarray::array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(read(">i2", "False", "(2,)", &[0xff, 0xfe, 0x01, 0x00]).to_vec::<i32>().unwrap(), [-2, 256]);
        assert_eq!(read("<i8", "False", "(1,)", &(-7i64).to_le_bytes()).to_vec::<i32>().unwrap(), [-7]);
        assert_eq!(read("|u1", "False", "(2,)", &[0, 255]).to_vec::<u32>().unwrap(), [0, 255]);
        assert_eq!(read("|b1", "False", "(2,)", &[0, 1]).to_vec::<bool>().unwrap(), [false, true]);
        assert_eq!(read("<f2", "False", "(1,)", &[0x00, 0x3c]).to_vec::<half::f16>().unwrap(), [half::f16::ONE]);
        assert_eq!(read("<f4", "False", "()", &2.5f32.to_le_bytes()).to_matrix().unwrap(), ndarray::array![[2.5]]);
        assert_eq!(read("<f4", "False", "(0, 3)", &[]).shape().dims(), [0, 3]);
    }

    #[test]
    fn what_is_written_is_as_numpy_writes_it() {
        let x = HostTensor::new(&[1.0f32, 2.0, 3.0], [3]).unwrap();
        let header = x.npy_header().unwrap();
        assert_eq!(header.len(), 128);
        assert!(
            header.starts_with(b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ")
        );
        assert!(header.ends_with(b"  \n"));
        let values = |t: &HostTensor| (t.dtype(), t.shape(), t.words().to_vec());
        for x in
            [x, HostTensor::doubles(&[0.1; 6], [2, 3]).unwrap(), HostTensor::new(&[true, false], [1, 2, 1]).unwrap()]
        {
            let mut bytes = x.npy_header().unwrap();
            x.write(&mut bytes).unwrap();
            assert_eq!(values(&HostTensor::read_npy(&bytes[..], "x.npy").unwrap()), values(&x));
        }
        assert!(HostTensor::new(&[half::bf16::ONE], [1]).unwrap().npy_header().is_err());
    }

    #[test]
    fn damaged_and_foreign_files_say_what_is_wrong() {
        let good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
        for (bytes, text) in [
            (b"PK\x03\x04".to_vec(), "no .npy file"),
            (Vec::new(), "no .npy file"),
            (b"\x93NUMPY".to_vec(), "cut off in its header"),
            (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "format version 9"),
            (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "a header of 4294967295 bytes"),
            (file(good, &[0; 7]), "shape [2] of \"<f4\" takes 8 bytes: only 7 follow"),
            (file(good, &[0; 9]), "more"),
            (file(&good.replace("<f4", "|O"), &[]), "array of \"|O\", Python objects"),
            (file(&good.replace("<f4", "|V8"), &[]), "array of \"|V8\"; numbers and truth values"),
            (file(&good.replace("<f4", "<U2"), &[0; 16]), "array of text, where numbers are needed"),
            (file(&good.replace("<f4", "<U0"), &[]), "array of \"<U0\""),
            (file(&good.replace("<f4", "<c8"), &[]), "array of \"<c8\""),
            (file(&good.replace("(2,)", "(4294967296, 4294967296)"), &[]), "x.npy: "),
            (file(&good.replace("(2,)", "(1000000000,)"), &[]), "only 0 follow"),
            (file(&good.replace("<f4", "|b1"), &[0, 2]), "a truth value that is neither 0 nor 1"),
            (
                file(&good.replace("<f4", "<i8"), &[0xff; 16][..].iter().map(|b| b >> 1).collect::<Vec<_>>()),
                "beyond 32 bits",
            ),
            (file("{'descr': '<f4'}\n", &[]), "unusable header"),
        ] {
            assert!(error(&bytes).contains(text), "{text}: {}", error(&bytes));
        }
    }

    proptest! {
        #[test]
        fn random_bytes_and_damaged_files_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..150),
            places in prop::collection::vec((0usize..150, any::<u8>()), 0..4),
            magic in any::<bool>()
        ) {
            let mut good = file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", &[0; 24]);
            places.iter().for_each(|(at, byte)| good.get_mut(*at).into_iter().for_each(|b| *b = *byte));
            let _ = HostTensor::read_npy(&good[..], "x.npy");
            let random = if magic { [MAGIC, &[1, 0], &bytes].concat() } else { bytes };
            let _ = HostTensor::read_npy(&random[..], "x.npy");
        }
    }
}
