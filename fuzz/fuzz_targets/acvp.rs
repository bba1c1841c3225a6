#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pqc_fuzz::acvp::run(bytes));
