//! What goes wrong, and what the caller gets for it.

use super::*;
use crate::device::gpu::guard::Strike;

#[test]
fn a_budget_that_is_exceeded_is_an_error_and_the_device_works_on() {
    let Some(gpu) = open() else { return };
    gpu.set_budget(1 << 20);
    let held = gpu.alloc((1 << 20) / 8).unwrap();
    let error = gpu.alloc((1 << 20) / 4).unwrap_err();
    match &error {
        Error::OutOfMemory { requested, in_use, budget, .. } => {
            assert_eq!((*requested, *in_use, *budget), (1 << 20, 1 << 19, 1 << 20));
        }
        other => panic!("{other}"),
    }
    axpy_is_right(&gpu, &gpu.prepare(vec![axpy(1000)]).unwrap(), 1000, 2.0).unwrap();
    // Free blocks make room: those of the small buffers go when a large one is asked for.
    assert!(gpu.stats().bytes_pooled > 0);
    drop(held);
    gpu.alloc((1 << 20) / 4).unwrap();
    assert!(gpu.stats().peak_bytes <= 1 << 20);
}

/// One of everything that a step does.
fn step(gpu: &Gpu) -> Result<Vec<u32>> {
    let prepared = gpu.prepare(chain(10, 2))?;
    let buffers = [gpu.upload(&[0; 10])?, gpu.upload(&[0; 10])?, gpu.alloc(10)?, gpu.alloc(10)?];
    gpu.run(&prepared, &buffers, &[0])?;
    gpu.wait()?;
    gpu.read(&buffers[3], 0, 10)
}

#[test]
fn a_loss_or_a_panic_at_any_call_is_a_lost_device() {
    let Some(which) = adapter() else { return };
    for strike in [Strike::Lost, Strike::Panic] {
        let mut at = 0;
        loop {
            let gpu = Gpu::open(&which).unwrap();
            *lock(&gpu.0.guard.plan) = Some((at, strike));
            let outcome = step(&gpu);
            if lock(&gpu.0.guard.plan).is_some() {
                assert_eq!(outcome.unwrap(), [0; 10]);
                break;
            }
            assert_eq!(outcome.map_err(|error| error.code()), Err("device-lost"), "{strike:?} at call {at}");
            assert_eq!(step(&gpu).map_err(|error| error.code()), Err("device-lost"), "{strike:?} at call {at}");
            at += 1;
        }
        assert!(at > 15, "{at} calls");
    }
}

#[test]
fn a_driver_out_of_memory_at_any_call_is_an_error_or_mended_and_the_device_works_on() {
    let Some(gpu) = open() else { return };
    let (mut at, mut mended) = (0, 0);
    loop {
        gpu.trim(); // so that the step allocates again
        *lock(&gpu.0.guard.plan) = Some((at, Strike::Memory));
        let outcome = step(&gpu);
        if lock(&gpu.0.guard.plan).take().is_some() {
            break;
        }
        match outcome {
            Ok(words) => {
                assert_eq!(words, [0; 10]);
                mended += 1;
            }
            Err(error) => assert!(["out-of-memory", "internal"].contains(&error.code()), "{error}"),
        }
        assert_eq!(gpu.stats().bytes_in_use, 0, "call {at}");
        assert_eq!(step(&gpu).unwrap(), [0; 10], "after call {at}");
        at += 1;
    }
    assert!(mended >= 5, "{mended}: two uploads, the result, the parameters and the staging are tried twice");
}

#[test]
fn memory_that_the_driver_refuses_twice_is_out_of_memory_with_the_numbers() {
    let Some(gpu) = open() else { return };
    let held = gpu.alloc(1024).unwrap();
    drop(gpu.alloc(9000).unwrap());
    *lock(&gpu.0.guard.plan) = Some((0, Strike::NoMemory));
    let error = gpu.alloc(1 << 20).unwrap_err();
    *lock(&gpu.0.guard.plan) = None;
    assert!(matches!(error, Error::OutOfMemory { requested: 4_194_304, in_use: 4096, .. }), "{error}");
    assert_eq!((gpu.stats().bytes_in_use, gpu.stats().bytes_pooled), (4096, 0), "the pool was given back");
    drop(held);
    assert_eq!(step(&gpu).unwrap(), [0; 10]);
}

