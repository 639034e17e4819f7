//! Puts shaders together: text in, text out, without a GPU and without wgpu.
//!
//! A file of `shaders/` is legal WGSL as it lies, apart from `//#include lib/NAME.wgsl` lines. What an operation replaces
//! stands between `//#begin NAME` and `//#end NAME`; the text that is there by default makes the file legal and shows what
//! is meant.
//!
//! A shader's loops must stay below 65,535 rounds an invocation, nested ones counted together: llvmpipe, on which the tests
//! run, ends them there without a word (`LP_MAX_TGSI_LOOP_ITERATIONS`). Longer work takes more groups.

use std::fmt::Write;
use std::sync::Arc;

use crate::error::{Error, Result};

/// Every file of `shaders/`, by its path in there. A test holds the table complete.
const SHADERS: &[(&str, &str)] = &[
    ("argmax.wgsl", include_str!("../../shaders/argmax.wgsl")),
    ("cat.wgsl", include_str!("../../shaders/cat.wgsl")),
    ("cross_entropy.wgsl", include_str!("../../shaders/cross_entropy.wgsl")),
    ("cross_entropy_grad.wgsl", include_str!("../../shaders/cross_entropy_grad.wgsl")),
    ("cross_entropy_total.wgsl", include_str!("../../shaders/cross_entropy_total.wgsl")),
    ("cross_entropy_weights.wgsl", include_str!("../../shaders/cross_entropy_weights.wgsl")),
    ("cumsum.wgsl", include_str!("../../shaders/cumsum.wgsl")),
    ("fold_windows.wgsl", include_str!("../../shaders/fold_windows.wgsl")),
    ("gather.wgsl", include_str!("../../shaders/gather.wgsl")),
    ("histogram.wgsl", include_str!("../../shaders/histogram.wgsl")),
    ("histogram_total.wgsl", include_str!("../../shaders/histogram_total.wgsl")),
    ("lib/index.wgsl", include_str!("../../shaders/lib/index.wgsl")),
    ("lib/math.wgsl", include_str!("../../shaders/lib/math.wgsl")),
    ("lib/rng.wgsl", include_str!("../../shaders/lib/rng.wgsl")),
    ("lib/team.wgsl", include_str!("../../shaders/lib/team.wgsl")),
    ("limit.wgsl", include_str!("../../shaders/limit.wgsl")),
    ("map.wgsl", include_str!("../../shaders/map.wgsl")),
    ("matmul.wgsl", include_str!("../../shaders/matmul.wgsl")),
    ("pad.wgsl", include_str!("../../shaders/pad.wgsl")),
    ("random.wgsl", include_str!("../../shaders/random.wgsl")),
    ("reduce_columns.wgsl", include_str!("../../shaders/reduce_columns.wgsl")),
    ("reduce_rows.wgsl", include_str!("../../shaders/reduce_rows.wgsl")),
    ("row_wise.wgsl", include_str!("../../shaders/row_wise.wgsl")),
    ("scatter_parts.wgsl", include_str!("../../shaders/scatter_parts.wgsl")),
    ("scatter_starts.wgsl", include_str!("../../shaders/scatter_starts.wgsl")),
    ("scatter_sum.wgsl", include_str!("../../shaders/scatter_sum.wgsl")),
    ("sort_block.wgsl", include_str!("../../shaders/sort_block.wgsl")),
    ("sort_step.wgsl", include_str!("../../shaders/sort_step.wgsl")),
    ("tree_ensemble.wgsl", include_str!("../../shaders/tree_ensemble.wgsl")),
];

/// How a shader uses a storage buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// `var<storage, read>`, for [`Arg::Read`](super::launch::Arg::Read).
    Read,
    /// `var<storage, read_write>`, for [`Arg::Write`](super::launch::Arg::Write).
    Write,
}

/// The complete WGSL of `shaders/{file}.wgsl`: included files once each, and each named region with the given text in place of
/// its own. Regions that are not given keep their text. `file` is `"map"` for `shaders/map.wgsl`.
///
/// # Errors
/// [`Error::Internal`] for a missing file, a region that the file does not have, or markers that do not match.
pub fn assemble(file: &str, regions: &[(&str, &str)]) -> Result<Arc<str>> {
    assemble_from(SHADERS, file, regions)
}

fn assemble_from(table: &[(&str, &str)], file: &str, regions: &[(&str, &str)]) -> Result<Arc<str>> {
    let mut whole = String::new();
    include(table, &format!("{file}.wgsl"), &mut Vec::new(), &mut whole)?;
    Ok(replace(file, &whole, regions)?.into())
}

