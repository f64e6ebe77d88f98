//! Looks for inputs that break the law `head` of the suite.
#![no_main]

#[path = "../../tests/fuzz.rs"]
#[expect(dead_code, reason = "each target has one of the laws")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::head(data));
