//! Searches for inputs that break the law `config` of `tests/fuzz.rs`.
#![no_main]

#[path = "../../tests/fuzz.rs"]
#[expect(dead_code, reason = "each target uses one of the laws")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::config(data));
