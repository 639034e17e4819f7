//! Runs entries of the table of operations on devices: results against the f64 reference, gradients against central
//! differences of it, gradients of gradients against second differences, and calls that must fail.

use super::curvature::Curvature;
use super::gradcheck::spread;
use crate::device::{Device, DeviceKind};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::ops::table::{Data, OpInfo, Sample, Variant, ops};
use crate::tensor::Tensor;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

/// Elements of an input whose gradient is compared with a difference; larger inputs are checked at evenly spread ones.
const CHECKED: usize = 24;

/// What the checks of one operation on one device found.
#[derive(Debug, Clone)]
pub struct Report {
    /// The operation.
    pub op: &'static str,
    /// Where it ran.
    pub device: Device,
    /// Results and gradients compared with their reference.
    pub comparisons: usize,
    /// Elements of these.
    pub elements: usize,
    /// The largest error relative to what is allowed; above 1 the operation is out of bounds.
    pub worst: f64,
    /// The sample and variant with the largest error.
    pub worst_at: String,
    /// Comparisons that were out of bounds, calls that failed, and calls that should have failed but did not.
    pub faults: usize,
    /// What the first fault was.
    pub failure: Option<String>,
}

/// Every operation on every device: what `tilework doctor` prints, one report at a time.
///
/// ```no_run
/// use tilework::{Device, autograd::doctor};
/// for report in doctor(&[Device::cpu()]) {
///     println!("{:20} {:6} {:.3}", report.op, report.comparisons, report.worst);
/// }
/// ```
pub fn doctor(devices: &[Device]) -> impl Iterator<Item = Report> {
    let devices = devices.to_vec();
    ops().into_iter().flat_map(move |op| verify(&op, &devices))
}

/// All samples of an operation in all their variants, forward and backward, and its bad calls, on each device.
pub fn verify(op: &OpInfo, devices: &[Device]) -> Vec<Report> {
    let mut reports: Vec<Report> = devices.iter().map(|device| Report::new(op.name, device)).collect();
    let samples = op.samples();
    let wanted: Vec<Wanted> = samples.iter().map(Wanted::of).collect();
    for (device, report) in devices.iter().zip(&mut reports) {
        // Everything is recorded before anything is read, so that it runs in few batches.
        let recorded: Vec<Vec<Attempt>> =
            samples.iter().zip(&wanted).map(|(sample, wanted)| attempts(sample, wanted, device)).collect();
        for ((sample, wanted), attempts) in samples.iter().zip(&wanted).zip(&recorded) {
            check(sample, wanted, attempts, report);
        }
        for bad in op.bad() {
            match (bad.call)(device).check() {
                Ok(y) => report.fault(format!("should fail with '{}': gives {y:?}", bad.text)),
                Err(error) => {
                    let text = error.to_string();
                    // The line is that of the caller, which is the table's.
                    let located = text.contains("table") || matches!(error, Error::OutOfMemory { .. });
                    if !text.starts_with(&bad.text) || !located {
                        report.fault(format!("should fail with '{}' and its caller's line: {text}", bad.text));
                    }
                }
            }
        }
    }
    reports
}

/// The right answers of a sample, the same for all devices.
struct Wanted {
    /// As the values are, then by 16-bit type.
    results: Vec<Answer>,
    /// The loss is the sum of the result times these.
    weights: Data,
    /// By input of `sample.gradient`.
    slopes: Vec<Slopes>,
    /// Where the sample is differentiated twice.
    curvature: Option<Curvature>,
}

/// A result, with the inputs that it is of.
struct Answer {
    half: Option<DType>,
    inputs: Vec<ArrayD<f64>>,
    y: ArrayD<f64>,
}

/// Derivatives of the loss by some elements of an input.
struct Slopes {
    elements: Vec<usize>,
    values: Vec<f64>,
}

