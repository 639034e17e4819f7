//! Every layer against its formula in f64, values and all gradients, on every device of this machine.

mod common;

use common::devices;
use tilework::nn::{
    BatchNorm1d, Elu, Embedding, Flatten, Gelu, GeluTanh, HardSigmoid, HardSwish, Init, LayerNorm, LeakyRelu, Linear,
    LogSigmoid, LogSoftmax, Mish, Mode, Module, PRelu, Relu, RmsNorm, Selu, Sigmoid, Silu, Softmax, Softplus, Softsign,
    Tanh,
};
use tilework::{DType, Device, Rng, Tensor};

fn draws(stream: u64, n: usize) -> Vec<f32> {
    Rng::seed(stream).uniforms(n).into_iter().map(|u| 4.0 * u - 2.0).collect()
}

/// All numbers that a layer's output depends on: its input, then its parameters in order.
type Formula<'a> = &'a dyn Fn(&[Vec<f64>]) -> Vec<f64>;

/// The output of a layer (its parameters first set to drawn numbers), and the gradients of a weighted sum of it by everything it
/// depends on, against `formula` and its central differences.
fn holds(make: impl Fn(&Device) -> Box<dyn Module>, shape: &[usize], formula: Formula) {
    let device = Device::cpu();
    let sizes: Vec<usize> = make(&device).parameters().iter().map(|(_, p)| p.tensor().numel()).collect();
    let mut given = vec![draws(1, shape.iter().product())];
    given.extend(sizes.iter().zip(2..).map(|(&n, stream)| draws(stream, n)));
    let wide: Vec<Vec<f64>> = given.iter().map(|part| part.iter().map(|&x| f64::from(x)).collect()).collect();
    let values = formula(&wide);
    let weights = draws(99, values.len());
    let total = |at: &[Vec<f64>]| formula(at).iter().zip(&weights).map(|(y, w)| y * f64::from(*w)).sum::<f64>();
    let step = 1e-5; // of f64: cuts off 1e-10 and rounds off 1e-11 of values near 1
    for device in devices() {
        let layer = make(&device);
        let name = layer.kind();
        let params = layer.parameters();
        for ((_, param), values) in params.iter().zip(&given[1..]) {
            param.set(&Tensor::from_slice(values, param.tensor().shape(), &device)).unwrap();
        }
        let x = Tensor::from_slice(&given[0], shape, &device).tracked();
        let y = layer.forward(&x);
        let loss = (y.flatten() * Tensor::from_slice(&weights, [weights.len()], &device)).sum();
        let grads = loss.backward().unwrap();
        let got = y.to_vec::<f32>().unwrap();
        // f32 sums of a few dozen terms near 1; gradients gather up to a hundred of them
        for (i, (got, want)) in got.iter().zip(&values).enumerate() {
            assert!(
                (f64::from(*got) - want).abs() < 1e-5 * want.abs().max(1.0),
                "{name} on {device}: {i}: {got}, not {want}"
            );
        }
        assert_eq!(got.len(), values.len());
        let leaves = std::iter::once(x.clone()).chain(params.iter().map(|(_, param)| param.tensor()));
        for (part, leaf) in leaves.enumerate() {
            for (i, got) in grads.get(&leaf).unwrap().to_vec::<f32>().unwrap().iter().enumerate() {
                let at = |d: f64| {
                    let mut moved = wide.clone();
                    moved[part][i] += d;
                    total(&moved)
                };
                let want = (at(step) - at(-step)) / (2.0 * step);
                let close = (f64::from(*got) - want).abs() < 3e-5 * want.abs().max(1.0);
                assert!(close, "{name} on {device}: gradient {i} of part {part} is {got}, not {want}");
            }
        }
    }
}

/// Each group of numbers less its mean, divided by the root of its variance.
fn standardised(x: &[f64], group: impl Fn(usize) -> usize) -> Vec<f64> {
    let groups = (0..x.len()).map(&group).max().map_or(0, |g| g + 1);
    let mut sums = vec![(0.0, 0.0); groups];
    x.iter().enumerate().for_each(|(i, x)| sums[group(i)] = (sums[group(i)].0 + 1.0, sums[group(i)].1 + x));
    let mean = |i: usize| sums[group(i)].1 / sums[group(i)].0;
    let mut squares = vec![0.0; groups];
    x.iter().enumerate().for_each(|(i, x)| squares[group(i)] += (x - mean(i)).powi(2));
    let var = |i: usize| squares[group(i)] / sums[group(i)].0;
    x.iter().enumerate().map(|(i, x)| (x - mean(i)) / (var(i) + 1e-5).sqrt()).collect()
}

