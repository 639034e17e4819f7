//! Making tensors: from host data, and filled ones.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::error::{Error, Result};
use crate::plan::slot::Slot;
use crate::shape::{IntoShape, Layout, Shape};
use crate::tensor::node::Node;
use crate::tensor::{Tensor, Value};
use std::panic::Location;
use std::sync::Arc;

impl Tensor {
    /// A tensor of `values` in row-major order. Shape: as given; its product is the number of values.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1u32, 2, 3, 4, 5, 6], [2, 3], &Device::cpu());
    /// assert_eq!(x.shape(), [2, 3]);
    /// let bad = Tensor::from_vec(vec![1.0], [2, 3], &Device::cpu());
    /// assert!(bad.check().is_err());
    /// ```
    #[track_caller]
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl IntoShape, device: &Device) -> Tensor {
        Tensor::from_slice(&values, shape, device)
    }

    /// [`Tensor::from_vec`] from borrowed values.
    #[track_caller]
    pub fn from_slice<T: Element>(values: &[T], shape: impl IntoShape, device: &Device) -> Tensor {
        let line = Location::caller();
        let make = || -> Result<Tensor> {
            let shape = shape.into_shape()?;
            if shape.numel() != values.len() {
                return Err(Error::shape(
                    "from_slice",
                    format!(
                        "{} values do not fill shape {shape}, which has {}; give as many values",
                        values.len(),
                        shape.numel()
                    ),
                ));
            }
            Tensor::from_words(&T::pack(values), T::DTYPE, shape, device)
        };
        make().unwrap_or_else(|e| Tensor::failed(e.located(line), device))
    }

    /// A tensor of packed storage words.
    pub(crate) fn from_words(words: &[u32], dtype: DType, shape: Shape, device: &Device) -> Result<Tensor> {
        let slot = Slot::filled(dtype, shape.numel(), device.upload(words)?);
        Ok(Tensor::new(Value {
            device: device.clone(),
            slot: Arc::new(slot),
            layout: Layout::contiguous(shape),
            node: None,
        }))
    }

    /// Every element `value`; takes the memory of one.
    #[track_caller]
    pub fn full<T: Element>(shape: impl IntoShape, value: T, device: &Device) -> Tensor {
        let line = Location::caller();
        let make = || -> Result<Tensor> {
            let shape = shape.into_shape()?;
            let one = Tensor::from_words(&T::pack(&[value]), T::DTYPE, Shape::SCALAR, device)?;
            let layout = Layout::contiguous(Shape::SCALAR).expand("full", &shape)?;
            Ok(Tensor::new(Value { layout, ..one.value()?.clone() }))
        };
        make().unwrap_or_else(|e| Tensor::failed(e.located(line), device))
    }

    /// Zeros of type `f32`.
    #[track_caller]
    pub fn zeros(shape: impl IntoShape, device: &Device) -> Tensor {
        Tensor::full(shape, 0.0f32, device)
    }

    /// Ones of type `f32`.
    #[track_caller]
    pub fn ones(shape: impl IntoShape, device: &Device) -> Tensor {
        Tensor::full(shape, 1.0f32, device)
    }

    /// A single value: shape `[]`.
    #[track_caller]
    pub fn scalar<T: Element>(value: T, device: &Device) -> Tensor {
        Tensor::full((), value, device)
    }

    /// Zeros of this tensor's shape and type.
    #[track_caller]
    pub fn zeros_like(&self) -> Tensor {
        self.full_like(0.0)
    }

    /// Ones of this tensor's shape and type.
    #[track_caller]
    pub fn ones_like(&self) -> Tensor {
        self.full_like(1.0)
    }

    /// `value`, converted to this tensor's type, in this tensor's shape.
    #[track_caller]
    pub fn full_like(&self, value: f64) -> Tensor {
        let Some(own) = self.ok() else { return self.clone() };
        let (shape, device) = (own.layout.shape, &own.device);
        match own.dtype() {
            DType::F32 => Tensor::full(shape, value as f32, device),
            DType::F16 => Tensor::full(shape, half::f16::from_f64(value), device),
            DType::BF16 => Tensor::full(shape, half::bf16::from_f64(value), device),
            DType::U32 => Tensor::full(shape, value as u32, device),
            DType::I32 => Tensor::full(shape, value as i32, device),
            DType::Bool => Tensor::full(shape, value != 0.0, device),
        }
    }

    /// The identity matrix, `[n, n]`.
    ///
    /// Errors: more elements than a tensor can have, from `n` = 65,536 on.
    #[track_caller]
    pub fn eye(n: usize, device: &Device) -> Tensor {
        if Shape::new(&[n, n]).is_err() {
            let message = format!("too many elements: given {n}; at most 65535 rows");
            return Tensor::failed(Error::shape("eye", message).located(Location::caller()), device);
        }
        let row = Tensor::arange(0u32..n as u32, device);
        row.reshape([n, 1]).eq(&row).to_dtype(DType::F32)
    }

    /// `range.start`, `range.start + 1`, … up to but without `range.end`. Shape `[n]`.
    ///
    /// Errors: ends that are not finite, and more elements than a tensor can have.
    #[track_caller]
    pub fn arange<T: Count>(range: std::ops::Range<T>, device: &Device) -> Tensor {
        match T::count(range) {
            Ok(values) => Tensor::from_slice(&values, values.len(), device),
            Err(error) => Tensor::failed(error.located(Location::caller()), device),
        }
    }

    /// `n` values from `start` to `end`, both included, evenly apart. Shape `[n]`.
    ///
    /// Errors: more elements than a tensor can have.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::linspace(0.0, 1.0, 5, &Device::cpu());
    /// assert_eq!(x.to_vec::<f32>()?, [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn linspace(start: f32, end: f32, n: usize, device: &Device) -> Tensor {
        if let Err(error) = Shape::new(&[n]) {
            return Tensor::failed(error.located(Location::caller()), device);
        }
        let (start, end) = (f64::from(start), f64::from(end));
        let step = if n > 1 { (end - start) / (n - 1) as f64 } else { 0.0 };
        let values = (0..n).map(|i| if i + 1 == n && n > 1 { end } else { start + step * i as f64 } as f32);
        Tensor::from_vec(values.collect(), n, device)
    }

    /// This tensor as a leaf that gradients are computed for (a parameter, or an input to differentiate by). It has no history.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![3.0], [1], &Device::cpu()).tracked();
    /// let y = (&x * &x).sum();
    /// let grads = y.backward()?;
    /// assert_eq!(grads.get(&x)?.to_vec::<f32>()?, [6.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn tracked(&self) -> Tensor {
        let Some(value) = self.ok() else { return self.clone() };
        if !value.dtype().is_float() {
            let error = Error::dtype(
                "tracked",
                format!("only floats have gradients: given {}; convert with to_dtype", value.dtype()),
            );
            return Tensor::failed(error.located(Location::caller()), &value.device);
        }
        Tensor::new(Value { node: Some(Node::leaf()), ..value.clone() })
    }

    /// The same values without history: no gradient flows through.
    pub fn detach(&self) -> Tensor {
        match self.ok() {
            Some(value) if value.node.is_some() => Tensor::new(Value { node: None, ..value.clone() }),
            _ => self.clone(),
        }
    }
}

/// Numbers that [`Tensor::arange`] counts in.
pub trait Count: Element {
    #[doc(hidden)]
    fn count(range: std::ops::Range<Self>) -> Result<Vec<Self>>;
}

impl Count for u32 {
    fn count(range: std::ops::Range<u32>) -> Result<Vec<u32>> {
        Ok(range.collect())
    }
}

impl Count for i32 {
    fn count(range: std::ops::Range<i32>) -> Result<Vec<i32>> {
        Ok(range.collect())
    }
}

impl Count for f32 {
    fn count(range: std::ops::Range<f32>) -> Result<Vec<f32>> {
        let (start, end) = (f64::from(range.start), f64::from(range.end));
        let n = (end - start).ceil();
        if !n.is_finite() || n > f64::from(u32::MAX) {
            let message = format!("{start}..{end} is not finite, or too long; at most {} elements", u32::MAX);
            return Err(Error::argument("arange", message));
        }
        Ok((0..n as u64).map(|i| (start + i as f64) as f32).collect()) // a negative n counts as 0
    }
}
