//! The table of primitives held against its f64 reference on the CPU, by derivative, and as WGSL.

use super::math::cpu_ulps;
use super::prim::{Prim, Row, Rule, rows};
use super::*;
use crate::shape::{Layout, Shape};
use DType::F32;

/// Values at which scalar functions go wrong: zeros, subnormals, the ends of exponents, overflow, halves, large integers.
pub(super) const EDGES: [f32; 32] = [
    0.0,
    -0.0,
    1e-45,
    -1e-45,
    1e-40,
    1e-30,
    -1e-30,
    1e-8,
    0.1,
    0.5,
    -0.5,
    1.0,
    -1.0,
    1.5,
    2.0,
    2.5,
    -2.5,
    3.0,
    -3.0,
    4.2,
    88.0,
    -88.0,
    88.73,
    -104.5,
    300.0,
    -300.0,
    16_777_215.0,
    3e9,
    f32::MAX,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

/// A linear congruential generator (Knuth, MMIX): reproducible numbers without a dependency.
pub(super) struct Lcg(pub u64);

impl Lcg {
    pub(super) fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.bits() as usize % n
    }

    /// Uniform in `low..high`.
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.bits() >> 8) as f32 / 16_777_216.0
    }
}

/// The program that is one primitive, on operands of type `ty`.
pub(super) fn single(row: &Row, ty: Ty) -> Arc<Program> {
    let types: Vec<DType> = match row.rule {
        Rule::Shift => vec![ty.dtype(), DType::U32],
        Rule::Select => vec![DType::Bool, ty.dtype(), ty.dtype()],
        _ => vec![ty.dtype(); row.arity],
    };
    let prim = row.prim;
    Program::build(row.name, &types, 0, |b, x, _| {
        let arg = |i: usize| x.get(i).copied().unwrap_or(x[0]);
        vec![b.apply(prim, [arg(0), arg(1), arg(2)])]
    })
}

/// Output 0 for columns of inputs, by the block evaluator.
pub(super) fn run(program: &Program, columns: &[Vec<u32>], params: &[u32]) -> Vec<u32> {
    let mut out = vec![0; columns[0].len()];
    let lanes: Vec<Lane<'_>> = columns.iter().map(|c| Lane::Slice(c)).collect();
    let mut spare = vec![vec![0; out.len()]; program.outputs().len() - 1];
    let mut outputs: Vec<&mut [u32]> = vec![&mut out];
    outputs.extend(spare.iter_mut().map(|s| s.as_mut_slice()));
    Code::new(program).run(&lanes, params, &mut outputs, &mut Scratch::default());
    out
}

/// Distance in units in the last place of the f32 nearest to `want`; infinite where NaN, infinity or zero's sign differ.
fn ulps(got: f32, want: f64) -> f64 {
    let near = want as f32;
    let same = match () {
        () if near.is_nan() || got.is_nan() => near.is_nan() && got.is_nan(),
        () if near.is_infinite() || got.is_infinite() => near == got,
        () if want == 0.0 => got == 0.0 && got.is_sign_negative() == want.is_sign_negative(),
        () => {
            let exponent = near.abs().max(f32::MIN_POSITIVE).to_bits() & 0x7f80_0000;
            let ulp = f64::from(f32::from_bits(exponent)) * 2f64.powi(-23);
            return (f64::from(got) - want).abs() / ulp;
        }
    };
    if same { 0.0 } else { f64::INFINITY }
}

fn check_floats(row: &Row, columns: &[Vec<f32>]) {
    let program = single(row, Ty::F32);
    let words: Vec<Vec<u32>> = columns.iter().map(|c| c.iter().map(|v| v.to_bits()).collect()).collect();
    let got = run(&program, &words, &[]);
    for (i, &word) in got.iter().enumerate() {
        let x: Vec<f64> = columns.iter().map(|c| f64::from(c[i])).collect();
        if row.prim == Prim::ToBits && x[0].is_nan() {
            continue; // on the way through f64 a NaN loses its payload
        }
        let want = program.eval_f64(&x, &[])[0];
        let ok = match program.outputs()[0] {
            F32 => ulps(f32::from_bits(word), want) <= cpu_ulps(row.prim),
            DType::I32 => f64::from(word.cast_signed()) == want,
            _ => f64::from(word) == want,
        };
        assert!(ok, "{}({x:?}): got {word:#x} = {:e}, want {want:e}", row.name, f32::from_bits(word));
    }
}

