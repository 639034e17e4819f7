//! `linear`: a product with transposed weights and a bias, as one step back through which gradients flow.

use crate::error::{Error, Result};
use crate::ops::row::failed;
use crate::tensor::Tensor;
use crate::tensor::node::{GradCall, Partials, Rule, Saves};
use crate::tensor::record::{Untracked, record_rule};
use smallvec::SmallVec;

/// `x [B, in]`, `W [out, in]` and perhaps `b [out]`.
#[derive(Debug)]
struct Linear;

impl Rule for Linear {
    fn rule_name(&self) -> &'static str {
        "linear"
    }

    fn saves(&self, wants: u32) -> Saves {
        // The gradients of input and weights are products with the other one.
        Saves { inputs: (wants & 1) << 1 | (wants >> 1 & 1), output: false }
    }

    fn grad(&self, call: &GradCall<'_>, dy: &Tensor) -> Result<Partials> {
        let mut partials = SmallVec::new();
        partials.push(if call.wants(0) { Some(dy.matmul(call.input(1)?)) } else { None });
        partials.push(if call.wants(1) { Some(dy.t().matmul(call.input(0)?)) } else { None });
        if call.len() == 3 {
            partials.push(Some(dy.clone())); // the engine sums over the rows
        }
        Ok(partials)
    }
}

impl Tensor {
    /// `x·Wᵀ + b`. Shapes: `x […, in]`, `weight [out, in]`, `bias [out]` → `[…, out]`. PyTorch's `functional.linear`.
    ///
    /// Errors: weights that are no matrix; other numbers of features; a bias of another length.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.0], [1, 2], &Device::cpu());
    /// let w = Tensor::from_vec(vec![1.0, 1.0, 0.0, 3.0], [2, 2], &Device::cpu());
    /// let b = Tensor::from_vec(vec![0.5, 0.0], [2], &Device::cpu());
    /// assert_eq!(x.linear(&w, Some(&b)).to_vec::<f32>()?, [3.5, 6.0]);
    /// # Ok::<(), tilework::Error>(())
    /// ```
    #[track_caller]
    pub fn linear(&self, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let inputs: SmallVec<[&Tensor; 3]> = [self, weight].into_iter().chain(bias).collect();
        if let Some(broken) = inputs.iter().find(|x| x.ok().is_none()) {
            return (*broken).clone();
        }
        let (shape, weights) = (self.shape(), weight.shape());
        let ([outputs, features], Some((&last, lead))) = (&weights[..], shape.split_last()) else {
            let message = format!("needs x [.., in] and weight [out, in]: given {shape} and {weights}");
            return failed(Error::shape("linear", message), self);
        };
        if last != *features || bias.is_some_and(|b| b.shape() != [*outputs]) {
            let bias = bias.map_or(String::new(), |b| format!(", bias {}", b.shape()));
            let message = format!(
                "x [.., in], weight [out, in] and bias [out] do not fit: given x {shape}, weight {weights}{bias}; \
                 the layer takes {features} features"
            );
            return failed(Error::shape("linear", message), self);
        }
        if shape.rank() != 2 {
            let rows: usize = lead.iter().product();
            let whole: SmallVec<[usize; 8]> = lead.iter().copied().chain([*outputs]).collect();
            return self.reshape([rows, *features]).linear(weight, bias).reshape(&whole[..]);
        }
        let y = {
            let _untracked = Untracked::begin();
            let product = self.matmul(&weight.t());
            bias.map_or_else(|| product.clone(), |bias| product.add(bias))
        };
        record_rule(Linear, &inputs, y)
    }
}
