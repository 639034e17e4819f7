//! What a program tells the CPU about memory: what it will read or write next, and what it will not read again.
//!
//! A block is read by its first instruction and written by its last: in between the memory would be idle, and what the hardware
//! foresees by itself ends with the page, which a block of 1,024 words is. A write of what lies in no cache reads it first;
//! results that are larger than the caches are written past them.
#![allow(unsafe_code)]

use super::lift::Chunk;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _MM_HINT_T1, _mm_prefetch, _mm_sfence, _mm_stream_si128};

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stores {
    /// Into the caches, for whoever reads them next.
    Cached,
    /// Past the caches, which are too small for all of them.
    Streamed,
}

impl Stores {
    /// Bytes from which on results are streamed: more than the last cache keeps of them beside what they are computed from.
    const MANY: usize = 16 << 20;

    /// How so many words of results are written.
    pub(crate) fn of(words: usize) -> Stores {
        if words * 4 >= Stores::MANY { Stores::Streamed } else { Stores::Cached }
    }

    /// By what a thread takes more at a time than it would of results in the caches: at the begin of each part it waits for the
    /// memory, which could foresee nothing, and at its end until all is written.
    pub(crate) fn at_a_time(self) -> usize {
        match self {
            Stores::Cached => 1,
            Stores::Streamed => 8,
        }
    }

    /// Copies a block of results to where they go, which is as long.
    pub(super) fn copy(self, from: &[u32], to: &mut [u32]) {
        match self {
            Stores::Cached => to.copy_from_slice(from),
            Stores::Streamed => stream(from, to, &[], |words| words),
        }
    }

    /// `to = by · from`, likewise. Streamed, it asks for a line of `next` with each line that it writes: the memory does both at a
    /// time.
    pub(crate) fn scale(self, by: f32, from: &[f32], to: &mut [f32], next: &[f32]) {
        match self {
            Stores::Cached => to.iter_mut().zip(from).for_each(|(to, from)| *to = by * from),
            Stores::Streamed => {
                let scaled = |words: [u32; 4]| words.map(|word| (by * f32::from_bits(word)).to_bits());
                let next: &[u32] = bytemuck::cast_slice(next);
                stream(bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to), next, scaled);
            }
        }
    }

    /// Makes what this thread wrote visible to others. Must follow the last block.
    pub(crate) fn settle(self) {
        #[cfg(target_arch = "x86_64")]
        if self == Stores::Streamed {
            // SAFETY: every x86-64 processor has the instruction; it only waits.
            unsafe { _mm_sfence() }
        }
    }
}

/// Begins to fetch `words` into the second cache, to be written where `write`. A hint: nothing else happens.
#[inline]
pub(super) fn fetch(words: &[u32], write: bool) {
    #[cfg(target_arch = "x86_64")]
    for line in words.chunks(16) {
        let place = line.as_ptr().cast();
        // SAFETY: every x86-64 processor knows the instruction or takes it for none, and it cannot fail, whatever the address.
        unsafe { if write { _mm_prefetch::<_MM_HINT_ET0>(place) } else { _mm_prefetch::<_MM_HINT_T1>(place) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (words, write);
}

/// Writes a chunk of results past the caches where the CPU can, and fetches as much of each of `next` from word `at` on.
pub(super) fn stream_chunk(from: &Chunk, to: &mut Chunk, next: &[&[u32]], at: usize) {
    #[cfg(target_arch = "x86_64")]
    for (line, (to, from)) in to.0.chunks_exact_mut(16).zip(from.0.chunks_exact(16)).enumerate() {
        for word in next.iter().filter_map(|next| next.get(at + 16 * line)) {
            // SAFETY: as in `fetch`.
            unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *word).cast()) }
        }
        for (to, from) in to.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
            // SAFETY: `to` is four words long and begins at a multiple of 16 bytes, since a chunk begins at one of 64. Every x86-64
            // processor has the instruction.
            unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), bytemuck::cast(*from)) }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (next, at);
        *to = *from;
    }
}

/// Writes what `map` makes of `from` to `to`, which is as long, past the caches where the CPU can, and fetches `next` line by line
/// meanwhile.
#[inline(always)]
fn stream(from: &[u32], to: &mut [u32], next: &[u32], map: impl Fn([u32; 4]) -> [u32; 4]) {
    debug_assert_eq!(from.len(), to.len());
    let one_by_one = |from: &[u32], to: &mut [u32]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = map([*from; 4])[0]);
    };
    #[cfg(target_arch = "x86_64")]
    {
        let head = to.as_ptr().align_offset(16).min(to.len());
        let (first, rest) = to.split_at_mut(head);
        let (given, more) = from.split_at(head.min(from.len()));
        one_by_one(given, first);
        let ((vectors, last), (given, end)) = (rest.as_chunks_mut::<4>(), more.as_chunks::<4>());
        for (line, (to, from)) in vectors.chunks_mut(4).zip(given.chunks(4)).enumerate() {
            if let Some(word) = next.get(16 * line) {
                // SAFETY: as in `fetch`.
                unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *word).cast()) }
            }
            for (to, from) in to.iter_mut().zip(from) {
                // SAFETY: `to` is four words long and begins at a multiple of 16 bytes, since `head` words precede it. Every x86-64
                // processor has the instruction.
                unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), bytemuck::cast(map(*from))) }
            }
        }
        one_by_one(end, last);
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = next;
        one_by_one(from, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamed_copy_is_the_whole_copy_from_any_place_to_any_other() {
        let source: Vec<u32> = (1..200).collect();
        for (from, to, len) in [(0, 0, 0), (0, 1, 1), (3, 2, 3), (1, 0, 64), (0, 3, 65), (5, 1, 130), (2, 7, 127)] {
            let mut target = vec![0u32; 200];
            Stores::Streamed.copy(&source[from..from + len], &mut target[to..to + len]);
            Stores::Streamed.settle();
            assert_eq!(target[to..to + len], source[from..from + len]);
            let halves: Vec<f32> = source[from..from + len].iter().map(|&word| word as f32 / 2.0).collect();
            let mut doubled = vec![0.0; len];
            Stores::Streamed.scale(2.0, &halves, &mut doubled, &halves);
            assert!(doubled.iter().zip(&source[from..]).all(|(double, word)| *double == *word as f32));
            assert!(target[..to].iter().chain(&target[to + len..]).all(|&word| word == 0), "{from} {to} {len}");
        }
    }
}
