//! Every layer against its formula in f64, values and all gradients, on every device of this machine.

use tilework::nn::{BatchNorm1d, Flatten, LayerNorm, Mode, Module, RmsNorm};
use tilework::{Device, Rng, Tensor};

fn devices() -> Vec<Device> {
    let mut all = vec![Device::cpu()];
    match Device::gpu() {
        Ok(gpu) => all.push(gpu),
        Err(error) => {
            assert!(std::env::var("TILEWORK_REQUIRE_GPU").is_err(), "a GPU device is required here: {error}");
            println!("no GPU device: {error}");
        }
    }
    all
}

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
        (Box::new(LayerNorm::new([4], &device)), &[2, 3], "[2, 3], layer [4]"),
        (Box::new(RmsNorm::new([4, 2], &device)), &[4], "[4], layer [4, 2]"),
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
