//! Values of a program under construction, with the operators and functions that formulas are written in.

use super::prim::Prim;
use super::{Builder, Id, Ty};
use crate::dtype::DType;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

/// A value of a program under construction: a copyable handle into its [`Builder`].
///
/// Arithmetic operators work between values and with `f32` on either side. Functions of two values take a number for the
/// second one too: `x.max(0.0)`.
#[derive(Clone, Copy, Debug)]
pub struct E<'b> {
    pub(super) b: &'b Builder,
    pub(super) id: Id,
}

/// What stands for a value: a value, or a number that becomes a constant.
pub trait Operand<'b> {
    /// The value within builder `b`.
    fn value(self, b: &'b Builder) -> E<'b>;
}

impl<'b> Operand<'b> for E<'b> {
    fn value(self, _: &'b Builder) -> E<'b> {
        self
    }
}
impl<'b> Operand<'b> for f32 {
    fn value(self, b: &'b Builder) -> E<'b> {
        b.constant(self)
    }
}
impl<'b> Operand<'b> for i32 {
    fn value(self, b: &'b Builder) -> E<'b> {
        b.constant_i32(self)
    }
}
impl<'b> Operand<'b> for u32 {
    fn value(self, b: &'b Builder) -> E<'b> {
        b.constant_u32(self)
    }
}
impl<'b> Operand<'b> for bool {
    fn value(self, b: &'b Builder) -> E<'b> {
        b.constant_bool(self)
    }
}

/// Operators between values, and between a value and an f32 on either side.
macro_rules! operator {
    ($trait:ident, $method:ident, $prim:ident) => {
        impl<'b> $trait for E<'b> {
            type Output = E<'b>;
            fn $method(self, rhs: E<'b>) -> E<'b> {
                self.two(Prim::$prim, rhs)
            }
        }
        impl<'b> $trait<f32> for E<'b> {
            type Output = E<'b>;
            fn $method(self, rhs: f32) -> E<'b> {
                self.two(Prim::$prim, rhs)
            }
        }
        impl<'b> $trait<E<'b>> for f32 {
            type Output = E<'b>;
            fn $method(self, rhs: E<'b>) -> E<'b> {
                self.value(rhs.b).two(Prim::$prim, rhs)
            }
        }
    };
}
operator!(Add, add, Add);
operator!(Sub, sub, Sub);
operator!(Mul, mul, Mul);
operator!(Div, div, Div);
operator!(Rem, rem, Rem);

impl<'b> Neg for E<'b> {
    type Output = E<'b>;
    fn neg(self) -> E<'b> {
        self.one(Prim::Neg)
    }
}

impl<'b> E<'b> {
    fn one(self, prim: Prim) -> E<'b> {
        self.b.apply(prim, [self; 3])
    }

    fn two(self, prim: Prim, rhs: impl Operand<'b>) -> E<'b> {
        let rhs = rhs.value(self.b);
        self.b.apply(prim, [self, rhs, rhs])
    }

    /// Its type.
    pub fn ty(self) -> Ty {
        self.b.ty(self.id)
    }

    /// e to its power; overflows to infinity above 88.72.
    pub fn exp(self) -> E<'b> {
        self.one(Prim::Exp)
    }

    /// `exp(x) - 1`, exact near 0.
    pub fn exp_m1(self) -> E<'b> {
        self.one(Prim::ExpM1)
    }

    /// Natural logarithm; -infinity at 0, NaN below.
    pub fn ln(self) -> E<'b> {
        self.one(Prim::Ln)
    }

    /// `ln(1 + x)`, exact near 0.
    pub fn ln_1p(self) -> E<'b> {
        self.one(Prim::Ln1P)
    }

