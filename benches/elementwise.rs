//! Element-wise formulas on each device, from within caches to beyond them. `cargo bench --bench elementwise`; beside PyTorch and
//! JAX: `benches/peers/tensors.sh elementwise`

mod common;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use tilework::{Device, Rng, Tensor};

/// A formula, and the arrays that it reads and writes.
type Case = (&'static str, u64, fn(&Tensor, &Tensor) -> Tensor);

const CASES: [Case; 5] = [
    ("relu(2x+y)", 3, |x, y| (x * 2.0 + y).relu()),
    ("exp", 2, |x, _| x.exp()),
    ("tanh", 2, |x, _| x.tanh()),
    ("gelu", 2, |x, _| x.gelu()),
    ("row added", 2, |x, _| x.reshape([x.numel() / 1024, 1024]) + x.slice(0, 0..1024)),
];

fn elementwise(c: &mut Criterion) {
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
        let mut group = c.benchmark_group(format!("elementwise/{}", device.kind()));
        for elements in [1usize << 14, 1 << 20, 1 << 24] {
            let uniform = |seed| Tensor::uniform(elements, -1.0, 1.0, &mut Rng::seed(seed), &device);
            let (x, y) = (uniform(1), uniform(2));
            for (name, arrays, formula) in CASES {
                group.throughput(Throughput::Bytes(4 * arrays * elements as u64));
                group.bench_function(BenchmarkId::new(name, elements), |b| {
                    b.iter(|| {
                        let held = formula(&x, &y);
                        held.check().expect("shapes fit");
                        device.synchronize().expect("it ran");
                    });
                });
            }
        }
        group.finish();
    }
}

/// What a script asks for by name, over 16 M numbers: a formula, `softmax` over rows of 1024, or `copy`, the limit of both.
fn asked(name: &str) -> Box<dyn FnMut()> {
    let device = Device::cpu();
    let uniform = |shape: &[usize]| Tensor::uniform(shape, -1.0, 1.0, &mut Rng::seed(1), &device);
    let (x, formula): (Tensor, fn(&Tensor) -> Tensor) = match name {
        "copy" => return copy(),
        "softmax" => (uniform(&[4096, 1024]), |x| x.softmax(-1)),
        "relu(2x+1)" => (uniform(&[1 << 24]), |x| (x * 2.0 + 1.0).relu()),
        "exp" => (uniform(&[1 << 24]), Tensor::exp),
        "tanh" => (uniform(&[1 << 24]), Tensor::tanh),
        "gelu" => (uniform(&[1 << 24]), Tensor::gelu),
        _ => panic!("no case of this name: {name}"),
    };
    Box::new(move || {
        let held = formula(&x);
        held.check().expect("shapes fit");
        device.synchronize().expect("it ran");
    })
}

/// From one array to another, by as many threads as the device has. Both in large pages where the system has them, as the
/// device's own memory.
fn copy() -> Box<dyn FnMut()> {
    let threads = std::env::var("TILEWORK_THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    let [from, mut to] = [1.0, 0.0].map(|value| {
        let mut array = vec![0f32; 1 << 24];
        ask_for_large_pages(&mut array);
        array.fill(value);
        array
    });
    Box::new(move || {
        let part = from.len().div_ceil(threads);
        std::thread::scope(|scope| {
            for (to, from) in to.chunks_mut(part).zip(from.chunks(part)) {
                scope.spawn(|| std::hint::black_box(to).copy_from_slice(from));
            }
        });
    })
}

fn ask_for_large_pages(array: &mut [f32]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 1 << 16;
        let start = array.as_mut_ptr().cast::<u8>();
        let head = start.align_offset(PAGE);
        let whole = (size_of_val(array) - head) / PAGE * PAGE;
        // SAFETY: the range lies within the array, and the advice changes no content.
        unsafe { libc::madvise(start.add(head).cast(), whole, libc::MADV_HUGEPAGE) };
    }
    let _ = array;
}

criterion_group!(benches, elementwise);

fn main() {
    if !common::beside::answers(asked) {
        benches();
        Criterion::default().configure_from_args().final_summary();
    }
}