impl Wanted {
    fn of(sample: &Sample) -> Wanted {
        let mut halves: Vec<Option<DType>> = sample.variants.iter().map(|variant| variant.half()).collect();
        halves.push(None); // first in the sorted list: gradients are those of the values as they are
        halves.sort_unstable();
        halves.dedup();
        let result = |half: Option<DType>| {
            let variant = sample.variants.iter().find(|v| v.half() == half).copied().unwrap_or(Variant::Plain);
            let inputs: Vec<ArrayD<f64>> = sample.inputs.iter().map(|x| x.held(variant).values).collect();
            let dtype = half.filter(|_| sample.dtype == DType::F32).unwrap_or(sample.dtype);
            Answer { half, y: (sample.reference)(&inputs).mapv(|y| overflowed(dtype, y)), inputs }
        };
        let results: Vec<Answer> = halves.into_iter().map(result).collect();
        let shape = results.first().filter(|_| !sample.gradient.is_empty()).map_or(&[][..], |answer| answer.y.shape());
        let weights = Data::uniform(shape, -1.0, 1.0, 77);
        let slopes = results.first().into_iter().flat_map(|plain| {
            sample.gradient.iter().map(|&input| Slopes::of(sample, &plain.inputs, input, &weights.values))
        });
        let curvature =
            results.first().and_then(|plain| Curvature::of(sample, &plain.inputs, &plain.y, &weights.values));
        Wanted { slopes: slopes.collect(), curvature, weights, results }
    }

    fn answer(&self, half: Option<DType>) -> Option<&Answer> {
        self.results.iter().find(|answer| answer.half == half)
    }
}

/// Infinite where the type has no number as large, else as it is.
fn overflowed(dtype: DType, y: f64) -> f64 {
    let held = match dtype {
        DType::F16 => f16::from_f64(y).to_f64(),
        DType::BF16 => bf16::from_f64(y).to_f64(),
        _ => f64::from(y as f32),
    };
    if held.is_infinite() { held } else { y }
}

impl Slopes {
    /// Central differences of the loss in f64, at a step at which truncation (step²) and cancellation (2⁻⁵³ / step) are
    /// both below 1e-9.
    fn of(sample: &Sample, inputs: &[ArrayD<f64>], input: usize, weights: &ArrayD<f64>) -> Slopes {
        let Some(x) = inputs.get(input) else { return Slopes { elements: Vec::new(), values: Vec::new() } };
        let elements: Vec<usize> = spread(x.len(), CHECKED).collect();
        let moved = |element: usize, step: f64| {
            let mut inputs = inputs.to_vec();
            if let Some(value) = inputs.get_mut(input).and_then(|x| x.iter_mut().nth(element)) {
                *value += step;
            }
            (sample.reference)(&inputs)
        };
        let slope = |&element: &usize| {
            let step = 1e-5 * x.iter().nth(element).map_or(1.0, |v| v.abs().max(0.1));
            let (above, below) = (moved(element, step), moved(element, -step));
            let change = above.iter().zip(&below).zip(weights).map(|((a, b), w)| (a - b) * w);
            change.sum::<f64>() / (2.0 * step)
        };
        Slopes { values: elements.iter().map(slope).collect(), elements }
    }
}

/// A recorded run.
struct Attempt {
    variant: Variant,
    what: What,
    tensor: Result<Tensor>,
}

enum What {
    Result,
    /// Of entry `n` of the sample's `gradient`; `again` in a second backward pass, which must give the same bits.
    Gradient {
        n: usize,
        again: Option<Result<Tensor>>,
    },
    /// Of the gradient's product with a direction, by entry `n` of the sample's `gradient`.
    Curvature {
        n: usize,
    },
}

