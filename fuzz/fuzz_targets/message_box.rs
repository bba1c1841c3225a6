#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pqc_fuzz::message_box::run(bytes));