#[test]
fn layer_norm_is_its_formula() {
    for (shape, over) in
        [(vec![6, 10], vec![10]), (vec![3, 4, 5], vec![5]), (vec![3, 4, 5], vec![4, 5]), (vec![7], vec![7])]
    {
        let n: usize = over.iter().product();
        let formula = |at: &[Vec<f64>]| {
            let z = standardised(&at[0], |i| i / n);
            z.iter().enumerate().map(|(i, z)| z * at[1][i % n] + at[2][i % n]).collect()
        };
        holds(|device| Box::new(LayerNorm::new(&over[..], device)), &shape, &formula);
    }
}

#[test]
fn rms_norm_is_its_formula() {
    let formula = |at: &[Vec<f64>]| {
        let scaled = at[0].chunks(10).flat_map(|row| {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / 10.0;
            row.iter().zip(&at[1]).map(move |(x, w)| x / (mean + f64::from(f32::EPSILON)).sqrt() * w)
        });
        scaled.collect()
    };
    holds(|device| Box::new(RmsNorm::new([10], device)), &[6, 10], &formula);
}

#[test]
fn batch_norm_is_its_formula_while_learning() {
    for (shape, length) in [(vec![8, 5], 1), (vec![4, 5, 3], 3)] {
        let feature = |i: usize| i / length % 5;
        let formula = |at: &[Vec<f64>]| {
            let z = standardised(&at[0], feature);
            z.iter().enumerate().map(|(i, z)| z * at[1][feature(i)] + at[2][feature(i)]).collect()
        };
        holds(|device| Box::new(BatchNorm1d::new(5, device)), &shape, &formula);
    }
}

#[test]
fn batch_norm_is_its_formula_in_use() {
    let make = |device: &Device| -> Box<dyn Module> {
        let layer = BatchNorm1d::new(2, device);
        layer.running_mean.set(&Tensor::from_vec(vec![0.5, -1.0], [2], device)).unwrap();
        layer.running_var.set(&Tensor::from_vec(vec![4.0, 0.25], [2], device)).unwrap();
        layer.set_mode(Mode::Eval);
        Box::new(layer)
    };
    let formula = |at: &[Vec<f64>]| {
        let z = at[0].iter().enumerate().map(|(i, x)| {
            let (mean, var, f) = if i / 3 % 2 == 0 { (0.5, 4.0f64, 0) } else { (-1.0, 0.25, 1) };
            (x - mean) / (var + 1e-5).sqrt() * at[1][f] + at[2][f]
        });
        z.collect()
    };
    holds(make, &[1, 2, 3], &formula);
}

#[test]
fn running_values_move_a_tenth_towards_each_batch() {
    for device in devices() {
        let layer = BatchNorm1d::new(2, &device);
        let (mut mean, mut var) = ([0.0; 2], [1.0; 2]);
        for step in 0..5 {
            let x = draws(step, 12);
            layer.forward(&Tensor::from_slice(&x, [6, 2], &device)).check().unwrap();
            for f in 0..2 {
                let column: Vec<f64> = x.iter().skip(f).step_by(2).map(|&x| f64::from(x)).collect();
                let m = column.iter().sum::<f64>() / 6.0;
                mean[f] = 0.9 * mean[f] + 0.1 * m;
                var[f] = 0.9 * var[f] + 0.1 * column.iter().map(|x| (x - m).powi(2)).sum::<f64>() / 5.0;
            }
        }
        layer.set_mode(Mode::Eval);
        layer.forward(&Tensor::ones([6, 2], &device)).check().unwrap(); // leaves them alone
        for (buffer, want) in [(&layer.running_mean, mean), (&layer.running_var, var)] {
            for (got, want) in buffer.get().to_vec::<f32>().unwrap().iter().zip(want) {
                assert!((f64::from(*got) - want).abs() < 1e-6, "{device}: {got}, not {want}");
            }
        }
    }
}

