//! Activations as layers. Their formulas are the methods of [`Tensor`] of the same name.

use crate::device::Device;
use crate::error::Error;
use crate::nn::{Module, Param, Visitor};
use crate::ops::row::failed;
use crate::tensor::Tensor;

/// Layers without parameters that apply one method of a tensor; some hold a setting, which has a default.
macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident = |$x:ident| $apply:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Default)]
            pub struct $name;

            activations! { impl $name, self, $x, $apply }
        )*
    };
    ($($(#[$doc:meta])* $name:ident { $(#[$about:meta])* $set:ident: $type:ty = $default:expr }
        = |$this:ident, $x:ident| $apply:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq)]
            pub struct $name {
                $(#[$about])*
                pub $set: $type,
            }

            impl Default for $name {
                fn default() -> $name {
                    $name { $set: $default }
                }
            }

            activations! { impl $name, $this, $x, $apply }
        )*
    };
    (impl $name:ident, $this:ident, $x:ident, $apply:expr) => {
        impl Module for $name {
            #[track_caller]
            fn forward(&$this, $x: &Tensor) -> Tensor {
                $apply
            }

            fn visit(&self, _: &mut Visitor<'_>) {}

            fn kind(&self) -> &'static str {
                stringify!($name)
            }
        }
    };
}

activations! {
    /// [`Tensor::relu`].
    Relu = |x| x.relu();
    /// [`Tensor::sigmoid`].
    Sigmoid = |x| x.sigmoid();
    /// [`Tensor::log_sigmoid`].
    LogSigmoid = |x| x.log_sigmoid();
    /// [`Tensor::tanh`].
    Tanh = |x| x.tanh();
    /// [`Tensor::gelu`], the exact form.
    Gelu = |x| x.gelu();
    /// [`Tensor::gelu_tanh`], the form that many published transformers were trained with.
    GeluTanh = |x| x.gelu_tanh();
    /// [`Tensor::silu`].
    Silu = |x| x.silu();
    /// [`Tensor::selu`].
    Selu = |x| x.selu();
    /// [`Tensor::mish`].
    Mish = |x| x.mish();
    /// [`Tensor::softplus`].
    Softplus = |x| x.softplus();
    /// [`Tensor::softsign`].
    Softsign = |x| x.softsign();
    /// [`Tensor::hard_sigmoid`].
    HardSigmoid = |x| x.hard_sigmoid();
    /// [`Tensor::hard_swish`].
    HardSwish = |x| x.hard_swish();
}

activations! {
    /// [`Tensor::leaky_relu`].
    ///
    /// ```
    /// use tilework::{Device, Tensor, nn::{LeakyRelu, Module}};
    /// let x = Tensor::from_vec(vec![-2.0, 2.0], [2], &Device::cpu());
    /// assert_eq!(LeakyRelu { slope: 0.25 }.forward(&x).to_vec::<f32>()?, [-0.5, 2.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    LeakyRelu {
        /// Below 0. PyTorch's default is 0.01.
        slope: f32 = 0.01
    } = |self, x| x.leaky_relu(self.slope);
    /// [`Tensor::elu`].
    Elu {
        /// The limit far below 0, negated. PyTorch's default is 1.
        alpha: f32 = 1.0
    } = |self, x| x.elu(self.alpha);
    /// [`Tensor::softmax`]. Not before a cross-entropy, which takes logits.
    Softmax {
        /// Whose elements add up to 1; the last one unless told.
        axis: isize = -1
    } = |self, x| x.softmax(self.axis);
    /// [`Tensor::log_softmax`].
    LogSoftmax {
        /// Whose exponentials add up to 1; the last one unless told.
        axis: isize = -1
    } = |self, x| x.log_softmax(self.axis);
}

/// `x` above 0, `slope·x` below, with a slope that learns. Shapes: `x` `[B, F, …]`, slope `[1]`, one for all, or `[F]`.
///
/// Source: He et al. 2015, arXiv:1502.01852, equation 1.
///
/// ```
/// use tilework::{Device, Tensor, nn::{Module, PRelu}};
/// let x = Tensor::from_vec(vec![-2.0, 2.0], [1, 2], &Device::cpu());
/// assert_eq!(PRelu::new(1, &Device::cpu()).forward(&x).to_vec::<f32>()?, [-0.5, 2.0]);
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PRelu {
    /// Starts at 0.25, as in PyTorch.
    pub slope: Param,
}

impl PRelu {
    /// A layer with one slope for all, or one for each of `slopes` features.
    #[track_caller]
    pub fn new(slopes: usize, device: &Device) -> PRelu {
        PRelu { slope: Param::new(&Tensor::full([slopes], 0.25f32, device)) }
    }
}

impl Module for PRelu {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let slope = self.slope.tensor();
        if x.check().is_err() || slope.check().is_err() {
            return if x.check().is_err() { x.clone() } else { slope };
        }
        let (shape, slopes) = (x.shape(), slope.numel());
        let feature = shape.get(1).or(shape.first()).copied().unwrap_or(1);
        if slopes != 1 && slopes != feature {
            let message = format!("needs one slope, or one a feature: input {shape}, slopes {slopes}; reshape it");
            return failed(Error::shape("prelu", message), x);
        }
        let mut stretched = vec![1; shape.rank().saturating_sub(1).max(1)];
        stretched[0] = slopes;
        x.relu() - slope.reshape(&stretched[..]) * (-x).relu()
    }

    fn visit(&self, visitor: &mut Visitor<'_>) {
        visitor.param("slope", &self.slope);
    }

    fn kind(&self) -> &'static str {
        "PRelu"
    }
}
