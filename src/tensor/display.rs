//! How a tensor prints: as NumPy does, then its shape, type and device.

use crate::dtype::DType;
use crate::error::Result;
use crate::tensor::Tensor;
use std::fmt;

/// Elements above which only the edges are printed, as in NumPy.
const THRESHOLD: usize = 1000;
/// Elements printed at each edge of a long dimension.
const EDGE: usize = 3;
/// Digits after the point, unless the formatter asks for others.
const PRECISION: usize = 4;

impl fmt::Display for Tensor {
    /// Values as NumPy prints them (long dimensions with `...`), then shape, type and device. One read, of what is printed. A
    /// failed tensor prints its error. `{:.2}` asks for two digits.
    ///
    /// ```
    /// use tilework::{Device, Tensor};
    /// let x = Tensor::from_vec(vec![1.0, 2.5, -3.0, 4.0], [2, 2], &Device::cpu());
    /// assert!(x.to_string().starts_with("[[ 1.   2.5]\n [-3.   4. ]]\n"), "{x}");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match printed(self, f.precision().unwrap_or(PRECISION)) {
            Ok(text) => write!(f, "{text}\n{} {} on {}", self.shape(), self.dtype(), self.device()),
            Err(error) => write!(f, "failed tensor: {error}"),
        }
    }
}

fn printed(x: &Tensor, precision: usize) -> Result<String> {
    x.check()?;
    let x = x.detach();
    let summarised = x.numel() > THRESHOLD;
    let shown = if summarised { edges(&x) } else { x.clone() };
    let words = words(&shown, precision)?;
    let width = words.iter().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    let mut words = words.into_iter();
    write(&mut text, &mut words, &x.shape(), 0, width, summarised);
    Ok(text)
}

/// The first and last elements of each long dimension.
fn edges(x: &Tensor) -> Tensor {
    (0..x.rank()).fold(x.clone(), |x, axis| {
        let dim = x.shape()[axis];
        if dim <= 2 * EDGE {
            return x;
        }
        let axis = axis as isize;
        Tensor::cat(&[&x.slice(axis, ..EDGE), &x.slice(axis, dim - EDGE..)], axis)
    })
}

/// Each element's text, all with the same number of digits after the point.
fn words(x: &Tensor, precision: usize) -> Result<Vec<String>> {
    Ok(match x.dtype() {
        DType::Bool => x.to_vec::<bool>()?.iter().map(|v| if *v { "True" } else { "False" }.to_string()).collect(),
        DType::U32 => x.to_vec::<u32>()?.iter().map(u32::to_string).collect(),
        DType::I32 => x.to_vec::<i32>()?.iter().map(i32::to_string).collect(),
        _ => numbers(&x.to_dtype(DType::F32).to_vec()?, precision),
    })
}

fn numbers(values: &[f32], precision: usize) -> Vec<String> {
    let sizes = || values.iter().map(|v| v.abs()).filter(|v| v.is_finite() && *v != 0.0);
    let (small, large) = sizes().fold((f32::INFINITY, 0f32), |(a, b), v| (a.min(v), b.max(v)));
    // NumPy's rule for when a point alone no longer reads well.
    let scientific = large >= 1e8 || small < 1e-4 || large / small > 1e3 && large >= 1e6;
    let text = |v: &f32| match (v.is_finite(), scientific) {
        (false, _) => if v.is_nan() {
            "nan"
        } else if *v > 0.0 {
            "inf"
        } else {
            "-inf"
        }
        .to_string(),
        (true, true) => format!("{v:.precision$e}"),
        (true, false) => format!("{v:.precision$}"),
    };
    let mut all: Vec<String> = values.iter().map(text).collect();
    if scientific {
        return all;
    }
    // Zeros that all values end in go, and leave a space in their place, so that points stand below each other.
    let used = |t: &String| t.split_once('.').map_or(0, |(_, digits)| digits.trim_end_matches('0').len());
    let digits = all.iter().map(used).max().unwrap_or(0);
    for text in &mut all {
        if let Some((whole, after)) = text.clone().split_once('.') {
            let kept = after[..digits].trim_end_matches('0');
            *text = format!("{whole}.{kept:<digits$}");
        }
    }
    all
}

/// Brackets and elements of the dimensions from `axis` on.
fn write(
    text: &mut String,
    words: &mut impl Iterator<Item = String>,
    shape: &[usize],
    axis: usize,
    width: usize,
    summarised: bool,
) {
    let Some(&dim) = shape.get(axis) else {
        let word = words.next().unwrap_or_default();
        text.push_str(&format!("{word:>width$}"));
        return;
    };
    let inner = axis + 1 == shape.len();
    let separator = if inner { " ".to_string() } else { "\n".repeat(shape.len() - axis - 1) + &" ".repeat(axis + 1) };
    let cut = summarised && dim > 2 * EDGE;
    text.push('[');
    let shown = if cut { 2 * EDGE } else { dim };
    for i in 0..shown {
        if i > 0 {
            text.push_str(&separator);
        }
        if cut && i == EDGE {
            text.push_str("...");
            text.push_str(&separator);
        }
        write(text, words, shape, axis + 1, width, summarised);
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;

    fn first_lines(x: &Tensor) -> String {
        let text = x.to_string();
        text.rsplit_once('\n').map_or(String::new(), |(values, _)| values.to_string())
    }

    #[test]
    fn values_print_as_in_numpy() {
        let device = Device::cpu();
        let x = Tensor::from_vec(vec![1.0, -2.25, 100.0, f32::NAN], [4], &device);
        assert_eq!(first_lines(&x), "[  1.    -2.25 100.      nan]");
        assert_eq!(first_lines(&Tensor::from_vec(vec![1u32, 20], [2, 1], &device)), "[[ 1]\n [20]]");
        assert_eq!(first_lines(&Tensor::from_vec(vec![true, false], [2], &device)), "[ True False]");
        assert_eq!(first_lines(&Tensor::scalar(1.5f32, &device)), "1.5");
        assert_eq!(first_lines(&Tensor::zeros([0], &device)), "[]");
        assert_eq!(first_lines(&Tensor::from_vec(vec![1e-7, 1.0], [2], &device)), "[1.0000e-7  1.0000e0]");
    }

    #[test]
    fn long_tensors_show_their_edges() {
        let x = Tensor::arange(0u32..2000, &Device::cpu());
        assert_eq!(first_lines(&x), "[   0    1    2 ... 1997 1998 1999]");
        let cube = first_lines(&x.reshape([2, 2, 500]));
        assert_eq!(cube.lines().nth(2), Some(""), "{cube}");
        assert!(cube.starts_with("[[[   0    1    2 ...  497  498  499]\n  [ 500"), "{cube}");
    }

    #[test]
    fn a_failed_tensor_prints_its_error() {
        let bad = Tensor::zeros([2], &Device::cpu()).reshape([3]);
        assert!(bad.to_string().starts_with("failed tensor: reshape"), "{bad}");
        assert!(format!("{bad:?}").contains("failed"));
    }
}