#[test]
fn large_means_do_not_drown_small_differences() {
    for device in devices() {
        let x: Vec<f32> = (0..64).map(|i| 10_000.0 + (i % 4) as f32).collect();
        let want = |i: usize| ((i % 4) as f32 - 1.5) / 1.25f32.sqrt();
        let x = Tensor::from_vec(x, [16, 4], &device);
        let rows = LayerNorm::new([4], &device).forward(&x).to_vec::<f32>().unwrap();
        let columns =
            BatchNorm1d::new(4, &device).forward(&x.reshape([4, 16]).t().contiguous()).to_vec::<f32>().unwrap();
        for i in 0..64 {
            assert!((rows[i] - want(i)).abs() < 1e-4, "{device}: {} instead of {}", rows[i], want(i));
            assert!((columns[i] - want(i / 4)).abs() < 1e-4, "{device}: {} instead of {}", columns[i], want(i / 4));
        }
    }
}

#[test]
fn saved_running_values_come_back() {
    let device = Device::cpu();
    let (layer, other) = (BatchNorm1d::new(3, &device), BatchNorm1d::new(3, &device));
    layer.forward(&Tensor::from_vec(draws(1, 12), [4, 3], &device)).check().unwrap();
    other.load_state(&layer.state()).unwrap();
    assert_eq!(other.running_var.get().to_vec::<f32>().unwrap(), layer.running_var.get().to_vec::<f32>().unwrap());
    assert_eq!(other.running_mean.get().to_vec::<f32>().unwrap(), layer.running_mean.get().to_vec::<f32>().unwrap());
}

#[test]
fn inputs_of_another_shape_are_errors_that_name_both() {
    let device = Device::cpu();
    let cases: [(Box<dyn Module>, &[usize], &str); 5] = [
        (Box::new(LayerNorm::new([4], &device)), &[2, 3], "input [2, 3], weight [4]"),
        (Box::new(RmsNorm::new([4, 2], &device)), &[4], "input [4], weight [4, 2]"),
        (Box::new(BatchNorm1d::new(4, &device)), &[2, 3], "[2, 3], layer [4]"),
        (Box::new(BatchNorm1d::new(4, &device)), &[4], "[4], layer [4]"),
        (Box::new(BatchNorm1d::new(4, &device)), &[1, 4], "[1, 4]"),
    ];
    for (layer, shape, text) in cases {
        let error = layer.forward(&Tensor::zeros(shape, &device)).check().unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    assert!(Flatten.forward(&Tensor::scalar(1.0, &device)).check().is_err());
}

#[test]
fn flatten_keeps_the_batch() {
    for device in devices() {
        let x = Tensor::from_vec(draws(1, 24), [2, 3, 4], &device).tracked();
        let y = Flatten.forward(&x);
        assert_eq!(y.shape(), [2, 12]);
        assert_eq!(y.to_vec::<f32>().unwrap(), draws(1, 24));
        let grads = (&y * &y).sum().backward().unwrap().get(&x).unwrap();
        assert_eq!(grads.shape(), [2, 3, 4]);
        assert_eq!(grads.to_vec::<f32>().unwrap(), draws(1, 24).iter().map(|x| 2.0 * x).collect::<Vec<_>>());
        assert_eq!(Flatten.forward(&Tensor::zeros([0, 3, 4], &device)).shape(), [0, 12]);
    }
}

#[test]
fn activations_are_their_formulas() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let softplus = |x: f64| x.exp().ln_1p();
    let tanh_form =
        |x: f64| 0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh());
    let elu = move |x: f64, alpha: f64| if x > 0.0 { x } else { alpha * x.exp_m1() };
    type Case<'a> = (fn() -> Box<dyn Module>, &'a dyn Fn(f64) -> f64);
    let cases: [Case; 16] = [
        (|| Box::new(Relu), &|x| x.max(0.0)),
        (|| Box::new(LeakyRelu::default()), &|x| if x > 0.0 { x } else { 0.01 * x }),
        (|| Box::new(LeakyRelu { slope: 0.3 }), &|x| if x > 0.0 { x } else { f64::from(0.3f32) * x }),
        (|| Box::new(Sigmoid), &sigmoid),
        (|| Box::new(LogSigmoid), &|x| sigmoid(x).ln()),
        (|| Box::new(Tanh), &f64::tanh),
        (|| Box::new(GeluTanh), &tanh_form),
        (|| Box::new(Silu), &|x| x * sigmoid(x)),
        (|| Box::new(Elu::default()), &|x| elu(x, 1.0)),
        (|| Box::new(Elu { alpha: 0.5 }), &|x| elu(x, 0.5)),
        (|| Box::new(Selu), &|x| 1.0507009873554805 * elu(x, 1.6732632423543772)),
        (|| Box::new(Mish), &|x| x * softplus(x).tanh()),
        (|| Box::new(Softplus), &softplus),
        (|| Box::new(Softsign), &|x| x / (1.0 + x.abs())),
        (|| Box::new(HardSigmoid), &|x| ((x + 3.0) / 6.0).clamp(0.0, 1.0)),
        (|| Box::new(HardSwish), &|x| x * ((x + 3.0) / 6.0).clamp(0.0, 1.0)),
    ];
    for (make, formula) in cases {
        holds(|_| make(), &[3, 8], &|at| at[0].iter().map(|&x| formula(x)).collect());
    }
    // the error function is not in the standard library: known values of x·Φ(x)
    let y = Gelu.forward(&Tensor::from_vec(vec![-1.0f32, 0.5, 2.0], [3], &Device::cpu())).to_vec::<f32>().unwrap();
    for (y, want) in y.iter().zip([-0.158_655_25, 0.345_731_23, 1.954_499_7]) {
        assert!((y - want).abs() < 1e-6, "{y}, not {want}");
    }
}

