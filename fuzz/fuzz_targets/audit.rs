#![no_main]

libfuzzer_sys::fuzz_target!(
    init: pqc_fuzz::audit::prepare(),
    |bytes: &[u8]| pqc_fuzz::audit::run(bytes)
);