#[test]
fn every_function_of_floats_is_within_its_bound_of_f64() {
    let mut random = Lcg(1);
    for row in rows().filter(|row| row.types.contains(&Ty::F32) && row.rule != Rule::Select) {
        // edges in all combinations, then all exponents and signs, then the range where most values lie
        let mut columns = vec![Vec::new(); row.arity];
        for i in 0..EDGES.len().pow(row.arity as u32) {
            columns[0].push(EDGES[i % EDGES.len()]);
            if let Some(second) = columns.get_mut(1) {
                second.push(EDGES[i / EDGES.len()]);
            }
        }
        for column in &mut columns {
            column.extend((0..40_000).map(|_| f32::from_bits(random.bits())));
            column.extend((0..40_000).map(|_| random.uniform(-10.0, 10.0)));
        }
        check_floats(row, &columns);
    }
}

#[test]
fn integers_wrap_divide_and_shift_like_wgsl() {
    let values = [0, 1, 2, 3, 7, 31, 32, 33, -1, -2, -7, i32::MAX, i32::MIN, i32::MIN + 1, 65_536, 123_456_789];
    let pairs: Vec<(i32, i32)> = values.iter().flat_map(|&a| values.iter().map(move |&b| (a, b))).collect();
    let columns: Vec<Vec<u32>> =
        vec![pairs.iter().map(|p| p.0.cast_unsigned()).collect(), pairs.iter().map(|p| p.1.cast_unsigned()).collect()];
    let mut seen = 0;
    for row in rows().filter(|row| row.types.contains(&Ty::I32) && row.rule != Rule::Select) {
        for ty in [Ty::I32, Ty::U32].into_iter().filter(|ty| row.types.contains(ty)) {
            let got = run(&single(row, ty), &columns[..row.arity], &[]);
            for (&(a, b), got) in pairs.iter().zip(got) {
                let (x, y) = match ty {
                    Ty::I32 => (i64::from(a), i64::from(b)),
                    _ => (i64::from(a.cast_unsigned()), i64::from(b.cast_unsigned())),
                };
                let n = b.cast_unsigned() & 31;
                let want = match row.prim {
                    Prim::Add => (x + y) as u32,
                    Prim::Sub => (x - y) as u32,
                    Prim::Mul => (i128::from(x) * i128::from(y)) as u32,
                    Prim::Div => (if y == 0 { x } else { x / y }) as u32,
                    Prim::Rem => (if y == 0 { 0 } else { x % y }) as u32,
                    Prim::Max => x.max(y) as u32,
                    Prim::Min => x.min(y) as u32,
                    Prim::Neg => -x as u32,
                    Prim::Abs => x.unsigned_abs() as u32,
                    Prim::Sign => x.signum() as u32,
                    Prim::Lt => u32::from(x < y),
                    Prim::Le => u32::from(x <= y),
                    Prim::Gt => u32::from(x > y),
                    Prim::Ge => u32::from(x >= y),
                    Prim::Eq => u32::from(x == y),
                    Prim::Ne => u32::from(x != y),
                    Prim::And => (x & y) as u32,
                    Prim::Or => (x | y) as u32,
                    Prim::Xor => (x ^ y) as u32,
                    Prim::Not => !x as u32,
                    Prim::Shl => (x as u32) << n,
                    Prim::Shr => (x >> n) as u32,
                    Prim::ToBool => u32::from(x != 0),
                    Prim::ToI32 | Prim::ToU32 => x as u32,
                    Prim::ToF32 => (x as f32).to_bits(),
                    other => panic!("no expectation for {other:?}"),
                };
                assert_eq!(got, want, "{} of {ty:?} {x}, {y}", row.name);
                seen += 1;
            }
        }
    }
    assert!(seen > 40 * values.len());
}

/// A program of random instructions over all types, with several outputs, some of them inputs, constants and repeats.
fn random_program(random: &mut Lcg) -> Arc<Program> {
    let b = Builder::new();
    let mut values =
        vec![b.input(0, F32), b.input(1, DType::I32), b.input(2, DType::Bool), b.param(0), b.constant(1.5)];
    let table: Vec<&Row> = rows().collect();
    for _ in 0..random.below(40) {
        let mut arg = || values[random.below(values.len())];
        let args = [arg(), arg(), arg()];
        values.push(b.apply(table[random.below(table.len())].prim, args));
    }
    let outputs: Vec<E<'_>> =
        (0..1 + random.below(4)).map(|i| values[(values.len() - 1).saturating_sub(i * random.below(3))]).collect();
    b.finish("random", &outputs)
}

/// The outputs for one element, node by node.
fn interpret(program: &Program, x: &[u32], param: u32) -> Vec<u32> {
    let mut values: Vec<u32> = Vec::new();
    for node in program.nodes() {
        values.push(match node.inst {
            Inst::Input(n) => x[n as usize],
            Inst::Param(_) => param,
            Inst::Const(bits) => bits,
            Inst::Apply(prim, args) => {
                let words: Vec<u32> = node.operands().iter().map(|&id| values[id as usize]).collect();
                prim.apply_words(program.nodes()[args[0] as usize].ty, &words)
            }
        });
    }
    program.results().iter().map(|&id| values[id as usize]).collect()
}

