//! Hints to the CPU of what will be read or written next.
//!
//! A block is read by its first instruction and written by its last: in between the memory would be idle, and what the hardware
//! foresees by itself ends with the page, which a block of 1,024 words is.
#![allow(unsafe_code)]

/// Begins to fetch `words` into the second cache, to be written where `write`. A hint: nothing else happens.
#[inline]
pub(super) fn fetch(words: &[u32], write: bool) {
    #[cfg(target_arch = "x86_64")]
    for line in words.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T1, _mm_prefetch};
        let place = line.as_ptr().cast();
        // SAFETY: every x86-64 processor knows the instruction or takes it for none, and it cannot fail, whatever the address.
        unsafe { if write { _mm_prefetch::<_MM_HINT_ET0>(place) } else { _mm_prefetch::<_MM_HINT_T1>(place) } }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (words, write);
}
