//! The core's operations on secrets, with the secrets marked undefined for valgrind's memcheck.
//!
//! Memcheck reports each branch and each address that depends on an undefined bit: run so, a report
//! is a timing leak. `cargo xtask ct` runs each check twice: as it is, which must be silent, and
//! with `leak` behind its name, where a branch on its result must be reported. That second run
//! shows that the marks were there and reached the end.
//!
//! Some branches depend on what was made of a secret and is public all the same, such as whether a
//! box authenticates. `public.supp` lists the functions that hold them, each with its reason.

mod kem;
mod marks;
mod sign;
mod symmetric;

use std::hint::black_box;
use std::process::ExitCode;

use pqc_core::backend::{Active, RustCrypto};

/// A check gives bytes that depend on its secrets, still undefined.
type Check = fn() -> Vec<u8>;

const CHECKS: &[(&str, Check)] = &[
    ("kem-key-pair", kem::key_pair::<Active>),
    ("kem-key-pair-reference", kem::key_pair::<RustCrypto>),
    ("encapsulate", kem::encapsulate::<Active>),
    ("encapsulate-reference", kem::encapsulate::<RustCrypto>),
    ("decapsulate", kem::decapsulate::<Active>),
    ("decapsulate-reference", kem::decapsulate::<RustCrypto>),
    ("decapsulate-prepared", kem::decapsulate_prepared::<Active>),
    ("decapsulate-prepared-reference", kem::decapsulate_prepared::<RustCrypto>),
    ("x-wing", kem::x_wing),
    ("signing-key-pair", sign::key_pair::<Active>),
    ("signing-key-pair-reference", sign::key_pair::<RustCrypto>),
    ("sign", sign::sign::<Active>),
    ("sign-reference", sign::sign::<RustCrypto>),
    ("sign-in-each-way", sign::sign_in_each_way),
    ("compare-secrets", symmetric::compare_secrets),
    ("tokens", symmetric::tokens),
    ("seal-box", symmetric::seal_box),
    ("open-box", symmetric::open_box),
    ("seal-stream", symmetric::seal_stream),
    ("open-stream", symmetric::open_stream),
    ("key-files", symmetric::key_files),
];

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (name, leaks) = (arguments.next(), arguments.next().is_some_and(|word| word == "leak"));
    let Some((_, check)) = CHECKS.iter().find(|(known, _)| name.as_deref() == Some(*known)) else {
        CHECKS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    };
    let result = check();
    assert!(!result.is_empty());
    if leaks && black_box(&result).iter().any(|byte| *byte == 7) {
        println!("one of the bytes is 7");
    }
    ExitCode::SUCCESS
}
