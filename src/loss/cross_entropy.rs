//! Cross-entropy of class scores.

use crate::dtype::DType;
use crate::error::Error;
use crate::loss::{Loss, Reduction, failed, floats, reduced};
use crate::ops::CrossEntropyOptions;
use crate::tensor::Tensor;

/// Cross-entropy `-Σ_c t_c·ln softmax(x)_c` of logits `[…, C]` against classes `[…]` (`u32` or `i32`, `0..C`; others make it NaN)
/// or probabilities `[…, C]` (floats).
///
/// With class weights the mean over classes is a weighted one, `Σ w·loss / Σ w`, as in PyTorch; that over probabilities is
/// divided by the number of rows.
///
/// ```
/// use tilework::{Device, Tensor, loss::{CrossEntropy, Loss}};
/// let logits = Tensor::zeros([2, 4], &Device::cpu());
/// let classes = Tensor::from_vec(vec![0u32, 3], [2], &Device::cpu());
/// let loss = CrossEntropy::default().loss(&logits, &classes).item::<f32>()?;
/// assert!((loss - 4f32.ln()).abs() < 1e-6);
/// let wrong = CrossEntropy::default().loss(&logits, &Tensor::zeros([4], &Device::cpu()));
/// assert!(wrong.check().is_err());
/// # Ok::<(), tilework::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct CrossEntropy {
    /// The share of each target, 0 to 1, that is spread evenly over all classes. Szegedy et al. 2015, arXiv:1512.00567,
    /// section 7.
    pub label_smoothing: f32,
    /// A factor for each class, `[C]`. No gradient flows to it from classes.
    pub weight: Option<Tensor>,
    /// What becomes of the rows' losses.
    pub reduction: Reduction,
}

impl Loss for CrossEntropy {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Some(failed) = [prediction, target].into_iter().chain(&self.weight).find(|x| x.check().is_err()) {
            return failed.clone();
        }
        let logits = floats(prediction);
        if matches!(target.dtype(), DType::U32 | DType::I32) {
            let &CrossEntropy { label_smoothing, reduction, .. } = self;
            let options = CrossEntropyOptions { label_smoothing, weights: self.weight.as_ref(), reduction };
            return logits.cross_entropy_with(target, options);
        }
        self.of_probabilities(&logits, target)
    }

    fn name(&self) -> &'static str {
        "cross_entropy"
    }
}

impl CrossEntropy {
    #[track_caller]
    fn of_probabilities(&self, logits: &Tensor, target: &Tensor) -> Tensor {
        let (x, t) = (logits.shape(), target.shape());
        let Some((&classes, _)) = x.split_last().filter(|_| x == t && target.dtype().is_float()) else {
            let message = format!(
                "needs logits [.., C] with classes [..] (integers) or probabilities [.., C] (floats): prediction {x}, target {} \
                 {t}; reshape one",
                target.dtype()
            );
            return failed(Error::shape(self.name(), message), logits);
        };
        let share = self.label_smoothing;
        if !(0.0..=1.0).contains(&share) {
            let message = format!("label_smoothing must be in 0..=1: given {share}; 0 is none");
            return failed(Error::argument(self.name(), message), logits);
        }
        let mut wanted = if share == 0.0 { target.clone() } else { target * (1.0 - share) + share / classes as f32 };
        if let Some(weight) = &self.weight {
            if weight.shape() != [classes] {
                let message = format!("weight must have one factor a class: prediction {x}, weight {}", weight.shape());
                return failed(Error::shape(self.name(), message), logits);
            }
            wanted = wanted * weight;
        }
        // ln softmax(x) = z - ln Σ e^z with z = x - max x, which keeps e^z finite
        let kept = x.with(x.rank() - 1, 1);
        let z = logits - logits.max_axes(&[-1]).reshape(kept).detach();
        let log_sum = z.exp().sum_axes(&[-1]).ln().reshape(kept);
        reduced(self.reduction, &(&wanted * (log_sum - z)).sum_axes(&[-1]))
    }
}
