//! FNV-1a of 64 bits (Fowler, Noll, Vo; <http://www.isthe.com/chongo/tech/comp/fnv/>): finds damage, not intent.

/// The sum of no bytes.
pub(crate) const BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// The sum with these bytes after those that it is of. Every single changed byte changes it, because each step is a bijection.
pub(crate) fn fnv1a(sum: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(sum, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
