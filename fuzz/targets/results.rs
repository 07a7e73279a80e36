//! `formats::auth_results`, fed by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| postroom_fuzz::formats::results(data));
