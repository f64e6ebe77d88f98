//! Searches for inputs that break the law `values` of `tests/fuzz.rs`.
#![no_main]

#[path = "../../tests/fuzz.rs"]
#[expect(dead_code, reason = "each target uses one of the laws")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::values(data));
