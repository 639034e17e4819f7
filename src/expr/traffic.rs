//! What a program tells the CPU about memory: what it will read or write next, and what it will not read again.
//!
//! A block is read by its first instruction and written by its last: in between the memory would be idle, and what the hardware
//! foresees by itself ends with the page, which a block of 1,024 words is. A write of what lies in no cache reads it first;
//! results that are larger than the caches are written past them.
#![allow(unsafe_code)]

use bytemuck::Pod;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T1, _mm_loadu_si128, _mm_prefetch, _mm_sfence, _mm_stream_si128};

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

    /// Copies a block of results to where they go, which is as long.
    pub(crate) fn copy<T: Pod>(self, from: &[T], to: &mut [T]) {
        match self {
            Stores::Cached => to.copy_from_slice(from),
            Stores::Streamed => stream(bytemuck::cast_slice(from), bytemuck::cast_slice_mut(to)),
        }
    }

    /// Begins to fetch what will be read for the next block of many.
    pub(crate) fn fetch<T: Pod>(self, next: &[T]) {
        if self == Stores::Streamed {
            fetch(bytemuck::cast_slice(next), false);
        }
    }

    /// Makes what this thread wrote visible to others. Must follow the last [`Stores::copy`].
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

/// Copies `from` to `to`, which is as long, past the caches where the CPU can.
#[inline]
fn stream(from: &[u32], to: &mut [u32]) {
    debug_assert_eq!(from.len(), to.len());
    #[cfg(target_arch = "x86_64")]
    {
        let head = to.as_ptr().align_offset(16).min(to.len());
        let (first, rest) = to.split_at_mut(head);
        let (given, more) = from.split_at(head.min(from.len()));
        first.copy_from_slice(given);
        let ((vectors, last), (given, end)) = (rest.as_chunks_mut::<4>(), more.as_chunks::<4>());
        for (to, from) in vectors.iter_mut().zip(given) {
            // SAFETY: both are four words long, and `to` begins at a multiple of 16 bytes, since `head` words precede it. Every
            // x86-64 processor has the instructions.
            unsafe { _mm_stream_si128(to.as_mut_ptr().cast(), _mm_loadu_si128(from.as_ptr().cast())) }
        }
        last.copy_from_slice(end);
    }
    #[cfg(not(target_arch = "x86_64"))]
    to.copy_from_slice(from);
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
            assert!(target[..to].iter().chain(&target[to + len..]).all(|&word| word == 0), "{from} {to} {len}");
        }
    }
}
