//! Scalar functions applied to blocks of words, in loops that the compiler vectorises for the CPU found at run time.

use pulp::Arch;

/// Words are computed in chunks of this many: whole vectors of every instruction set, and a fixed trip count to unroll.
pub(crate) const CHUNK: usize = 64;

/// An operand of a block: chunk `k` begins at word `k * step`. A step of 0 repeats one chunk: a constant or a parameter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block<'a> {
    words: &'a [u32],
    step: usize,
}

static ZEROS: [u32; CHUNK] = [0; CHUNK];

impl<'a> Block<'a> {
    /// Values one after another, in whole chunks.
    pub(crate) fn values(words: &'a [u32]) -> Block<'a> {
        Block { words, step: CHUNK }
    }

    /// One chunk that stands for all.
    pub(crate) fn splat(words: &'a [u32; CHUNK]) -> Block<'a> {
        Block { words, step: 0 }
    }

    /// The first `out.len()` values.
    pub(crate) fn copy_to(&self, out: &mut [u32]) {
        for (k, out) in out.chunks_mut(CHUNK).enumerate() {
            let words = self.words.get(k * self.step..).unwrap_or_default();
            let count = out.len().min(words.len());
            out[..count].copy_from_slice(&words[..count]);
        }
    }

    #[inline(always)]
    fn chunk(&self, k: usize) -> &'a [u32; CHUNK] {
        let rest = self.words.get(k * self.step..);
        rest.and_then(|w| w.first_chunk()).unwrap_or(&ZEROS) // never short: callers pad blocks to whole chunks
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

/// `out = f(x)`, element by element. `out` is whole chunks.
#[inline(always)]
pub(crate) fn one<A: Word, O: Word>(x: &[Block<'_>; 3], out: &mut [u32], f: impl Fn(A) -> O + Copy) {
    // a function of its own: references as its arguments tell the compiler that they do not overlap
    #[inline(always)]
    fn chunk<A: Word, O: Word>(a: &[u32; CHUNK], out: &mut [u32; CHUNK], f: impl Fn(A) -> O) {
        for i in 0..CHUNK {
            out[i] = f(A::read(a[i])).word();
        }
    }
    let a = x[0];
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (k, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
                chunk(a.chunk(k), out, f);
            }
        },
    );
}

/// `out = f(x, y)`, element by element. `out` is whole chunks.
#[inline(always)]
pub(crate) fn two<A: Word, O: Word>(x: &[Block<'_>; 3], out: &mut [u32], f: impl Fn(A, A) -> O + Copy) {
    #[inline(always)]
    fn chunk<A: Word, O: Word>(a: &[u32; CHUNK], b: &[u32; CHUNK], out: &mut [u32; CHUNK], f: impl Fn(A, A) -> O) {
        for i in 0..CHUNK {
            out[i] = f(A::read(a[i]), A::read(b[i])).word();
        }
    }
    let [a, b, _] = *x;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (k, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
                chunk(a.chunk(k), b.chunk(k), out, f);
            }
        },
    );
}

/// `out = f(x, y, z)` on bare words, element by element. `out` is whole chunks.
#[inline(always)]
pub(crate) fn three(x: &[Block<'_>; 3], out: &mut [u32], f: impl Fn(u32, u32, u32) -> u32 + Copy) {
    #[inline(always)]
    fn chunk([a, b, c]: [&[u32; CHUNK]; 3], out: &mut [u32; CHUNK], f: impl Fn(u32, u32, u32) -> u32) {
        for i in 0..CHUNK {
            out[i] = f(a[i], b[i], c[i]);
        }
    }
    let [a, b, c] = *x;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for (k, out) in out.as_chunks_mut().0.iter_mut().enumerate() {
                chunk([a.chunk(k), b.chunk(k), c.chunk(k)], out, f);
            }
        },
    );
}