#[test]
fn what_exceeds_a_limit_is_refused_before_wgpu_sees_it() {
    let Some(which) = adapter() else { return };
    let limits =
        wgpu::Limits { max_storage_buffer_binding_size: 1 << 20, max_buffer_size: 1 << 21, ..Default::default() };
    let (device, queue) = host_device(&which, limits);
    let gpu = Gpu::from_wgpu(which.adapter(), device, queue).unwrap();
    let error = gpu.alloc((1 << 21) / 4 + 1).unwrap_err();
    assert!(error.to_string().contains("2097156 bytes, this GPU takes 2097152"), "{error}");
    assert_eq!(gpu.alloc(usize::MAX).unwrap_err().code(), "argument");
    let (fits, large) = (gpu.alloc((1 << 20) / 4).unwrap(), gpu.alloc((1 << 20) / 4 + 1).unwrap());
    let prepared = gpu.prepare(vec![axpy(10)]).unwrap();
    gpu.run(&prepared, &[fits.clone(), fits.clone(), gpu.alloc(10).unwrap()], &[0]).unwrap();
    let error = gpu.run(&prepared, &[fits.clone(), large, gpu.alloc(10).unwrap()], &[0]).unwrap_err();
    assert!(error.to_string().contains("1048580 bytes, this GPU takes 1048576"), "{error}");
    let mut wide = axpy(10);
    wide.args = (0..9).map(Arg::Read).collect();
    wide.source = format!("{} ", wide.source).into();
    assert!(gpu.prepare(vec![wide]).err().unwrap().to_string().contains("9, this GPU takes 8"));
    let mut long = axpy(10);
    long.words = vec![Word::Const(0); 70_000];
    long.source = format!("{}  ", long.source).into();
    assert_eq!(gpu.prepare(vec![long]).err().unwrap().code(), "argument");
}

#[test]
fn a_wrong_shader_is_an_error_that_names_its_launch() {
    let Some(gpu) = open() else { return };
    for source in [
        "fn main() {",
        "@compute @workgroup_size(64) fn other() {}",
        "@compute @workgroup_size(64) fn main() { let x: u32 = 1.5; }",
    ] {
        let mut launch = axpy(10);
        launch.source = source.into();
        let error = gpu.prepare(vec![launch]).err().unwrap();
        assert!(error.to_string().starts_with("axpy: internal fault: the shader does not compile"), "{error}");
    }
    axpy_is_right(&gpu, &gpu.prepare(vec![axpy(10)]).unwrap(), 10, 2.0).unwrap();
}

#[test]
fn wrong_buffers_and_words_are_errors_and_the_device_works_on() {
    let Some(gpu) = open() else { return };
    let Some(other) = open() else { return };
    let prepared = gpu.prepare(vec![axpy(10)]).unwrap();
    let (a, b) = (gpu.upload(&[0; 10]).unwrap(), gpu.alloc(10).unwrap());
    let run = |buffers: &[GpuBuffer], vars: &[u32]| gpu.run(&prepared, buffers, vars).unwrap_err();
    assert_eq!(run(&[a.clone(), a.clone()], &[0]).code(), "internal");
    assert_eq!(run(&[a.clone(), a.clone(), b.clone()], &[]).code(), "internal");
    assert_eq!(run(&[a.clone(), b.clone(), b.clone()], &[0]).code(), "internal", "read and written at once");
    assert_eq!(run(&[other.alloc(10).unwrap(), a.clone(), b.clone()], &[0]).code(), "argument");
    assert_eq!(other.read(&a, 0, 10).unwrap_err().code(), "argument");
    assert_eq!(gpu.read(&a, 1, 10).unwrap_err().code(), "argument");
    assert_eq!(gpu.read(&a, usize::MAX, 2).unwrap_err().code(), "argument");
    axpy_is_right(&gpu, &prepared, 10, 2.0).unwrap();
}

