//! Scalar functions applied to blocks of words, in loops that the compiler vectorises for the CPU found at run time.

use super::traffic;
use bytemuck::{Pod, Zeroable};
use pulp::{Arch, Simd, WithSimd};

/// Words are computed in chunks of this many: whole vectors of every instruction set, and a fixed trip count to unroll.
pub(crate) const CHUNK: usize = 64;

/// [`CHUNK`] words at the start of a cache line: a vector that crosses two lines costs twice.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Chunk(pub(crate) [u32; CHUNK]);

static ZEROS: [u32; CHUNK] = [0; CHUNK];

/// An operand of a block: a value for each element, or one chunk that stands for all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    chunks: &'a [[u32; CHUNK]],
    step: usize, // 1, or 0 to repeat the first chunk
}

impl<'a> Block<'a> {
    /// Values one after another, in whole chunks.
    pub(crate) fn values(words: &'a [u32]) -> Block<'a> {
        Block { chunks: words.as_chunks().0, step: 1 }
    }

    /// A constant or a parameter.
    pub(crate) fn splat(chunk: &'a Chunk) -> Block<'a> {
        Block { chunks: std::slice::from_ref(&chunk.0), step: 0 }
    }

    /// The first `out.len()` values.
    pub(crate) fn copy_to(&self, out: &mut [u32]) {
        for (k, out) in out.chunks_mut(CHUNK).enumerate() {
            out.copy_from_slice(&self.chunk(k)[..out.len()]);
        }
    }

    #[inline(always)]
    fn chunk(&self, k: usize) -> &'a [u32; CHUNK] {
        self.chunks.get(k * self.step).unwrap_or(&ZEROS) // never past the end: callers pad blocks to whole chunks
    }
}

/// Where a block of results goes: whole chunks.
pub(crate) enum Out<'o> {
    /// Into the caches, for whoever reads them next.
    Cached(&'o mut [[u32; CHUNK]]),
    /// Past the caches, each chunk as soon as it is computed, so that the memory writes meanwhile; and it reads of each of these
    /// as many words as are written.
    Streamed(&'o mut [Chunk], &'o [&'o [u32]]),
}

impl<'o> Out<'o> {
    pub(crate) fn cached(words: &'o mut [u32]) -> Out<'o> {
        Out::Cached(words.as_chunks_mut().0)
    }

    /// Past the caches where the words begin at a cache line, which vectors that are written so must not cross.
    pub(crate) fn streamed(words: &'o mut [u32], next: &'o [&'o [u32]]) -> Out<'o> {
        match bytemuck::try_cast_slice_mut::<u32, Chunk>(words) {
            Ok(_) => Out::Streamed(bytemuck::cast_slice_mut(words), next),
            Err(_) => Out::cached(words),
        }
    }

    fn chunks(&self) -> usize {
        match self {
            Out::Cached(chunks) => chunks.len(),
            Out::Streamed(chunks, _) => chunks.len(),
        }
    }
}

/// A number that fills a 32-bit word.
pub(crate) trait Word: Copy {
    fn read(word: u32) -> Self;
    fn word(self) -> u32;
}

impl Word for f32 {
    #[inline(always)]
    fn read(word: u32) -> f32 {
        f32::from_bits(word)
    }
    #[inline(always)]
    fn word(self) -> u32 {
        self.to_bits()
    }
}
impl Word for i32 {
    #[inline(always)]
    fn read(word: u32) -> i32 {
        word.cast_signed()
    }
    #[inline(always)]
    fn word(self) -> u32 {
        self.cast_unsigned()
    }
}
impl Word for u32 {
    #[inline(always)]
    fn read(word: u32) -> u32 {
        word
    }
    #[inline(always)]
    fn word(self) -> u32 {
        self
    }
}
impl Word for bool {
    #[inline(always)]
    fn read(word: u32) -> bool {
        word != 0
    }
    #[inline(always)]
    fn word(self) -> u32 {
        u32::from(self)
    }
}

/// A loop over chunks. A type of its own and no closure: the call of a large closure is not inlined, and what is not
/// inlined is compiled for the oldest CPU.
struct Loop<'a, 'o, F> {
    x: [Block<'a>; 3],
    out: Out<'o>,
    f: F,
}

impl<F: Fn([&[u32; CHUNK]; 3], &mut [u32; CHUNK])> WithSimd for Loop<'_, '_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let ([a, b, c], mut out) = (self.x, self.out);
        let mut apart = Chunk([0; CHUNK]);
        for k in 0..out.chunks() {
            let to = match &mut out {
                Out::Cached(chunks) => chunks.get_mut(k).unwrap_or(&mut apart.0),
                Out::Streamed(..) => &mut apart.0,
            };
            (self.f)([a.chunk(k), b.chunk(k), c.chunk(k)], to);
            if let Out::Streamed(chunks, next) = &mut out
                && let Some(to) = chunks.get_mut(k)
            {
                traffic::stream_chunk(&apart, to, next, k * CHUNK);
            }
        }
    }
}

#[inline(always)]
fn run(x: &[Block<'_>; 3], out: Out<'_>, f: impl Fn([&[u32; CHUNK]; 3], &mut [u32; CHUNK])) {
    Arch::new().dispatch(Loop { x: *x, out, f });
}

/// `out = f(x)`, element by element.
#[inline(always)]
pub(crate) fn one<A: Word, O: Word>(x: &[Block<'_>; 3], out: Out<'_>, f: impl Fn(A) -> O) {
    run(
        x,
        out,
        #[inline(always)]
        |[a, ..]: [&[u32; CHUNK]; 3], out: &mut [u32; CHUNK]| {
            for i in 0..CHUNK {
                out[i] = f(A::read(a[i])).word();
            }
        },
    );
}

/// As [`one`], with `rare` in place of `f` where `|x| > limit`.
#[inline(always)]
pub(crate) fn one_or(x: &[Block<'_>; 3], out: Out<'_>, f: impl Fn(f32) -> f32, limit: f32, rare: fn(f32) -> f32) {
    run(
        x,
        out,
        #[inline(always)]
        |[a, ..]: [&[u32; CHUNK]; 3], out: &mut [u32; CHUNK]| {
            for i in 0..CHUNK {
                out[i] = f(f32::from_bits(a[i])).to_bits();
            }
            // the whole chunk without a branch first: it vectorises, and is nearly always false
            if a.iter().fold(false, |any, &a| any | (f32::from_bits(a).abs() > limit)) {
                for (out, a) in out.iter_mut().zip(a).filter(|(_, a)| f32::from_bits(**a).abs() > limit) {
                    *out = rare(f32::from_bits(*a)).to_bits();
                }
            }
        },
    );
}

/// `out = f(x, y)`, element by element.
#[inline(always)]
pub(crate) fn two<A: Word, O: Word>(x: &[Block<'_>; 3], out: Out<'_>, f: impl Fn(A, A) -> O) {
    run(
        x,
        out,
        #[inline(always)]
        |[a, b, _]: [&[u32; CHUNK]; 3], out: &mut [u32; CHUNK]| {
            for i in 0..CHUNK {
                out[i] = f(A::read(a[i]), A::read(b[i])).word();
            }
        },
    );
}

/// `out = f(x, y, z)` on bare words, element by element.
#[inline(always)]
pub(crate) fn three(x: &[Block<'_>; 3], out: Out<'_>, f: impl Fn(u32, u32, u32) -> u32) {
    run(
        x,
        out,
        #[inline(always)]
        |[a, b, c]: [&[u32; CHUNK]; 3], out: &mut [u32; CHUNK]| {
            for i in 0..CHUNK {
                out[i] = f(a[i], b[i], c[i]);
            }
        },
    );
}
