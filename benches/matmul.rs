//! Matrix products on each device: square, transposed, batched, with a vector, and with bias and activation.
//! `cargo bench --bench matmul`; beside PyTorch: `benches/peers/tensors.sh matmul`

mod common;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use tilework::{Device, Rng, Tensor};

fn uniform(shape: &[usize], seed: u64, device: &Device) -> Tensor {
    Tensor::uniform(shape, -1.0, 1.0, &mut Rng::seed(seed), device)
}

/// One product, done when it returns.
fn run(held: Tensor, device: &Device) {
    held.check().expect("operands fit");
    device.synchronize().expect("it ran");
}

fn matmul(c: &mut Criterion) {
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        // A CPU that plays a GPU would take minutes.
        let largest = if device.is_software() { 256 } else { 2048 };
        let mut group = c.benchmark_group(format!("matmul/{}", device.kind()));
        let mut bench = |name: &str, n: usize, flops: f64, product: &dyn Fn() -> Tensor| {
            group.throughput(Throughput::Elements(flops as u64)); // criterion's Gelem/s are GFLOP/s
            group.bench_function(BenchmarkId::new(name, n), |b| b.iter(|| run(product(), &device)));
        };
        for n in [64, 256, 512, 1024, 2048].into_iter().filter(|&n| n <= largest) {
            let (a, b) = (uniform(&[n, n], 1, &device), uniform(&[n, n], 2, &device));
            bench("square", n, 2.0 * (n as f64).powi(3), &|| a.matmul(&b));
        }
        for n in [512, 1024].into_iter().filter(|&n| n <= largest) {
            let (a, b) = (uniform(&[n, n], 1, &device), uniform(&[n, n], 2, &device));
            let flops = 2.0 * (n as f64).powi(3);
            bench("left transposed", n, flops, &|| a.t().matmul(&b));
            bench("right transposed", n, flops, &|| a.matmul(&b.t()));
            let vector = uniform(&[n, 1], 3, &device);
            bench("vector", n, 2.0 * (n * n) as f64, &|| a.matmul(&vector));
        }
        let (x, w, bias) =
            (uniform(&[128, 784], 1, &device), uniform(&[784, 512], 2, &device), uniform(&[512], 3, &device));
        bench("dense with relu", 128, 2.0 * (128 * 784 * 512) as f64, &|| (x.matmul(&w) + &bias).relu());
        let (a, b) = (uniform(&[32, 64, 64], 1, &device), uniform(&[32, 64, 64], 2, &device));
        bench("batch of 32", 64, 2.0 * 32.0 * 64f64.powi(3), &|| a.matmul(&b));
        group.finish();
    }
}

/// A product as a script asks for it: `nn M N K`, or `tn` and `nt` where the left or the right operand lies transposed.
fn asked(request: &str) -> Box<dyn FnMut()> {
    let mut words = request.split_whitespace();
    let lies = words.next().expect("nn, tn or nt").to_string();
    let [m, n, k] = std::array::from_fn(|_| words.next().and_then(|word| word.parse().ok()).expect("M, N and K"));
    let device = Device::cpu();
    let operand = |rows, columns, seed, turned| match turned {
        true => uniform(&[columns, rows], seed, &device).t(),
        false => uniform(&[rows, columns], seed, &device),
    };
    let (a, b) = (operand(m, k, 1, lies == "tn"), operand(k, n, 2, lies == "nt"));
    Box::new(move || run(a.matmul(&b), &device))
}

criterion_group!(benches, matmul);

fn main() {
    if !common::beside::answers(asked) {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
