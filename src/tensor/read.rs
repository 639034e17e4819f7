//! Reading values back. These wait for the work that they depend on; everything else only queues.

use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::plan::batch::settle;
use crate::plan::kernel::Meta;
use crate::tensor::{Tensor, Value};

impl Tensor {
    /// Its values in row-major order; waits for them.
    ///
    /// # Errors
    /// The first error among the operations that led here; another element type than `T`; a lost device.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0, 3.0, 4.0], [2, 2], &Device::cpu());
    /// assert_eq!(x.transpose(0, 1).to_vec::<f32>()?, [1.0, 3.0, 2.0, 4.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        let (value, source, span) = self.prepared::<T>("to_vec")?;
        let words = source.device.read(source.slot.buffer()?, span.first, span.words)?;
        span.pick(words, &value)
    }

    /// [`Tensor::to_vec`] without blocking the thread, on any executor.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`].
    pub async fn to_vec_async<T: Element>(&self) -> Result<Vec<T>> {
        let (value, source, span) = self.prepared::<T>("to_vec")?;
        let buffer = source.slot.buffer()?.clone();
        let words = source.device.read_async(&buffer, span.first, span.words).await?;
        span.pick(words, &value)
    }

    /// The value of a tensor of one element.
    ///
    /// # Errors
    /// As [`Tensor::to_vec`]; more or fewer elements than one.
    pub fn item<T: Element>(&self) -> Result<T> {
        self.one()?;
        let values = self.to_vec::<T>()?;
        values.first().copied().ok_or_else(|| Error::internal("item", "one element, no value"))
    }

    /// [`Tensor::item`] without blocking the thread.
    ///
    /// # Errors
    /// As [`Tensor::item`].
    pub async fn item_async<T: Element>(&self) -> Result<T> {
        self.one()?;
        let values = self.to_vec_async::<T>().await?;
        values.first().copied().ok_or_else(|| Error::internal("item", "one element, no value"))
    }

    fn one(&self) -> Result<()> {
        let shape = self.value()?.layout.shape;
        if shape.numel() == 1 {
            return Ok(());
        }
        Err(Error::shape("item", format!("needs one element: given shape {shape}; reduce first, or read with to_vec")))
    }

    /// Runs what is pending and finds the words to read.
    fn prepared<T: Element>(&self, op: &'static str) -> Result<(Value, Value, Span)> {
        let value = self.value()?.clone();
        if value.dtype() != T::DTYPE {
            let message = format!("the tensor holds {}: asked for {}; convert with to_dtype", value.dtype(), T::DTYPE);
            return Err(Error::dtype(op, message));
        }
        if value.slot.is_pending() {
            settle(&value.device, &value.slot)?;
        }
        let span = Span::of(&value);
        Ok((value.clone(), value, span))
    }

    /// Copies the tensor to `device`; itself when it is there already. The copy has no history.
    ///
    /// # Errors
    /// Carried by the result: a lost device, not enough memory.
    #[track_caller]
    pub fn to_device(&self, device: &crate::device::Device) -> Tensor {
        if self.device() == device {
            return self.clone();
        }
        let copy = || {
            let Meta { shape, dtype } = self.value()?.meta();
            Tensor::from_words(&self.to_words()?, dtype, shape, device)
        };
        copy().unwrap_or_else(|error| Tensor::failed(error, device))
    }

    /// Its values in row-major order, packed as devices store them.
    pub(crate) fn to_words(&self) -> Result<Vec<u32>> {
        Ok(match self.value()?.dtype() {
            DType::F16 => half::f16::pack(&self.to_vec()?).into_owned(),
            DType::BF16 => half::bf16::pack(&self.to_vec()?).into_owned(),
            DType::Bool => bool::pack(&self.to_vec()?).into_owned(),
            DType::U32 => self.to_vec::<u32>()?,
            DType::I32 => bytemuck::allocation::cast_vec(self.to_vec::<i32>()?),
            DType::F32 => bytemuck::allocation::cast_vec(self.to_vec::<f32>()?),
        })
    }
}

/// The part of a storage that a view touches.
struct Span {
    first: usize, // word
    words: usize,
    shift: usize, // elements of `first`
}

impl Span {
    fn of(value: &Value) -> Span {
        let layout = &value.layout;
        let per_word = 4 / value.dtype().size();
        if layout.numel() == 0 {
            return Span { first: 0, words: 0, shift: 0 };
        }
        // Flipped axes reach down from the offset.
        let below: isize = layout.shape.iter().zip(layout.strides()).map(|(&d, &s)| (d as isize - 1) * s.min(0)).sum();
        let low = layout.offset.saturating_add_signed(below);
        let first = low / per_word;
        let end = value.dtype().words(layout.end());
        Span { first, words: end - first, shift: first * per_word }
    }

    fn pick<T: Element>(&self, words: Vec<u32>, value: &Value) -> Result<Vec<T>> {
        let layout = &value.layout;
        if layout.is_contiguous() && layout.offset == self.shift {
            return Ok(T::unpack(words, layout.numel()));
        }
        // A stretched view may have far more elements than its storage, and than the host has memory for.
        let mut values = Vec::new();
        values.try_reserve_exact(layout.numel()).map_err(|_| Error::OutOfMemory {
            device: "host".to_string(),
            requested: (layout.numel() * size_of::<T>()) as u64,
            in_use: 0,
            budget: isize::MAX as u64,
        })?;
        values.extend(layout.places().map(|place| T::get(&words, place - self.shift)));
        Ok(values)
    }
}
