//! What the GPU promises, held on whatever adapter there is; in CI that is lavapipe.

mod faults;
mod reuse;
mod rng;

use std::task::Poll;

use super::*;
use crate::device::launch::{Arg, Word};
use crate::device::shader::{Access, bindings};

/// The best adapter, or none where there is none and none is required.
fn adapter() -> Option<GpuInfo> {
    let found = adapters().into_iter().next();
    if found.is_none() {
        assert!(std::env::var("TILEWORK_REQUIRE_GPU").as_deref() != Ok("1"), "TILEWORK_REQUIRE_GPU=1, but no adapter");
        println!("no adapter: skipped");
    }
    found
}

pub(super) fn open() -> Option<Gpu> {
    Some(Gpu::open(&adapter()?).unwrap())
}

/// A host application's device with these limits.
fn host_device(info: &GpuInfo, limits: wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    let descriptor = wgpu::DeviceDescriptor { required_limits: limits, ..Default::default() };
    pollster::block_on(info.adapter().request_device(&descriptor)).unwrap()
}

/// `out[i] = a[i] + scale * b[i]` for `i < n`, one element an invocation; the scale is variable 0.
fn axpy(n: usize) -> Launch {
    let declared = bindings(&[("a", "f32", Access::Read), ("b", "f32", Access::Read), ("o", "f32", Access::Write)], 2);
    let index = include_str!("../../../shaders/lib/index.wgsl");
    let source = format!(
        "{index}{declared}
        @compute @workgroup_size(64)
        fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) count: vec3<u32>,
                @builtin(local_invocation_index) lane: u32) {{
            let i = group_index(wid, count) * 64u + lane;
            if (i >= p[0].x) {{ return; }}
            o[i] = a[i] + bitcast<f32>(p[0].y) * b[i];
        }}"
    );
    Launch {
        name: "axpy",
        source: source.into(),
        args: vec![Arg::Read(0), Arg::Read(1), Arg::Write(2)],
        words: vec![Word::from(n), Word::Var(0)],
        groups: n.div_ceil(64) as u64,
        work: 5 * n as u64,
    }
}

/// `o[i] = a[i] + b[i] * scale`, `times` over: buffers 0 and 1 into 2, 2 and 1 into 3, and so on.
fn chain(n: usize, times: usize) -> Vec<Launch> {
    let next = |step: usize| {
        move |buffer: usize| {
            if buffer == 0 && step > 0 {
                step + 1
            } else if buffer == 2 {
                step + 2
            } else {
                buffer
            }
        }
    };
    (0..times).map(|step| axpy(n).renumber(next(step), |var| var)).collect()
}

fn floats(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn read(gpu: &Gpu, buffer: &GpuBuffer) -> Result<Vec<f32>> {
    Ok(gpu.read(buffer, 0, buffer.words())?.into_iter().map(f32::from_bits).collect())
}

/// `a + scale * b` of `n` small integers, checked.
fn axpy_is_right(gpu: &Gpu, prepared: &Prepared, n: usize, scale: f32) -> Result<()> {
    let a: Vec<f32> = (0..n).map(|i| (i % 1000) as f32).collect();
    let b: Vec<f32> = (0..n).map(|i| (i % 7) as f32).collect();
    let buffers = [gpu.upload(&floats(&a))?, gpu.upload(&floats(&b))?, gpu.alloc(n)?];
    gpu.run(prepared, &buffers, &[scale.to_bits()])?;
    let got = read(gpu, &buffers[2])?;
    let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| a + scale * b).collect(); // exact: small integers
    assert!(got == expected, "n {n}, scale {scale}");
    Ok(())
}

#[test]
fn a_kernel_computes_with_checks_and_without() {
    let Some(which) = adapter() else { return };
    for checks in [Checks::Checked, Checks::Trusted] {
        let gpu = Gpu::open_with(&which, checks).unwrap();
        for n in [1, 63, 64, 65, 1000] {
            axpy_is_right(&gpu, &gpu.prepare(vec![axpy(n)]).unwrap(), n, 3.0).unwrap();
        }
        assert_eq!(gpu.stats().pipelines, 1, "one text, one pipeline, whatever the sizes");
    }
}

