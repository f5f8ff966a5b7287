#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netready::fuzz::podman_text(data));
