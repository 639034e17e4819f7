//! Pipelines and layouts of one device, each built once.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::adapter::CREATION;
use super::guard::{Fault, lock};
use super::kept::Kept;
use super::{Inner, trusted};
use crate::device::caps::Caps;
use crate::device::launch::{Arg, Launch};
use crate::error::{Error, Result};

/// Whether shaders run with wgpu's injected checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checks {
    /// Bounds, loops and divisions are checked: for debug builds, and under `TILEWORK_CHECKED_SHADERS=1`.
    Checked,
    /// The kernels are trusted to hold their own bounds.
    Trusted,
}

impl Checks {
    pub(super) fn from_env() -> Checks {
        match std::env::var("TILEWORK_CHECKED_SHADERS").as_deref() {
            Ok("1") => Checks::Checked,
            Ok("0") => Checks::Trusted,
            _ if cfg!(debug_assertions) => Checks::Checked,
            _ => Checks::Trusted,
        }
    }
}

/// A compiled shader with the layout of its bindings.
pub(super) struct Pipeline {
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) bindings: wgpu::BindGroupLayout,
}

/// How a launch binds its words and buffers. Launches of one pattern share a layout, so that a change of pipeline between
/// them keeps what is bound.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pattern {
    words: bool,
    writes: SmallVec<[bool; 8]>,
}

impl Pattern {
    fn of(launch: &Launch) -> Pattern {
        let writes = launch.args.iter().map(|arg| matches!(arg, Arg::Write(_))).collect();
        Pattern { words: !launch.words.is_empty(), writes }
    }
}

#[derive(Clone)]
struct Layout {
    bindings: wgpu::BindGroupLayout,
    pipeline: wgpu::PipelineLayout,
}

/// The pipelines built so far, by the text of their shaders.
pub(super) struct Pipelines {
    checks: Checks,
    built: FxHashMap<(Arc<str>, Pattern), Arc<Pipeline>>,
    layouts: FxHashMap<Pattern, Layout>,
}

impl Pipelines {
    pub(super) fn new(checks: Checks) -> Pipelines {
        Pipelines { checks, built: FxHashMap::default(), layouts: FxHashMap::default() }
    }

    /// Pipelines built.
    pub(super) fn len(&self) -> usize {
        self.built.len()
    }

    /// The launch's pipeline, compiled now if it is new.
    ///
    /// # Errors
    /// [`Error::Argument`] when the launch needs more than the device has, [`Error::Internal`] with the compiler's message when
    /// the shader is wrong.
    pub(super) fn get(&mut self, gpu: &Inner, launch: &Launch) -> Result<Arc<Pipeline>> {
        let Inner { device, guard, caps, kept, .. } = gpu;
        let key = (launch.source.clone(), Pattern::of(launch));
        if let Some(pipeline) = self.built.get(&key) {
            return Ok(pipeline.clone());
        }
        check_limits(launch, caps)?;
        let _one = lock(&CREATION);
        let known = self.layouts.get(&key.1).cloned();
        let checks = self.checks;
        let compiled = guard.call(|| {
            let layout = known.unwrap_or_else(|| layout(device, &key.1));
            let raw = compile(device, launch, &layout.pipeline, checks, kept.as_ref());
            (layout, raw)
        });
        let (layout, raw) = compiled.map_err(|fault| match fault {
            Fault::Refused(message) => {
                log::debug!("{}: refused shader:\n{}", launch.name, launch.source);
                Error::internal(launch.name, format!("the shader does not compile: {message}"))
            }
            other => other.error(launch.name),
        })?;
        let pipeline = Arc::new(Pipeline { raw, bindings: layout.bindings.clone() });
        self.layouts.insert(key.1.clone(), layout);
        self.built.insert(key, pipeline.clone());
        Ok(pipeline)
    }
}

fn check_limits(launch: &Launch, caps: &Caps) -> Result<()> {
    let (buffers, bytes) = (launch.args.len(), launch.words.len().div_ceil(4) as u64 * 16);
    if buffers > caps.max_storage_buffers {
        let message = format!(
            "too many buffers in one kernel: {buffers}, this GPU takes {}; run it on the CPU device",
            caps.max_storage_buffers
        );
        return Err(Error::argument(launch.name, message));
    }
    if bytes > caps.max_param_bytes {
        let message = format!(
            "too many parameters in one kernel: {bytes} bytes, this GPU takes {}; run it on the CPU device",
            caps.max_param_bytes
        );
        return Err(Error::argument(launch.name, message));
    }
    Ok(())
}

fn layout(device: &wgpu::Device, pattern: &Pattern) -> Layout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    let mut entries: SmallVec<[_; 9]> = SmallVec::new();
    if pattern.words {
        entries.push(entry(0, wgpu::BufferBindingType::Uniform));
    }
    for (binding, write) in (1..).zip(&pattern.writes) {
        entries.push(entry(binding, wgpu::BufferBindingType::Storage { read_only: !write }));
    }
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
    let pipeline = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    Layout { bindings, pipeline }
}

fn compile(
    device: &wgpu::Device,
    launch: &Launch,
    layout: &wgpu::PipelineLayout,
    checks: Checks,
    kept: Option<&Kept>,
) -> wgpu::ComputePipeline {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: Some(launch.name),
        source: wgpu::ShaderSource::Wgsl((&*launch.source).into()),
    };
    let module = match checks {
        Checks::Checked => device.create_shader_module(descriptor),
        Checks::Trusted => trusted::module(device, descriptor),
    };
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(launch.name),
        layout: Some(layout),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false, // kernels write their shared memory before they read it
            ..Default::default()
        },
        cache: kept.map(Kept::raw),
    })
}
