//! What the code chooses by at run time: libcrux, the RustCrypto crates, SQLite and libc's copying
//! take other ways on other processors, and counts of one are no counts of another.

/// The architecture, the operating system, and those features of the processor (under valgrind: of
/// what valgrind shows) that choose.
pub(crate) fn features() -> String {
    let (architecture, system) = (std::env::consts::ARCH, std::env::consts::OS);
    let mut words = vec![architecture, system];
    words.extend(present());
    words.join(" ")
}

#[cfg(target_arch = "x86_64")]
fn present() -> Vec<&'static str> {
    let known = [
        ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
        ("popcnt", std::is_x86_feature_detected!("popcnt")),
        ("avx", std::is_x86_feature_detected!("avx")),
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("bmi1", std::is_x86_feature_detected!("bmi1")),
        ("bmi2", std::is_x86_feature_detected!("bmi2")),
        ("adx", std::is_x86_feature_detected!("adx")),
        ("aes", std::is_x86_feature_detected!("aes")),
        ("pclmulqdq", std::is_x86_feature_detected!("pclmulqdq")),
        ("vaes", std::is_x86_feature_detected!("vaes")),
        ("vpclmulqdq", std::is_x86_feature_detected!("vpclmulqdq")),
        ("sha", std::is_x86_feature_detected!("sha")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
    ];
    known.into_iter().filter_map(|(name, present)| present.then_some(name)).collect()
}

#[cfg(target_arch = "aarch64")]
fn present() -> Vec<&'static str> {
    let known = [
        ("neon", std::arch::is_aarch64_feature_detected!("neon")),
        ("aes", std::arch::is_aarch64_feature_detected!("aes")),
        ("pmull", std::arch::is_aarch64_feature_detected!("pmull")),
        ("sha2", std::arch::is_aarch64_feature_detected!("sha2")),
        ("sha3", std::arch::is_aarch64_feature_detected!("sha3")),
    ];
    known.into_iter().filter_map(|(name, present)| present.then_some(name)).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn present() -> Vec<&'static str> {
    Vec::new()
}