#[test]
fn softmax_layers_work_along_their_axis() {
    let softmax = |x: &[f64], stride: usize, n: usize| -> Vec<f64> {
        let first = |i: usize| i / (stride * n) * stride * n + i % stride;
        let sum = |i: usize| (0..n).map(|k| x[first(i) + k * stride].exp()).sum::<f64>();
        (0..x.len()).map(|i| x[i].exp() / sum(i)).collect()
    };
    holds(|_| Box::new(Softmax::default()), &[4, 5], &|at| softmax(&at[0], 1, 5));
    holds(|_| Box::new(Softmax { axis: 0 }), &[4, 5], &|at| softmax(&at[0], 5, 4));
    let logs = |y: Vec<f64>| y.into_iter().map(f64::ln).collect();
    holds(|_| Box::new(LogSoftmax::default()), &[4, 5], &|at| logs(softmax(&at[0], 1, 5)));
    holds(|_| Box::new(LogSoftmax { axis: -2 }), &[2, 3, 4], &|at| logs(softmax(&at[0], 4, 3)));
}

#[test]
fn prelu_learns_one_slope_or_one_a_feature() {
    let formula = |slopes: usize, length: usize| {
        move |at: &[Vec<f64>]| {
            let slope = |i: usize| at[1][i / length % 3 % slopes];
            at[0].iter().enumerate().map(|(i, &x)| if x > 0.0 { x } else { slope(i) * x }).collect()
        }
    };
    holds(|device| Box::new(PRelu::new(1, device)), &[4, 3], &formula(1, 1));
    holds(|device| Box::new(PRelu::new(3, device)), &[4, 3], &formula(3, 1));
    holds(|device| Box::new(PRelu::new(3, device)), &[2, 3, 4], &formula(3, 4));
    let error = PRelu::new(2, &Device::cpu()).forward(&Tensor::zeros([4, 3], &Device::cpu()));
    let error = error.check().unwrap_err().to_string();
    assert!(error.contains("input [4, 3], slopes 2"), "{error}");
}

#[test]
fn an_embedding_picks_rows_and_its_gradient_counts_them() {
    for device in devices() {
        let layer = Embedding::new(5, 3, &mut Rng::seed(1), &device);
        let table = layer.weight.tensor().to_vec::<f32>().unwrap();
        for dtype in [DType::U32, DType::I32] {
            let words = Tensor::from_vec(vec![4u32, 0, 4, 2, 4, 0], [2, 3], &device).to_dtype(dtype);
            let y = layer.forward(&words);
            assert_eq!(y.shape(), [2, 3, 3]);
            let want: Vec<f32> = [4, 0, 4, 2, 4, 0].iter().flat_map(|&row| table[3 * row..][..3].to_vec()).collect();
            assert_eq!(y.to_vec::<f32>().unwrap(), want, "{device}");
            let slopes = y.sum().backward().unwrap().get(&layer.weight.tensor()).unwrap();
            let counts = [2.0, 0.0, 1.0, 0.0, 3.0];
            assert_eq!(slopes.to_vec::<f32>().unwrap(), counts.map(|n| [n; 3]).concat(), "{device}");
        }
    }
}

