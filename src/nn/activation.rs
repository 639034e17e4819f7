//! Activations as layers. Their formulas are the methods of [`Tensor`] of the same name.

use crate::nn::{Module, Visitor};
use crate::tensor::Tensor;

/// Layers without parameters that apply one method of a tensor.
macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident = |$x:ident| $apply:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, Default)]
            pub struct $name;

            impl Module for $name {
                #[track_caller]
                fn forward(&self, $x: &Tensor) -> Tensor {
                    $apply
                }

                fn visit(&self, _: &mut Visitor<'_>) {}

                fn kind(&self) -> &'static str {
                    stringify!($name)
                }
            }
        )*
    };
}

activations! {
    /// [`Tensor::relu`].
    Relu = |x| x.relu();
    /// [`Tensor::leaky_relu`] with PyTorch's slope of 0.01.
    LeakyRelu = |x| x.leaky_relu(0.01);
    /// [`Tensor::sigmoid`].
    Sigmoid = |x| x.sigmoid();
    /// [`Tensor::tanh`].
    Tanh = |x| x.tanh();
    /// [`Tensor::gelu`], the exact form.
    Gelu = |x| x.gelu();
    /// [`Tensor::silu`].
    Silu = |x| x.silu();
    /// [`Tensor::elu`] with PyTorch's alpha of 1.
    Elu = |x| x.elu(1.0);
    /// [`Tensor::selu`].
    Selu = |x| x.selu();
    /// [`Tensor::mish`].
    Mish = |x| x.mish();
    /// [`Tensor::softplus`].
    Softplus = |x| x.softplus();
    /// [`Tensor::hard_swish`].
    HardSwish = |x| x.hard_swish();
}
