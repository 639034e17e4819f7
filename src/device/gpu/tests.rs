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

fn open() -> Option<Gpu> {
    Some(Gpu::open(&adapter()?).unwrap())
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