/// Appends a file, and before it, at their lines, the files that it includes; each file once.
fn include(table: &[(&str, &str)], path: &str, done: &mut Vec<String>, out: &mut String) -> Result<()> {
    if done.iter().any(|d| d == path) {
        return Ok(());
    }
    done.push(path.to_string());
    let Some((_, text)) = table.iter().find(|(name, _)| *name == path) else {
        return Err(wrong(path, "is not in the table SHADERS of src/device/shader.rs"));
    };
    for line in text.lines() {
        match line.trim().strip_prefix("//#include ") {
            Some(other) => include(table, other.trim(), done, out)?,
            None => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    Ok(())
}

/// The text with its regions replaced and their markers gone.
fn replace(file: &str, text: &str, regions: &[(&str, &str)]) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut met = vec![false; regions.len()];
    let mut open: Option<(&str, bool)> = None; // name, and whether its own text is left out
    for line in text.lines() {
        if let Some(name) = line.trim().strip_prefix("//#begin ").map(str::trim) {
            if let Some((outer, _)) = open {
                return Err(wrong(file, &format!("region {name} begins inside region {outer}")));
            }
            let given = regions.iter().zip(&mut met).find(|((n, _), _)| *n == name);
            open = Some((name, given.is_some()));
            if let Some(((_, text), met)) = given {
                *met = true;
                out.push_str(text);
                if !text.is_empty() && !text.ends_with('\n') {
                    out.push('\n');
                }
            }
        } else if let Some(name) = line.trim().strip_prefix("//#end ").map(str::trim) {
            if open.map(|(n, _)| n) != Some(name) {
                return Err(wrong(file, &format!("region {name} ends where it is not open")));
            }
            open = None;
        } else if !matches!(open, Some((_, true))) {
            out.push_str(line);
            out.push('\n');
        }
    }
    if let Some((name, _)) = open {
        return Err(wrong(file, &format!("region {name} has no end")));
    }
    match regions.iter().zip(met).find(|(_, met)| !met) {
        Some(((name, _), _)) => Err(wrong(file, &format!("has no region {name}"))),
        None => Ok(out),
    }
}

fn wrong(file: &str, what: &str) -> Error {
    Error::internal("shader", format!("{file} {what}"))
}

/// The declarations of a launch's bindings: the parameter words `p` at binding 0 (none when `words` is 0) and the buffers
/// (name, element type, access) from binding 1 on.
///
/// ```text
/// @group(0) @binding(0) var<uniform> p: array<vec4<u32>, 2>;
/// @group(0) @binding(1) var<storage, read> in0: array<f32>;
/// @group(0) @binding(2) var<storage, read_write> out0: array<f32>;
/// ```
pub fn bindings(buffers: &[(&str, &str, Access)], words: usize) -> String {
    let mut out = String::new();
    if words > 0 {
        line(&mut out, format_args!("@group(0) @binding(0) var<uniform> p: array<vec4<u32>, {}>;", words.div_ceil(4)));
    }
    for (i, (name, element, access)) in buffers.iter().enumerate() {
        let access = match access {
            Access::Read => "read",
            Access::Write => "read_write",
        };
        line(&mut out, format_args!("@group(0) @binding({}) var<storage, {access}> {name}: array<{element}>;", i + 1));
    }
    out
}

/// Parameter word `i` as WGSL, a `u32`: word 6 is `p[1].z`.
pub fn word(i: usize) -> String {
    let lane = ["x", "y", "z", "w"][i % 4];
    format!("p[{}].{lane}", i / 4)
}

/// WGSL that takes a linear index apart into one coordinate an axis, `{prefix}0` the slowest:
///
/// ```text
/// let i2 = i % p[0].z;
/// let i2_rest = i / p[0].z;
/// let i1 = i2_rest % p[0].y;
/// let i0 = i2_rest / p[0].y;
/// ```
///
/// `linear` is a `u32` expression below the product of the dimensions, `dims[a]` the position of the parameter word that
/// holds the size of axis `a`. One decomposition serves all operands that are walked in this shape: see [`place`].
pub fn coordinates(prefix: &str, linear: &str, dims: &[usize]) -> String {
    let mut out = String::new();
    let mut rest = linear.to_string();
    for (axis, dim) in dims.iter().enumerate().skip(1).rev() {
        let size = word(*dim);
        line(&mut out, format_args!("    let {prefix}{axis} = {rest} % {size};"));
        let left = if axis == 1 { format!("{prefix}0") } else { format!("{prefix}{axis}_rest") };
        line(&mut out, format_args!("    let {left} = {rest} / {size};"));
        rest = left;
    }
    if dims.len() == 1 {
        line(&mut out, format_args!("    let {prefix}0 = {linear};"));
    }
    out
}

/// WGSL that declares `name`, the place in its buffer of the element at the coordinates `{prefix}0…`:
///
/// ```text
/// let in0_at = p[1].x + i0 * p[1].y + i1 * p[1].z;
/// ```
///
/// `strides[a]` is the position of the parameter word with the stride of axis `a`, `offset` that of the buffer's offset, both
/// in elements. Negative strides come in two's complement; the sum wraps back to the right place.
pub fn place(name: &str, prefix: &str, offset: Option<usize>, strides: &[usize]) -> String {
    let mut terms: Vec<String> = offset.map(word).into_iter().collect();
    terms.extend(strides.iter().enumerate().map(|(axis, stride)| format!("{prefix}{axis} * {}", word(*stride))));
    if terms.is_empty() {
        terms.push("0u".to_string());
    }
    format!("    let {name} = {};\n", terms.join(" + "))
}

fn line(out: &mut String, text: std::fmt::Arguments) {
    let _ = writeln!(out, "{text}"); // writing to a String does not fail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn validate(source: &str) {
        let module = naga::front::wgsl::parse_str(source).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
        let mut validator =
            naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::all());
        validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(source)));
    }

    #[test]
    fn every_file_of_the_shaders_folder_is_in_the_table_and_legal() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
        let mut folders = vec![root.clone()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"));
                }
            }
        }
        assert_eq!(files.len(), SHADERS.len(), "{files:?}");
        for file in files {
            let name = file.strip_suffix(".wgsl").unwrap();
            validate(&assemble(name, &[]).unwrap());
        }
    }

    const TABLE: &[(&str, &str)] = &[
        ("main.wgsl", "//#include lib/a.wgsl\n//#include lib/b.wgsl\nx\n  //#begin body\n  old\n  //#end body\ny\n"),
        ("lib/a.wgsl", "a\n"),
        ("lib/b.wgsl", "//#include lib/a.wgsl\nb\n"),
        ("open.wgsl", "//#begin r\n"),
        ("stray.wgsl", "//#end r\n"),
        ("nested.wgsl", "//#begin r\n//#begin s\n//#end s\n//#end r\n"),
        ("lost.wgsl", "//#include lib/none.wgsl\n"),
    ];

    #[test]
    fn includes_come_once_and_regions_are_replaced() {
        assert_eq!(&*assemble_from(TABLE, "main", &[]).unwrap(), "a\nb\nx\n  old\ny\n");
        assert_eq!(&*assemble_from(TABLE, "main", &[("body", "new")]).unwrap(), "a\nb\nx\nnew\ny\n");
        assert_eq!(&*assemble_from(TABLE, "main", &[("body", "")]).unwrap(), "a\nb\nx\ny\n");
    }

    #[test]
    fn faults_in_files_and_markers_are_errors() {
        for (file, regions, text) in [
            ("main", &[("head", "z")][..], "main has no region head"),
            ("open", &[], "region r has no end"),
            ("stray", &[], "region r ends where it is not open"),
            ("nested", &[], "region s begins inside region r"),
            ("lost", &[], "lib/none.wgsl is not in the table"),
            ("none", &[], "none.wgsl is not in the table"),
        ] {
            let error = assemble_from(TABLE, file, regions).unwrap_err();
            assert_eq!(error.code(), "internal");
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn generated_text_is_legal_wgsl_at_every_rank() {
        for rank in 0..=8 {
            let dims: Vec<usize> = (0..rank).collect();
            let strides: Vec<usize> = (rank..2 * rank).collect();
            let declared = bindings(&[("in0", "f32", Access::Read), ("out0", "f32", Access::Write)], 2 * rank + 1);
            let body = coordinates("at_", "i", &dims) + &place("at", "at_", Some(2 * rank), &strides);
            validate(&format!(
                "{declared}@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n    \
                 let i = id.x;\n{body}    out0[i] = in0[at];\n}}\n"
            ));
        }
    }

    #[test]
    fn generated_text_reads_as_documented() {
        assert_eq!(word(0), "p[0].x");
        assert_eq!(word(6), "p[1].z");
        assert_eq!(
            coordinates("i", "i", &[0, 1, 2]),
            "    let i2 = i % p[0].z;\n    let i2_rest = i / p[0].z;\n    let i1 = i2_rest % p[0].y;\n    let i0 = i2_rest / p[0].y;\n"
        );
        assert_eq!(place("in0_at", "i", Some(4), &[5, 6]), "    let in0_at = p[1].x + i0 * p[1].y + i1 * p[1].z;\n");
        assert_eq!(place("at", "at_", None, &[]), "    let at = 0u;\n");
    }
}