/// Whatever is done with a lost device, it says so and does not panic; and it can be dropped.
fn everything_reports_the_loss(gpu: &Gpu, prepared: &Prepared, buffers: &[GpuBuffer]) {
    let outcomes = [
        gpu.read(&buffers[2], 0, 10).map(drop),
        gpu.alloc(10).map(drop),
        gpu.upload(&[1; 10]).map(drop),
        gpu.prepare(vec![axpy(11)]).map(drop),
        gpu.run(prepared, buffers, &[7]),
        gpu.wait(),
        pollster::block_on(gpu.read_async(&buffers[2], 0, 10)).map(drop),
    ];
    for (i, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(outcome.map_err(|error| error.code()), Err("device-lost"), "call {i}");
    }
    assert!(gpu.is_lost().is_some());
    gpu.trim();
}

#[test]
fn a_destroyed_device_is_reported_at_every_stage() {
    let Some(which) = adapter() else { return };
    for owner in [Owner::Us, Owner::Host] {
        for stage in 0..6 {
            let gpu = match owner {
                Owner::Us => Gpu::open(&which).unwrap(),
                Owner::Host => {
                    let (device, queue) = host_device(&which, wgpu::Limits::default());
                    Gpu::from_wgpu(which.adapter(), device, queue).unwrap()
                }
            };
            let strike = |at: usize| {
                if at == stage {
                    gpu.0.device.destroy()
                }
            };
            let prepared = gpu.prepare(vec![axpy(10)]).unwrap();
            let buffers = [gpu.upload(&[0; 10]).unwrap(), gpu.upload(&[0; 10]).unwrap(), gpu.alloc(10).unwrap()];
            // Until someone waits, a call may pass unnoticed; but a read never returns words.
            let used = || -> Result<Vec<u32>> {
                strike(0);
                let more = gpu.upload(&[3; 10])?;
                strike(1);
                let again = gpu.prepare(chain(10, 1))?;
                strike(2);
                gpu.run(&again, &[more, buffers[1].clone(), gpu.alloc(10)?], &[0])?;
                gpu.run(&prepared, &buffers, &[0])?;
                strike(3);
                let pending = gpu.0.start_read(&buffers[2], 0, 40)?;
                strike(4);
                let mut out = Vec::new();
                gpu.0.finish_read(pending, &mut out)?;
                strike(5);
                gpu.read(&buffers[2], 0, 10)
            };
            assert_eq!(used().map_err(|error| error.code()), Err("device-lost"), "{owner:?}, stage {stage}");
            everything_reports_the_loss(&gpu, &prepared, &buffers);
            drop(prepared);
            drop(gpu);
            drop(buffers);
        }
    }
}

#[test]
fn buffers_and_plans_may_outlive_their_device() {
    let Some(gpu) = open() else { return };
    let prepared = gpu.prepare(vec![axpy(10)]).unwrap();
    let buffers = [gpu.upload(&[0; 10]).unwrap(), gpu.upload(&[0; 10]).unwrap(), gpu.alloc(10).unwrap()];
    gpu.run(&prepared, &buffers, &[0]).unwrap();
    let future = gpu.read_async(&buffers[2], 0, 10);
    drop(future);
    drop(gpu);
    drop(buffers);
    drop(prepared);
}

#[test]
fn an_error_that_nobody_caught_is_returned_by_the_next_call() {
    let Some(gpu) = open() else { return };
    let size = gpu.caps().max_buffer_bytes.saturating_add(4);
    let usage = wgpu::BufferUsages::COPY_DST;
    drop(gpu.0.device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false }));
    assert_eq!(gpu.alloc(10).unwrap_err().code(), "internal");
    assert!(gpu.alloc(10).is_ok());
}
