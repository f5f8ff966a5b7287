#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netready::fuzz::gate_file(data));
