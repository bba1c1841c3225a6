#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::jwk::prepare(),
    |bytes: &[u8]| pqc_fuzz::jwk::run(bytes)
);
