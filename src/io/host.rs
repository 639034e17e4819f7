//! A tensor's values on the host, in the words that devices store and the bytes that files hold.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::shape::{IntoShape, Shape};
use crate::tensor::Tensor;
use std::io::{self, Read, Write};

/// A tensor on its way between a device and a file.
///
/// ```
/// use tilework::io::HostTensor;
/// let weight = HostTensor::new(&[1.0f32, 2.0, 3.0, 4.0], [2, 2])?;
/// assert_eq!(weight.shape().dims(), [2, 2]);
/// assert_eq!(weight.to_vec::<f32>()?, [1.0, 2.0, 3.0, 4.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct HostTensor {
    dtype: FileType,
    shape: Shape,
    /// As devices store them: see [`DType`]; of an `f64` the low word first.
    words: Vec<u32>,
}

/// The element type of a tensor in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileType {
    /// One that devices compute with.
    Device(DType),
    /// `f64`, of models that are computed on the host; a [`Tensor`] cannot hold it.
    F64,
}

impl FileType {
    pub(super) const ALL: [FileType; DType::ALL.len() + 1] = {
        let mut all = [FileType::F64; DType::ALL.len() + 1];
        let mut i = 0;
        while i < DType::ALL.len() {
            all[i] = FileType::Device(DType::ALL[i]);
            i += 1;
        }
        all
    };

    /// Bytes of one element in a file: truth values take one byte there, all else what it takes in memory.
    pub(super) fn bytes(self) -> usize {
        match self {
            FileType::Device(DType::Bool) => 1,
            FileType::Device(dtype) => dtype.size(),
            FileType::F64 => 8,
        }
    }

    fn words(self, numel: usize) -> usize {
        match self {
            FileType::Device(dtype) => dtype.words(numel),
            FileType::F64 => 2 * numel, // a file's length has bounded it
        }
    }
}

impl std::fmt::Display for FileType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FileType::Device(dtype) => dtype.fmt(f),
            FileType::F64 => f.write_str("f64"),
        }
    }
}

impl HostTensor {
    /// Takes values in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] when there are more or fewer values than the shape has elements.
    pub fn new<T: Element>(values: &[T], shape: impl IntoShape) -> Result<HostTensor> {
        let shape = shaped(values.len(), shape)?;
        Ok(HostTensor { dtype: FileType::Device(T::DTYPE), shape, words: T::pack(values).into_owned() })
    }

    /// Takes doubles in row-major order. They keep all their digits in a file; no device holds them.
    ///
    /// # Errors
    /// As [`HostTensor::new`].
    pub fn doubles(values: &[f64], shape: impl IntoShape) -> Result<HostTensor> {
        let shape = shaped(values.len(), shape)?;
        let halves = |value: &f64| [value.to_bits() as u32, (value.to_bits() >> 32) as u32];
        Ok(HostTensor { dtype: FileType::F64, shape, words: values.iter().flat_map(halves).collect() })
    }

    /// The doubles in row-major order.
    ///
    /// # Errors
    /// [`Error::DType`] when it holds another type.
    pub fn to_doubles(&self) -> Result<Vec<f64>> {
        if self.dtype != FileType::F64 {
            return Err(Error::dtype("to_doubles", format!("holds {}; read it by to_vec", self.dtype)));
        }
        let whole = |pair: &[u32]| pair.iter().rev().fold(0, |bits, &word| bits << 32 | u64::from(word));
        Ok(self.words.chunks_exact(2).map(|pair| f64::from_bits(whole(pair))).collect())
    }

