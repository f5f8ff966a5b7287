//! The shell's only randomness: jitter.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A number in 0..1, another one each time: std seeds its hashers from the kernel's randomness.
pub fn chance() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(random >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
