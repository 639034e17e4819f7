//! Large pages for large blocks.
//!
//! A page of 4 KiB has an entry of its own in the processor's tables, and the hardware's foresight ends with it: work that reads
//! and writes much more than the caches waits for the tables, in a virtual machine twice over. Linux gives out pages of 2 MiB
//! where it is asked to, as NumPy does.
#![allow(unsafe_code)]

/// Bytes of the smallest block that asks for large pages: two of them.
#[cfg(target_os = "linux")]
const LARGE: usize = 4 << 20;

/// Asks for large pages behind `block`, which no one has written yet. Whether the system grants them changes no content.
#[cfg(target_os = "linux")]
pub(super) fn ask_for_large(block: &mut [u32]) {
    const PAGE: usize = 1 << 16; // a multiple of whatever the system's own is
    let bytes = size_of_val(block);
    let start = block.as_mut_ptr().cast::<u8>();
    let head = start.align_offset(PAGE);
    if bytes < LARGE || head >= bytes {
        return;
    }
    let whole = (bytes - head) / PAGE * PAGE;
    // SAFETY: the range lies within `block`; this advice leaves what is there as it is, and a refusal needs no answer.
    unsafe {
        libc::madvise(start.add(head).cast(), whole, libc::MADV_HUGEPAGE);
    }
}

/// There is nothing to ask for here.
#[cfg(not(target_os = "linux"))]
pub(super) fn ask_for_large(_: &mut [u32]) {}