    /// The values in row-major order.
    ///
    /// # Errors
    /// [`Error::DType`] when it holds another type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        if FileType::Device(T::DTYPE) != self.dtype {
            return Err(Error::dtype("to_vec", format!("holds {}; read as {}", self.dtype, T::DTYPE)));
        }
        Ok(T::unpack(self.words.clone(), self.shape.numel()))
    }

    /// Reads a tensor back from its device.
    ///
    /// # Errors
    /// The error that the tensor carries; a lost device.
    pub fn of(tensor: &Tensor) -> Result<HostTensor> {
        HostTensor::from_words(tensor.dtype(), tensor.shape(), tensor.to_words()?)
    }

    /// The tensor on a device.
    ///
    /// # Errors
    /// [`Error::DType`] for doubles; not enough memory; a lost device.
    pub fn tensor(&self, device: &Device) -> Result<Tensor> {
        match self.dtype {
            FileType::Device(dtype) => Tensor::from_words(self.words(), dtype, self.shape, device),
            FileType::F64 => Err(Error::dtype("tensor", "holds f64, which no device has; narrow it to f32")),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> FileType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The words that a device stores.
    pub(crate) fn words(&self) -> &[u32] {
        &self.words
    }

    /// A tensor of a device's words, as many as the dtype needs for the shape.
    pub(crate) fn from_words(dtype: DType, shape: Shape, words: Vec<u32>) -> Result<HostTensor> {
        match words.len() == dtype.words(shape.numel()) {
            true => Ok(HostTensor { dtype: FileType::Device(dtype), shape, words }),
            false => Err(Error::internal("host tensor", format!("{} words for {:?}", words.len(), shape.dims()))),
        }
    }

    /// Bytes in a file.
    pub(super) fn file_bytes(&self) -> usize {
        self.shape.numel() * self.dtype.bytes()
    }

    /// Writes the bytes of a file: little-endian, row-major.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut left = self.file_bytes();
        let mut bytes = Vec::with_capacity(4 * CHUNK);
        for words in self.words.chunks(CHUNK) {
            bytes.clear();
            match self.dtype {
                FileType::Device(DType::Bool) => bytes.extend(words.iter().map(|&word| u8::from(word != 0))),
                _ => bytes.extend(words.iter().flat_map(|word| word.to_le_bytes())),
            }
            bytes.truncate(left); // an odd count of 16-bit values ends in half a word
            left -= bytes.len();
            out.write_all(&bytes)?;
        }
        Ok(())
    }

    /// Reads what [`HostTensor::write`] writes. A truth value that is neither 0 nor 1 is [`io::ErrorKind::InvalidData`].
    pub(super) fn read(dtype: FileType, shape: Shape, input: &mut dyn Read) -> io::Result<HostTensor> {
        let mut left = shape.numel() * dtype.bytes();
        let mut words = Vec::with_capacity(dtype.words(shape.numel()));
        let mut bytes = vec![0; 4 * CHUNK];
        while left > 0 {
            let bytes = bytes.split_at_mut(left.min(4 * CHUNK)).0;
            input.read_exact(bytes)?;
            left -= bytes.len();
            if dtype != FileType::Device(DType::Bool) {
                words
                    .extend(bytes.chunks(4).map(|b| b.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))));
            } else if bytes.iter().all(|&byte| byte <= 1) {
                words.extend(bytes.iter().map(|&byte| u32::from(byte)));
            } else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a truth value that is neither 0 nor 1"));
            }
        }
        Ok(HostTensor { dtype, shape, words })
    }

    /// The first NaN or infinity: its position in row-major order.
    pub(super) fn first_non_finite(&self) -> Option<usize> {
        const F32: u32 = 0x7f80_0000; // all exponent bits set: NaN or infinity
        let pair = |exponent: u32| {
            let bad = move |word: &u32| word & exponent == exponent || word >> 16 & exponent == exponent;
            let index = self.words.iter().position(bad)?;
            let low = self.words.get(index).is_some_and(|word| word & exponent == exponent);
            Some(2 * index + usize::from(!low))
        };
        match self.dtype {
            FileType::F64 => self.words.chunks_exact(2).position(|pair| pair[1] & 0x7ff0_0000 == 0x7ff0_0000),
            FileType::Device(DType::F32) => self.words.iter().position(|word| word & F32 == F32),
            FileType::Device(DType::BF16) => pair(0x7f80),
            FileType::Device(DType::F16) => pair(0x7c00),
            FileType::Device(DType::Bool | DType::U32 | DType::I32) => None,
        }
    }
}

/// The shape, if it has as many elements.
fn shaped(count: usize, shape: impl IntoShape) -> Result<Shape> {
    let shape = shape.into_shape()?;
    if count != shape.numel() {
        let message = format!("{count} values for shape {:?} of {}", shape.dims(), shape.numel());
        return Err(Error::shape("host tensor", message));
    }
    Ok(shape)
}

impl std::fmt::Debug for HostTensor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostTensor({} {:?})", self.dtype, self.shape.dims())
    }
}

