//! Element types: how a value is stored, and which Rust types carry it in and out.

use half::{bf16, f16};
use std::borrow::Cow;
use std::fmt;

/// The element type of a tensor.
///
/// `F16` and `BF16` halve the memory; arithmetic on them is done in `f32` and rounded on writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// True or false; stored as a 32-bit 0 or 1, the form a GPU reads.
    Bool,
    /// 32-bit unsigned integer.
    U32,
    /// 32-bit signed integer.
    I32,
    /// 16-bit float, IEEE 754 binary16.
    F16,
    /// 16-bit float with the range of `f32` (bfloat16).
    BF16,
    /// 32-bit float, the default.
    F32,
}

impl DType {
    /// Every element type.
    pub const ALL: [DType; 6] = [DType::Bool, DType::U32, DType::I32, DType::F16, DType::BF16, DType::F32];

    /// Bytes of one stored element.
    pub fn size(self) -> usize {
        match self {
            DType::F16 | DType::BF16 => 2,
            _ => 4,
        }
    }

    /// Whether it holds real numbers, so that a gradient makes sense.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32)
    }

    /// The type that arithmetic is done in: `F32` for the 16-bit floats, itself otherwise.
    pub fn compute(self) -> DType {
        if self.is_float() { DType::F32 } else { self }
    }

    /// 32-bit words that `len` elements take.
    pub(crate) fn words(self, len: usize) -> usize {
        if self.size() == 2 { len.div_ceil(2) } else { len }
    }

    /// The type of a result of two operands, as PyTorch promotes: bool < integers < floats; `u32` with `i32` gives `i32`,
    /// `f16` with `bf16` gives `f32`.
    ///
    /// ```
    /// use tilework::DType;
    /// assert_eq!(DType::I32.promote(DType::F16), DType::F16);
    /// assert_eq!(DType::F16.promote(DType::BF16), DType::F32);
    /// ```
    pub fn promote(self, other: DType) -> DType {
        match (self.min(other), self.max(other)) {
            (a, b) if a == b => a,
            (DType::F16, DType::BF16) => DType::F32,
            (_, b) => b,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DType::Bool => "bool",
            DType::U32 => "u32",
            DType::I32 => "i32",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that a tensor can be made from and read into: `f32`, `u32`, `i32`, `bool`, `f16`, `bf16`.
pub trait Element: sealed::Sealed + Copy + Send + Sync + fmt::Debug + PartialEq + 'static {
    /// The element type that stores it.
    const DTYPE: DType;
    /// Packs values into the 32-bit words of a buffer.
    #[doc(hidden)]
    fn pack(values: &[Self]) -> Cow<'_, [u32]>;
    /// Reads element `index` of packed words.
    #[doc(hidden)]
    fn get(words: &[u32], index: usize) -> Self;
    /// The first `len` elements of packed words.
    #[doc(hidden)]
    fn unpack(words: Vec<u32>, len: usize) -> Vec<Self> {
        (0..len).map(|i| Self::get(&words, i)).collect()
    }
}

/// Types that are one 32-bit word as they lie.
macro_rules! word_element {
    ($type:ty, $dtype:ident) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            fn pack(values: &[$type]) -> Cow<'_, [u32]> {
                bytemuck::cast_slice(values).into()
            }
            fn get(words: &[u32], index: usize) -> $type {
                bytemuck::cast(words[index])
            }
            fn unpack(mut words: Vec<u32>, len: usize) -> Vec<$type> {
                words.truncate(len);
                bytemuck::allocation::cast_vec(words)
            }
        }
    };
}
word_element!(f32, F32);
word_element!(u32, U32);
word_element!(i32, I32);

impl sealed::Sealed for bool {}
impl Element for bool {
    const DTYPE: DType = DType::Bool;
    fn pack(values: &[bool]) -> Cow<'_, [u32]> {
        values.iter().map(|&v| u32::from(v)).collect()
    }
    fn get(words: &[u32], index: usize) -> bool {
        words[index] != 0
    }
}

/// Types of which two share a word, the even one in the low half.
macro_rules! half_element {
    ($type:ty, $dtype:ident) => {
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            fn pack(values: &[$type]) -> Cow<'_, [u32]> {
                let word = |pair: &[$type]| {
                    u32::from(pair[0].to_bits()) | pair.get(1).map_or(0, |high| u32::from(high.to_bits()) << 16)
                };
                values.chunks(2).map(word).collect()
            }
            fn get(words: &[u32], index: usize) -> $type {
                let [low, high]: [u16; 2] = bytemuck::cast(words[index / 2].to_le_bytes());
                <$type>::from_bits(if index % 2 == 0 { low } else { high })
            }
        }
    };
}
half_element!(f16, F16);
half_element!(bf16, BF16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_counts_of_half_words_survive_packing() {
        let values: Vec<f16> = [1.0, -2.5, 65504.0].map(f16::from_f32).to_vec();
        let words = f16::pack(&values);
        assert_eq!(words.len(), DType::F16.words(3));
        assert_eq!(f16::unpack(words.into_owned(), 3), values);
    }

    #[test]
    fn promotion_is_symmetric() {
        for a in DType::ALL {
            for b in DType::ALL {
                assert_eq!(a.promote(b), b.promote(a));
            }
        }
        assert_eq!(DType::U32.promote(DType::I32), DType::I32);
        assert_eq!(DType::Bool.promote(DType::F32), DType::F32);
    }
}
