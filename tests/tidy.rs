//! The rules of the source tree that no compiler holds: layers, sizes, shader headers, and where crates may be named.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The modules of `src/`, lowest layer first. A module uses those of its own line and of the lines above it.
const LAYERS: &[&[&str]] = &[
    &["checksum", "error", "shape", "dtype", "rng"],
    &["expr"],
    &["device"],
    &["plan"],
    &["tensor", "ops"],
    &["cost", "data", "metrics", "io"],
    &["audio", "image"],
    &["autograd"],
    &["nn", "loss", "optim", "train"],
    &["models"],
    &["cli", "server"],
];

/// Crates that are named in one folder only.
const HOMES: &[(&str, &str)] =
    &[("wgpu", "src/device/gpu/"), ("rayon", "src/device/cpu/"), ("gemm_f32", "src/device/cpu/")];

/// The one line outside: a host that shares its device with us needs the same version of wgpu.
const REEXPORT: (&str, &str) = ("src/lib.rs", "pub use wgpu;");

const MAX_LINES: usize = 500;

/// Path from the root, with `/`, and text of each file below `folder` with that ending.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut folders, mut found) = (vec![root.join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == ending) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no .{ending} below {folder}");
    found
}

/// The code without comments.
fn code(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The code that is not for tests: these may use anything.
fn shipped(text: &str) -> String {
    let code = code(text);
    let is_block = |at: &usize| code[*at..].lines().nth(1).is_some_and(|line| line.ends_with('{')); // not `mod tests;`
    let end = code.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at).find(is_block);
    code[..end.unwrap_or(code.len())].to_owned()
}

