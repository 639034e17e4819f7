//! `+ - * /` and negation between tensors, and between tensors and numbers.

use crate::tensor::Tensor;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// One operator for every pairing of owned and borrowed tensors, and of tensors with `f32`.
macro_rules! operator {
    ($trait:ident, $method:ident, $scalar:ident, $reverse:ident) => {
        operator!(@pair $trait, $method, Tensor, Tensor);
        operator!(@pair $trait, $method, Tensor, &Tensor);
        operator!(@pair $trait, $method, &Tensor, Tensor);
        operator!(@pair $trait, $method, &Tensor, &Tensor);
        operator!(@scalar $trait, $method, $scalar, $reverse, Tensor);
        operator!(@scalar $trait, $method, $scalar, $reverse, &Tensor);
    };
    (@pair $trait:ident, $method:ident, $left:ty, $right:ty) => {
        impl $trait<$right> for $left {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: $right) -> Tensor {
                Tensor::$method(&self, &right)
            }
        }
    };
    (@scalar $trait:ident, $method:ident, $scalar:ident, $reverse:ident, $tensor:ty) => {
        impl $trait<f32> for $tensor {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: f32) -> Tensor {
                self.$scalar(right)
            }
        }
        impl $trait<$tensor> for f32 {
            type Output = Tensor;
            #[track_caller]
            fn $method(self, right: $tensor) -> Tensor {
                right.$reverse(self)
            }
        }
    };
}
operator!(Add, add, add_scalar, add_scalar);
operator!(Sub, sub, sub_scalar, rsub_scalar);
operator!(Mul, mul, mul_scalar, mul_scalar);
operator!(Div, div, div_scalar, rdiv_scalar);

impl Neg for &Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(self)
    }
}

impl Neg for Tensor {
    type Output = Tensor;
    #[track_caller]
    fn neg(self) -> Tensor {
        Tensor::neg(&self)
    }
}
