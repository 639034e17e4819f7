//! Where data comes from: files larger than memory.

mod stream;