/// The first names of all paths from `from::` on: `a` and `b` of `crate::{a::X, b}`.
fn first_names(code: &str, from: &str) -> Vec<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let name = |text: &str| text.trim_start().chars().take_while(|&c| is_name(c)).collect::<String>();
    let mut names = Vec::new();
    for (at, _) in code.match_indices(from) {
        if code[..at].ends_with(|c| is_name(c) || c == '$') {
            continue;
        }
        let Some(rest) = code[at + from.len()..].strip_prefix("::") else { continue };
        let Some(group) = rest.strip_prefix('{') else {
            names.push(name(rest));
            continue;
        };
        let (mut depth, mut start) = (0, 0);
        for (i, c) in group.char_indices() {
            if depth == 0 && (c == ',' || c == '}') {
                names.push(name(&group[start..i]));
                start = i + 1;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The module that each name re-exported by `lib.rs` comes from.
fn exports(lib: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for statement in code(lib).split(';') {
        let Some((_, path)) = statement.split_once("pub use ") else { continue };
        let mut words = path.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
        if let Some(module) = words.next().filter(|&module| module != "crate") {
            // not the prelude, which repeats what has its place already
            exports.extend(words.map(|name| (name.to_owned(), module.to_owned())));
        }
    }
    exports
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// What a file uses that lies above it, or in no layer.
fn above(path: &str, text: &str, exports: &BTreeMap<String, String>) -> Vec<String> {
    let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap_or("");
    if ["lib", "main"].contains(&module) || path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let Some(own) = layer(module) else { return vec![format!("{path}: module {module} has no place in LAYERS")] };
    let judge = |name: String| {
        let module = exports.get(&name).unwrap_or(&name);
        match layer(module) {
            Some(used) if used <= own => None,
            Some(_) => Some(format!("{path}: uses {name} of the higher layer {module}")),
            None => Some(format!("{path}: crate::{name} is neither a module of LAYERS nor re-exported by lib.rs")),
        }
    };
    first_names(&shipped(text), "crate").into_iter().filter_map(judge).collect()
}

/// Whether a line of code imports a crate or begins a path with it.
fn names_crate(line: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        let imported = before.trim_end().ends_with("use") && !after.starts_with(is_name);
        imported || after.starts_with("::") && !before.ends_with(|c| is_name(c) || c == ':')
    })
}

/// Lines that name a crate outside its home.
fn strays(path: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let mut strays = Vec::new();
    for (name, home) in HOMES.iter().filter(|(_, home)| !path.starts_with(home)) {
        let named = code.lines().map(str::trim).filter(|line| names_crate(line, name) && (path, *line) != REEXPORT);
        strays.extend(named.map(|line| format!("{path}: {name} is named only in {home}: {line}")));
    }
    strays
}

#[test]
fn no_module_uses_a_higher_layer() {
    let sources = files("src", "rs");
    let exports = exports(&fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap());
    let faults: Vec<String> = sources.iter().flat_map(|(path, text)| above(path, text, &exports)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_file_is_longer_than_its_reader_can_bear() {
    let sources = ["src", "tests"].iter().flat_map(|folder| files(folder, "rs")).chain(files("shaders", "wgsl"));
    let fault = |(path, text): (String, String)| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{path}: {lines} lines; split it at {MAX_LINES}"))
    };
    let faults: Vec<String> = sources.filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_shader_says_what_it_is_and_stands_in_the_table_once() {
    let table = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/device/shader.rs")).unwrap();
    let table = shipped(&table);
    let mut faults = Vec::new();
    for (path, text) in files("shaders", "wgsl") {
        let header: String = text.lines().take_while(|line| line.starts_with("//")).collect();
        for word in ["Bindings", "Rounding", "Owner"] {
            if !header.contains(word) {
                faults.push(format!("{path}: no {word} in the comment that opens it"));
            }
        }
        let owner = header.split("Owner: ").nth(1).and_then(|rest| rest.split([' ', '.', ',']).next());
        if let Some(owner) = owner
            && !Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{owner}.rs")).is_file()
        {
            faults.push(format!("{path}: its owner {owner}.rs does not exist"));
        }
        let row = format!("(\"{}\", include_str!(\"../../{path}\"))", path.trim_start_matches("shaders/"));
        let rows = table.matches(&row).count();
        if rows != 1 {
            faults.push(format!("{path}: {rows} rows of SHADERS in src/device/shader.rs; one is needed: {row}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_are_named_only_where_they_live() {
    let faults: Vec<String> = files("src", "rs").iter().flat_map(|(path, text)| strays(path, text)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_checks_find_what_they_look_for() {
    let exports = exports("pub use tensor::{Tensor, Shape as S};\npub use error::Error; // x\n");
    assert_eq!(exports.get("Tensor").map(String::as_str), Some("tensor"));
    assert_eq!(exports.get("Error").map(String::as_str), Some("error"));
    let faults = |path, text| above(path, text, &exports).len();
    assert_eq!(faults("src/expr/a.rs", "use crate::device::Launch;"), 1);
    assert_eq!(faults("src/expr/a.rs", "use crate::{error::{Error, Result}, plan::{A, B},\n nn};"), 2);
    assert_eq!(faults("src/expr.rs", "fn f(t: crate::Tensor) -> crate::Error {}"), 1);
    assert_eq!(faults("src/models/a.rs", "use crate::{Tensor, nn::Linear, data::Table};"), 0);
    assert_eq!(
        faults("src/expr/a.rs", "// crate::device\npub(crate) fn f() {}\n#[cfg(test)]\nmod tests {\nuse crate::nn; }"),
        0
    );
    assert_eq!(faults("src/expr/a.rs", "#[cfg(test)]\nmod tests;\nuse crate::nn;"), 1);
    assert_eq!(faults("src/odd/a.rs", ""), 1);

    assert_eq!(strays("src/ops/a.rs", "let x: wgpu::Buffer;").len(), 1);
    assert_eq!(strays("src/ops/a.rs", "use wgpu;\n    use rayon::prelude::*;\nuse gemm_f32 as g;").len(), 3);
    assert_eq!(
        strays("src/ops/a.rs", "// wgpu::Buffer\nuse super::gemm_plan;\nsuper::gemm::run();\nlet wgpu_like = 1;").len(),
        0
    );
    assert_eq!(strays("src/lib.rs", "pub use wgpu;").len(), 0);
    assert_eq!(strays("src/device/gpu/a.rs", "use wgpu::Buffer;").len(), 0);
}
