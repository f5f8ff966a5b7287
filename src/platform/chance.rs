//! The shell's only source of randomness. It is used for jitter and for names of files.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A random number in 0..1. It comes from the hashers of std, which std seeds from the kernel's randomness.
pub fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
