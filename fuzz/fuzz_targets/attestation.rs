#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::attestation::prepare(),
    |bytes: &[u8]| pqc_fuzz::attestation::run(bytes)
);
