// Philox4x32-10: four random words from a counter of four words and a key of two; the integers of src/rng.rs.
//   Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11
// Bindings: none. Rounding: none; tw_uniform is exact. Owner: src/rng.rs.

// The upper 32 bits of a * b, by halves of 16 bits. The sum of the middle stays below 3 * 2^16.
fn tw_mul_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu);
    let right = (a & 0xffffu) * (b >> 16u);
    let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u);
}

fn tw_philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let even = vec2<u32>(tw_mul_high(0xd2511f53u, c.x), 0xd2511f53u * c.x);
        let odd = vec2<u32>(tw_mul_high(0xcd9e8d57u, c.z), 0xcd9e8d57u * c.z);
        c = vec4<u32>(odd.x ^ c.y ^ k.x, odd.y, even.x ^ c.w ^ k.y, even.y);
        k = k + vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}

// Block `base + index` of a seed: the random words of elements 4 * index to 4 * index + 3. `base` and `seed` are 64 bits, the
// low word first.
fn tw_random(seed: vec2<u32>, base: vec2<u32>, index: u32) -> vec4<u32> {
    let low = base.x + index;
    let high = base.y + select(0u, 1u, low < base.x);
    return tw_philox(vec4<u32>(low, high, 0u, 0u), seed);
}

// A number in [0, 1): the upper 24 bits of a word.
fn tw_uniform(word: u32) -> f32 {
    return f32(word >> 8u) * 0x1p-24f;
}