#[test]
fn more_groups_than_a_dimension_holds_are_folded() {
    let Some(gpu) = open() else { return };
    let n = 65_535 * 64 + 65;
    axpy_is_right(&gpu, &gpu.prepare(vec![axpy(n)]).unwrap(), n, 2.0).unwrap();
}

#[test]
fn groups_are_folded_in_three_dimensions_at_low_limits() {
    let Some(which) = adapter() else { return };
    let limits = wgpu::Limits { max_compute_workgroups_per_dimension: 3, ..Default::default() };
    let (device, queue) = host_device(&which, limits);
    let gpu = Gpu::from_wgpu(which.adapter(), device, queue).unwrap();
    for n in [3 * 64, 9 * 64 + 1, 26 * 64 + 1, 27 * 64] {
        axpy_is_right(&gpu, &gpu.prepare(vec![axpy(n)]).unwrap(), n, 2.0).unwrap();
    }
    let error = gpu.prepare(vec![axpy(27 * 64 + 1)]).err().unwrap();
    assert_eq!(error.code(), "argument", "{error}");
}

#[test]
fn uploads_and_reads_longer_than_a_chunk_arrive_whole() {
    let Some(gpu) = open() else { return };
    let words: Vec<u32> = (0..(80 << 20) / 4).collect();
    let buffer = gpu.upload(&words).unwrap();
    assert!(gpu.read(&buffer, 0, words.len()).unwrap() == words);
    let (start, len) = (12_345, 9 << 20);
    assert!(gpu.read(&buffer, start, len).unwrap() == words[start..start + len]);
}

#[test]
fn an_empty_buffer_has_room_for_a_word_and_reads_empty() {
    let Some(gpu) = open() else { return };
    let buffer = gpu.upload(&[]).unwrap();
    assert_eq!(buffer.words(), 0);
    assert!(gpu.read(&buffer, 0, 0).unwrap().is_empty());
    assert!(gpu.stats().bytes_in_use >= 4);
    gpu.run(&gpu.prepare(Vec::new()).unwrap(), &[], &[]).unwrap();
}

#[test]
fn many_reads_are_awaited_at_once_and_may_be_abandoned() {
    let Some(gpu) = open() else { return };
    let buffers: Vec<_> = (0..16u32).map(|i| gpu.upload(&[i; 100]).unwrap()).collect();
    drop(gpu.read_async(&buffers[0], 0, 100)); // never begun
    let mut abandoned = Box::pin(gpu.read_async(&buffers[0], 0, 100));
    let _ = abandoned.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    drop(abandoned);
    let mut reads: Vec<_> = buffers.iter().map(|buffer| (Box::pin(gpu.read_async(buffer, 3, 5)), None)).collect();
    pollster::block_on(std::future::poll_fn(|context| {
        for (read, words) in reads.iter_mut().filter(|(_, words)| words.is_none()) {
            if let Poll::Ready(got) = read.as_mut().poll(context) {
                *words = Some(got.unwrap());
            }
        }
        if reads.iter().all(|(_, words)| words.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    }));
    for (i, (_, words)) in reads.into_iter().enumerate() {
        assert_eq!(words.unwrap(), vec![i as u32; 5]);
    }
    let error = pollster::block_on(gpu.read_async(&buffers[0], 99, 2)).unwrap_err();
    assert_eq!(error.code(), "argument");
}

#[test]
fn threads_run_and_read_at_once() {
    let Some(gpu) = open() else { return };
    let shared = gpu.prepare(vec![axpy(5000)]).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4u32 {
            let (gpu, shared) = (&gpu, &shared);
            scope.spawn(move || {
                let own = gpu.prepare(vec![axpy(777 + thread as usize)]).unwrap();
                for round in 0..25u32 {
                    axpy_is_right(gpu, shared, 5000, (100 * thread + round) as f32).unwrap();
                    axpy_is_right(gpu, &own, 777 + thread as usize, round as f32).unwrap();
                    if round % 10 == thread {
                        gpu.trim();
                    }
                }
            });
        }
    });
    assert_eq!(gpu.stats().pipelines, 1);
}