#[test]
fn blocks_compute_what_one_element_at_a_time_computes() {
    for seed in 0..60 {
        let mut random = Lcg(seed);
        let program = random_program(&mut random);
        let len = [0, 1, 63, 64, 65, 1000, 1024, 1025, 2200][random.below(9)];
        let floats: Vec<u32> = (0..len).map(|_| random.uniform(-5.0, 5.0).to_bits()).collect();
        let few: Vec<u32> = (0..7).map(|_| random.bits() % 100).collect();
        let truth = random.bits() % 2;
        let param = random.uniform(0.0, 2.0).to_bits();
        // a slice, a repeated row gathered from a view that begins elsewhere, and one value for all
        let rows = Layout::contiguous(Shape::of(&[7])).expand("t", &Shape::of(&[500, 7])).unwrap();
        let lanes = [
            Lane::Slice(&floats),
            Lane::View { words: &few, dtype: DType::I32, layout: &rows, start: 3 },
            Lane::Splat(truth),
        ];
        let mut outputs = vec![vec![7; len]; program.outputs().len()];
        let mut slices: Vec<&mut [u32]> = outputs.iter_mut().map(|o| o.as_mut_slice()).collect();
        Code::new(&program).run(&lanes, &[param], &mut slices, &mut Scratch::default());
        for i in 0..len {
            let want = interpret(&program, &[floats[i], few[(i + 3) % 7], truth], param);
            let got: Vec<u32> = outputs.iter().map(|o| o[i]).collect();
            assert_eq!(got, want, "seed {seed}, element {i} of {len}: {program:?}");
        }
    }
}

#[test]
fn a_scratch_serves_programs_of_any_size_in_turn() {
    let mut scratch = Scratch::default();
    for seed in 0..20 {
        let mut random = Lcg(100 + seed);
        let program = random_program(&mut random);
        let x = [random.uniform(-3.0, 3.0).to_bits(), 5, 1];
        let mut outputs = vec![[0]; program.outputs().len()];
        let mut slices: Vec<&mut [u32]> = outputs.iter_mut().map(|o| o.as_mut_slice()).collect();
        Code::new(&program).run(&x.map(Lane::Splat), &[0], &mut slices, &mut scratch);
        assert_eq!(outputs.concat(), interpret(&program, &x, 0), "seed {seed}: {program:?}");
    }
}

#[test]
fn every_primitive_is_valid_wgsl_for_every_type_that_it_takes() {
    for row in rows() {
        for &ty in row.types {
            let program = single(row, ty);
            validate(&program);
        }
    }
}

#[test]
fn constants_of_every_kind_are_valid_wgsl() {
    for value in EDGES {
        validate(&Program::build("float", &[F32], 1, |b, x, p| vec![x[0].max(p[0]) * b.constant(value)]));
    }
    for value in [0, 1, -1, i32::MIN, i32::MAX] {
        validate(&Program::build("int", &[DType::I32], 0, |b, x, _| vec![x[0].and(b.constant_i32(value))]));
        validate(&Program::build("uint", &[DType::U32], 0, |b, x, _| vec![x[0].and(b.constant_u32(value as u32))]));
    }
    validate(&Program::build("bool", &[DType::Bool], 0, |b, x, _| vec![x[0].and(b.constant_bool(true)), x[0]]));
}

/// Parses and validates a kernel around the program's statements.
fn validate(program: &Program) {
    let scalar = |dtype: DType| if dtype == DType::Bool { DType::U32 } else { dtype };
    let mut text = format!("{MATH}\n@group(0) @binding(0) var<uniform> p: array<vec4<f32>, 1>;\n");
    for (i, &dtype) in program.inputs().iter().chain(program.outputs()).enumerate() {
        let access = if i < program.inputs().len() { "read" } else { "read_write" };
        text += &format!("@group(0) @binding({}) var<storage, {access}> m{i}: array<{}>;\n", i + 1, scalar(dtype));
    }
    let loads: Vec<String> = (program.inputs().iter().enumerate())
        .map(|(i, &dtype)| if dtype == DType::Bool { format!("m{i}[i] != 0u") } else { format!("m{i}[i]") })
        .collect();
    let params: Vec<String> =
        (0..program.params()).map(|j| format!("p[{}].{}", j / 4, ["x", "y", "z", "w"][j % 4])).collect();
    let body = program.wgsl(&loads, &params, |n, value| {
        let value = if program.outputs()[n] == DType::Bool { format!("u32({value})") } else { value.to_owned() };
        format!("m{}[i] = {value};", program.inputs().len() + n)
    });
    text += &format!(
        "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\nlet i = id.x;\n{body}}}\n"
    );
    let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(&text)));
    let mut validator =
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    validator.validate(&module).unwrap_or_else(|e| panic!("{}\n{text}", e.emit_to_string(&text)));
}