    /// Sine of an angle in radians.
    pub fn sin(self) -> E<'b> {
        self.one(Prim::Sin)
    }

    /// Cosine of an angle in radians.
    pub fn cos(self) -> E<'b> {
        self.one(Prim::Cos)
    }

    /// Hyperbolic tangent.
    pub fn tanh(self) -> E<'b> {
        self.one(Prim::Tanh)
    }

    /// Error function.
    pub fn erf(self) -> E<'b> {
        self.one(Prim::Erf)
    }

    /// Square root; NaN below 0.
    pub fn sqrt(self) -> E<'b> {
        self.one(Prim::Sqrt)
    }

    /// `1 / x`, as f32.
    pub fn recip(self) -> E<'b> {
        1.0 / self
    }

    /// `x * x`.
    pub fn square(self) -> E<'b> {
        self * self
    }

    /// Absolute value. Its derivative at 0 is 0.
    pub fn abs(self) -> E<'b> {
        self.one(Prim::Abs)
    }

    /// -1, 0 or 1 by its sign; NaN stays.
    pub fn sign(self) -> E<'b> {
        self.one(Prim::Sign)
    }

    /// The largest integer not above it.
    pub fn floor(self) -> E<'b> {
        self.one(Prim::Floor)
    }

    /// The smallest integer not below it.
    pub fn ceil(self) -> E<'b> {
        self.one(Prim::Ceil)
    }

    /// The nearest integer, the even one of two.
    pub fn round(self) -> E<'b> {
        self.one(Prim::Round)
    }

    /// The integer towards 0.
    pub fn trunc(self) -> E<'b> {
        self.one(Prim::Trunc)
    }

    /// The larger of two; NaN if either is (not promised on a GPU). The derivative of a tie is split equally.
    pub fn max(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Max, rhs)
    }

    /// The smaller of two; NaN if either is (not promised on a GPU). The derivative of a tie is split equally.
    pub fn min(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Min, rhs)
    }

    /// Its power; a negative base needs an integer exponent, or the result is NaN.
    pub fn pow(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Pow, rhs)
    }

    /// An integer power, by multiplication.
    pub fn powi(self, n: i32) -> E<'b> {
        let mut square = self;
        let mut product: Option<E<'b>> = None;
        let mut left = n.unsigned_abs();
        while left > 0 {
            if left % 2 == 1 {
                product = Some(product.map_or(square, |p| p * square));
            }
            left /= 2;
            if left > 0 {
                square = square * square;
            }
        }
        match product {
            None => self.b.constant(1.0),
            Some(p) if n < 0 => p.recip(),
            Some(p) => p,
        }
    }

    /// The remainder of the division that truncates: it has the sign of the dividend.
    #[expect(clippy::should_implement_trait, reason = "takes numbers too; `%` is the operator")]
    pub fn rem(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Rem, rhs)
    }

    /// Whether it is less.
    pub fn lt(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Lt, rhs)
    }

    /// Whether it is less or equal.
    pub fn le(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Le, rhs)
    }

    /// Whether it is greater.
    pub fn gt(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Gt, rhs)
    }

    /// Whether it is greater or equal.
    pub fn ge(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Ge, rhs)
    }

    /// Whether they are equal.
    pub fn eq(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Eq, rhs)
    }

    /// Whether they differ; NaN differs from everything.
    pub fn ne(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Ne, rhs)
    }

    /// Both, or the common bits of integers.
    pub fn and(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::And, rhs)
    }

    /// Either, or all bits of two integers.
    pub fn or(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Or, rhs)
    }

    /// One but not both, or the differing bits of integers.
    pub fn xor(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Xor, rhs)
    }

    /// The opposite, or the complement of an integer.
    #[expect(clippy::should_implement_trait, reason = "`and`, `or`, `not` read alike")]
    pub fn not(self) -> E<'b> {
        self.one(Prim::Not)
    }

    /// Bits moved up by `rhs` modulo 32.
    #[expect(clippy::should_implement_trait, reason = "takes numbers too")]
    pub fn shl(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Shl, rhs)
    }

    /// Bits moved down by `rhs` modulo 32; a signed integer keeps its sign.
    #[expect(clippy::should_implement_trait, reason = "takes numbers too")]
    pub fn shr(self, rhs: impl Operand<'b>) -> E<'b> {
        self.two(Prim::Shr, rhs)
    }

    /// `a` where it is true, `b` elsewhere: `cond.select(a, b)`.
    pub fn select(self, a: impl Operand<'b>, b: impl Operand<'b>) -> E<'b> {
        self.b.apply(Prim::Select, [self, a.value(self.b), b.value(self.b)])
    }

    /// The same number in another type. Floats truncate towards 0 and saturate, NaN becomes 0; integers wrap; to `Bool` is
    /// "not equal to 0".
    pub fn cast(self, ty: Ty) -> E<'b> {
        if self.ty() == ty {
            return self;
        }
        self.one(match ty {
            Ty::Bool => Prim::ToBool,
            Ty::U32 => Prim::ToU32,
            Ty::I32 => Prim::ToI32,
            Ty::F32 => Prim::ToF32,
        })
    }

    /// Rounded to what `dtype` can hold when that is a 16-bit float, to the nearest and ties to even; otherwise as it is.
    pub fn rounded_to(self, dtype: DType) -> E<'b> {
        match dtype {
            DType::F16 => self.one(Prim::ToF16),
            DType::BF16 => self.one(Prim::ToBF16),
            _ => self,
        }
    }

    /// The same 32 bits read as another type. A `Bool` has no bits of its own: it counts as the u32 0 or 1.
    pub fn bitcast(self, ty: Ty) -> E<'b> {
        match (self.ty(), ty) {
            (Ty::F32, Ty::F32) => self,
            (Ty::F32, _) => self.one(Prim::ToBits).cast(ty),
            (_, Ty::F32) => self.cast(Ty::U32).one(Prim::FromBits),
            _ => self.cast(ty),
        }
    }

    /// Whether it is NaN, found by its bits: shader compilers may assume that there is none.
    pub fn is_nan(self) -> E<'b> {
        self.bitcast(Ty::U32).and(0x7fff_ffff_u32).gt(0x7f80_0000_u32)
    }

    /// Whether it is neither infinite nor NaN, found by its bits.
    pub fn is_finite(self) -> E<'b> {
        self.bitcast(Ty::U32).and(0x7fff_ffff_u32).lt(0x7f80_0000_u32)
    }
}