fn attempts(sample: &Sample, wanted: &Wanted, device: &Device) -> Vec<Attempt> {
    let mut all = Vec::new();
    for &variant in &sample.variants {
        let inputs: Vec<Tensor> = sample.inputs.iter().map(|x| x.tensor(variant, device)).collect();
        if variant == Variant::Plain || variant.half().is_some() || sample.gradient.is_empty() {
            all.push(Attempt { variant, what: What::Result, tensor: Ok((sample.call)(&inputs)) });
        }
        if sample.gradient.is_empty() || variant.half().is_some() {
            continue;
        }
        let (y, first) = backward(sample, wanted, &inputs, device);
        if variant != Variant::Plain {
            all.push(Attempt { variant, what: What::Result, tensor: Ok(y) });
        }
        let mut second = match variant {
            Variant::Plain => backward(sample, wanted, &inputs, device).1.into_iter().map(Some).collect(),
            _ => Vec::new(),
        };
        second.resize_with(first.len(), || None);
        for (n, (tensor, again)) in first.into_iter().zip(second).enumerate() {
            all.push(Attempt { variant, what: What::Gradient { n, again }, tensor });
        }
    }
    if let Some(curvature) = &wanted.curvature {
        let given = curvature.given(sample, &wanted.weights, device).into_iter().enumerate();
        let variant = Variant::Plain;
        all.extend(given.map(|(n, tensor)| Attempt { variant, what: What::Curvature { n }, tensor }));
    }
    all
}

/// The result, and the gradients of the loss for the inputs of `sample.gradient`.
fn backward(sample: &Sample, wanted: &Wanted, inputs: &[Tensor], device: &Device) -> (Tensor, Vec<Result<Tensor>>) {
    let wants = |i: usize| sample.gradient.contains(&i);
    let leaves: Vec<Tensor> =
        inputs.iter().enumerate().map(|(i, x)| if wants(i) { x.tracked() } else { x.clone() }).collect();
    let y = (sample.call)(&leaves);
    let loss = (&y * &wanted.weights.tensor(Variant::Plain, device)).sum();
    let grads = loss.backward();
    let gradient = |leaf: &Tensor| match &grads {
        // A leaf that no gradient reaches has one of 0; the differences say whether that is right.
        Ok(grads) => Ok(grads.get(leaf).unwrap_or_else(|_| leaf.zeros_like())),
        Err(error) => Err(error.clone()),
    };
    let found = sample.gradient.iter().filter_map(|&i| leaves.get(i)).map(gradient).collect();
    (y.detach(), found)
}

fn check(sample: &Sample, wanted: &Wanted, attempts: &[Attempt], report: &mut Report) {
    for attempt in attempts {
        let variant = attempt.variant;
        let place = |what: &str| format!("{} {variant:?} {what}", sample.label).trim_end().to_string();
        let Some(Answer { inputs, y: reference, .. }) = wanted.answer(variant.half()) else { continue };
        let given = match attempt.tensor.as_ref().map_err(Error::clone).and_then(values) {
            Ok(given) => given,
            Err(error) => {
                report.fault(format!("{}: {error}", place("")));
                continue;
            }
        };
        let dtype = attempt.tensor.as_ref().map_or(DType::F32, Tensor::dtype);
        match &attempt.what {
            What::Result => {
                let right = variant.half().filter(|_| sample.dtype == DType::F32).unwrap_or(sample.dtype);
                if dtype != right {
                    report.fault(format!("{}: gives {dtype}, which should be {right}", place("")));
                }
                if given.shape() != reference.shape() {
                    let (given, right) = (given.shape(), reference.shape());
                    report.fault(format!("{}: gives shape {given:?}, which should be {right:?}", place("")));
                    continue;
                }
                let allowed = sample.bound.allowed(inputs, reference, report.device.kind(), dtype);
                report.compare(place(""), given.iter().zip(reference).zip(&allowed).map(|((y, r), a)| (*y, *r, *a)));
            }
            What::Gradient { n, again } => {
                let (Some(slopes), Some(&input)) = (wanted.slopes.get(*n), sample.gradient.get(*n)) else { continue };
                let place = place(&format!("gradient {input}"));
                if inputs.get(input).is_some_and(|x| x.shape() != given.shape()) {
                    report.fault(format!("{place}: has shape {:?}", given.shape()));
                    continue;
                }
                let scale = slopes.values.iter().fold(0.0, |max: f64, g| max.max(g.abs()));
                let flat: Vec<f64> = given.iter().copied().collect();
                let chosen = slopes.elements.iter().zip(&slopes.values);
                let terms =
                    chosen.map(|(&e, &g)| (flat[e], g, sample.slope * (g.abs() + scale) + 1e-9 * (1.0 + scale)));
                report.compare(place.clone(), terms);
                if let Some(again) = again {
                    let again = again.as_ref().map_err(Error::clone).and_then(values);
                    let same =
                        again.is_ok_and(|again| again.iter().zip(&flat).all(|(a, b)| a.to_bits() == b.to_bits()));
                    report.comparisons += 1;
                    if !same {
                        report.fault(format!("{place}: a second backward pass gives other bits"));
                    }
                }
            }
            What::Curvature { n } => {
                let (Some(curvature), Some(input)) = (&wanted.curvature, sample.gradient.get(*n)) else { continue };
                let Some((elements, products)) = curvature.products.get(*n) else { continue };
                let all = curvature.products.iter().flat_map(|(_, products)| products);
                let scale = all.fold(0.0, |max: f64, p| max.max(p.abs()));
                let flat: Vec<f64> = given.iter().copied().collect();
                // Twice as many operations as the gradient, and sums of their products.
                let allowed = |p: f64| 4.0 * sample.slope * (p.abs() + scale) + 1e-6 * scale + curvature.noise;
                let terms = elements.iter().zip(products).filter_map(|(&e, &p)| Some((*flat.get(e)?, p, allowed(p))));
                report.compare(place(&format!("gradient {input} of the gradient")), terms);
            }
        }
    }
}