#[test]
fn padding_of_an_embedding_is_zero_and_does_not_learn() {
    for device in devices() {
        let layer = Embedding::new(4, 2, &mut Rng::seed(1), &device).with_padding(3);
        let y = layer.forward(&Tensor::from_vec(vec![3i32, 1, 3], [3], &device));
        let values = y.to_vec::<f32>().unwrap();
        assert_eq!((&values[..2], &values[4..]), (&[0.0, 0.0][..], &[0.0, 0.0][..]), "{device}");
        assert!(values[2] != 0.0 && values[3] != 0.0);
        let slopes = y.sum().backward().unwrap().get(&layer.weight.tensor()).unwrap();
        assert_eq!(slopes.to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{device}");
    }
}

#[test]
fn wrong_words_are_nan_and_floats_are_an_error() {
    for device in devices() {
        let layer = Embedding::new(4, 2, &mut Rng::seed(1), &device);
        for wrong in [Tensor::from_vec(vec![4u32, 1], [2], &device), Tensor::from_vec(vec![-1i32, 1], [2], &device)] {
            let y = layer.forward(&wrong);
            let values = y.to_vec::<f32>().unwrap();
            assert!(values[..2].iter().all(|y| y.is_nan()) && values[2..].iter().all(|y| y.is_finite()), "{device}");
            let slopes = y.sum().backward().unwrap().get(&layer.weight.tensor()).unwrap();
            assert_eq!(slopes.to_vec::<f32>().unwrap(), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0], "{device}");
        }
        let error = layer.forward(&Tensor::zeros([2], &device)).check().unwrap_err().to_string();
        assert!(error.starts_with("embedding: an index is u32 or i32: given f32; convert it with to_dtype"), "{error}");
    }
}

/// Mean, variance and the largest magnitude of a start.
fn moments(init: Init, shape: [usize; 2]) -> [f64; 3] {
    let values = init.tensor(shape, &mut Rng::seed(3), &Device::cpu()).to_vec::<f32>().unwrap();
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let var = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
    [mean, var, values.iter().fold(0.0, |most, &v| f64::from(v.abs()).max(most))]
}

#[test]
fn parameters_start_as_their_formulas_say() {
    let (fan_out, fan_in) = (200usize, 300usize);
    let (i, o) = (fan_in as f64, fan_out as f64);
    let uniform = |bound: f64| (bound * bound / 3.0, bound);
    let normal = |var: f64| (var, f64::INFINITY);
    let cases = [
        (Init::KaimingUniform, uniform((6.0 / i).sqrt())),
        (Init::KaimingNormal, normal(2.0 / i)),
        (Init::XavierUniform, uniform((6.0 / (i + o)).sqrt())),
        (Init::XavierNormal, normal(2.0 / (i + o))),
        (Init::Uniform { low: -0.5, high: 0.5 }, uniform(0.5)),
        (Init::Normal { mean: 0.0, std: 2.0 }, normal(4.0)),
    ];
    for (init, (var, bound)) in cases {
        let [mean, got, most] = moments(init, [fan_out, fan_in]);
        // of 60,000 draws the mean is off by var.sqrt() / 245, the variance by a share of sqrt(2 / 60,000): four times these
        assert!(mean.abs() < 4.0 * var.sqrt() / 245.0, "{init:?}: mean {mean}");
        assert!((got / var - 1.0).abs() < 0.023, "{init:?}: variance {got}, not {var}");
        assert!(most <= bound * (1.0 + 1e-6) && (bound.is_infinite() || most > 0.999 * bound), "{init:?}: {most}");
    }
    assert_eq!(moments(Init::Constant(0.5), [2, 3]), [0.5, 0.0, 0.5]);
    assert_eq!(moments(Init::Zeros, [2, 3]), [0.0; 3]);
    assert_eq!(moments(Init::Ones, [2, 3]), [1.0, 0.0, 1.0]);
}

#[test]
fn a_linear_layer_starts_within_one_over_the_root_of_its_inputs() {
    for device in devices() {
        let layer = Linear::new(400, 100, &mut Rng::seed(2), &device);
        for (name, param) in layer.parameters() {
            let values = param.tensor().to_vec::<f32>().unwrap();
            let most = values.iter().fold(0.0f32, |most, v| v.abs().max(most));
            assert!(most <= 0.05 && most > 0.045, "{name} on {device}: {most}");
            let [mean] = [values.iter().sum::<f32>() / values.len() as f32];
            assert!(mean.abs() < 4.0 * 0.029 / (values.len() as f32).sqrt(), "{name}: mean {mean}"); // four deviations
        }
        let bare = layer.without_bias();
        assert_eq!(bare.parameters().len(), 1);
    }
}