#[test]
fn a_long_run_is_cut_into_submits_by_its_work() {
    let Some(gpu) = open() else { return };
    let (n, times) = (1000, 10);
    let prepared = gpu.prepare(chain(n, times)).unwrap();
    let mut buffers = vec![gpu.upload(&floats(&vec![1.0; n])).unwrap(), gpu.upload(&floats(&vec![2.0; n])).unwrap()];
    buffers.extend((0..times).map(|_| gpu.alloc(n).unwrap()));
    let mut submits = Vec::new();
    for budget in [u64::MAX, 2 * 5 * n as u64, 1] {
        gpu.set_submit_budget(budget);
        let before = gpu.stats().submits;
        gpu.run(&prepared, &buffers, &[3f32.to_bits()]).unwrap();
        submits.push(gpu.stats().submits - before);
        assert_eq!(read(&gpu, buffers.last().unwrap()).unwrap(), vec![1.0 + 6.0 * times as f32; n]);
    }
    assert_eq!(submits, [1, 5, 10]);
}

#[test]
fn a_hosts_device_with_default_limits_is_used_and_left_alone() {
    let Some(which) = adapter() else { return };
    let (device, queue) = host_device(&which, wgpu::Limits::default());
    let heard = Arc::new(AtomicU64::new(0));
    let count = heard.clone();
    device.on_uncaptured_error(Arc::new(move |_: wgpu::Error| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let gpu = Gpu::from_wgpu(which.adapter(), device.clone(), queue.clone()).unwrap();
    assert_eq!(gpu.caps().max_storage_buffers, 8);
    assert_eq!(gpu.caps().subgroups, None);
    axpy_is_right(&gpu, &gpu.prepare(vec![axpy(1000)]).unwrap(), 1000, 4.0).unwrap();
    // Our faults reach us, not the host's handler.
    let mut wrong = axpy(10);
    wrong.source = "fn main() { nonsense }".into();
    assert_eq!(gpu.prepare(vec![wrong]).err().unwrap().code(), "internal");
    drop(gpu);
    // The host's device works on, and its own errors are its own.
    let size = device.limits().max_buffer_size + 4;
    let usage = wgpu::BufferUsages::COPY_DST;
    drop(device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false }));
    assert_eq!(heard.load(Ordering::Relaxed), 1);
    assert!(Gpu::from_wgpu(which.adapter(), device, queue).is_ok());
}

#[test]
fn what_caps_offer_shaders_may_use() {
    let Some(gpu) = open() else { return };
    let declared = bindings(&[("o", "f32", Access::Write)], 0);
    let head = "@compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32";
    let mut cases = vec![(format!("{declared}{head}) {{ o[i] = 1.5; }}"), 1.5)];
    if gpu.caps().shader_f16 {
        // 2048 + 1 rounds to 2048 in f16
        cases.push((
            format!("enable f16;\n{declared}{head}) {{ o[i] = f32(f16(2048) + f16(f32(i % 1u) + 1.0)); }}"),
            2048.0,
        ));
    }
    if let Some((least, most)) = gpu.caps().subgroups {
        assert!(least > 0 && least <= most);
        let body = "o[i] = f32(subgroupAdd(1u)) / f32(n);";
        cases.push((format!("{declared}{head}, @builtin(subgroup_size) n: u32) {{ {body} }}"), 1.0));
    }
    for (source, expected) in cases {
        let launch = Launch { source: source.into(), args: vec![Arg::Write(0)], words: vec![], groups: 1, ..axpy(64) };
        let buffer = gpu.alloc(64).unwrap();
        gpu.run(&gpu.prepare(vec![launch]).unwrap(), std::slice::from_ref(&buffer), &[]).unwrap();
        assert_eq!(read(&gpu, &buffer).unwrap(), vec![expected; 64]);
    }
}
