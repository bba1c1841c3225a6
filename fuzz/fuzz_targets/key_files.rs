#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::key_files::prepare(),
    |bytes: &[u8]| pqc_fuzz::key_files::run(bytes)
);
