//! Cross-entropy of class scores.

use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::loss::{Loss, Reduction, failed, floats};
use crate::tensor::Tensor;

/// Cross-entropy `-Σ_c t_c·ln softmax(x)_c` of logits `[B, C]` against classes `[B]` (`u32` or `i32`) or probabilities
/// `[B, C]` (floats).
///
/// With class weights the mean over classes is a weighted one, `Σ w·loss / Σ w`, as in PyTorch; that over probabilities is
/// divided by `B`. A class outside `0..C` is an error of the caller that no device reports: check labels when they are read.
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
    /// A factor for each class, `[C]`.
    pub weight: Option<Tensor>,
    /// What becomes of the rows' losses.
    pub reduction: Reduction,
}

/// What is given for each row.
enum Targets {
    Classes,
    Probabilities,
}

impl Loss for CrossEntropy {
    fn loss(&self, prediction: &Tensor, target: &Tensor) -> Tensor {
        if let Some(failed) = [prediction, target].into_iter().find(|x| x.check().is_err()) {
            return failed.clone();
        }
        match self.checked(prediction, target) {
            Ok(targets) => self.composed(&floats(prediction), target, targets),
            Err(error) => failed(error, prediction),
        }
    }

    fn name(&self) -> &'static str {
        "cross_entropy"
    }
}

impl CrossEntropy {
    fn checked(&self, prediction: &Tensor, target: &Tensor) -> Result<Targets> {
        let (x, t) = (prediction.shape(), target.shape());
        let classes = matches!(target.dtype(), DType::U32 | DType::I32);
        let fits = x.rank() == 2 && if classes { t.rank() == 1 && t[0] == x[0] } else { t == x };
        if !fits || target.dtype() == DType::Bool {
            let message = format!(
                "needs logits [B, C] with classes [B] (integers) or probabilities [B, C] (floats): prediction {x}, target {} \
                 {t}; reshape one",
                target.dtype()
            );
            return Err(Error::shape(self.name(), message));
        }
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let message = format!("label_smoothing must be in 0..=1: given {}; 0 is none", self.label_smoothing);
            return Err(Error::argument(self.name(), message));
        }
        if let Some(weight) = &self.weight
            && weight.check()?.shape() != [x[1]]
        {
            let message = format!("weight must have one factor a class: prediction {x}, weight {}", weight.shape());
            return Err(Error::shape(self.name(), message));
        }
        Ok(if classes { Targets::Classes } else { Targets::Probabilities })
    }

    #[track_caller]
    fn composed(&self, logits: &Tensor, target: &Tensor, targets: Targets) -> Tensor {
        let shape = logits.shape();
        let (rows, classes) = (shape[0], shape[1]);
        let given = match targets {
            Targets::Classes => {
                let numbers = Tensor::arange(0u32..classes as u32, logits.device()).to_dtype(target.dtype());
                target.reshape([rows, 1]).eq(&numbers).to_dtype(DType::F32)
            }
            Targets::Probabilities => target.clone(),
        };
        let share = self.label_smoothing;
        let wanted = if share == 0.0 { given.clone() } else { &given * (1.0 - share) + share / classes.max(1) as f32 };
        let wanted = self.weight.as_ref().map_or_else(|| wanted.clone(), |weight| &wanted * weight);
        // ln softmax(x) = z - ln Σ e^z with z = x - max x, which keeps e^z finite
        let z = logits - logits.max_axes(&[1]).reshape([rows, 1]).detach();
        let log_sum = z.exp().sum_axes(&[1]).ln().reshape([rows, 1]);
        let losses = (&wanted * (log_sum - z)).sum_axes(&[1]);
        match (self.reduction, &self.weight, targets) {
            (Reduction::Mean, Some(weight), Targets::Classes) => losses.sum() / (&given * weight).sum(),
            (reduction, ..) => reduction.apply(&losses),
        }
    }
}
