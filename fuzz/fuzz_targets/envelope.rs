#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::envelope::prepare(),
    |bytes: &[u8]| pqc_fuzz::envelope::run(bytes)
);