/// Words converted at a time: 16 KiB, so that the bytes stay in cache.
const CHUNK: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use half::{bf16, f16};

    fn bytes(tensor: &HostTensor) -> Vec<u8> {
        let mut bytes = Vec::new();
        tensor.write(&mut bytes).unwrap();
        assert_eq!(bytes.len(), tensor.file_bytes());
        assert_eq!(&HostTensor::read(tensor.dtype, tensor.shape, &mut bytes.as_slice()).unwrap(), tensor);
        bytes
    }

    #[test]
    fn bytes_are_little_endian_and_truth_takes_one() {
        assert_eq!(bytes(&HostTensor::new(&[1u32, 0x01020304], [2]).unwrap()), [1, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(bytes(&HostTensor::new(&[-2i32], ()).unwrap()), [254, 255, 255, 255]);
        assert_eq!(bytes(&HostTensor::new(&[1.0f32], [1, 1]).unwrap()), [0, 0, 128, 63]);
        assert_eq!(bytes(&HostTensor::new(&[true, false, true], [3]).unwrap()), [1, 0, 1]);
        assert_eq!(bytes(&HostTensor::new(&[1.0, -2.0, 0.5].map(f16::from_f32), [3]).unwrap()), [0, 60, 0, 192, 0, 56]);
        assert_eq!(bytes(&HostTensor::new(&[1.0].map(bf16::from_f32), [1]).unwrap()), [128, 63]);
        assert!(bytes(&HostTensor::new::<f32>(&[], [3, 0]).unwrap()).is_empty());
        let doubles = HostTensor::doubles(&[1.0, -0.1], [2]).unwrap();
        assert_eq!(bytes(&doubles), [1f64.to_le_bytes(), (-0.1f64).to_le_bytes()].concat());
        assert_eq!(doubles.to_doubles().unwrap(), [1.0, -0.1]);
    }

    #[test]
    fn more_values_than_a_chunk_survive() {
        for count in [CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK + 3] {
            bytes(&HostTensor::new(&vec![true; count], [count]).unwrap());
            bytes(&HostTensor::new(&vec![f16::ONE; count], [count]).unwrap());
            bytes(&HostTensor::new(&(0..count as u32).collect::<Vec<_>>(), [count]).unwrap());
        }
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_found_in_every_float_type() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for at in 0..3 {
                let mut values = [f32::MAX, 0.0, -1.0];
                values[at] = bad;
                let half = values.map(|v| f16::from_f32(v.clamp(-1e4, 1e4)));
                let wide = values.map(bf16::from_f32);
                assert_eq!(HostTensor::new(&values, [3]).unwrap().first_non_finite(), Some(at));
                assert_eq!(HostTensor::new(&half, [3]).unwrap().first_non_finite().is_some(), bad.is_nan());
                assert_eq!(HostTensor::new(&wide[at..], [3 - at]).unwrap().first_non_finite(), Some(0));
            }
        }
        assert_eq!(HostTensor::new(&[f16::ONE, f16::INFINITY], [2]).unwrap().first_non_finite(), Some(1));
        assert_eq!(HostTensor::new(&[f16::MAX, f16::MIN], [2]).unwrap().first_non_finite(), None);
        assert_eq!(HostTensor::new(&[u32::MAX], [1]).unwrap().first_non_finite(), None);
        assert_eq!(HostTensor::doubles(&[f64::MAX, 0.0, -f64::INFINITY], [3]).unwrap().first_non_finite(), Some(2));
        assert_eq!(HostTensor::doubles(&[f64::MAX, f64::MIN, 1e-320], [3]).unwrap().first_non_finite(), None);
    }

    #[test]
    fn counts_and_types_that_do_not_fit_are_refused() {
        let tensor = HostTensor::new(&[1.0f32], [1]).unwrap();
        assert_eq!(tensor.to_vec::<u32>().map_err(|e| e.code()), Err("dtype"));
        assert_eq!(tensor.to_doubles().map_err(|e| e.code()), Err("dtype"));
        let doubles = HostTensor::doubles(&[1.0], [1]).unwrap();
        assert_eq!(doubles.tensor(&Device::cpu()).map(|_| ()).map_err(|e| e.code()), Err("dtype"));
        assert_eq!(HostTensor::new(&[1.0f32], [2]).map_err(|e| e.code()), Err("shape"));
        assert!(HostTensor::read(FileType::Device(DType::Bool), Shape::SCALAR, &mut [2].as_slice()).is_err());
        assert!(HostTensor::from_words(DType::F16, Shape::SCALAR, vec![0; 2]).is_err());
    }
}
