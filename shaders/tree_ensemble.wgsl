// y[n, k·G + g] = sum over trees t = g, g + G, ... of leaves[leaf that row n ends in, in tree t][k], as 64-bit integers of two
// words, the low one first; x [N, F, 2], roots [T], nodes [M, 4], sets [S], leaves [L, K, 2], y [N, K·G, 2].
// A number of x is a 64-bit integer of two words, the high one first, in the order of the numbers that they stand for, or a
// category in its first word; a missing value is all ones. A node is (column and flags, two words of the threshold or the place
// of a set, left child); the right child follows the left one. A leaf has 0 for its left child and its row of leaves in its
// second word. A set is a number of words and as many words of bits.
// Bindings: p = threads, F, first tree, tree after the last, M, L, K, S, steps at most, G, blocks of outputs, offsets of x,
// roots, nodes, sets, leaves and y; x; roots; nodes; sets; leaves; y.
// Grid: one thread a row, g, and block of OUTPUTS values of k. Rounding: none. Owner: src/ops/tree_ensemble.rs.
//#include lib/index.wgsl

@group(0) @binding(0) var<uniform> p: array<vec4<u32>, 5>;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> roots: array<u32>;
@group(0) @binding(3) var<storage, read> nodes: array<u32>;
@group(0) @binding(4) var<storage, read> sets: array<u32>;
@group(0) @binding(5) var<storage, read> leaves: array<u32>;
@group(0) @binding(6) var<storage, read_write> y: array<u32>;

//#begin outputs
const OUTPUTS: u32 = 4u;
//#end outputs

const MISSING_RIGHT: u32 = 0x80000000u;
const CATEGORIES: u32 = 0x40000000u;
const MISSING: u32 = 0xffffffffu;
const NONE: u32 = 0xffffffffu;

// Whether a set holds a category.
fn holds(place: u32, category: u32) -> bool {
    if (place >= p[1].w) {
        return false;
    }
    let words = min(sets[p[3].z + place], p[1].w - place - 1u);
    let word = category / 32u;
    return word < words && ((sets[p[3].z + place + 1u + min(word, words - 1u)] >> (category % 32u)) & 1u) == 1u;
}

// The row of leaves that a row of x ends in; NONE where a tree leads out of the nodes.
fn leaf_of(root: u32, row: u32) -> u32 {
    var at = root;
    for (var step = 0u; step <= p[2].x; step += 1u) {
        if (at >= p[1].x) {
            return NONE;
        }
        let node = p[3].y + 4u * at;
        let left = nodes[node + 3u];
        let high = nodes[node + 1u];
        if (left == 0u) {
            return high;
        }
        let split = nodes[node];
        let column = row + 2u * min(split & 0x3fffffffu, p[0].y - 1u);
        let value = x[column];
        var right = value > high;
        if (value == MISSING) {
            right = (split & MISSING_RIGHT) != 0u;
        } else if ((split & CATEGORIES) != 0u) {
            right = !holds(high, value);
        } else if (value == high) { // few are so close
            right = x[column + 1u] > nodes[node + 2u];
        }
        at = left + select(0u, 1u, right);
    }
    return NONE;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let thread = group_index(wid, count) * 256u + lane;
    if (thread >= p[0].x) {
        return;
    }
    let k = p[1].z;
    let groups = p[2].y;
    let first = thread % p[2].z * OUTPUTS;
    let group = thread / p[2].z % groups;
    let n = thread / p[2].z / groups;
    let out = p[4].x + 2u * (n * k * groups + first * groups + group);
    let some = min(OUTPUTS, k - first);
    var low: array<u32, OUTPUTS>;
    var high: array<u32, OUTPUTS>;
    if (p[0].z > 0u) { // trees of launches before
        for (var j = 0u; j < some; j += 1u) {
            low[j] = y[out + 2u * j * groups];
            high[j] = y[out + 2u * j * groups + 1u];
        }
    }
    for (var tree = p[0].z + group; tree < p[0].w; tree += groups) {
        let leaf = leaf_of(roots[p[3].x + tree], p[2].w + 2u * n * p[0].y);
        if (leaf >= p[1].y) {
            continue;
        }
        let value = p[3].w + 2u * (leaf * k + first);
        for (var j = 0u; j < some; j += 1u) {
            let before = low[j];
            low[j] = before + leaves[value + 2u * j];
            high[j] += leaves[value + 2u * j + 1u] + select(0u, 1u, low[j] < before);
        }
    }
    for (var j = 0u; j < some; j += 1u) {
        y[out + 2u * j * groups] = low[j];
        y[out + 2u * j * groups + 1u] = high[j];
    }
}
