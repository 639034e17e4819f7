//! The random numbers of `shaders/lib/rng.wgsl` are those of the crate, bit for bit.

use super::*;
use crate::rng;

/// `o[8 i ..]` gets the four words of block `base + i`, then their uniform numbers.
fn draws(blocks: usize) -> Launch {
    let declared = bindings(&[("o", "u32", Access::Write)], 5);
    let index = include_str!("../../../../shaders/lib/index.wgsl");
    let library = include_str!("../../../../shaders/lib/rng.wgsl");
    let source = format!(
        "{index}{library}{declared}
        @compute @workgroup_size(64)
        fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) count: vec3<u32>,
                @builtin(local_invocation_index) lane: u32) {{
            let i = group_index(wid, count) * 64u + lane;
            if (i >= p[0].x) {{ return; }}
            let words = tw_random(p[0].yz, vec2<u32>(p[0].w, p[1].x), i);
            for (var w = 0u; w < 4u; w++) {{
                o[8u * i + w] = words[w];
                o[8u * i + 4u + w] = bitcast<u32>(tw_uniform(words[w]));
            }}
        }}"
    );
    Launch {
        name: "draws",
        source: source.into(),
        args: vec![Arg::Write(0)],
        words: [Word::from(blocks)].into_iter().chain((0..4).map(Word::Var)).collect(),
        groups: blocks.div_ceil(64) as u64,
        work: 100 * blocks as u64,
    }
}

#[test]
fn the_gpu_draws_the_words_and_uniform_numbers_of_the_cpu() {
    let Some(gpu) = open() else { return };
    let blocks = 500;
    let prepared = gpu.prepare(vec![draws(blocks)]).unwrap();
    let out = gpu.alloc(8 * blocks).unwrap();
    // nothing; all four halves different; a base whose low word overflows; one that wraps as a whole
    let cases = [
        (0, 0),
        (0x299f_31d0_a409_3822, 0x85a3_08d3_243f_6a88),
        (7, u64::from(u32::MAX) - 3),
        (u64::MAX, u64::MAX - 9),
    ];
    for (seed, base) in cases {
        let halves = |x: u64| [x as u32, (x >> 32) as u32];
        gpu.run(&prepared, std::slice::from_ref(&out), &[halves(seed), halves(base)].concat()).unwrap();
        let got = gpu.read(&out, 0, 8 * blocks).unwrap();
        for (i, got) in got.chunks(8).enumerate() {
            let words = rng::block(seed, base.wrapping_add(i as u64));
            let uniforms = words.map(|word| rng::uniform(word).to_bits());
            assert_eq!(got, [words, uniforms].concat(), "seed {seed}, base {base}, block {i}");
        }
    }
}