/// The values of a tensor of any type.
fn values(x: &Tensor) -> Result<ArrayD<f64>> {
    let flat: Vec<f64> = match x.check()?.dtype() {
        DType::F32 => x.to_vec::<f32>()?.into_iter().map(f64::from).collect(),
        DType::F16 => x.to_vec::<f16>()?.into_iter().map(f64::from).collect(),
        DType::BF16 => x.to_vec::<bf16>()?.into_iter().map(f64::from).collect(),
        DType::U32 => x.to_vec::<u32>()?.into_iter().map(f64::from).collect(),
        DType::I32 => x.to_vec::<i32>()?.into_iter().map(f64::from).collect(),
        DType::Bool => x.to_vec::<bool>()?.into_iter().map(|v| f64::from(u8::from(v))).collect(),
    };
    let shape = x.shape();
    ArrayD::from_shape_vec(IxDyn(&shape), flat)
        .map_err(|_| Error::internal("verify", format!("values do not fill shape {shape}")))
}

impl Report {
    fn new(op: &'static str, device: &Device) -> Report {
        Report {
            op,
            device: device.clone(),
            comparisons: 0,
            elements: 0,
            worst: 0.0,
            worst_at: String::new(),
            faults: 0,
            failure: None,
        }
    }

    /// Whether everything was within bounds.
    pub fn passed(&self) -> bool {
        self.faults == 0
    }

    fn fault(&mut self, text: String) {
        self.faults += 1;
        let kind = match self.device.kind() {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Gpu => "gpu",
        };
        self.failure.get_or_insert_with(|| format!("{} on {kind}: {text}", self.op));
    }

    /// Holds `(given, right, allowed)` together; one comparison.
    fn compare(&mut self, place: String, elements: impl Iterator<Item = (f64, f64, f64)>) {
        self.comparisons += 1;
        let mut out_of_bounds = None;
        for (i, (given, right, allowed)) in elements.enumerate() {
            self.elements += 1;
            let same = given == right || given.is_nan() && right.is_nan();
            if same || allowed == f64::INFINITY {
                continue;
            }
            let error = (given - right).abs();
            // NaN against a number, or the wrong infinity, is infinitely far off.
            let relative = if error.is_nan() || right.is_infinite() { f64::INFINITY } else { error / allowed };
            if relative > self.worst {
                self.worst = relative;
                self.worst_at = place.clone();
            }
            if relative > 1.0 && out_of_bounds.is_none() {
                out_of_bounds = Some(format!("{place}: element {i} is {given:e}, right is {right:e} ± {allowed:.1e}"));
            }
        }
        if let Some(text) = out_of_bounds {
            self.fault(text);
        }
    }
}
